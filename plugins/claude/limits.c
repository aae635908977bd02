/* SPDX-License-Identifier: MIT */
/* claude.so: rate limits in a reply's head, with resets as points in time. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "claude.h"

/* ------------------------------------------------------------------- time */

/* Days since 1970-01-01; years are counted from March, so that the leap day
 * comes last. */
static int64_t days(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month > 2 ? year : year - 1;
    int64_t m = month > 2 ? month - 3 : month + 9;

    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 -
           719468;
}

/* `n` digits at `at`; -1 if they are not there. */
static int64_t digits(pbay_str s, size_t at, size_t n)
{
    int64_t v = 0;

    if (at + n > s.n)
        return -1;
    for (size_t i = at; i < at + n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return -1;
        v = v * 10 + (s.p[i] - '0');
    }
    return v;
}

static int64_t millis(int64_t y, int64_t mo, int64_t d, pbay_str s,
                      size_t clock_at)
{
    int64_t h = digits(s, clock_at, 2), mi = digits(s, clock_at + 3, 2),
            sec = digits(s, clock_at + 6, 2);

    if (y < 1970 || mo < 1 || mo > 12 || d < 1 || d > 31 || h < 0 || h > 23 ||
        mi < 0 || mi > 59 || sec < 0 || sec > 60)
        return -1;
    return (((days(y, mo, d) * 24 + h) * 60 + mi) * 60 + sec) * 1000;
}

int64_t cl_rfc3339(pbay_str s)
{
    int64_t ms =
        millis(digits(s, 0, 4), digits(s, 5, 2), digits(s, 8, 2), s, 11);
    size_t at = 19;
    int64_t unit = 100, h, m;

    if (ms < 0)
        return -1;
    if (at < s.n && s.p[at] == '.')
        for (at++; digits(s, at, 1) >= 0; at++, unit /= 10)
            ms += digits(s, at, 1) * unit;
    if (at + 1 == s.n && (s.p[at] == 'Z' || s.p[at] == 'z'))
        return ms;
    h = digits(s, at + 1, 2);
    m = digits(s, at + 4, 2);
    if (at + 6 != s.n || h < 0 || h > 23 || m < 0 || m > 59 ||
        (s.p[at] != '+' && s.p[at] != '-'))
        return -1;
    return ms - (s.p[at] == '+' ? 1 : -1) * (h * 60 + m) * 60000;
}

/* "Sat, 21 Nov 2026 00:29:12 GMT", the only form that servers still write. */
static int64_t http_date(pbay_str s)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int64_t month = 0;

    if (s.n != 29)
        return -1;
    while (month < 12 && memcmp(names + month * 3, s.p + 8, 3) != 0)
        month++;
    return month == 12
               ? -1
               : millis(digits(s, 12, 4), month + 1, digits(s, 5, 2), s, 17);
}

/* By the reply's own clock, so that ours need not be right. */
static int64_t now_ms(const pbay_head *head)
{
    int64_t ms = http_date(pbay_header(head->headers, head->n_headers, "date"));

    return ms >= 0 ? ms : (int64_t)time(NULL) * 1000;
}

/* ----------------------------------------------------------------- headers */

static const char *const kinds[][2] = {{"requests", "requests"},
                                       {"tokens", "tokens"},
                                       {"input-tokens", "input_tokens"},
                                       {"output-tokens", "output_tokens"}};
#define KINDS (sizeof kinds / sizeof *kinds)

static pbay_str field(const pbay_head *head, const char *kind, const char *part)
{
    char name[64];

    snprintf(name, sizeof name, "anthropic-ratelimit-%s-%s", kind, part);
    return pbay_header(head->headers, head->n_headers, name);
}

/* Milliseconds until a reset; -1 if it is not told. */
static int64_t reset_ms(const pbay_head *head, const char *kind)
{
    int64_t at = cl_rfc3339(field(head, kind, "reset")), now = now_ms(head);

    return at < 0 ? -1 : at > now ? at - now : 0;
}

int64_t cl_reset_after(const pbay_head *head)
{
    int64_t most = -1;

    for (size_t i = 0; i < KINDS; i++) {
        int64_t ms = reset_ms(head, kinds[i][0]);
        if (cl_is(field(head, kinds[i][0], "remaining"), "0") && ms > most)
            most = ms;
    }
    return most;
}

static void put_number(pbay_out *w, const char *name, int64_t v, int *any)
{
    if (v < 0)
        return;
    pbay_out_cstr(w, *any ? ",\"" : "\"");
    pbay_out_cstr(w, name);
    pbay_out_cstr(w, "\":");
    pbay_out_i64(w, v);
    *any = 1;
}

static int64_t number(pbay_str text)
{
    int64_t v;

    return pbay_json_i64(text, &v) == 0 ? v : -1;
}

static void put_kind(pbay_out *w, const pbay_head *head, size_t i, int *any)
{
    int64_t limit = number(field(head, kinds[i][0], "limit"));
    int64_t left = number(field(head, kinds[i][0], "remaining"));
    int64_t reset = reset_ms(head, kinds[i][0]);
    int inside = 0;

    if (limit < 0 && left < 0 && reset < 0)
        return;
    pbay_out_cstr(w, *any ? ",\"" : "\"");
    pbay_out_cstr(w, kinds[i][1]);
    pbay_out_cstr(w, "\":{");
    put_number(w, "limit", limit, &inside);
    put_number(w, "remaining", left, &inside);
    put_number(w, "reset_ms", reset, &inside);
    pbay_out_cstr(w, "}");
    *any = 1;
}

pbay_rc cl_limits(struct claude *o, struct call *c, const pbay_head *head)
{
    char text[768];
    pbay_out w = {.p = text, .room = sizeof text};
    pbay_event ev = {.type = PBAY_EV_LIMITS};
    int any = 0;

    pbay_out_cstr(&w, "{");
    for (size_t i = 0; i < KINDS; i++)
        put_kind(&w, head, i, &any);
    pbay_out_cstr(&w, "}");
    ev.json = (pbay_str){w.p, w.n};
    return any && !w.failed ? cl_emit(o, c, &ev) : PBAY_OK;
}
