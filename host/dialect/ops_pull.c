/* SPDX-License-Identifier: MIT */
/* POST /v1/models/pull: progress as events, or one answer at the end. */
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "dialect/openai.h"
#include "dialect/ops_int.h"
#include "manager/op.h"
#include <patchbay/json.h>

static void pull_begin(void *arg, const struct call_head *h,
                       const struct call_report *r)
{
    struct dialog *x = arg;

    (void)h;
    dl_route_headers(x, r);
    if (!x->stream)
        return;
    dl_add_header(x, "content-type", STR("text/event-stream"));
    dl_add_header(x, "cache-control", STR("no-cache"));
    http_reply_begin(x->req, 200, x->headers, x->n_headers);
    x->head_sent = true;
}

static void pull_bytes(void *arg, pbay_str raw)
{
    (void)arg;
    (void)raw; /* never: only events are asked for */
}

static void put_event(struct dialog *x, pbay_str json)
{
    struct buf b;

    buf_init(&b, LIM_RECORD);
    buf_addc(&b, "data: ");
    buf_add(&b, json);
    if (buf_addc(&b, "\n\n") < 0)
        x->lost = true;
    else
        dl_write(x, buf_str(&b));
    buf_done(&b);
}

/* An item has no line feeds outside of strings, or it is written without. */
static void pull_event(void *arg, const pbay_event *ev)
{
    struct dialog *x = arg;

    if (ev->type != PBAY_EV_ITEM || !str_is(ev->name, "progress") ||
        !x->head_sent || pbay_json_check(ev->json, NULL) < 0 ||
        memchr(ev->json.p, '\n', ev->json.n))
        return;
    put_event(x, ev->json);
}

static void pull_failed(struct dialog *x, const struct err *e,
                        const struct call_report *r)
{
    char body[LIM_KIB(8)];
    size_t n;

    if (x->head_sent) {
        n = oa_error_json(x, e, body, sizeof(body));
        put_event(x, str_n(body, n));
        http_reply_end(x->req);
        return;
    }
    x->n_headers = 0;
    dl_route_headers(x, r);
    dl_error(x, e);
}

static void pull_end(void *arg, const struct err *e,
                     const struct call_report *r)
{
    struct dialog *x = arg;
    struct buf b;

    x->call = NULL;
    if (e) {
        pull_failed(x, e, r);
        return;
    }
    ops_relist(x, r->provider);
    if (x->head_sent) {
        dl_write(x, STR("data: [DONE]\n\n"));
        http_reply_end(x->req);
        return;
    }
    buf_init(&b, LIM_MIB(1));
    buf_addc(&b, "{\"object\":\"model.pull\",\"id\":");
    ops_put_id(&b, r);
    buf_addc(&b, ",\"status\":\"success\"}");
    dl_json(x, 200, buf_str(&b));
    buf_done(&b);
}

static const struct call_sink pull_sink = {pull_begin, pull_bytes, pull_event,
                                           pull_end};

void ops_pull(struct dialog *x, pbay_str body)
{
    const struct instance *in = NULL;
    struct err e;

    err_clear(&e);
    x->body = body;
    if (dl_scan(x, &e) < 0 || dl_read_model(x, &e) < 0 ||
        dl_read_bool(x, "stream", &x->stream, &e) < 0) {
        dl_error(x, &e);
        return;
    }
    if (!x->model.n) {
        dl_bad(&e, "model", "missing_parameter",
               "which model? \"model\" is "
               "missing");
        dl_error(x, &e);
        return;
    }
    if (op_pull_target(x->d->manager->current, x->model, &in, &x->model, &e) <
        0) {
        dl_error(x, &e);
        return;
    }
    ops_start(x, in, &pull_sink);
}
