/* SPDX-License-Identifier: MIT */
/* The worker threads, and the queue of each run between its worker and its
 * loop.
 *
 * Locks: the pool's guards its lists, gates and counts; a run's guards its
 * events and its state.  The pool's may be held while a run's is taken, never
 * the other way round.  No lock of a run is held while a plugin runs.
 *
 * A run is freed by its loop after the worker's last touch, which sets
 * `finished` under the run's lock. */
#include "module/native_pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/thread.h"
#include "module/native_event.h"
#include "module/times.h"

/* Events delivered in one turn of the loop; others get their turn then. */
#define EVENTS_PER_TURN 256

enum place {
    NOWHERE,
    WAITING,
    READY,
    RUNNING
};

struct native_run {
    struct loop_job post; /* first: the loop hands it back to us */
    struct native_pool *pool;
    struct native_job job;

    /* under the pool's lock */
    struct native_run *next, *prev;
    enum place place;

    /* under the lock */
    pthread_mutex_t lock;
    pthread_cond_t moved; /* bytes fell, cancelled, or wake() has returned */
    struct native_event *first, *last;
    size_t bytes;
    bool posted;   /* the loop has our job */
    bool inside;   /* run() has been entered and has not returned */
    bool waking;   /* somebody is inside wake() */
    bool finished; /* the worker will not touch the run any more */
    pbay_rc rc, fault;
    _Atomic bool cancelled;

    /* the loop's own */
    bool detached; /* cancelled: no more callbacks but released */
    bool paused, delivering;
};

struct list {
    struct native_run *first, *last;
    size_t n;
};

struct native_pool {
    pthread_mutex_t lock;
    pthread_cond_t work; /* something is ready, or stopping */
    struct list waiting; /* for a worker or their gate; at most max_waiting */
    struct list ready;   /* admitted: a worker and a place in the gate is
                          * theirs; ready and running at most max_threads */
    struct list running;
    size_t max_waiting;
    unsigned idle, n_threads, max_threads;
    bool stopping;
    pthread_t threads[];
};

static void list_add(struct list *l, struct native_run *r, enum place place)
{
    r->next = NULL;
    r->prev = l->last;
    if (l->last)
        l->last->next = r;
    else
        l->first = r;
    l->last = r;
    l->n++;
    r->place = place;
}

static void list_remove(struct list *l, struct native_run *r)
{
    if (r->prev)
        r->prev->next = r->next;
    else
        l->first = r->next;
    if (r->next)
        r->next->prev = r->prev;
    else
        l->last = r->prev;
    l->n--;
    r->place = NOWHERE;
}

/* --- a run's queue --- */

/* Under the run's lock. */
static void post(struct native_run *r)
{
    if (r->posted)
        return;
    r->posted = true;
    loop_post(r->job.loop, &r->post);
}

static void drop_events(struct native_run *r)
{
    while (r->first) {
        struct native_event *e = r->first;
        r->first = e->next;
        free(e);
    }
    r->last = NULL;
    r->bytes = 0;
}

/* Nobody else knows the run any more. */
static void run_free(struct native_run *r)
{
    drop_events(r);
    pthread_cond_destroy(&r->moved);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

/* [worker] The last touch. */
static void finish(struct native_run *r, pbay_rc rc)
{
    pthread_mutex_lock(&r->lock);
    r->rc = r->fault ? r->fault : rc;
    r->finished = true;
    post(r);
    pthread_mutex_unlock(&r->lock);
}

/* Deliver what is queued, under the run's lock, which is given up around each
 * callback. */
static void deliver(struct native_run *r)
{
    int budget = EVENTS_PER_TURN;
    r->delivering = true;
    while (r->first && !r->detached && !r->paused && budget-- > 0) {
        struct native_event *e = r->first;
        r->first = e->next;
        if (!r->first)
            r->last = NULL;
        r->bytes -= e->bytes;
        if (r->bytes <= LIM_NATIVE_EVENTS)
            pthread_cond_broadcast(&r->moved);
        pthread_mutex_unlock(&r->lock);
        r->job.ops->event(r->job.arg, &e->ev);
        free(e);
        pthread_mutex_lock(&r->lock);
    }
    r->delivering = false;
}

/* [loop] The job that was posted. */
static void on_post(struct loop_job *job)
{
    struct native_run *r = (struct native_run *)job;
    pthread_mutex_lock(&r->lock);
    r->posted = false;
    deliver(r);
    if (r->detached)
        drop_events(r);
    bool over = r->finished && !r->first && (r->detached || !r->paused);
    if (r->first && !r->paused)
        post(r);
    /* Posted while we delivered: that job will find it finished. */
    over = over && !r->posted;
    pthread_mutex_unlock(&r->lock);
    if (!over)
        return;
    struct native_job done = r->job;
    bool detached = r->detached;
    pbay_rc rc = r->rc;
    run_free(r);
    if (!detached)
        done.ops->end(done.arg, rc);
    else if (done.released)
        done.released(done.arg);
}

pbay_rc native_run_emit(struct native_run *r, const pbay_event *ev)
{
    struct native_event *e = NULL;
    pbay_rc rc =
        atomic_load(&r->cancelled) ? PBAY_STOPPED : native_event_copy(ev, &e);
    if (rc == PBAY_STOPPED)
        return rc;
    pthread_mutex_lock(&r->lock);
    if (rc != PBAY_OK) {
        r->fault = rc;
        atomic_store(&r->cancelled, true);
    }
    while (!atomic_load(&r->cancelled) && r->bytes > LIM_NATIVE_EVENTS)
        pthread_cond_wait(&r->moved, &r->lock);
    if (atomic_load(&r->cancelled)) {
        pthread_mutex_unlock(&r->lock);
        free(e);
        return PBAY_STOPPED;
    }
    e->next = NULL;
    if (r->last)
        r->last->next = e;
    else
        r->first = e;
    r->last = e;
    r->bytes += e->bytes;
    post(r);
    pthread_mutex_unlock(&r->lock);
    return PBAY_OK;
}

bool native_run_cancelled(const struct native_run *r)
{
    return atomic_load(&r->cancelled);
}

/* Make run() come back: whatever it waits for in the host ends, and wake() is
 * called without any lock of the run, since the plugin takes its own there. */
static void interrupt(struct native_run *r)
{
    pthread_mutex_lock(&r->lock);
    atomic_store(&r->cancelled, true);
    pthread_cond_broadcast(&r->moved);
    if (!r->inside || r->waking || !r->job.native->wake) {
        pthread_mutex_unlock(&r->lock);
        return;
    }
    r->waking = true;
    pthread_mutex_unlock(&r->lock);
    int64_t from = clock_us();
    r->job.native->wake(r->job.inst, r->job.call);
    int64_t took = clock_us() - from;
    if (r->job.times && module_times_add_shared(r->job.times, took, true))
        log_line(LOG_WARN, r->job.name ? r->job.name : "native",
                 "wake() held up an event loop", log_us("took", took), LOG_END);
    pthread_mutex_lock(&r->lock);
    r->waking = false;
    pthread_cond_broadcast(&r->moved);
    pthread_mutex_unlock(&r->lock);
}

/* --- admission, under the pool's lock --- */

static bool admissible(const struct native_pool *p, const struct native_gate *g)
{
    return p->ready.n + p->running.n < p->max_threads &&
           (!g || !g->max || g->running < g->max);
}

static void admit(struct native_pool *p, struct native_run *r)
{
    if (r->job.gate)
        r->job.gate->running++;
    list_add(&p->ready, r, READY);
    pthread_cond_signal(&p->work);
}

/* A place has become free: the first that may have it gets it. */
static void admit_next(struct native_pool *p)
{
    struct native_run *next;
    for (struct native_run *r = p->waiting.first; r && !p->stopping; r = next) {
        next = r->next;
        if (!admissible(p, r->job.gate))
            continue;
        list_remove(&p->waiting, r);
        admit(p, r);
    }
}

static void give_back(struct native_pool *p, struct native_run *r)
{
    if (r->job.gate)
        r->job.gate->running--;
    admit_next(p);
}

/* --- workers --- */

static pbay_rc call_plugin(struct native_run *r)
{
    pthread_mutex_lock(&r->lock);
    r->inside = !atomic_load(&r->cancelled);
    bool enter = r->inside;
    pthread_mutex_unlock(&r->lock);
    if (!enter)
        return PBAY_STOPPED;
    int64_t from = clock_us();
    pbay_rc rc = r->job.native->run(r->job.inst, r->job.call, r->job.req);
    if (r->job.times)
        module_times_add_shared(r->job.times, clock_us() - from, false);
    pthread_mutex_lock(&r->lock);
    r->inside = false;
    while (r->waking)
        pthread_cond_wait(&r->moved, &r->lock);
    pthread_mutex_unlock(&r->lock);
    return rc;
}

static void *worker(void *arg)
{
    struct native_pool *p = arg;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (!p->ready.first && !p->stopping) {
            p->idle++;
            pthread_cond_wait(&p->work, &p->lock);
            p->idle--;
        }
        struct native_run *r = p->ready.first;
        if (!r)
            break;
        list_remove(&p->ready, r);
        list_add(&p->running, r, RUNNING);
        pthread_mutex_unlock(&p->lock);
        pbay_rc rc = call_plugin(r);
        pthread_mutex_lock(&p->lock);
        list_remove(&p->running, r);
        give_back(p, r);
        pthread_mutex_unlock(&p->lock);
        finish(r, rc);
        pthread_mutex_lock(&p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

struct native_pool *native_pool_new(unsigned workers, size_t queue)
{
    if (!workers)
        workers = 1;
    struct native_pool *p =
        calloc(1, sizeof *p + workers * sizeof p->threads[0]);
    if (!p)
        return NULL;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    p->max_threads = workers;
    p->max_waiting = queue;
    return p;
}

void native_pool_free(struct native_pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    struct native_run *r;
    while ((r = p->waiting.first)) {
        list_remove(&p->waiting, r);
        atomic_store(&r->cancelled, true);
        finish(r, PBAY_STOPPED);
    }
    /* Those that are ready are taken by a worker and come straight back; those
     * in `running` cannot finish while we hold the lock. */
    for (r = p->ready.first; r; r = r->next)
        atomic_store(&r->cancelled, true);
    for (r = p->running.first; r; r = r->next)
        interrupt(r);
    pthread_cond_broadcast(&p->work);
    unsigned n = p->n_threads;
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < n; i++)
        pthread_join(p->threads[i], NULL);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* One more thread if one is missing.  Without any, nothing would ever run. */
static int start_thread(struct native_pool *p)
{
    if (p->idle >= p->ready.n || p->n_threads == p->max_threads)
        return 0;
    int rc = thread_start(&p->threads[p->n_threads], "pb-native", worker, p);
    if (rc == 0)
        p->n_threads++;
    return p->n_threads ? 0 : rc;
}

/* Under the pool's lock. */
static int enqueue(struct native_pool *p, struct native_run *r)
{
    if (p->stopping)
        return -ESHUTDOWN;
    if (!admissible(p, r->job.gate)) {
        if (p->waiting.n >= p->max_waiting)
            return -EAGAIN;
        list_add(&p->waiting, r, WAITING);
        return 0;
    }
    admit(p, r);
    int rc = start_thread(p);
    if (rc < 0) {
        list_remove(&p->ready, r);
        give_back(p, r);
    }
    return rc;
}

int native_run_start(struct native_pool *p, const struct native_job *job,
                     struct native_run **out)
{
    struct native_run *r = calloc(1, sizeof *r);
    *out = NULL;
    if (!r)
        return -ENOMEM;
    r->post.run = on_post;
    r->pool = p;
    r->job = *job;
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->moved, NULL);
    pthread_mutex_lock(&p->lock);
    /* Where the worker that emits will look for it: before it can start. */
    *out = r;
    int rc = enqueue(p, r);
    if (rc < 0)
        *out = NULL;
    pthread_mutex_unlock(&p->lock);
    if (rc < 0)
        run_free(r);
    return rc;
}

/* Take it off a list on which no worker has seen it yet. */
static bool withdraw(struct native_pool *p, struct native_run *r)
{
    pthread_mutex_lock(&p->lock);
    enum place place = r->place;
    if (place == WAITING)
        list_remove(&p->waiting, r);
    if (place == READY) {
        list_remove(&p->ready, r);
        give_back(p, r);
    }
    pthread_mutex_unlock(&p->lock);
    return place == WAITING || place == READY;
}

void native_run_cancel(struct native_run *r)
{
    r->detached = true;
    pthread_mutex_lock(&r->lock);
    bool finished = r->finished;
    atomic_store(&r->cancelled, true);
    if (finished && !r->delivering)
        post(r);
    pthread_mutex_unlock(&r->lock);
    /* From here on the pool may be gone if it had finished. */
    if (finished)
        return;
    if (withdraw(r->pool, r))
        finish(r, PBAY_STOPPED);
    else
        interrupt(r);
}

void native_run_pause(struct native_run *r, bool on)
{
    r->paused = on;
    if (on)
        return;
    pthread_mutex_lock(&r->lock);
    if (r->first || r->finished)
        post(r);
    pthread_mutex_unlock(&r->lock);
}
