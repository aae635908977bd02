/* SPDX-License-Identifier: MIT */
/* The inside of an attempt, for attempt.c (its life), attempt_admit.c (its
 * place within the limits), attempt_backend.c (its place at a process of this
 * host), attempt_codec.c (a codec around an exchange) and
 * attempt_native.c (a native run) only. */
#ifndef PB_ATTEMPT_INT_H
#define PB_ATTEMPT_INT_H

#include "base/limits.h"
#include "http/framing.h"
#include "manager/attempt.h"
#include "manager/recorder.h"

#define PASSED_MAX 12 /* headers of the reply; see may_pass() */

struct pbay_call {
    struct manager *m;
    struct snapshot *snap;
    struct instance *inst;
    const struct attempt_ops *ops;
    void *arg;
    unsigned depth; /* how many of our entry points are on the stack */
    bool silent;    /* attempt_free() was called: no more callbacks */
    bool ended;     /* ops->end was called, or must not be any more */
    bool paused;

    pbay_request req;
    pbay_str body_copy;
    char *bare; /* the body without `models`; NULL: it is as it was */
    struct arena arena;
    struct err *err; /* what the provider says is wrong; NULL: nothing */

    /* limits */
    const struct call_request *ask;
    struct ticket *ticket; /* NULL: no limit concerns it */
    int64_t used;          /* tokens, as far as it said; -1: it did not */
    uint64_t began;        /* as its target's allowance counts */

    /* codec */
    const pbay_codec *codec;
    void *state;
    bool built;     /* finish() is owed */
    bool in_codec;  /* build, head or feed is on the stack: finish() waits */
    bool finishing; /* finish() is, and its answer is no longer wanted */
    pbay_exchange x;
    struct tx *tx;
    struct framing framing;
    bool framed, saw_end, broken, has_head, reply_pass;
    bool fresh;     /* once more, on a new connection */
    bool no_memory; /* a callback said so */
    unsigned stops;
    uint64_t records; /* that have come */
    pbay_head head;
    pbay_str content_type, error_body;
    pbay_kv passed[PASSED_MAX];
    size_t n_passed;
    pbay_str piece; /* what the transport has just given */
    pbay_str run;   /* whole records of it not yet handed on */
    struct recording *rec;

    /* native */
    struct native_run *native;
    bool in_worker; /* the worker still holds us */
    bool dismissed; /* native_run_cancel() was called */

    /* a process of this host */
    struct backend_use *use; /* NULL: it has no place at one */
    bool came_back;          /* after one that was not there */
    pbay_request about;      /* what its plugin is asked to describe it by */
    pbay_backend_spec spec;

    struct timer timer; /* first byte, then idle */
    int64_t asked;      /* when the exchange began */
    int64_t heard;      /* when the upstream last said something */
    bool answered;      /* a record has come */
};

/* --- attempt.c --- */
/* Every way in from outside stands between these two. */
void at_enter(attempt *a);
void at_leave(attempt *a);
/* An event of the plugin's, on the loop. */
pbay_rc at_event(attempt *a, const pbay_event *raw);
/* Has the plugin said, or we seen, that it failed? */
bool at_gone_wrong(const attempt *a);
struct err *at_new_err(attempt *a);
/* The end: by an error that is known, or by one made of kind and why. */
void at_over(attempt *a, const struct err *e);
void at_fail(attempt *a, int kind, const char *why);
/* The provider has said something. */
void at_heard(attempt *a);
void at_on_timer(void *arg);
/* How long it may take until the reply begins. */
int64_t at_reply_ms(const attempt *a);

/* Its place is taken: begin. */
void at_begin(attempt *a);
/* From the client's own body to the canonical one, before anything was sent.
 * 0, or -1 (and the error, unless memory is out). */
int at_unpass(attempt *a);

/* --- attempt_admit.c --- */
/* at_begin(), when the limits have a place for it, or its end. */
void at_admit(attempt *a);
void at_used(attempt *a, const pbay_usage *u);
/* Give the place back. */
void at_admit_end(attempt *a);

/* --- attempt_backend.c --- */
struct backend_address;
/* Does it have to be started here? */
bool at_needs_backend(const attempt *a);
/* at_exchange_begin(), when its process is ready, or its end. */
void at_backend_begin(attempt *a);
/* Where that is; NULL: as configured. */
const struct backend_address *at_where(const attempt *a);
void at_backend_leave(attempt *a);
/* No connection could be made: where that was to a process of this host it has
 * just ended, and the attempt begins anew, once.  False: it does not. */
bool at_backend_again(attempt *a);
/* What runs, as the reply. */
void at_backend_ps(attempt *a);

/* --- attempt_codec.c --- */
void at_exchange_begin(attempt *a);
pbay_rc at_codec_finish(attempt *a, pbay_rc why);
void at_settle(attempt *a, pbay_rc why);
bool at_refused(const attempt *a);
void at_end_refused(attempt *a);

/* --- attempt_native.c --- */
void at_native_begin(attempt *a, const struct call_request *r);

static inline int64_t at_least(int64_t configured, int64_t hint)
{
    return hint > 0 && hint < configured ? hint : configured;
}

#endif
