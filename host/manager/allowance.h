/* SPDX-License-Identifier: MIT */
/* What a provider says is left of its rate limits: learned from its replies'
 * headers, so that a target is avoided before it has to refuse.
 *
 * One table for each instance, which means for its provider and its key; in it
 * an entry for each model, for limits are by model nearly everywhere.  The
 * newest reply counts.  What it says is forgotten at its reset; without a time
 * of that nothing is kept.
 *
 * Requests, tokens, and tokens of prompts and of answers apart.  The large
 * providers fill up evenly until the reset, at which all is back
 * (https://docs.anthropic.com/en/api/rate-limits,
 * https://platform.openai.com/docs/guides/rate-limits): what has come back by
 * now is reckoned from limit, rest and reset.  Where too little is left for a
 * request the target is spared until enough is there for it, and a while longer
 * (ALLOWANCE_REST_MS, or a quarter of the limit if that is sooner), lest it be
 * used up by each request again; never beyond the reset or ALLOWANCE_MAX_MS.
 * Requests that have begun since the one whose reply said it count as well.
 *
 * Guarded by a mutex of its own; [any] for all functions.  Times are of the
 * loops' clock.  A table may be NULL: nothing is known then. */
#ifndef PB_ALLOWANCE_H
#define PB_ALLOWANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "manager/want.h"

#define ALLOWANCE_MODELS  64 /* then the one unused for longest goes */
#define ALLOWANCE_REST_MS 15000
#define ALLOWANCE_MAX_MS  3600000

struct allowances;

struct allowances *allowances_new(void);
void allowances_free(struct allowances *a);

/* An attempt begins; what allowance_learn() wants to know of its reply. */
uint64_t allowance_begin(struct allowances *a, pbay_str model);
/* A reply says so (JSON as of PBAY_EV_LIMITS, from a plugin). */
void allowance_learn(struct allowances *a, pbay_str model, pbay_str json,
                     uint64_t began, int64_t now_ms);
/* A refusal says when to come back: it knows better. */
void allowance_return(struct allowances *a, pbay_str model, int64_t now_ms,
                      int64_t after_ms);
void allowance_forget(struct allowances *a);

/* Why a target is avoided. */
struct allowance_low {
    const char *what;          /* "requests", "tokens", "input_tokens", .. */
    int64_t left, need, limit; /* as it was said; limit -1: not known */
    int64_t enough_ms;         /* from when on what it takes is there */
    int64_t until_ms;          /* avoided until then */
};
/* Is too little left for a request like that? */
bool allowance_look(struct allowances *a, pbay_str model, struct want *w,
                    int64_t now_ms, struct allowance_low *low);
/* {"requests":{"limit":N,"left":N,"reset_ms":N},..} of what is known of a model
 * now; "{}": nothing. */
void allowance_put(struct buf *b, struct allowances *a, pbay_str model,
                   int64_t now_ms);
/* {"provider":NAME,"model":..,"requests":{..},..} for each model, with commas
 * between them and, unless `first`, before. */
void allowance_put_all(struct buf *b, struct allowances *a, const char *name,
                       bool first, int64_t now_ms);

#endif
