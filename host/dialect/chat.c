/* SPDX-License-Identifier: MIT */
/* A chat's sink, between a call and its client, in the form of its dialect. */
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "dialect/dialog.h"

static void stream_begin(struct dialog *x, pbay_str content_type)
{
    const char *own = x->form->stream_type;

    dl_add_header(x, "content-type",
                  content_type.n ? content_type
                  : own          ? str_c(own)
                                 : STR("text/event-stream"));
    dl_add_header(x, "cache-control", STR("no-cache"));
    http_reply_begin(x->req, 200, x->headers, x->n_headers);
    x->head_sent = true;
}

static void show_begin(struct dialog *x, const struct call_head *h)
{
    struct buf out;

    buf_init(&out, LIM_HTTP_BODY * 3); /* it may repeat the request */
    if (!x->render ||
        x->form->begin(x->render, h->reply_id, h->model, &out) < 0)
        x->lost = true;
    else
        dl_write(x, buf_str(&out));
    buf_done(&out);
}

static void chat_begin(void *arg, const struct call_head *h,
                       const struct call_report *r)
{
    struct dialog *x = arg;

    dl_route_headers(x, r);
    for (size_t i = 0; i < h->n_headers; i++)
        dl_add_header(x, h->headers[i].k.p, h->headers[i].v);
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
    x->render = x->form->render_new(x);
    if (x->stream)
        stream_begin(x, STR_NONE);
    show_begin(x, h);
}

/* The rest of a passed stream comes as events. */
static bool chat_resume(void *arg, pbay_str id, pbay_str model)
{
    struct dialog *x = arg;
    struct buf out;
    bool ok;

    if (!x->pass || !x->head_sent || x->render || x->lost)
        return false;
    x->render = x->form->render_new(x);
    if (!x->render)
        return false;
    buf_init(&out, LIM_KIB(16));
    ok = x->form->resume(x, x->render, id, model, &out) >= 0;
    if (ok) {
        x->pass = false;
        dl_write(x, buf_str(&out));
    }
    buf_done(&out);
    return ok;
}

static void chat_bytes(void *arg, pbay_str raw)
{
    struct dialog *x = arg;

    if (x->head_sent && x->form->passed)
        x->form->passed(x, raw);
    if (x->head_sent)
        dl_write(x, raw);
    else if (buf_add(&x->whole, raw) < 0)
        x->lost = true;
}

static void chat_event(void *arg, const pbay_event *ev)
{
    struct dialog *x = arg;
    struct buf out;

    if (ev->type == PBAY_EV_WARNING) {
        /* One that comes with the answer; a stream's head is gone by then. */
        if (!x->head_sent)
            dl_warn(x, ev->name, ev->text);
        return;
    }
    if (!x->render || x->lost)
        return;
    buf_init(&out, LIM_REPLY);
    if (x->form->event(x->render, ev, &out) >= 0)
        dl_write(x, buf_str(&out));
    else
        x->lost = true;
    buf_done(&out);
}

static void end_pass(struct dialog *x)
{
    if (x->head_sent) {
        http_reply_end(x->req);
        return;
    }
    dl_add_header(x, "content-type",
                  x->content_type.n ? x->content_type
                                    : STR("application/json"));
    http_reply(x->req, x->status, x->headers, x->n_headers, buf_str(&x->whole));
}

static void end_translated(struct dialog *x, const struct call_report *r)
{
    struct buf out;
    struct err e;

    buf_init(&out, LIM_REPLY * 2);
    if (!x->render || x->form->end(x->render, &r->usage, &out) < 0) {
        err_clear(&e);
        err_set(&e, ERR_REPLY_TOO_LARGE, "the answer is too large to render");
        if (x->head_sent)
            http_reply_abort(x->req);
        else
            dl_error(x, &e);
    } else if (x->head_sent) {
        http_reply_write(x->req, buf_str(&out));
        http_reply_end(x->req);
    } else {
        dl_json(x, 200, buf_str(&out));
    }
    buf_done(&out);
}

static int put_broken(struct dialog *x, const struct err *e, struct buf *out)
{
    char body[LIM_KIB(8)];
    size_t n = x->form->error_json(x, e, body, sizeof(body));

    return buf_addc(out, "data: ") | buf_add(out, str_n(body, n)) |
           buf_addc(out, "\n\n");
}

/* A stream that fails ends with an error and without its end mark. */
static void end_broken(struct dialog *x, const struct err *e)
{
    struct buf out;
    int rc;

    buf_init(&out, LIM_REPLY * 2); /* it may repeat the answer so far */
    rc = x->form->broken ? x->form->broken(x, e, &out) : put_broken(x, e, &out);
    if (rc < 0) {
        http_reply_abort(x->req);
    } else {
        http_reply_write(x->req, buf_str(&out));
        http_reply_end(x->req);
    }
    buf_done(&out);
}

static void chat_end(void *arg, const struct err *e,
                     const struct call_report *r)
{
    struct dialog *x = arg;
    struct err lost;

    x->call = NULL;
    if (!e && x->lost) {
        dl_lost(&lost);
        e = &lost;
    }
    if (e && x->error_body) {
        end_pass(x);
    } else if (e && x->head_sent) {
        end_broken(x, e);
    } else if (e) {
        x->n_headers = 0;
        dl_route_headers(x, r);
        dl_error(x, e);
    } else if (x->pass) {
        end_pass(x);
    } else {
        end_translated(x, r);
    }
}

static const struct call_sink chat_sink = {chat_begin, chat_bytes, chat_event,
                                           chat_end};

void dl_chat(struct dialog *x)
{
    x->rescue = x->form->rescue;
    x->resume = x->form->resume ? chat_resume : NULL;
    dl_start(x, &chat_sink, x->form->want);
}
