/* SPDX-License-Identifier: MIT */
/* A call's life: its beginning, who holds it, its deadline and its end. */
#include "manager/call.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "manager/account.h"
#include "manager/call_int.h"
#include "manager/call_plan.h"

#define MODEL_MAX 512 /* bytes of a model's name */

static void show_active(struct manager *m)
{
    atomic_store_explicit(&m->active_shown, m->active, memory_order_relaxed);
}

static void call_destroy(struct call *c)
{
    attempt_free(c->attempt);
    timer_stop(&c->deadline);
    timer_stop(&c->patience);
    timer_stop(&c->backoff);
    *c->prev = c->next;
    if (c->next)
        c->next->prev = c->prev;
    c->m->active--;
    show_active(c->m);
    buf_done(&c->prelude);
    guard_free(c->guard);
    rescue_free(c->rescue);
    tried_done(&c->tried);
    arena_done(&c->arena);
    manager_release(c->m, c->snap);
    free(c->late);
    free(c);
}

void ca_enter(struct call *c)
{
    c->depth++;
}

void ca_leave(struct call *c)
{
    if (--c->depth)
        return;
    if (c->retry && !c->cancelled && !c->over && !c->starting) {
        c->retry = false;
        if (c->wait_ms < 0)
            ca_next(c);
        else
            ca_again(c);
        return;
    }
    if (c->cancelled || c->over)
        call_destroy(c);
}

static void on_late(void *arg);

/* All attempts together, each at its own target's price. */
static void total(struct call *c)
{
    pbay_usage *u = &c->report.usage, all = *u;

    if (c->guard) {
        bool priced = !u->known || account_cost(&c->plan.targets[c->at], &all,
                                                c->m->loop->clock);
        if (guard_total(c->guard, &all)) {
            *u = all;
            c->report.unpriced |= !priced;
        }
    }
    c->report.unpriced |= !rescue_total(c->rescue, c->at, u);
    if (c->report.unpriced)
        u->known &= ~(uint32_t)PBAY_U_COST;
}

void ca_finish(struct call *c, const struct err *e)
{
    struct instance_stats *st = ca_stats(c);

    if (c->over)
        return;
    if (c->starting) {
        free(c->late);
        c->failed = e != NULL;
        c->late = e ? malloc(sizeof(*e)) : NULL;
        if (c->late)
            *c->late = *e;
        timer_set(&c->patience, c->m->loop->clock, 0, on_late, c);
        return;
    }
    c->over = true;
    ca_settle_health(c, e, true); /* unless ca_on_end() has */
    timer_stop(&c->deadline);
    timer_stop(&c->patience);
    timer_stop(&c->backoff);
    c->report.total_ms = ca_elapsed(c);
    if (c->report.attempts) { /* else it has waited for the first one */
        account_bump(e ? &st->failed : &st->ok, 1);
        account_bump(&st->active, (uint64_t)-1);
        rescue_fill(c->rescue, &c->report.usage);
        ca_count_usage(c);
        ca_count_route(c, !e);
    }
    if (!e)
        ca_count_pace(c);
    total(c);
    ca_log_end(c, e);
    if (!c->cancelled)
        c->sink->end(c->arg, e, &c->report);
}

static void end_with(struct call *c, int kind, const char *why)
{
    struct err e;

    ca_enter(c);
    if (!c->over && !c->cancelled) {
        err_clear(&e);
        err_set(&e, kind, "%s", why);
        ca_finish(c, &e);
    }
    ca_leave(c);
}

static void on_late(void *arg)
{
    struct call *c = arg;

    ca_enter(c);
    if (c->cancelled)
        goto out;
    if (c->failed && !c->late)
        end_with(c, ERR_INTERNAL, "out of memory");
    else
        ca_finish(c, c->late);
out:
    ca_leave(c);
}

/* With who was being asked, and who had failed until then. */
static void on_deadline(void *arg)
{
    struct call *c = arg;
    const struct target *t = &c->plan.targets[c->at];
    struct err e;

    ca_enter(c);
    if (!c->over && !c->cancelled) {
        err_clear(&e);
        err_set(&e, ERR_DEADLINE,
                "the request took longer than its total time-out; %s/%.*s %s",
                t->instance->name, STR_ARG(str_head(t->model, 80)),
                !c->report.attempts          ? "was awaited"
                : timer_running(&c->backoff) ? "was to be asked again"
                : c->content                 ? "was answering"
                                             : "had not answered");
        if (c->report.attempts)
            ca_tell(c, &e);
        tried_before(&c->tried, &e);
        ca_finish(c, &e);
    }
    ca_leave(c);
}

/* The first target may be asked now. */
static void on_wait(void *arg)
{
    ca_try(arg);
}

/* The first attempt failed before call_start() returned. */
static void on_retry(void *arg)
{
    struct call *c = arg;

    ca_enter(c);
    ca_leave(c);
}

/* The request as this call keeps it: the body is borrowed.  0, or -1 and *e. */
static int keep_request(struct call *c, const struct call_request *r,
                        struct err *e)
{
    if (!call_request_copy(&c->req, r, &c->arena)) {
        err_set(e, ERR_INTERNAL, "out of memory");
        return -1;
    }
    c->report.id = c->req.id;
    c->report.provider = "";
    c->report.first_ms = -1;
    return 0;
}

/* A schema that the answer has to match.  0, or -1 and *e. */
static int guard(struct call *c, struct err *e)
{
    if (guard_new(&c->req, &c->snap->cfg->structured, &c->guard, e) < 0)
        return -1;
    if (c->guard)
        c->req.watch = GUARD_EVENTS;
    if (guard_holds(c->guard)) {
        c->sink = guard_sink(c->guard, c->sink, c->arg);
        c->arg = c->guard;
    }
    return 0;
}

/* The client may want it sooner, not later. */
static int64_t deadline_of(const struct call *c)
{
    int64_t total = c->plan.targets[0].instance->cfg->timeouts.total_ms;

    return c->req.deadline_ms > 0 && c->req.deadline_ms < total
               ? c->req.deadline_ms
               : total;
}

struct call *call_start(struct manager *m, const struct call_request *r,
                        const struct call_sink *sink, void *arg, struct err *e)
{
    struct call *c;

    err_clear(e);
    if (call_admit(m, e) < 0)
        return NULL;
    if (r->model.n > MODEL_MAX) {
        err_set(e, PBAY_E_INVALID,
                "the model's name has %zu bytes; at most %d are allowed",
                r->model.n, MODEL_MAX);
        return NULL;
    }
    c = calloc(1, sizeof(*c));
    if (!c) {
        err_set(e, ERR_INTERNAL, "out of memory");
        return NULL;
    }
    c->m = m;
    c->snap = m->current;
    c->sink = sink;
    c->arg = arg;
    arena_init(&c->arena, LIM_CALL_KEPT);
    buf_init(&c->prelude, LIM_PRELUDE);
    c->last_warning = &c->warnings;
    if (keep_request(c, r, e) < 0 ||
        call_plan(m, &c->req, &c->arena, &c->plan, e) < 0 || guard(c, e) < 0) {
        guard_free(c->guard);
        arena_done(&c->arena);
        free(c);
        return NULL;
    }
    c->req.took_models = c->plan.took_models;
    if (!c->guard && c->snap->cfg->rescue)
        c->rescue = rescue_new(m, &c->req, &c->plan);
    if (c->rescue && c->req.resume)
        c->req.watch |= RESCUE_EVENTS;
    retry_earn(&m->retry, c->snap->cfg->retry_budget);
    c->report.reason = c->plan.reason;
    c->report.route = c->plan.route;
    c->report.arm = c->plan.arm;
    manager_hold(m, c->snap);
    c->started = clock_now(m->loop->clock);
    c->next = m->calls;
    c->prev = &m->calls;
    if (c->next)
        c->next->prev = &c->next;
    m->calls = c;
    m->active++;
    show_active(m);
    /* A pull may take hours: its idle time-out holds. */
    if (r->op != PBAY_OP_PULL || r->deadline_ms)
        timer_set(&c->deadline, m->loop->clock, deadline_of(c), on_deadline, c);
    if (c->plan.wait_ms > 0) {
        timer_set(&c->backoff, m->loop->clock, c->plan.wait_ms, on_wait, c);
        return c;
    }
    c->starting = true;
    ca_try(c);
    c->starting = false;
    if (c->retry)
        timer_set(&c->patience, m->loop->clock, 0, on_retry, c);
    return c;
}

void call_cancel(struct call *c)
{
    ca_enter(c);
    guard_deaf(c->guard);
    if (!c->over && !c->cancelled) {
        c->cancelled = true;
        ca_settle_health(c, NULL, true);
        c->report.total_ms = ca_elapsed(c);
        if (c->report.attempts) {
            ca_count_usage(c); /* until now */
            account_bump(&ca_stats(c)->cancelled, 1);
            account_bump(&ca_stats(c)->active, (uint64_t)-1);
        }
        log_line(LOG_INFO, "call", "the client went away",
                 log_str("id", c->report.id),
                 log_cstr("provider", c->report.provider),
                 log_int("total_ms", c->report.total_ms), LOG_END);
        attempt_free(c->attempt);
        c->attempt = NULL;
    }
    ca_leave(c);
}

void call_pause(struct call *c, bool on)
{
    if (c->paused == on)
        return;
    c->paused = on;
    if (c->attempt)
        attempt_pause(c->attempt, on);
}

const struct call_report *call_report(const struct call *c)
{
    return &c->report;
}

void manager_abort_all(struct manager *m, const char *why)
{
    while (m->calls)
        end_with(m->calls, ERR_UNAVAILABLE, why);
}
