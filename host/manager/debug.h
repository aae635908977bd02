/* SPDX-License-Identifier: MIT */
/* What a request that asks for it is told of its own way: which targets were
 * there, in which order and why, and what came of those that were tried.  The
 * words are those of `patchbay route explain` (explain.h).
 *
 * In the arena of whoever asks, who outlives the call; on its loop. */
#ifndef PB_DEBUG_H
#define PB_DEBUG_H

#include "manager/explain.h"

#define DEBUG_MAX   3072 /* bytes of all of it: it travels in one header */
#define DEBUG_TRIED 16   /* attempts that are told of */

struct debug;

/* NULL without memory. */
struct debug *debug_new(struct arena *a);
/* The plan, before its targets are passed over for how they are. */
void debug_plan(struct debug *d, const struct explain *x);
/* That attempt, at that target, has failed; e NULL: its answer begins.  Here
 * and below NULL for d does nothing. */
void debug_tried(struct debug *d, const struct target *t, unsigned attempt,
                 const struct err *e, int64_t ms);
/* The target will not be tried. */
void debug_left(struct debug *d, const struct target *t, const char *why);
/* A JSON object: what explain says of the route, "targets" with a member
 * "tried" [{"attempt","result","status","ms","message"},..], "left_out", and
 * "more": targets that had no room.  Empty: there is no plan, or no memory. */
pbay_str debug_text(struct debug *d);

#endif
