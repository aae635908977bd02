/* SPDX-License-Identifier: MIT */
/* The inside of a rescue, for rescue.c (what the client has, and what attempts
 * say) and rescue_ask.c (who is asked next, and for what) only. */
#ifndef PB_RESCUE_INT_H
#define PB_RESCUE_INT_H

#include "base/buf.h"
#include "base/tokens.h"
#include "manager/rescue.h"

/* A request to go on with an answer. */
struct rescue_body {
    struct buf text;
    pbay_kv *members;
    size_t n_members;
};

struct rescue {
    const struct manager *m;
    const struct call_request *ask; /* the call's */
    const struct plan *plan;
    struct buf sent; /* the text that the client has */
    bool off;        /* what it has cannot be gone on with */

    /* the attempt under way */
    size_t match; /* up to here, `sent` is what it repeats ... */
    size_t until; /* ... which it has to do up to here */
    bool active, goes_on;
    bool answered;      /* it has said something */
    bool block_hidden;  /* a sealed block was kept back */
    struct tokens said; /* all that it has said, shown or not */
    uint64_t record;    /* of a passed reply, the one being told ... */
    size_t record_from; /* ... whose part of `sent` begins here */

    /* all of them */
    size_t broken;                 /* the target that broke first */
    uint32_t continued, restarted; /* bits of targets asked in that way */
    struct err first;
    pbay_usage used;
    bool unpriced;   /* a part of that at a price that nobody knows */
    uint64_t shown;  /* tokens that the beginning of `sent` ... */
    size_t shown_to; /* ... up to here came to */
    uint64_t prompt; /* tokens of the request, by estimate; 0: not yet */
    struct call_request again;
    /* The attempt that is given up may still look into the one it was asked
     * with. */
    struct rescue_body bodies[2];
    unsigned body;
};

/* Whom to ask next, and s->again for it; false: nobody. */
bool rescue_choose(struct rescue *s, size_t *next);
/* The client's request in canonical form.  0, or -1. */
int rescue_canonical(const struct rescue *s, struct call_body *body);

#endif
