/* SPDX-License-Identifier: MIT */
/* Making replies: heads, whole bodies, streams, and our own errors. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "http/inner.h"
#include "http/parse_int.h"
#include "http/server_int.h"

#define ERROR_ROOM 2048 /* an error's body */
#define LINE(code, text)                                  \
    {                                                     \
        code, PBAY_LIT("HTTP/1.1 " #code " " text "\r\n") \
    }

static const struct {
    int status;
    pbay_str line;
} lines[] = {
    LINE(200, "OK"),
    LINE(201, "Created"),
    LINE(202, "Accepted"),
    LINE(204, "No Content"),
    LINE(301, "Moved Permanently"),
    LINE(302, "Found"),
    LINE(304, "Not Modified"),
    LINE(307, "Temporary Redirect"),
    LINE(308, "Permanent Redirect"),
    LINE(400, "Bad Request"),
    LINE(401, "Unauthorized"),
    LINE(402, "Payment Required"),
    LINE(403, "Forbidden"),
    LINE(404, "Not Found"),
    LINE(405, "Method Not Allowed"),
    LINE(406, "Not Acceptable"),
    LINE(408, "Request Timeout"),
    LINE(409, "Conflict"),
    LINE(410, "Gone"),
    LINE(411, "Length Required"),
    LINE(413, "Content Too Large"),
    LINE(414, "URI Too Long"),
    LINE(415, "Unsupported Media Type"),
    LINE(417, "Expectation Failed"),
    LINE(422, "Unprocessable Content"),
    LINE(429, "Too Many Requests"),
    LINE(431, "Request Header Fields Too Large"),
    LINE(499, "Client Closed Request"),
    LINE(500, "Internal Server Error"),
    LINE(501, "Not Implemented"),
    LINE(502, "Bad Gateway"),
    LINE(503, "Service Unavailable"),
    LINE(504, "Gateway Timeout"),
    LINE(505, "HTTP Version Not Supported"),
    LINE(529, "Overloaded"),
};

static pbay_str status_line(int status, char *room, size_t n)
{
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        if (lines[i].status == status)
            return lines[i].line;
    }
    if (status < 200 || status > 999)
        status = 500; /* an interim one is not the handler's to send */
    return str_n(room,
                 (size_t)snprintf(room, n, "HTTP/1.1 %d Status\r\n", status));
}

/* ----------------------------------------------------------------- heads */

/* Those that only the server can get right. */
static bool is_ours(pbay_str name)
{
    switch (name.n) {
    case 4:
        return str_ieq(name, STR("Date"));
    case 7:
        return str_ieq(name, STR("Trailer")) || str_ieq(name, STR("Upgrade"));
    case 10:
        return str_ieq(name, STR("Connection")) ||
               str_ieq(name, STR("Keep-Alive"));
    case 14:
        return str_ieq(name, STR("Content-Length"));
    case 17:
        return str_ieq(name, STR("Transfer-Encoding"));
    default:
        return false;
    }
}

static bool is_clean(const pbay_kv *h)
{
    if (!h->k.n)
        return false;
    for (size_t i = 0; i < h->k.n; i++) {
        if (!http_is(h->k.p[i], HC_TOKEN))
            return false;
    }
    for (size_t i = 0; i < h->v.n; i++) {
        if (!http_is_value(h->v.p[i]))
            return false;
    }
    return true;
}

static char *put(char *p, pbay_str s)
{
    if (s.n)
        memcpy(p, s.p, s.n);
    return p + s.n;
}

static char *put_number(char *p, uint64_t v)
{
    char digits[20];
    size_t n = 0;
    do {
        digits[n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    while (n)
        *p++ = digits[--n];
    return p;
}

static char *put_headers(char *p, const pbay_kv *headers, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const pbay_kv *h = &headers[i];
        if (is_ours(h->k))
            continue;
        if (!is_clean(h)) {
            log_f(LOG_ERROR, "http",
                  "reply header %zu (\"%.*s\") has a byte that headers cannot "
                  "have; left out",
                  i, h->k.n < 64 ? (int)h->k.n : 64, h->k.n ? h->k.p : "");
            continue;
        }
        p = put(p, h->k);
        p = put(p, STR(": "));
        p = put(p, h->v);
        p = put(p, STR("\r\n"));
    }
    return p;
}

/* What the server itself says in a head. */
struct framing {
    bool has_length, chunking, close, keep;
    uint64_t length;
};

/* Append a head to b; -ENOMEM or -EMSGSIZE. */
static int render(struct http_server *s, struct buf *b, int status,
                  const struct framing *f, const pbay_kv *headers, size_t n)
{
    char room[64];
    pbay_str line = status_line(status, room, sizeof room);
    size_t size = line.n + sizeof s->date + 160;
    for (size_t i = 0; i < n; i++)
        size += headers[i].k.n + headers[i].v.n + 4;
    char *start = buf_space(b, size);
    if (!start)
        return -1;
    char *p = put(start, line);
    p = put(p, server_date(s));
    if (f->has_length) {
        p = put(p, STR("Content-Length: "));
        p = put_number(p, f->length);
        p = put(p, STR("\r\n"));
    } else if (f->chunking) {
        p = put(p, STR("Transfer-Encoding: chunked\r\n"));
    }
    if (f->close)
        p = put(p, STR("Connection: close\r\n"));
    else if (f->keep)
        p = put(p, STR("Connection: keep-alive\r\n"));
    p = put_headers(p, headers, n);
    p = put(p, STR("\r\n"));
    buf_grew(b, (size_t)(p - start));
    return 0;
}

/* Can another request follow on this connection? */
static bool can_keep(const struct http_conn *c, const struct http_xch *x)
{
    return x->head.keep_alive && !c->server->draining &&
           (x->body_done || body_in_hand(c));
}

/* What both kinds of reply begin with. */
static void start(struct http_xch *x, int status, struct framing *f)
{
    struct http_conn *c = x->req.conn;
    bool bodiless = status == 204 || status == 304;
    x->close = !can_keep(c, x);
    x->no_body = bodiless || str_is(x->head.method, "HEAD");
    if (bodiless)
        f->has_length = f->chunking = false;
    else if (!f->has_length && x->head.minor == 0) {
        f->chunking = false; /* HTTP/1.0: the body ends with the connection */
        x->close = x->close || !x->no_body;
    }
    x->chunking = f->chunking;
    f->close = x->close;
    f->keep = !x->close && x->head.minor == 0;
}

/* ---------------------------------------------------------------- replies */

void http_reply(struct http_req *req, int status, const pbay_kv *headers,
                size_t n_headers, pbay_str body)
{
    if (req->inner) {
        inner_begin(req->inner, status, headers, n_headers);
        inner_write(req->inner, body);
        inner_end(req->inner, true);
        return;
    }
    struct http_xch *x = (struct http_xch *)req;
    if (x->ended || x->reply != RE_NONE)
        return;
    struct http_conn *c = req->conn;
    struct http_server *s = c->server;
    struct framing f = {.has_length = true, .length = body.n};
    start(x, status, &f);
    x->reply = RE_DONE;
    buf_reset(&s->head, HTTP_GATHER);
    if (render(s, &s->head, status, &f, headers, n_headers) < 0) {
        c->broken = true;
    } else {
        struct iovec v[2];
        int n = 0;
        v[n++] = (struct iovec){.iov_base = s->head.p + s->head.off,
                                .iov_len = s->head.n};
        if (body.n && !x->no_body)
            v[n++] = (struct iovec){.iov_base = (char *)(uintptr_t)body.p,
                                    .iov_len = body.n};
        /* The handler answers for the size of what it has whole. */
        c->out.max = c->out.n + s->head.n + body.n + LIM_OUT_MAX;
        conn_send(c, v, n);
        c->out.max = c->out.n > LIM_OUT_MAX ? c->out.n : LIM_OUT_MAX;
    }
    conn_schedule(c);
}

void http_reply_begin(struct http_req *req, int status, const pbay_kv *headers,
                      size_t n_headers)
{
    if (req->inner) {
        inner_begin(req->inner, status, headers, n_headers);
        return;
    }
    struct http_xch *x = (struct http_xch *)req;
    if (x->ended || x->reply != RE_NONE)
        return;
    struct http_conn *c = req->conn;
    struct framing f = {.chunking = true};
    start(x, status, &f);
    x->reply = RE_STREAM;
    if (render(c->server, &c->out, status, &f, headers, n_headers) < 0) {
        c->broken = true;
        conn_schedule(c);
    }
    x->held = true;
}

static int hex(char *dst, size_t n)
{
    char digits[16];
    int k = 0, at = 0;
    do {
        digits[k++] = "0123456789abcdef"[n & 15];
        n >>= 4;
    } while (n);
    while (k)
        dst[at++] = digits[--k];
    dst[at++] = '\r';
    dst[at++] = '\n';
    return at;
}

/* Gather small pieces, to be written at the end of this turn. */
static void gather(struct http_conn *c, const struct iovec *v, int n)
{
    for (int i = 0; i < n && !c->broken; i++)
        conn_keep(c, str_n(v[i].iov_base, v[i].iov_len));
    conn_schedule(c);
}

size_t http_reply_write(struct http_req *req, pbay_str bytes)
{
    if (req->inner)
        return inner_write(req->inner, bytes);
    struct http_xch *x = (struct http_xch *)req;
    if (x->ended || x->reply != RE_STREAM)
        return 0;
    struct http_conn *c = req->conn;
    if (c->broken)
        return 0;
    if (!bytes.n || x->no_body)
        return c->out.n;

    static char crlf[] = "\r\n";
    char size[20];
    struct iovec v[3];
    int n = 0;
    if (x->chunking)
        v[n++] = (struct iovec){.iov_base = size,
                                .iov_len = (size_t)hex(size, bytes.n)};
    v[n++] = (struct iovec){.iov_base = (char *)(uintptr_t)bytes.p,
                            .iov_len = bytes.n};
    if (x->chunking)
        v[n++] = (struct iovec){.iov_base = crlf, .iov_len = 2};

    /* The first goes out at once, with the head. */
    bool at_once =
        x->held || bytes.n >= HTTP_DIRECT || c->out.n + bytes.n > HTTP_GATHER;
    x->held = false;
    if (at_once)
        conn_send(c, v, n);
    else
        gather(c, v, n);
    if (c->out.n > LIM_OUT_HIGH)
        x->high = true;
    return c->out.n;
}

void http_reply_flush(struct http_req *req)
{
    if (req->inner)
        return; /* nothing is held back */
    struct http_xch *x = (struct http_xch *)req;
    if (x->ended || x->reply != RE_STREAM)
        return;
    x->held = false;
    conn_flush(req->conn);
}

void http_reply_end(struct http_req *req)
{
    if (req->inner) {
        inner_end(req->inner, true);
        return;
    }
    struct http_xch *x = (struct http_xch *)req;
    if (x->ended || x->reply != RE_STREAM)
        return;
    struct http_conn *c = req->conn;
    if (x->chunking && !x->no_body)
        conn_keep(c, STR("0\r\n\r\n"));
    x->held = false;
    x->reply = RE_DONE;
    conn_schedule(c);
}

void http_reply_abort(struct http_req *req)
{
    if (req->inner) {
        inner_end(req->inner, false);
        return;
    }
    struct http_xch *x = (struct http_xch *)req;
    if (x->ended || x->reply == RE_DONE)
        return;
    struct http_conn *c = req->conn;
    if (x->held || x->reply == RE_NONE)
        buf_reset(&c->out, 0); /* an empty reply says it as well */
    x->held = false;
    x->aborted = true;
    x->reply = RE_DONE;
    conn_schedule(c);
}

void reply_error(struct http_conn *c, const struct http_head *head, int status,
                 const char *why)
{
    struct http_server *s = c->server;
    char body[ERROR_ROOM];
    pbay_str path = head ? head->path : STR_NONE;
    size_t n = s->error_body(path, status, why, body, sizeof body);
    if (n > sizeof body)
        n = sizeof body;
    static const pbay_kv headers[] = {
        {PBAY_LIT("Content-Type"), PBAY_LIT("application/json")},
        {PBAY_LIT("Retry-After"), PBAY_LIT("1")},
    };
    struct framing f = {.has_length = true, .length = n, .close = true};
    buf_reset(&s->head, HTTP_GATHER);
    if (render(s, &s->head, status, &f, headers, status == 503 ? 2 : 1) < 0) {
        c->broken = true;
        return;
    }
    if (log_on(LOG_DEBUG))
        log_line(LOG_DEBUG, "http", "refused", log_str("peer", c->peer),
                 log_int("status", status), log_cstr("why", why), LOG_END);
    struct iovec v[2] = {
        {.iov_base = s->head.p + s->head.off, .iov_len = s->head.n},
        {.iov_base = body, .iov_len = n},
    };
    conn_send(c, v, head && str_is(head->method, "HEAD") ? 1 : 2);
}
