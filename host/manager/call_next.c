/* SPDX-License-Identifier: MIT */
/* What follows when an attempt has ended.  The error table (base/error)
 * decides; nothing else does. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "manager/account.h"
#include "manager/call_int.h"
#include "manager/call_plan.h"
#include "manager/debug.h"
#include "manager/health.h"
#include "manager/room.h"

/* Is the next target worth an attempt?  One that is thought to be down is while
 * the retry budget has something left: when all are, not every request goes to
 * each of them. */
static bool affordable(struct call *c, size_t at)
{
    static const char why[] =
        "it is thought to be down, and the retry budget is used up";
    const struct target *t = &c->plan.targets[at];
    int64_t until;
    bool works = !c->m->health || !(CALL_MEASURED & PBAY_OP_BIT(c->req.op)) ||
                 health_look(c->m->health, t->instance->name, t->model,
                             clock_now(c->m->loop->clock), &until) == HEALTH_GO;

    if (retry_elsewhere(&c->m->retry, works))
        return true;
    for (size_t i = at; i < c->plan.n; i++)
        tried_leave(&c->tried, c->plan.targets[i].instance->name,
                    c->plan.targets[i].model, why);
    log_line(LOG_INFO, "call", "the next target is left out",
             log_str("id", c->report.id),
             log_cstr("provider", t->instance->name),
             log_str("model", t->model), log_cstr("why", why), LOG_END);
    return false;
}

static bool taken_out(const struct call *c, const struct target *t)
{
    return c->m->health &&
           health_held(c->m->health, t->instance->name) != HOLD_NONE;
}

/* Nothing new goes to what an operator has taken out meanwhile. */
static void leave_taken_out(struct call *c)
{
    struct plan *p = &c->plan;

    while (c->at + 1 < p->n && taken_out(c, &p->targets[c->at + 1])) {
        struct target *t = &p->targets[c->at + 1];
        tried_leave(&c->tried, t->instance->name, t->model,
                    "it was drained or disabled");
        p->n--;
        memmove(t, t + 1, (p->n - c->at - 1) * sizeof(*t));
    }
}

/* A failure before the first content is invisible if another target may try. */
static bool another(struct call *c, const struct err *e)
{
    if (ca_known(c) || c->cancelled || !err_class(e->kind)->next_target)
        return false;
    leave_taken_out(c);
    return c->at + 1 < c->plan.n && affordable(c, c->at + 1);
}

/* The prompt did not fit: it goes to targets that hold more. */
static void make_room(struct call *c)
{
    struct want want = {.op = c->req.op,
                        .canonical = !c->req.translate,
                        .body = c->req.body,
                        .members = c->req.members,
                        .n_members = c->req.n_members};
    struct room_left left;

    if (ca_known(c) || c->cancelled)
        return;
    room_larger(&c->plan, c->at, c->m->models, &want, &left);
    for (size_t i = 0; i < left.n; i++) {
        const struct target *t = &left.of[i].target;
        tried_leave(&c->tried, t->instance->name, t->model, left.of[i].why);
        debug_left(c->req.debug, t, left.of[i].why);
        log_line(LOG_INFO, "call", "a target is left out",
                 log_str("id", c->report.id),
                 log_cstr("provider", t->instance->name),
                 log_str("model", t->model), log_cstr("why", left.of[i].why),
                 LOG_END);
    }
}

/* The same target once more: in how many milliseconds, or -1. */
static int64_t again_after(struct call *c, const struct err *e)
{
    const struct target *t = &c->plan.targets[c->at];
    int64_t now = clock_now(c->m->loop->clock), until;
    struct retry_ask q = {.cfg = &t->instance->cfg->retry,
                          .e = e,
                          .attempts = c->tries,
                          .safe = call_repeatable(&c->req),
                          .left_ms = -1};

    if (ca_known(c) || c->cancelled || c->at + 1 < c->plan.n ||
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
    ca_begin(c, &h);
    clean = redact_text(body, &n);
    if (!c->cancelled)
        c->sink->bytes(c->arg, clean ? str_n(clean, n) : body);
    free(clean);
}

/* The answer is whole, but not what its schema asks for: once more, if it may
 * be, which is an attempt of its own. */
static bool repair(struct call *c)
{
    pbay_usage used = c->report.usage;
    bool priced = !used.known || account_cost(&c->plan.targets[c->at], &used,
                                              c->m->loop->clock);

    if (c->cancelled || !guard_repairs(c->guard, &c->req, &used))
        return false;
    c->report.unpriced |= !priced;
    ca_count_usage(c);
    c->wait_ms = 0;
    c->retry = true;
    return true;
}

/* The attempt is over and not the call: another target is the next one. */
static void go_next(struct call *c, size_t at)
{
    ca_count_route(c, false);
    account_bump(&ca_stats(c)->failed, 1);
    account_bump(&ca_stats(c)->active, (uint64_t)-1);
    c->next_at = at;
    c->wait_ms = -1;
    c->retry = true; /* from ca_leave(), once this attempt is off the stack */
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

    if (!c->rescue || c->cancelled || c->over || !ca_known(c) ||
        (attempt_passes(c->attempt) && !c->req.resume) ||
        !rescue_next(c->rescue, c->at, e, &c->report.usage, &next))
        return false;
    if (!affordable(c, next) || !resumes(c)) {
        ca_count_usage(c);
        memset(&c->report.usage, 0, sizeof(c->report.usage)); /* is counted */
        return false;
    }
    if (c->cancelled) /* by what it was shown of that */
        return true;
    ca_count_usage(c);
    if (e)
        ca_log_end(c, e);
    t = &c->plan.targets[next];
    log_line(LOG_WARN, "call", "the answer broke off; another target goes on",
             log_str("id", c->report.id), log_cstr("from", c->report.provider),
             log_cstr("to", t->instance->name), log_str("model", t->model),
             log_cstr("by", rescue_goes_on(c->rescue) ? "prefill" : "restart"),
             LOG_END);
    go_next(c, next);
    return true;
}

void ca_gone_wrong(struct call *c)
{
    ca_settle_health(c, NULL, true);
    if (!rescued(c, NULL))
        ca_finish(c, rescue_error(c->rescue, NULL));
}

void ca_on_end(void *arg, const struct err *e)
{
    struct call *c = arg;
    struct err bad;

    ca_enter(c);
    ca_settle_health(c, e, false);
    if (!e && c->guard && !guard_judge(c->guard, &c->report, &bad))
        e = &bad;
    if (e)
        ca_tell(c, e);
    if (e && e->kind == PBAY_E_CONTEXT)
        make_room(c);
    if (e == &bad && repair(c)) {
        ca_log_end(c, e);
    } else if (!e) {
        /* An answer without content (an empty list, say) still begins. */
        ca_begin_by_attempt(c);
        ca_flush_prelude(c);
        ca_finish(c, NULL);
    } else if (another(c, e)) {
        ca_log_end(c, e);
        tried_add(&c->tried, c->report.provider, c->report.model, e);
        go_next(c, c->at + 1);
    } else if (rescued(c, e)) {
        /* by another target */
    } else if ((c->wait_ms = again_after(c, e)) >= 0) {
        ca_log_end(c, e);
        ca_count_route(c, false);
        c->retry = true;
    } else if (c->tried.n && !ca_known(c)) {
        struct err all;
        tried_add(&c->tried, c->report.provider, c->report.model, e);
        tried_sum(&c->tried, &all);
        ca_finish(c, &all);
    } else {
        if (c->attempt)
            pass_error_body(c, e);
        ca_finish(c, rescue_error(c->rescue, e));
    }
    ca_leave(c);
}
