/* SPDX-License-Identifier: MIT */
/* The route "default" where the configuration has none: the primary provider,
 * the secondary one, the others that have a key as they are configured, then
 * those of one's own; loopback alone where there is nothing else. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "manager/router_int.h"

/* Somebody else's, who has given out a key; the rest is one's own. */
static bool keyed(const struct instance *in)
{
    return in->cfg->api_key && !(in->cfg->manifest->local && in->cfg->loopback);
}

static void add(struct instance *in, int op, struct arena *a, struct plan *out)
{
    const char *model = in->cfg->default_model;

    if (!plan_able(in, op))
        return;
    if (model)
        plan_add(out, in, str_c(model), a);
    else if (plan_is_loopback(in))
        plan_add(out, in, STR_NONE, a); /* it has one for each operation */
}

/* One that the environment names, loopback too. */
static void add_named(const struct snapshot *s, int op, const char *name,
                      struct arena *a, struct plan *out)
{
    struct instance *in = name ? snapshot_find(s, str_c(name)) : NULL;

    if (in)
        add(in, op, a, out);
}

/* The one that is LOCAL_PROVIDER is among those of one's own in any case. */
static void add_others(const struct snapshot *s, int op, bool with_key,
                       struct arena *a, struct plan *out)
{
    const char *local = s->cfg->default_route.local;

    for (size_t i = 0; i < s->n; i++) {
        struct instance *in = s->instances[i];
        bool theirs = keyed(in) && !(local && cfg_provider_called(in->cfg, str_c(local)));
        if (theirs == with_key && !plan_is_loopback(in))
            add(in, op, a, out);
    }
}

/* What answers from inside the host is for tests and demonstrations: where
 * there is a real provider, nobody wants that in place of an error. */
static void add_loopback(const struct snapshot *s, int op, struct arena *a,
                         struct plan *out)
{
    for (size_t i = 0; i < s->n; i++)
        if (!plan_is_loopback(s->instances[i]))
            return;
    for (size_t i = 0; i < s->n; i++)
        add(s->instances[i], op, a, out);
}

static int nobody(const struct snapshot *s, struct err *e)
{
    const char *example = NULL;

    for (size_t i = 0; i < s->n && !example; i++)
        if (!plan_is_loopback(s->instances[i]) &&
            !s->instances[i]->cfg->default_model)
            example = s->instances[i]->name;
    err_set(e, ERR_NO_MODEL,
            "the request names no model, and no provider that could take it "
            "has a default_model: name a model, or set default_model%s%s",
            example ? " for " : "", example ? example : "");
    snprintf(e->param, sizeof(e->param), "model");
    return -1;
}

int route_default(const struct snapshot *s, struct model_index *models,
                  const struct ask *q, struct arena *a, struct plan *out,
                  struct err *e)
{
    const struct cfg_default_route *d = &s->cfg->default_route;
    size_t from = out->n;

    add_named(s, q->op, d->primary, a, out);
    add_named(s, q->op, d->secondary, a, out);
    add_others(s, q->op, true, a, out);
    add_named(s, q->op, d->local, a, out);
    add_others(s, q->op, false, a, out);
    if (out->n == from)
        add_loopback(s, q->op, a, out);
    if (out->n == from)
        return nobody(s, e);
    route_order(out, from, q->task ? STRATEGY_CAPABILITY : d->strategy, q,
                models);
    if (d->no_fallback)
        out->n = from + 1;
    out->route = "default";
    out->reason = "default route";
    return 1;
}
