/* SPDX-License-Identifier: MIT */
/* Several calls with one body, and what comes of each. */
#include "manager/compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "manager/account.h"
#include <patchbay/event.h>

struct job {
    struct compare *c;
    struct call *call;
    bool started;
    char id[64];
    struct arena arena; /* of what the report points to */
    struct compare_answer answer;
};

struct compare {
    struct manager *m;
    struct call_request base;
    const struct compare_sink *sink;
    void *arg;
    size_t n, next, running, over, at_once;
    int64_t started;
    bool keep, paused, told;
    struct timer again; /* starts calls, tells the end: never inside a call */
    struct job jobs[];
};

static void go_on(void *arg);

static void later(struct compare *c)
{
    timer_set(&c->again, c->m->loop->clock, 0, go_on, c);
}

static void job_over(struct job *j, const struct err *e,
                     const struct call_report *r)
{
    struct compare *c = j->c;
    struct compare_answer *a = &j->answer;

    j->call = NULL;
    a->over = true;
    if (r && !call_report_copy(&a->report, r, &j->arena))
        a->report =
            (struct call_report){.provider = "", .reason = "", .first_ms = -1};
    else if (r)
        account_price(c->m, &a->report);
    if (e && !a->failed) {
        a->failed = true;
        a->error = *e;
    }
    c->running--;
    c->over++;
    c->sink->end(c->arg, (size_t)(j - c->jobs), a);
    later(c);
}

/* --- the sink of one call ------------------------------------------------ */

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
    (void)raw; /* never: these calls ask for events */
}

static const char *stop_word(uint32_t code)
{
    switch (code) {
    case PBAY_STOP_LENGTH:
    case PBAY_STOP_CONTEXT:
        return "length";
    case PBAY_STOP_TOOL:
        return "tool_calls";
    case PBAY_STOP_FILTER:
        return "content_filter";
    default:
        return "stop";
    }
}

static void take_text(struct job *j, pbay_str text)
{
    struct compare_answer *a = &j->answer;

    if (j->c->keep && buf_add(&a->text, text) < 0) {
        if (!a->failed)
            err_set(&a->error, ERR_REPLY_TOO_LARGE,
                    "the answer is larger than a comparison takes");
        a->failed = true;
        return;
    }
    j->c->sink->text(j->c->arg, (size_t)(j - j->c->jobs), text);
}

static void on_event(void *arg, const pbay_event *ev)
{
    struct job *j = arg;

    if (ev->choice)
        return;
    if (ev->type == PBAY_EV_TEXT || ev->type == PBAY_EV_REFUSAL)
        take_text(j, ev->text);
    else if (ev->type == PBAY_EV_STOP)
        snprintf(j->answer.stop, sizeof(j->answer.stop), "%s",
                 stop_word(ev->code));
}

static void on_end(void *arg, const struct err *e, const struct call_report *r)
{
    job_over(arg, e, r);
}

static const struct call_sink sink = {on_begin, on_bytes, on_event, on_end};

/* --- all of them --------------------------------------------------------- */

/* What is left of the deadline, which is one for all of them.  0, or -1 and
 * *e. */
static int cut_deadline(const struct compare *c, struct call_request *r,
                        struct err *e)
{
    int64_t gone = clock_now(c->m->loop->clock) - c->started;

    if (!r->deadline_ms)
        return 0;
    if (r->deadline_ms > gone) {
        r->deadline_ms -= gone;
        return 0;
    }
    err_set(e, ERR_DEADLINE, "the deadline of the request is over");
    return -1;
}

static void start_job(struct job *j)
{
    struct compare *c = j->c;
    struct call_request r = c->base;
    struct err e;

    r.model = j->answer.asked;
    snprintf(j->id, sizeof(j->id), "%.40s_%zu",
             c->base.id.n ? c->base.id.p : "", (size_t)(j - c->jobs) + 1);
    r.id = str_c(j->id);
    r.stream = true;
    r.no_pass = true;
    r.want = PBAY_WANT(PBAY_EV_TEXT) | PBAY_WANT(PBAY_EV_REFUSAL) |
             PBAY_WANT(PBAY_EV_CALL) | PBAY_WANT(PBAY_EV_BEGIN);
    j->started = true;
    c->running++;
    err_clear(&e);
    if (cut_deadline(c, &r, &e) == 0)
        j->call = call_start(c->m, &r, &sink, j, &e);
    if (!j->call)
        job_over(j, &e, NULL);
    else if (c->paused)
        call_pause(j->call, true);
}

static void go_on(void *arg)
{
    struct compare *c = arg;

    while (c->next < c->n && c->running < c->at_once)
        start_job(&c->jobs[c->next++]);
    if (c->over == c->n && !c->told) {
        c->told = true;
        timer_stop(&c->again);
        c->sink->over(c->arg);
    }
}

struct compare *compare_start(struct manager *m,
                              const struct call_request *base,
                              const pbay_str *models, size_t n, size_t at_once,
                              bool keep, const struct compare_sink *to,
                              void *arg)
{
    struct compare *c = calloc(1, sizeof(*c) + n * sizeof(c->jobs[0]));

    if (!c)
        return NULL;
    c->m = m;
    c->base = *base;
    c->sink = to;
    c->arg = arg;
    c->n = n;
    c->at_once = at_once ? at_once : COMPARE_AT_ONCE;
    c->keep = keep;
    c->started = clock_now(m->loop->clock);
    for (size_t i = 0; i < n; i++) {
        struct job *j = &c->jobs[i];
        j->c = c;
        arena_init(&j->arena, LIM_MIB(1));
        buf_init(&j->answer.text, COMPARE_TEXT);
        err_clear(&j->answer.error);
        j->answer.asked = models[i];
        j->answer.report =
            (struct call_report){.provider = "", .reason = "", .first_ms = -1};
    }
    later(c);
    return c;
}

void compare_free(struct compare *c)
{
    if (!c)
        return;
    timer_stop(&c->again);
    for (size_t i = 0; i < c->n; i++) {
        struct job *j = &c->jobs[i];
        struct call *call = j->call;
        j->call = NULL;
        if (call)
            call_cancel(call);
        buf_done(&j->answer.text);
        arena_done(&j->arena);
    }
    free(c);
}

void compare_pause(struct compare *c, bool on)
{
    c->paused = on;
    for (size_t i = 0; i < c->n; i++)
        if (c->jobs[i].call)
            call_pause(c->jobs[i].call, on);
}

size_t compare_count(const struct compare *c)
{
    return c->n;
}

const struct compare_answer *compare_answer(const struct compare *c, size_t i)
{
    return &c->jobs[i].answer;
}

/* --- as JSON ------------------------------------------------------------- */

static void put_usage(struct buf *b, const pbay_usage *u)
{
    uint64_t in = u->known & PBAY_U_INPUT ? u->input : 0;
    uint64_t out = u->known & PBAY_U_OUTPUT ? u->output : 0;

    buf_addc(b, ",\"usage\":");
    if (!(u->known & (PBAY_U_INPUT | PBAY_U_OUTPUT))) {
        buf_addc(b, "null");
    } else {
        buf_printf(b, "{\"prompt_tokens\":%llu,\"completion_tokens\":%llu,",
                   (unsigned long long)in, (unsigned long long)out);
        buf_printf(b, "\"total_tokens\":%llu,\"estimated\":%s}",
                   (unsigned long long)(in + out),
                   u->flags & PBAY_U_ESTIMATED ? "true" : "false");
    }
    buf_addc(b, ",\"cost\":");
    if (u->known & PBAY_U_COST) {
        buf_printf(b, "{\"nano\":%lld,\"currency\":", (long long)u->cost_nano);
        buf_json(b, str_c(u->currency));
        buf_addc(b, "}");
    } else {
        buf_addc(b, "null");
    }
}

static void put_text(struct buf *b, const char *name, pbay_str text)
{
    buf_printf(b, ",\"%s\":", name);
    if (text.n)
        buf_json(b, text);
    else
        buf_addc(b, "null");
}

void compare_put(struct buf *b, const struct compare_answer *a, bool text)
{
    const struct call_report *r = &a->report;

    buf_addc(b, "\"model\":");
    buf_json(b, a->asked);
    put_text(b, "provider", str_c(r->provider));
    put_text(b, "model_answered",
             r->model_answered.n ? r->model_answered : r->model);
    if (text) {
        buf_addc(b, ",\"text\":");
        buf_json(b, buf_str(&a->text));
    }
    put_text(b, "finish_reason", str_c(a->stop));
    if (r->first_ms >= 0)
        buf_printf(b, ",\"first_token_ms\":%lld", (long long)r->first_ms);
    else
        buf_addc(b, ",\"first_token_ms\":null");
    buf_printf(b, ",\"total_ms\":%lld,\"attempts\":%u", (long long)r->total_ms,
               r->attempts);
    put_usage(b, &r->usage);
    buf_addc(b, ",\"error\":");
    if (a->failed) {
        buf_addc(b, "{\"message\":");
        buf_json(b, str_c(err_text(&a->error)));
        buf_printf(b, ",\"code\":\"%s\",\"status\":%d}",
                   err_class(a->error.kind)->name,
                   err_class(a->error.kind)->status);
    } else {
        buf_addc(b, "null");
    }
}
