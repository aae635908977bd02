/* SPDX-License-Identifier: MIT */
/* Shared by the files of the OpenAI dialect: the exchange between one HTTP
 * request and one call, bodies, errors, headers.
 * Source of the forms: https://platform.openai.com/docs/api-reference */
#ifndef PB_DIALECT_OPENAI_H
#define PB_DIALECT_OPENAI_H

#include "base/buf.h"
#include "dialect/dialect.h"
#include "manager/listing.h"

/* One client request of this dialect.  In the request's arena. */
struct oa {
    struct dialect *d;
    struct http_req *req;
    struct call *call;
    struct listing_job *listing;
    char id[40]; /* request id */
    pbay_str key_name;
    int op;
    pbay_str dialect;
    bool stream, include_usage;
    pbay_str body, model;
    pbay_kv *members;
    size_t n_members;

    /* the answer */
    bool pass, error_body, head_sent;
    bool lost; /* a part of it could not be kept or shown: not a success */
    int status;
    pbay_str content_type;
    struct buf whole;         /* a whole reply being collected */
    struct oa_render *render; /* a translated chat */
    pbay_kv headers[16];
    size_t n_headers;
};

/* --- browser.c --- */
/* May this request do without a key, or does a web page from elsewhere make a
 * browser of this machine send it?  0, or -1 with *e. */
int oa_from_here(const struct oa *x, struct err *e);

/* --- openai_body.c: what comes in --- */
/* Check and read the body of an operation: members, model, stream, aliases.
 * 0, or -1 with *e. */
int oa_read_body(struct oa *x, pbay_str body, struct err *e);

/* --- openai_reply.c: what goes out --- */
size_t oa_error_json(const struct err *e, char *dst, size_t room);
void oa_error(struct oa *x, const struct err *e);
/* The error that x->lost stands for. */
void oa_lost(struct err *e);
void oa_json(struct oa *x, int status, pbay_str body);
void oa_add_header(struct oa *x, const char *name, pbay_str value);
/* Headers that tell route, attempts and request id. */
void oa_route_headers(struct oa *x, const struct call_report *r);
/* Write, pausing the upstream when the client is slow. */
void oa_write(struct oa *x, pbay_str bytes);

/* --- one file per operation; the body is complete --- */
void oa_chat(struct oa *x); /* openai_chat.c */
void oa_items(
    struct oa *x); /* openai_items.c: embeddings, moderations, images */
void oa_models(struct oa *x, pbay_str id); /* openai_models.c; id empty: list */

/* Start the call of x; on failure the error is the reply. */
void oa_start(struct oa *x, const struct call_sink *sink, uint32_t want);

/* --- openai_render.c: events to chat completions --- */
struct oa_render *oa_render_new(struct oa *x);
void oa_render_free(struct oa_render *r);
void oa_render_begin(struct oa_render *r, pbay_str id, pbay_str model);
/* Append to `out` the SSE events of one event (stream), or collect it. */
int oa_render_event(struct oa_render *r, const pbay_event *ev, struct buf *out);
/* The end of a stream ([DONE] included), or the whole completion. */
int oa_render_end(struct oa_render *r, const pbay_usage *usage,
                  struct buf *out);

#endif
