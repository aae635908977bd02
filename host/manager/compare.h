/* SPDX-License-Identifier: MIT */
/* One chat to several models, side by side: a call for each, so many at once,
 * none of which harms another.
 *
 * Belongs to one loop, like the calls.  A model is any name that a request may
 * have (an alias, a route); each call has limits, fallbacks and accounts of its
 * own. */
#ifndef PB_COMPARE_H
#define PB_COMPARE_H

#include "base/buf.h"
#include "manager/call.h"

#define COMPARE_MAX     16                /* models */
#define COMPARE_AT_ONCE 8                 /* unless said otherwise */
#define COMPARE_TEXT    ((size_t)8 << 20) /* bytes of one answer */

/* What has come of one model. */
struct compare_answer {
    pbay_str asked; /* its name, as asked for */
    bool over, failed;
    struct err error;
    struct buf text; /* kept if `keep` was said */
    char stop[16];   /* "" if the provider did not say */
    struct call_report report;
};

struct compare_sink {
    /* A piece of the text of the answer i. */
    void (*text)(void *arg, size_t i, pbay_str text);
    /* The answer i is over, as a->failed says. */
    void (*end)(void *arg, size_t i, const struct compare_answer *a);
    /* All are; the last callback.  May free the comparison. */
    void (*over)(void *arg);
};

struct compare;

/* `base` is a canonical chat without model; its body and members stay until
 * over() or compare_free().  at_once 0: COMPARE_AT_ONCE.  NULL without memory.
 * No callback comes before this returns. */
struct compare *compare_start(struct manager *m,
                              const struct call_request *base,
                              const pbay_str *models, size_t n, size_t at_once,
                              bool keep, const struct compare_sink *sink,
                              void *arg);
/* Ends what is still under way, without callbacks; NULL is fine. */
void compare_free(struct compare *c);
void compare_pause(struct compare *c, bool on);
size_t compare_count(const struct compare *c);
const struct compare_answer *compare_answer(const struct compare *c, size_t i);

/* The members of an answer for JSON, without braces: "model":..,"provider":..,
 * "model_answered":..,["text":..,]"finish_reason":..,"first_token_ms":..,
 * "total_ms":..,"attempts":..,"usage":..,"cost":..,"error":..
 * What is not known is null. */
void compare_put(struct buf *b, const struct compare_answer *a, bool text);

#endif
