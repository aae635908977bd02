/* SPDX-License-Identifier: MIT */
/* The HTTP/1.1 server: connections in, requests out to a handler, replies back.
 *
 * One server per event loop, one thread.  A listener accepts on one loop and
 * hands connections to the least-loaded loop.  The handler gets a request when
 * its head is complete and chooses how to take the body; it answers through
 * the http_reply_* functions, at once or later, whole or streamed.
 *
 * Callbacks.  None of a request's callbacks is called from inside a function of
 * this header: they come from the loop, later in the same turn.  So a request
 * is still there after http_reply() has returned, until on_end.
 *
 * A handler that answers before the body has been read is fine: the rest is
 * thrown away within bounds (lingering close) so that the client can read the
 * answer.  Between request and reply the connection is still watched, so that
 * a client that leaves is noticed at once; what it sends meanwhile is kept up
 * to LIM_HTTP_LOOKAHEAD and then no longer read.
 *
 * What counts as having left: a reset, and a FIN that comes before the reply is
 * complete.  A client that only shuts its writing side down after the request
 * (nc -N) cannot be told from one that is gone; it gets replies that are made
 * at once, and not those that take time.
 */
#ifndef PB_HTTP_SERVER_H
#define PB_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/loop.h"
#include "http/parse.h"

struct http_server;
struct http_conn;
struct http_listener;
struct http_tls;

struct http_limits {
    size_t head, body, conns; /* conns: over all loops */
    int64_t idle_ms, head_ms, body_ms, write_ms;
};
void http_limits_default(struct http_limits *l);

/* A request and its reply.  Lives until on_end has been called. */
struct http_req {
    struct http_conn *conn;
    const struct http_head *head; /* until on_end */
    pbay_str path;                /* percent-decoded */
    struct arena arena;           /* freed after on_end; for the handler too */
    pbay_str peer;                /* "127.0.0.1:5555" or "unix" */
    bool local;                   /* came by a loopback or Unix listener */
    const void *listener_tag;     /* as given to http_listen */
    void *user;                   /* the handler's */
    struct http_inner *inner;     /* it comes from inside: inner.h; conn is then
                                   * NULL */
    void *owner;                  /* of such a one */

    /* Set by the handler, all optional.  None is called after on_end. */
    /* A piece of the body arrived (streamed bodies).  After pausing, what has
     * been read already may still come: LIM_HTTP_LOOKAHEAD bytes at most. */
    void (*on_data)(struct http_req *, pbay_str piece);
    /* The body is complete; whole bodies: `body` is all of it and stays until
     * on_end. */
    void (*on_body)(struct http_req *, pbay_str body);
    /* A streamed reply's backlog fell below LIM_OUT_LOW. */
    void (*on_drain)(struct http_req *);
    /* The last call for this request: the reply is out (ok), or the client has
     * left or failed before that, or the server has answered in the handler's
     * place: body too large, malformed, too slow (!ok). */
    void (*on_end)(struct http_req *, bool ok);
};

typedef void http_handler(struct http_req *req, void *arg);
/* Renders an error the server itself has found (bad head, too large, too slow)
 * as a body in the dialect of the path; NULL path: unknown yet.  Writes at most
 * room bytes; returns the length. */
typedef size_t http_error_body(pbay_str path, int status, const char *why,
                               char *dst, size_t room);

/* NULL when memory is out or, with a line in the log, when the loop is not
 * epoll's. */
struct http_server *http_server_new(struct loop *loop,
                                    const struct http_limits *limits,
                                    http_handler *handler, void *arg,
                                    http_error_body *error_body);
/* New limits for connections from now on. */
void http_server_set_limits(struct http_server *s,
                            const struct http_limits *limits);
/* Stop keep-alive: idle connections close now, busy ones after their reply.
 * `drained` is called on the loop when none is left; it may free the server.
 * Free the listeners before, or connections keep coming. */
void http_server_drain(struct http_server *s, void (*drained)(void *),
                       void *arg);
/* Close everything at once; every request gets on_end(false).  Not from a
 * callback of a request; on the loop's thread, or after it has ended but before
 * loop_free(). */
void http_server_free(struct http_server *s);
/* Open connections of this loop's server. [any] */
size_t http_server_conns(const struct http_server *s);

/* --- taking the body: call exactly one from the handler, or reply --- */
/* Collect it, at most max bytes (then the server answers 413 itself). */
void http_req_take_whole(struct http_req *req, size_t max);
/* Get it piece by piece through on_data, then on_body with an empty string. */
void http_req_take_stream(struct http_req *req);
/* The same with a bound of the handler's own instead of the server's, which may
 * be a larger one. */
void http_req_take_upload(struct http_req *req, uint64_t max);
void http_req_pause_body(struct http_req *req, bool pause);

/* --- replying: [loop] --- */
/* A whole reply; bytes are copied or written before this returns.  For HEAD
 * the body is left out, its length is not.  Content-Length, Date and Connection
 * are added; `headers` has the rest (names and values are checked: a control
 * byte in them is a bug of the caller and drops that header). */
void http_reply(struct http_req *req, int status, const pbay_kv *headers,
                size_t n_headers, pbay_str body);
/* A streamed one: chunked for HTTP/1.1, until close for 1.0.  The head is held
 * back and goes out together with the first write (one writev). */
void http_reply_begin(struct http_req *req, int status, const pbay_kv *headers,
                      size_t n_headers);
/* Returns the backlog in bytes: above LIM_OUT_HIGH stop the source until
 * on_drain.  After the client has left it swallows the bytes. */
size_t http_reply_write(struct http_req *req, pbay_str bytes);
void http_reply_end(struct http_req *req);
/* Break the connection so that the client sees that the reply is not whole;
 * what was written before still goes out.  on_end(false) follows. */
void http_reply_abort(struct http_req *req);
/* Send what is held back (the head) now. */
void http_reply_flush(struct http_req *req);

/* --- listening --- */
/* addr: "127.0.0.1:8080", "[::1]:0", "unix:/path".  Accepts on loops[0] and
 * deals connections out to all n servers.  tls may be NULL.  A Unix socket
 * file left over by a dead process is replaced; one that is answered is not.
 * NULL and a malloc'd sentence in *err. */
struct http_listener *http_listen(const char *addr,
                                  struct http_server **servers, size_t n,
                                  struct http_tls *tls, const void *tag,
                                  char **err);
/* "127.0.0.1:43211": with the real port. */
const char *http_listener_name(const struct http_listener *l);
/* Does it take connections from this machine only? */
bool http_listener_local(const struct http_listener *l);
/* Stop accepting; [loops[0]'s thread], before any of the servers is freed.
 * Connections that were accepted stay. */
void http_listener_free(struct http_listener *l);

/* Certificate chain and key in PEM files; TLS 1.2 and up.  Makes the process
 * ignore SIGPIPE, which OpenSSL's writing can raise.  NULL and a malloc'd
 * sentence in *err.  May be freed while a listener uses it. */
struct http_tls *http_tls_new(const char *cert_file, const char *key_file,
                              char **err);
void http_tls_free(struct http_tls *t);

#endif
