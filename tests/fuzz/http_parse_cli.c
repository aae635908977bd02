/* SPDX-License-Identifier: MIT */
/* What our parser makes of requests, for comparison with others.
 *
 *   http_parse_cli < request     one request
 *   http_parse_cli -b < batch    many: each with its length in front, 4 bytes,
 *                                big-endian
 *
 * A line of JSON for each:
 *   {"head":null,"end":"more"|"bad","why":...}
 *   {"head":{"method","target","minor","keep","headers":[[name,value],...]},
 *    "end":"done"|"more"|"bad","body":...,"used":bytes}
 * with all texts but `end` and `why` in hexadecimal. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "http/parse.h"

static void put_hex(pbay_str s)
{
    putchar('"');
    for (size_t i = 0; i < s.n; i++)
        printf("%02x", (unsigned char)s.p[i]);
    putchar('"');
}

static void put_head(const struct http_head *h)
{
    printf("{\"head\":{\"method\":");
    put_hex(h->method);
    printf(",\"target\":");
    put_hex(h->target);
    printf(",\"minor\":%d,\"keep\":%s,\"headers\":[", h->minor,
           h->keep_alive ? "true" : "false");
    for (size_t i = 0; i < h->n_headers; i++) {
        printf(i ? ",[" : "[");
        put_hex(h->headers[i].k);
        putchar(',');
        put_hex(h->headers[i].v);
        putchar(']');
    }
    printf("]},\"body\":\"");
}

/* The body in hexadecimal; how it ended. */
static const char *put_chunks(pbay_str in, size_t *used)
{
    struct http_chunked c = {0};
    int rc = HTTP_PARSE_MORE;
    *used = 0;
    while (rc == HTTP_PARSE_MORE && *used < in.n) {
        size_t n;
        pbay_str data;
        rc = http_chunked_step(&c, str_n(in.p + *used, in.n - *used), &n,
                               &data);
        for (size_t i = 0; i < data.n; i++)
            printf("%02x", (unsigned char)data.p[i]);
        *used += n;
    }
    return rc == HTTP_PARSE_DONE ? "done" : rc == HTTP_PARSE_BAD ? "bad"
                                                                 : "more";
}

static const char *put_body(const struct http_head *h, pbay_str in,
                            size_t *used)
{
    if (h->chunked)
        return put_chunks(in, used);
    *used = h->length < in.n ? (size_t)h->length : in.n;
    for (size_t i = 0; i < *used; i++)
        printf("%02x", (unsigned char)in.p[i]);
    return *used == h->length ? "done" : "more";
}

static void dump(pbay_str in)
{
    static pbay_kv kv[LIM_HTTP_HEADERS];
    struct http_head head = {.headers = kv, .room = LIM_HTTP_HEADERS};
    size_t used, body_used;
    int rc = http_parse_head(in, 0, LIM_HTTP_URI, LIM_HTTP_HEAD, &head, &used);
    if (rc != HTTP_PARSE_DONE) {
        printf("{\"head\":null,\"end\":\"%s\",\"why\":\"",
               rc == HTTP_PARSE_BAD ? "bad" : "more");
        for (const char *p = rc == HTTP_PARSE_BAD ? head.why : ""; *p; p++)
            printf(*p == '"' || *p == '\\' ? "\\%c" : "%c", *p);
        printf("\"}\n");
        return;
    }
    put_head(&head);
    const char *end = put_body(&head, str_n(in.p + used, in.n - used),
                               &body_used);
    printf("\",\"end\":\"%s\",\"used\":%zu}\n", end, used + body_used);
}

/* A copy of exactly the input's size, so that a read past it is seen. */
static void dump_copy(const unsigned char *p, size_t n)
{
    char *copy = malloc(n ? n : 1);
    if (!copy)
        exit(1);
    memcpy(copy, p, n);
    dump(str_n(copy, n));
    free(copy);
}

int main(int argc, char **argv)
{
    static unsigned char in[1 << 20];
    unsigned char size[4];
    if (argc < 2 || strcmp(argv[1], "-b") != 0) {
        dump_copy(in, fread(in, 1, sizeof in, stdin));
        return 0;
    }
    while (fread(size, 1, 4, stdin) == 4) {
        size_t n = (size_t)size[0] << 24 | (size_t)size[1] << 16 |
                   (size_t)size[2] << 8 | size[3];
        if (n > sizeof in || fread(in, 1, n, stdin) != n) {
            fprintf(stderr, "http_parse_cli: the batch is cut or too large\n");
            return 1;
        }
        dump_copy(in, n);
    }
    return 0;
}
