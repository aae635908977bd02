/* SPDX-License-Identifier: MIT */
/* Several chats, a few at a time. */
#include "manager/chats.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "manager/usage.h"
#include "text/split.h"
#include <patchbay/json.h>

#define MEMBERS 16 /* of a body that is written here */

/* A place for one chat at a time. */
struct seat {
    struct chats *c;
    struct call *call; /* NULL: it is free */
    size_t i;
    struct buf body, text;
    pbay_kv members[MEMBERS];
    uint32_t stop;
    bool lost, refused;
};

struct chats {
    struct manager *m;
    struct arena arena;
    struct call_request base;
    const struct chats_ops *ops;
    void *arg;
    size_t n, next, done;
    unsigned seats_n;
    struct seat seats[CHATS_PARALLEL];
    bool paused;
    unsigned depth; /* how many callbacks are on the stack */
    bool gone;      /* freed as soon as there is none */
    int64_t started;
    struct call_report report;
    bool reported;
    pbay_usage used;
    unsigned attempts;
};

static void destroy(struct chats *c)
{
    for (unsigned k = 0; k < c->seats_n; k++) {
        buf_done(&c->seats[k].body);
        buf_done(&c->seats[k].text);
    }
    arena_done(&c->arena);
    free(c);
}

static void enter(struct chats *c)
{
    c->depth++;
}

static void leave(struct chats *c)
{
    if (--c->depth == 0 && c->gone)
        destroy(c);
}

static void set_report(struct chats *c, const struct call_report *r)
{
    call_report_copy(&c->report, r, &c->arena);
    c->reported = true;
    c->report.usage = c->used;
    c->report.attempts = c->attempts;
}

static void on_begin(void *arg, const struct call_head *h,
                     const struct call_report *r)
{
    struct seat *s = arg;

    (void)h;
    if (!s->c->reported)
        set_report(s->c, r);
}

static void on_bytes(void *arg, pbay_str raw)
{
    (void)arg;
    (void)raw; /* never: only events are asked for */
}

static void on_event(void *arg, const pbay_event *ev)
{
    struct seat *s = arg;
    struct chats *c = s->c;

    if (ev->choice)
        return;
    if (ev->type == PBAY_EV_STOP)
        s->stop = ev->code;
    if (ev->type == PBAY_EV_REFUSAL && ev->text.n)
        s->refused = true;
    if (ev->type != PBAY_EV_TEXT)
        return;
    if (buf_add(&s->text, ev->text) < 0) {
        s->lost = true;
    } else if (c->ops->text) {
        enter(c);
        c->ops->text(c->arg, s->i, ev->text);
        leave(c);
    }
}

/* An answer that is none, though it ended well.  0, or -1 and *e. */
static int sound(const struct seat *s, const char *who, struct err *e)
{
    err_clear(e);
    if (s->lost)
        err_set(e, ERR_REPLY_TOO_LARGE, "%s: the answer is too large", who);
    else if (s->refused || s->stop == PBAY_STOP_FILTER)
        err_set(e, PBAY_E_FILTER, "%s refused to answer", who);
    else if (s->stop == PBAY_STOP_LENGTH || s->stop == PBAY_STOP_CONTEXT)
        err_set(e, PBAY_E_CONTEXT,
                "%s: the answer was cut at the model's output limit; ask for "
                "smaller pieces with \"chunk_tokens\"",
                who);
    else if (!text_visible(buf_str(&s->text)).n)
        err_set(e, PBAY_E_PROTOCOL, "%s answered with nothing", who);
    return e->kind ? -1 : 0;
}

static void cancel(struct chats *c)
{
    for (unsigned k = 0; k < c->seats_n; k++) {
        struct call *call = c->seats[k].call;
        c->seats[k].call = NULL;
        if (call)
            call_cancel(call);
    }
}

static int begin(struct chats *c, struct seat *s, size_t i, struct err *e);

/* Fill the seats.  0, or -1 and *e. */
static int fill(struct chats *c, struct err *e)
{
    for (unsigned k = 0; k < c->seats_n && c->next < c->n; k++) {
        if (c->seats[k].call)
            continue;
        if (begin(c, &c->seats[k], c->next++, e) < 0)
            return -1;
    }
    return 0;
}

static void on_end(void *arg, const struct err *e, const struct call_report *r)
{
    struct seat *s = arg;
    struct chats *c = s->c;
    struct err own;

    enter(c);
    s->call = NULL;
    usage_add(&c->used, &r->usage);
    c->attempts += r->attempts;
    set_report(c, r);
    if (!e && (sound(s, r->provider, &own) < 0 ||
               c->ops->done(c->arg, s->i, buf_str(&s->text), &own) < 0))
        e = &own;
    if (c->gone)
        goto out;
    if (!e) {
        c->done++;
        if (fill(c, &own) < 0)
            e = &own;
    }
    if (e)
        cancel(c);
    if (e || c->done == c->n)
        c->ops->end(c->arg, e);
out:
    leave(c);
}

static const struct call_sink seat_sink = {on_begin, on_bytes, on_event,
                                           on_end};

static int64_t left(const struct chats *c)
{
    int64_t gone = clock_now(c->m->loop->clock) - c->started;

    return c->base.deadline_ms > gone ? c->base.deadline_ms - gone : 0;
}

static int begin(struct chats *c, struct seat *s, size_t i, struct err *e)
{
    struct call_request r = c->base;

    err_clear(e);
    s->i = i;
    s->stop = 0;
    s->lost = s->refused = false;
    buf_reset(&s->body, LIM_MIB(1));
    buf_reset(&s->text, LIM_MIB(1));
    if (c->ops->body(c->arg, i, &s->body) < 0 ||
        pbay_json_members(buf_str(&s->body), s->members, MEMBERS, &r.n_members,
                          NULL) < 0) {
        err_set(e, ERR_INTERNAL, "there is no memory for the request");
        return -1;
    }
    if (r.deadline_ms && !(r.deadline_ms = left(c))) {
        err_set(e, ERR_DEADLINE, "the deadline of the request is over");
        return -1;
    }
    r.body = buf_str(&s->body);
    r.members = s->members;
    s->call = call_start(c->m, &r, &seat_sink, s, e);
    if (s->call && c->paused)
        call_pause(s->call, true);
    return s->call ? 0 : -1;
}

/* What the caller lends us is his. */
static bool keep_base(struct chats *c, const struct call_request *base)
{
    struct call_request *r = &c->base;
    pbay_kv *headers =
        arena_alloc(&c->arena, base->n_headers * sizeof(*headers));

    *r = *base;
    r->op = PBAY_OP_CHAT;
    r->no_pass = true;
    r->want = PBAY_WANT(PBAY_EV_TEXT) | PBAY_WANT(PBAY_EV_REFUSAL);
    r->dialect = STR("canonical/1");
    r->translate = NULL;
    r->fallbacks = NULL;
    r->n_fallbacks = 0;
    r->id = arena_dup(&c->arena, base->id);
    r->model = arena_dup(&c->arena, base->model);
    r->key_name = arena_dup(&c->arena, base->key_name);
    r->route = arena_dup(&c->arena, base->route);
    for (size_t i = 0; headers && i < base->n_headers; i++)
        headers[i] = (pbay_kv){arena_dup(&c->arena, base->headers[i].k),
                               arena_dup(&c->arena, base->headers[i].v)};
    r->headers = headers;
    return headers != NULL;
}

struct chats *chats_start(struct manager *m, const struct call_request *base,
                          size_t n, unsigned parallel,
                          const struct chats_ops *ops, void *arg, struct err *e)
{
    struct chats *c = calloc(1, sizeof(*c));

    err_clear(e);
    if (!c) {
        err_set(e, ERR_INTERNAL, "out of memory");
        return NULL;
    }
    c->m = m;
    c->ops = ops;
    c->arg = arg;
    c->n = n;
    c->seats_n = parallel < CHATS_PARALLEL ? parallel : CHATS_PARALLEL;
    c->started = clock_now(m->loop->clock);
    arena_init(&c->arena, LIM_MIB(4));
    for (unsigned k = 0; k < c->seats_n; k++) {
        c->seats[k].c = c;
        buf_init(&c->seats[k].body, LIM_HTTP_BODY * 2);
        buf_init(&c->seats[k].text, LIM_REPLY);
    }
    if (!keep_base(c, base)) {
        err_set(e, ERR_INTERNAL, "out of memory");
    } else if (fill(c, e) == 0) {
        return c;
    }
    chats_free(c);
    return NULL;
}

void chats_free(struct chats *c)
{
    if (!c)
        return;
    c->gone = true;
    cancel(c);
    if (!c->depth)
        destroy(c);
}

void chats_pause(struct chats *c, bool on)
{
    c->paused = on;
    for (unsigned k = 0; k < c->seats_n; k++)
        if (c->seats[k].call)
            call_pause(c->seats[k].call, on);
}

const struct call_report *chats_report(const struct chats *c)
{
    return c->reported ? &c->report : NULL;
}

size_t chats_done(const struct chats *c)
{
    return c->done;
}
