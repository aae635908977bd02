/* SPDX-License-Identifier: MIT */
/* The HTTP request parser: good and bad heads, whole, byte by byte and cut at
 * every position; chunked bodies at every cut; paths. */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "http/parse.h"

#define H "Host: a\r\n"

/* ---------------------------------------------------------------- heads */

struct parsed {
    int rc;
    size_t used;
    struct http_head head;
    pbay_kv kv[LIM_HTTP_HEADERS];
};

static int feed(struct parsed *r, const char *p, size_t n, size_t seen)
{
    r->head = (struct http_head){.headers = r->kv, .room = LIM_HTTP_HEADERS};
    r->rc = http_parse_head(str_n(p, n), seen, LIM_HTTP_URI, LIM_HTTP_HEAD,
                            &r->head, &r->used);
    return r->rc;
}

/* What was found, as text, to be compared. */
static char *dump(const struct parsed *r)
{
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    ck_assert_ptr_nonnull(f);
    const struct http_head *h = &r->head;
    if (r->rc == HTTP_PARSE_BAD)
        fprintf(f, "bad %d %s", h->status, h->why);
    else if (r->rc == HTTP_PARSE_MORE)
        fprintf(f, "more");
    else {
        fprintf(f, "%zu %.*s %.*s %.*s?%.*s 1.%d %d%d%d%d %llu", r->used,
                STR_ARG(h->method), STR_ARG(h->target), STR_ARG(h->path),
                STR_ARG(h->query), h->minor, h->chunked, h->has_length,
                h->keep_alive, h->expect_continue,
                (unsigned long long)h->length);
        for (size_t i = 0; i < h->n_headers; i++)
            fprintf(f, "\n%.*s=%.*s", STR_ARG(h->headers[i].k),
                    STR_ARG(h->headers[i].v));
    }
    fclose(f);
    return text;
}

/* Feed a head in two or more pieces; each call sees memory of exactly the size
 * so far, so that a read past it is caught by a sanitizer. */
static char *in_pieces(const char *text, size_t n, size_t first, size_t step)
{
    static struct parsed r;
    size_t seen = 0, have = first;
    for (;;) {
        char *copy = malloc(have ? have : 1);
        memcpy(copy, text, have);
        int rc = feed(&r, copy, have, seen);
        char *out = rc == HTTP_PARSE_MORE && have < n ? NULL : dump(&r);
        free(copy);
        if (out)
            return out;
        seen = have;
        have = have + step < n ? have + step : n;
    }
}

static void same_however_cut(const char *text, size_t n)
{
    char *whole = in_pieces(text, n, n, 1);
    char *bytes = in_pieces(text, n, 1, 1);
    ck_assert_str_eq(whole, bytes);
    free(bytes);
    for (size_t cut = 0; cut < n && n < 4096; cut++) {
        char *two = in_pieces(text, n, cut, n);
        ck_assert_msg(strcmp(whole, two) == 0, "cut at %zu of %s: %s / %s", cut,
                      text, whole, two);
        free(two);
    }
    free(whole);
}

static const struct {
    const char *text;
    const char *method, *path, *query;
    const char *flags; /* c chunked, l length, k keep-alive, e expect */
    unsigned length;
    size_t rest; /* bytes that follow the head */
} good[] = {
    {"GET / HTTP/1.1\r\n" H "\r\n", "GET", "/", NULL, "k", 0, 0},
    {"\r\nGET / HTTP/1.1\r\n" H "\r\n", "GET", "/", NULL, "k", 0, 0},
    {"GET / HTTP/1.1\r\n" H "\r\nGET /2 HT", "GET", "/", NULL, "k", 0, 9},
    {"GET /v1/models/a%2Fb?x=1&y=%20 HTTP/1.1\r\n" H "\r\n", "GET",
     "/v1/models/a%2Fb", "x=1&y=%20", "k", 0, 0},
    {"GET /? HTTP/1.1\r\n" H "\r\n", "GET", "/", "", "k", 0, 0},
    {"GET /a..b/...?../.. HTTP/1.1\r\n" H "\r\n", "GET", "/a..b/...", "../..",
     "k", 0, 0},
    {"OPTIONS * HTTP/1.1\r\n" H "\r\n", "OPTIONS", "*", NULL, "k", 0, 0},
    {"GET http://a:80/x?y HTTP/1.1\r\n" H "\r\n", "GET", "/x", "y", "k", 0, 0},
    {"GET HTTPS://a HTTP/1.1\r\n" H "\r\n", "GET", "/", NULL, "k", 0, 0},
    {"GET http://[::1]?q HTTP/1.1\r\n" H "\r\n", "GET", "/", "q", "k", 0, 0},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello", "POST", "/",
     NULL, "kl", 5, 5},
    {"POST / HTTP/1.1\r\n" H "content-LENGTH:\t 0005 \t\r\n\r\n", "POST", "/",
     NULL, "kl", 5, 0},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n", "POST", "/", NULL,
     "kl", 0, 0},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n", "POST", "/",
     NULL, "kc", 0, 0},
    {"POST / HTTP/1.1\r\n" H "transfer-encoding:CHUNKED\r\n\r\n", "POST", "/",
     NULL, "kc", 0, 0},
    {"POST / HTTP/1.1\r\n" H "Expect: 100-Continue\r\n"
     "Content-Length: 1\r\n\r\n",
     "POST", "/", NULL, "kel", 1, 0},
    {"GET / HTTP/1.1\r\n" H "Connection: close\r\n\r\n", "GET", "/", NULL, "",
     0, 0},
    {"GET / HTTP/1.1\r\n" H "Connection: x, Close ,\r\n\r\n", "GET", "/", NULL,
     "", 0, 0},
    {"GET / HTTP/1.1\r\n" H "Connection: closed\r\n\r\n", "GET", "/", NULL, "k",
     0, 0},
    {"GET / HTTP/1.0\r\n\r\n", "GET", "/", NULL, "", 0, 0},
    {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "GET", "/", NULL, "k",
     0, 0},
    {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", "GET", "/",
     NULL, "", 0, 0},
    {"GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", "GET", "/", NULL, "", 0,
     0},
    {"GET / HTTP/1.1\r\nHost:\r\nA:\r\nB: x y\t\x80\xff \r\n\r\n", "GET", "/",
     NULL, "k", 0, 0},
};

START_TEST(good_heads)
{
    static struct parsed r;
    const char *text = good[_i].text;
    size_t n = strlen(text);
    ck_assert_msg(feed(&r, text, n, 0) == HTTP_PARSE_DONE, "%s: %s", text,
                  r.head.why);
    ck_assert(str_is(r.head.method, good[_i].method));
    ck_assert(str_is(r.head.path, good[_i].path));
    ck_assert_int_eq(r.head.query.p != NULL, good[_i].query != NULL);
    if (good[_i].query)
        ck_assert(str_is(r.head.query, good[_i].query));
    const char *flags = good[_i].flags;
    ck_assert_int_eq(r.head.chunked, strchr(flags, 'c') != NULL);
    ck_assert_int_eq(r.head.has_length, strchr(flags, 'l') != NULL);
    ck_assert_int_eq(r.head.keep_alive, strchr(flags, 'k') != NULL);
    ck_assert_int_eq(r.head.expect_continue, strchr(flags, 'e') != NULL);
    ck_assert_uint_eq(r.head.length, good[_i].length);
    ck_assert_uint_eq(r.used, n - good[_i].rest);
    same_however_cut(text, n);
}
END_TEST

static const struct {
    int status;
    const char *text;
} bad[] = {
    /* lines */
    {400, "GET / HTTP/1.1\nHost: a\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\n\n"},
    {400, "GET / HTTP/1.1\r\n" H "\n"},
    {400, "\nGET / HTTP/1.1\r\n" H "\r\n"},
    {400, "\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n"},
    {400, "\rGET / HTTP/1.1\r\n" H "\r\n"},
    {400, "GET / HTTP/1.1\r\n" H "A: b\rc\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\n" H "A: b\r\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\r\n" H "\r\n"},
    {400, "GET / HTTP/1.1\r\n" H "A: b\r\n c\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\n" H "A: b\r\n\tc\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
    /* the request line */
    {400, "GET / HTTP/1.1 \r\n" H "\r\n"},
    {400, "GET  / HTTP/1.1\r\n" H "\r\n"},
    {400, "GET /  HTTP/1.1\r\n" H "\r\n"},
    {400, "GET\t/ HTTP/1.1\r\n" H "\r\n"},
    {400, " GET / HTTP/1.1\r\n" H "\r\n"},
    {400, "GET /\r\n" H "\r\n"},
    {400, "GET / \r\n" H "\r\n"},
    {400, "GET\r\n" H "\r\n"},
    {400, "GET HTTP/1.1\r\n" H "\r\n"},
    {400, "G(T / HTTP/1.1\r\n" H "\r\n"},
    {400, "GET / http/1.1\r\n" H "\r\n"},
    {400, "GET / HTTP/1.1x\r\n" H "\r\n"},
    {400, "GET / HTTP/1,1\r\n" H "\r\n"},
    {400, "GET / HTTP/11\r\n" H "\r\n"},
    {505, "GET / HTTP/2.0\r\n" H "\r\n"},
    {505, "GET / HTTP/0.9\r\n" H "\r\n"},
    {505, "GET / HTTP/1.2\r\n" H "\r\n"},
    {505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
    {400, "\x16\x03\x01\x02"},
    {501, "CONNECT a:1 HTTP/1.1\r\n" H "\r\n"},
    {501, "TRACE / HTTP/1.1\r\n" H "\r\n"},
    {501, "get / HTTP/1.1\r\n" H "\r\n"},
    {501, "XYZZYXYZZYXYZZYXYZZYXYZZYXYZZYXYZZYX / HTTP/1.1\r\n" H "\r\n"},
    /* the target */
    {400, "GET a HTTP/1.1\r\n" H "\r\n"},
    {400, "GET * HTTP/1.1\r\n" H "\r\n"},
    {400, "GET ftp://a/ HTTP/1.1\r\n" H "\r\n"},
    {400, "GET http:/// HTTP/1.1\r\n" H "\r\n"},
    {400, "GET http://u@a/ HTTP/1.1\r\n" H "\r\n"},
    {400, "GET http://a/../b HTTP/1.1\r\n" H "\r\n"},
    {400, "GET /a/../b HTTP/1.1\r\n" H "\r\n"},
    {400, "GET /.. HTTP/1.1\r\n" H "\r\n"},
    {400, "GET /a#b HTTP/1.1\r\n" H "\r\n"},
    {400, "GET /a\"b HTTP/1.1\r\n" H "\r\n"},
    {400, "GET /\\a HTTP/1.1\r\n" H "\r\n"},
    {400, "GET /\x7f HTTP/1.1\r\n" H "\r\n"},
    {400, "GET /\xc3\xa4 HTTP/1.1\r\n" H "\r\n"},
    /* header lines */
    {400, "GET / HTTP/1.1\r\nHost : a\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\n" H "A\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\n" H ": b\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\n" H "A b: c\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\n" H "A\x80: c\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\n" H "A: \x01\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\n" H "A: \x7f\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\n" H H "\r\n"},
    {400, "GET / HTTP/1.0\r\n" H "hOST: b\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: u@b\r\n\r\n"},
    {417, "GET / HTTP/1.1\r\n" H "Expect: tea\r\n\r\n"},
    /* framing */
    {400, "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\n"
          "Content-Length: 5\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\n"
          "Content-Length: 6\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\n" H "Content-Length: 5, 5\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\n" H "Content-Length: +5\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\n" H "Content-Length: -5\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\n" H "Content-Length: 0x5\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\n" H "Content-Length: 5 5\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\n" H "Content-Length: 18446744073709551616\r\n"
          "\r\n"},
    {400, "POST / HTTP/1.1\r\n" H "Content-Length : 5\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\n"
          "Transfer-Encoding: chunked\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n"
          "Content-Length: 5\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n"
          "Transfer-Encoding: chunked\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, gzip\r\n\r\n"},
    {501, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: \"chunked\"\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: \x0b"
          "chunked\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding:\r\n\r\n"},
    {400, "POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n"},
};

START_TEST(bad_heads)
{
    static struct parsed r;
    size_t n = strlen(bad[_i].text);
    ck_assert_msg(feed(&r, bad[_i].text, n, 0) == HTTP_PARSE_BAD, "taken: %s",
                  bad[_i].text);
    ck_assert_msg(r.head.status == bad[_i].status, "%d %s: %s", r.head.status,
                  r.head.why, bad[_i].text);
    ck_assert_uint_gt(strlen(r.head.why), 5);
    same_however_cut(bad[_i].text, n);
}
END_TEST

START_TEST(nul_bytes)
{
    static const char text[] = "GET / HTTP/1.1\r\n" H "A: b\r\n\r\n";
    static struct parsed r;
    for (size_t i = 0; i + 1 < sizeof text; i++) {
        char copy[sizeof text];
        memcpy(copy, text, sizeof text);
        copy[i] = '\0';
        ck_assert_int_ne(feed(&r, copy, sizeof text - 1, 0), HTTP_PARSE_DONE);
    }
}
END_TEST

/* Every proper beginning of a good head is incomplete, never bad. */
START_TEST(beginnings)
{
    static struct parsed r;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        size_t n = strlen(good[i].text) - good[i].rest;
        for (size_t k = 0; k < n; k++)
            ck_assert_int_eq(feed(&r, good[i].text, k, 0), HTTP_PARSE_MORE);
    }
}
END_TEST

static size_t fill(char *dst, const char *before, size_t n, const char *after)
{
    size_t a = strlen(before), b = strlen(after);
    memcpy(dst, before, a);
    memset(dst + a, 'x', n);
    memcpy(dst + a + n, after, b);
    return a + n + b;
}

START_TEST(bounds)
{
    static struct parsed r;
    char *text = malloc(LIM_HTTP_HEAD * 2);
    const char *tail = " HTTP/1.1\r\n" H "\r\n";

    size_t n = fill(text, "GET /", LIM_HTTP_URI - 1, tail);
    ck_assert_int_eq(feed(&r, text, n, 0), HTTP_PARSE_DONE);
    n = fill(text, "GET /", LIM_HTTP_URI, tail);
    ck_assert_int_eq(feed(&r, text, n, 0), HTTP_PARSE_BAD);
    ck_assert_int_eq(r.head.status, 414);
    /* far too long: known before the line has ended, however cut */
    n = fill(text, "GET /", LIM_HTTP_URI + 1000, tail);
    ck_assert_int_eq(feed(&r, text, LIM_HTTP_URI + 500, 0), HTTP_PARSE_BAD);
    ck_assert_int_eq(r.head.status, 414);
    same_however_cut(text, n);

    const char *front = "GET / HTTP/1.1\r\nHost: a\r\nA: ";
    size_t most = LIM_HTTP_HEAD - strlen(front) - 4;
    n = fill(text, front, most, "\r\n\r\n");
    ck_assert_int_eq(feed(&r, text, n, 0), HTTP_PARSE_DONE);
    ck_assert_uint_eq(r.used, LIM_HTTP_HEAD);
    n = fill(text, front, most + 1, "\r\n\r\n");
    ck_assert_int_eq(feed(&r, text, n, 0), HTTP_PARSE_BAD);
    ck_assert_int_eq(r.head.status, 431);
    same_however_cut(text, n);

    for (int lines = LIM_HTTP_HEADERS - 1; lines <= LIM_HTTP_HEADERS; lines++) {
        n = (size_t)sprintf(text, "GET / HTTP/1.1\r\nHost: a\r\n");
        for (int i = 0; i < lines; i++)
            n += (size_t)sprintf(text + n, "A: b\r\n");
        n += (size_t)sprintf(text + n, "\r\n");
        feed(&r, text, n, 0);
        ck_assert_int_eq(r.rc, lines < LIM_HTTP_HEADERS ? HTTP_PARSE_DONE
                                                        : HTTP_PARSE_BAD);
    }
    ck_assert_int_eq(r.head.status, 431);
    free(text);
}
END_TEST

START_TEST(lookup)
{
    static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\n"
                               "x-a: 2\r\nEmpty:\r\n\r\n";
    static struct parsed r;
    ck_assert_int_eq(feed(&r, text, sizeof text - 1, 0), HTTP_PARSE_DONE);
    ck_assert(str_is(http_header(&r.head, "host"), "a"));
    ck_assert(str_is(http_header(&r.head, "X-a"), "1"));
    ck_assert_ptr_nonnull(http_header(&r.head, "empty").p);
    ck_assert_uint_eq(http_header(&r.head, "empty").n, 0);
    ck_assert_ptr_null(http_header(&r.head, "x").p);
}
END_TEST

/* -------------------------------------------------------------- chunked */

static const struct {
    const char *in, *out; /* out NULL: bad */
    size_t rest;
} chunks[] = {
    {"0\r\n\r\n", "", 0},
    {"5\r\nhello\r\n0\r\n\r\n", "hello", 0},
    {"5\r\nhello\r\n0\r\n\r\nGET /", "hello", 5},
    {"1\r\na\r\n00B\r\n01234567890\r\n000\r\n\r\n", "a01234567890", 0},
    {"a\r\n\r\n\r\n\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n\r\n\r\n\r\n", 0},
    {"1;a\r\nx\r\n0;b=c;d=\"e;\\\"\r\"\r\n\r\n", NULL, 0},
    {"1;a\r\nx\r\n0;b=c;d=\"e;\\\"f\"\r\n\r\n", "x", 0},
    {"1\r\nx\r\n0\r\nA: b\r\nC:\r\n\r\n", "x", 0},
    {"\r\n", NULL, 0},
    {"g\r\n", NULL, 0},
    {" 1\r\n", NULL, 0},
    {"1 \r\n", NULL, 0},
    {"+1\r\n", NULL, 0},
    {"-1\r\n", NULL, 0},
    {"0x1\r\n", NULL, 0},
    {";a\r\n", NULL, 0},
    {"1;\r\n", NULL, 0},
    {"1;a=\r\n", NULL, 0},
    {"1; a\r\n", NULL, 0},
    {"1;a=\"b\"c\r\n", NULL, 0},
    {"1\nx\r\n0\r\n\r\n", NULL, 0},
    {"1\r\nxy\r\n0\r\n\r\n", NULL, 0},
    {"1\r\nx\n0\r\n\r\n", NULL, 0},
    {"1\r\nx0\r\n\r\n", NULL, 0},
    {"0\r\n\n", NULL, 0},
    {"0\r\nA\r\n\r\n", NULL, 0},
    {"0\r\n A: b\r\n\r\n", NULL, 0},
    {"0\r\nA : b\r\n\r\n", NULL, 0},
    {"0\r\nA: b\n\r\n", NULL, 0},
    {"0\r\nContent-length: 1\r\n\r\n", NULL, 0},
    {"0\r\nA: b\r\nTRANSFER-ENCODING:chunked\r\n\r\n", NULL, 0},
    {"0\r\nHost: a\r\n\r\n", NULL, 0},
    {"0\r\nHost-: a\r\nHos: a\r\nxHost:\r\nContent-lengthx:\r\n\r\n", "",
     0},
    {"0\r\nA: \x01\r\n\r\n", NULL, 0},
    {"0\r\n: b\r\n\r\n", NULL, 0},
    {"1000000000000000\r\n", NULL, 0},
    {"ffffffffffffffffffff\r\n", NULL, 0},
};

struct decoded {
    int rc;
    size_t used, n;
    char data[256];
};

static void decode_piece(struct http_chunked *c, struct decoded *d,
                         const char *p, size_t n)
{
    char *copy = malloc(n ? n : 1);
    memcpy(copy, p, n);
    for (size_t at = 0; d->rc == HTTP_PARSE_MORE && at < n;) {
        size_t used;
        pbay_str data;
        d->rc = http_chunked_step(c, str_n(copy + at, n - at), &used, &data);
        ck_assert(used > 0 || d->rc == HTTP_PARSE_BAD);
        ck_assert(!data.n || (data.p >= copy + at &&
                              data.p + data.n <= copy + at + used));
        ck_assert_uint_le(d->n + data.n, sizeof d->data);
        if (data.n)
            memcpy(d->data + d->n, data.p, data.n);
        d->n += data.n;
        at += used;
        d->used += used;
    }
    free(copy);
}

START_TEST(chunked)
{
    const char *in = chunks[_i].in, *out = chunks[_i].out;
    size_t n = strlen(in);
    for (size_t cut = 0; cut <= n + 1; cut++) { /* n + 1: byte by byte */
        struct http_chunked c = {0};
        struct decoded d = {0};
        if (cut <= n) {
            decode_piece(&c, &d, in, cut);
            decode_piece(&c, &d, in + cut, n - cut);
        } else {
            for (size_t i = 0; i < n; i++)
                decode_piece(&c, &d, in + i, 1);
        }
        ck_assert_msg(d.rc == (out ? HTTP_PARSE_DONE : HTTP_PARSE_BAD),
                      "%s cut at %zu: %d", in, cut, d.rc);
        if (out) {
            ck_assert(str_eq(str_n(d.data, d.n), str_c(out)));
            ck_assert_uint_eq(d.used, n - chunks[_i].rest);
        }
    }
}
END_TEST

static int run_filled(const char *before, size_t n, const char *after)
{
    char *text = malloc(n + 64);
    size_t len = fill(text, before, n, after);
    struct http_chunked c = {0};
    struct decoded d = {0};
    decode_piece(&c, &d, text, len);
    free(text);
    return d.rc;
}

START_TEST(chunked_bounds)
{
    ck_assert_int_eq(run_filled("0;", LIM_HTTP_CHUNK_EXT - 16, "\r\n\r\n"),
                     HTTP_PARSE_DONE);
    ck_assert_int_eq(run_filled("0;", LIM_HTTP_CHUNK_EXT, "\r\n\r\n"),
                     HTTP_PARSE_BAD);
    ck_assert_int_eq(
        run_filled("0\r\nA:", LIM_HTTP_TRAILERS - 16, "\r\n\r\n"),
        HTTP_PARSE_DONE);
    ck_assert_int_eq(run_filled("0\r\nA:", LIM_HTTP_TRAILERS, "\r\n\r\n"),
                     HTTP_PARSE_BAD);
    /* An endless one is refused before its end, too. */
    ck_assert_int_eq(run_filled("0\r\nA:", LIM_HTTP_TRAILERS * 2, ""),
                     HTTP_PARSE_BAD);
}
END_TEST

/* ---------------------------------------------------------------- paths */

static const struct {
    const char *in, *out;
} paths[] = {
    {"/", "/"},
    {"/v1/models/a%2Fb%2fc", "/v1/models/a/b/c"},
    {"/%41%7a%C3%A4", "/Az\xc3\xa4"},
    {"/...", "/..."},
    {"/a..", "/a.."},
    {"/%", NULL},
    {"/%2", NULL},
    {"/%2g", NULL},
    {"/%00", NULL},
    {"/%0a", NULL},
    {"/%7f", NULL},
    {"/%2e%2E/x", NULL},
    {"/a/.%2e", NULL},
    {"/a%2f..%2fb", NULL},
};

START_TEST(decoded_paths)
{
    char dst[64];
    pbay_str in = str_c(paths[_i].in);
    int64_t n = http_decode_path(in, dst, sizeof dst);
    if (!paths[_i].out) {
        ck_assert_int_eq(n, -1);
        return;
    }
    ck_assert_int_eq(n, (int64_t)strlen(paths[_i].out));
    ck_assert_int_eq(memcmp(dst, paths[_i].out, (size_t)n), 0);
    /* no room: refused, not cut */
    ck_assert_int_eq(http_decode_path(in, dst, (size_t)n - 1), -1);
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof *(table)))

int main(void)
{
    Suite *s = suite_create("http_parse");
    TCase *t = tcase_create("all");
    tcase_add_loop_test(t, good_heads, 0, COUNT(good));
    tcase_add_loop_test(t, bad_heads, 0, COUNT(bad));
    tcase_add_test(t, nul_bytes);
    tcase_add_test(t, beginnings);
    tcase_add_test(t, bounds);
    tcase_add_test(t, lookup);
    tcase_add_loop_test(t, chunked, 0, COUNT(chunks));
    tcase_add_test(t, chunked_bounds);
    tcase_add_loop_test(t, decoded_paths, 0, COUNT(paths));
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
