/* SPDX-License-Identifier: MIT */
/* Reading values of checked JSON text in place.  Whatever the bytes are,
 * nothing here reads outside of the text it was given. */
#include <patchbay/json.h>

#include <float.h>

#include "scan.h"

/* ------------------------------------------------------------- unescaping */

static int hex4(const char *p)
{
    int v = 0;

    for (int i = 0; i < 4; i++) {
        int d = scan_hex(p[i]);
        if (d < 0)
            return -1;
        v = v * 16 + d;
    }
    return v;
}

static size_t put_utf8(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

/* \uXXXX at *p, and the second half of a pair behind it. */
static size_t unicode_step(const char **p, const char *end, char out[4])
{
    const char *s = *p;
    int c = end - s >= 6 ? hex4(s + 2) : -1;

    if (c < 0) {
        out[0] = *s;
        *p = s + 1;
        return 1;
    }
    *p = s + 6;
    if (c < 0xd800 || c > 0xdfff)
        return put_utf8((uint32_t)c, out);
    if (c < 0xdc00 && end - s >= 12 && s[6] == '\\' && s[7] == 'u') {
        int low = hex4(s + 8);
        if (low >= 0xdc00 && low <= 0xdfff) {
            *p = s + 12;
            return put_utf8(0x10000 + ((uint32_t)(c - 0xd800) << 10) +
                                (uint32_t)(low - 0xdc00),
                            out);
        }
    }
    return put_utf8(0xfffd, out);
}

size_t pbay_scan_step(const char **p, const char *end, char out[4])
{
    const char *s = *p;

    out[0] = *s;
    if (*s != '\\' || end - s < 2) {
        *p = s + 1;
        return 1;
    }
    switch (s[1]) {
    case 'u':
        return unicode_step(p, end, out);
    case 'b':
        out[0] = '\b';
        break;
    case 'f':
        out[0] = '\f';
        break;
    case 'n':
        out[0] = '\n';
        break;
    case 'r':
        out[0] = '\r';
        break;
    case 't':
        out[0] = '\t';
        break;
    case '"':
    case '\\':
    case '/':
        out[0] = s[1];
        break;
    default:
        *p = s + 1;
        return 1;
    }
    *p = s + 2;
    return 1;
}

/* Does the text between the quotes read as `text` does? */
static int inner_is(pbay_str inner, const char *text, size_t n)
{
    const char *p = inner.p, *end = inner.p + inner.n;
    char out[4];

    if (inner.n < n) /* an escape is never shorter than what it stands for */
        return 0;
    if (n && *p != *text && *p != '\\') /* most names end here */
        return 0;
    if (inner.n == n && memcmp(p, text, n) == 0 && !memchr(p, '\\', n))
        return 1;
    while (p < end) {
        size_t m = pbay_scan_step(&p, end, out);
        if (m > n || memcmp(out, text, m) != 0)
            return 0;
        text += m;
        n -= m;
    }
    return n == 0;
}

/* The text between the quotes of a string value; 0 if it is none. */
static int inner_of(pbay_str value, pbay_str *inner)
{
    if (value.n < 2 || value.p[0] != '"' || value.p[value.n - 1] != '"')
        return 0;
    *inner = (pbay_str){value.p + 1, value.n - 2};
    return 1;
}

int64_t pbay_json_unescape(pbay_str value, char *dst, size_t room)
{
    pbay_str inner;
    const char *p, *end;
    char *to = dst, out[4];

    if (!inner_of(value, &inner))
        return PBAY_JSON_TYPE;
    p = inner.p;
    end = p + inner.n;
    while (p < end) {
        const char *slash = memchr(p, '\\', (size_t)(end - p));
        size_t run = (size_t)((slash ? slash : end) - p);
        if (run > room)
            return PBAY_JSON_TYPE;
        if (run) {
            memcpy(to, p, run);
            to += run;
            p += run;
            room -= run;
        }
        if (p < end) {
            size_t n = pbay_scan_step(&p, end, out);
            if (n > room)
                return PBAY_JSON_TYPE;
            memcpy(to, out, n);
            to += n;
            room -= n;
        }
    }
    return to - dst;
}

size_t pbay_json_unescape_part(pbay_str value, size_t *pos, char *dst,
                               size_t room)
{
    pbay_str inner;
    const char *p, *end;
    size_t n = 0;

    if (!inner_of(value, &inner) || *pos > inner.n)
        return 0;
    p = inner.p + *pos;
    end = inner.p + inner.n;
    /* Four bytes are the longest character, as it stands or unescaped. */
    while (p < end && room - n >= 4) {
        size_t m = 0;
        if ((unsigned char)*p >= 0x80)
            m = scan_utf8(p, end);
        if (m) {
            memcpy(dst + n, p, m);
            n += m;
            p += m;
        } else {
            char out[4];
            m = pbay_scan_step(&p, end, out);
            memcpy(dst + n, out, m);
            n += m;
        }
    }
    *pos = (size_t)(p - inner.p);
    return n;
}

int pbay_json_is(pbay_str value, const char *text)
{
    pbay_str inner;

    return inner_of(value, &inner) && inner_is(inner, text, strlen(text));
}

/* ---------------------------------------------------------------- walking */

/* The quote is at p; behind the closing one, or end. */
static const char *skip_string(const char *p, const char *end)
{
    p++;
    for (;;) {
        p = scan_plain(p, end);
        if (p == end)
            return end;
        if (*p == '"')
            return p + 1;
        if (*p == '\\') {
            if (end - p < 2)
                return end;
            p++;
        }
        p++;
    }
}

/* Behind the value at p; end if it never closes. */
static const char *skip_value(const char *p, const char *end)
{
    size_t depth = 0;

    do {
        switch (*p) {
        case '"':
            p = skip_string(p, end);
            break;
        case '{':
        case '[':
            depth++;
            p++;
            break;
        case '}':
        case ']':
            if (!depth)
                return p;
            depth--;
            p++;
            break;
        case ',':
            if (!depth)
                return p;
            p++;
            break;
        default:
            if (!depth && scan_is_space(*p))
                return p;
            p++;
            break;
        }
        if (!depth && p < end && (p[-1] == '"' || p[-1] == '}' || p[-1] == ']'))
            return p;
    } while (p < end);
    return p;
}

int pbay_json_next(pbay_str container, size_t *pos, pbay_str *key,
                   pbay_str *value)
{
    const char *end, *p;
    int object;

    if (key)
        *key = (pbay_str){NULL, 0};
    *value = (pbay_str){NULL, 0};
    if (!container.n || *pos >= container.n)
        return 0;
    end = container.p + container.n;
    object = container.p[0] == '{';
    if (!object && container.p[0] != '[')
        return 0;
    p = scan_space(container.p + (*pos ? *pos : 1), end);
    if (*pos && p < end && *p == ',')
        p = scan_space(p + 1, end);
    *pos = container.n;
    if (p == end || *p == '}' || *p == ']')
        return 0;
    if (object) {
        const char *from = p;
        if (*p != '"')
            return 0;
        p = skip_string(p, end);
        if (key)
            *key = (pbay_str){from + 1, (size_t)(p - from) - 1};
        if (key && key->n && p[-1] == '"')
            key->n--;
        p = scan_space(p, end);
        if (p == end || *p != ':')
            return 0;
        p = scan_space(p + 1, end);
        if (p == end)
            return 0;
    }
    *value = (pbay_str){p, 0};
    p = skip_value(p, end);
    value->n = (size_t)(p - value->p);
    *pos = (size_t)(p - container.p);
    return value->n > 0;
}

pbay_str pbay_json_get(pbay_str object, const char *name)
{
    pbay_str key, value;
    size_t pos = 0, n = strlen(name);

    if (object.n && object.p[0] == '{')
        while (pbay_json_next(object, &pos, &key, &value))
            if (inner_is(key, name, n))
                return value;
    return (pbay_str){NULL, 0};
}

pbay_str pbay_json_find(const pbay_kv *members, size_t n, const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < n; i++)
        if (members[i].k.n >= len && inner_is(members[i].k, name, len))
            return members[i].v;
    return (pbay_str){NULL, 0};
}

/* ----------------------------------------------------------------- values */

char pbay_json_type(pbay_str value)
{
    if (!value.n)
        return 0;
    switch (value.p[0]) {
    case '"':
        return 's';
    case '{':
        return 'o';
    case '[':
        return 'a';
    case 't':
    case 'f':
        return 'b';
    case 'n':
        return '0';
    default:
        return value.p[0] == '-' || scan_is_digit(value.p[0]) ? 'n' : 0;
    }
}

int pbay_json_true(pbay_str value)
{
    return value.n == 4 && memcmp(value.p, "true", 4) == 0;
}

int pbay_json_i64(pbay_str value, int64_t *out)
{
    const char *p = value.p, *end = value.n ? value.p + value.n : value.p;
    int minus = p < end && *p == '-';
    uint64_t v = 0;

    if (minus)
        p++;
    if (p == end)
        return PBAY_JSON_TYPE;
    for (; p < end; p++) {
        if (!scan_is_digit(*p))
            return PBAY_JSON_TYPE;
        if (v > (uint64_t)INT64_MAX / 10)
            return PBAY_JSON_TYPE;
        v = v * 10 + (uint64_t)(*p - '0');
        if (v > (uint64_t)INT64_MAX + (minus ? 1u : 0u))
            return PBAY_JSON_TYPE;
    }
    if (!minus)
        *out = (int64_t)v;
    else
        *out = v > (uint64_t)INT64_MAX ? INT64_MIN : -(int64_t)v;
    return 0;
}

/* m * 10^e.  Exactly rounded while both fit a double; else with the precision
 * of a long double. */
static double scale(uint64_t m, int64_t e)
{
    static const double small[] = {
        1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
        1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    uint64_t left = e < 0 ? (uint64_t)-e : (uint64_t)e;
    long double by = 1.0L, ten = 10.0L;

    if (m <= UINT64_C(1) << 53 && left <= 22)
        return e < 0 ? (double)m / small[left] : (double)m * small[left];
    for (; left; left >>= 1) {
        if (left & 1)
            by *= ten;
        ten *= ten;
    }
    return (double)(e < 0 ? (long double)m / by : (long double)m * by);
}

/* The exponent's digits at p; a bound on it changes no result. */
static int64_t exponent(const char *p, const char *end)
{
    int minus = p < end && *p == '-';
    int64_t e = 0;

    if (p < end && (*p == '-' || *p == '+'))
        p++;
    for (; p < end && scan_is_digit(*p) && e < 1000000; p++)
        e = e * 10 + (*p - '0');
    return minus ? -e : e;
}

int pbay_json_f64(pbay_str value, double *out)
{
    const char *p = value.p, *end = value.n ? value.p + value.n : value.p;
    int minus, point = 0;
    uint64_t m = 0;
    int64_t e = 0;
    double v;

    if (pbay_json_type(value) != 'n')
        return PBAY_JSON_TYPE;
    minus = *p == '-';
    if (minus)
        p++;
    for (; p < end && (scan_is_digit(*p) || (*p == '.' && !point)); p++) {
        if (*p == '.') {
            point = 1;
            continue;
        }
        /* What no longer fits is far below the precision of the result. */
        if (m <= (UINT64_MAX - 9) / 10) {
            m = m * 10 + (uint64_t)(*p - '0');
            e -= point;
        } else {
            e += !point;
        }
    }
    if (p < end && (*p == 'e' || *p == 'E'))
        e += exponent(p + 1, end);
    if (e > 5000)
        e = 5000;
    v = m == 0 || e < -5000 ? 0.0 : scale(m, e);
    if (v > DBL_MAX)
        return PBAY_JSON_TYPE;
    *out = minus ? -v : v;
    return 0;
}
