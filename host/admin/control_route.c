/* SPDX-License-Identifier: MIT */
/* The verbs "route.explain": who would be asked, in which order and why, and
 * who not, while nothing is asked; and "route.results": what came of those who
 * were. */
#include <config.h>

#include <string.h>

#include "admin/control_int.h"
#include "base/json.h"
#include "base/str.h"
#include "manager/explain.h"
#include "manager/op.h"
#include "manager/results.h"
#include "manager/room.h"
#include "manager/router.h"
#include <patchbay/json.h>

#define RESULT_MAX LIM_MIB(4)

static void put_plan(struct buf *b, struct host *h, const struct plan *p,
                     const struct ask *q)
{
    struct explain x = {.s = h->snapshot,
                        .models = h->models,
                        .health = h->health,
                        .now_ms = clock_now(h->control_seat->loop->clock),
                        .plan = p,
                        .ask = q};
    size_t order[PLAN_MAX], n = explain_order(&x, order);

    buf_addc(b, "{\"model\":");
    buf_json(b, q->model);
    buf_addc(b, ",");
    explain_head(b, &x);
    buf_addc(b, ",\"targets\":[");
    for (size_t i = 0; i < n; i++) {
        buf_addc(b, i ? ",{" : "{");
        explain_target(b, &x, order[i], i + 1);
        buf_addc(b, "}");
    }
    buf_addc(b, "],\"left_out\":[");
    explain_left_out(b, &x);
    buf_addc(b, "]");
    if (p->n > 1)
        explain_overflow(b, h->models, p);
    buf_addc(b, "}");
}

/* The argument "headers": {"x-patchbay-session":"..."} */
static pbay_str arg_header(void *arg, const char *name)
{
    return js_str(js_typed(arg, "headers", json_type_object), name, STR_NONE);
}

/* `fallbacks` and `models` of a body, as a request's are read. */
static bool read_stand_ins(struct ctl_conn *c, struct ask *q, pbay_str *names,
                           struct arena *a)
{
    const struct want *w = q->want;
    pbay_str list, v;
    size_t pos = 0;

    q->models = pbay_json_find(w->members, w->n_members, "models");
    list = pbay_json_find(w->members, w->n_members, "fallbacks");
    if (!list.p)
        return true;
    q->fallbacks = names;
    while (pbay_json_type(list) == 'a' &&
           pbay_json_next(list, &pos, NULL, &v) > 0 &&
           q->n_fallbacks < ASK_NAMES) {
        char *p = arena_bytes(a, v.n + 1);
        int64_t n = p ? pbay_json_unescape(v, p, v.n) : -1;
        if (n <= 0)
            break;
        names[q->n_fallbacks++] = str_n(p, (size_t)n);
    }
    if (pbay_json_type(list) == 'a' &&
        pbay_json_next(list, &pos, NULL, &v) <= 0)
        return true;
    ctl_fail(c, PBAY_E_INVALID,
             "\"fallbacks\" must be a list of up to %d models' names",
             ASK_NAMES);
    return false;
}

/* What the request is to be like: its body, or the length of its prompt. */
static bool read_want(struct ctl_conn *c, struct json_object *args,
                      pbay_kv *members, struct want *w)
{
    w->body = js_str(args, "body", STR_NONE);
    w->canonical = true;
    w->members = members;
    if (w->body.n && pbay_json_members(w->body, members, LIM_MEMBERS,
                                       &w->n_members, NULL) < 0) {
        ctl_fail(c, PBAY_E_INVALID, "the request is no JSON object");
        return false;
    }
    w->has_input = !w->body.n || js_get(args, "input_tokens");
    w->input = (uint64_t)js_int(args, "input_tokens", 1000);
    w->has_text = !w->body.n;
    w->text = w->input;
    return true;
}

void ctl_explain(struct ctl_conn *c, struct json_object *args)
{
    struct host *h = c->host;
    const char *op = js_cstr(args, "op", "chat");
    pbay_str task = js_str(args, "task", STR_NONE);
    struct want want = {.op = op_by_name(op)};
    pbay_kv members[LIM_MEMBERS];
    pbay_str names[ASK_NAMES];
    struct way way = {js_str(args, "key", STR_NONE), arg_header, args};
    struct ask q = {.op = op_by_name(op),
                    .model = js_str(args, "model", STR("")),
                    .task = task_named(task),
                    .way = &way,
                    .want = &want,
                    .clock = h->control_seat->loop->clock};
    struct arena a;
    struct plan plan;
    struct err e;
    struct buf b;

    if (!q.op) {
        ctl_fail(c, PBAY_E_INVALID, "there is no operation \"%.64s\"", op);
        return;
    }
    if (task.n && !q.task) {
        ctl_fail(c, PBAY_E_INVALID, "there is no task \"%.*s\"; there are %s",
                 STR_ARG(str_head(task, 64)), task_words);
        return;
    }
    if (!read_want(c, args, members, &want))
        return;
    arena_init(&a, LIM_MIB(1));
    err_clear(&e);
    if (!read_stand_ins(c, &q, names, &a)) {
        /* It has been told. */
    } else if (plan_ask(h->snapshot, h->models, &q, &a, &plan, &e) < 0) {
        ctl_error(c, &e);
    } else {
        room_order(&plan, h->models, &want);
        buf_init(&b, RESULT_MAX);
        put_plan(&b, h, &plan, &q);
        ctl_ok(c, buf_str(&b));
        buf_done(&b);
    }
    arena_done(&a);
}

void ctl_results(struct ctl_conn *c, struct json_object *args)
{
    pbay_str route = js_str(args, "route", STR_NONE);
    struct buf b;

    buf_init(&b, RESULT_MAX);
    if (results_put(&b, route) < 0)
        ctl_fail(c, ERR_REPLY_TOO_LARGE, "the results are too many for a line");
    else
        ctl_ok(c, buf_str(&b));
    if (js_bool(args, "reset", false))
        results_reset(route);
    buf_done(&b);
}
