/* SPDX-License-Identifier: MIT */
/* Aliases and routes: several targets in an order that a strategy makes
 * (route_order.c). */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "manager/router_int.h"
#include "manager/when.h"

/* --- routes of the configuration ----------------------------------------- */

/* One target: "provider/model", or "provider" for its default model.  Whether
 * it was added; one that cannot do what is asked is left out. */
static bool add_target(const struct snapshot *s, int op, pbay_str target,
                       unsigned weight, struct arena *a, struct plan *out)
{
    pbay_str rest = target, name = str_cut(&rest, '/');
    struct instance *in = snapshot_find(s, name);
    size_t n;

    if (!in || !plan_able(in, op))
        return false;
    if (!rest.n && in->cfg->default_model)
        rest = str_c(in->cfg->default_model);
    if (!rest.n && !plan_is_loopback(in))
        return false;
    n = out->n;
    plan_add(out, in, rest, a);
    if (out->n > n) /* it was not there */
        out->targets[n].weight = weight;
    return true;
}

static int by_route(const struct snapshot *s, struct model_index *models,
                    const struct ask *q, const struct cfg_route *r,
                    struct arena *a, struct plan *out, struct err *e)
{
    size_t from = out->n;
    bool any = false;

    for (size_t i = 0; r->targets[i]; i++)
        if (!r->when || when_holds(&r->when[i], q))
            any |= add_target(s, q->op, str_c(r->targets[i]),
                              r->weights ? r->weights[i] : 1, a, out);
    if (!any) {
        err_set(e, ERR_UNAVAILABLE,
                "no target of the route \"%s\" can take this: each is not set "
                "up, has no such operation, names no model and has no "
                "default_model, or its condition does not hold",
                r->name);
        return -1;
    }
    route_order(out, from, r->strategy, q, models);
    if (r->sticky)
        route_stick(out, from, q);
    out->route = r->name;
    out->reason = "route of the configuration";
    return 1;
}

static int by_alias(const struct snapshot *s, struct model_index *models,
                    const struct ask *q, const struct cfg_route *r,
                    struct arena *a, struct plan *out, struct err *e)
{
    pbay_str name = str_c(r->targets[0]);
    int rc = 0;

    /* The configuration has been checked: this comes to an end. */
    if (!str_is(name, r->name))
        rc = plan_route(s, models, q, name, a, out, e);
    if (rc == 0)
        rc = plan_name(s, models, q->op, name, a, out, e) < 0 ? -1 : 1;
    if (rc == 1 && !out->route)
        out->reason = "alias of the configuration";
    return rc;
}

/* --- the default route ---------------------------------------------------- */

static void add_default(const struct snapshot *s, int op, const char *name,
                        struct arena *a, struct plan *out)
{
    struct instance *in = name ? snapshot_find(s, str_c(name)) : NULL;

    if (in && in->cfg->default_model && plan_able(in, op))
        plan_add(out, in, str_c(in->cfg->default_model), a);
}

static void add_others(const struct snapshot *s, int op, bool local,
                       struct arena *a, struct plan *out)
{
    for (size_t i = 0; i < s->n; i++) {
        struct instance *in = s->instances[i];
        if (in->cfg->manifest->local == local && !plan_is_loopback(in))
            add_default(s, op, in->name, a, out);
    }
}

static int by_default(const struct snapshot *s, struct model_index *models,
                      const struct ask *q, struct arena *a, struct plan *out,
                      struct err *e)
{
    const struct cfg_default_route *d = &s->cfg->default_route;
    size_t from = out->n;

    add_default(s, q->op, d->primary, a, out);
    add_default(s, q->op, d->secondary, a, out);
    add_others(s, q->op, false, a, out);
    add_default(s, q->op, d->local, a, out);
    add_others(s, q->op, true, a, out);
    for (size_t i = 0; i < s->n && out->n == from; i++)
        if (plan_is_loopback(s->instances[i]) &&
            plan_able(s->instances[i], q->op)) {
            const char *m = s->instances[i]->cfg->default_model;
            plan_add(out, s->instances[i], m ? str_c(m) : STR_NONE, a);
        }
    if (out->n == from) {
        err_set(e, ERR_NO_MODEL,
                "the request names no model, and no provider has a "
                "default_model");
        snprintf(e->param, sizeof(e->param), "model");
        return -1;
    }
    route_order(out, from, q->task ? STRATEGY_CAPABILITY : d->strategy, q,
                models);
    if (d->no_fallback)
        out->n = from + 1;
    out->route = "default";
    out->reason = "default route";
    return 1;
}

int plan_route(const struct snapshot *s, struct model_index *models,
               const struct ask *q, pbay_str name, struct arena *a,
               struct plan *out, struct err *e)
{
    if (!name.n)
        name = STR("default");
    for (size_t i = 0; i < s->cfg->n_routes; i++) {
        const struct cfg_route *r = &s->cfg->routes[i];
        if (!str_is(name, r->name))
            continue;
        return r->alias ? by_alias(s, models, q, r, a, out, e)
                        : by_route(s, models, q, r, a, out, e);
    }
    return str_is(name, "default") ? by_default(s, models, q, a, out, e) : 0;
}
