/* SPDX-License-Identifier: MIT */
/* Requests that come from inside: the handler gets them as it gets those of
 * connections, and what it replies goes to a sink.  For what is many requests
 * in one (batches) or comes another way (the control socket).
 *
 * Belongs to one loop.  As with connections, no callback comes from inside a
 * function of server.h or of this header.
 */
#ifndef PB_HTTP_INNER_H
#define PB_HTTP_INNER_H

#include "http/server.h"

struct http_inner;

struct http_inner_sink {
    /* Once, before any data; headers are borrowed. */
    void (*head)(void *arg, int status, const pbay_kv *headers, size_t n);
    /* A piece of the body; returns the backlog, as http_reply_write() does. */
    size_t (*data)(void *arg, pbay_str bytes);
    /* The last one; the request is gone when it returns.  whole: the reply is
     * complete. */
    void (*end)(void *arg, bool whole);
};

struct http_inner_request {
    pbay_str method, target; /* a path and perhaps a query, percent-encoded */
    const pbay_kv *headers;
    size_t n_headers;
    pbay_str body;
    void *owner; /* req->owner, for the handler */
};

/* All of r is copied but the owner.  NULL and a static sentence in *why: it is
 * no request, or there is no memory. */
struct http_inner *http_inner_start(struct loop *loop, http_handler *handler,
                                    void *handler_arg,
                                    const struct http_inner_request *r,
                                    const struct http_inner_sink *sink,
                                    void *arg, const char **why);
/* The sink's backlog has gone. */
void http_inner_drained(struct http_inner *i);
/* Nobody wants it any more: no callback of the sink after this, and no owner
 * for the handler.  Also from inside a callback of the sink. */
void http_inner_free(struct http_inner *i);

/* --- for reply.c and input.c --- */
void inner_take(struct http_inner *i, bool stream);
void inner_begin(struct http_inner *i, int status, const pbay_kv *headers,
                 size_t n);
size_t inner_write(struct http_inner *i, pbay_str bytes);
void inner_end(struct http_inner *i, bool whole);

#endif
