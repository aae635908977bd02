/* SPDX-License-Identifier: MIT */
/* The exchange between one HTTP request and one call, shared by all dialects:
 * who asks, the body, the answer's head, errors, writing with backpressure; and
 * a chat's sink, which a dialect fills in with its form. */
#ifndef PB_DIALECT_DIALOG_H
#define PB_DIALECT_DIALOG_H

#include "base/buf.h"
#include "dialect/dialect.h"
#include "manager/cache.h"
#include "manager/embed.h"
#include "manager/listing.h"

struct dialog;

/* A URL of a client API.  Each dialect has a table of them; front.c knows the
 * tables. */
struct dl_route {
    const char *method; /* "*": any; GET also serves HEAD */
    const char *path;   /* one that ends in "/" (and is longer): a prefix, the
                         * rest is in dialog.rest and not empty; or with two
                         * {names} at most, each for one part of a path */
    int op;             /* PBAY_OP_*; 0: none in particular */
    const char *dialect;
    unsigned right; /* 0: open to everybody */
    const struct chat_form *form;
    /* One of them: the JSON body has come, all of it (it may be empty); or the
     * head has, and a body, if wanted, is for handle() to take. */
    void (*take)(struct dialog *x, pbay_str body);
    void (*handle)(struct dialog *x);
    bool any_type; /* take: the content type does not matter */
};

/* How a dialect shows a chat and its errors.  `out` is appended to; results
 * below 0 mean that it cannot be shown. */
struct chat_form {
    uint32_t want;           /* events that it shows */
    const char *stream_type; /* of a translated stream; NULL: an event stream */
    /* The last words of a stream that failed; NULL: an event of no name with
     * error_json() as its data. */
    int (*broken)(struct dialog *x, const struct err *e, struct buf *out);
    size_t (*error_json)(const struct dialog *x, const struct err *e, char *dst,
                         size_t room);
    /* Looks at a stream's bytes that are passed on; NULL: nobody does. */
    void (*passed)(struct dialog *x, pbay_str raw);
    void *(*render_new)(struct dialog *x);
    void (*render_free)(void *r);
    int (*begin)(void *r, pbay_str id, pbay_str model, struct buf *out);
    int (*event)(void *r, const pbay_event *ev, struct buf *out);
    int (*end)(void *r, const pbay_usage *usage, struct buf *out);
    bool rescue; /* events of several targets make one answer */
    /* In place of begin(): go on with an answer that was passed so far; id and
     * model are those that it has.  NULL: it cannot be gone on with. */
    int (*resume)(struct dialog *x, void *r, pbay_str id, pbay_str model,
                  struct buf *out);
};

/* One client request.  In the request's arena. */
struct dialog {
    struct dialect *d;
    const struct chat_form *form;
    struct http_req *req;
    const struct dl_route *route; /* NULL: there is none */
    pbay_str rest; /* of the path, behind a prefix; what the first {name} is */
    pbay_str part; /* what the second is */
    struct call *call;
    struct cache_hold shared; /* in place of call, when answers are shared */
    struct listing_job *listing;
    struct embed_split *split; /* in place of call, a large embedding */
    char id[40]; /* request id */
    pbay_str key_name;
    unsigned rights;           /* RIGHT_*, of whoever asks */
    const pbay_str *fallbacks; /* the request's own */
    size_t n_fallbacks;
    struct debug *debug; /* asked for its way; NULL: it is not */
    pbay_str models; /* dl_stand_ins(): the body's own list, as JSON */
    int op;
    pbay_str dialect;
    bool stream, include_usage;
    int64_t started; /* of the loop's clock; where a dialect wants it */
    void *own;       /* a dialect's own, in the arena */
    const struct call_sink *real_sink; /* behind that of inside.c */
    /* The request is over, whatever of that is under way; the client has taken
     * what it was sent.  NULL: there is none. */
    void (*drop)(struct dialog *x);
    void (*drain)(struct dialog *x);
    /* Asked before an error of dl_start() is shown: true when it has answered
     * in another way.  NULL: there is none. */
    bool (*instead)(struct dialog *x, const struct err *e);
    pbay_str body, model;
    pbay_kv *members;
    size_t n_members;
    /* The body in canonical form, when it is not: as call_request.translate;
     * arg is the dialog. */
    int (*translate)(void *arg, struct call_body *out, struct err *e);
    struct call_body canonical; /* what that gave; no text: not yet */
    bool rescue; /* as in call_request, and ... */
    bool (*resume)(void *arg, pbay_str id, pbay_str model);
    void *place; /* what form->passed() knows */

    /* the answer */
    bool pass, error_body, head_sent;
    bool lost; /* a part of it could not be kept or shown: not a success */
    int status;
    pbay_str content_type;
    struct buf whole; /* a whole reply being collected */
    void *render;     /* a translated chat: form->render_new() */
    pbay_kv headers[32];
    size_t n_headers;
};

/* --- dialog.c --- */
void dl_error(struct dialog *x, const struct err *e);
/* The headers that it has beside its body. */
void dl_error_headers(struct dialog *x, const struct err *e);
/* The error that x->lost stands for. */
void dl_lost(struct err *e);
void dl_json(struct dialog *x, int status, pbay_str body);
void dl_add_header(struct dialog *x, const char *name, pbay_str value);
/* x-patchbay-warning, unless it has been said. */
void dl_warn(struct dialog *x, pbay_str field, pbay_str text);
/* Headers that tell route, attempts and request id. */
void dl_route_headers(struct dialog *x, const struct call_report *r);
/* Write, pausing the upstream when the client is slow. */
void dl_write(struct dialog *x, pbay_str bytes);
/* x->body checked and its members listed; model and stream read.  0, or -1 with
 * *e that names the parameter. */
int dl_scan(struct dialog *x, struct err *e);
/* A canonical body, kept in the arena with its members listed.  0, or -1. */
int dl_keep_body(struct dialog *x, pbay_str text, struct call_body *out,
                 struct err *e);
/* Go on with that body in place of the client's. */
void dl_use_body(struct dialog *x, const struct call_body *body);
int dl_read_model(struct dialog *x, struct err *e);
int dl_read_bool(struct dialog *x, const char *name, bool *out, struct err *e);
/* An INVALID error that names a parameter. */
void dl_bad(struct err *e, const char *param, const char *code, const char *fmt,
            ...) __attribute__((format(printf, 4, 5)));

/* --- stand_in.c --- */
/* x->body anew, without the members that have lost their key.  0, or -1. */
int dl_rebuild(struct dialog *x, struct err *e);
/* The member at i is `fallbacks`: read, and its key taken.  0, or -1. */
int dl_take_fallbacks(struct dialog *x, size_t i, struct err *e);
/* For bodies that are translated: `fallbacks` out of x->body, `models` noted;
 * and then the body to translate, which has neither, and dl_keep_body() of what
 * came of that, with `models`.  0, or -1. */
int dl_stand_ins(struct dialog *x, struct err *e);
int dl_plain(struct dialog *x, pbay_str *out, struct err *e);
int dl_keep_plain(struct dialog *x, pbay_str text, struct call_body *out,
                  struct err *e);

/* --- chat.c --- */
/* Run the chat that x describes and show it in x->form. */
void dl_chat(struct dialog *x);

/* --- counting.c --- */
/* How many tokens is that chat?  The number, between `before` and `after`, is
 * the reply; the provider's, or the host's estimate where it can't be had. */
void dl_count(struct dialog *x, const struct call_body *canonical,
              const char *before, const char *after);

/* --- front.c --- */
/* Start the call of x, or find its answer; on failure the error is the reply.
 */
void dl_start(struct dialog *x, const struct call_sink *sink, uint32_t want);
/* --- inside.c --- */
/* A request from inside: may whoever made it do this?  0, or -1 with *e. */
int dl_inside_rights(struct dialog *x, unsigned right, struct err *e);
/* The sink to use in place of `sink`, so that the owner gets the report. */
const struct call_sink *dl_inside_sink(struct dialog *x,
                                       const struct call_sink *sink);

/* The request's own part of a call: who asks, and what it says of the way that
 * the call is to take.  0, or -1 and *e. */
int dl_request(struct dialog *x, struct call_request *r, struct err *e);

/* --- browser.c --- */
/* May this request do without a key, or does a web page from elsewhere make a
 * browser of this machine send it?  0, or -1 with *e. */
int dl_from_here(const struct dialog *x, struct err *e);

#endif
