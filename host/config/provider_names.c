/* SPDX-License-Identifier: MIT */
/* What a provider is called: its name, and its aliases, of which no other may
 * have one. */
#include "config/parts.h"

#include <string.h>

bool cfg_provider_called(const struct cfg_provider *p, pbay_str name)
{
    if (str_is(name, p->name))
        return true;
    for (char **a = p->aliases; a && *a; a++)
        if (str_is(name, *a))
            return true;
    return false;
}

const struct cfg_provider *provider_called(const struct config *c,
                                           const char *target)
{
    pbay_str rest = str_c(target), name = str_cut(&rest, '/');

    for (size_t i = 0; i < c->n_providers; i++)
        if (cfg_provider_called(&c->providers[i], name))
            return &c->providers[i];
    return NULL;
}

void provider_names(const struct section *s, struct cfg_provider *p)
{
    char **v = section_list(s, "aliases");

    p->aliases = v;
    for (size_t i = 0; v[i]; i++) {
        const char *why = NULL;
        if (!provider_name_ok(v[i]))
            why = "an alias is 1 to 63 small letters, digits, \"-\" and \"_\"";
        if (strcmp(v[i], p->name) == 0)
            why = "it is the provider's own name";
        for (size_t k = 0; k < i; k++)
            if (strcmp(v[k], v[i]) == 0)
                why = "it stands there twice";
        if (why)
            section_issue(s, true, "aliases", "\"%.64s\": %s", v[i], why);
    }
}

/* The one before p that is called so as well. */
static const struct cfg_provider *
taken(const struct config *c, const struct cfg_provider *p, const char *name)
{
    const struct cfg_provider *q = c->providers;

    for (; q < c->providers + c->n_providers; q++)
        if (q != p && cfg_provider_called(q, str_c(name)) &&
            (q < p || strcmp(q->name, name) == 0))
            return q;
    return NULL;
}

void check_provider_names(struct load *l)
{
    struct config *c = l->c;

    for (size_t i = 0; i < c->n_providers; i++) {
        struct cfg_provider *p = &c->providers[i];
        for (char **a = p->aliases; *a; a++) {
            const struct cfg_provider *q = taken(c, p, *a);
            if (q)
                load_issue_at(
                    l, true, &p->origin,
                    "providers.%s.aliases: the provider \"%s\" is "
                    "called \"%.64s\" as well: give each names of its "
                    "own",
                    p->name, q->name, *a);
        }
    }
}
