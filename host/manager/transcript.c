/* SPDX-License-Identifier: MIT */
/* Reading transcripts. */
#include "manager/transcript.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "manager/codec_driver.h"
#include "manager/op.h"
#include <patchbay/json.h>

struct reader {
    struct transcript *t;
    unsigned line;
    char *err;
    size_t room;
    bool failed;
};

const char *transcript_op_name(uint32_t op)
{
    return op_name((int)op);
}

static void bad(struct reader *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void bad(struct reader *r, const char *fmt, ...)
{
    va_list ap;
    int n;

    if (r->failed)
        return;
    r->failed = true;
    n = snprintf(r->err, r->room, "line %u: ", r->line);
    va_start(ap, fmt);
    if (n >= 0 && (size_t)n < r->room)
        vsnprintf(r->err + n, r->room - (size_t)n, fmt, ap);
    va_end(ap);
}

/* --- values -------------------------------------------------------------- */

/* A string member, unescaped; empty if it is absent. */
static pbay_str text(struct reader *r, pbay_str o, const char *name)
{
    pbay_str v = pbay_json_get(o, name);
    char *p;
    int64_t n;

    if (!v.n || pbay_json_type(v) == '0')
        return STR("");
    if (pbay_json_type(v) != 's') {
        bad(r, "\"%s\" must be a string", name);
        return STR("");
    }
    p = arena_bytes(&r->t->arena, v.n);
    n = p ? pbay_json_unescape(v, p, v.n) : -1;
    if (n < 0) {
        bad(r, "out of memory");
        return STR("");
    }
    return str_n(p, (size_t)n);
}

/* [["name","value"], ...] */
static const pbay_kv *headers(struct reader *r, pbay_str list, size_t *n)
{
    pbay_kv *h;
    pbay_str pair, part;
    size_t pos = 0, room = 0;

    *n = 0;
    while (pbay_json_next(list, &pos, NULL, &pair))
        room++;
    h = arena_alloc(&r->t->arena, room * sizeof(*h));
    for (pos = 0; h && pbay_json_next(list, &pos, NULL, &pair); ++*n) {
        pbay_str both[2] = {STR_NONE, STR_NONE};
        size_t in = 0, k = 0;
        while (k < 2 && pbay_json_next(pair, &in, NULL, &part)) {
            char *p = arena_bytes(&r->t->arena, part.n);
            int64_t len = p ? pbay_json_unescape(part, p, part.n) : -1;
            if (len < 0)
                break;
            both[k++] = str_n(p, (size_t)len);
        }
        if (k < 2) {
            bad(r, "a header must be a pair of strings");
            return h;
        }
        h[*n] = (pbay_kv){both[0], both[1]};
    }
    return h;
}

static uint32_t op_of(struct reader *r, pbay_str name)
{
    for (int op = 1; op_name(op)[0]; op++)
        if (str_is(name, op_name(op)))
            return (uint32_t)op;
    bad(r, "unknown operation \"%.*s\"", STR_ARG(name));
    return 0;
}

static uint32_t flags_of(struct reader *r, pbay_str list)
{
    static const struct {
        const char *name;
        uint32_t bit;
    } known[] = {{"stream", PBAY_RQ_STREAM},
                 {"pass", PBAY_RQ_PASS},
                 {"continue", PBAY_RQ_CONTINUE},
                 {"body_follows", PBAY_RQ_BODY_FOLLOWS}};
    uint32_t flags = 0;
    pbay_str v;
    size_t pos = 0;

    while (pbay_json_next(list, &pos, NULL, &v)) {
        size_t i = 0;
        while (i < 4 && !pbay_json_is(v, known[i].name))
            i++;
        if (i == 4)
            bad(r, "unknown flag %.*s", STR_ARG(v));
        else
            flags |= known[i].bit;
    }
    return flags;
}

static uint32_t want_of(struct reader *r, pbay_str list, uint32_t flags)
{
    uint32_t want = PBAY_WANT(PBAY_EV_USAGE) | PBAY_WANT(PBAY_EV_ERROR) |
                    PBAY_WANT(PBAY_EV_STOP) | PBAY_WANT(PBAY_EV_CONTENT);
    pbay_str v;
    size_t pos = 0;

    if (pbay_json_type(list) != 'a')
        return flags & PBAY_RQ_PASS ? want : ~0u;
    while (pbay_json_next(list, &pos, NULL, &v)) {
        uint32_t ev = PBAY_EV_ANNOTATION;
        while (ev > 0 && !pbay_json_is(v, driver_event_name(ev)))
            ev--;
        if (!ev)
            bad(r, "unknown event %.*s", STR_ARG(v));
        want |= PBAY_WANT(ev);
    }
    return want;
}

/* --- lines --------------------------------------------------------------- */

static void read_first(struct reader *r, pbay_str o)
{
    struct transcript *t = r->t;
    int64_t version = 0;

    if (pbay_json_i64(pbay_json_get(o, "patchbay_transcript"), &version) < 0 ||
        version != 1) {
        bad(r, "not a transcript of version 1: it must start with "
               "{\"patchbay_transcript\":1,...");
        return;
    }
    t->name = text(r, o, "name");
    t->provider = text(r, o, "provider");
    t->dialect = text(r, o, "dialect");
    t->model = text(r, o, "model");
    t->method = text(r, o, "method");
    t->path = text(r, o, "path");
    t->query = text(r, o, "query");
    t->content_type = text(r, o, "content_type");
    t->op = op_of(r, text(r, o, "op"));
    t->flags = flags_of(r, pbay_json_get(o, "flags"));
    t->want = want_of(r, pbay_json_get(o, "want"), t->flags);
    t->config = pbay_json_get(o, "config");
    if (!t->config.n)
        t->config = STR("{}");
    t->request = pbay_json_get(o, "request");
    if (pbay_json_type(t->request) == '0')
        t->request = STR("");
}

/* A list that has room for powers of two. */
static void *extend(struct reader *r, void *old, size_t n, size_t size)
{
    void *p;

    if (n & (n - 1) || (n && n < 4))
        return old;
    p = arena_alloc(&r->t->arena, (n ? n * 2 : 4) * size);
    if (!p)
        bad(r, "out of memory");
    else if (n)
        memcpy(p, old, n * size);
    return p;
}

static struct transcript_exchange *exchange_new(struct reader *r)
{
    struct transcript *t = r->t;

    t->exchanges =
        extend(r, t->exchanges, t->n_exchanges, sizeof(*t->exchanges));
    return t->exchanges ? &t->exchanges[t->n_exchanges++] : NULL;
}

/* The exchange that a line belongs to: the last, or another one if that has
 * ended. */
static struct transcript_exchange *current(struct reader *r)
{
    struct transcript *t = r->t;

    if (!t->n_exchanges || t->exchanges[t->n_exchanges - 1].end.n)
        return exchange_new(r);
    return &t->exchanges[t->n_exchanges - 1];
}

static void read_exchange(struct reader *r, pbay_str o)
{
    struct transcript_exchange *x = current(r);

    if (!x)
        return;
    x->method = text(r, o, "method");
    x->path = text(r, o, "path");
    x->body = text(r, o, "body");
    x->sent = headers(r, pbay_json_get(o, "headers"), &x->n_sent);
    if (!x->method.n)
        bad(r, "the exchange has no method");
}

static void read_head(struct reader *r, pbay_str o)
{
    struct transcript_exchange *x = current(r);
    int64_t status;

    if (!x)
        return;
    if (pbay_json_i64(pbay_json_get(o, "status"), &status) < 0 ||
        status < 100 || status > 999) {
        bad(r, "the head has no status");
        return;
    }
    x->status = (int)status;
    x->headers = headers(r, pbay_json_get(o, "headers"), &x->n_headers);
}

static int digit64(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* In place: the result is shorter. */
static pbay_str from_base64(struct reader *r, pbay_str s)
{
    char *to = (char *)(uintptr_t)s.p;
    size_t n = 0;
    unsigned held = 0, bits = 0;

    while (s.n && s.p[s.n - 1] == '=')
        s.n--;
    for (size_t i = 0; i < s.n; i++) {
        int d = digit64(s.p[i]);
        if (d < 0) {
            bad(r, "data_b64 is not base64");
            break;
        }
        held = (held << 6 | (unsigned)d) & 0xffff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            to[n++] = (char)(held >> bits);
        }
    }
    return str_n(to, n);
}

static void read_data(struct reader *r, pbay_str bytes)
{
    struct transcript_exchange *x = current(r);

    if (x)
        x->data = extend(r, x->data, x->n_data, sizeof(*x->data));
    if (x && x->data)
        x->data[x->n_data++] = bytes;
}

static void read_expect(struct reader *r, pbay_str list)
{
    struct transcript *t = r->t;
    pbay_str ev;
    size_t pos = 0;

    t->has_expect = true;
    while (!r->failed && pbay_json_next(list, &pos, NULL, &ev)) {
        t->expect = extend(r, t->expect, t->n_expect, sizeof(*t->expect));
        if (t->expect)
            t->expect[t->n_expect++] = ev;
    }
}

static void read_line(struct reader *r, pbay_str line)
{
    size_t at;

    if (pbay_json_check(line, &at) < 0 || pbay_json_type(line) != 'o') {
        bad(r, "not a JSON object (column %zu)", at + 1);
    } else if (!r->t->op) {
        read_first(r, line);
    } else if (pbay_json_get(line, "exchange").n) {
        read_exchange(r, pbay_json_get(line, "exchange"));
    } else if (pbay_json_get(line, "head").n) {
        read_head(r, pbay_json_get(line, "head"));
    } else if (pbay_json_get(line, "data").n) {
        read_data(r, text(r, line, "data"));
    } else if (pbay_json_get(line, "data_b64").n) {
        read_data(r, from_base64(r, text(r, line, "data_b64")));
    } else if (pbay_json_get(line, "expect").n) {
        read_expect(r, pbay_json_get(line, "expect"));
    } else if (pbay_json_get(line, "end").n) {
        struct transcript_exchange *x = current(r);
        if (x)
            x->end = text(r, line, "end");
        if (x && !x->end.n)
            bad(r, "\"end\" must say how it ended");
    } else {
        bad(r, "a line is one of exchange, head, data, data_b64, end, expect");
    }
}

struct transcript *transcript_read(pbay_str all, char *err, size_t room)
{
    struct transcript *t = calloc(1, sizeof(*t));
    struct reader r = {.t = t, .err = err, .room = room};
    pbay_str rest;

    if (!t) {
        snprintf(err, room, "out of memory");
        return NULL;
    }
    arena_init(&t->arena, 8 * all.n + LIM_MIB(1));
    rest = arena_dup(&t->arena, all);
    if (!rest.p)
        bad(&r, "out of memory");
    while (!r.failed && rest.n) {
        pbay_str line = str_trim(str_cut(&rest, '\n'));
        r.line++;
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        if (line.n)
            read_line(&r, line);
    }
    if (!r.failed && !t->op)
        bad(&r, "the file is empty");
    if (r.failed) {
        transcript_free(t);
        return NULL;
    }
    return t;
}

void transcript_free(struct transcript *t)
{
    if (!t)
        return;
    arena_done(&t->arena);
    free(t);
}
