/* SPDX-License-Identifier: MIT */
/* The last changes of a target's state, for whoever asks how it came to be as
 * it is: a ring, in the state itself.  Pure. */
#ifndef PB_HEALTH_LOG_H
#define PB_HEALTH_LOG_H

#include <stddef.h>
#include <stdint.h>

#define HEALTH_CHANGES 8 /* of a target are remembered */

struct health_change {
    int64_t at_ms;     /* of the loops' clock */
    int64_t for_ms;    /* "open", "cooling": as long as that */
    const char *state; /* what it became; "reset": by an operator */
    const char *why;   /* the failure's class; "" */
};

struct health_log {
    struct health_change v[HEALTH_CHANGES];
    size_t n; /* ever */
};

/* One more.  A cooldown that follows another one, which every answer with a
 * Retry-After begins anew, takes its place. */
void health_log_add(struct health_log *l, int64_t now, const char *state,
                    const char *why, int64_t for_ms);
/* The newest first; how many. */
size_t health_log_read(const struct health_log *l,
                       struct health_change out[HEALTH_CHANGES]);

#endif
