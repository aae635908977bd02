/* SPDX-License-Identifier: MIT */
/* Making other people's text harmless for a terminal. */
#include "config.h"

#include "cli/plain.h"

#include <string.h>

#include "base/str.h"

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

int utf8_length(const unsigned char *p, size_t n)
{
    unsigned low = 0x80, high = 0xbf; /* bounds of the second byte */
    int len;

    if (!n)
        return 0;
    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xc2 && p[0] <= 0xdf)
        len = 2;
    else if (p[0] >= 0xe0 && p[0] <= 0xef)
        len = 3;
    else if (p[0] >= 0xf0 && p[0] <= 0xf4)
        len = 4;
    else
        return -1;
    if (p[0] == 0xe0)
        low = 0xa0;
    else if (p[0] == 0xed)
        high = 0x9f;
    else if (p[0] == 0xf0)
        low = 0x90;
    else if (p[0] == 0xf4)
        high = 0x8f;
    for (int i = 1; i < len; i++) {
        if ((size_t)i >= n)
            return 0;
        if (p[i] < low || p[i] > high)
            return -1;
        low = 0x80;
        high = 0xbf;
    }
    return len;
}

size_t utf8_valid(pbay_str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t at = 0;

    while (at < s.n) {
        int len = utf8_length(p + at, s.n - at);
        if (len <= 0)
            break;
        at += (size_t)len;
    }
    return at;
}

static int put_control(unsigned c, struct buf *out)
{
    if (c == '\n' || c == '\t')
        return buf_add(out, str_n(c == '\n' ? "\n" : "\t", 1));
    if (c >= 0x80)
        return buf_printf(out, "<U+%04X>", c);
    return buf_printf(out, "^%c", (int)(c ^ 0x40));
}

/* One whole character of `len` bytes, or an invalid one (len < 0). */
static int put_char(const unsigned char *c, int len, struct buf *out)
{
    if (len < 0)
        return buf_addc(out, replacement);
    if (len == 1 && (c[0] < 0x20 || c[0] == 0x7f))
        return put_control(c[0], out);
    if (len == 2 && c[0] == 0xc2 && c[1] < 0xa0)
        return put_control(c[1], out);
    return buf_add(out, str_n((const char *)c, (size_t)len));
}

/* Take characters off the front of p[0..n) and return how many bytes. */
static size_t take_one(struct plain *s, const unsigned char *p, size_t n,
                       struct buf *out, int *rc)
{
    int len = utf8_length(p, n);

    if (!len)
        return 0;
    if (s->cr) {
        s->cr = false;
        if (p[0] != '\n')
            *rc = put_control('\r', out);
    }
    if (p[0] == '\r')
        s->cr = true;
    else if (!*rc)
        *rc = put_char(p, len, out);
    return len < 0 ? 1 : (size_t)len;
}

int plain_feed(struct plain *s, pbay_str in, struct buf *out)
{
    const unsigned char *p = (const unsigned char *)in.p;
    size_t n = in.n;
    int rc = 0;

    /* A character that began in an earlier piece: byte by byte. */
    while (s->n && n && !rc) {
        size_t used;
        s->part[s->n++] = *p++;
        n--;
        while (s->n && (used = take_one(s, s->part, s->n, out, &rc))) {
            s->n -= used;
            memmove(s->part, s->part + used, s->n);
        }
    }
    while (n && !rc) {
        size_t used = take_one(s, p, n, out, &rc);
        if (!used) {
            memcpy(s->part, p, n);
            s->n = n;
            break;
        }
        p += used;
        n -= used;
    }
    return rc;
}

int plain_end(struct plain *s, struct buf *out)
{
    int rc = 0;

    if (s->cr)
        rc = put_control('\r', out);
    if (!rc && s->n)
        rc = buf_addc(out, replacement);
    *s = (struct plain){0};
    return rc;
}
