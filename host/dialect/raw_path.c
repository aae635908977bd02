/* SPDX-License-Identifier: MIT */
/* Paths of raw calls; the rules are in raw_path.h. */
#include "dialect/raw_path.h"

#include "base/str.h"

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes one part into dst, which has room for it; -1: a bad escape. */
static int64_t decode(pbay_str part, char *dst)
{
    size_t n = 0;

    for (size_t i = 0; i < part.n; i++) {
        int c = (unsigned char)part.p[i];
        if (c == '%') {
            bool both = part.n - i > 2;
            int hi = both ? hex(part.p[i + 1]) : -1;
            int lo = both ? hex(part.p[i + 2]) : -1;
            if (hi < 0 || lo < 0)
                return -1;
            c = hi << 4 | lo;
            i += 2;
        }
        dst[n++] = (char)c;
    }
    return (int64_t)n;
}

/* "." or "..", also with what some servers take for parameters behind it. */
static bool is_dots(pbay_str part)
{
    pbay_str name = str_cut(&part, ';');

    return str_is(name, ".") || str_is(name, "..");
}

static const char *look_at_bytes(pbay_str s)
{
    while (s.n) {
        size_t n = str_utf8(s, NULL);
        unsigned char c = (unsigned char)s.p[0];
        if (!n)
            return "the path holds bytes that are not UTF-8";
        if (c < 32 || c == 127)
            return "the path holds a control character";
        if (c == '\\')
            return "the path holds a backslash";
        if (c == '%' && s.n > 2 && hex(s.p[1]) >= 0 && hex(s.p[2]) >= 0)
            return "the path is percent-encoded twice";
        s = str_n(s.p + n, s.n - n);
    }
    return NULL;
}

static const char *look_at(pbay_str part)
{
    const char *why = look_at_bytes(part);

    while (!why && part.p) {
        if (is_dots(str_cut(&part, '/')))
            why = "the path must not hold \".\" or \"..\"";
    }
    return why;
}

static bool plain(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
           (c >= 'a' && c <= 'z') ||
           (c && c < 128 && memchr("-._~!$&'()*+,;=:@", c, 17));
}

static size_t encode(pbay_str part, char *dst)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t n = 0;

    for (size_t i = 0; i < part.n; i++) {
        unsigned char c = (unsigned char)part.p[i];
        if (plain(c)) {
            dst[n++] = (char)c;
        } else {
            dst[n++] = '%';
            dst[n++] = digits[c >> 4];
            dst[n++] = digits[c & 15];
        }
    }
    return n;
}

/* "https:" with another slash behind the one that ended it. */
static bool begins_url(pbay_str part, pbay_str rest)
{
    return part.n > 1 && part.p[part.n - 1] == ':' && rest.n &&
           rest.p[0] == '/';
}

static int put_parts(pbay_str rest, char *scratch, char *dst, size_t *n,
                     const char **why)
{
    bool slash = true; /* the path ends in one */

    *n = 0;
    while (rest.p) {
        pbay_str part = str_cut(&rest, '/');
        int64_t len = decode(part, scratch);
        slash = !part.n;
        if (len < 0) {
            *why = "the path holds a percent sign without two hex digits";
            return -1;
        }
        *why = begins_url(part, rest)
                   ? "the path must be a path, not a whole URL"
                   : look_at(str_n(scratch, (size_t)len));
        if (*why)
            return -1;
        if (!len)
            continue;
        dst[(*n)++] = '/';
        *n += encode(str_n(scratch, (size_t)len), dst + *n);
    }
    if (slash || !*n)
        dst[(*n)++] = '/';
    return 0;
}

int raw_path(pbay_str path, struct arena *a, pbay_str *provider, pbay_str *out,
             const char **why)
{
    pbay_str rest = path;
    char *dst, *scratch;
    size_t n;

    if (!str_starts(path, "/raw/")) {
        *why = "\"/raw/\" must be written plainly";
        return -1;
    }
    rest = str_n(path.p + 5, path.n - 5);
    *provider = str_cut(&rest, '/');
    for (size_t i = 0; i < provider->n; i++)
        if (!plain((unsigned char)provider->p[i]))
            provider->n = 0;
    if (!provider->n || is_dots(*provider)) {
        *why = "the name of a provider must follow \"/raw/\", plainly";
        return -1;
    }
    scratch = arena_bytes(a, path.n + 1);
    dst = arena_bytes(a, 3 * path.n + 2);
    if (!scratch || !dst) {
        *why = "out of memory";
        return -1;
    }
    if (put_parts(rest, scratch, dst, &n, why) < 0)
        return -1;
    *out = str_n(dst, n);
    return 0;
}

bool raw_query_ok(pbay_str query)
{
    for (size_t i = 0; i < query.n; i++) {
        unsigned char c = (unsigned char)query.p[i];
        if (c <= 32 || c >= 127 || c == '#' || c == '\\')
            return false;
    }
    return true;
}
