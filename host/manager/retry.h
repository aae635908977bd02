/* SPDX-License-Identifier: MIT */
/* May the target that has just failed be asked once more, and when?  Asked for
 * the last target of a plan only: where another one is left, that one is tried
 * at once.
 *
 * Exponential backoff with full jitter: the wait is anything between nothing
 * and backoff * backoff_factor^(attempts - 1), max_backoff at most, and no less
 * than what Retry-After says; where that is more than max_backoff, the client
 * is told instead of being kept.  A budget keeps a provider that is down from
 * getting every request several times: each request adds a share to it, each
 * further attempt takes one off.  Targets that are thought to work are asked
 * even where nothing is left, so that it never stands in the way of an answer.
 */
#ifndef PB_RETRY_H
#define PB_RETRY_H

#include "base/error.h"
#include "config/config.h"

/* Of one loop.  Zeroed: a budget that is full, and a seed of its own. */
struct retry_state {
    uint64_t random; /* may be set, for waits that repeat; 0: not yet */
    int64_t spent;   /* hundredths of a repetition that the budget lacks */
};

struct retry_ask {
    const struct cfg_retry *cfg;
    const struct err *e;
    unsigned attempts; /* at this target, so far */
    bool safe;         /* may it arrive twice? */
    int64_t left_ms;   /* until the deadline; -1: none */
};

/* Hundredths of a repetition that may be saved up. */
#define RETRY_SAVED 1000
/* ... and that may be owed. */
#define RETRY_OWED 10000

/* A request has come; share: of the requests, in hundredths. */
void retry_earn(struct retry_state *s, int64_t share);
/* May another target be asked instead?  works: it is thought to; then it may in
 * any case, and the budget owes for it. */
bool retry_elsewhere(struct retry_state *s, bool works);
/* How many further attempts are left. */
size_t retry_left(const struct retry_state *s);
/* Milliseconds to wait, or -1: no.  Takes one off the budget if it may. */
int64_t retry_wait(struct retry_state *s, const struct retry_ask *q);

#endif
