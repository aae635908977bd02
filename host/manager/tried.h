/* SPDX-License-Identifier: MIT */
/* Targets that have failed one request, and the one error that a client gets
 * when all have, or when its time is over.  Pure. */
#ifndef PB_TRIED_H
#define PB_TRIED_H

#include "base/error.h"
#include "manager/router.h"

struct tried_one;

struct tried {
    struct err *best;   /* the most useful one for the client; it is large, and
                         * few requests need it.  NULL: none, or no memory */
    int64_t soonest_ms; /* of all Retry-After; -1: none said */
    struct tried_one *v;
    size_t n; /* as many failed */
    size_t kept;
};

/* One more that failed; provider and model are borrowed until tried_done(). */
void tried_add(struct tried *t, const char *provider, pbay_str model,
               const struct err *e);
/* One that was not asked. */
void tried_leave(struct tried *t, const char *provider, pbay_str model,
                 const char *why);
/* The kind and status of the most useful one, the soonest Retry-After, and all
 * of them in the message: the more they are, the less of what each said. */
void tried_sum(const struct tried *t, struct err *out);
/* Adds to the message of an error that ended the request what had failed
 * before; nothing where nothing had. */
void tried_before(const struct tried *t, struct err *e);
void tried_done(struct tried *t);

#endif
