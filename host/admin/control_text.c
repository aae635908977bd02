/* SPDX-License-Identifier: MIT */
/* The verb "text": {"kind": "summary" or "translation", "body": as in
 * /v1/summarize}.  Events "text" with a piece of the result, if the body asks
 * for a stream, and "progress"; the result has the whole. */
#include <stdio.h>
#include <string.h>

#include "admin/control_int.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/str.h"
#include "manager/text_job.h"
#include <patchbay/json.h>

struct ctl_text {
    struct text_task task;
    struct text_job *job;
};

static void on_text(void *arg, pbay_str piece)
{
    struct ctl_conn *c = arg;
    struct buf b;

    buf_init(&b, LIM_CTL_LINE);
    buf_addc(&b, "{\"event\":\"text\",\"text\":");
    buf_json(&b, piece);
    buf_addc(&b, "}");
    ctl_send(c, buf_str(&b));
    buf_done(&b);
}

static void on_progress(void *arg)
{
    struct ctl_conn *c = arg;
    struct text_state st;
    char line[160];

    text_job_state(c->text->job, &st);
    snprintf(line, sizeof(line),
             "{\"event\":\"progress\",\"chunks\":%zu,\"chunks_done\":%zu,"
             "\"round\":%u}",
             st.pieces, st.done, st.rounds);
    ctl_send(c, str_c(line));
}

static void on_end(void *arg, const struct err *e)
{
    struct ctl_conn *c = arg;
    struct text_job *job = c->text->job;
    struct text_state st;
    struct buf b;
    int rc;

    text_job_state(job, &st);
    buf_init(&b, LIM_CTL_LINE);
    rc = buf_addc(&b, "{\"output\":");
    rc |= buf_json(&b, st.output);
    rc |= buf_printf(&b, ",\"chunks\":%zu,\"calls\":%zu,\"report\":", st.first,
                     st.calls);
    if (!e)
        ctl_put_report(&b, text_job_report(job));
    rc |= buf_addc(&b, "}");
    /* The connection may be closed by what it is told. */
    c->text->job = NULL;
    if (e)
        ctl_error(c, e);
    else if (rc < 0)
        ctl_fail(c, ERR_REPLY_TOO_LARGE, "the result is too large");
    else
        ctl_ok(c, buf_str(&b));
    buf_done(&b);
    text_job_free(job);
}

static const struct text_sink whole_sink = {NULL, on_progress, on_end};
static const struct text_sink stream_sink = {on_text, on_progress, on_end};

static void start(struct ctl_conn *c, enum text_kind kind, pbay_str body)
{
    pbay_kv members[LIM_MEMBERS];
    struct call_request r = {.id = str_c(c->id), .key_name = STR("control")};
    struct ctl_text *t = arena_alloc(&c->text_arena, sizeof(*t));
    struct err e;
    size_t n;

    err_clear(&e);
    if (!t || !body.p) {
        ctl_fail(c, ERR_INTERNAL, "out of memory");
        return;
    }
    if (pbay_json_members(body, members, LIM_MEMBERS, &n, NULL) < 0) {
        ctl_fail(c, ERR_BAD_BODY, "\"body\" is not an object");
        return;
    }
    c->text = t;
    if (text_task_read(kind, members, n, &c->text_arena, &t->task, &e) == 0)
        t->job =
            text_job_start(&c->host->control_seat->manager, &r, &t->task,
                           t->task.stream ? &stream_sink : &whole_sink, c, &e);
    if (!t->job)
        ctl_error(c, &e);
}

void ctl_text(struct ctl_conn *c, struct json_object *args)
{
    const char *kind = js_cstr(args, "kind", "");
    struct json_object *body = js_typed(args, "body", json_type_object);

    ctl_new_id(c);
    arena_init(&c->text_arena, LIM_CTL_LINE * 2);
    if (strcmp(kind, "summary") != 0 && strcmp(kind, "translation") != 0)
        ctl_fail(c, ERR_BAD_BODY,
                 "\"kind\" must be \"summary\" or \"translation\"");
    else if (c->host->draining)
        ctl_fail(c, ERR_UNAVAILABLE, "the host is draining");
    else
        start(c, kind[0] == 's' ? TEXT_SUMMARY : TEXT_TRANSLATION,
              arena_dup(&c->text_arena, body ? js_text(body) : STR("{}")));
}

void ctl_text_drop(struct ctl_conn *c)
{
    struct text_job *job = c->text ? c->text->job : NULL;

    c->text = NULL;
    text_job_free(job);
    arena_done(&c->text_arena);
}

void ctl_text_pause(struct ctl_conn *c, bool on)
{
    if (c->text && c->text->job)
        text_job_pause(c->text->job, on);
}
