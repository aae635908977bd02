/* SPDX-License-Identifier: MIT */
/* Moderation where the provider has no such thing: a chat model is asked for a
 * score of each of OpenAI's categories, and its answer has to match a schema.
 * What scores a half or more applies.  One loop's thread. */
#ifndef PB_MODERATE_H
#define PB_MODERATE_H

#include "manager/chats.h"

struct moderate_job;

struct moderate_sink {
    /* The judgement of input i, in order: {"flagged", "categories",
     * "category_scores"}. */
    void (*item)(void *arg, size_t i, pbay_str json);
    /* Last callback. */
    void (*end)(void *arg, const struct err *e);
};

/* May a chat stand in for what has failed so? */
bool moderate_may_chat(const struct err *e);
/* The body as PBAY_OP_MODERATE has it; its members must stay until the job is
 * freed.  NULL and *e: nothing was started. */
struct moderate_job *moderate_start(struct manager *m,
                                    const struct call_request *base,
                                    const pbay_kv *members, size_t n,
                                    const struct moderate_sink *sink, void *arg,
                                    struct err *e);
/* May be NULL; from any callback, too. */
void moderate_free(struct moderate_job *j);
/* As chats_report(). */
const struct call_report *moderate_report(const struct moderate_job *j);

/* What clients are told of it, as a warning. */
#define MODERATE_FIELD "moderation"
#define MODERATE_WARNING \
    "judged by a chat, since the provider has no moderation"

#endif
