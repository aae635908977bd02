/* SPDX-License-Identifier: MIT */
/* How fast targets answer: for each a moving average of the time to the first
 * token and of the whole, which follows a slow answer at once and forgets it by
 * and by (peak-EWMA).  What was not asked for a while counts for less and less,
 * so that one that was slow is tried again.  One table for all loops, guarded
 * by a mutex; PACE_TARGETS at most, then the one unused for longest goes.
 * [any] for all functions; times are of the loops' clock. */
#ifndef PB_PACE_H
#define PB_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include <patchbay/types.h>

#define PACE_TARGETS 1024
#define PACE_HALF_MS 60000 /* in which what is known counts half as much */

struct pace {
    int64_t first_ms, total_ms;
};

/* An answer has come. */
void pace_add(const char *provider, pbay_str model, struct pace took,
              int64_t now_ms);
/* false: it has not been asked yet. */
bool pace_look(const char *provider, pbay_str model, int64_t now_ms,
               struct pace *out);
/* When no loop is left. */
void pace_free(void);

#endif
