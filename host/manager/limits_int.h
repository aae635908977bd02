/* SPDX-License-Identifier: MIT */
/* The inside of limits: what one limit has counted, for limits.c (who goes and
 * who waits) and limits_count.c (the minute).  Under the mutex of limits.c. */
#ifndef PB_MANAGER_LIMITS_INT_H
#define PB_MANAGER_LIMITS_INT_H

#include "manager/limits.h"

#define LIMIT_SLOTS 61 /* seconds; the current one has only begun */

struct meter {
    struct meter *next; /* of the same hash */
    uint64_t hash;
    int kind;
    pbay_str name, part; /* behind this struct */
    int64_t second;      /* of the newest slot */
    uint32_t requests[LIMIT_SLOTS];
    uint64_t tokens[LIMIT_SLOTS];
    uint64_t n_requests, n_tokens; /* of all slots */
    uint64_t reserved;             /* of requests under way */
    uint64_t held;                 /* requests under way */
    unsigned refs;                 /* tickets that know it */
    uint64_t turn;                 /* of the queue in which it blocked one */
};

enum fit {
    FIT_YES,
    FIT_WAIT, /* because of requests under way */
    FIT_NO
};

/* Let the time go on to that second. */
void meter_turn(struct meter *m, int64_t second);
/* Is there a place?  FIT_NO: *no but for its kind. */
enum fit meter_fit(const struct meter *m, const struct cfg_limits *caps,
                   unsigned requests, uint64_t tokens,
                   struct limit_refusal *no);
/* Take it, after meter_turn(). */
void meter_take(struct meter *m, unsigned requests, uint64_t tokens);
/* Give it back: what was reserved in that second is replaced by what was
 * used. */
void meter_give(struct meter *m, int64_t second, uint64_t reserved,
                uint64_t used);
/* Has it nothing left to count? */
bool meter_idle(const struct meter *m, int64_t second);
/* The size in which a reservation counts. */
uint64_t meter_size(const struct cfg_limits *caps, uint64_t tokens);

#endif
