/* SPDX-License-Identifier: MIT */
/* Fuzz target: HTTP request heads and chunked bodies.  However the bytes are
 * cut, the outcome is the same; what is accepted keeps its promises. */
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "http/parse.h"

#include "fuzz.h"

#define SEED(lit) {(lit), sizeof(lit) - 1}
/* The first byte chooses where the input is cut. */
const struct fuzz_seed fuzz_seeds[] = {
    SEED("\x01GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    SEED("\x05POST /v1/chat/completions?a=b%20c HTTP/1.1\r\nHost: a:80\r\n"
         "Content-Type: application/json\r\nContent-Length: 12\r\n\r\n"
         "{\"model\":\"\"}"),
    SEED("\x20POST /a%2Fb HTTP/1.1\r\nhost: [::1]\r\nTransfer-Encoding: "
         "chunked\r\nExpect: 100-continue\r\n\r\n5;a=b;c=\"d\\\"\"\r\nhello\r\n"
         "00\r\nTrailer: x\r\n\r\n"),
    SEED("\x40\r\nHEAD http://a/x HTTP/1.0\r\nConnection: keep-alive, x\r\n"
         "A:\t b \x80 \r\n\r\n"),
    SEED("\x80OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
         "GET /%2e%2e/../# HTTP/1.1\r\n folded\r\n\r\n"),
    SEED("\x03PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    {NULL, 0},
};

enum { MAX_URI = 64, MAX_HEAD = 512, ROOM = 8 }; /* small, to be reached */

struct outcome {
    int rc, status;
    const char *why;
    size_t used;
    struct http_head head;
    pbay_kv kv[ROOM];
};

static void parse(struct outcome *o, pbay_str bytes, size_t seen)
{
    memset(o, 0, sizeof *o);
    o->head.headers = o->kv;
    o->head.room = ROOM;
    o->rc = http_parse_head(bytes, seen, MAX_URI, MAX_HEAD, &o->head, &o->used);
    FUZZ_CHECK(o->rc == HTTP_PARSE_MORE || o->rc == HTTP_PARSE_DONE ||
               o->rc == HTTP_PARSE_BAD);
    if (o->rc == HTTP_PARSE_BAD) {
        FUZZ_CHECK(o->head.status >= 400 && o->head.status <= 505);
        FUZZ_CHECK(o->head.why && o->head.why[0]);
    }
}

static int inside(pbay_str part, pbay_str all)
{
    return !part.n ||
           (part.p >= all.p && part.p + part.n <= all.p + all.n);
}

static void check_clean(pbay_str s)
{
    for (size_t i = 0; i < s.n; i++)
        FUZZ_CHECK((unsigned char)s.p[i] >= 0x20 || s.p[i] == '\t');
}

static void check_head(const struct outcome *o, pbay_str bytes)
{
    const struct http_head *h = &o->head;
    pbay_str all = {bytes.p, o->used};
    FUZZ_CHECK(o->used <= bytes.n && o->used <= MAX_HEAD);
    FUZZ_CHECK(memcmp(bytes.p + o->used - 4, "\r\n\r\n", 4) == 0);
    FUZZ_CHECK(inside(h->method, all) && h->method.n);
    FUZZ_CHECK(inside(h->target, all) && h->target.n &&
               h->target.n <= MAX_URI);
    FUZZ_CHECK(inside(h->query, all));
    FUZZ_CHECK(h->path.n && (h->path.p[0] == '/' || str_is(h->path, "*")));
    FUZZ_CHECK(h->n_headers <= ROOM);
    FUZZ_CHECK(!(h->chunked && h->has_length));
    FUZZ_CHECK(h->has_length || h->length == 0);
    FUZZ_CHECK(h->minor == 1 || (h->minor == 0 && !h->chunked));
    FUZZ_CHECK(h->minor == 0 || http_header(h, "HOST").p);
    for (size_t i = 0; i < h->n_headers; i++) {
        FUZZ_CHECK(inside(h->headers[i].k, all) && h->headers[i].k.n);
        FUZZ_CHECK(inside(h->headers[i].v, all));
        FUZZ_CHECK(!memchr(h->headers[i].k.p, ' ', h->headers[i].k.n));
        check_clean(h->headers[i].v);
    }
    char path[MAX_URI];
    int64_t n = http_decode_path(h->path, path, sizeof path);
    FUZZ_CHECK(n >= -1 && n <= (int64_t)h->path.n);
    if (n > 0)
        check_clean(str_n(path, (size_t)n));
}

static void same(const struct outcome *a, const struct outcome *b)
{
    FUZZ_CHECK(a->rc == b->rc);
    if (a->rc == HTTP_PARSE_BAD)
        FUZZ_CHECK(a->head.status == b->head.status &&
                   a->head.why == b->head.why);
    if (a->rc == HTTP_PARSE_DONE)
        FUZZ_CHECK(a->used == b->used &&
                   a->head.n_headers == b->head.n_headers &&
                   a->head.length == b->head.length);
}

/* As a server would: pieces of `step` bytes (the first is `cut`), until there
 * is a verdict. */
static void in_pieces(pbay_str all, size_t cut, size_t step,
                      const struct outcome *whole)
{
    static struct outcome o;
    size_t seen = 0, have = cut < all.n ? cut : all.n;
    for (;;) {
        parse(&o, str_n(all.p, have), seen);
        if (o.rc != HTTP_PARSE_MORE || have == all.n)
            break;
        seen = have;
        have = have + step < all.n ? have + step : all.n;
    }
    same(whole, &o);
}

struct decoded {
    int rc;
    size_t used, n;
    uint32_t sum;
};

static struct decoded decode(pbay_str in, size_t step)
{
    struct http_chunked c = {0};
    struct decoded d = {0};
    while (d.rc == HTTP_PARSE_MORE && d.used < in.n) {
        size_t n = in.n - d.used < step ? in.n - d.used : step, used;
        pbay_str piece = str_n(in.p + d.used, n), data;
        d.rc = http_chunked_step(&c, piece, &used, &data);
        FUZZ_CHECK(used <= n && inside(data, piece));
        FUZZ_CHECK(used > 0 || d.rc == HTTP_PARSE_BAD);
        for (size_t i = 0; i < data.n; i++)
            d.sum = d.sum * 31 + (unsigned char)data.p[i];
        d.n += data.n;
        d.used += used;
    }
    return d;
}

static void check_chunks(pbay_str in, size_t cut)
{
    struct decoded a = decode(in, in.n), b = decode(in, 1),
                   c = decode(in, cut + 1);
    FUZZ_CHECK(a.rc == b.rc && a.rc == c.rc);
    FUZZ_CHECK(a.n == b.n && a.n == c.n && a.sum == b.sum && a.sum == c.sum);
    FUZZ_CHECK(a.used == b.used && a.used == c.used);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct outcome whole;
    if (!size)
        return 0;
    size_t cut = data[0];
    pbay_str all = {(const char *)data + 1, size - 1};
    parse(&whole, all, 0);
    if (whole.rc == HTTP_PARSE_DONE)
        check_head(&whole, all);
    in_pieces(all, 0, 1, &whole);
    in_pieces(all, cut, all.n, &whole);
    in_pieces(all, cut, 7, &whole);
    check_chunks(all, cut);
    if (whole.rc == HTTP_PARSE_DONE)
        check_chunks(str_n(all.p + whole.used, all.n - whole.used), cut);
    char path[256];
    http_decode_path(all, path, sizeof path);
    return 0;
}
