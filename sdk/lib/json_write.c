/* SPDX-License-Identifier: MIT */
/* Writing JSON text piece by piece into memory of the caller's choice. */
#include <patchbay/json.h>

#include <inttypes.h>
#include <stdio.h>

#include "scan.h"

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

/* Room for n more bytes, or failed. */
static int out_room(pbay_out *o, size_t n)
{
    size_t want;
    char *p;

    if (o->failed)
        return 0;
    if (o->room - o->n >= n)
        return 1;
    want = o->room < 256 ? 256 : o->room;
    if (n > SIZE_MAX / 4 || o->n > SIZE_MAX / 4 || want > SIZE_MAX / 4 ||
        !o->grow)
        goto full;
    want = want * 2 < o->n + n ? o->n + n : want * 2;
    p = o->grow(o->arg, o->p, o->n, want);
    if (!p)
        goto full;
    o->p = p;
    o->room = want;
    return 1;
full:
    o->failed = 1;
    return 0;
}

void pbay_out_raw(pbay_out *o, pbay_str bytes)
{
    if (bytes.n && out_room(o, bytes.n)) {
        memcpy(o->p + o->n, bytes.p, bytes.n);
        o->n += bytes.n;
    }
}

void pbay_out_cstr(pbay_out *o, const char *s)
{
    pbay_out_raw(o, (pbay_str){s, strlen(s)});
}

void pbay_out_i64(pbay_out *o, int64_t v)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRId64, v);
    pbay_out_cstr(o, text);
}

/* A byte of ASCII that can't stand in a string as it is. */
static void out_escape(pbay_out *o, unsigned char c)
{
    static const char digits[] = "0123456789abcdef";
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *short_form = c ? strchr(from, c) : NULL;
    char text[6] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};

    if (short_form) {
        text[1] = to[short_form - from];
        pbay_out_raw(o, (pbay_str){text, 2});
    } else {
        pbay_out_raw(o, (pbay_str){text, 6});
    }
}

void pbay_out_string(pbay_out *o, pbay_str text)
{
    const char *p = text.n ? text.p : "", *end = p + text.n;

    pbay_out_cstr(o, "\"");
    while (p < end && !o->failed) {
        const char *run = p;
        size_t n = 0;
        while ((p = scan_plain(p, end)) < end && (unsigned char)*p >= 0x80 &&
               (n = scan_utf8(p, end)) > 0)
            p += n;
        pbay_out_raw(o, (pbay_str){run, (size_t)(p - run)});
        if (p == end)
            break;
        if ((unsigned char)*p >= 0x80)
            pbay_out_cstr(o, replacement);
        else
            out_escape(o, (unsigned char)*p);
        p++;
    }
    pbay_out_cstr(o, "\"");
}
