/* SPDX-License-Identifier: MIT */
/* Inside the JSON helpers: finding the next byte of a string that matters, and
 * judging one UTF-8 character.  Never reads at or past `end`. */
#ifndef PBAY_SCAN_H
#define PBAY_SCAN_H

#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <x86intrin.h>
#endif

static inline int scan_is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline int scan_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline const char *scan_space(const char *p, const char *end)
{
    while (p < end && scan_is_space(*p))
        p++;
    return p;
}

#if !defined(__SSE2__)
/* The high bit of each byte of `w` that is a quote, a backslash, a control
 * character or not ASCII.  Borrows can mark a byte that follows a marked one,
 * never miss the first. */
static inline uint64_t scan_marks(uint64_t w)
{
    const uint64_t one = UINT64_C(0x0101010101010101);
    const uint64_t high = UINT64_C(0x8080808080808080);
    uint64_t quote = w ^ (one * '"');
    uint64_t slash = w ^ (one * '\\');

    return ((quote - one) | (slash - one) | (w - one * 0x20) | w) & high;
}
#endif

/* The first byte in [p, end) that is a quote, a backslash, a control character
 * or not ASCII; end if there is none. */
static inline const char *scan_plain(const char *p, const char *end)
{
#if defined(__SSE2__)
    const __m128i quote = _mm_set1_epi8('"');
    const __m128i slash = _mm_set1_epi8('\\');
    const __m128i space = _mm_set1_epi8(0x20);

    while (end - p >= 16) {
        __m128i v;
        memcpy(&v, p, sizeof v);
        /* Signed: what is not ASCII is below zero, so below 0x20 too. */
        __m128i bad = _mm_or_si128(
            _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash)),
            _mm_cmplt_epi8(v, space));
        int mask = _mm_movemask_epi8(bad);
        if (mask)
            return p + _bit_scan_forward(mask);
        p += 16;
    }
#else
    while (end - p >= 8) {
        uint64_t w;
        memcpy(&w, p, sizeof w);
        if (scan_marks(w))
            break;
        p += 8;
    }
#endif
    while (p < end) {
        unsigned char c = (unsigned char)*p;
        if (c < 0x20 || c >= 0x80 || c == '"' || c == '\\')
            break;
        p++;
    }
    return p;
}

/* The length of the UTF-8 character at p (not ASCII), or 0 if it is none:
 * overlong forms, surrogates and what is past U+10FFFF are none.
 * Source: The Unicode Standard, table 3-7. */
static inline size_t scan_utf8(const char *p, const char *end)
{
    const unsigned char *s = (const unsigned char *)p;
    size_t left = (size_t)(end - p);
    unsigned char c = s[0];

    if (c >= 0xc2 && c <= 0xdf)
        return left >= 2 && (s[1] & 0xc0) == 0x80 ? 2 : 0;
    if (c >= 0xe0 && c <= 0xef) {
        if (left < 3 || (s[1] & 0xc0) != 0x80 || (s[2] & 0xc0) != 0x80)
            return 0;
        if ((c == 0xe0 && s[1] < 0xa0) || (c == 0xed && s[1] > 0x9f))
            return 0;
        return 3;
    }
    if (c >= 0xf0 && c <= 0xf4) {
        if (left < 4 || (s[1] & 0xc0) != 0x80 || (s[2] & 0xc0) != 0x80 ||
            (s[3] & 0xc0) != 0x80)
            return 0;
        if ((c == 0xf0 && s[1] < 0x90) || (c == 0xf4 && s[1] > 0x8f))
            return 0;
        return 4;
    }
    return 0;
}

/* The value of a hexadecimal digit, or -1. */
static inline int scan_hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* One step of unescaping: what stands at *p (a plain byte or an escape) is
 * written to out (at most 4 bytes) and *p moved on.  The number of bytes; an
 * unpaired surrogate is U+FFFD; a backslash that starts no escape is itself. */
size_t pbay_scan_step(const char **p, const char *end, char out[4]);

#endif
