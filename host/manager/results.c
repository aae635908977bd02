/* SPDX-License-Identifier: MIT */
/* The table of results; see results.h. */
#include "manager/results.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "manager/spread.h"

#define KINDS 64 /* more than the error table has */

struct row {
    struct row *next;
    pbay_str route, arm, provider, model; /* behind this struct */
    uint64_t attempts, ok, failed, input, output, cost, unpriced;
    uint64_t first_n, first_ms, total_ms;
    struct spread first, total;
    uint32_t errors[KINDS]; /* by the rows of the error table */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct row *rows, **last = &rows; /* as they came */
static size_t n_rows;
static uint64_t lost;

static char *put(char *at, pbay_str s, pbay_str *to)
{
    if (s.n)
        memcpy(at, s.p, s.n);
    *to = str_n(at, s.n);
    return at + s.n;
}

static bool is(const struct row *r, const struct result *q)
{
    return str_eq(r->model, q->model) && str_is(r->provider, q->provider) &&
           str_is(r->route, q->route) && str_is(r->arm, q->arm ? q->arm : "");
}

/* NULL: there is no room. */
static struct row *find(const struct result *q)
{
    pbay_str route = str_c(q->route), arm = str_c(q->arm ? q->arm : "");
    pbay_str provider = str_c(q->provider);
    struct row *r = rows;
    char *at;

    while (r && !is(r, q))
        r = r->next;
    if (r || n_rows == RESULTS_MAX)
        return r;
    r = calloc(1, sizeof(*r) + route.n + arm.n + provider.n + q->model.n + 1);
    if (!r)
        return NULL;
    at = put((char *)(r + 1), route, &r->route);
    at = put(at, arm, &r->arm);
    at = put(at, provider, &r->provider);
    put(at, q->model, &r->model);
    n_rows++;
    *last = r;
    last = &r->next;
    return r;
}

static void count_error(struct row *to, int kind)
{
    size_t i = (size_t)(err_class(kind) - err_table());

    if (i < KINDS)
        to->errors[i]++;
}

static void count_times(struct row *to, const struct result *r)
{
    to->total_ms += (uint64_t)r->total_ms;
    spread_add(&to->total, r->total_ms);
    if (r->first_ms < 0)
        return;
    to->first_n++;
    to->first_ms += (uint64_t)r->first_ms;
    spread_add(&to->first, r->first_ms);
}

static void add(struct row *to, const struct result *r)
{
    to->attempts++;
    to->ok += !r->kind;
    to->failed += r->kind != 0;
    to->input += r->input;
    to->output += r->output;
    if (r->cost_nano >= 0)
        to->cost += (uint64_t)r->cost_nano;
    else if (!r->kind)
        to->unpriced++;
    if (r->kind)
        count_error(to, r->kind);
    else
        count_times(to, r);
}

void results_add(const struct result *r)
{
    struct row *to;

    pthread_mutex_lock(&lock);
    to = find(r);
    if (to)
        add(to, r);
    else
        lost++;
    pthread_mutex_unlock(&lock);
}

/* "NAME_ms", the mean, and "NAME_p50_ms", "NAME_p95_ms". */
static int put_times(struct buf *b, const char *name, const struct spread *s,
                     uint64_t sum, uint64_t n)
{
    static const unsigned percents[] = {50, 95};
    int rc = n ? buf_printf(b, ",\"%s_ms\":%llu", name,
                            (unsigned long long)((sum + n / 2) / n))
               : buf_printf(b, ",\"%s_ms\":null", name);

    for (size_t i = 0; i < 2; i++) {
        rc |= buf_printf(b, ",\"%s_p%u_ms\":", name, percents[i]);
        rc |= n ? buf_printf(b, "%lld", (long long)spread_at(s, percents[i]))
                : buf_addc(b, "null");
    }
    return rc;
}

static int put_errors(struct buf *b, const struct row *r)
{
    const struct err_class *c = err_table();
    const char *sep = "";
    int rc = buf_addc(b, ",\"errors\":{");

    for (size_t i = 0; c[i].kind && i < KINDS; i++)
        if (r->errors[i]) {
            rc |= buf_printf(b, "%s\"%s\":%u", sep, c[i].name,
                             (unsigned)r->errors[i]);
            sep = ",";
        }
    return rc | buf_addc(b, "}");
}

static int put_row(struct buf *b, const struct row *r)
{
    int rc = buf_addc(b, "{\"route\":") | buf_json(b, r->route) |
             buf_addc(b, ",\"arm\":") |
             (r->arm.n ? buf_json(b, r->arm) : buf_addc(b, "null")) |
             buf_addc(b, ",\"provider\":") | buf_json(b, r->provider) |
             buf_addc(b, ",\"model\":") | buf_json(b, r->model);

    rc |= buf_printf(b, ",\"attempts\":%llu,\"ok\":%llu,\"failed\":%llu",
                     (unsigned long long)r->attempts, (unsigned long long)r->ok,
                     (unsigned long long)r->failed);
    rc |=
        buf_printf(b, ",\"input_tokens\":%llu,\"output_tokens\":%llu",
                   (unsigned long long)r->input, (unsigned long long)r->output);
    rc |= buf_printf(b, ",\"cost_nano\":%llu,\"unpriced\":%llu",
                     (unsigned long long)r->cost,
                     (unsigned long long)r->unpriced);
    rc |= put_times(b, "first_token", &r->first, r->first_ms, r->first_n);
    rc |= put_times(b, "total", &r->total, r->total_ms, r->ok);
    return rc | put_errors(b, r) | buf_addc(b, "}");
}

int results_put(struct buf *b, pbay_str route)
{
    const char *sep = "";
    int rc = buf_addc(b, "{\"results\":[");

    pthread_mutex_lock(&lock);
    for (const struct row *r = rows; r; r = r->next)
        if (!route.n || str_eq(r->route, route)) {
            rc |= buf_addc(b, sep) | put_row(b, r);
            sep = ",";
        }
    rc |= buf_printf(b, "],\"lost\":%llu}", (unsigned long long)lost);
    pthread_mutex_unlock(&lock);
    return rc < 0 ? -1 : 0;
}

void results_reset(pbay_str route)
{
    struct row **at = &rows;

    pthread_mutex_lock(&lock);
    while (*at) {
        struct row *r = *at;
        if (route.n && !str_eq(r->route, route)) {
            at = &r->next;
            continue;
        }
        *at = r->next;
        free(r);
        n_rows--;
    }
    last = at;
    if (!route.n)
        lost = 0;
    pthread_mutex_unlock(&lock);
}
