/* SPDX-License-Identifier: MIT */
/* Why a request goes where it goes, with the figures that it comes from, as
 * members of JSON: for `patchbay route explain` and for the header
 * x-patchbay-debug.  Reads a plan, asks nobody. */
#ifndef PB_EXPLAIN_H
#define PB_EXPLAIN_H

#include "base/buf.h"
#include "manager/health.h"
#include "manager/router.h"

struct explain {
    const struct snapshot *s;
    struct model_index *models;
    struct health *health; /* NULL: nobody knows how targets are */
    int64_t now_ms;        /* of the loops' clock */
    const struct plan *plan;
    const struct ask *ask; /* with what is known of the request, not NULL */
    bool client; /* for a client: no word of how providers are set up */
};

/* "reason", "route", "strategy", "measured", "arm", "split_by", "complexity" */
void explain_head(struct buf *b, const struct explain *x);
/* The plan's targets as they would be tried: those that are avoided just now
 * come last.  How many. */
size_t explain_order(const struct explain *x, size_t order[PLAN_MAX]);
/* "place", "provider", "model", "state", "for_ms", "active", and what else is
 * known of the target i. */
void explain_target(struct buf *b, const struct explain *x, size_t i,
                    size_t place);
/* {"target","why"},..: those of its route that are none of the plan's. */
void explain_left_out(struct buf *b, const struct explain *x);

/* explain_room.c */
/* "window", and "prompt_tokens" where the prompt is larger. */
void explain_window(struct buf *b, struct model_index *models,
                    const struct target *t, struct want *w);
/* "overflow": whom a prompt goes to that does not fit the first target. */
void explain_overflow(struct buf *b, struct model_index *models,
                      const struct plan *p);

#endif
