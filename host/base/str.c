/* SPDX-License-Identifier: MIT */
/* String views: comparing, cutting, parsing, matching. */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include <openssl/crypto.h>

#include "base/str.h"

#define DISTANCE_MAX 64

static unsigned char lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

bool str_same_letters(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (lower(a[i]) != lower(b[i]))
            return false;
    }
    return true;
}

bool str_starts(pbay_str s, const char *prefix)
{
    size_t n = strlen(prefix);

    return !n || (s.n >= n && memcmp(s.p, prefix, n) == 0);
}

bool str_ends(pbay_str s, const char *suffix)
{
    size_t n = strlen(suffix);

    return !n || (s.n >= n && memcmp(s.p + s.n - n, suffix, n) == 0);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

pbay_str str_trim(pbay_str s)
{
    while (s.n && is_blank(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

pbay_str str_cut(pbay_str *rest, char sep)
{
    pbay_str s = *rest;
    const char *at = s.n ? memchr(s.p, sep, s.n) : NULL;

    if (!at) {
        *rest = STR_NONE;
        return s;
    }
    rest->p = at + 1;
    rest->n = s.n - (size_t)(at + 1 - s.p);
    s.n = (size_t)(at - s.p);
    return s;
}

int str_u64(pbay_str s, uint64_t *out)
{
    uint64_t v = 0;

    for (size_t i = 0; i < s.n; i++) {
        unsigned digit = (unsigned char)s.p[i] - (unsigned)'0';

        if (digit > 9) {
            errno = EINVAL;
            return -1;
        }
        if (v > (UINT64_MAX - digit) / 10) {
            /* Go on to the end: "99999999999999999999x" is no number. */
            for (; i < s.n; i++) {
                if (s.p[i] < '0' || s.p[i] > '9') {
                    errno = EINVAL;
                    return -1;
                }
            }
            errno = ERANGE;
            return -1;
        }
        v = v * 10 + digit;
    }
    if (!s.n) {
        errno = EINVAL;
        return -1;
    }
    *out = v;
    return 0;
}

/* Only the last star is ever gone back to, so the time is at most the product
 * of the lengths. */
bool str_glob(pbay_str s, pbay_str pattern)
{
    size_t i = 0, k = 0;
    size_t star = SIZE_MAX, from = 0; /* place of that star; where it began */

    while (i < s.n) {
        if (k < pattern.n && pattern.p[k] == '*') {
            star = k++;
            from = i;
        } else if (k < pattern.n &&
                   (pattern.p[k] == '?' || pattern.p[k] == s.p[i])) {
            i++;
            k++;
        } else if (star != SIZE_MAX) {
            i = ++from; /* the star takes one byte more */
            k = star + 1;
        } else {
            return false;
        }
    }
    while (k < pattern.n && pattern.p[k] == '*')
        k++;
    return k == pattern.n;
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;

    return m < c ? m : c;
}

/* Optimal string alignment: three rows of the usual table. */
unsigned str_distance(pbay_str a, pbay_str b)
{
    unsigned rows[3][DISTANCE_MAX + 1];
    unsigned *old = rows[0], *last = rows[1], *row = rows[2];

    if (a.n > DISTANCE_MAX || b.n > DISTANCE_MAX)
        return UINT_MAX;
    for (size_t j = 0; j <= b.n; j++) {
        last[j] = (unsigned)j;
        old[j] = 0;
    }
    for (size_t i = 1; i <= a.n; i++) {
        unsigned *spare = old;

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b.n; j++) {
            unsigned cost = a.p[i - 1] != b.p[j - 1];

            row[j] = min3(last[j] + 1, row[j - 1] + 1, last[j - 1] + cost);
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] &&
                a.p[i - 2] == b.p[j - 1] && old[j - 2] + 1 < row[j])
                row[j] = old[j - 2] + 1;
        }
        old = last;
        last = row;
        row = spare;
    }
    return last[b.n];
}

char *str_dup(pbay_str s)
{
    char *p = malloc(s.n + 1);

    if (p) {
        if (s.n)
            memcpy(p, s.p, s.n);
        p[s.n] = '\0';
    }
    return p;
}

bool str_eq_const_time(pbay_str a, pbay_str b)
{
    return a.n == b.n && (!a.n || CRYPTO_memcmp(a.p, b.p, a.n) == 0);
}

/* How long a character is by its first byte, and the range of its second. */
static size_t utf8_lead(unsigned char c, unsigned char *lo, unsigned char *hi)
{
    *lo = 0x80;
    *hi = 0xBF;
    if (c < 0x80)
        return 1;
    if (c < 0xC2)
        return 0;
    if (c < 0xE0)
        return 2;
    if (c < 0xF0) {
        if (c == 0xE0)
            *lo = 0xA0; /* less would be overlong */
        else if (c == 0xED)
            *hi = 0x9F; /* more would be a surrogate */
        return 3;
    }
    if (c > 0xF4)
        return 0;
    if (c == 0xF0)
        *lo = 0x90;
    else if (c == 0xF4)
        *hi = 0x8F; /* more is beyond Unicode */
    return 4;
}

size_t str_utf8(pbay_str s, uint32_t *cp)
{
    const unsigned char *p = (const unsigned char *)s.p;
    unsigned char lo, hi;
    size_t len;
    uint32_t v;

    if (!s.n)
        return 0;
    len = utf8_lead(p[0], &lo, &hi);
    if (!len || len > s.n)
        return 0;
    v = len == 1 ? p[0] : p[0] & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++) {
        if (p[i] < (i == 1 ? lo : 0x80) || p[i] > (i == 1 ? hi : 0xBF))
            return 0;
        v = v << 6 | (p[i] & 0x3Fu);
    }
    if (cp)
        *cp = v;
    return len;
}

pbay_str str_head(pbay_str s, size_t max)
{
    if (s.n <= max)
        return s;
    /* Is the cut inside a character that began up to three bytes earlier? */
    for (size_t back = 1; back <= 3 && back <= max; back++) {
        size_t at = max - back;

        if (((unsigned char)s.p[at] & 0xC0) == 0x80)
            continue;
        if (str_utf8(str_n(s.p + at, s.n - at), NULL) > back)
            max = at;
        break;
    }
    return str_n(s.p, max);
}
