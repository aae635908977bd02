/* SPDX-License-Identifier: MIT */
/* A call towards its client: what is held back, and when that ends. */
#include "base/str.h"
#include "manager/call_int.h"

bool ca_known(const struct call *c)
{
    return c->begun && !guard_holds(c->guard);
}

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

void ca_take_warning(struct call *c, const pbay_event *ev)
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

void ca_begin(struct call *c, const struct call_head *given)
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
    if (!h.error_body)
        ca_tell(c, NULL);
    c->sink->begin(c->arg, &h, &c->report);
    if (!h.pass)
        flush_warnings(c);
}

void ca_begin_by_attempt(struct call *c)
{
    struct call_head h;

    if (attempt_passes(c->attempt)) {
        attempt_head(c->attempt, &h);
        ca_begin(c, &h);
    } else {
        ca_begin(c, NULL);
    }
}

void ca_flush_prelude(struct call *c)
{
    if (c->prelude.n && !c->cancelled) {
        c->sink->bytes(c->arg, buf_str(&c->prelude));
        buf_reset(&c->prelude, 0);
    }
}

void ca_content(struct call *c)
{
    if (c->content)
        return;
    c->content = true;
    c->report.first_ms = ca_elapsed(c);
    timer_stop(&c->patience);
    ca_begin_by_attempt(c);
    if (attempt_passes(c->attempt))
        ca_flush_prelude(c);
}

void ca_on_patience(void *arg)
{
    struct call *c = arg;

    ca_enter(c);
    if (!c->over && !c->cancelled && c->attempt) {
        ca_begin_by_attempt(c);
        ca_flush_prelude(c);
    }
    ca_leave(c);
}
