/* SPDX-License-Identifier: MIT */
/* Decoding of chunked bodies, a piece at a time.  As strict as the heads: no
 * bare LF, no spaces around sizes, extensions by the grammar of RFC 9112 7.1.1
 * and bounded, trailers checked like headers and thrown away; those that would
 * frame a message are refused. */
#include "config.h"

#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "http/parse.h"
#include "http/parse_int.h"

enum {
    CH_SIZE0, /* first digit of a size */
    CH_SIZE,
    CH_EXT0, /* after ';' */
    CH_EXT,
    CH_VALUE0, /* after '=' */
    CH_VALUE,
    CH_QUOTED,
    CH_ESCAPE,
    CH_QUOTED_END,
    CH_SIZE_LF,
    CH_DATA,
    CH_DATA_CR,
    CH_DATA_LF,
    CH_TRAILER0, /* start of a trailer line */
    CH_NAME,
    CH_FIELD,
    CH_FIELD_LF,
    CH_LAST_LF,
    CH_DONE,
    CH_BAD
};

#define SIZE_DIGITS 15 /* 2^60 bytes: no overflow, leading zeros bounded */

static int after_size(char ch)
{
    return ch == '\r' ? CH_SIZE_LF : ch == ';' ? CH_EXT0 : CH_BAD;
}

static int size_digit(struct http_chunked *c, char ch)
{
    int d = http_hex(ch);
    if (d < 0)
        return c->state == CH_SIZE ? after_size(ch) : CH_BAD;
    if (c->state == CH_SIZE0) {
        c->left = 0;
        c->line = 0;
    }
    if (++c->line > SIZE_DIGITS)
        return CH_BAD;
    c->left = c->left << 4 | (unsigned)d;
    return CH_SIZE;
}

/* A byte of an extension, the ';' in front not included. */
static int extension(struct http_chunked *c, char ch)
{
    if (++c->line > LIM_HTTP_CHUNK_EXT)
        return CH_BAD;
    switch (c->state) {
    case CH_EXT0:
        return http_is(ch, HC_TOKEN) ? CH_EXT : CH_BAD;
    case CH_EXT:
        return http_is(ch, HC_TOKEN) ? CH_EXT
               : ch == '='           ? CH_VALUE0
                                     : after_size(ch);
    case CH_VALUE0:
        return ch == '"'               ? CH_QUOTED
               : http_is(ch, HC_TOKEN) ? CH_VALUE
                                       : CH_BAD;
    case CH_VALUE:
        return http_is(ch, HC_TOKEN) ? CH_VALUE : after_size(ch);
    case CH_QUOTED:
        return ch == '"'           ? CH_QUOTED_END
               : ch == '\\'        ? CH_ESCAPE
               : http_is_value(ch) ? CH_QUOTED
                                   : CH_BAD;
    case CH_ESCAPE:
        return http_is_value(ch) ? CH_QUOTED : CH_BAD;
    default: /* CH_QUOTED_END */
        return after_size(ch);
    }
}

/* A byte of a trailer's name: which of the forbidden ones can it still be? */
static int name(struct http_chunked *c, char ch)
{
    static const pbay_str forbidden[] = {PBAY_LIT("content-length"),
                                         PBAY_LIT("transfer-encoding"),
                                         PBAY_LIT("host")};
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++) {
        bool ends = ch == ':' && c->line == forbidden[i].n;
        if (ends && (c->left >> i & 1))
            return CH_BAD;
        if (c->line >= forbidden[i].n || (ch | 0x20) != forbidden[i].p[c->line])
            c->left &= ~((uint64_t)1 << i);
    }
    c->line++;
    return http_is(ch, HC_TOKEN) ? CH_NAME : ch == ':' ? CH_FIELD : CH_BAD;
}

static int trailer(struct http_chunked *c, char ch)
{
    if (++c->trailers > LIM_HTTP_TRAILERS)
        return CH_BAD;
    switch (c->state) {
    case CH_TRAILER0:
        if (ch == '\r')
            return CH_LAST_LF;
        c->left = UINT64_MAX;
        c->line = 0;
        return ch == ':' ? CH_BAD : name(c, ch);
    case CH_NAME:
        return name(c, ch);
    case CH_FIELD:
        return ch == '\r' ? CH_FIELD_LF : http_is_value(ch) ? CH_FIELD : CH_BAD;
    case CH_FIELD_LF:
        return ch == '\n' ? CH_TRAILER0 : CH_BAD;
    default: /* CH_LAST_LF */
        return ch == '\n' ? CH_DONE : CH_BAD;
    }
}

/* The next state after a byte that is not data. */
static int control(struct http_chunked *c, char ch)
{
    switch (c->state) {
    case CH_SIZE0:
    case CH_SIZE:
        return size_digit(c, ch);
    case CH_SIZE_LF:
        return ch != '\n' ? CH_BAD : c->left ? CH_DATA : CH_TRAILER0;
    case CH_DATA_CR:
        return ch == '\r' ? CH_DATA_LF : CH_BAD;
    case CH_DATA_LF:
        return ch == '\n' ? CH_SIZE0 : CH_BAD;
    case CH_BAD:
        return CH_BAD;
    default:
        return c->state < CH_SIZE_LF ? extension(c, ch) : trailer(c, ch);
    }
}

int http_chunked_step(struct http_chunked *c, pbay_str in, size_t *used,
                      pbay_str *data)
{
    size_t at = 0;
    *data = STR_NONE;
    while (at < in.n && c->state != CH_DONE && c->state != CH_BAD) {
        if (c->state == CH_DATA) {
            size_t n = in.n - at;
            if (n > c->left)
                n = (size_t)c->left;
            *data = str_n(in.p + at, n);
            at += n;
            c->left -= n;
            if (!c->left)
                c->state = CH_DATA_CR;
            break;
        }
        c->state = control(c, in.p[at++]);
    }
    *used = at;
    return c->state == CH_DONE  ? HTTP_PARSE_DONE
           : c->state == CH_BAD ? HTTP_PARSE_BAD
                                : HTTP_PARSE_MORE;
}
