/* SPDX-License-Identifier: MIT */
/* Taking the body of a request: whole or in pieces, by length or in chunks. */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>

#include "http/inner.h"
#include "http/server_int.h"

#define DIRECT_READ LIM_KIB(256) /* one read straight into the body */

static bool refuse(struct http_xch *x, int status, const char *why)
{
    if (!x->fail) {
        x->fail = status;
        x->why = why;
    }
    return false;
}

static bool too_large(struct http_xch *x)
{
    return refuse(x, 413, "the request body is too large");
}

/* A run of body bytes; false: no more of them. */
static bool take(struct http_xch *x, pbay_str data)
{
    x->got += data.n;
    if (x->got > x->body_max)
        return too_large(x);
    if (x->take == TAKE_WHOLE) {
        int rc = buf_add(&x->body, data);
        if (rc == -EMSGSIZE)
            return too_large(x);
        return rc < 0 ? refuse(x, 503, "out of memory") : true;
    }
    if (x->reply != RE_DONE && x->req.on_data)
        x->req.on_data(&x->req, data);
    return true;
}

/* Decode raw bytes; how many of them belonged to the body. */
static size_t feed(struct http_xch *x, pbay_str raw)
{
    size_t at = 0;
    while (at < raw.n && !x->body_done && !x->fail) {
        pbay_str rest = str_n(raw.p + at, raw.n - at), data;
        size_t used;
        int rc;
        if (x->head.chunked) {
            rc = http_chunked_step(&x->chunked, rest, &used, &data);
        } else {
            used = rest.n < x->left ? rest.n : (size_t)x->left;
            data = str_n(rest.p, used);
            x->left -= used;
            rc = x->left ? HTTP_PARSE_MORE : HTTP_PARSE_DONE;
        }
        at += used;
        if (rc == HTTP_PARSE_BAD)
            refuse(x, 400, "the chunks of the request body are malformed");
        else if (!data.n || take(x, data))
            x->body_done = rc == HTTP_PARSE_DONE;
    }
    return at;
}

bool body_in_hand(const struct http_conn *c)
{
    const struct http_xch *x = c->xch;
    return !x->head.chunked && x->left <= c->in_n - c->in_off;
}

/* The part of the body that came with the head. */
static void from_input(struct http_conn *c, struct http_xch *x)
{
    if (x->take == TAKE_WHOLE && !x->got && body_in_hand(c)) {
        x->whole = str_n(c->in + c->in_off, (size_t)x->left);
        c->in_off += (size_t)x->left;
        x->got = x->left;
        x->left = 0;
        x->body_done = true;
        return;
    }
    c->in_off += feed(x, str_n(c->in + c->in_off, c->in_n - c->in_off));
}

/* By length and whole: straight into its place. */
static ssize_t read_direct(struct http_conn *c, struct http_xch *x)
{
    size_t n = x->left < DIRECT_READ ? (size_t)x->left : DIRECT_READ;
    char *p = buf_space(&x->body, n);
    if (!p) {
        refuse(x, 503, "out of memory");
        return 0;
    }
    ssize_t got = conn_read(c, p, n);
    if (got > 0) {
        buf_grew(&x->body, (size_t)got);
        x->left -= (size_t)got;
        x->got += (size_t)got;
        x->body_done = !x->left;
    }
    return got;
}

/* Otherwise through the scratch memory; what follows the body is kept. */
static ssize_t read_scratch(struct http_conn *c, struct http_xch *x)
{
    char *p = c->server->scratch;
    size_t room = LIM_HTTP_LOOKAHEAD;
    if (!x->head.chunked && x->left < room)
        room = (size_t)x->left;
    ssize_t got = conn_read(c, p, room);
    if (got <= 0)
        return got;
    size_t used = feed(x, str_n(p, (size_t)got));
    if (!x->fail && buf_add(&c->ahead, str_n(p + used, (size_t)got - used)) < 0)
        c->broken = true;
    return got;
}

bool body_step(struct http_conn *c)
{
    struct http_xch *x = c->xch;
    if (x->body_done) {
        c->phase = PH_ANSWER;
        c->read_by = 0;
        return true;
    }
    if (x->take == TAKE_NONE || x->paused || x->reply == RE_DONE) {
        c->read_by = 0;
        return false;
    }
    if (c->in_off < c->in_n) {
        from_input(c, x);
        return true;
    }
    if (!conn_readable(c)) {
        if (!c->read_by)
            conn_read_by(c, c->limits->l.body_ms);
        return false;
    }
    ssize_t got = x->take == TAKE_WHOLE && !x->head.chunked
                      ? read_direct(c, x)
                      : read_scratch(c, x);
    if (got < 0)
        c->broken = true; /* it ends in the middle: the client has left */
    if (got > 0 && !x->body_done)
        conn_read_by(c, c->limits->l.body_ms);
    return true;
}

/* ------------------------------------------------ the handler's decisions */

/* Tell a client that waits for it that the body is wanted. */
static void say_continue(struct http_conn *c, struct http_xch *x)
{
    static char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (x->head.expect_continue && !x->body_done && x->reply == RE_NONE &&
        c->in_off == c->in_n) {
        struct iovec v = {.iov_base = text, .iov_len = sizeof text - 1};
        conn_send(c, &v, 1);
    }
}

static void take_body(struct http_req *req, enum http_take how, uint64_t max,
                      bool own_max)
{
    struct http_xch *x = (struct http_xch *)req;
    struct http_conn *c = req->conn;
    if (x->ended || x->take != TAKE_NONE || x->reply != RE_NONE)
        return;
    x->take = how;
    if (own_max || max < x->body_max)
        x->body_max = max;
    if (x->head.length > x->body_max) {
        too_large(x);
    } else {
        buf_init(&x->body, x->head.chunked ? (size_t)x->body_max
                                           : (size_t)x->head.length);
        say_continue(c, x);
    }
    conn_schedule(c);
}

void http_req_take_whole(struct http_req *req, size_t max)
{
    if (req->inner) /* bounded by whoever made it */
        inner_take(req->inner, false);
    else
        take_body(req, TAKE_WHOLE, max, false);
}

void http_req_take_stream(struct http_req *req)
{
    if (req->inner)
        inner_take(req->inner, true);
    else
        take_body(req, TAKE_STREAM, UINT64_MAX, false);
}

void http_req_take_upload(struct http_req *req, uint64_t max)
{
    if (req->inner)
        inner_take(req->inner, true);
    else
        take_body(req, TAKE_STREAM, max, true);
}

void http_req_pause_body(struct http_req *req, bool pause)
{
    if (req->inner)
        return;
    struct http_xch *x = (struct http_xch *)req;
    if (x->ended || x->paused == pause)
        return;
    x->paused = pause;
    if (!pause)
        conn_schedule(req->conn);
}
