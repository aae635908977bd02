/* SPDX-License-Identifier: MIT */
/* POST /v1/chat/completions: the sink between a call and its client. */
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "dialect/openai.h"

/* What of a chat reaches a translated client. */
#define CHAT_WANT                                                \
    (PBAY_WANT(PBAY_EV_BEGIN) | PBAY_WANT(PBAY_EV_TEXT) |        \
     PBAY_WANT(PBAY_EV_REASONING) | PBAY_WANT(PBAY_EV_REFUSAL) | \
     PBAY_WANT(PBAY_EV_CALL) | PBAY_WANT(PBAY_EV_WARNING))

static void stream_begin(struct oa *x, pbay_str content_type)
{
    oa_add_header(x, "content-type",
                  content_type.n ? content_type : STR("text/event-stream"));
    oa_add_header(x, "cache-control", STR("no-cache"));
    http_reply_begin(x->req, 200, x->headers, x->n_headers);
    x->head_sent = true;
}

static void chat_begin(void *arg, const struct call_head *h,
                       const struct call_report *r)
{
    struct oa *x = arg;

    oa_route_headers(x, r);
    for (size_t i = 0; i < h->n_headers; i++)
        oa_add_header(x, h->headers[i].k.p, h->headers[i].v);
    x->pass = h->pass;
    x->error_body = h->error_body;
    x->status = h->status;
    if (h->pass && !h->stream) {
        x->content_type = arena_dup(&x->req->arena, h->content_type);
        buf_init(&x->whole, SIZE_MAX / 4); /* max_reply bounds it */
        return;
    }
    if (h->pass) {
        stream_begin(x, h->content_type);
        return;
    }
    x->render = oa_render_new(x);
    if (x->render)
        oa_render_begin(x->render, h->reply_id, h->model);
    if (x->stream)
        stream_begin(x, STR_NONE);
}

static void chat_bytes(void *arg, pbay_str raw)
{
    struct oa *x = arg;

    if (x->head_sent)
        oa_write(x, raw);
    else if (buf_add(&x->whole, raw) < 0)
        x->lost = true;
}

static void chat_event(void *arg, const pbay_event *ev)
{
    struct oa *x = arg;
    struct buf out;

    if (!x->render || x->lost || ev->type == PBAY_EV_WARNING)
        return;
    buf_init(&out, LIM_REPLY);
    if (oa_render_event(x->render, ev, &out) >= 0)
        oa_write(x, buf_str(&out));
    else
        x->lost = true;
    buf_done(&out);
}

static void end_pass(struct oa *x)
{
    if (x->head_sent) {
        http_reply_end(x->req);
        return;
    }
    oa_add_header(x, "content-type",
                  x->content_type.n ? x->content_type
                                    : STR("application/json"));
    http_reply(x->req, x->status, x->headers, x->n_headers, buf_str(&x->whole));
}

static void end_translated(struct oa *x, const struct call_report *r)
{
    struct buf out;
    struct err e;

    buf_init(&out, LIM_REPLY * 2);
    if (!x->render || oa_render_end(x->render, &r->usage, &out) < 0) {
        err_clear(&e);
        err_set(&e, ERR_REPLY_TOO_LARGE, "the answer is too large to render");
        if (x->head_sent)
            http_reply_abort(x->req);
        else
            oa_error(x, &e);
    } else if (x->head_sent) {
        http_reply_write(x->req, buf_str(&out));
        http_reply_end(x->req);
    } else {
        oa_json(x, 200, buf_str(&out));
    }
    buf_done(&out);
}

/* A stream that fails ends with an error event and without [DONE]. */
static void end_broken(struct oa *x, const struct err *e)
{
    char body[LIM_KIB(8)];
    size_t n = oa_error_json(e, body, sizeof(body));

    http_reply_write(x->req, STR("data: "));
    http_reply_write(x->req, str_n(body, n));
    http_reply_write(x->req, STR("\n\n"));
    http_reply_end(x->req);
}

static void chat_end(void *arg, const struct err *e,
                     const struct call_report *r)
{
    struct oa *x = arg;
    struct err lost;

    x->call = NULL;
    if (!e && x->lost) {
        oa_lost(&lost);
        e = &lost;
    }
    if (e && x->error_body) {
        end_pass(x);
    } else if (e && x->head_sent) {
        end_broken(x, e);
    } else if (e) {
        x->n_headers = 0;
        oa_route_headers(x, r);
        oa_error(x, e);
    } else if (x->pass) {
        end_pass(x);
    } else {
        end_translated(x, r);
    }
}

static const struct call_sink chat_sink = {chat_begin, chat_bytes, chat_event,
                                           chat_end};

void oa_chat(struct oa *x)
{
    oa_start(x, &chat_sink, CHAT_WANT);
}
