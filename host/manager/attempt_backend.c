/* SPDX-License-Identifier: MIT */
/* An attempt whose provider runs as a process of this host: the plugin
 * describes it on a worker, the supervisor gives it a place there, then the
 * exchange begins.  And what such a provider runs (PS), which only the host
 * knows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/str.h"
#include "manager/attempt_int.h"
#include "manager/exchange.h"
#include "module/backend.h"
#include <patchbay/json.h>

/* Of a raw call's body, to find the model in. */
#define RAW_BODY LIM_KIB(64)

bool at_needs_backend(const attempt *a)
{
    return a->inst->backend && a->m->backends &&
           (a->inst->backend->ops & PBAY_OP_BIT(a->req.op));
}

void at_backend_leave(attempt *a)
{
    struct backend_use *u = a->use;

    a->use = NULL;
    backend_leave(u);
}

const struct backend_address *at_where(const attempt *a)
{
    return a->use ? backend_where(a->use) : NULL;
}

/* --- waiting ------------------------------------------------------------- */

static void on_too_long(void *arg)
{
    attempt *a = arg;
    struct err e;

    at_enter(a);
    err_clear(&e);
    err_set(&e, PBAY_E_LOADING,
            "%s: no process for %.*s was ready within backends.max_wait",
            a->inst->name, STR_ARG(str_head(a->about.model, 256)));
    at_over(a, &e);
    at_leave(a);
}

static void go_on(attempt *a)
{
    timer_stop(&a->timer);
    at_exchange_begin(a);
}

/* Not before at_backend_begin() has returned. */
static void on_place(void *arg, const struct err *e)
{
    attempt *a = arg;

    at_enter(a);
    if (e)
        at_over(a, e);
    else
        go_on(a);
    at_leave(a);
}

static struct backend_ask ask_of(const attempt *a)
{
    return (struct backend_ask){
        .provider = a->inst->name,
        .serial = a->snap->serial,
        .op = a->req.op,
        .model = a->about.model,
        .loop = a->m->loop,
        .wake = on_place,
        .arg = (void *)(uintptr_t)a,
    };
}

/* --- the description ----------------------------------------------------- */

/* [worker] */
static pbay_rc run_describe(void *inst, pbay_call *a, const pbay_request *req)
{
    return a->inst->backend->describe(inst, a, req, &a->spec);
}

static const pbay_native describer = {.size = sizeof(describer),
                                      .run = run_describe};

static void describe_on_event(void *arg, const pbay_event *ev)
{
    attempt *a = arg;

    at_enter(a);
    if (PBAY_HAS(ev, type) &&
        (ev->type == PBAY_EV_ERROR || ev->type == PBAY_EV_WARNING))
        at_event(a, ev);
    at_leave(a);
}

static void take_place(attempt *a)
{
    struct backend_ask ask = ask_of(a);
    bool waits = false;
    struct err e;

    a->use = backend_enter(a->m->backends, &ask, &a->spec, &waits, &e);
    if (!a->use)
        at_over(a, &e);
    else if (!waits)
        go_on(a);
}

static void describe_on_end(void *arg, pbay_rc rc)
{
    attempt *a = arg;

    at_enter(a);
    a->in_worker = false;
    a->native = NULL;
    if (a->silent || a->ended)
        goto out;
    if (a->err)
        at_over(a, a->err);
    else if (rc == PBAY_NOSYS)
        at_fail(a, ERR_NOT_SUPPORTED, "this provider has no such operation");
    else if (rc < 0 || at_gone_wrong(a))
        at_fail(a, rc == PBAY_NOMEM ? ERR_INTERNAL : PBAY_E_UPSTREAM,
                rc == PBAY_NOMEM
                    ? "its plugin needs more memory than call_memory allows"
                    : "its plugin could not say which process to start");
    else
        take_place(a);
out:
    at_leave(a);
}

static void describe_released(void *arg)
{
    attempt *a = arg;

    at_enter(a);
    a->in_worker = false;
    at_leave(a);
}

static const struct native_ops describe_ops = {describe_on_event,
                                               describe_on_end};

/* What is asked about: the worker may outlive the client's request. */
static void set_question(attempt *a)
{
    struct arena *m = &a->arena;

    a->about.id = arena_dup(m, a->req.id);
    a->about.body = STR("");
    a->about.members = NULL;
    a->about.n_members = 0;
    a->about.headers = NULL;
    a->about.n_headers = 0;
    a->about.dialect = STR("canonical/1");
    a->about.content_type = arena_dup(m, a->req.content_type);
    a->about.method = arena_dup(m, a->req.method);
    a->about.path = arena_dup(m, a->req.path);
    a->about.query = arena_dup(m, a->req.query);
    a->spec = (pbay_backend_spec){.size = sizeof(a->spec)};
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static int hex_byte(pbay_str s, size_t at)
{
    int high = at + 1 < s.n ? hex_digit(s.p[at]) : -1;
    int low = high >= 0 ? hex_digit(s.p[at + 1]) : -1;

    return low >= 0 ? high * 16 + low : -1;
}

/* "...&model=a%20b&...", or {"model":"a b"}. */
static void find_raw_model(attempt *a)
{
    pbay_str rest = a->req.query, body = a->req.body, v = STR_NONE;
    char *to;
    int64_t n = 0;

    while (rest.n && !str_starts(v, "model="))
        v = str_cut(&rest, '&');
    if (str_starts(v, "model=")) {
        v = str_n(v.p + 6, v.n - 6);
        to = arena_bytes(&a->arena, v.n);
        for (size_t i = 0; to && i < v.n; i++) {
            int c = v.p[i] == '%' ? hex_byte(v, i + 1) : -1;
            to[n++] = c >= 0 ? (char)c : v.p[i];
            i += c >= 0 ? 2 : 0;
        }
    } else {
        v = body.n <= RAW_BODY && pbay_json_check(body, NULL) == 0
                ? pbay_json_get(body, "model")
                : STR_NONE;
        to = pbay_json_type(v) == 's' ? arena_bytes(&a->arena, v.n) : NULL;
        n = to ? pbay_json_unescape(v, to, v.n) : 0;
    }
    if (!to || n <= 0)
        return;
    a->about.model = str_n(to, (size_t)n);
    a->about.model_config = exchange_model_config(a->inst, a->about.model);
}

static int start_describing(attempt *a)
{
    struct native_job job = {
        .loop = a->m->loop,
        .native = &describer,
        .inst = a->inst->inst,
        .name = a->inst->name,
        .call = a,
        .req = &a->about,
        .ops = &describe_ops,
        .arg = a,
        .released = describe_released,
        .times = &a->inst->gen->times[LIM_LOOPS],
    };

    a->in_worker = true;
    int rc = native_run_start(a->m->pool, &job, &a->native);
    if (rc < 0) {
        a->in_worker = false;
        a->native = NULL;
    }
    return rc;
}

void at_backend_begin(attempt *a)
{
    a->about = a->req;
    if (a->req.op == PBAY_OP_RAW)
        find_raw_model(a);
    struct backend_ask ask = ask_of(a);
    a->use = backend_again(a->m->backends, &ask);
    if (a->use) {
        at_exchange_begin(a);
        return;
    }
    set_question(a);
    timer_set(&a->timer, a->m->loop->clock, a->snap->cfg->backends.wait_ms,
              on_too_long, a);
    if (start_describing(a) < 0)
        at_fail(a, ERR_UNAVAILABLE,
                "all workers are busy and the queue is full");
}

bool at_backend_again(attempt *a)
{
    if (!a->use || a->came_back || a->req.step || a->has_head)
        return false;
    a->came_back = true;
    at_codec_finish(a, PBAY_FAIL);
    if (a->silent || a->ended)
        return true;
    if (at_gone_wrong(a))
        return false;
    memset(a->state, 0, a->codec->state_size);
    backend_doubt(a->use);
    at_backend_leave(a);
    at_backend_begin(a);
    return true;
}

/* --- what runs ----------------------------------------------------------- */

struct running {
    attempt *a;
    struct buf json; /* the items, each with a NUL behind it */
    bool failed;
};

static void put_time(struct buf *b, int64_t ms)
{
    time_t t = (time_t)(ms / 1000);
    struct tm tm;
    char text[40];

    if (gmtime_r(&t, &tm) &&
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm))
        buf_printf(b, ",\"expires\":\"%s\"", text);
}

static void put_running(void *arg, const struct backend_row *r)
{
    struct running *all = arg;
    struct buf *b = &all->json;

    if (!r->pid && !r->waiting && strcmp(r->state, "starting") != 0)
        return; /* only remembered */
    buf_addc(b, "{\"model\":");
    buf_json(b, str_c(r->name));
    if (r->memory)
        buf_printf(b, ",\"size\":%llu", (unsigned long long)r->memory);
    if (r->expires_ms >= 0)
        put_time(b, clock_wall(all->a->m->loop->clock) + r->expires_ms);
    buf_printf(b,
               ",\"state\":\"%s\",\"raw\":{\"state\":\"%s\",\"pid\":%d,"
               "\"port\":%d,\"calls\":%u,\"waiting\":%u,\"starts\":%u,"
               "\"for_ms\":%lld,\"line\":",
               r->state, r->state, r->pid, r->port, r->uses, r->waiting,
               r->starts, (long long)r->for_ms);
    buf_json(b, str_c(r->line));
    if (buf_addc(b, "}}") < 0 || buf_add(b, str_n("", 1)) < 0)
        all->failed = true;
}

void at_backend_ps(attempt *a)
{
    struct running all = {.a = a};
    pbay_event ev = {
        .size = sizeof(ev), .type = PBAY_EV_ITEM, .name = STR("running")};

    buf_init(&all.json, LIM_MIB(4));
    backends_each(a->m->backends, a->inst->name, put_running, &all);
    a->has_head = true; /* the reply is the host's own */
    pbay_str rest = buf_str(&all.json);
    while (rest.n && !a->silent && !a->ended) {
        ev.json = str_cut(&rest, '\0');
        at_event(a, &ev);
        ev.index++;
    }
    buf_done(&all.json);
    if (a->silent || a->ended)
        return;
    if (all.failed)
        at_fail(a, ERR_INTERNAL, "out of memory");
    else
        at_over(a, NULL);
}
