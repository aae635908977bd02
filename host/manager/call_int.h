/* SPDX-License-Identifier: MIT */
/* The inside of a call, for call.c (its beginning and its end), call_attempt.c
 * (its attempts and what they tell), call_next.c (what follows when one has
 * ended), call_show.c (what of that the client is shown) and call_count.c (what
 * is counted of it) only. */
#ifndef PB_CALL_INT_H
#define PB_CALL_INT_H

#include "base/buf.h"
#include "manager/attempt.h"
#include "manager/call.h"
#include "manager/guard.h"
#include "manager/health.h"
#include "manager/rescue.h"
#include "manager/tried.h"

struct call {
    struct call *next, **prev;
    struct manager *m;
    struct snapshot *snap;
    const struct call_sink *sink;
    void *arg;
    struct arena arena;
    struct call_request req;
    struct plan plan;
    size_t at; /* which target */
    attempt *attempt;
    unsigned depth;
    bool cancelled, over, paused, retry;
    bool starting;    /* inside call_start(): no end before it returns */
    bool failed;      /* what ended it meanwhile was this ... */
    struct err *late; /* NULL: there was no memory to keep it */

    bool measured;               /* the attempt is known to `health` ... */
    struct health_ticket ticket; /* ... by this */
    bool begun;                  /* sink->begin was called */
    bool content;                /* the answer's first content has come */
    struct buf prelude;          /* pass-through: held until then */
    struct call_warning *warnings, **last_warning;
    pbay_str reply_id;
    int64_t started;
    struct timer deadline, patience, backoff;
    unsigned tries;   /* of this target */
    int64_t tried_at; /* when the attempt under way began */
    int kind;         /* what it has failed with; 0: it has not */
    int64_t wait_ms;  /* until the same target again; -1: the next one, now */
    struct call_report report;
    size_t next_at;        /* which target is the next one */
    struct guard *guard;   /* NULL: nothing to check */
    struct rescue *rescue; /* NULL: a stream that breaks stays broken */
    struct tried tried;    /* targets that failed, before the one under way */
};

/* --- call.c --- */
/* Every way in from outside stands between these two. */
void ca_enter(struct call *c);
void ca_leave(struct call *c);
/* The end, once what is on the stack has been left; e NULL: answered. */
void ca_finish(struct call *c, const struct err *e);

/* --- call_attempt.c --- */
/* An attempt at the target c->at. */
void ca_try(struct call *c);
/* At the target c->next_at; at the same one, in c->wait_ms. */
void ca_next(struct call *c);
void ca_again(struct call *c);

/* --- call_next.c --- */
/* The attempt has ended; e NULL: well. */
void ca_on_end(void *arg, const struct err *e);
/* It says something else than what the client has. */
void ca_gone_wrong(struct call *c);

/* --- call_show.c --- */
/* Does the client know of an answer already? */
bool ca_known(const struct call *c);
/* Logged in any case; what comes before the answer begins also stands in the
 * report, from which clients get a header. */
void ca_take_warning(struct call *c, const pbay_event *ev);
/* The answer's head, unless it has gone out; given NULL: of events. */
void ca_begin(struct call *c, const struct call_head *given);
void ca_begin_by_attempt(struct call *c);
void ca_flush_prelude(struct call *c);
/* The answer proper has begun: from here on a failure can't be hidden. */
void ca_content(struct call *c);
/* The upstream is alive but has said nothing yet: the client gets the head. */
void ca_on_patience(void *arg);

/* --- call_count.c --- */
struct instance_stats *ca_stats(const struct call *c);
int64_t ca_elapsed(const struct call *c);
void ca_log_end(struct call *c, const struct err *e);
/* What an attempt has shown of its target.  given_up: nothing. */
void ca_settle_health(struct call *c, const struct err *e, bool given_up);
void ca_count_usage(struct call *c);
/* For routes that go by it. */
void ca_count_pace(struct call *c);
/* For whoever compares a route's targets. */
void ca_count_route(struct call *c, bool ok);
/* For who asks for the request's way: the attempt has failed; e NULL: its answer
 * begins. */
void ca_tell(struct call *c, const struct err *e);

#endif
