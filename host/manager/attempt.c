/* SPDX-License-Identifier: MIT */
/* The life of an attempt at one target: who holds it, what its plugin may ask
 * of the host, its time, its end.  See attempt.h. */
#include "manager/attempt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "manager/allowance.h"
#include "manager/attempt_int.h"
#include "manager/bare.h"
#include "manager/call_plan.h"
#include "manager/exchange.h"
#include <patchbay/json.h>

/* --- entering and leaving: who frees ------------------------------------- */

static void attempt_destroy(attempt *a)
{
    struct manager *m = a->m;
    struct snapshot *s = a->snap;

    timer_stop(&a->timer);
    if (a->framed)
        framing_done(&a->framing);
    arena_done(&a->arena);
    free((char *)(uintptr_t)a->body_copy.p);
    free(a->bare);
    free(a->err);
    free(a);
    manager_release(m, s);
}

void at_enter(attempt *a)
{
    a->depth++;
}

void at_leave(attempt *a)
{
    if (--a->depth == 0 && a->silent && !a->in_worker)
        attempt_destroy(a);
}

/* --- what the plugin asks of the host ------------------------------------ */

static const void *host_extension(const pbay_host *h, pbay_str id)
{
    static const pbay_host_backends starts = {.size = sizeof(starts)};
    static const pbay_host_backends has_url = {sizeof(has_url),
                                               PBAY_BACKENDS_HAS_URL};
    const struct instance *inst = h->priv;

    if (!str_is(id, PBAY_HOST_BACKENDS))
        return NULL;
    return inst->cfg->url_given ? &has_url : &starts;
}

static void host_log(const pbay_host *h, int32_t level, pbay_str msg)
{
    static const enum log_level levels[] = {LOG_ERROR, LOG_ERROR, LOG_WARN,
                                            LOG_INFO, LOG_DEBUG};
    const struct instance *inst = h->priv;

    if (level < 1 || level > 4)
        level = PBAY_LOG_INFO;
    if (msg.n > 2048)
        msg.n = 2048;
    log_f(levels[level], inst->name, "%.*s", STR_ARG(msg));
}

static void *host_alloc(pbay_call *a, size_t n)
{
    return arena_alloc(&a->arena, n);
}

static int32_t host_cancelled(const pbay_call *a)
{
    if (a->native)
        return native_run_cancelled(a->native);
    return a->silent || a->ended;
}

static bool known_event(const pbay_event *ev)
{
    return ev->type >= PBAY_EV_BEGIN && ev->type <= PBAY_EV_ANNOTATION;
}

/* An event as this host knows the struct, whatever the plugin's is. */
static pbay_event event_norm(const pbay_event *ev)
{
    pbay_event out = {0};
    size_t n = ev->size < sizeof(out) ? ev->size : sizeof(out);

    memcpy(&out, ev, n);
    out.size = sizeof(out);
    if (out.type != PBAY_EV_USAGE)
        out.usage = NULL;
    if (out.type != PBAY_EV_ERROR)
        out.error = NULL;
    return out;
}

/* Is it a part of the answer, which cannot come before the reply does? */
static bool answers(const pbay_event *ev)
{
    return ev->type != PBAY_EV_BEGIN && ev->type != PBAY_EV_USAGE &&
           ev->type != PBAY_EV_LIMITS && ev->type != PBAY_EV_WARNING;
}

/* Room for what is wrong: rarely needed, and more than all else in here. */
struct err *at_new_err(attempt *a)
{
    a->err = malloc(sizeof(*a->err));
    if (a->err)
        err_clear(a->err);
    else
        a->broken = true; /* it fails all the same, without words */
    return a->err;
}

bool at_gone_wrong(const attempt *a)
{
    return a->err || a->broken;
}

/* On the loop: note what the engine itself needs, hand the rest on. */
pbay_rc at_event(attempt *a, const pbay_event *raw)
{
    if (a->silent || a->ended || at_gone_wrong(a))
        return PBAY_STOPPED;
    if (!raw || !PBAY_HAS(raw, type)) {
        if (at_new_err(a))
            err_set(a->err, ERR_INTERNAL,
                    "%s: its plugin emits an event without its size",
                    a->inst->name);
        return PBAY_STOPPED;
    }
    if (!known_event(raw))
        return PBAY_OK; /* of a later minor */
    pbay_event ev = event_norm(raw);
    switch (ev.type) {
    case PBAY_EV_ERROR:
        if (!ev.error)
            return PBAY_OK;
        if (!at_new_err(a))
            return PBAY_NOMEM;
        err_from_event(a->err, ev.error);
        return PBAY_OK;
    case PBAY_EV_LIMITS:
        allowance_learn(a->inst->left, a->req.model, ev.json, a->began,
                        clock_now(a->m->loop->clock));
        return PBAY_OK;
    case PBAY_EV_USAGE:
        if (!ev.usage)
            return PBAY_OK;
        at_used(a, ev.usage);
        break;
    }
    if (a->finishing)
        return PBAY_STOPPED;
    if (!a->native && !a->has_head && answers(&ev)) {
        if (at_new_err(a))
            err_set(a->err, ERR_INTERNAL,
                    "%s: its plugin answers before the provider does",
                    a->inst->name);
        return PBAY_FAIL;
    }
    if (ev.type == PBAY_EV_STOP)
        a->stops++;
    a->ops->event(a->arg, &ev);
    return a->silent ? PBAY_STOPPED : PBAY_OK;
}

static pbay_rc host_emit(pbay_call *a, const pbay_event *ev)
{
    if (a->native)
        return native_run_emit(a->native, ev);
    return at_event(a, ev);
}

void attempt_host_table(pbay_host *h, struct instance *inst)
{
    *h = (pbay_host){
        .size = sizeof(*h),
        .abi_major = PBAY_ABI_MAJOR,
        .abi_minor = PBAY_ABI_MINOR,
        .priv = inst,
        .extension = host_extension,
        .log = host_log,
        .alloc = host_alloc,
        .emit = host_emit,
        .cancelled = host_cancelled,
    };
}

/* --- ending -------------------------------------------------------------- */

/* Let go of the exchange or the worker, whatever is still under way. */
static void dismiss(attempt *a, const char *how)
{
    timer_stop(&a->timer);
    if (a->tx) {
        struct tx *tx = a->tx;
        a->tx = NULL;
        tx_cancel(tx);
    }
    if (a->in_worker && !a->dismissed) {
        a->dismissed = true;
        native_run_cancel(a->native);
    }
    at_codec_finish(a, PBAY_STOPPED);
    at_backend_leave(a);
    at_admit_end(a);
    if (a->rec) {
        recording_end(a->rec, how);
        a->rec = NULL;
    }
    a->ended = true;
}

void at_over(attempt *a, const struct err *e)
{
    if (a->ended)
        return;
    dismiss(a, e ? err_class(e->kind)->name : "ok");
    if (e && e == a->err)
        allowance_return(a->inst->left, a->req.model,
                         clock_now(a->m->loop->clock), e->retry_after_ms);
    if (!a->silent)
        a->ops->end(a->arg, e);
}

void at_fail(attempt *a, int kind, const char *why)
{
    struct err e;

    if (a->err) {
        at_over(a, a->err);
        return;
    }
    if (a->no_memory) {
        kind = ERR_INTERNAL;
        why = "its plugin needs more memory than call_memory allows";
    }
    err_clear(&e);
    err_set(&e, kind, "%s: %s", a->inst->name, why);
    at_over(a, &e);
}

/* --- time ---------------------------------------------------------------- */

static int64_t idle_ms(const attempt *a)
{
    return at_least(a->inst->cfg->timeouts.idle_ms, a->x.idle_ms);
}

static int64_t first_ms(const attempt *a)
{
    return at_least(a->inst->cfg->timeouts.first_ms, a->x.first_byte_ms);
}

int64_t at_reply_ms(const attempt *a)
{
    int64_t headers = a->inst->cfg->timeouts.headers_ms, first = first_ms(a);

    return headers && headers < first ? headers : first;
}

/* Nothing of the answer has come yet. */
static void on_silence(attempt *a)
{
    bool waits = a->codec && !a->has_head;
    int64_t gone = clock_now(a->m->loop->clock) - a->asked;
    int64_t most = waits ? at_reply_ms(a) : first_ms(a);

    if (gone >= first_ms(a))
        at_fail(a, ERR_FIRST_TIMEOUT,
                "no answer within the first-token time-out");
    else if (gone >= most)
        at_fail(a, ERR_HEADERS_TIMEOUT, "no reply within the headers time-out");
    else
        timer_set(&a->timer, a->m->loop->clock, most - gone, at_on_timer, a);
}

/* The timer is not set anew for each piece: it looks when it fires. */
void at_on_timer(void *arg)
{
    attempt *a = arg;
    int64_t quiet = clock_now(a->m->loop->clock) - a->heard;

    at_enter(a);
    if (a->saw_end) {
        /* The answer is whole; the provider is slow to say so. */
        struct tx *tx = a->tx;
        a->tx = NULL;
        if (tx)
            tx_cancel(tx);
        at_settle(a, PBAY_END);
    } else if (a->paused) {
        timer_set(&a->timer, a->m->loop->clock, idle_ms(a), at_on_timer, a);
    } else if (!a->answered) {
        on_silence(a);
    } else if (quiet >= idle_ms(a) && at_refused(a)) {
        at_end_refused(a);
    } else if (quiet < idle_ms(a)) {
        timer_set(&a->timer, a->m->loop->clock, idle_ms(a) - quiet, at_on_timer,
                  a);
    } else {
        at_fail(a, ERR_IDLE_TIMEOUT, "the answer stopped coming");
    }
    at_leave(a);
}

void at_heard(attempt *a)
{
    a->heard = clock_now(a->m->loop->clock);
    if (a->answered)
        return;
    a->answered = true;
    timer_set(&a->timer, a->m->loop->clock, idle_ms(a), at_on_timer, a);
}

/* The body without `models`, unless that is this target's own affair: others
 * would refuse it. */
static int without_models(attempt *a, const struct call_request *r,
                          struct call_body *body)
{
    pbay_str models = pbay_json_find(body->members, body->n_members, "models");
    char *text;

    if (!models.p || !(r->op == PBAY_OP_CHAT || r->op == PBAY_OP_EMBED) ||
        (a->inst->cfg->own_models && !r->took_models))
        return 0;
    text = bare_body(body, "models", &a->arena);
    if (!text)
        return -1;
    free(a->bare);
    a->bare = text;
    return 0;
}

/* The body as this target wants it: the client's own, or the canonical one. */
static int take_body(attempt *a, const struct call_request *r, bool pass,
                     struct call_body *body)
{
    *body = (struct call_body){r->body, r->members, r->n_members};
    if (pass || !r->translate)
        return without_models(a, r, body);
    if (!at_new_err(a))
        return -1;
    if (r->translate(r->translate_arg, body, a->err) == 0) {
        free(a->err);
        a->err = NULL;
        return without_models(a, r, body);
    }
    return -1;
}

static void want_always(attempt *a, uint32_t want)
{
    a->req.want = want | PBAY_WANT(PBAY_EV_USAGE) | PBAY_WANT(PBAY_EV_ERROR) |
                  PBAY_WANT(PBAY_EV_STOP) | PBAY_WANT(PBAY_EV_CONTENT);
    if (CALL_MEASURED & PBAY_OP_BIT(a->req.op))
        a->req.want |= PBAY_WANT(PBAY_EV_LIMITS);
}

static int fill_request(attempt *a, const struct target *t,
                        const struct call_request *r, unsigned number)
{
    bool pass = a->codec && !r->no_pass &&
                (r->op == PBAY_OP_RAW || instance_speaks(a->inst, r->dialect));
    struct call_body body;

    if (take_body(a, r, pass, &body) < 0)
        return -1;
    a->req = (pbay_request){
        .size = sizeof(a->req),
        .op = (uint32_t)r->op,
        .flags = (r->stream ? PBAY_RQ_STREAM : 0u) |
                 (pass ? PBAY_RQ_PASS : 0u) |
                 (r->go_on ? PBAY_RQ_CONTINUE : 0u),
        .attempt = number,
        .id = r->id,
        .model = arena_dup(&a->arena, t->model),
        .dialect = pass ? r->dialect : STR("canonical/1"),
        .content_type = r->content_type,
        .body = body.text,
        .method = r->method,
        .path = r->path,
        .query = r->query,
        .headers = r->headers,
        .n_headers = r->n_headers,
        .model_config = r->op == PBAY_OP_LIST
                            ? str_c(a->inst->cfg->model_config)
                            : exchange_model_config(a->inst, t->model),
        .members = body.members,
        .n_members = body.n_members,
    };
    want_always(a, pass ? PBAY_WANT(PBAY_EV_BEGIN) | r->watch : r->want);
    return 0;
}

int at_unpass(attempt *a)
{
    struct call_body body;

    if (take_body(a, a->ask, false, &body) < 0)
        return -1;
    a->req.flags &= ~(uint32_t)PBAY_RQ_PASS;
    a->req.dialect = STR("canonical/1");
    a->req.body = body.text;
    a->req.members = body.members;
    a->req.n_members = body.n_members;
    want_always(a, a->ask->want);
    memset(a->state, 0, a->codec->state_size);
    return 0;
}

void at_begin(attempt *a)
{
    if (CALL_MEASURED & PBAY_OP_BIT(a->ask->op))
        a->began = allowance_begin(a->inst->left, a->req.model);
    if (a->codec) {
        a->state = arena_alloc(&a->arena, a->codec->state_size);
        if (!a->state)
            at_fail(a, ERR_INTERNAL, "out of memory");
        else if (at_needs_backend(a))
            at_backend_begin(a);
        else
            at_exchange_begin(a);
    } else if (a->inst->native &&
               (a->inst->native->ops & PBAY_OP_BIT(a->ask->op))) {
        at_native_begin(a, a->ask);
    } else if (a->inst->backend && a->m->backends && a->ask->op == PBAY_OP_PS) {
        at_backend_ps(a);
    } else {
        at_fail(a, ERR_NOT_SUPPORTED, "this provider has no such operation");
    }
}

attempt *attempt_start(struct manager *m, struct snapshot *s,
                       const struct target *t, const struct call_request *r,
                       unsigned number, const struct attempt_ops *ops,
                       void *arg)
{
    attempt *a = calloc(1, sizeof(*a));

    if (!a)
        return NULL;
    a->m = m;
    a->snap = s;
    manager_hold(m, s);
    a->inst = t->instance;
    a->ops = ops;
    a->arg = arg;
    a->ask = r;
    a->used = -1;
    arena_init(&a->arena, a->inst->cfg->call_memory);
    if (a->inst->codec && (a->inst->codec->ops & PBAY_OP_BIT(r->op)))
        a->codec = a->inst->codec;
    at_enter(a);
    if (fill_request(a, t, r, number) < 0)
        at_fail(a, ERR_INTERNAL, "out of memory");
    else
        at_admit(a);
    a->depth--; /* not at_leave(): the caller holds the attempt */
    return a;
}

void attempt_free(attempt *a)
{
    if (!a)
        return;
    at_enter(a);
    a->silent = true;
    if (!a->ended)
        dismiss(a, "cancelled");
    at_leave(a);
}

void attempt_pause(attempt *a, bool on)
{
    if (a->paused == on || a->ended)
        return;
    a->paused = on;
    if (!on)
        a->heard = clock_now(a->m->loop->clock);
    if (a->tx)
        tx_pause(a->tx, on);
    if (a->in_worker && !a->dismissed)
        native_run_pause(a->native, on);
}

bool attempt_passes(const attempt *a)
{
    return a && a->reply_pass;
}

void attempt_head(const attempt *a, struct call_head *out)
{
    *out = (struct call_head){
        .pass = a->reply_pass,
        .stream = a->head.framing != PBAY_FRAME_WHOLE,
        .status = a->head.status,
        .content_type = a->content_type,
        .headers = a->passed,
        .n_headers = a->n_passed,
    };
}

uint64_t attempt_record(const attempt *a)
{
    return a->records;
}

pbay_str attempt_error_body(const attempt *a)
{
    return (a->req.flags & PBAY_RQ_PASS) ? a->error_body : STR_NONE;
}
