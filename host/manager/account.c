/* SPDX-License-Identifier: MIT */
/* Counting what was used; see account.h. */
#include "manager/account.h"

#include <string.h>

#include "base/str.h"
#include "manager/pace.h"
#include "manager/pricing.h"
#include "manager/results.h"

void account_usage(struct instance_stats *st, const struct target *t,
                   const pbay_usage *u, struct clock *clock)
{
    int64_t cost;

    if (u->known & PBAY_U_INPUT)
        account_bump(&st->input_tokens, u->input);
    if (u->known & PBAY_U_OUTPUT)
        account_bump(&st->output_tokens, u->output);
    if (!u->known)
        return;
    cost = pricing_cost(t->instance, t->model, u, clock_wall(clock));
    if (cost == COST_UNKNOWN)
        account_bump(&st->unpriced, 1);
    else
        account_bump(&st->cost_nano, (uint64_t)cost);
}

void account_route(const char *route, const struct target *t, int kind,
                   const struct call_report *r, int64_t before,
                   struct clock *clock)
{
    const pbay_usage *u = &r->usage;
    struct result took = {
        .route = route,
        .arm = r->arm,
        .provider = t->instance->name,
        .model = t->model,
        .kind = kind,
        .input = u->known & PBAY_U_INPUT ? u->input : 0,
        .output = u->known & PBAY_U_OUTPUT ? u->output : 0,
        .cost_nano =
            u->known ? pricing_cost(t->instance, t->model, u, clock_wall(clock))
                     : -1,
        /* The first word may have been an earlier target's. */
        .first_ms = r->first_ms < before ? -1 : r->first_ms - before,
        .total_ms = r->total_ms - before};

    if (route)
        results_add(&took);
}

static void put_cost(pbay_usage *u, int64_t cost)
{
    u->cost_nano = cost;
    u->known |= PBAY_U_COST;
    strcpy(u->currency, "USD");
}

bool account_cost(const struct target *t, pbay_usage *u, struct clock *clock)
{
    int64_t cost = pricing_cost(t->instance, t->model, u, clock_wall(clock));

    if (cost != COST_UNKNOWN)
        put_cost(u, cost);
    return cost != COST_UNKNOWN;
}

void account_price(const struct manager *m, struct call_report *r)
{
    const struct instance *in = snapshot_find(m->current, str_c(r->provider));
    int64_t cost = COST_UNKNOWN;

    if (in && r->usage.known && !(r->usage.known & PBAY_U_COST) && !r->unpriced)
        cost =
            pricing_cost(in, r->model, &r->usage, clock_wall(m->loop->clock));
    if (cost != COST_UNKNOWN)
        put_cost(&r->usage, cost);
}

void account_pace(const struct target *t, int64_t first_ms, int64_t total_ms,
                  struct clock *clock)
{
    struct pace took = {first_ms < 0 ? total_ms : first_ms, total_ms};

    pace_add(t->instance->name, t->model, took, clock_now(clock));
}
