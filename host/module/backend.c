/* SPDX-License-Identifier: MIT */
/* The supervisor as others see it: one lock, one thread; see backend.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "module/backend_run.h"

static int64_t now_ms(void)
{
    return clock_us() / 1000;
}

struct backends *backends_new(void)
{
    struct backends *b = calloc(1, sizeof(*b));

    if (!b)
        return NULL;
    pthread_mutex_init(&b->lock, NULL);
    be_core_init(&b->core);
    b->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (b->wake_fd >= 0)
        return b;
    backends_free(b);
    return NULL;
}

static void wake_thread(struct backends *b)
{
    uint64_t one = 1;

    while (write(b->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

void backends_configure(struct backends *b, const struct backend_caps *caps,
                        const char *const *providers, size_t n)
{
    pthread_mutex_lock(&b->lock);
    be_configure(&b->core, caps, providers, n);
    pthread_mutex_unlock(&b->lock);
    wake_thread(b);
}

void backends_forgive(struct backends *b, const char *provider)
{
    pthread_mutex_lock(&b->lock);
    be_forgive(&b->core, provider);
    pthread_mutex_unlock(&b->lock);
    wake_thread(b);
}

void backends_stop(struct backends *b)
{
    if (!b)
        return;
    pthread_mutex_lock(&b->lock);
    be_end_all(&b->core, now_ms());
    bool runs = b->running;
    pthread_mutex_unlock(&b->lock);
    wake_thread(b);
    if (runs)
        pthread_join(b->thread, NULL);
    b->running = false;
}

void backends_free(struct backends *b)
{
    if (!b)
        return;
    be_core_done(&b->core);
    if (b->wake_fd >= 0)
        close(b->wake_fd);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

static void use_free(struct backend_use *u)
{
    free(u->err);
    free(u);
}

/* [loop] */
static void on_job(struct loop_job *job)
{
    struct backend_use *u = (struct backend_use *)job;
    struct err e; /* a copy: the use may be given back inside wake() */
    bool dropped;

    pthread_mutex_lock(&u->all->lock);
    u->posted = false;
    dropped = u->dropped;
    pthread_mutex_unlock(&u->all->lock);
    if (dropped) {
        use_free(u);
    } else if (u->state == USE_HELD) {
        u->wake(u->arg, NULL);
    } else {
        err_clear(&e);
        err_set(&e, ERR_INTERNAL, "out of memory");
        if (u->err)
            e = *u->err;
        u->wake(u->arg, &e);
    }
}

static struct backend_use *mine(struct backends *b, struct backend_use *u)
{
    if (u) {
        u->all = b;
        u->job.run = on_job;
    }
    return u;
}

struct backend_use *backend_again(struct backends *b,
                                  const struct backend_ask *ask)
{
    pthread_mutex_lock(&b->lock);
    struct backend_use *u = mine(b, be_again(&b->core, ask, now_ms()));
    pthread_mutex_unlock(&b->lock);
    return u;
}

/* Without it nothing would ever be ready. */
static bool thread_runs(struct backends *b)
{
    if (!b->running && !b->core.ending)
        b->running = be_thread_start(b) == 0;
    return b->running;
}

struct backend_use *backend_enter(struct backends *b,
                                  const struct backend_ask *ask,
                                  const pbay_backend_spec *spec, bool *waits,
                                  struct err *e)
{
    struct backend_use *u = NULL;

    pthread_mutex_lock(&b->lock);
    if (b->core.ending || thread_runs(b)) {
        u = mine(b, be_enter(&b->core, ask, spec, now_ms(), waits, e));
    } else {
        err_clear(e);
        err_set(e, ERR_INTERNAL, "the supervisor's thread cannot be started");
    }
    /* From here on it may be told to go on: what *waits says counts, for wake()
     * comes on this loop, hence later. */
    pthread_mutex_unlock(&b->lock);
    if (!u || *waits)
        wake_thread(b);
    return u;
}

const struct backend_address *backend_where(const struct backend_use *u)
{
    return &u->place->at;
}

void backend_doubt(struct backend_use *u)
{
    pthread_mutex_lock(&u->all->lock);
    be_doubt(u, now_ms());
    pthread_mutex_unlock(&u->all->lock);
    wake_thread(u->all);
}

void backend_leave(struct backend_use *u)
{
    if (!u)
        return;
    struct backends *b = u->all;
    pthread_mutex_lock(&b->lock);
    bool awaited = b->core.waiting || u->of->retired;
    bool gone = be_leave(&b->core, u, now_ms());
    pthread_mutex_unlock(&b->lock);
    if (gone)
        use_free(u);
    if (awaited) /* somebody's room, or its end */
        wake_thread(b);
}

void backends_each(struct backends *b, const char *provider,
                   void (*fn)(void *arg, const struct backend_row *r),
                   void *arg)
{
    pthread_mutex_lock(&b->lock);
    be_each(&b->core, provider, now_ms(), fn, arg);
    pthread_mutex_unlock(&b->lock);
}
