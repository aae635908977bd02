/* SPDX-License-Identifier: MIT */
/* The event loop, its mailbox and its thread.
 *
 * libevent's own locking (evthread) is neither needed nor switched on: other
 * threads touch the mailbox alone, and an eventfd wakes the loop.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/loop.h"
#include "base/thread.h"

struct loop_mailbox {
    pthread_mutex_t lock; /* for first and last */
    struct loop_job *first, *last;
    int wake; /* eventfd */
    struct event *event;
    atomic_bool stop;
    bool started; /* a thread of ours runs the loop */
    pthread_t thread;
    int result; /* of that thread's loop_run() */
};

static void wake(struct loop_mailbox *m)
{
    uint64_t one = 1;
    ssize_t n;

    /* It can only fail because the counter is full, and then the loop is
     * awake. */
    do {
        n = write(m->wake, &one, sizeof(one));
    } while (n < 0 && errno == EINTR);
}

static struct loop_job *take_all(struct loop_mailbox *m)
{
    struct loop_job *job;

    pthread_mutex_lock(&m->lock);
    job = m->first;
    m->first = m->last = NULL;
    pthread_mutex_unlock(&m->lock);
    return job;
}

/* Run what is there now; what these jobs post has its turn later. */
static bool run_jobs(struct loop_mailbox *m)
{
    struct loop_job *job = take_all(m), *next;
    bool any = job != NULL;

    for (; job; job = next) {
        next = job->next; /* run() may free the job */
        job->next = NULL;
        job->run(job);
    }
    return any;
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    uint64_t count;
    ssize_t n;

    (void)what;
    do {
        n = read(fd, &count, sizeof(count));
    } while (n < 0 && errno == EINTR);
    run_jobs(arg);
}

static struct event_base *base_new(void)
{
    struct event_config *cfg = event_config_new();
    struct event_base *base = NULL;

    if (cfg && event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK) == 0 &&
        event_config_set_flag(cfg, EVENT_BASE_FLAG_IGNORE_ENV) == 0)
        base = event_base_new_with_config(cfg);
    if (cfg)
        event_config_free(cfg);
    return base;
}

static void mailbox_free(struct loop_mailbox *m)
{
    if (m->event)
        event_free(m->event);
    if (m->wake >= 0)
        close(m->wake);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

/* NULL and errno. */
static struct loop_mailbox *mailbox_new(struct event_base *base)
{
    struct loop_mailbox *m = calloc(1, sizeof(*m));
    int saved;

    if (!m)
        return NULL;
    pthread_mutex_init(&m->lock, NULL);
    atomic_init(&m->stop, false);
    m->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (m->wake < 0)
        goto fail;
    m->event = event_new(base, m->wake, EV_READ | EV_PERSIST, on_wake, m);
    if (!m->event || event_add(m->event, NULL) < 0) {
        errno = ENOMEM;
        goto fail;
    }
    return m;
fail:
    saved = errno;
    mailbox_free(m);
    errno = saved;
    return NULL;
}

struct loop *loop_new(int id)
{
    struct loop *l = calloc(1, sizeof(*l));
    int saved;

    if (!l)
        return NULL;
    l->id = id;
    errno = 0;
    l->base = base_new();
    if (!l->base)
        goto fail;
    l->clock = clock_new(l->base);
    if (!l->clock)
        goto fail;
    l->mailbox = mailbox_new(l->base);
    if (!l->mailbox)
        goto fail;
    return l;
fail:
    saved = errno ? errno : ENOMEM;
    clock_free(l->clock);
    if (l->base)
        event_base_free(l->base);
    free(l);
    errno = saved;
    return NULL;
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    while (run_jobs(l->mailbox))
        ;
    mailbox_free(l->mailbox);
    clock_free(l->clock);
    event_base_free(l->base);
    free(l);
}

int loop_run(struct loop *l)
{
    int rc = 0;

    while (!atomic_load(&l->mailbox->stop)) {
        clock_turn(l->clock);
        errno = 0;
        if (event_base_loop(l->base, EVLOOP_ONCE) < 0) {
            rc = errno ? -errno : -EIO;
            break;
        }
    }
    atomic_store(&l->mailbox->stop, false);
    return rc;
}

void loop_stop(struct loop *l)
{
    struct loop_mailbox *m = l->mailbox;

    /* Inside the lock for the reason given in loop_post(). */
    pthread_mutex_lock(&m->lock);
    atomic_store(&m->stop, true);
    wake(m);
    pthread_mutex_unlock(&m->lock);
}

void loop_post(struct loop *l, struct loop_job *job)
{
    struct loop_mailbox *m = l->mailbox;

    job->next = NULL;
    /* Waking inside the lock: once the loop has the job, and perhaps ends
     * because of it, this thread touches the mailbox no more. */
    pthread_mutex_lock(&m->lock);
    if (m->last) {
        m->last->next = job;
    } else {
        m->first = job;
        wake(m);
    }
    m->last = job;
    pthread_mutex_unlock(&m->lock);
}

static void *thread_main(void *arg)
{
    struct loop *l = arg;

    l->mailbox->result = loop_run(l);
    return NULL;
}

int loop_thread_start(struct loop *l, const char *name)
{
    struct loop_mailbox *m = l->mailbox;
    int rc;

    if (m->started)
        return -EBUSY;
    rc = thread_start(&m->thread, name, thread_main, l);
    m->started = rc == 0;
    return rc;
}

int loop_thread_join(struct loop *l)
{
    struct loop_mailbox *m = l->mailbox;

    if (!m->started)
        return 0;
    pthread_join(m->thread, NULL);
    m->started = false;
    return m->result;
}
