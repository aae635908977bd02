/* SPDX-License-Identifier: MIT */
/* Reading a reply's headers: by name, durations, dates, Retry-After; and the
 * small things every codec does with a call. */
#include <patchbay/json.h>
#include <patchbay/wire.h>

#include <string.h>
#include <time.h>

#include "scan.h"
#include "wire_in.h"

#define DAY_MS INT64_C(86400000)

pbay_str pbay_header(const pbay_kv *headers, size_t n, const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < n; i++)
        if (headers[i].k.n == len && memcmp(headers[i].k.p, name, len) == 0)
            return headers[i].v;
    return (pbay_str){NULL, 0};
}

static pbay_str trim(pbay_str s)
{
    while (s.n && scan_is_space(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n && scan_is_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

/* ------------------------------------------------------------- durations */

/* Digits with an optional fraction at *p, in thousandths (what is finer is
 * cut); -1 if there is no digit or too many. */
static int64_t thousandths(const char **p, const char *end)
{
    const char *s = *p;
    int64_t v = 0;
    int digits = 0, decimals = 3;

    for (; s < end && scan_is_digit(*s); s++) {
        if (++digits > 12)
            return -1;
        v = v * 10 + (*s - '0');
    }
    if (s < end && *s == '.')
        for (s++; s < end && scan_is_digit(*s); s++) {
            digits++;
            if (decimals > 0) {
                v = v * 10 + (*s - '0');
                decimals--;
            }
        }
    if (!digits)
        return -1;
    for (; decimals > 0; decimals--)
        v *= 10;
    *p = s;
    return v;
}

/* Milliseconds of the unit at *p, seconds if there is none; 0: unknown. */
static int64_t unit(const char **p, const char *end)
{
    static const struct {
        const char *name;
        size_t n;
        int64_t ms;
    } units[] = {{"ms", 2, 1},
                 {"s", 1, 1000},
                 {"m", 1, 60000},
                 {"h", 1, 3600000},
                 {"d", 1, DAY_MS}};

    if (*p == end)
        return 1000;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if ((size_t)(end - *p) >= units[i].n &&
            memcmp(*p, units[i].name, units[i].n) == 0) {
            *p += units[i].n;
            return units[i].ms;
        }
    return 0;
}

int64_t pbay_duration(pbay_str text)
{
    const char *p, *end;
    int64_t total = 0;

    text = trim(text);
    p = text.n ? text.p : "";
    end = p + text.n;
    if (p == end)
        return -1;
    while (p < end) {
        int64_t v = thousandths(&p, end), ms;
        int bare = p == end && total > 0;
        if (v < 0)
            return -1;
        ms = unit(&p, end);
        if (!ms || bare || v > INT64_MAX / 2 / ms)
            return -1;
        total += v * ms / 1000;
        if (total > INT64_MAX / 4)
            return -1;
    }
    return total;
}

/* ------------------------------------------------------------------ dates */

/* Days since 1970-01-01 of a day of the Gregorian calendar: years are counted
 * from March, so that the leap day comes last. */
static int64_t days(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month > 2 ? year : year - 1;
    int64_t m = month > 2 ? month - 3 : month + 9;

    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 -
           719468;
}

static int number(const char **p, const char *end, int64_t *out)
{
    const char *from = *p;

    *out = 0;
    while (*p < end && scan_is_digit(**p) && *p - from < 9)
        *out = *out * 10 + (*(*p)++ - '0');
    return *p > from;
}

static int month_of(const char *p, const char *end, int64_t *month)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    if (end - p < 3)
        return 0;
    for (*month = 1; *month <= 12; ++*month)
        if (memcmp(p, names + (*month - 1) * 3, 3) == 0)
            return 1;
    return 0;
}

static int clock_of(const char **p, const char *end, int64_t *ms)
{
    int64_t part[3];

    for (int i = 0; i < 3; i++) {
        if (i > 0 && (*p == end || *(*p)++ != ':'))
            return 0;
        if (!number(p, end, &part[i]))
            return 0;
    }
    *ms = ((part[0] * 60 + part[1]) * 60 + part[2]) * 1000;
    return part[0] < 24 && part[1] < 60 && part[2] <= 60;
}

static void skip_any(const char **p, const char *end, const char *set)
{
    while (*p < end && **p && strchr(set, **p))
        ++*p;
}

/* The three forms of RFC 9110, 5.6.7, in milliseconds since 1970; -1. */
static int64_t http_date(pbay_str text)
{
    const char *p = text.n ? text.p : "", *end = p + text.n;
    int64_t day, month, year, ms;

    while (p < end && *p != ' ' && *p != ',') /* the day of the week */
        p++;
    skip_any(&p, end, ", ");
    if (month_of(p, end, &month)) { /* Nov  6 08:49:37 1994 */
        p += 3;
        skip_any(&p, end, " ");
        if (!number(&p, end, &day))
            return -1;
        skip_any(&p, end, " ");
        if (!clock_of(&p, end, &ms))
            return -1;
        skip_any(&p, end, " ");
        if (!number(&p, end, &year))
            return -1;
    } else { /* 06 Nov 1994 08:49:37 GMT, 06-Nov-94 08:49:37 GMT */
        if (!number(&p, end, &day))
            return -1;
        skip_any(&p, end, " -");
        if (!month_of(p, end, &month))
            return -1;
        p += 3;
        skip_any(&p, end, " -");
        if (!number(&p, end, &year))
            return -1;
        skip_any(&p, end, " ");
        if (!clock_of(&p, end, &ms))
            return -1;
    }
    if (year < 100)
        year += year < 70 ? 2000 : 1900;
    if (day < 1 || day > 31 || year < 1970 || year > 9999)
        return -1;
    return days(year, month, day) * DAY_MS + ms;
}

/* ------------------------------------------------------------ retry after */

int64_t pbay_retry_after(const pbay_kv *headers, size_t n, int64_t now_unix_ms)
{
    pbay_str v = trim(pbay_header(headers, n, "retry-after-ms"));
    const char *p = v.p;
    int64_t ms = -1;

    if (v.n) {
        ms = thousandths(&p, v.p + v.n);
        ms = ms < 0 || p != v.p + v.n ? -1 : ms / 1000;
    }
    v = trim(pbay_header(headers, n, "retry-after"));
    if (ms < 0 && v.n) {
        p = v.p;
        ms = thousandths(&p, v.p + v.n);
        if (ms < 0 || p != v.p + v.n) {
            ms = http_date(v);
            if (ms >= 0)
                ms = ms > now_unix_ms ? ms - now_unix_ms : 0;
        }
    }
    return ms > DAY_MS ? DAY_MS : ms;
}

/* What the reply's own clock says; -1. */
int64_t pbay_wire_date(const pbay_kv *headers, size_t n)
{
    pbay_str v = trim(pbay_header(headers, n, "date"));

    return v.n ? http_date(v) : -1;
}

/* ------------------------------------------------------------- of a call */

pbay_str pbay_text(const pbay_host *host, pbay_call *call, pbay_str value)
{
    char *dst;
    int64_t n;

    if (pbay_json_type(value) != 's')
        return (pbay_str){NULL, 0};
    if (value.n == 2)
        return (pbay_str){"", 0};
    dst = host->alloc(call, value.n);
    n = dst ? pbay_json_unescape(value, dst, value.n) : -1;
    if (n < 0)
        return (pbay_str){NULL, 0};
    return (pbay_str){dst, (size_t)n};
}

pbay_rc pbay_fail(const pbay_host *host, pbay_call *call, uint32_t kind,
                  const char *param, const char *message)
{
    pbay_error e = {.size = sizeof e, .kind = kind, .retry_after_ms = -1};
    pbay_event ev = {.size = sizeof ev, .type = PBAY_EV_ERROR, .error = &e};

    if (param)
        e.param = (pbay_str){param, strlen(param)};
    e.message = (pbay_str){message, strlen(message)};
    host->emit(call, &ev);
    return PBAY_FAIL;
}

int64_t pbay_reset(const pbay_kv *headers, size_t n, pbay_str text)
{
    int64_t at, now;

    if (pbay_json_i64(text, &at) < 0 || at < INT64_C(1000000000) ||
        at > INT64_C(100000000000000))
        return pbay_duration(text);
    now = pbay_wire_date(headers, n);
    if (now < 0)
        now = (int64_t)time(NULL) * 1000;
    if (at < INT64_C(100000000000))
        at *= 1000;
    return at > now ? at - now : 0;
}
