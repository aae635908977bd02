/* SPDX-License-Identifier: MIT */
/* One attempt at one target: codec callbacks around an exchange, or a native
 * run.  See attempt.h and sdk/include/patchbay/codec.h for the order of calls.
 */
#include "manager/attempt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "http/framing.h"
#include "manager/exchange.h"
#include "manager/recorder.h"

#define PASSED_MAX 4 /* headers of the reply; see may_pass() */

struct pbay_call {
    struct manager *m;
    struct snapshot *snap;
    struct instance *inst;
    const struct attempt_ops *ops;
    void *arg;
    unsigned depth; /* how many of our entry points are on the stack */
    bool silent;    /* attempt_free() was called: no more callbacks */
    bool ended;     /* ops->end was called, or must not be any more */
    bool paused;

    pbay_request req;
    pbay_str body_copy;
    struct arena arena;
    struct err *err; /* what the provider says is wrong; NULL: nothing */

    /* codec */
    const pbay_codec *codec;
    void *state;
    bool built;     /* finish() is owed */
    bool in_codec;  /* build, head or feed is on the stack: finish() waits */
    bool finishing; /* finish() is, and its answer is no longer wanted */
    pbay_exchange x;
    struct tx *tx;
    struct framing framing;
    bool framed, saw_end, broken, has_head, reply_pass;
    unsigned stops;
    pbay_head head;
    pbay_str content_type, error_body;
    pbay_kv passed[PASSED_MAX];
    size_t n_passed;
    pbay_str piece; /* what the transport has just given */
    pbay_str run;   /* whole records of it not yet handed on */
    struct recording *rec;

    /* native */
    struct native_run *native;
    bool in_worker; /* the worker still holds us */
    bool dismissed; /* native_run_cancel() was called */

    struct timer timer; /* first byte, then idle */
    int64_t heard;      /* when the upstream last said something */
    bool answered;      /* a record has come */
};

static void attempt_over(attempt *a, const struct err *e);
static void exchange_begin(attempt *a);
static void settle(attempt *a, pbay_rc why);
static bool refused(const attempt *a);
static void end_refused(attempt *a);

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
    free(a->err);
    free(a);
    manager_release(m, s);
}

static void enter(attempt *a)
{
    a->depth++;
}

static void leave(attempt *a)
{
    if (--a->depth == 0 && a->silent && !a->in_worker)
        attempt_destroy(a);
}

/* --- what the plugin asks of the host ------------------------------------ */

static const void *host_extension(const pbay_host *h, pbay_str id)
{
    (void)h;
    (void)id;
    return NULL;
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
    return ev && PBAY_HAS(ev, type) && ev->type >= PBAY_EV_BEGIN &&
           ev->type <= PBAY_EV_WARNING;
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
static struct err *new_err(attempt *a)
{
    a->err = malloc(sizeof(*a->err));
    if (a->err)
        err_clear(a->err);
    else
        a->broken = true; /* it fails all the same, without words */
    return a->err;
}

static bool gone_wrong(const attempt *a)
{
    return a->err || a->broken;
}

/* On the loop: note what the engine itself needs, hand the rest on. */
static pbay_rc take_event(attempt *a, const pbay_event *raw)
{
    if (a->silent || a->ended || gone_wrong(a))
        return PBAY_STOPPED;
    if (!known_event(raw))
        return PBAY_OK;
    pbay_event ev = event_norm(raw);
    switch (ev.type) {
    case PBAY_EV_ERROR:
        if (!ev.error)
            return PBAY_OK;
        if (!new_err(a))
            return PBAY_NOMEM;
        err_from_event(a->err, ev.error);
        return PBAY_OK;
    case PBAY_EV_USAGE:
        if (!ev.usage)
            return PBAY_OK;
        break;
    }
    if (a->finishing)
        return PBAY_STOPPED;
    if (!a->native && !a->has_head && answers(&ev)) {
        if (new_err(a))
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
    return take_event(a, ev);
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

/* --- codec callbacks, measured ------------------------------------------- */

static void measured(attempt *a, const char *what, int64_t since)
{
    int64_t us = clock_us() - since;

    module_times_add(&a->inst->gen->times[a->m->loop->id], (uint64_t)us);
    if (us > LIM_CALLBACK_US)
        log_line(LOG_WARN, "module", "a callback held up the event loop",
                 log_cstr("provider", a->inst->name),
                 log_cstr("callback", what), log_us("took", us), LOG_END);
}

static pbay_rc codec_finish(attempt *a, pbay_rc why)
{
    if (!a->built || a->in_codec)
        return PBAY_OK;
    a->built = false;
    if (!PBAY_HAS(a->codec, finish) || !a->codec->finish)
        return PBAY_OK;
    a->finishing = why != PBAY_OK && why != PBAY_END;
    int64_t t = clock_us();
    pbay_rc rc = a->codec->finish(a->inst->inst, a->state, a, why);
    measured(a, "finish", t);
    a->finishing = false;
    return rc;
}

/* build, head and feed stand between these two.  A client may leave while one
 * of them emits: finish() comes when it has returned, not inside it. */
static int64_t codec_enter(attempt *a)
{
    a->in_codec = true;
    return clock_us();
}

static void codec_leave(attempt *a, const char *what, int64_t since)
{
    measured(a, what, since);
    a->in_codec = false;
    if (a->silent || a->ended)
        codec_finish(a, PBAY_STOPPED);
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
    codec_finish(a, PBAY_STOPPED);
    if (a->rec) {
        recording_end(a->rec, how);
        a->rec = NULL;
    }
    a->ended = true;
}

static void attempt_over(attempt *a, const struct err *e)
{
    if (a->ended)
        return;
    dismiss(a, e ? err_class(e->kind)->name : "ok");
    if (!a->silent)
        a->ops->end(a->arg, e);
}

static void fail(attempt *a, int kind, const char *why)
{
    struct err e;

    if (a->err) {
        attempt_over(a, a->err);
        return;
    }
    err_clear(&e);
    err_set(&e, kind, "%s: %s", a->inst->name, why);
    attempt_over(a, &e);
}

/* --- time ---------------------------------------------------------------- */

static int64_t least(int64_t configured, int64_t hint)
{
    return hint > 0 && hint < configured ? hint : configured;
}

static int64_t idle_ms(const attempt *a)
{
    return least(a->inst->cfg->timeouts.idle_ms, a->x.idle_ms);
}

/* The timer is not set anew for each piece: it looks when it fires. */
static void on_timer(void *arg)
{
    attempt *a = arg;
    int64_t quiet = clock_now(a->m->loop->clock) - a->heard;

    enter(a);
    if (a->saw_end) {
        /* The answer is whole; the provider is slow to say so. */
        struct tx *tx = a->tx;
        a->tx = NULL;
        if (tx)
            tx_cancel(tx);
        settle(a, PBAY_END);
    } else if (a->paused) {
        timer_set(&a->timer, a->m->loop->clock, idle_ms(a), on_timer, a);
    } else if (!a->answered) {
        fail(a, ERR_FIRST_TIMEOUT, "no answer within the first-token time-out");
    } else if (quiet >= idle_ms(a) && refused(a)) {
        end_refused(a);
    } else if (quiet < idle_ms(a)) {
        timer_set(&a->timer, a->m->loop->clock, idle_ms(a) - quiet, on_timer,
                  a);
    } else {
        fail(a, ERR_IDLE_TIMEOUT, "the answer stopped coming");
    }
    leave(a);
}

static void heard(attempt *a)
{
    a->heard = clock_now(a->m->loop->clock);
    if (a->answered)
        return;
    a->answered = true;
    timer_set(&a->timer, a->m->loop->clock, idle_ms(a), on_timer, a);
}

/* --- the reply ----------------------------------------------------------- */

static void flush_run(attempt *a)
{
    pbay_str run = a->run;

    a->run = STR_NONE;
    if (run.n && !a->silent && !a->ended)
        a->ops->bytes(a->arg, run);
}

/* Records of one piece follow each other in memory: hand them on as one run.  A
 * record that framing had to put together lives only while it is given. */
static void forward(attempt *a, pbay_str raw)
{
    bool inside = a->piece.n && raw.p >= a->piece.p &&
                  raw.p < a->piece.p + a->piece.n;

    if (inside && a->run.n && a->run.p + a->run.n == raw.p) {
        a->run.n += raw.n;
        return;
    }
    flush_run(a);
    if (inside)
        a->run = raw;
    else if (raw.n && !a->silent && !a->ended)
        a->ops->bytes(a->arg, raw);
}

static int on_record(void *arg, pbay_str event, pbay_str data, pbay_str raw)
{
    attempt *a = arg;
    pbay_record rec = {.size = sizeof(rec), .event = event, .data = data};
    int64_t t;
    pbay_rc rc;

    if (a->saw_end)
        return 0; /* nothing of the reply follows its end mark */
    heard(a);
    t = codec_enter(a);
    rc = a->codec->feed(a->inst->inst, a->state, a, &rec);
    codec_leave(a, "feed", t);
    if (a->silent || a->ended)
        return 1;
    if (a->head.status >= 400)
        a->error_body = arena_dup(&a->arena, data);
    if (gone_wrong(a) || rc < 0) {
        a->broken = true;
        return 1;
    }
    if (rc == PBAY_END)
        a->saw_end = true;
    if (a->reply_pass && rc != PBAY_DROP && a->head.status < 400)
        forward(a, raw);
    return 0;
}

static void on_broken(attempt *a)
{
    flush_run(a);
    if (!a->silent && !a->ended)
        fail(a, PBAY_E_PROTOCOL, "the reply could not be read");
}

static void tx_on_data(void *arg, pbay_str bytes)
{
    attempt *a = arg;
    int rc;

    enter(a);
    a->heard = clock_now(a->m->loop->clock);
    if (a->rec)
        recording_data(a->rec, bytes);
    if (a->head.framing == PBAY_FRAME_WHOLE)
        heard(a); /* its one record comes only at the end */
    if (a->saw_end)
        goto out; /* the time for what trails behind the end mark runs */
    if (refused(a)) {
        size_t held = a->framing.held.n;
        if (held + bytes.n > LIM_ERROR_BODY)
            bytes.n = held < LIM_ERROR_BODY ? LIM_ERROR_BODY - held : 0;
    }
    a->piece = bytes;
    rc = bytes.n ? framing_feed(&a->framing, bytes, on_record, a, NULL) : 0;
    a->piece = STR_NONE;
    if (a->silent || a->ended)
        goto out;
    if (rc == -EMSGSIZE) {
        flush_run(a);
        fail(a, ERR_REPLY_TOO_LARGE,
             a->framing.kind == PBAY_FRAME_WHOLE
                 ? "the reply is larger than max_reply"
                 : "one event of the reply is larger than max_record");
    } else if (rc < 0) {
        fail(a, ERR_INTERNAL, "out of memory while reading the reply");
    } else if (a->broken) {
        on_broken(a);
    } else if (refused(a) && a->framing.held.n >= LIM_ERROR_BODY) {
        end_refused(a); /* enough is enough; the rest is not waited for */
    } else {
        flush_run(a);
        if (!a->silent && !a->ended && a->saw_end)
            timer_set(&a->timer, a->m->loop->clock, LIM_TRAILING_MS, on_timer,
                      a);
    }
out:
    leave(a);
}

static int proposed_framing(const attempt *a, pbay_str content_type)
{
    pbay_str type = content_type;

    type = str_trim(str_cut(&type, ';'));
    if (a->x.framing == PBAY_FRAME_SSE || a->x.framing == PBAY_FRAME_NDJSON) {
        if (str_ieq(type, STR("application/json")))
            return PBAY_FRAME_WHOLE;
        if (str_ieq(type, STR("text/event-stream")))
            return PBAY_FRAME_SSE;
        if (str_ieq(type, STR("application/x-ndjson")))
            return PBAY_FRAME_NDJSON;
    }
    return (int)a->x.framing;
}

static bool may_pass(pbay_str name)
{
    static const char *const allowed[] = {"openai-processing-ms",
                                          "openai-version", "openai-model",
                                          "content-language"};
    for (size_t i = 0; i < sizeof(allowed) / sizeof(*allowed); i++)
        if (str_is(name, allowed[i]))
            return true;
    return false;
}

static void keep_headers(attempt *a, const pbay_kv *h, size_t n)
{
    a->n_passed = 0;
    a->content_type = STR_NONE;
    for (size_t i = 0; i < n; i++) {
        if (str_is(h[i].k, "content-type"))
            a->content_type = arena_dup(&a->arena, h[i].v);
        else if (a->n_passed < PASSED_MAX && may_pass(h[i].k))
            a->passed[a->n_passed++] = (pbay_kv){arena_dup(&a->arena, h[i].k),
                                                 arena_dup(&a->arena, h[i].v)};
    }
}

static void tx_on_head(void *arg, int status, const pbay_kv *headers, size_t n)
{
    attempt *a = arg;
    bool ok = status >= 200 && status < 300;
    size_t max;

    enter(a);
    a->heard = clock_now(a->m->loop->clock);
    if (a->rec)
        recording_head(a->rec, status, headers, n);
    keep_headers(a, headers, n);
    a->head = (pbay_head){.size = sizeof(a->head),
                          .status = status,
                          .headers = headers,
                          .n_headers = n};
    a->head.framing = ok ? (uint32_t)proposed_framing(a, a->content_type)
                         : (uint32_t)PBAY_FRAME_WHOLE;
    if (PBAY_HAS(a->codec, head) && a->codec->head) {
        int64_t t = codec_enter(a);
        pbay_rc rc = a->codec->head(a->inst->inst, a->state, a, &a->head);
        codec_leave(a, "head", t);
        if (a->silent || a->ended)
            goto out;
        if (rc < 0 || gone_wrong(a)) {
            fail(a, PBAY_E_PROTOCOL, "the reply's head could not be read");
            goto out;
        }
    }
    a->head.headers = NULL; /* the transport's, for this call only */
    a->head.n_headers = 0;
    if (!ok || a->head.framing > PBAY_FRAME_SSE)
        a->head.framing = PBAY_FRAME_WHOLE;
    max = !ok                                   ? LIM_ERROR_BODY
          : a->head.framing == PBAY_FRAME_WHOLE ? a->inst->cfg->max_reply
                                                : a->inst->cfg->max_record;
    framing_init(&a->framing, (int)a->head.framing, max);
    a->framed = true;
    a->has_head = true;
    /* A whole reply is not the stream that was asked for: the dialect makes one
     * of its events. */
    a->reply_pass = ok && (a->req.flags & PBAY_RQ_PASS) &&
                    (a->x.flags & PBAY_X_REPLY_PASS) &&
                    !(a->req.op == PBAY_OP_CHAT &&
                      (a->req.flags & PBAY_RQ_STREAM) &&
                      a->head.framing == PBAY_FRAME_WHOLE);
    if (ok)
        a->ops->head(a->arg);
out:
    leave(a);
}

/* Is the answer whole?  Streams need their end mark (or a codec that vouches
 * for the end by its STOP in finish), whole chats a STOP, the rest its body. */
static bool whole(const attempt *a, pbay_rc why, unsigned stops_before)
{
    if (a->req.op != PBAY_OP_CHAT || why == PBAY_END)
        return true;
    if (a->head.framing == PBAY_FRAME_WHOLE)
        return a->stops > 0;
    return a->stops > stops_before;
}

/* The exchange is complete as HTTP counts it. */
static void settle(attempt *a, pbay_rc why)
{
    unsigned before = a->stops;
    pbay_rc rc = codec_finish(a, why);

    if (a->silent || a->ended)
        return;
    if (a->err) {
        attempt_over(a, a->err);
    } else if (rc == PBAY_AGAIN && a->req.step + 1 >= LIM_EXCHANGES) {
        fail(a, ERR_INTERNAL, "its plugin asks for one exchange after another");
    } else if (rc == PBAY_AGAIN) {
        a->req.step++;
        framing_done(&a->framing);
        a->framed = a->saw_end = a->has_head = false;
        exchange_begin(a);
    } else if (rc < 0) {
        fail(a, PBAY_E_PROTOCOL, "the reply could not be read");
    } else if (!whole(a, why, before)) {
        fail(a, ERR_TRUNCATED, "the reply ended before its end mark");
    } else {
        attempt_over(a, NULL);
    }
}

/* A reply outside 2xx whose codec had nothing to say about it. */
static void fail_by_status(attempt *a)
{
    char why[64];

    if (a->err) {
        a->err->upstream_status = a->head.status;
        attempt_over(a, a->err);
        return;
    }
    snprintf(why, sizeof(why), "the provider answered %d", (int)a->head.status);
    fail(a, err_from_status(a->head.status), why);
}

/* Has the provider refused, whatever it goes on to say? */
static bool refused(const attempt *a)
{
    return a->has_head && (a->head.status < 200 || a->head.status >= 300);
}

/* The refusal is over, or enough of it has come: its status counts, also where
 * its body was cut. */
static void end_refused(attempt *a)
{
    struct tx *tx = a->tx;

    a->tx = NULL;
    if (tx)
        tx_cancel(tx);
    framing_end(&a->framing, on_record, a);
    if (!a->silent && !a->ended)
        fail_by_status(a);
}

static void tx_on_end(void *arg, const struct tx_end *end)
{
    attempt *a = arg;

    enter(a);
    a->tx = NULL;
    if (a->silent || a->ended)
        goto out;
    if (refused(a)) {
        end_refused(a);
        goto out;
    }
    if (end->kind != ERR_NONE && !a->saw_end) {
        codec_finish(a, PBAY_FAIL);
        if (!a->silent && !a->ended)
            fail(a, end->kind, end->why ? end->why : "the exchange failed");
        goto out;
    }
    if (!a->framed) {
        fail(a, PBAY_E_PROTOCOL, "the reply has no head");
        goto out;
    }
    if (!a->saw_end) {
        int rc = framing_end(&a->framing, on_record, a);
        if (a->silent || a->ended)
            goto out;
        if (rc < 0 || a->broken) {
            on_broken(a);
            goto out;
        }
        flush_run(a);
        if (a->silent || a->ended)
            goto out;
    }
    settle(a, a->saw_end ? PBAY_END : PBAY_OK);
out:
    leave(a);
}

static const struct tx_ops codec_tx_ops = {tx_on_head, tx_on_data, tx_on_end};

/* --- starting ------------------------------------------------------------ */

static void exchange_begin(attempt *a)
{
    struct tx_request tr;
    const char *why = NULL;
    pbay_rc rc;
    int64_t t;

    memset(&a->x, 0, sizeof(a->x));
    a->x.size = sizeof(a->x);
    a->built = true;
    t = codec_enter(a);
    rc = a->codec->build(a->inst->inst, a->state, a, &a->req, &a->x);
    codec_leave(a, "build", t);
    if (a->silent || a->ended)
        return;
    if (rc < 0 || gone_wrong(a)) {
        fail(a, rc == PBAY_NOSYS ? ERR_NOT_SUPPORTED : ERR_INTERNAL,
             rc == PBAY_NOSYS ? "this provider has no such operation"
             : rc == PBAY_NOMEM
                 ? "the request needs more memory than call_memory allows"
                 : "the request could not be put to this provider");
        return;
    }
    if (exchange_prepare(a->inst, &a->x, &a->arena, &tr, &why) < 0) {
        fail(a, ERR_INTERNAL, why);
        return;
    }
    if (log_on(LOG_DEBUG))
        log_line(LOG_DEBUG, "attempt", "exchange", log_str("id", a->req.id),
                 log_cstr("provider", a->inst->name),
                 log_str("model", a->req.model), log_str("method", tr.method),
                 log_str("url", exchange_shown(tr.url)),
                 log_int("attempt", (int64_t)a->req.attempt), LOG_END);
    if (a->rec)
        recording_again(a->rec, &tr);
    else if (a->m->recorder)
        a->rec = recording_begin(a->m->recorder, a->inst->name, &a->req, &tr);
    a->answered = false;
    a->heard = clock_now(a->m->loop->clock);
    timer_set(&a->timer, a->m->loop->clock,
              least(a->inst->cfg->timeouts.first_ms, a->x.first_byte_ms),
              on_timer, a);
    a->tx = tx_start(a->m->transport, &a->inst->cfg->tx, &tr, &codec_tx_ops, a);
    if (!a->tx)
        fail(a, ERR_INTERNAL, "out of memory");
    else if (a->paused)
        tx_pause(a->tx, true);
}

static void native_on_event(void *arg, const pbay_event *ev)
{
    attempt *a = arg;

    enter(a);
    heard(a);
    take_event(a, ev);
    if (!a->silent && !a->ended && a->err)
        attempt_over(a, a->err);
    leave(a);
}

static void native_on_end(void *arg, pbay_rc rc)
{
    attempt *a = arg;

    enter(a);
    a->in_worker = false;
    if (!a->silent && !a->ended) {
        if (a->err)
            attempt_over(a, a->err);
        else if (a->broken)
            fail(a, ERR_INTERNAL, "out of memory");
        else if (rc == PBAY_NOSYS)
            fail(a, ERR_NOT_SUPPORTED, "this provider has no such operation");
        else if (rc < 0)
            fail(a, PBAY_E_UPSTREAM, "the provider failed without a reason");
        else if (a->req.op == PBAY_OP_CHAT && !a->stops)
            fail(a, ERR_TRUNCATED, "the answer ended without a stop");
        else
            attempt_over(a, NULL);
    }
    leave(a);
}

static void native_released(void *arg)
{
    attempt *a = arg;

    enter(a);
    a->in_worker = false;
    leave(a);
}

static const struct native_ops native_run_ops = {native_on_event,
                                                 native_on_end};

/* A worker may outlive the client's request: it gets a body of its own. */
static int own_body(attempt *a, const struct call_request *r)
{
    pbay_str body = a->req.body;
    const pbay_kv *from = a->req.members;
    pbay_kv *to;
    char *p;

    a->req.body = STR("");
    a->req.members = NULL;
    if (body.n) {
        p = malloc(body.n);
        to = arena_alloc(&a->arena, sizeof(*to) * a->req.n_members);
        if (p)
            a->body_copy = str_n(p, body.n);
        if (!p || (!to && a->req.n_members))
            return -ENOMEM;
        memcpy(p, body.p, body.n);
        for (size_t i = 0; i < a->req.n_members; i++) {
            to[i].k = str_n(p + (from[i].k.p - body.p), from[i].k.n);
            to[i].v = str_n(p + (from[i].v.p - body.p), from[i].v.n);
        }
        a->req.body = a->body_copy;
        a->req.members = to;
    }
    a->req.headers = NULL;
    a->req.n_headers = 0;
    a->req.id = arena_dup(&a->arena, r->id);
    a->req.method = arena_dup(&a->arena, r->method);
    a->req.path = arena_dup(&a->arena, r->path);
    a->req.query = arena_dup(&a->arena, r->query);
    a->req.content_type = arena_dup(&a->arena, r->content_type);
    return 0;
}

static void native_begin(attempt *a, const struct call_request *r)
{
    struct native_job job = {
        .loop = a->m->loop,
        .native = a->inst->native,
        .inst = a->inst->inst,
        .call = a,
        .req = &a->req,
        .gate = &a->inst->gate,
        .ops = &native_run_ops,
        .arg = a,
        .released = native_released,
        .times = &a->inst->gen->times[LIM_LOOPS],
    };

    if (own_body(a, r) < 0) {
        fail(a, ERR_INTERNAL, "out of memory");
        return;
    }
    a->heard = clock_now(a->m->loop->clock);
    timer_set(&a->timer, a->m->loop->clock, a->inst->cfg->timeouts.first_ms,
              on_timer, a);
    a->in_worker = true;
    if (native_run_start(a->m->pool, &job, &a->native) < 0) {
        a->in_worker = false;
        a->native = NULL;
        fail(a, ERR_UNAVAILABLE, "all workers are busy and the queue is full");
    }
}

static bool speaks(const pbay_codec *c, pbay_str dialect)
{
    pbay_str rest = PBAY_HAS(c, dialects) ? c->dialects : STR_NONE;

    while (rest.p)
        if (dialect.n && str_eq(str_cut(&rest, ' '), dialect))
            return true;
    return false;
}

/* The body as this target wants it: the client's own, or the canonical one. */
static int take_body(attempt *a, const struct call_request *r, bool pass,
                     struct call_body *body)
{
    *body = (struct call_body){r->body, r->members, r->n_members};
    if (pass || !r->translate)
        return 0;
    if (!new_err(a))
        return -1;
    if (r->translate(r->translate_arg, body, a->err) == 0) {
        free(a->err);
        a->err = NULL;
        return 0;
    }
    return -1;
}

static int fill_request(attempt *a, const struct target *t,
                        const struct call_request *r, unsigned number)
{
    bool pass = a->codec && !r->no_pass &&
                (r->op == PBAY_OP_RAW || speaks(a->codec, r->dialect));
    struct call_body body;

    if (take_body(a, r, pass, &body) < 0)
        return -1;
    a->req = (pbay_request){
        .size = sizeof(a->req),
        .op = (uint32_t)r->op,
        .flags = (r->stream ? PBAY_RQ_STREAM : 0u) | (pass ? PBAY_RQ_PASS : 0u),
        .want = r->want,
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
        .model_config = exchange_model_config(a->inst, t->model),
        .members = body.members,
        .n_members = body.n_members,
    };
    if (pass)
        a->req.want = PBAY_WANT(PBAY_EV_BEGIN);
    a->req.want |= PBAY_WANT(PBAY_EV_USAGE) | PBAY_WANT(PBAY_EV_ERROR) |
                   PBAY_WANT(PBAY_EV_STOP) | PBAY_WANT(PBAY_EV_CONTENT);
    return 0;
}

attempt *attempt_start(struct manager *m, struct snapshot *s,
                       const struct target *t, const struct call_request *r,
                       unsigned number, const struct attempt_ops *ops,
                       void *arg)
{
    attempt *a = calloc(1, sizeof(*a));
    uint64_t bit = PBAY_OP_BIT(r->op);

    if (!a)
        return NULL;
    a->m = m;
    a->snap = s;
    manager_hold(m, s);
    a->inst = t->instance;
    a->ops = ops;
    a->arg = arg;
    arena_init(&a->arena, a->inst->cfg->call_memory);
    if (a->inst->codec && (a->inst->codec->ops & bit))
        a->codec = a->inst->codec;
    enter(a);
    if (fill_request(a, t, r, number) < 0) {
        fail(a, ERR_INTERNAL, "out of memory");
    } else if (a->codec) {
        a->state = arena_alloc(&a->arena, a->codec->state_size);
        if (a->state)
            exchange_begin(a);
        else
            fail(a, ERR_INTERNAL, "out of memory");
    } else if (a->inst->native && (a->inst->native->ops & bit)) {
        native_begin(a, r);
    } else {
        fail(a, ERR_NOT_SUPPORTED, "this provider has no such operation");
    }
    a->depth--; /* not leave(): the caller holds the attempt */
    return a;
}

void attempt_free(attempt *a)
{
    if (!a)
        return;
    enter(a);
    a->silent = true;
    if (!a->ended)
        dismiss(a, "cancelled");
    leave(a);
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

pbay_str attempt_error_body(const attempt *a)
{
    return (a->req.flags & PBAY_RQ_PASS) ? a->error_body : STR_NONE;
}
