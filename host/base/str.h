/* SPDX-License-Identifier: MIT */
/* String views (pbay_str) for the host: comparing, cutting, parsing.
 * Nothing here owns memory. */
#ifndef PB_STR_H
#define PB_STR_H

#include <stdbool.h>
#include <string.h>

#include <patchbay/types.h>

/* A view of a literal. */
#define STR(s)   ((pbay_str){(s), sizeof(s) - 1})
#define STR_NONE ((pbay_str){NULL, 0})
/* For printf: "%.*s", STR_ARG(s) */
#define STR_ARG(s) (int)(s).n, (s).n ? (s).p : ""

static inline pbay_str str_c(const char *s)
{
    return s ? (pbay_str){s, strlen(s)} : STR_NONE;
}

static inline pbay_str str_n(const char *p, size_t n)
{
    return (pbay_str){p, n};
}

static inline bool str_eq(pbay_str a, pbay_str b)
{
    return a.n == b.n && (!a.n || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool str_is(pbay_str a, const char *b)
{
    return str_eq(a, str_c(b));
}

/* Two texts of n bytes; ASCII case is ignored. */
bool str_same_letters(const char *a, const char *b, size_t n);
/* Inline, since most that are compared differ in length: headers. */
static inline bool str_ieq(pbay_str a, pbay_str b)
{
    return a.n == b.n && str_same_letters(a.p, b.p, a.n);
}
bool str_starts(pbay_str s, const char *prefix);
bool str_ends(pbay_str s, const char *suffix);
pbay_str str_trim(pbay_str s); /* spaces and tabs at both ends */
/* Cut *rest at the first `sep`: the part before; *rest is what follows, or
 * STR_NONE at the end. */
pbay_str str_cut(pbay_str *rest, char sep);
/* A decimal number without sign: 0; anything else: -1 with errno ERANGE or
 * EINVAL, *out unchanged. */
int str_u64(pbay_str s, uint64_t *out);
/* "*" any run, "?" any byte; the whole of s must match. */
bool str_glob(pbay_str s, pbay_str pattern);
/* How many edits apart: a byte more, less or other, or two neighbours swapped.
 * UINT_MAX, far apart, if either is over 64 bytes. */
unsigned str_distance(pbay_str a, pbay_str b);
/* malloc'd NUL-terminated copy; NULL when memory is out. */
char *str_dup(pbay_str s);
/* Equal? in a time that depends on the lengths alone. */
bool str_eq_const_time(pbay_str a, pbay_str b);
/* Bytes of the UTF-8 character s begins with (RFC 3629: nothing overlong, no
 * surrogates), its code point in *cp (may be NULL); 0: it begins with none. */
size_t str_utf8(pbay_str s, uint32_t *cp);
/* At most max bytes of s, cut between characters (bytes that are no UTF-8 are
 * cut anywhere). */
pbay_str str_head(pbay_str s, size_t max);

#endif
