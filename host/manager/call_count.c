/* SPDX-License-Identifier: MIT */
/* What is counted of a call and its attempts: for the log, the breakers, the
 * accounts, and routes that go by how their targets did. */
#include "manager/account.h"
#include "manager/call_int.h"
#include "manager/debug.h"
#include "manager/health.h"

struct instance_stats *ca_stats(const struct call *c)
{
    return &c->plan.targets[c->at].instance->stats[c->m->loop->id];
}

int64_t ca_elapsed(const struct call *c)
{
    return clock_now(c->m->loop->clock) - c->started;
}

void ca_log_end(struct call *c, const struct err *e)
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

void ca_settle_health(struct call *c, const struct err *e, bool given_up)
{
    const struct target *t = &c->plan.targets[c->at];

    if (!c->measured)
        return;
    c->measured = false;
    if (given_up)
        health_dismiss(c->m->health, t->instance->name, t->model, &c->ticket);
    else
        health_end(c->m->health, t->instance->name, t->model,
                   clock_now(c->m->loop->clock), e, &c->ticket);
}

void ca_count_usage(struct call *c)
{
    account_usage(ca_stats(c), &c->plan.targets[c->at], &c->report.usage,
                  c->m->loop->clock);
}

void ca_count_pace(struct call *c)
{
    int64_t before = c->tried_at - c->started, first = c->report.first_ms;

    /* The first word may be another target's. */
    if (c->plan.strategy == STRATEGY_FASTEST)
        account_pace(&c->plan.targets[c->at],
                     first < before ? -1 : first - before,
                     c->report.total_ms - before, c->m->loop->clock);
}

void ca_count_route(struct call *c, bool ok)
{
    account_route(c->plan.route, &c->plan.targets[c->at],
                  ok        ? 0
                  : c->kind ? c->kind
                            : PBAY_E_UPSTREAM,
                  &c->report, c->tried_at - c->started, c->m->loop->clock);
}

void ca_tell(struct call *c, const struct err *e)
{
    if (e)
        c->kind = e->kind;
    debug_tried(c->req.debug, &c->plan.targets[c->at], c->report.attempts, e,
                clock_now(c->m->loop->clock) - c->tried_at);
}
