/* SPDX-License-Identifier: MIT */
/* A reader of a tape: told what is on it, on his own loop, at his own pace. */
#include "manager/cache_int.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/str.h"

static void on_job(struct loop_job *job);

struct cache_reader *reader_new(struct loop *loop,
                                const struct call_request *rq,
                                const struct call_sink *sink, void *arg,
                                struct cache_hold *hold)
{
    struct cache_reader *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    r->loop = loop;
    r->sink = sink;
    r->arg = arg;
    r->hold = hold;
    r->job.run = on_job;
    r->started = clock_now(loop->clock);
    r->deadline_ms = rq->deadline_ms;
    snprintf(r->id, sizeof(r->id), "%.*s", STR_ARG(rq->id));
    return r;
}

void reader_attach(struct tape *t, struct cache_reader *r)
{
    r->tape = t;
    r->next = t->readers;
    r->prev = &t->readers;
    if (r->next)
        r->next->prev = &r->next;
    t->readers = r;
    t->refs++;
}

void reader_detach(struct cache_reader *r)
{
    struct tape *t = r->tape;

    *r->prev = r->next;
    if (r->next)
        r->next->prev = r->prev;
    r->tape = NULL;
    if (!t->readers || t->overflow)
        tape_post_balance(t);
    tape_unref(t);
}

/* Nothing of it is on the stack; a job that is under way comes first. */
static void release(struct cache_reader *r)
{
    struct cache *c = r->tape ? r->tape->cache : NULL;
    bool posted;

    timer_stop(&r->timer);
    timer_stop(&r->deadline);
    if (c) {
        pthread_mutex_lock(&c->lock);
        reader_detach(r);
        posted = r->posted;
        pthread_mutex_unlock(&c->lock);
    } else {
        posted = r->posted;
    }
    if (!posted)
        free(r);
}

/* The next item, taken; NULL: there is none yet. */
static struct tape_item *take(struct cache_reader *r)
{
    struct tape *t = r->tape;
    struct tape_item *it;

    pthread_mutex_lock(&t->cache->lock);
    it = r->at ? r->at->next : t->first;
    if (it)
        r->at = it;
    if (it && t->overflow)
        tape_post_balance(t);
    pthread_mutex_unlock(&t->cache->lock);
    return it;
}

static void read_on(struct cache_reader *r)
{
    struct tape_item *it;

    r->telling = true;
    while (!r->gone && !r->paused && (it = take(r)) != NULL) {
        if (it->kind == TAPE_END) {
            r->hold->reader = NULL;
            r->gone = true;
        }
        tape_tell(it, r->sink, r->arg, str_c(r->id),
                  clock_now(r->loop->clock) - r->started);
    }
    r->telling = false;
    if (r->gone)
        release(r);
}

static void on_timer(void *arg)
{
    read_on(arg);
}

static void on_job(struct loop_job *job)
{
    struct cache_reader *r =
        (struct cache_reader *)((char *)job -
                                offsetof(struct cache_reader, job));
    struct tape *t = r->tape;

    if (!t) { /* left meanwhile; nobody posts any more */
        free(r);
        return;
    }
    pthread_mutex_lock(&t->cache->lock);
    r->posted = false;
    pthread_mutex_unlock(&t->cache->lock);
    read_on(r);
}

void reader_wake_here(struct cache_reader *r)
{
    if (!timer_running(&r->timer))
        timer_set(&r->timer, r->loop->clock, 0, on_timer, r);
}

/* The others may have more time. */
static void on_deadline(void *arg)
{
    struct cache_reader *r = arg;
    struct call_report report = {.id = str_c(r->id),
                                 .provider = "",
                                 .first_ms = -1,
                                 .total_ms = r->deadline_ms};
    struct err e;

    err_clear(&e);
    err_set(&e, ERR_DEADLINE,
            "the request took longer than its total time-out");
    log_line(LOG_WARN, "cache", err_text(&e), log_cstr("id", r->id), LOG_END);
    r->hold->reader = NULL;
    r->gone = r->telling = true;
    r->sink->end(r->arg, &e, &report);
    release(r);
}

void reader_start(struct cache_reader *r)
{
    reader_wake_here(r);
    if (r->deadline_ms > 0)
        timer_set(&r->deadline, r->loop->clock, r->deadline_ms, on_deadline, r);
}

void reader_wake(struct cache_reader *r, const struct loop *from)
{
    if (r->loop == from) {
        reader_wake_here(r);
    } else if (!r->posted) {
        r->posted = true;
        loop_post(r->loop, &r->job);
    }
}

void cache_leave(struct cache_hold *hold)
{
    struct cache_reader *r = hold->reader;

    if (!r)
        return;
    hold->reader = NULL;
    r->gone = true;
    if (!r->telling)
        release(r);
}

void cache_pause(struct cache_hold *hold, bool on)
{
    struct cache_reader *r = hold->reader;

    if (!r || r->paused == on)
        return;
    r->paused = on;
    if (!on && !r->telling)
        reader_wake_here(r);
}
