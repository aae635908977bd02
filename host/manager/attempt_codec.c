/* SPDX-License-Identifier: MIT */
/* An attempt by a codec: its callbacks around one exchange, or several.  See
 * sdk/include/patchbay/codec.h for the order of calls. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "manager/attempt_int.h"
#include "manager/exchange.h"
#include "module/backend.h"

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

pbay_rc at_codec_finish(attempt *a, pbay_rc why)
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
        at_codec_finish(a, PBAY_STOPPED);
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
    bool inside =
        a->piece.n && raw.p >= a->piece.p && raw.p < a->piece.p + a->piece.n;

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
    at_heard(a);
    a->records++;
    t = codec_enter(a);
    rc = a->codec->feed(a->inst->inst, a->state, a, &rec);
    a->no_memory |= rc == PBAY_NOMEM;
    codec_leave(a, "feed", t);
    if (a->silent || a->ended)
        return 1;
    if (a->head.status >= 400)
        a->error_body = arena_dup(&a->arena, data);
    if (a->reply_pass && (at_gone_wrong(a) || rc < 0 || rc == PBAY_DROP))
        a->ops->withheld(a->arg);
    if (at_gone_wrong(a) || rc < 0) {
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
        at_fail(a, PBAY_E_PROTOCOL, "the reply could not be read");
}

static void tx_on_data(void *arg, pbay_str bytes)
{
    attempt *a = arg;
    int rc;

    at_enter(a);
    a->heard = clock_now(a->m->loop->clock);
    if (a->rec)
        recording_data(a->rec, bytes);
    if (a->head.framing == PBAY_FRAME_WHOLE)
        at_heard(a); /* its one record comes only at the end */
    if (a->saw_end)
        goto out; /* the time for what trails behind the end mark runs */
    if (at_refused(a)) {
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
        at_fail(a, ERR_REPLY_TOO_LARGE,
                a->framing.kind == PBAY_FRAME_WHOLE
                    ? "the reply is larger than max_reply"
                    : "one event of the reply is larger than max_record");
    } else if (rc < 0) {
        at_fail(a, ERR_INTERNAL, "out of memory while reading the reply");
    } else if (a->broken) {
        on_broken(a);
    } else if (at_refused(a) && a->framing.held.n >= LIM_ERROR_BODY) {
        at_end_refused(a); /* enough is enough; the rest is not waited for */
    } else {
        flush_run(a);
        if (!a->silent && !a->ended && a->saw_end)
            timer_set(&a->timer, a->m->loop->clock, LIM_TRAILING_MS,
                      at_on_timer, a);
    }
out:
    at_leave(a);
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

/* A page for people, of a gateway or of a base_url that leads elsewhere. */
static bool is_page(const attempt *a)
{
    pbay_str type = a->content_type;

    if (a->req.op == PBAY_OP_RAW)
        return false;
    return str_ieq(str_trim(str_cut(&type, ';')), STR("text/html"));
}

/* A raw reply may be a file, or a part of one. */
static bool raw_may_pass(pbay_str name)
{
    static const char *const allowed[] = {"content-disposition",
                                          "content-encoding",
                                          "content-range",
                                          "accept-ranges",
                                          "etag",
                                          "last-modified",
                                          "x-request-id",
                                          "request-id"};
    for (size_t i = 0; i < sizeof(allowed) / sizeof(*allowed); i++)
        if (str_is(name, allowed[i]))
            return true;
    return false;
}

static bool may_pass(const attempt *a, pbay_str name)
{
    static const char *const allowed[] = {"openai-processing-ms",
                                          "openai-version", "openai-model",
                                          "content-language"};
    for (size_t i = 0; i < sizeof(allowed) / sizeof(*allowed); i++)
        if (str_is(name, allowed[i]))
            return true;
    return a->req.op == PBAY_OP_RAW && raw_may_pass(name);
}

static void keep_headers(attempt *a, const pbay_kv *h, size_t n)
{
    a->n_passed = 0;
    a->content_type = STR_NONE;
    for (size_t i = 0; i < n; i++) {
        if (str_is(h[i].k, "content-type"))
            a->content_type = arena_dup(&a->arena, h[i].v);
        else if (a->n_passed < PASSED_MAX && may_pass(a, h[i].k))
            a->passed[a->n_passed++] = (pbay_kv){arena_dup(&a->arena, h[i].k),
                                                 arena_dup(&a->arena, h[i].v)};
    }
}

static void tx_on_head(void *arg, int status, const pbay_kv *headers, size_t n)
{
    attempt *a = arg;
    bool ok = status >= 200 && status < 300;
    size_t max;

    at_enter(a);
    a->heard = clock_now(a->m->loop->clock);
    if (status == 407) {
        /* A proxy's; whatever it says concerns our credentials there. */
        at_fail(a, ERR_CONNECT,
                "the proxy wants other credentials; see proxy_auth");
        goto out;
    }
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
        a->no_memory |= rc == PBAY_NOMEM;
        codec_leave(a, "head", t);
        if (a->silent || a->ended)
            goto out;
        if (rc < 0 || at_gone_wrong(a)) {
            at_fail(a, PBAY_E_PROTOCOL, "the reply's head could not be read");
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
    a->reply_pass =
        ok && (a->req.flags & PBAY_RQ_PASS) &&
        (a->x.flags & PBAY_X_REPLY_PASS) &&
        !(a->req.op == PBAY_OP_CHAT && (a->req.flags & PBAY_RQ_STREAM) &&
          a->head.framing == PBAY_FRAME_WHOLE);
    if (ok && is_page(a))
        at_fail(a, PBAY_E_PROTOCOL,
                "it answers with a page of HTML; is base_url right?");
    else if (ok)
        a->ops->head(a->arg);
out:
    at_leave(a);
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

static void next_exchange(attempt *a)
{
    a->req.step++;
    a->error_body = STR_NONE;
    framing_done(&a->framing);
    a->framed = a->saw_end = a->has_head = false;
    at_exchange_begin(a);
}

/* The exchange is complete as HTTP counts it. */
void at_settle(attempt *a, pbay_rc why)
{
    unsigned before = a->stops;
    pbay_rc rc = at_codec_finish(a, why);

    if (a->silent || a->ended)
        return;
    if (a->err) {
        at_over(a, a->err);
    } else if (rc == PBAY_AGAIN && a->req.step + 1 >= LIM_EXCHANGES) {
        at_fail(a, ERR_INTERNAL,
                "its plugin asks for one exchange after another");
    } else if (rc == PBAY_AGAIN) {
        next_exchange(a);
    } else if (rc < 0) {
        at_fail(a, PBAY_E_PROTOCOL, "the reply could not be read");
    } else if (!whole(a, why, before)) {
        at_fail(a, ERR_TRUNCATED, "the reply ended before its end mark");
    } else {
        at_over(a, NULL);
    }
}

/* A reply outside 2xx whose codec had nothing to say about it. */
static void fail_by_status(attempt *a)
{
    char why[64];

    if (a->err) {
        a->err->upstream_status = a->head.status;
        at_over(a, a->err);
        return;
    }
    snprintf(why, sizeof(why), "the provider answered %d", (int)a->head.status);
    at_fail(a, err_from_status(a->head.status), why);
}

/* Has the provider refused, whatever it goes on to say? */
bool at_refused(const attempt *a)
{
    return a->has_head && (a->head.status < 200 || a->head.status >= 300);
}

/* A refusal that the codec can do without, a detail of many, say: it said
 * nothing against it and goes on with another exchange. */
static bool goes_on(attempt *a)
{
    pbay_rc rc;

    if (a->err || a->broken)
        return false;
    rc = at_codec_finish(a, PBAY_OK);
    if (a->silent || a->ended)
        return true;
    if (a->err || rc != PBAY_AGAIN || a->req.step + 1 >= LIM_EXCHANGES)
        return false;
    next_exchange(a);
    return true;
}

/* The refusal is over, or enough of it has come: its status counts, also where
 * its body was cut. */
void at_end_refused(attempt *a)
{
    struct tx *tx = a->tx;

    a->tx = NULL;
    if (tx)
        tx_cancel(tx);
    framing_end(&a->framing, on_record, a);
    if (!a->silent && !a->ended && !goes_on(a))
        fail_by_status(a);
}

/* A kept connection that was closed as the request came says nothing of the
 * provider, who may close it when it likes: the request goes out once more, on a
 * new one.  False: it may not, or was one already, or too many were. */
static bool once_more(attempt *a, const struct tx_end *end)
{
    if (end->kind != ERR_RESET || !end->reused || a->fresh || a->req.step ||
        !call_repeatable(a->ask) || !retry_elsewhere(&a->m->retry, false))
        return false;
    a->fresh = true;
    at_codec_finish(a, PBAY_FAIL);
    if (a->silent || a->ended)
        return true;
    if (at_gone_wrong(a))
        return false;
    log_line(LOG_DEBUG, "attempt",
             "a kept connection was closed as the request came; on a new one",
             log_str("id", a->req.id), log_cstr("provider", a->inst->name),
             LOG_END);
    memset(a->state, 0, a->codec->state_size);
    at_exchange_begin(a);
    return true;
}

static void tx_on_end(void *arg, const struct tx_end *end)
{
    attempt *a = arg;

    at_enter(a);
    a->tx = NULL;
    if (a->silent || a->ended)
        goto out;
    if (at_refused(a)) {
        at_end_refused(a);
        goto out;
    }
    /* A process of ours that died with the request on a kept connection: others
     * answer sooner than the next one. */
    if (end->kind == ERR_CONNECT && !a->fresh && at_backend_again(a))
        goto out;
    if (once_more(a, end))
        goto out;
    if (end->kind != ERR_NONE && !a->saw_end) {
        at_codec_finish(a, PBAY_FAIL);
        if (!a->silent && !a->ended)
            at_fail(a, end->kind, end->why ? end->why : "the exchange failed");
        goto out;
    }
    if (!a->framed) {
        at_fail(a, PBAY_E_PROTOCOL, "the reply has no head");
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
    at_settle(a, a->saw_end ? PBAY_END : PBAY_OK);
out:
    at_leave(a);
}

static const struct tx_ops codec_tx_ops = {tx_on_head, tx_on_data, tx_on_end};

/* --- starting ------------------------------------------------------------ */

static pbay_rc build_once(attempt *a)
{
    pbay_rc rc;
    int64_t t;

    memset(&a->x, 0, sizeof(a->x));
    a->x.size = sizeof(a->x);
    a->built = true;
    t = codec_enter(a);
    rc = a->codec->build(a->inst->inst, a->state, a, &a->req, &a->x);
    a->no_memory |= rc == PBAY_NOMEM;
    codec_leave(a, "build", t);
    return rc;
}

/* A codec may list a dialect that not each of its instances takes. */
static pbay_rc build(attempt *a)
{
    pbay_rc rc = build_once(a);

    if (rc != PBAY_NOSYS || !(a->req.flags & PBAY_RQ_PASS) ||
        a->req.op == PBAY_OP_RAW || a->silent || a->ended)
        return rc;
    if (at_unpass(a) < 0)
        return PBAY_FAIL; /* the error is there, or memory is out */
    return build_once(a);
}

void at_exchange_begin(attempt *a)
{
    struct tx_request tr;
    const char *why = NULL;
    pbay_rc rc = build(a);

    if (a->silent || a->ended)
        return;
    if (rc < 0 || at_gone_wrong(a)) {
        at_fail(a, rc == PBAY_NOSYS ? ERR_NOT_SUPPORTED : ERR_INTERNAL,
                rc == PBAY_NOSYS ? "this provider has no such operation"
                : rc == PBAY_NOMEM
                    ? "the request needs more memory than call_memory allows"
                    : "the request could not be put to this provider");
        return;
    }
    if (exchange_prepare(a->inst, at_where(a), &a->x, &a->arena, &tr, &why) <
        0) {
        at_fail(a, ERR_INTERNAL, why);
        return;
    }
    tr.fresh = a->fresh;
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
    a->asked = a->heard = clock_now(a->m->loop->clock);
    timer_set(&a->timer, a->m->loop->clock, at_reply_ms(a), at_on_timer, a);
    a->tx =
        tx_start(a->m->transport, a->use ? &at_where(a)->tx : &a->inst->cfg->tx,
                 &tr, &codec_tx_ops, a);
    if (!a->tx)
        at_fail(a, ERR_INTERNAL, "out of memory");
    else if (a->paused)
        tx_pause(a->tx, true);
}
