/* SPDX-License-Identifier: MIT */
/* What is counted of an attempt that has ended: its provider's tokens and cost,
 * its target's pace.  [loop] */
#ifndef PB_ACCOUNT_H
#define PB_ACCOUNT_H

#include "manager/call.h"
#include "manager/router.h"

/* One writer per counter: no read-modify-write is needed. */
static inline void account_bump(_Atomic uint64_t *counter, uint64_t by)
{
    atomic_store_explicit(
        counter, atomic_load_explicit(counter, memory_order_relaxed) + by,
        memory_order_relaxed);
}

/* What a target has used and what that cost. */
void account_usage(struct instance_stats *st, const struct target *t,
                   const pbay_usage *u, struct clock *clock);
/* An attempt of a call on a route has ended (kind 0: with an answer), its time
 * counted from `before` ms
 * after the call's start. */
void account_route(const char *route, const struct target *t, int kind,
                   const struct call_report *r, int64_t before,
                   struct clock *clock);
/* What that use of a target cost, added where its provider has not said it.
 * False: nobody knows. */
bool account_cost(const struct target *t, pbay_usage *u, struct clock *clock);
/* What a call cost, added to its usage where its provider has not said it;
 * nothing where nobody knows. */
void account_price(const struct manager *m, struct call_report *r);
/* It has answered: the first content came after first_ms (-1: none came). */
void account_pace(const struct target *t, int64_t first_ms, int64_t total_ms,
                  struct clock *clock);

#endif
