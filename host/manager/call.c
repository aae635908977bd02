/* SPDX-License-Identifier: MIT */
/* A call: the plan, the attempts, what is held back, and what follows a
 * failure. The error table (base/error) decides; nothing else does. */
#include "manager/call.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/str.h"
#include "manager/account.h"
#include "manager/attempt.h"
#include "manager/call_plan.h"
#include "manager/guard.h"
#include "manager/health.h"
#include "manager/rescue.h"
#include "manager/tried.h"

#define MODEL_MAX 512 /* bytes of a model's name */

struct call {
    struct call *next, **prev;
    struct manager *m;
    struct snapshot *snap;
    const struct call_sink *sink;
    void *arg;
    struct arena arena;
    struct call_request req;
    struct plan plan;
    size_t at; /* which target */
    attempt *attempt;
    unsigned depth;
    bool cancelled, over, paused, retry;
    bool starting;    /* inside call_start(): no end before it returns */
    bool failed;      /* what ended it meanwhile was this ... */
    struct err *late; /* NULL: there was no memory to keep it */

    bool measured;      /* the attempt is known to `health` */
    bool begun;         /* sink->begin was called */
    bool content;       /* the answer's first content has come */
    struct buf prelude; /* pass-through: held until then */
    struct call_warning *warnings, **last_warning;
    pbay_str reply_id;
    int64_t started;
    struct timer deadline, patience, backoff;
    unsigned tries;   /* of this target */
    int64_t tried_at; /* when the attempt under way began */
    int64_t wait_ms;  /* until the same target again; -1: the next one, now */
    struct call_report report;
    size_t next_at;        /* which target is the next one */
    struct guard *guard;   /* NULL: nothing to check */
    struct rescue *rescue; /* NULL: a stream that breaks stays broken */
    struct tried tried;    /* targets that failed, before the one under way */
};

static void attempt_next(struct call *c);
static void attempt_again(struct call *c);
static void end_with(struct call *c, int kind, const char *why);
static void gone_wrong(struct call *c);

static struct instance_stats *stats(const struct call *c)
{
    return &c->plan.targets[c->at].instance->stats[c->m->loop->id];
}

/* --- life ---------------------------------------------------------------- */

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
    arena_done(&c->arena);
    manager_release(c->m, c->snap);
    free(c->late);
    free(c);
}

static void enter(struct call *c)
{
    c->depth++;
}

static void leave(struct call *c)
{
    if (--c->depth)
        return;
    if (c->retry && !c->cancelled && !c->over && !c->starting) {
        c->retry = false;
        if (c->wait_ms < 0)
            attempt_next(c);
        else
            attempt_again(c);
        return;
    }
    if (c->cancelled || c->over)
        call_destroy(c);
}

static int64_t elapsed(const struct call *c)
{
    return clock_now(c->m->loop->clock) - c->started;
}

static void log_end(struct call *c, const struct err *e)
{
    if (!log_on(e ? LOG_WARN : LOG_DEBUG))
        return;
    /* The log gets the provider's own words, a client only what err_text()
     * lets out. */
    log_line(e ? LOG_WARN : LOG_DEBUG, "call",
             !e              ? "answered"
             : e->message[0] ? e->message
                             : err_text(e),
             log_str("id", c->report.id),
             log_cstr("provider", c->report.provider),
             log_str("model", c->report.model),
             log_cstr("result", e ? err_class(e->kind)->name : "ok"),
             log_int("attempts", c->report.attempts),
             log_int("first_ms", c->report.first_ms),
             log_int("total_ms", c->report.total_ms), LOG_END);
}

static void on_late(void *arg);

/* What an attempt has shown of its target.  given_up: nothing. */
static void settle_health(struct call *c, const struct err *e, bool given_up)
{
    const struct target *t = &c->plan.targets[c->at];

    if (!c->measured)
        return;
    c->measured = false;
    if (given_up)
        health_dismiss(c->m->health, t->instance->name, t->model);
    else
        health_end(c->m->health, t->instance->name, t->model,
                   clock_now(c->m->loop->clock), e);
}

static void count_usage(struct call *c)
{
    account_usage(stats(c), &c->plan.targets[c->at], &c->report.usage,
                  c->m->loop->clock);
}

/* For routes that go by it. */
static void count_pace(struct call *c)
{
    int64_t before = c->tried_at - c->started, first = c->report.first_ms;

    /* The first word may be another target's. */
    if (c->plan.strategy == STRATEGY_FASTEST)
        account_pace(&c->plan.targets[c->at],
                     first < before ? -1 : first - before,
                     c->report.total_ms - before, c->m->loop->clock);
}

/* For whoever compares a route's targets. */
static void count_route(struct call *c, bool ok)
{
    account_route(c->plan.route, &c->plan.targets[c->at], ok, &c->report,
                  c->tried_at - c->started, c->m->loop->clock);
}

static void finish(struct call *c, const struct err *e)
{
    struct instance_stats *st = stats(c);

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
    settle_health(c, e, true); /* unless on_end() has */
    timer_stop(&c->deadline);
    timer_stop(&c->patience);
    timer_stop(&c->backoff);
    c->report.total_ms = elapsed(c);
    account_bump(e ? &st->failed : &st->ok, 1);
    account_bump(&st->active, (uint64_t)-1);
    count_usage(c);
    count_route(c, !e);
    if (!e)
        count_pace(c);
    guard_total(c->guard, &c->report.usage);
    rescue_total(c->rescue, &c->report.usage);
    log_end(c, e);
    if (!c->cancelled)
        c->sink->end(c->arg, e, &c->report);
}

static void on_late(void *arg)
{
    struct call *c = arg;

    enter(c);
    if (c->cancelled)
        goto out;
    if (c->failed && !c->late)
        end_with(c, ERR_INTERNAL, "out of memory");
    else
        finish(c, c->late);
out:
    leave(c);
}

/* --- towards the client -------------------------------------------------- */

static void flush_warnings(struct call *c)
{
    const struct call_warning *w = c->warnings;

    for (; w && !c->cancelled; w = w->next) {
        pbay_event ev = {.size = sizeof(ev),
                         .type = PBAY_EV_WARNING,
                         .name = w->name,
                         .text = w->text};
        c->sink->event(c->arg, &ev);
    }
}

/* Logged in any case; what comes before the answer begins also stands in the
 * report, from which clients get a header. */
static void take_warning(struct call *c, const pbay_event *ev)
{
    struct call_warning *w;

    log_line(LOG_INFO, "call", "the provider's module warns",
             log_str("id", c->report.id),
             log_cstr("provider", c->report.provider),
             log_str("field", ev->name), log_str("text", ev->text), LOG_END);
    if (c->begun)
        return;
    w = arena_alloc(&c->arena, sizeof(*w));
    if (!w)
        return;
    w->name = arena_dup(&c->arena, ev->name);
    w->text = arena_dup(&c->arena, ev->text);
    *c->last_warning = w;
    c->last_warning = &w->next;
}

static void sink_begin(struct call *c, const struct call_head *given)
{
    struct call_head h = {.status = 200};

    if (c->begun || c->cancelled)
        return;
    c->begun = true;
    if (given)
        h = *given;
    h.reply_id = c->reply_id;
    h.model = c->report.model_answered;
    c->report.warnings = c->warnings;
    c->sink->begin(c->arg, &h, &c->report);
    if (!h.pass)
        flush_warnings(c);
}

static void begin_by_attempt(struct call *c)
{
    struct call_head h;

    if (attempt_passes(c->attempt)) {
        attempt_head(c->attempt, &h);
        sink_begin(c, &h);
    } else {
        sink_begin(c, NULL);
    }
}

static void flush_prelude(struct call *c)
{
    if (c->prelude.n && !c->cancelled) {
        c->sink->bytes(c->arg, buf_str(&c->prelude));
        buf_reset(&c->prelude, 0);
    }
}

/* The answer proper has begun: from here on a failure can't be hidden. */
static void content(struct call *c)
{
    if (c->content)
        return;
    c->content = true;
    c->report.first_ms = elapsed(c);
    timer_stop(&c->patience);
    begin_by_attempt(c);
    if (attempt_passes(c->attempt))
        flush_prelude(c);
}

/* The upstream is alive but has said nothing yet: the client gets the head. */
static void on_patience(void *arg)
{
    struct call *c = arg;

    enter(c);
    if (!c->over && !c->cancelled && c->attempt) {
        begin_by_attempt(c);
        flush_prelude(c);
    }
    leave(c);
}

/* --- from the attempt ---------------------------------------------------- */

static void on_head(void *arg)
{
    struct call *c = arg;
    struct call_head h;

    enter(c);
    attempt_head(c->attempt, &h);
    if (h.stream && c->req.stream && !c->begun)
        timer_set(&c->patience, c->m->loop->clock, LIM_PRELUDE_MS, on_patience,
                  c);
    leave(c);
}

static void keep_begin(struct call *c, const pbay_event *ev)
{
    if (ev->id.n && !c->reply_id.n)
        c->reply_id = arena_dup(&c->arena, ev->id);
    if (ev->name.n && !c->report.model_answered.n)
        c->report.model_answered = arena_dup(&c->arena, ev->name);
}

static void keep_usage(struct call *c, const pbay_usage *u)
{
    pbay_usage *to = &c->report.usage;

    to->size = sizeof(*to);
#define KEEP(bit, field)                            \
    if ((u->known & (bit)) && PBAY_HAS(u, field)) { \
        to->field = u->field;                       \
        to->known |= (bit);                         \
    }
    KEEP(PBAY_U_INPUT, input)
    KEEP(PBAY_U_CACHE_READ, cache_read)
    KEEP(PBAY_U_CACHE_WRITE, cache_write)
    KEEP(PBAY_U_CACHE_WRITE_LONG, cache_write_long)
    KEEP(PBAY_U_OUTPUT, output)
    KEEP(PBAY_U_REASONING, reasoning)
    KEEP(PBAY_U_COST, cost_nano)
#undef KEEP
    if ((u->known & PBAY_U_COST) && PBAY_HAS(u, currency)) {
        memcpy(to->currency, u->currency, sizeof(to->currency));
        to->currency[sizeof(to->currency) - 1] = '\0';
    }
    if (PBAY_HAS(u, flags))
        to->flags = u->flags;
}

static bool withheld(const struct call *c)
{
    return c->guard && guard_withholds(c->guard);
}

static void on_event(void *arg, const pbay_event *ev)
{
    struct call *c = arg;
    pbay_event shown;

    enter(c);
    if (c->retry)
        goto out; /* this attempt has been given up */
    if (c->guard)
        guard_event(c->guard, ev);
    switch (ev->type) {
    case PBAY_EV_BEGIN:
        keep_begin(c, ev);
        goto out;
    case PBAY_EV_USAGE:
        keep_usage(c, ev->usage);
        /* The sink sees what has been checked, in this host's size. */
        shown = *ev;
        shown.usage = &c->report.usage;
        ev = &shown;
        break;
    case PBAY_EV_WARNING:
        take_warning(c, ev);
        break;
    case PBAY_EV_LIMITS:
        break;
    default:
        switch (c->rescue ? rescue_event(c->rescue, &ev, &shown)
                          : RESCUE_SHOW) {
        case RESCUE_SHOW:
            content(c);
            break;
        case RESCUE_WRONG:
            gone_wrong(c);
            goto out;
        case RESCUE_KEEP:
            goto out;
        }
    }
    if (!attempt_passes(c->attempt) && !c->cancelled && c->begun &&
        ev->type != PBAY_EV_CONTENT && !withheld(c))
        c->sink->event(c->arg, ev);
out:
    leave(c);
}

static void on_bytes(void *arg, pbay_str raw)
{
    struct call *c = arg;

    enter(c);
    if (c->retry || withheld(c)) {
        /* Given up; or it ends with an error. */
    } else if (c->begun) {
        flush_prelude(c);
        if (!c->cancelled)
            c->sink->bytes(c->arg, raw);
    } else if (c->prelude.n + raw.n > LIM_PRELUDE ||
               buf_add(&c->prelude, raw) < 0) {
        begin_by_attempt(c);
        flush_prelude(c);
        if (!c->cancelled)
            c->sink->bytes(c->arg, raw);
    }
    leave(c);
}

/* Does the client know of an answer already? */
static bool known(const struct call *c)
{
    return c->begun && !guard_holds(c->guard);
}

/* A failure before the first content is invisible if another target may try. */
static bool another(struct call *c, const struct err *e)
{
    if (known(c) || c->cancelled || c->at + 1 >= c->plan.n)
        return false;
    return err_class(e->kind)->next_target;
}

/* Nothing that a provider makes or changes is made twice. */
static bool repeatable(const struct call_request *r)
{
    return r->op != PBAY_OP_RAW || str_is(r->method, "GET") ||
           str_is(r->method, "HEAD");
}

/* The same target once more: in how many milliseconds, or -1. */
static int64_t again_after(struct call *c, const struct err *e)
{
    const struct target *t = &c->plan.targets[c->at];
    int64_t now = clock_now(c->m->loop->clock), until;
    struct retry_ask q = {.cfg = &t->instance->cfg->retry,
                          .e = e,
                          .attempts = c->tries,
                          .safe = repeatable(&c->req),
                          .left_ms = -1};

    if (known(c) || c->cancelled || c->at + 1 < c->plan.n ||
        q.cfg->max_attempts <= (int64_t)c->tries)
        return -1;
    if (c->m->health && health_look(c->m->health, t->instance->name, t->model,
                                    now, &until) == HEALTH_OPEN)
        return -1;
    if (timer_running(&c->deadline))
        q.left_ms = c->deadline.at > now ? c->deadline.at - now : 0;
    return retry_wait(&c->m->retry, &q);
}

static void pass_error_body(struct call *c, const struct err *e)
{
    pbay_str body = attempt_error_body(c->attempt);
    struct call_head h;
    char *clean;
    size_t n;

    if (c->begun || !body.n || !err_class(e->kind)->pass_body)
        return;
    attempt_head(c->attempt, &h);
    h.pass = h.error_body = true;
    h.stream = false;
    sink_begin(c, &h);
    clean = redact_text(body, &n);
    if (!c->cancelled)
        c->sink->bytes(c->arg, clean ? str_n(clean, n) : body);
    free(clean);
}

/* The answer is whole, but not what its schema asks for: once more, if it may
 * be, which is an attempt of its own. */
static bool repair(struct call *c)
{
    if (c->cancelled || !guard_repairs(c->guard, &c->req, &c->report.usage))
        return false;
    count_usage(c);
    c->wait_ms = 0;
    c->retry = true;
    return true;
}

/* The attempt is over and not the call: another target is the next one. */
static void go_next(struct call *c, size_t at)
{
    count_route(c, false);
    account_bump(&stats(c)->failed, 1);
    account_bump(&stats(c)->active, (uint64_t)-1);
    c->next_at = at;
    c->wait_ms = -1;
    c->retry = true; /* from leave(), once this attempt is off the stack */
}

/* Can the sink show what comes from another target behind what it has? */
static bool resumes(struct call *c)
{
    pbay_str model = c->report.model_answered;

    if (!attempt_passes(c->attempt))
        return true;
    return c->req.resume && c->req.resume(c->arg, c->reply_id, model);
}

/* The client has a part of the answer, and somebody else goes on with it.  e
 * NULL: the attempt contradicts what was sent. */
static bool rescued(struct call *c, const struct err *e)
{
    const struct target *t;
    size_t next;

    if (!c->rescue || c->cancelled || c->over || !known(c) ||
        (attempt_passes(c->attempt) && !c->req.resume) ||
        !rescue_next(c->rescue, c->at, e, &c->report.usage, &next))
        return false;
    count_usage(c);
    if (!resumes(c)) {
        memset(&c->report.usage, 0, sizeof(c->report.usage)); /* is counted */
        return false;
    }
    if (e)
        log_end(c, e);
    t = &c->plan.targets[next];
    log_line(LOG_WARN, "call", "the answer broke off; another target goes on",
             log_str("id", c->report.id), log_cstr("from", c->report.provider),
             log_cstr("to", t->instance->name), log_str("model", t->model),
             log_cstr("by", rescue_goes_on(c->rescue) ? "prefill" : "restart"),
             LOG_END);
    go_next(c, next);
    return true;
}

/* It says something else than what the client has. */
static void gone_wrong(struct call *c)
{
    settle_health(c, NULL, true);
    if (!rescued(c, NULL))
        finish(c, rescue_error(c->rescue, NULL));
}

static void on_end(void *arg, const struct err *e)
{
    struct call *c = arg;
    struct err bad;

    enter(c);
    settle_health(c, e, false);
    if (!e && c->guard && !guard_judge(c->guard, &c->report, &bad))
        e = &bad;
    if (e == &bad && repair(c)) {
        log_end(c, e);
    } else if (!e) {
        /* An answer without content (an empty list, say) still begins. */
        begin_by_attempt(c);
        flush_prelude(c);
        finish(c, NULL);
    } else if (another(c, e)) {
        log_end(c, e);
        tried_add(&c->tried, c->report.provider, c->report.model, e);
        go_next(c, c->at + 1);
    } else if (rescued(c, e)) {
        /* by another target */
    } else if ((c->wait_ms = again_after(c, e)) >= 0) {
        log_end(c, e);
        count_route(c, false);
        c->retry = true;
    } else if (c->tried.n && !known(c)) {
        struct err all;
        tried_add(&c->tried, c->report.provider, c->report.model, e);
        tried_sum(&c->tried, &all);
        finish(c, &all);
    } else {
        if (c->attempt)
            pass_error_body(c, e);
        finish(c, rescue_error(c->rescue, e));
    }
    leave(c);
}

static const struct attempt_ops attempt_callbacks = {on_head, on_event,
                                                     on_bytes, on_end};

/* --- attempts ------------------------------------------------------------ */

static void attempt_try(struct call *c)
{
    const struct target *t = &c->plan.targets[c->at];

    c->report.provider = t->instance->name;
    c->report.model = t->model;
    c->report.attempts++;
    c->tries++;
    c->tried_at = clock_now(c->m->loop->clock);
    account_bump(&stats(c)->calls, 1);
    account_bump(&stats(c)->active, 1);
    if (c->m->health && (CALL_MEASURED & PBAY_OP_BIT(c->req.op))) {
        health_begin(c->m->health, t->instance->name, t->model,
                     clock_now(c->m->loop->clock));
        c->measured = true;
    }
    enter(c);
    c->attempt = attempt_start(
        c->m, c->snap, t,
        rescue_request(c->rescue, guard_request(c->guard, &c->req)),
        c->report.attempts - 1, &attempt_callbacks, c);
    if (!c->attempt) {
        struct err e;
        err_clear(&e);
        err_set(&e, ERR_INTERNAL, "out of memory");
        finish(c, &e);
    } else if (c->paused) {
        attempt_pause(c->attempt, true);
    }
    leave(c);
}

/* Nothing is left of the attempt that failed. */
static void attempt_clear(struct call *c, bool next)
{
    if (c->guard)
        guard_again(c->guard, next);
    if (guard_holds(c->guard))
        c->begun = c->content = false;
    attempt_free(c->attempt);
    c->attempt = NULL;
    buf_reset(&c->prelude, 0);
    c->warnings = NULL;
    c->last_warning = &c->warnings;
    c->reply_id = c->report.model_answered = STR_NONE;
    memset(&c->report.usage, 0, sizeof(c->report.usage));
    timer_stop(&c->patience);
}

static void attempt_next(struct call *c)
{
    attempt_clear(c, true);
    c->at = c->next_at;
    c->tries = 0;
    attempt_try(c);
}

static void on_backoff(void *arg)
{
    struct call *c = arg;

    /* Until now it was the call's one attempt that is under way. */
    account_bump(&stats(c)->failed, 1);
    account_bump(&stats(c)->active, (uint64_t)-1);
    attempt_try(c);
}

static void attempt_again(struct call *c)
{
    attempt_clear(c, false);
    timer_set(&c->backoff, c->m->loop->clock, c->wait_ms, on_backoff, c);
}

static void end_with(struct call *c, int kind, const char *why)
{
    struct err e;

    enter(c);
    if (!c->over && !c->cancelled) {
        err_clear(&e);
        err_set(&e, kind, "%s", why);
        finish(c, &e);
    }
    leave(c);
}

static void on_deadline(void *arg)
{
    end_with(arg, ERR_DEADLINE,
             "the request took longer than its total "
             "time-out");
}

/* The first attempt failed before call_start() returned. */
static void on_retry(void *arg)
{
    struct call *c = arg;

    enter(c);
    leave(c);
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
                "the model's name has %zu bytes; at most %d "
                "are allowed",
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
    if (!c->guard && c->snap->cfg->rescue)
        c->rescue = rescue_new(&c->req, &c->plan);
    if (c->rescue && c->req.resume)
        c->req.watch |= RESCUE_EVENTS;
    retry_earn(&m->retry, c->snap->cfg->retry_budget);
    c->report.reason = c->plan.reason;
    c->report.route = c->plan.route;
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
    c->starting = true;
    attempt_try(c);
    c->starting = false;
    if (c->retry)
        timer_set(&c->patience, m->loop->clock, 0, on_retry, c);
    return c;
}

void call_cancel(struct call *c)
{
    enter(c);
    guard_deaf(c->guard);
    if (!c->over && !c->cancelled) {
        c->cancelled = true;
        settle_health(c, NULL, true);
        c->report.total_ms = elapsed(c);
        if (c->report.attempts) {
            account_bump(&stats(c)->cancelled, 1);
            account_bump(&stats(c)->active, (uint64_t)-1);
        }
        log_line(LOG_INFO, "call", "the client went away",
                 log_str("id", c->report.id),
                 log_cstr("provider", c->report.provider),
                 log_int("total_ms", c->report.total_ms), LOG_END);
        attempt_free(c->attempt);
        c->attempt = NULL;
    }
    leave(c);
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
