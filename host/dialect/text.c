/* SPDX-License-Identifier: MIT */
/* POST /v1/summarize and /v1/translate.
 *
 *   {"model", "input", "target_language", "source_language", "length",
 *    "format", "instructions", "chunk_tokens", "stream"}
 *
 * Whole: {"id", "object": "summary" or "translation", "provider", "model",
 * "output", "chunks", "calls", "usage"}.  Streamed: an event for each piece of
 * the output, "object": "summary.delta"; one for each part that is done,
 * "summary.progress"; the whole answer without its output; [DONE].  A failure
 * says what was done until then in "partial". */
#include "dialect/text.h"

#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "dialect/openai.h"
#include "manager/text_job.h"

struct text {
    struct text_task task;
    struct text_job *job;
    bool paused;
};

/* --- what goes out ------------------------------------------------------- */

static int put_usage(struct buf *b, const pbay_usage *u)
{
    unsigned long long in = u->known & PBAY_U_INPUT ? u->input : 0;
    unsigned long long out = u->known & PBAY_U_OUTPUT ? u->output : 0;

    if (!(u->known & (PBAY_U_INPUT | PBAY_U_OUTPUT)))
        return buf_addc(b, ",\"usage\":null");
    return buf_printf(b,
                      ",\"usage\":{\"prompt_tokens\":%llu,"
                      "\"completion_tokens\":%llu,\"total_tokens\":%llu}",
                      in, out, in + out);
}

/* The members that all answers have, without the braces. */
static int put_answer(struct dialog *x, bool output, struct buf *b)
{
    struct text *t = x->own;
    const struct call_report *r = text_job_report(t->job);
    struct text_state st;
    int rc;

    text_job_state(t->job, &st);
    rc = buf_addc(b, "\"id\":");
    rc |= buf_json(b, str_c(x->id));
    rc |= buf_printf(
        b, ",\"object\":\"%s\",\"provider\":", text_kind_name(t->task.kind));
    rc |= buf_json(b, str_c(r->provider));
    rc |= buf_addc(b, ",\"model\":");
    rc |= buf_json(b, r->model_answered.n ? r->model_answered : r->model);
    if (output) {
        rc |= buf_addc(b, ",\"output\":");
        rc |= buf_json(b, st.output);
    }
    rc |= buf_printf(b, ",\"chunks\":%zu,\"calls\":%zu", st.first, st.calls);
    return rc | put_usage(b, &r->usage);
}

/* How far it came: {"chunks", "chunks_done", "round", "output", "usage"}. */
static int put_partial(struct dialog *x, bool output, struct buf *b)
{
    struct text *t = x->own;
    const struct call_report *r = text_job_report(t->job);
    struct text_state st;
    int rc;

    text_job_state(t->job, &st);
    rc = buf_printf(b, "{\"chunks\":%zu,\"chunks_done\":%zu,\"round\":%u",
                    st.pieces, st.done, st.rounds);
    if (output) {
        rc |= buf_addc(b, ",\"output\":");
        rc |= buf_json(b, st.output);
    }
    if (r)
        rc |= put_usage(b, &r->usage);
    return rc | buf_addc(b, "}");
}

/* The error of this host's API, with what was done. */
static int put_error(struct dialog *x, const struct err *e, bool output,
                     struct buf *b)
{
    char body[LIM_KIB(8)];
    size_t n = x->form->error_json(x, e, body, sizeof(body));
    int rc = buf_add(b, str_n(body, n - 1)); /* without the last brace */

    rc |= buf_addc(b, ",\"partial\":");
    rc |= put_partial(x, output, b);
    return rc | buf_addc(b, "}");
}

static void write_out(struct dialog *x, struct buf *b)
{
    struct text *t = x->own;

    if (http_reply_write(x->req, buf_str(b)) > LIM_OUT_HIGH && !t->paused) {
        t->paused = true;
        text_job_pause(t->job, true);
    }
}

static void begin_stream(struct dialog *x)
{
    struct text *t = x->own;

    if (x->head_sent)
        return;
    dl_route_headers(x, text_job_report(t->job));
    dl_add_header(x, "content-type", STR("text/event-stream"));
    dl_add_header(x, "cache-control", STR("no-cache"));
    http_reply_begin(x->req, 200, x->headers, x->n_headers);
    x->head_sent = true;
}

static void on_text(void *arg, pbay_str piece)
{
    struct dialog *x = arg;
    struct text *t = x->own;
    struct buf b;

    buf_init(&b, LIM_REPLY);
    begin_stream(x);
    buf_printf(&b, "data: {\"object\":\"%s.delta\",\"delta\":",
               text_kind_name(t->task.kind));
    buf_json(&b, piece);
    buf_addc(&b, "}\n\n");
    write_out(x, &b);
    buf_done(&b);
}

static void on_progress(void *arg)
{
    struct dialog *x = arg;
    struct text *t = x->own;
    struct text_state st;
    struct buf b;

    text_job_state(t->job, &st);
    if (st.pieces < 2)
        return;
    buf_init(&b, LIM_KIB(1));
    begin_stream(x);
    buf_printf(&b,
               "data: {\"object\":\"%s.progress\",\"chunks\":%zu,"
               "\"chunks_done\":%zu,\"round\":%u}\n\n",
               text_kind_name(t->task.kind), st.pieces, st.done, st.rounds);
    write_out(x, &b);
    buf_done(&b);
}

static void end_stream(struct dialog *x, const struct err *e)
{
    struct buf b;

    buf_init(&b, LIM_MIB(1));
    begin_stream(x);
    buf_addc(&b, "data: ");
    if (e) {
        put_error(x, e, false, &b);
        buf_addc(&b, "\n\n");
    } else {
        buf_addc(&b, "{");
        put_answer(x, false, &b);
        buf_addc(&b, "}\n\ndata: [DONE]\n\n");
    }
    http_reply_write(x->req, buf_str(&b));
    http_reply_end(x->req);
    buf_done(&b);
}

static void end_whole(struct dialog *x, const struct err *e)
{
    struct text *t = x->own;
    struct err lost;
    struct buf b;
    int rc;

    buf_init(&b, LIM_REPLY * 2);
    dl_route_headers(x, text_job_report(t->job));
    if (e) {
        rc = put_error(x, e, true, &b);
    } else {
        rc = buf_addc(&b, "{");
        rc |= put_answer(x, true, &b);
        rc |= buf_addc(&b, "}");
    }
    if (rc < 0) {
        dl_lost(&lost);
        dl_error(x, &lost);
    } else {
        if (e)
            dl_error_headers(x, e);
        dl_json(x, e ? err_class(e->kind)->status : 200, buf_str(&b));
    }
    buf_done(&b);
}

static void on_end(void *arg, const struct err *e)
{
    struct dialog *x = arg;
    struct text *t = x->own;

    if (x->head_sent || (t->task.stream && !e))
        end_stream(x, e);
    else
        end_whole(x, e);
}

static const struct text_sink whole_sink = {NULL, NULL, on_end};
static const struct text_sink stream_sink = {on_text, on_progress, on_end};

/* --- the request --------------------------------------------------------- */

static void drop(struct dialog *x)
{
    struct text *t = x->own;
    struct text_job *job = t->job;

    t->job = NULL;
    text_job_free(job);
}

static void drain(struct dialog *x)
{
    struct text *t = x->own;

    if (!t->paused || !t->job)
        return;
    t->paused = false;
    text_job_pause(t->job, false);
}

static int start(struct dialog *x, enum text_kind kind, pbay_str body,
                 struct err *e)
{
    struct text *t = arena_alloc(&x->req->arena, sizeof(*t));
    struct call_request r;

    x->body = body;
    if (!t) {
        err_set(e, ERR_INTERNAL, "out of memory");
        return -1;
    }
    if (dl_scan(x, e) < 0 || text_task_read(kind, x->members, x->n_members,
                                            &x->req->arena, &t->task, e) < 0)
        return -1;
    x->model = t->task.model;
    x->own = t;
    if (dl_request(x, &r, e) < 0)
        return -1;
    t->job = text_job_start(x->d->manager, &r, &t->task,
                            t->task.stream ? &stream_sink : &whole_sink, x, e);
    if (!t->job)
        return -1;
    x->drop = drop;
    x->drain = drain;
    return 0;
}

static void take(struct dialog *x, enum text_kind kind, pbay_str body)
{
    struct err e;

    err_clear(&e);
    if (start(x, kind, body, &e) == 0)
        return;
    log_line(LOG_INFO, "http", err_text(&e), log_cstr("id", x->id),
             log_str("model", x->model),
             log_cstr("result", err_class(e.kind)->name), LOG_END);
    dl_error(x, &e);
}

static void summarize(struct dialog *x, pbay_str body)
{
    take(x, TEXT_SUMMARY, body);
}

static void translate(struct dialog *x, pbay_str body)
{
    take(x, TEXT_TRANSLATION, body);
}

#define POST(p, t)                                         \
    {                                                      \
        .method = "POST", .path = (p), .op = PBAY_OP_CHAT, \
        .right = RIGHT_CHAT, .form = &oa_form, .take = (t) \
    }

const struct dl_route tx_routes[] = {
    POST("/v1/summarize", summarize),
    POST("/v1/translate", translate),
    {.method = NULL},
};
