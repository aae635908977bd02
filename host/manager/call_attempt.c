/* SPDX-License-Identifier: MIT */
/* A call's attempts: how they begin, and what they tell until they end. */
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "manager/account.h"
#include "manager/call_int.h"
#include "manager/call_plan.h"
#include "manager/health.h"

/* --- what they tell ------------------------------------------------------ */

static void on_head(void *arg)
{
    struct call *c = arg;
    struct call_head h;

    ca_enter(c);
    attempt_head(c->attempt, &h);
    if (h.stream && c->req.stream && !c->begun)
        timer_set(&c->patience, c->m->loop->clock, LIM_PRELUDE_MS,
                  ca_on_patience, c);
    ca_leave(c);
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

    ca_enter(c);
    if (c->retry)
        goto out; /* this attempt has been given up */
    if (c->guard)
        guard_event(c->guard, ev);
    if (c->rescue && attempt_passes(c->attempt))
        rescue_record(c->rescue, attempt_record(c->attempt));
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
        ca_take_warning(c, ev);
        break;
    default:
        switch (c->rescue ? rescue_event(c->rescue, &ev, &shown)
                          : RESCUE_SHOW) {
        case RESCUE_SHOW:
            ca_content(c);
            break;
        case RESCUE_WRONG:
            ca_gone_wrong(c);
            goto out;
        case RESCUE_KEEP:
            goto out;
        }
    }
    if (!attempt_passes(c->attempt) && !c->cancelled && c->begun &&
        ev->type != PBAY_EV_CONTENT && !withheld(c))
        c->sink->event(c->arg, ev);
out:
    ca_leave(c);
}

static void on_bytes(void *arg, pbay_str raw)
{
    struct call *c = arg;

    ca_enter(c);
    if (c->retry || withheld(c)) {
        /* Given up; or it ends with an error. */
    } else if (c->begun) {
        ca_flush_prelude(c);
        if (!c->cancelled)
            c->sink->bytes(c->arg, raw);
    } else if (c->prelude.n + raw.n > LIM_PRELUDE ||
               buf_add(&c->prelude, raw) < 0) {
        ca_begin_by_attempt(c);
        ca_flush_prelude(c);
        if (!c->cancelled)
            c->sink->bytes(c->arg, raw);
    }
    ca_leave(c);
}

static void on_withheld(void *arg)
{
    struct call *c = arg;

    if (c->rescue && !c->retry)
        rescue_withheld(c->rescue, attempt_record(c->attempt));
}

static const struct attempt_ops attempt_callbacks = {
    on_head, on_event, on_bytes, on_withheld, ca_on_end};

/* --- their life ---------------------------------------------------------- */

/* A target that another call probes just now comes behind the others, unless
 * it was chosen for itself. */
static void measure(struct call *c)
{
    struct target *at = &c->plan.targets[c->at], first;
    size_t behind = c->plan.n - c->at - 1;
    bool chosen = c->tries || rescue_active(c->rescue);

    if (!c->m->health || !(CALL_MEASURED & PBAY_OP_BIT(c->req.op)))
        return;
    c->measured = true;
    for (size_t left = behind;; left--) {
        if (health_begin(c->m->health, at->instance->name, at->model,
                         clock_now(c->m->loop->clock), &c->ticket) ||
            chosen || !left)
            return;
        health_dismiss(c->m->health, at->instance->name, at->model, &c->ticket);
        first = *at;
        memmove(at, at + 1, behind * sizeof(*at));
        at[behind] = first;
    }
}

void ca_try(struct call *c)
{
    const struct target *t = &c->plan.targets[c->at];

    measure(c);
    c->report.provider = t->instance->name;
    c->report.model = t->model;
    c->report.attempts++;
    c->tries++;
    c->kind = 0;
    c->tried_at = clock_now(c->m->loop->clock);
    account_bump(&ca_stats(c)->calls, 1);
    account_bump(&ca_stats(c)->active, 1);
    ca_enter(c);
    c->attempt = attempt_start(
        c->m, c->snap, t,
        rescue_request(c->rescue, guard_request(c->guard, &c->req)),
        c->report.attempts - 1, &attempt_callbacks, c);
    if (!c->attempt) {
        struct err e;
        err_clear(&e);
        err_set(&e, ERR_INTERNAL, "out of memory");
        ca_finish(c, &e);
    } else if (c->paused) {
        attempt_pause(c->attempt, true);
    }
    ca_leave(c);
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

void ca_next(struct call *c)
{
    attempt_clear(c, true);
    c->at = c->next_at;
    c->tries = 0;
    ca_try(c);
}

static void on_backoff(void *arg)
{
    struct call *c = arg;

    /* Until now it was the call's one attempt that is under way. */
    account_bump(&ca_stats(c)->failed, 1);
    account_bump(&ca_stats(c)->active, (uint64_t)-1);
    ca_try(c);
}

void ca_again(struct call *c)
{
    attempt_clear(c, false);
    timer_set(&c->backoff, c->m->loop->clock, c->wait_ms, on_backoff, c);
}
