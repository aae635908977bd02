/* SPDX-License-Identifier: MIT */
/* Arms of a route; see split.h. */
#include "manager/split.h"

#include <math.h>

#include "base/hash.h"
#include "base/str.h"
#include "manager/when.h"

/* A number for what requests are known by; what one does not have is made up
 * for by the next: user or key, conversation, its turn. */
static enum cfg_split known_by(const struct ask *q, enum cfg_split by,
                               uint64_t *h)
{
    pbay_str key = q->way ? q->way->key : STR_NONE;
    pbay_str user = by == SPLIT_USER ? when_user(q) : STR_NONE;

    if (user.n) {
        *h = hash_add(hash_add(HASH_START, key), user);
        return SPLIT_USER;
    }
    if (by == SPLIT_KEY && key.n) {
        *h = hash_add(HASH_START, key);
        return SPLIT_KEY;
    }
    if (by != SPLIT_REQUEST && when_session(q, h))
        return SPLIT_CONVERSATION;
    *h = hash_lot(q->turn);
    return SPLIT_REQUEST;
}

/* How much that arm wants it. */
static double wants(uint64_t who, const struct target *t)
{
    /* From 2^-54 to 1 - 2^-54, never one of both ends. */
    double u = ((double)(hash_lot(hash_add(who, str_c(t->arm))) >> 11) + 0.5) /
               9007199254740992.0;

    return t->weight ? -(double)t->weight / log(u) : 0;
}

void split_plan(struct plan *p, size_t from, const struct cfg_route *r,
                const struct ask *q)
{
    double how[PLAN_MAX];
    uint64_t who;

    p->split_by = known_by(q, r->split_by, &who);
    /* Who is in the first arm here may be in the second one there. */
    who = hash_add(who, str_c(r->name));
    for (size_t i = from; i < p->n; i++) {
        struct target t = p->targets[i];
        double x = wants(who, &t);
        size_t k = i;

        for (; k > from && how[k - 1] < x; k--) {
            p->targets[k] = p->targets[k - 1];
            how[k] = how[k - 1];
        }
        p->targets[k] = t;
        how[k] = x;
    }
    p->arm = p->n > from ? p->targets[from].arm : NULL;
}
