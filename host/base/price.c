/* SPDX-License-Identifier: MIT */
/* Rows of price lists, the one that applies, and costs; see price.h. */
#include "base/price.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

#define MILLION INT64_C(1000000)

const struct price price_unknown = {PRICE_UNKNOWN, PRICE_UNKNOWN, PRICE_UNKNOWN,
                                    PRICE_UNKNOWN, PRICE_UNKNOWN, PRICE_UNKNOWN,
                                    PRICE_UNKNOWN};
const struct price price_free = {0, 0, 0, 0, 0, 0, 0};

/* --- reading ------------------------------------------------------------- */

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The exponent behind "e": 0, or -1. */
static int exponent(pbay_str s, int *out)
{
    bool minus = s.n && s.p[0] == '-';
    uint64_t v;

    if (s.n && (s.p[0] == '-' || s.p[0] == '+'))
        s = str_n(s.p + 1, s.n - 1);
    if (str_u64(s, &v) < 0 || v > 1000)
        return -1;
    *out = minus ? -(int)v : (int)v;
    return 0;
}

int price_decimal(pbay_str s, int shift, int64_t *out)
{
    int64_t v = 0;
    size_t i = 0, digits = 0;
    bool point = false;
    int e;

    for (; i < s.n && (digit(s.p[i]) || (s.p[i] == '.' && !point)); i++) {
        if (s.p[i] == '.') {
            point = true;
            continue;
        }
        digits++;
        if (v > (INT64_MAX - 9) / 10)
            return -1;
        v = v * 10 + (s.p[i] - '0');
        shift -= point;
    }
    if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
        if (exponent(str_n(s.p + i + 1, s.n - i - 1), &e) < 0)
            return -1;
        shift += e;
        i = s.n;
    }
    if (i != s.n || !digits || s.p[0] == '.')
        return -1;
    for (; v && shift > 0; shift--) {
        if (v > PRICE_MAX / 10)
            return -1;
        v *= 10;
    }
    for (; v && shift < 0; shift++) {
        if (v % 10)
            return -1; /* finer than what can be said */
        v /= 10;
    }
    if (v > PRICE_MAX)
        return -1;
    *out = v;
    return 0;
}

/* Days since 1970 of a date of the Gregorian calendar: years begin in March
 * here, so that the day that comes and goes is a year's last. */
static int64_t days_of(int64_t y, int64_t m, int64_t d)
{
    int64_t era, year_day;

    y -= m <= 2;
    era = y / 400;
    year_day = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    y -= era * 400;
    return era * 146097 + y * 365 + y / 4 - y / 100 + year_day - 719468;
}

static int read_date(pbay_str s, int64_t *days)
{
    uint64_t y, m, d;

    if (s.n != 10 || s.p[4] != '-' || s.p[7] != '-' ||
        str_u64(str_n(s.p, 4), &y) < 0 || str_u64(str_n(s.p + 5, 2), &m) < 0 ||
        str_u64(str_n(s.p + 8, 2), &d) < 0 || y < 1971 || m < 1 || m > 12 ||
        d < 1 || d > 31)
        return -1;
    *days = days_of((int64_t)y, (int64_t)m, (int64_t)d);
    return 0;
}

static int read_hours(pbay_str s, uint32_t *bits)
{
    while (s.p) {
        pbay_str to = str_cut(&s, ','), from = str_cut(&to, '-');
        uint64_t a, b;

        if (!to.p || str_u64(from, &a) < 0 || str_u64(to, &b) < 0 || a >= b ||
            b > 24)
            return -1;
        for (; a < b; a++)
            *bits |= UINT32_C(1) << a;
    }
    return 0;
}

/* "272000" or "272k" */
static int read_tokens(pbay_str s, uint64_t *tokens)
{
    bool k = s.n && s.p[s.n - 1] == 'k';

    if (k)
        s.n--;
    if (str_u64(s, tokens) < 0 || *tokens > 1000000000000)
        return -1;
    if (k)
        *tokens *= 1000;
    return 0;
}

/* 1: there is no such word; -1: its value is wrong. */
static int read_word(struct price_row *r, pbay_str name, pbay_str v)
{
    const struct {
        const char *name;
        int64_t *to;
    } prices[] = {{"in", &r->price.input},
                  {"cached", &r->price.cache_read},
                  {"write", &r->price.cache_write},
                  {"write_1h", &r->price.cache_write_long},
                  {"out", &r->price.output},
                  {"reasoning", &r->price.reasoning},
                  {"request", &r->price.request}};

    for (size_t i = 0; i < sizeof(prices) / sizeof(*prices); i++)
        if (str_is(name, prices[i].name))
            return price_decimal(v, 9, prices[i].to);
    if (str_is(name, "above"))
        return read_tokens(v, &r->above);
    if (str_is(name, "from"))
        return read_date(v, &r->from);
    if (str_is(name, "until"))
        return read_date(v, &r->until);
    if (str_is(name, "hours"))
        return read_hours(v, &r->hours);
    return 1;
}

int price_row_parse(pbay_str line, struct price_row *out, char *why,
                    size_t room)
{
    pbay_str rest = str_trim(line);
    bool any = false;

    *out = (struct price_row){.price = price_unknown};
    out->model = str_cut(&rest, ' ');
    while (rest.p) {
        pbay_str word = str_trim(str_cut(&rest, ' ')), value = word, name;
        int rc;

        if (!word.n)
            continue;
        name = str_cut(&value, '=');
        rc = read_word(out, name, value.p ? value : STR(""));
        if (rc) {
            snprintf(why, room,
                     rc == 1 ? "\"%.*s\" is none of in, cached, write, "
                               "write_1h, out, reasoning, request, above, "
                               "from, until and hours"
                             : "\"%.*s\" has no value of that kind: prices "
                               "are as in=2.5, at most 9000; above=272k, "
                               "from=2027-01-01, hours=01-04,06-10",
                     STR_ARG(str_head(word, 64)));
            return -1;
        }
        any = true;
    }
    if (out->model.n && any && !memchr(out->model.p, '=', out->model.n))
        return 0;
    snprintf(why, room,
             "a model and its prices are wanted: gpt-4o in=2.5 out=10");
    return -1;
}

/* --- finding ------------------------------------------------------------- */

static bool all_digits(pbay_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!digit(s.p[i]))
            return false;
    return true;
}

static pbay_str undated(pbay_str m)
{
    size_t n = m.n;

    if (str_ends(m, "-latest"))
        return str_n(m.p, n - 7);
    if (n > 9 && (m.p[n - 9] == '-' || m.p[n - 9] == '@') &&
        all_digits(str_n(m.p + n - 8, 8)))
        return str_n(m.p, n - 9);
    if (n > 11 && m.p[n - 11] == '-' && m.p[n - 6] == '-' &&
        m.p[n - 3] == '-' && all_digits(str_n(m.p + n - 10, 4)) &&
        all_digits(str_n(m.p + n - 5, 2)) && all_digits(str_n(m.p + n - 2, 2)))
        return str_n(m.p, n - 11);
    return m;
}

/* How well a row's model fits; 0: not at all. */
static size_t rank(pbay_str row, pbay_str model, pbay_str plain)
{
    size_t n = row.n - 1;

    if (row.p[n] == '*')
        return model.n >= n && memcmp(row.p, model.p, n) == 0 ? row.n : 0;
    if (str_eq(row, model))
        return SIZE_MAX;
    return str_eq(row, plain) ? SIZE_MAX - 1 : 0;
}

static bool holds(const struct price_row *r, uint64_t tokens, int64_t wall_ms)
{
    int64_t hour = wall_ms / 3600000;

    return (!r->above || tokens > r->above) &&
           (!r->from || hour / 24 >= r->from) &&
           (!r->until || hour / 24 < r->until) &&
           (!r->hours || (r->hours >> (hour % 24) & 1));
}

const struct price_row *price_find(const struct price_row *rows, size_t n,
                                   pbay_str model, uint64_t tokens,
                                   int64_t wall_ms)
{
    const struct price_row *found = NULL;
    pbay_str plain = undated(model);
    size_t best = 0;

    for (size_t i = 0; i < n; i++) {
        size_t fit = rank(rows[i].model, model, plain);

        if (!fit || fit < best)
            continue;
        if (fit > best)
            found = NULL;
        best = fit;
        if (holds(&rows[i], tokens, wall_ms))
            found = &rows[i];
    }
    return found;
}

/* --- cost ---------------------------------------------------------------- */

struct sum {
    int64_t nano, rest; /* rest: millionths of a nano */
    bool unknown;
};

static void add(struct sum *s, uint64_t tokens, int64_t price)
{
    int64_t whole;

    if (!tokens || s->unknown)
        return;
    if (price < 0 || price > PRICE_MAX ||
        __builtin_mul_overflow(tokens / MILLION, price, &whole) ||
        __builtin_add_overflow(s->nano, whole, &s->nano)) {
        s->unknown = true;
        return;
    }
    /* Below a million times PRICE_MAX, which an int64_t holds. */
    whole = (int64_t)(tokens % MILLION) * price;
    s->rest += whole % MILLION;
    s->unknown = __builtin_add_overflow(s->nano, whole / MILLION, &s->nano);
}

/* A part of it that was counted, or that costs nothing to leave out. */
static uint64_t part(const pbay_usage *u, uint32_t bit, uint64_t n)
{
    return u->known & bit ? n : 0;
}

/* Was it counted?  What has no price need not be: embeddings put nothing
 * out. */
static bool counted(const pbay_usage *u, uint32_t bit, int64_t price)
{
    return (u->known & bit) || price <= 0;
}

int64_t price_cost(const struct price *p, const pbay_usage *u)
{
    uint64_t read = part(u, PBAY_U_CACHE_READ, u->cache_read);
    uint64_t write = part(u, PBAY_U_CACHE_WRITE, u->cache_write);
    uint64_t kept = part(u, PBAY_U_CACHE_WRITE_LONG, u->cache_write_long);
    uint64_t input = part(u, PBAY_U_INPUT, u->input);
    uint64_t output = part(u, PBAY_U_OUTPUT, u->output);
    uint64_t thought = part(u, PBAY_U_REASONING, u->reasoning);
    struct sum s = {0};

    if ((p->input < 0 && p->output < 0) ||
        !counted(u, PBAY_U_INPUT, p->input) ||
        !counted(u, PBAY_U_OUTPUT, p->output) || kept > write || read > input ||
        write > input - read || thought > output)
        return COST_UNKNOWN;
    if (p->reasoning < 0)
        thought = 0;
    add(&s, input - read - write, p->input);
    add(&s, read, p->cache_read);
    add(&s, write - kept, p->cache_write);
    add(&s, kept, p->cache_write_long);
    add(&s, output - thought, p->output);
    add(&s, thought, p->reasoning);
    if (p->request > 0 && __builtin_add_overflow(s.nano, p->request, &s.nano))
        s.unknown = true;
    if (s.unknown || __builtin_add_overflow(
                         s.nano, (s.rest + MILLION / 2) / MILLION, &s.nano))
        return COST_UNKNOWN;
    return s.nano;
}

int64_t price_estimate(const struct price *p, uint64_t input, uint64_t output)
{
    pbay_usage u = {.size = sizeof(u),
                    .known = PBAY_U_INPUT | PBAY_U_OUTPUT,
                    .input = input,
                    .output = p->output < 0 ? 0 : output};

    return price_cost(p, &u);
}

const char *cost_text(int64_t nano, char dst[32])
{
    int n;

    if (nano < 0) {
        snprintf(dst, 32, "?");
        return dst;
    }
    n = snprintf(dst, 32, "%" PRId64 ".%09" PRId64, nano / 1000000000,
                 nano % 1000000000);
    while (n > 0 && dst[n - 1] == '0')
        dst[--n] = '\0';
    if (n > 0 && dst[n - 1] == '.')
        dst[--n] = '\0';
    return dst;
}
