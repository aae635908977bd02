/* SPDX-License-Identifier: MIT */
/* Requests from inside. */
#include "http/inner.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/str.h"

#define HEADERS 32

struct http_inner {
    struct http_req req;
    struct http_head head;
    pbay_kv headers[HEADERS];
    struct buf text; /* the head, then the body */
    pbay_str body;
    struct loop *loop;
    http_handler *handler;
    void *handler_arg;
    const struct http_inner_sink *sink; /* NULL: nobody listens any more */
    void *arg;
    struct timer timer; /* what comes next */
    bool handled, wanted, stream, begun, over, whole, high;
    unsigned depth; /* inside the sink: the handler still needs the request */
};

static void step(void *arg);

static void later(struct http_inner *i)
{
    timer_set(&i->timer, i->loop->clock, 0, step, i);
}

static void destroy(struct http_inner *i)
{
    timer_stop(&i->timer);
    if (i->req.on_end)
        i->req.on_end(&i->req, i->over && i->whole);
    arena_done(&i->req.arena);
    buf_done(&i->text);
    free(i);
}

static void step(void *arg)
{
    struct http_inner *i = arg;
    const struct http_inner_sink *sink = i->sink;
    void *to = i->arg;
    bool whole = i->whole;

    if (i->over) {
        destroy(i);
        if (sink)
            sink->end(to, whole);
    } else if (!i->handled) {
        i->handled = true;
        i->handler(&i->req, i->handler_arg);
    } else if (i->wanted) {
        i->wanted = false;
        if (i->stream && i->body.n && i->req.on_data)
            i->req.on_data(&i->req, i->body);
        if (!i->over && i->req.on_body)
            i->req.on_body(&i->req, i->stream ? STR("") : i->body);
    } else if (i->high && i->req.on_drain) {
        i->high = false;
        i->req.on_drain(&i->req);
    }
}

/* A head as a client would send it, so that one parser decides what is fine. */
static int write_head(struct buf *b, const struct http_inner_request *r)
{
    int rc = buf_printf(b, "%.*s %.*s HTTP/1.1\r\nhost: localhost\r\n",
                        STR_ARG(r->method), STR_ARG(r->target));

    for (size_t i = 0; i < r->n_headers && !rc; i++)
        rc = buf_printf(b, "%.*s: %.*s\r\n", STR_ARG(r->headers[i].k),
                        STR_ARG(r->headers[i].v));
    return rc ? rc : buf_addc(b, "\r\n");
}

static bool make(struct http_inner *i, const struct http_inner_request *r,
                 const char **why)
{
    size_t used = 0, head;
    char *path;
    int64_t n;

    buf_init(&i->text, SIZE_MAX / 4);
    if (write_head(&i->text, r) || buf_add(&i->text, r->body))
        return false;
    head = i->text.n - r->body.n;
    i->head.headers = i->headers;
    i->head.room = HEADERS;
    if (http_parse_head(str_n(buf_str(&i->text).p, head), 0, LIM_HTTP_URI,
                        LIM_HTTP_HEAD, &i->head, &used) != HTTP_PARSE_DONE ||
        used != head) {
        *why = i->head.why ? i->head.why : "it is no HTTP request";
        return false;
    }
    i->body = str_n(buf_str(&i->text).p + head, r->body.n);
    arena_init(&i->req.arena, LIM_HTTP_ARENA);
    path = arena_bytes(&i->req.arena, i->head.path.n);
    n = path ? http_decode_path(i->head.path, path, i->head.path.n) : -1;
    if (n < 0) {
        *why = "the path is not validly percent-encoded";
        return false;
    }
    i->req.path = str_n(path, (size_t)n);
    return true;
}

struct http_inner *http_inner_start(struct loop *loop, http_handler *handler,
                                    void *handler_arg,
                                    const struct http_inner_request *r,
                                    const struct http_inner_sink *sink,
                                    void *arg, const char **why)
{
    struct http_inner *i = calloc(1, sizeof(*i));

    *why = "out of memory";
    if (!i)
        return NULL;
    if (!make(i, r, why)) {
        arena_done(&i->req.arena);
        buf_done(&i->text);
        free(i);
        return NULL;
    }
    i->loop = loop;
    i->handler = handler;
    i->handler_arg = handler_arg;
    i->sink = sink;
    i->arg = arg;
    i->req.inner = i;
    i->req.owner = r->owner;
    i->req.head = &i->head;
    i->req.peer = STR("inside");
    i->req.local = true;
    later(i);
    return i;
}

void http_inner_drained(struct http_inner *i)
{
    if (i->high && !i->over)
        later(i);
}

void http_inner_free(struct http_inner *i)
{
    if (!i)
        return;
    i->req.owner = NULL;
    if (!i->depth) {
        destroy(i);
        return;
    }
    i->sink = NULL;
    i->over = true;
    i->whole = false;
    later(i);
}

/* --- what the handler does ----------------------------------------------- */

void inner_take(struct http_inner *i, bool stream)
{
    i->wanted = true;
    i->stream = stream;
    later(i);
}

void inner_begin(struct http_inner *i, int status, const pbay_kv *headers,
                 size_t n)
{
    if (i->begun || i->over)
        return;
    i->begun = true;
    i->depth++;
    i->sink->head(i->arg, status, headers, n);
    i->depth--;
}

size_t inner_write(struct http_inner *i, pbay_str bytes)
{
    size_t backlog;

    if (!i->begun || i->over)
        return 0;
    i->depth++;
    backlog = i->sink->data(i->arg, bytes);
    i->depth--;
    i->high |= backlog > LIM_OUT_HIGH;
    return backlog;
}

void inner_end(struct http_inner *i, bool whole)
{
    if (i->over)
        return;
    i->over = true;
    i->whole = whole;
    later(i);
}
