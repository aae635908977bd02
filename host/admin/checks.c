/* SPDX-License-Identifier: MIT */
/* Checks on an interval; see checks.h. */
#include "admin/checks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "manager/health.h"

/* A provider that is silent longer than this is not well. */
#define PATIENCE_S 10

struct check {
    struct check *next;
    struct checks *of;
    char *provider;
    int64_t interval;
    struct timer timer;
    struct call *call; /* under way */
    int64_t since;
    struct health_ticket ticket;
    unsigned count;   /* for its request ids */
    bool kept;        /* by the configuration being followed */
    bool known, well; /* as it was last */
    char id[96];
};

struct checks {
    struct manager *m;
    struct check *first;
};

static void due(void *arg);

struct checks *checks_new(struct manager *m)
{
    struct checks *c = calloc(1, sizeof(*c));

    if (c)
        c->m = m;
    return c;
}

static void again(struct check *k)
{
    timer_set(&k->timer, k->of->m->loop->clock, k->interval, due, k);
}

/* --- one check ------------------------------------------------------------ */

static void on_begin(void *arg, const struct call_head *h,
                     const struct call_report *r)
{
    (void)arg;
    (void)h;
    (void)r;
}

static void on_bytes(void *arg, pbay_str raw)
{
    (void)arg;
    (void)raw;
}

static void on_event(void *arg, const pbay_event *ev)
{
    (void)arg;
    (void)ev;
}

static void tell(struct check *k, const struct err *e, int64_t ms)
{
    if (k->known && k->well == !e)
        return;
    if (e)
        log_line(LOG_WARN, "check", err_text(e),
                 log_cstr("provider", k->provider),
                 log_cstr("result", err_class(e->kind)->name),
                 log_int("ms", ms), LOG_END);
    else
        log_line(k->known ? LOG_INFO : LOG_DEBUG, "check", "it is well",
                 log_cstr("provider", k->provider), log_int("ms", ms), LOG_END);
    k->known = true;
    k->well = !e;
}

static void on_end(void *arg, const struct err *e, const struct call_report *r)
{
    struct check *k = arg;
    struct manager *m = k->of->m;
    int64_t now = clock_now(m->loop->clock);
    struct err whole;

    (void)r;
    k->call = NULL;
    if (e) {
        whole = *e;
        /* The deadline is no client's, who may have been in a hurry. */
        if (e->kind == ERR_DEADLINE)
            err_set(&whole, ERR_FIRST_TIMEOUT,
                    "%s: no answer to a check within %d s", k->provider,
                    PATIENCE_S);
        whole.scope = PBAY_SCOPE_PROVIDER; /* it was asked for nothing else */
        e = &whole;
    }
    health_end(m->health, k->provider, STR_NONE, now, e, &k->ticket);
    health_checked(
        m->health, k->provider,
        &(struct health_check){.at_ms = clock_wall(m->loop->clock),
                               .ms = now - k->since,
                               .kind = e ? err_class(e->kind)->name : "ok",
                               .ok = !e});
    tell(k, e, now - k->since);
    again(k);
}

static const struct call_sink sink = {on_begin, on_bytes, on_event, on_end};

/* One that has said when to come back is asked nothing before, and a list of
 * models that it would give all the same says nothing of that. */
static bool cooling(const struct check *k)
{
    struct manager *m = k->of->m;
    int64_t until;

    return health_look(m->health, k->provider, STR_NONE,
                       clock_now(m->loop->clock), &until) == HEALTH_COOLING;
}

static void due(void *arg)
{
    struct check *k = arg;
    struct manager *m = k->of->m;
    struct call_request r = {.op = PBAY_OP_HEALTH,
                             .no_pass = true,
                             .want = PBAY_WANT(PBAY_EV_ITEM),
                             .dialect = STR("canonical/1"),
                             .body = STR("{}"),
                             .key_name = STR("check"),
                             .deadline_ms = PATIENCE_S * 1000,
                             .instance = k->provider};
    struct err e;

    if (atomic_load(&m->draining) ||
        health_held(m->health, k->provider) == HOLD_DISABLE || cooling(k)) {
        again(k);
        return;
    }
    snprintf(k->id, sizeof(k->id), "check-%.64s-%u", k->provider, k->count++);
    r.id = str_c(k->id);
    k->since = clock_now(m->loop->clock);
    health_begin(m->health, k->provider, STR_NONE, k->since, &k->ticket);
    k->call = call_start(m, &r, &sink, k, &e);
    if (k->call)
        return;
    health_dismiss(m->health, k->provider, STR_NONE, &k->ticket);
    again(k);
}

/* --- which ---------------------------------------------------------------- */

static struct check *find(struct checks *c, const char *provider)
{
    struct check *k = c->first;

    while (k && strcmp(k->provider, provider) != 0)
        k = k->next;
    return k;
}

static struct check *add(struct checks *c, const char *provider)
{
    struct check *k = calloc(1, sizeof(*k));

    if (!k)
        return NULL;
    k->provider = strdup(provider);
    if (!k->provider) {
        free(k);
        return NULL;
    }
    k->of = c;
    k->next = c->first;
    c->first = k;
    return k;
}

static void forget(struct check *k)
{
    if (k->call) {
        call_cancel(k->call);
        health_dismiss(k->of->m->health, k->provider, STR_NONE, &k->ticket);
    }
    timer_stop(&k->timer);
    free(k->provider);
    free(k);
}

/* One whose process the host runs itself is looked after elsewhere, and would
 * be started by a check. */
static bool wanted(const struct instance *in)
{
    return in->cfg->check_ms > 0 && in->codec && !in->backend &&
           (in->ops & PBAY_OP_BIT(PBAY_OP_HEALTH));
}

void checks_follow(struct checks *c, const struct snapshot *s)
{
    for (struct check *k = c->first; k; k = k->next)
        k->kept = false;
    for (size_t i = 0; i < s->n; i++) {
        const struct instance *in = s->instances[i];
        struct check *k = wanted(in) ? find(c, in->name) : NULL;
        if (!wanted(in) || (!k && !(k = add(c, in->name))))
            continue;
        k->kept = true;
        if (k->interval == in->cfg->check_ms)
            continue;
        k->interval = in->cfg->check_ms;
        if (!k->call)
            again(k);
    }
    for (struct check **at = &c->first; *at;) {
        struct check *k = *at;
        if (k->kept) {
            at = &k->next;
            continue;
        }
        *at = k->next;
        forget(k);
    }
}

void checks_free(struct checks *c)
{
    if (!c)
        return;
    while (c->first) {
        struct check *k = c->first;
        c->first = k->next;
        forget(k);
    }
    free(c);
}
