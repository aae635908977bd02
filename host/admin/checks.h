/* SPDX-License-Identifier: MIT */
/* Looking after providers on an interval: the cheapest call that each has
 * (PBAY_OP_HEALTH), one at a time for each provider, on the control thread's
 * loop.  What comes of it counts like an attempt that concerns the whole
 * provider (manager/health.h), so that one that is down is passed over before a
 * client has found out, and taken back before one has tried.
 *
 * [control] for all functions. */
#ifndef PB_CHECKS_H
#define PB_CHECKS_H

#include "manager/call.h"

struct checks;

/* NULL without memory. */
struct checks *checks_new(struct manager *m);
/* Look after these from now on: those with a check_interval.  The snapshot is
 * the manager's current one. */
void checks_follow(struct checks *c, const struct snapshot *s);
/* No further ones; what is under way is given up. */
void checks_free(struct checks *c);

#endif
