/* SPDX-License-Identifier: MIT */
/* Durations and sizes as people write them. */
#include "config/parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

struct unit {
    const char *name;
    int64_t of; /* in milliseconds or bytes */
};

/* The largest first; the plain one, "", is only read. */
static const struct unit times[] = {{"d", 86400000}, {"h", 3600000},
                                    {"m", 60000},    {"s", 1000},
                                    {"ms", 1},       {"", 1000}};
static const struct unit sizes[] = {{"G", (int64_t)1 << 30},
                                    {"M", (int64_t)1 << 20},
                                    {"K", (int64_t)1 << 10},
                                    {"", 1}};
#define N_TIMES (sizeof times / sizeof *times)
#define N_SIZES (sizeof sizes / sizeof *sizes)

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* DIGITS[.DIGITS]UNIT without the help of strtod(), which reads the point by
 * the locale.  The fraction counts to a millionth. */
static int measure(pbay_str s, const struct unit *units, size_t n, int64_t *out)
{
    int64_t whole = 0, part = 0, of_part = 1;
    size_t i = 0;
    for (; i < s.n && is_digit(s.p[i]); i++) {
        if (whole > INT64_MAX / 10 - 1)
            return -ERANGE;
        whole = whole * 10 + (s.p[i] - '0');
    }
    if (!i)
        return -EINVAL;
    if (i < s.n && s.p[i] == '.') {
        size_t point = i++;
        for (; i < s.n && is_digit(s.p[i]); i++) {
            if (of_part < 1000000) {
                part = part * 10 + (s.p[i] - '0');
                of_part *= 10;
            }
        }
        if (i == point + 1)
            return -EINVAL;
    }
    pbay_str unit = str_n(s.p + i, s.n - i);
    for (size_t u = 0; u < n; u++) {
        if (!str_is(unit, units[u].name))
            continue;
        if (whole > INT64_MAX / units[u].of - 1)
            return -ERANGE;
        /* of < 2^31, part < 10^6: no overflow */
        *out = whole * units[u].of + part * units[u].of / of_part;
        return 0;
    }
    return -EINVAL;
}

int cfg_duration(pbay_str s, int64_t *ms)
{
    return measure(str_trim(s), times, N_TIMES, ms);
}

int cfg_size(pbay_str s, int64_t *bytes)
{
    s = str_trim(s);
    if (s.n > 2 && s.p[s.n - 2] == 'i' && s.p[s.n - 1] == 'B')
        s.n -= 2; /* "64KiB" */
    return measure(s, sizes, N_SIZES, bytes);
}

static const char *text(int64_t v, const struct unit *units, size_t n,
                        char dst[32])
{
    for (size_t u = 0; u < n; u++) {
        if (v && v % units[u].of == 0) {
            snprintf(dst, 32, "%" PRId64 "%s", v / units[u].of, units[u].name);
            break;
        }
    }
    return dst;
}

const char *cfg_duration_text(int64_t ms, char dst[32])
{
    snprintf(dst, 32, "0s");
    return text(ms, times, N_TIMES, dst);
}

const char *cfg_size_text(int64_t bytes, char dst[32])
{
    snprintf(dst, 32, "0");
    return text(bytes, sizes, N_SIZES, dst);
}
