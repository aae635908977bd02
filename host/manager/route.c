/* SPDX-License-Identifier: MIT */
/* Aliases and routes: several targets in an order that a strategy makes
 * (route_order.c).  The route "default", where none is written, is in
 * route_default.c. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "manager/router_int.h"
#include "manager/split.h"
#include "manager/when.h"

/* --- routes of the configuration ----------------------------------------- */

/* One target: "provider/model", or "provider" for its default model.  Whether
 * it was added; one that cannot do what is asked is left out. */
static bool add_target(const struct snapshot *s, int op, pbay_str target,
                       unsigned weight, const char *arm, struct arena *a,
                       struct plan *out)
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
    if (out->n > n) { /* it was not there */
        out->targets[n].weight = weight;
        out->targets[n].arm = arm;
    }
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
                              r->weights ? r->weights[i] : 1,
                              r->arms ? r->arms[i] : NULL, a, out);
    if (!any) {
        err_set(e, ERR_UNAVAILABLE,
                "no target of the route \"%s\" can take this: each is not set "
                "up, has no such operation, names no model and has no "
                "default_model, or its condition does not hold",
                r->name);
        return -1;
    }
    route_order(out, from, r->strategy, q, models);
    if (r->strategy == STRATEGY_SPLIT)
        split_plan(out, from, r, q);
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
    return str_is(name, "default") ? route_default(s, models, q, a, out, e) : 0;
}
