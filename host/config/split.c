/* SPDX-License-Identifier: MIT */
/* Routes of strategy split: the names of their arms, and who stays in one. */
#include "config/parts.h"

#include <string.h>

static const char *const words[] = {[SPLIT_CONVERSATION] = "conversation",
                                    [SPLIT_USER] = "user",
                                    [SPLIT_KEY] = "key",
                                    [SPLIT_REQUEST] = "request"};

const char *cfg_split_name(enum cfg_split by)
{
    return words[by];
}

static bool name_ok(const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] <= ' ' || (unsigned char)name[i] > 126)
            return false;
    return n >= 1 && n <= CFG_ARM_NAME;
}

/* What is wrong with the i-th of them; NULL: nothing. */
static const char *why_not(char **arms, size_t i)
{
    if (!name_ok(arms[i]))
        return "is none: 1 to 63 visible letters of ASCII are wanted";
    for (size_t k = 0; k < i; k++)
        if (strcmp(arms[k], arms[i]) == 0)
            return "stands there twice: their results would be one";
    return NULL;
}

static void read_arms(const struct section *s, struct cfg_route *r)
{
    char **v = section_list(s, "arms");
    size_t n = 0, want = 0;

    while (r->targets[want])
        want++;
    while (v[n])
        n++;
    r->arms = n == want ? v : r->targets;
    if (n && n != want)
        section_issue(s, true, "arms",
                      "there are %zu names for %zu targets: one for each is "
                      "wanted, arms = [ \"old\", \"new\" ]",
                      n, want);
    for (size_t i = 0; n == want && i < n; i++) {
        const char *why = why_not(v, i);
        if (why)
            section_issue(s, true, "arms", "the name \"%.80s\" %s", v[i], why);
    }
}

void route_split(const struct section *s, struct cfg_route *r)
{
    const char *by = section_string(s, "split_by");

    if (r->strategy != STRATEGY_SPLIT) {
        static const char *const own[] = {"arms", "split_by"};
        for (size_t i = 0; i < 2; i++)
            if (section_raw(s, own[i]).kind != RAW_NONE)
                section_issue(s, true, own[i],
                              "it is for strategy = \"split\"");
        return;
    }
    for (size_t i = 0; by && i < sizeof words / sizeof *words; i++)
        if (strcmp(by, words[i]) == 0)
            r->split_by = (enum cfg_split)i;
    read_arms(s, r);
}

/* "provider/model" without what may be left out. */
static pbay_str model_of(const struct cfg_provider *p, const char *target)
{
    pbay_str rest = str_c(target);

    str_cut(&rest, '/');
    return rest.n || !p->default_model ? rest : str_c(p->default_model);
}

/* One target in two arms could not be told apart when it is asked. */
void check_split(struct load *l, const struct cfg_route *r)
{
    for (size_t i = 0; r->strategy == STRATEGY_SPLIT && r->targets[i]; i++)
        for (size_t k = 0; k < i; k++) {
            const struct cfg_provider *p = provider_called(l->c, r->targets[i]);
            if (!p || provider_called(l->c, r->targets[k]) != p ||
                !str_eq(model_of(p, r->targets[i]), model_of(p, r->targets[k])))
                continue;
            load_issue_at(l, true, &r->origin,
                          "routes: \"%.128s\" stands twice in \"%s\": each arm "
                          "needs a target of its own",
                          r->targets[i], r->name);
        }
}
