/* SPDX-License-Identifier: MIT */
/* An attempt by a native provider: a run on a worker, and a body of its own. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "manager/attempt_int.h"

static void native_on_event(void *arg, const pbay_event *ev)
{
    attempt *a = arg;

    at_enter(a);
    at_heard(a);
    at_event(a, ev);
    if (!a->silent && !a->ended && a->err)
        at_over(a, a->err);
    at_leave(a);
}

static void native_on_end(void *arg, pbay_rc rc)
{
    attempt *a = arg;

    at_enter(a);
    a->in_worker = false;
    if (!a->silent && !a->ended) {
        if (a->err)
            at_over(a, a->err);
        else if (a->broken)
            at_fail(a, ERR_INTERNAL, "out of memory");
        else if (rc == PBAY_NOSYS)
            at_fail(a, ERR_NOT_SUPPORTED,
                    "this provider has no such operation");
        else if (rc < 0)
            at_fail(a, rc == PBAY_NOMEM ? ERR_INTERNAL : PBAY_E_UPSTREAM,
                    rc == PBAY_NOMEM
                        ? "its plugin needs more memory than call_memory allows"
                        : "the provider failed without a reason");
        else if (a->req.op == PBAY_OP_CHAT && !a->stops)
            at_fail(a, ERR_TRUNCATED, "the answer ended without a stop");
        else
            at_over(a, NULL);
    }
    at_leave(a);
}

static void native_released(void *arg)
{
    attempt *a = arg;

    at_enter(a);
    a->in_worker = false;
    at_leave(a);
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

static void not_started(attempt *a, int rc)
{
    if (rc == -ENOMEM)
        at_fail(a, ERR_INTERNAL, "out of memory");
    else if (rc == -ESHUTDOWN)
        at_fail(a, ERR_UNAVAILABLE, "the host is shutting down");
    else
        at_fail(a, ERR_UNAVAILABLE,
                "all workers are busy and the queue is full");
}

void at_native_begin(attempt *a, const struct call_request *r)
{
    struct native_job job = {
        .loop = a->m->loop,
        .native = a->inst->native,
        .inst = a->inst->inst,
        .name = a->inst->name,
        .call = a,
        .req = &a->req,
        .gate = &a->inst->gate,
        .ops = &native_run_ops,
        .arg = a,
        .released = native_released,
        .times = &a->inst->gen->times[LIM_LOOPS],
    };
    int rc;

    if (own_body(a, r) < 0) {
        at_fail(a, ERR_INTERNAL, "out of memory");
        return;
    }
    a->asked = a->heard = clock_now(a->m->loop->clock);
    timer_set(&a->timer, a->m->loop->clock, a->inst->cfg->timeouts.first_ms,
              at_on_timer, a);
    a->in_worker = true;
    rc = native_run_start(a->m->pool, &job, &a->native);
    if (rc < 0) {
        a->in_worker = false;
        a->native = NULL;
        not_started(a, rc);
    }
}
