/* SPDX-License-Identifier: MIT */
/* Targets that have failed one request, and the one error that a client gets
 * when all have.  Pure. */
#ifndef PB_TRIED_H
#define PB_TRIED_H

#include "base/error.h"
#include "manager/router.h"

struct tried {
    struct err best;    /* the most useful one for the client */
    int64_t soonest_ms; /* of all Retry-After; -1: none said */
    char list[640];     /* "a/m: rate_limit (429) Slow down; ..." */
    char left[240];     /* "b/m: its window ..."; those never asked */
    size_t n, used, left_used;
};

/* One more that failed. */
void tried_add(struct tried *t, const char *provider, pbay_str model,
               const struct err *e);
/* One that was not asked. */
void tried_leave(struct tried *t, const char *provider, pbay_str model,
                 const char *why);
/* The kind and status of the most useful one, the soonest Retry-After, and all
 * of them in the message. */
void tried_sum(const struct tried *t, struct err *out);

#endif
