/* SPDX-License-Identifier: MIT */
/* Exact decimal numbers. */
#include "text/number.h"

#include <string.h>

#include "base/str.h"

#define FAR ((int64_t)1 << 50)

static int digit(const struct num *a, size_t i)
{
    return a->p[i < a->dot ? i : i + 1] - '0';
}

static int64_t exponent(pbay_str s)
{
    bool negative = s.n && *s.p == '-';
    int64_t x = 0;

    for (size_t i = s.n && (*s.p == '-' || *s.p == '+') ? 1 : 0; i < s.n; i++)
        if (x < FAR)
            x = x * 10 + (s.p[i] - '0');
    if (x > FAR)
        x = FAR;
    return negative ? -x : x;
}

struct num num_read(pbay_str text)
{
    struct num a = {.negative = text.n && *text.p == '-'};
    const char *mark;
    size_t n;

    if (a.negative)
        text = str_n(text.p + 1, text.n - 1);
    a.p = text.p;
    for (n = 0; n < text.n && text.p[n] != 'e' && text.p[n] != 'E'; n++)
        ;
    if (n < text.n)
        a.e = exponent(str_n(text.p + n + 1, text.n - n - 1));
    mark = n ? memchr(text.p, '.', n) : NULL;
    a.dot = mark ? (size_t)(mark - text.p) : n;
    a.to = mark ? n - 1 : n;
    a.e -= (int64_t)(a.to - a.dot);
    while (a.from < a.to && digit(&a, a.from) == 0)
        a.from++;
    while (a.from < a.to && digit(&a, a.to - 1) == 0) {
        a.to--;
        a.e++;
    }
    if (a.from == a.to)
        a = (struct num){.p = a.p};
    return a;
}

/* Without the sign. */
static int compare_size(const struct num *a, const struct num *b)
{
    size_t n = a->to - a->from, m = b->to - b->from;
    int64_t x = (int64_t)n + a->e, y = (int64_t)m + b->e;

    if (!n || !m)
        return (n > 0) - (m > 0);
    if (x != y)
        return x > y ? 1 : -1;
    for (size_t i = 0; i < n || i < m; i++) {
        int c = (i < n ? digit(a, a->from + i) : 0) -
                (i < m ? digit(b, b->from + i) : 0);
        if (c)
            return c > 0 ? 1 : -1;
    }
    return 0;
}

int num_compare(const struct num *a, const struct num *b)
{
    if (a->negative != b->negative)
        return a->negative ? -1 : 1;
    return a->negative ? -compare_size(a, b) : compare_size(a, b);
}

bool num_is_whole(const struct num *a)
{
    return a->from == a->to || a->e >= 0;
}

bool num_may_divide(const struct num *by)
{
    return !by->negative && by->to > by->from &&
           by->to - by->from <= NUM_DIVISOR;
}

static uint64_t times(uint64_t a, uint64_t b, uint64_t m)
{
    return (uint64_t)((unsigned __int128)a * b % m);
}

static uint64_t power_of_ten(int64_t e, uint64_t m)
{
    uint64_t r = 1 % m, base = 10 % m;

    for (; e > 0; e >>= 1) {
        if (e & 1)
            r = times(r, base, m);
        base = times(base, base, m);
    }
    return r;
}

/* Neither ends in a zero: if the divisor has fewer decimals to the right, it
 * has a factor 10 that the other lacks, and does not go into it. */
bool num_is_multiple(const struct num *a, const struct num *by)
{
    uint64_t m = 0, rest = 0;

    if (a->from == a->to)
        return true;
    if (a->e < by->e)
        return false;
    for (size_t i = by->from; i < by->to; i++)
        m = m * 10 + (uint64_t)digit(by, i);
    for (size_t i = a->from; i < a->to; i++)
        rest =
            (uint64_t)(((unsigned __int128)rest * 10 + (unsigned)digit(a, i)) %
                       m);
    return times(rest, power_of_ten(a->e - by->e, m), m) == 0;
}

int num_count(const struct num *a, uint64_t *out)
{
    uint64_t v = 0;

    if (a->negative || !num_is_whole(a) ||
        (a->to > a->from && (int64_t)(a->to - a->from) + a->e > 16))
        return -1;
    for (size_t i = a->from; i < a->to; i++)
        v = v * 10 + (uint64_t)digit(a, i);
    for (int64_t e = a->from == a->to ? 0 : a->e; e > 0; e--)
        v *= 10;
    if (v > (uint64_t)1 << 53)
        return -1;
    *out = v;
    return 0;
}
