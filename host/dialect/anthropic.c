/* SPDX-License-Identifier: MIT */
/* POST /v1/messages and /v1/messages/count_tokens. */
#include "dialect/anthropic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "base/str.h"
#include "dialect/anthropic_in.h"
#include "dialect/anthropic_out.h"
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

static void follow(struct dialog *x, pbay_str raw)
{
    if (!x->resume)
        return;
    if (!x->place)
        x->place = arena_alloc(&x->req->arena, sizeof(struct an_place));
    if (x->place)
        an_follow(x->place, raw);
}

static int resume(struct dialog *x, void *r, pbay_str id, pbay_str model,
                  struct buf *out)
{
    const struct an_place *at = x->place;

    return at && at->begun ? an_render_resume(r, at)
                           : an_render_begin(r, id, model, out);
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
    .rescue = true,
    .passed = follow,
    .resume = resume,
};

/* --- requests ------------------------------------------------------------ */

/* Into the request's arena. */
static int translate(void *arg, struct call_body *out, struct err *e)
{
    struct dialog *x = arg;
    struct buf b;
    pbay_str plain;
    int rc = dl_plain(x, &plain, e);

    buf_init(&b, LIM_HTTP_BODY * 2);
    if (rc == 0)
        rc = an_to_canonical(plain, &b, e);
    if (rc == 0)
        rc = dl_keep_plain(x, buf_str(&b), out, e);
    buf_done(&b);
    return rc;
}

static int read_body(struct dialog *x, pbay_str body, struct err *e)
{
    pbay_str messages;

    x->body = body;
    x->translate = translate;
    if (dl_scan(x, e) < 0 || dl_stand_ins(x, e) < 0)
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

static void count(struct dialog *x, pbay_str body)
{
    struct call_body canonical;
    struct err e;

    err_clear(&e);
    if (read_body(x, body, &e) < 0 || translate(x, &canonical, &e) < 0)
        dl_error(x, &e);
    else
        dl_count(x, &canonical, "{\"input_tokens\":", "}");
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
