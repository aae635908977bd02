/* SPDX-License-Identifier: MIT */
/* The attempt engine: one client request, from its canonical form to events or
 * bytes that a dialect shows to its client.
 *
 * A call belongs to one loop and is used on that loop's thread only.  It holds
 * a reference on the snapshot it started with until it ends, so that providers
 * can be replaced under it.  call_next.c decides by the error table
 * (base/error) what follows a failed attempt; attempt.c runs one exchange with
 * one target and knows nothing of others.
 *
 * Nothing reaches the sink before the first content of the answer: what came
 * before is held (LIM_PRELUDE, LIM_PRELUDE_MS), so that a failure until then is
 * still an error with a status.
 */
#ifndef PB_CALL_H
#define PB_CALL_H

#include <stdatomic.h>

#include "base/ability.h"
#include "base/arena.h"
#include "base/error.h"
#include "base/loop.h"
#include "http/transport.h"
#include "manager/models.h"
#include "manager/retry.h"
#include "manager/snapshot.h"

/* What one loop needs to run calls. */
struct manager {
    struct loop *loop;
    struct health *health; /* of the whole host; NULL: none */
    struct cache *cache;   /* of the whole host; NULL: none */
    struct transport *transport;
    struct native_pool *pool;
    struct backends *backends; /* of the whole host; NULL: none */
    struct model_index *models;
    struct snapshot *current;
    size_t active;
    _Atomic size_t active_shown;
    _Atomic bool draining;
    struct call *calls; /* all of this loop, for shutdown */
    unsigned turn;      /* counts calls, for routes that take turns */
    struct retry_state retry;
    struct list_call *lists; /* LIST calls under way; see listing.c */
    /* Tell the control thread that this loop is done with an old snapshot. */
    void (*released)(struct manager *m, struct snapshot *s, void *arg);
    /* Keep exchanges of a provider as transcripts; NULL: off. */
    struct recorder *recorder;
    void *arg;
};

/* [loop] Switch to a new snapshot; calls under way keep theirs. */
void manager_adopt(struct manager *m, struct snapshot *s);
/* [loop] A call or attempt uses a snapshot / no longer does. */
void manager_hold(struct manager *m, struct snapshot *s);
void manager_release(struct manager *m, struct snapshot *s);
/* [loop] End every call with ERR_UNAVAILABLE. */
void manager_abort_all(struct manager *m, const char *why);

/* A body with its top-level members. */
struct call_body {
    pbay_str text;
    const pbay_kv *members;
    size_t n_members;
};

struct debug; /* debug.h */

/* What a client asks.  Borrowed until call_start() returns, except body,
 * members and `translate`: those must stay until the sink's end (or
 * call_cancel()). */
struct call_request {
    int op;           /* PBAY_OP_* */
    bool stream;      /* the client wants a stream */
    bool no_pass;     /* the sink wants events, never raw bytes */
    uint32_t want;    /* events the sink uses when translated */
    uint32_t watch;   /* events that are wanted of a passed reply, too */
    pbay_str id;      /* request id */
    pbay_str model;   /* as the client wrote it; may be empty */
    pbay_str dialect; /* of the body: "openai.chat/1" */
    pbay_str body;
    const pbay_kv *members;
    size_t n_members;
    /* The canonical form of the body, asked for when the first target that does
     * not speak `dialect` is tried; NULL: the body is in that form.  0, or -1
     * with *e.  What it gives must stay as long as the body. */
    int (*translate)(void *arg, struct call_body *out, struct err *e);
    void *translate_arg;
    bool go_on;  /* its last message is an answer to go on with */
    bool rescue; /* the sink can show an answer that several targets gave */
    /* What comes now are events, and the rest of the answer whose first bytes
     * have been passed; id and model are that answer's.  False: it cannot be
     * shown.  NULL: no such answer can. */
    bool (*resume)(void *arg, pbay_str id, pbay_str model);
    pbay_str method, path, query, content_type; /* RAW */
    const pbay_kv *headers; /* the client's, those that policy lets through */
    size_t n_headers;
    pbay_str key_name;         /* who asks; empty: nobody in particular */
    pbay_str route;            /* the client's choice of a route; empty: none */
    const struct task *task;   /* what it says it is for; NULL: nothing */
    const pbay_str *fallbacks; /* models that stand in, the client's own */
    size_t n_fallbacks;
    bool no_choice;   /* it may not choose: `models` of its body is refused,
                       * unless that is the first target's own */
    bool took_models; /* call_start(): that was read here, nobody gets it */
    pbay_str schema; /* a JSON schema that the answer has to match, told to
                      * nobody; stays as the body does; empty: none */
    /* A header of the request, empty if it has none, until call_start()
     * returns; NULL: it has no headers. */
    pbay_str (*header)(void *arg, const char *name);
    void *header_arg;
    struct debug *debug;  /* is told of its way; NULL: nobody asks */
    int64_t deadline_ms;  /* for the whole call; 0: the provider's own */
    const char *instance; /* not NULL: this provider, no routing */
};

/* request.c: a copy of all but the body, its members, `translate` and the
 * fallbacks; false without memory. */
bool call_request_copy(struct call_request *to, const struct call_request *from,
                       struct arena *a);

/* May it arrive twice?  Nothing that a provider makes or changes is made twice. */
bool call_repeatable(const struct call_request *r);

/* How the answer begins. */
struct call_head {
    bool pass;              /* bytes() follows, else event() */
    bool error_body;        /* pass: the provider's own error reply; end() then
                             * comes with the error it stands for */
    bool stream;            /* pass: the bytes are a stream (unknown length) */
    int status;             /* pass: the provider's */
    pbay_str content_type;  /* pass */
    const pbay_kv *headers; /* the provider's, those of the allow-list */
    size_t n_headers;
    pbay_str reply_id, model; /* from BEGIN, may be empty */
};

/* What was asked for and the provider has not, and what became of it. */
struct call_warning {
    struct call_warning *next;
    pbay_str name, text; /* the field; a sentence */
};

/* What happened, for headers, logs and accounts. */
struct call_report {
    pbay_str id;
    const char *provider; /* "" if no target was reached */
    pbay_str model;       /* as sent to it */
    pbay_str model_answered;
    const char *reason; /* the routing rule */
    const char *route;  /* the route's name; NULL: none */
    const char *arm;    /* the request's arm, if that is split; else NULL */
    unsigned attempts;
    int64_t first_ms, total_ms; /* first_ms -1: nothing came */
    pbay_usage usage;           /* known == 0: not reported */
    bool unpriced; /* a part of it was another target's, whose price nobody
                    * knows */
    const struct call_warning *warnings; /* of the attempt that answered, those
                                          * that came before the answer began */
};

/* report.c: a copy with everything it points to in the arena; false without
 * memory. */
bool call_report_copy(struct call_report *to, const struct call_report *from,
                      struct arena *a);

struct call_sink {
    /* Once, before any event or byte. */
    void (*begin)(void *arg, const struct call_head *h,
                  const struct call_report *r);
    /* pass: a run of the reply's bytes, unchanged, whole records at a time. */
    void (*bytes)(void *arg, pbay_str raw);
    /* translated. */
    void (*event)(void *arg, const pbay_event *ev);
    /* Last callback, exactly once unless cancelled.  e NULL: complete. */
    void (*end)(void *arg, const struct err *e, const struct call_report *r);
};

struct call;

/* NULL and *e: nothing was started and no callback comes.  Callbacks may come
 * before this returns only if none of them is end. */
struct call *call_start(struct manager *m, const struct call_request *r,
                        const struct call_sink *sink, void *arg, struct err *e);
/* The client is gone: ends the upstream exchange at once; no callback after. */
void call_cancel(struct call *c);
/* Backpressure.  May be called from inside a callback. */
void call_pause(struct call *c, bool on);
const struct call_report *call_report(const struct call *c);

#endif
