/* SPDX-License-Identifier: MIT */
/* What came of each target of a route, kept apart: so that traffic which a
 * route splits between two models (an A/B test) can be compared.  Every attempt
 * counts for the target that it asked, also one that another target made good,
 * and for the arm of its request, whose target need not be that one.
 *
 * One table for all loops, by the names of route, arm, provider and model, guarded
 * by a mutex; RESULTS_MAX rows at most, what comes then is counted as lost.  It
 * outlives reloads, not the process.  [any] for all functions. */
#ifndef PB_RESULTS_H
#define PB_RESULTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define RESULTS_MAX 4096

/* One attempt. */
struct result {
    const char *route, *arm, *provider; /* arm NULL: it has none */
    pbay_str model;
    int kind; /* what it failed with; 0: it is an answer */
    uint64_t input, output;     /* tokens */
    int64_t cost_nano;          /* of USD; -1: nobody knows */
    int64_t first_ms, total_ms; /* of an answer; first_ms -1: none came */
};

void results_add(const struct result *r);
/* {"results":[{"route","arm","provider","model","attempts","ok","failed",
 * "input_tokens","output_tokens","cost_nano","unpriced","first_token_ms",
 * "total_ms",..,"errors":{"overloaded":1}},..],"lost":0}: the times are means and
 * percentiles (spread.h) of answers, null without any;
 * cost_nano is the sum of what is known, unpriced the answers of which nobody
 * knows.  Of one route, of all for an empty name. */
int results_put(struct buf *b, pbay_str route);
/* Forget them, of one route or of all. */
void results_reset(pbay_str route);

#endif
