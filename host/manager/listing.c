/* SPDX-License-Identifier: MIT */
/* LIST calls to all providers at once, and their items into the model index.
 * However many ask, a provider is asked once at a time by each loop. */
#include "manager/listing.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include <patchbay/json.h>

struct waiter {
    struct waiter *next;
    struct listing_job *job;
};

/* One LIST call, and who waits for it. */
struct list_call {
    struct list_call *next, **prev; /* manager->lists */
    struct manager *m;
    const struct instance *inst;
    struct waiter *waiters;
    char *provider;
    struct arena arena; /* ids and items until the end */
    pbay_kv *v;
    size_t n, room;
};

struct listing_job {
    struct manager *m;
    void (*done)(void *arg);
    void *arg;
    size_t waiting;
    struct timer patience;
};

static void job_done(struct listing_job *j)
{
    if (--j->waiting)
        return;
    timer_stop(&j->patience);
    j->done(j->arg);
    free(j);
}

/* The job waits for this list no more; did it? */
static bool leave(struct list_call *o, const struct listing_job *j)
{
    bool left = false;

    for (struct waiter **at = &o->waiters; *at;) {
        struct waiter *w = *at;
        if (w->job != j) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        free(w);
        left = true;
    }
    return left;
}

/* It goes without the lists that are missing; they may yet come. */
static void on_slow(void *arg)
{
    struct listing_job *j = arg;
    struct manager *m = j->m;

    for (struct list_call *o = m->lists; o; o = o->next)
        if (leave(o, j))
            model_index_failed(m->models, o->provider,
                               "it has not yet said which models it has",
                               clock_now(m->loop->clock));
    j->done(j->arg);
    free(j);
}

static void one_begin(void *arg, const struct call_head *h,
                      const struct call_report *r)
{
    (void)arg;
    (void)h;
    (void)r;
}

static void one_bytes(void *arg, pbay_str raw)
{
    (void)arg;
    (void)raw;
}

static bool grow(struct list_call *o)
{
    size_t room = o->room ? o->room * 2 : 64;
    pbay_kv *v = realloc(o->v, room * sizeof(*v));

    if (!v)
        return false;
    o->v = v;
    o->room = room;
    return true;
}

static void one_event(void *arg, const pbay_event *ev)
{
    struct list_call *o = arg;
    pbay_str id, json;
    char *text;
    int64_t n;

    if (ev->type != PBAY_EV_ITEM || !str_is(ev->name, "model"))
        return;
    if (pbay_json_check(ev->json, NULL) < 0)
        return;
    id = pbay_json_get(ev->json, "id");
    text = arena_bytes(&o->arena, id.n);
    n = text ? pbay_json_unescape(id, text, id.n) : -1;
    json = arena_dup(&o->arena, ev->json);
    if (n <= 0 || !json.p || (o->n == o->room && !grow(o)))
        return;
    o->v[o->n++] = (pbay_kv){str_n(text, (size_t)n), json};
}

static void one_free(struct list_call *o)
{
    if (o->prev) {
        *o->prev = o->next;
        if (o->next)
            o->next->prev = o->prev;
    }
    arena_done(&o->arena);
    free(o->provider);
    free(o->v);
    free(o);
}

static void one_end(void *arg, const struct err *e, const struct call_report *r)
{
    struct list_call *o = arg;
    int64_t now = clock_now(o->m->loop->clock);

    (void)r;
    if (e)
        model_index_failed(o->m->models, o->provider, err_text(e), now);
    else
        model_index_set(o->m->models, o->provider, o->v, o->n, now);
    while (o->waiters) {
        struct waiter *w = o->waiters;
        struct listing_job *j = w->job;
        o->waiters = w->next;
        free(w);
        job_done(j);
    }
    one_free(o);
}

static const struct call_sink one_sink = {one_begin, one_bytes, one_event,
                                          one_end};

static struct list_call *one_new(struct manager *m, struct instance *in)
{
    static const char body[] = "{}";
    struct list_call *o = calloc(1, sizeof(*o));
    struct err e;

    if (!o)
        return NULL;
    o->m = m;
    o->inst = in;
    o->provider = strdup(in->name);
    arena_init(&o->arena, LIM_MIB(32));
    struct call_request r = {
        .op = PBAY_OP_LIST,
        .no_pass = true,
        .want = PBAY_WANT(PBAY_EV_ITEM),
        .id = STR("list"),
        .dialect = STR("canonical/1"),
        .body = {body, sizeof(body) - 1},
        .deadline_ms = LISTING_CALL_MS,
        .instance = in->name,
    };
    if (!o->provider || !call_start(m, &r, &one_sink, o, &e)) {
        one_free(o);
        return NULL;
    }
    o->next = m->lists;
    o->prev = &m->lists;
    if (o->next)
        o->next->prev = &o->next;
    m->lists = o;
    return o;
}

static void ask(struct listing_job *j, struct instance *in)
{
    struct waiter *w = calloc(1, sizeof(*w));
    struct list_call *o = j->m->lists;

    while (o && o->inst != in)
        o = o->next;
    if (w && !o)
        o = one_new(j->m, in);
    if (!w || !o) {
        free(w);
        return;
    }
    w->job = j;
    w->next = o->waiters;
    o->waiters = w;
    j->waiting++;
}

static bool due(struct manager *m, const struct instance *in,
                int64_t max_age_ms)
{
    int64_t now = clock_now(m->loop->clock);
    int64_t age = model_index_age(m->models, in->name, now);

    if (!(in->ops & PBAY_OP_BIT(PBAY_OP_LIST)))
        return false;
    if (age >= 0 && age <= max_age_ms)
        return false;
    return !model_index_failing(m->models, in->name, now, LISTING_RETRY_MS);
}

struct listing_job *listing_start(struct manager *m, const char *provider,
                                  int64_t max_age_ms, void (*done)(void *arg),
                                  void *arg)
{
    struct listing_job *j = calloc(1, sizeof(*j));

    if (!j || !m->current) {
        free(j);
        done(arg);
        return NULL;
    }
    *j = (struct listing_job){.m = m, .done = done, .arg = arg, .waiting = 1};
    for (size_t i = 0; i < m->current->n; i++) {
        struct instance *in = m->current->instances[i];
        if (provider && strcmp(provider, in->name) != 0)
            continue;
        if (due(m, in, max_age_ms))
            ask(j, in);
    }
    if (j->waiting == 1) {
        job_done(j);
        return NULL;
    }
    j->waiting--;
    timer_set(&j->patience, m->loop->clock, LISTING_WAIT_MS, on_slow, j);
    return j;
}

void listing_forget(struct listing_job *j)
{
    if (!j)
        return;
    timer_stop(&j->patience);
    for (struct list_call *o = j->m->lists; o; o = o->next)
        leave(o, j);
    free(j);
}
