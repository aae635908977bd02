/* SPDX-License-Identifier: MIT */
/* One attempt: one request put to one target, by a codec over the transport or
 * by a native provider on a worker.  Belongs to its call; one loop's thread. */
#ifndef PB_ATTEMPT_H
#define PB_ATTEMPT_H

#include "manager/call.h"
#include "manager/router.h"

/* An attempt is what plugins know as pbay_call. */
typedef struct pbay_call attempt;

struct attempt_ops {
    /* The reply's head, when it is 2xx.  Native: not called. */
    void (*head)(void *arg);
    /* An event, borrowed; what is left of rate limits is not among them. */
    void (*event)(void *arg, const pbay_event *ev);
    /* Pass-through: a run of whole records. */
    void (*bytes)(void *arg, pbay_str raw);
    /* Pass-through: the bytes of the record that is being told are not handed
     * on. */
    void (*withheld)(void *arg);
    /* Last callback; e NULL: complete.  The attempt lives until
     * attempt_free(), so that its head and error body can still be read. */
    void (*end)(void *arg, const struct err *e);
};

/* r stays until attempt_free().  NULL: out of memory.  Failures otherwise come through `end`, which may be
 * called before this returns. */
attempt *attempt_start(struct manager *m, struct snapshot *s,
                       const struct target *t, const struct call_request *r,
                       unsigned number, const struct attempt_ops *ops,
                       void *arg);
/* No callback after this.  Cancels what is under way; the memory goes as soon
 * as nobody is inside any more. */
void attempt_free(attempt *a);
void attempt_pause(attempt *a, bool on);

/* After `head`: does the reply pass through, and how did it begin? */
bool attempt_passes(const attempt *a);
void attempt_head(const attempt *a, struct call_head *out);
/* Which record of the reply is being told, from 1. */
uint64_t attempt_record(const attempt *a);
/* A provider's own error body, if the error class lets it through. */
pbay_str attempt_error_body(const attempt *a);

/* The pbay_host table of an instance. */
void attempt_host_table(pbay_host *h, struct instance *inst);

#endif
