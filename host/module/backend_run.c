/* SPDX-License-Identifier: MIT */
/* The supervisor's thread: starts guards, reads what their processes say, asks
 * whether they are ready, and lets the state machine know.  Whatever may take
 * its time is done without the lock. */
#include "module/backend_run.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"

/* Those of one turn: only this thread takes backends away, and only in
 * be_tick(), so the pointers stay good until the next one. */
struct turn {
    struct backend *v[LIM_BACKENDS];
    enum backend_state state[LIM_BACKENDS];
    bool at_once[LIM_BACKENDS];
    size_t n;
    int64_t stop_ms;
};

static int64_t now_ms(void)
{
    return clock_us() / 1000;
}

static void look_around(struct backends *b, struct turn *t)
{
    t->n = 0;
    t->stop_ms = b->core.caps.stop_ms;
    for (struct backend *o = b->core.all; o && t->n < LIM_BACKENDS;
         o = o->next) {
        t->v[t->n] = o;
        t->state[t->n] = o->state;
        t->at_once[t->n++] = o->at_once;
    }
}

static void gone(struct backends *b, struct backend *o,
                 const struct be_end *end)
{
    be_child_free(o->child); /* end points to memory of its caller's */
    o->child = NULL;
    pthread_mutex_lock(&b->lock);
    be_exited(&b->core, o, end, now_ms());
    pthread_mutex_unlock(&b->lock);
}

static void start(struct backends *b, struct backend *o, int64_t stop_ms)
{
    char why[256];
    struct be_end end = {why, "", false};

    o->child = be_child_start(o, stop_ms, why, sizeof(why));
    if (o->child)
        log_line(LOG_INFO, "backend", "starting a process",
                 log_cstr("provider", o->provider), log_cstr("name", o->name),
                 log_cstr("program", o->argv[0]),
                 log_int("port", be_child_port(o->child)), LOG_END);
    else
        gone(b, o, &end);
}

/* Do what the state machine wants. */
static void obey(struct backends *b, const struct turn *t, size_t i)
{
    struct backend *o = t->v[i];
    struct be_end never = {"it was not needed any more", "", false};

    if (t->state[i] == BE_STARTING && !o->child) {
        start(b, o, t->stop_ms);
    } else if (t->state[i] == BE_STOPPING) {
        if (o->child)
            be_child_stop(o->child, t->at_once[i]);
        else
            gone(b, o, &never);
    }
}

static void is_ready(struct backends *b, struct backend *o)
{
    struct be_place *place = be_child_place(o->child);
    int64_t took;

    pthread_mutex_lock(&b->lock);
    took = now_ms() - o->since;
    if (place)
        be_ready(&b->core, o, place, now_ms());
    pthread_mutex_unlock(&b->lock);
    log_line(LOG_INFO, "backend", "a process is ready",
             log_cstr("provider", o->provider), log_cstr("name", o->name),
             log_int("pid", be_child_pid(o->child)), log_int("took_ms", took),
             LOG_END);
}

/* What people want to see meanwhile. */
static void show(struct backends *b, struct backend *o)
{
    char line[sizeof(o->line)];

    be_child_line(o->child, line, sizeof(line));
    pthread_mutex_lock(&b->lock);
    o->pid = be_child_pid(o->child);
    o->port = be_child_port(o->child);
    if (o->state == BE_STARTING)
        memcpy(o->line, line, sizeof(line));
    else
        o->line[0] = '\0';
    pthread_mutex_unlock(&b->lock);
}

static void look_at(struct backends *b, struct backend *o,
                    enum backend_state state)
{
    char how[128], tail[LIM_BACKEND_TAIL + 1];
    struct be_end end = {how, tail, false};
    enum be_news news;

    how[0] = tail[0] = '\0';
    if (state == BE_STARTING)
        be_child_ask(o->child, now_ms()); /* doubted, if it was ready */
    news = be_child_look(o->child, now_ms(), &end);
    if (news == BE_IS_GONE) {
        struct be_end copy = end;
        snprintf(how, sizeof(how), "%s", end.how);
        snprintf(tail, sizeof(tail), "%s", end.tail);
        copy.how = how;
        copy.tail = tail;
        log_line(LOG_INFO, "backend", "a process has ended",
                 log_cstr("provider", o->provider), log_cstr("name", o->name),
                 log_cstr("how", how), LOG_END);
        gone(b, o, &copy);
        return;
    }
    if (news == BE_IS_READY)
        is_ready(b, o);
    show(b, o);
}

/* Until something happens, or `due`. */
static void wait_for(struct backends *b, const struct turn *t, int64_t due)
{
    struct pollfd fds[1 + BE_FDS * LIM_BACKENDS];
    int64_t now = now_ms();
    uint64_t count;
    size_t n = 1;

    fds[0] = (struct pollfd){.fd = b->wake_fd, .events = POLLIN};
    for (size_t i = 0; i < t->n; i++) {
        struct be_child *c = t->v[i]->child;
        if (!c)
            continue;
        int64_t at = be_child_due(c, now);
        n += be_child_fds(c, fds + n);
        due = at < due ? at : due;
    }
    int64_t left = due == INT64_MAX ? 60000 : due - now;
    poll(fds, n, left < 0 ? 0 : left > 60000 ? 60000 : (int)left);
    while (read(b->wake_fd, &count, sizeof(count)) < 0 && errno == EINTR)
        ;
}

static void *run(void *arg)
{
    struct backends *b = arg;
    struct turn t;

    for (;;) {
        pthread_mutex_lock(&b->lock);
        int64_t due = be_tick(&b->core, now_ms());
        bool over = b->core.ending && !be_any(&b->core);
        look_around(b, &t);
        pthread_mutex_unlock(&b->lock);
        if (over)
            return NULL;
        for (size_t i = 0; i < t.n; i++)
            obey(b, &t, i);
        for (size_t i = 0; i < t.n; i++)
            if (t.v[i]->child)
                look_at(b, t.v[i], t.state[i]);
        /* What has just changed is thought over at once. */
        pthread_mutex_lock(&b->lock);
        bool changed = false;
        for (size_t i = 0; i < t.n; i++)
            changed = changed || t.v[i]->state != t.state[i];
        pthread_mutex_unlock(&b->lock);
        if (!changed)
            wait_for(b, &t, due);
    }
}

int be_thread_start(struct backends *b)
{
    return thread_start(&b->thread, "pb-backend", run, b);
}
