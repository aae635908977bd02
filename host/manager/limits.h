/* SPDX-License-Identifier: MIT */
/* What may be asked in a minute and at once, by a client's key, of a provider
 * and of each of its models: one set of counters for all loops under one mutex.
 *
 * A request reserves its place with all limits that concern it, or with none:
 * tokens by an estimate, which limits_leave() replaces by what was used.  What
 * has no place only because of requests that are still under way waits in one
 * queue, first come first served; what the minute has no room for is refused
 * with the time when it will.
 *
 * The minute is counted in seconds, and always somewhat more than sixty of
 * them: in no minute, wherever it begins, are there more requests than the
 * limit says.  A reservation that is larger than a whole limit counts as large
 * as the limit, so that it goes when nothing else does.
 */
#ifndef PB_MANAGER_LIMITS_H
#define PB_MANAGER_LIMITS_H

#include "base/loop.h"
#include "config/config.h"

enum {
    LIMIT_KEY,
    LIMIT_PROVIDER,
    LIMIT_MODEL,
    LIMIT_KINDS
};

struct limit_want {
    struct {
        pbay_str name, part;           /* key; provider; provider, model */
        const struct cfg_limits *caps; /* NULL: none */
    } of[LIMIT_KINDS];
    bool again;       /* the key's request is counted already */
    uint64_t tokens;  /* the estimate */
    size_t max_queue; /* so many may wait, all together */
    int64_t now_ms;
};

/* Why not. */
struct limit_refusal {
    enum {
        LIMIT_REQUESTS,
        LIMIT_TOKENS,
        LIMIT_CONCURRENT,
        LIMIT_FULL /* too many wait, or no memory */
    } what;
    int kind;         /* LIMIT_KEY, ... */
    int64_t cap;      /* the limit */
    int64_t retry_ms; /* come back after */
};

struct ticket;

/* [loop] NULL and *no: refused.  Otherwise a ticket, for which limits_leave()
 * is owed.  *waits: wake() comes on this loop, once, unless the ticket is given
 * back before; no NULL: go ahead. */
struct ticket *limits_enter(const struct limit_want *w, struct loop *loop,
                            void (*wake)(void *arg,
                                         const struct limit_refusal *no),
                            void *arg, bool *waits, struct limit_refusal *no);
/* [the same loop] tokens: what was used; -1: as estimated.  What waits for
 * the place gets it. */
void limits_leave(struct ticket *t, int64_t tokens, int64_t now_ms);

/* [any] Tokens asked of a provider with a limit in the last minute, those of
 * requests under way by their estimate. */
uint64_t limits_tokens_used(const char *provider, int64_t now_ms);
/* [any] How many wait. */
size_t limits_waiting(void);
/* When no loop is left. */
void limits_free(void);

#endif
