/* SPDX-License-Identifier: MIT */
/* POST /v1/messages and /v1/messages/count_tokens. */
#include "dialect/anthropic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "base/str.h"
#include "base/tokens.h"
#include "dialect/anthropic_in.h"
#include "dialect/anthropic_out.h"
#include "manager/count.h"
#include <patchbay/json.h>

/* --- the form of an answer ----------------------------------------------- */

static size_t error_json(const struct dialog *x, const struct err *e, char *dst,
                         size_t room)
{
    return an_error_json(e, x ? x->id : "", dst, room);
}

static void *render_new(struct dialog *x)
{
    return an_render_new(x->stream, str_c(x->id + 4), x->model);
}

static void render_free(void *r)
{
    an_render_free(r);
}

static int begin(void *r, pbay_str id, pbay_str model, struct buf *out)
{
    return an_render_begin(r, id, model, out);
}

static int event(void *r, const pbay_event *ev, struct buf *out)
{
    return an_render_event(r, ev, out);
}

static int end(void *r, const pbay_usage *usage, struct buf *out)
{
    return an_render_end(r, usage, out);
}

static int broken(struct dialog *x, const struct err *e, struct buf *out)
{
    char body[LIM_KIB(8)];
    size_t n = an_error_json(e, x->id, body, sizeof(body));

    return buf_addc(out, "event: error\ndata: ") |
           buf_add(out, str_n(body, n)) | buf_addc(out, "\n\n");
}

const struct chat_form an_form = {
    .want = PBAY_WANT(PBAY_EV_BEGIN) | PBAY_WANT(PBAY_EV_TEXT) |
            PBAY_WANT(PBAY_EV_REASONING) | PBAY_WANT(PBAY_EV_REFUSAL) |
            PBAY_WANT(PBAY_EV_CALL) | PBAY_WANT(PBAY_EV_BLOCK) |
            PBAY_WANT(PBAY_EV_WARNING),
    .broken = broken,
    .error_json = error_json,
    .render_new = render_new,
    .render_free = render_free,
    .begin = begin,
    .event = event,
    .end = end,
};

/* --- requests ------------------------------------------------------------ */

/* Into the request's arena, once: every target that needs it gets the same. */
static int translate(void *arg, struct call_body *out, struct err *e)
{
    struct dialog *x = arg;
    struct buf b;
    int rc;

    buf_init(&b, LIM_HTTP_BODY * 2);
    rc = an_to_canonical(x->body, &b, e);
    if (rc == 0)
        rc = dl_keep_body(x, buf_str(&b), out, e);
    buf_done(&b);
    return rc;
}

static int read_body(struct dialog *x, pbay_str body, struct err *e)
{
    pbay_str messages;

    x->body = body;
    x->translate = translate;
    if (dl_scan(x, e) < 0)
        return -1;
    messages = pbay_json_find(x->members, x->n_members, "messages");
    if (pbay_json_type(messages) != 'a') {
        dl_bad(e, "messages", "invalid_type", "messages: required, a list");
        return -1;
    }
    return dl_read_model(x, e) < 0 ||
                   dl_read_bool(x, "stream", &x->stream, e) < 0
               ? -1
               : 0;
}

static void messages(struct dialog *x, pbay_str body)
{
    struct err e;

    err_clear(&e);
    if (read_body(x, body, &e) < 0)
        dl_error(x, &e);
    else
        dl_chat(x);
}

/* --- counting ------------------------------------------------------------ */

static void count_begin(void *arg, const struct call_head *h,
                        const struct call_report *r)
{
    struct dialog *x = arg;

    (void)h;
    dl_route_headers(x, r);
}

static void count_bytes(void *arg, pbay_str raw)
{
    (void)arg;
    (void)raw; /* never: only events are asked for */
}

static void count_event(void *arg, const pbay_event *ev)
{
    struct dialog *x = arg;

    if (ev->type == PBAY_EV_ITEM && str_is(ev->name, "count") &&
        pbay_json_type(pbay_json_get(ev->json, "input_tokens")) == 'n') {
        buf_done(&x->whole);
        buf_init(&x->whole, LIM_KIB(4));
        buf_addc(&x->whole, "{\"input_tokens\":");
        buf_add(&x->whole, pbay_json_get(ev->json, "input_tokens"));
        buf_addc(&x->whole, "}");
    }
}

/* The provider cannot count, or cannot be reached: then the host does. */
static bool estimate(struct dialog *x, const struct err *e)
{
    struct buf b;

    if (!count_may_estimate(e))
        return false;
    x->n_headers = 0;
    dl_route_headers(x, NULL);
    dl_add_header(x, "x-patchbay-estimate", STR("true"));
    buf_init(&b, LIM_KIB(1));
    buf_printf(&b, "{\"input_tokens\":%llu}",
               (unsigned long long)tokens_of_chat(x->members, x->n_members));
    dl_json(x, 200, buf_str(&b));
    buf_done(&b);
    return true;
}

static void count_end(void *arg, const struct err *e,
                      const struct call_report *r)
{
    struct dialog *x = arg;
    struct err none;

    x->call = NULL;
    if (!e && !x->whole.n) {
        err_clear(&none);
        err_set(&none, PBAY_E_PROTOCOL, "the provider counted nothing");
        e = &none;
    }
    if (e && estimate(x, e))
        return;
    if (e) {
        x->n_headers = 0;
        dl_route_headers(x, r);
        dl_error(x, e);
    } else {
        dl_json(x, 200, buf_str(&x->whole));
    }
}

static const struct call_sink count_sink = {count_begin, count_bytes,
                                            count_event, count_end};

static void count(struct dialog *x, pbay_str body)
{
    struct call_body canonical;
    struct err e;

    err_clear(&e);
    if (read_body(x, body, &e) < 0 || translate(x, &canonical, &e) < 0) {
        dl_error(x, &e);
        return;
    }
    /* Counted by events whatever the provider speaks: there is one number. */
    dl_use_body(x, &canonical);
    x->stream = false;
    x->instead = estimate;
    dl_start(x, &count_sink, PBAY_WANT(PBAY_EV_ITEM));
}

/* --- models -------------------------------------------------------------- */

static int put_date(struct buf *b, pbay_str created)
{
    int64_t at = 0;
    time_t t;
    struct tm tm;
    char text[32] = "1970-01-01T00:00:00Z";

    if (pbay_json_i64(created, &at) == 0) {
        t = (time_t)at;
        if (gmtime_r(&t, &tm))
            strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    }
    return buf_printf(b, "\"%s\"", text);
}

int an_put_model(struct buf *b, pbay_str id, pbay_str json)
{
    pbay_str name = pbay_json_get(json, "name");
    pbay_str window = pbay_json_get(json, "context_window");
    pbay_str output = pbay_json_get(json, "max_output");

    int rc = buf_addc(b, "{\"type\":\"model\",\"id\":");

    rc |= buf_json(b, id);
    rc |= buf_addc(b, ",\"display_name\":");
    rc |= pbay_json_type(name) == 's' ? buf_add(b, name) : buf_json(b, id);
    rc |= buf_addc(b, ",\"created_at\":");
    rc |= put_date(b, pbay_json_get(json, "created"));
    if (pbay_json_type(window) == 'n') {
        rc |= buf_addc(b, ",\"max_input_tokens\":");
        rc |= buf_add(b, window);
    }
    if (pbay_json_type(output) == 'n') {
        rc |= buf_addc(b, ",\"max_tokens\":");
        rc |= buf_add(b, output);
    }
    return rc | buf_addc(b, "}");
}

const struct dl_route an_routes[] = {
    {.method = "POST",
     .path = "/v1/messages",
     .op = PBAY_OP_CHAT,
     .dialect = "anthropic.messages/1",
     .right = RIGHT_CHAT,
     .form = &an_form,
     .take = messages},
    {.method = "POST",
     .path = "/v1/messages/count_tokens",
     .op = PBAY_OP_COUNT,
     .right = RIGHT_CHAT,
     .form = &an_form,
     .take = count},
    {.method = NULL},
};
