/* SPDX-License-Identifier: MIT */
/* A host inside the command's own process. */
#include "config.h"

#include "cli/own.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "admin/host.h"
#include "base/limits.h"
#include "cli/exit.h"
#include "cli/signals.h"

enum stage {
    STARTING,
    RUNNING,
    ENDED
};

struct own_host {
    pthread_t thread;
    struct host_options options;
    int guard; /* a second descriptor of the host's end */
    pthread_mutex_t lock;
    pthread_cond_t moved;
    /* Under the lock. */
    enum stage stage;
    bool failed; /* host_new() did; why: */
    char *err;
    int err_number;
};

static bool left_behind;

bool own_left_behind(void)
{
    return left_behind;
}

static void move_on(struct own_host *o, enum stage stage)
{
    pthread_mutex_lock(&o->lock);
    o->stage = stage;
    pthread_cond_signal(&o->moved);
    pthread_mutex_unlock(&o->lock);
}

static void *host_thread(void *arg)
{
    struct own_host *o = arg;
    char *err = NULL;
    struct host *h;

    errno = 0;
    h = host_new(&o->options, &err);
    if (h) {
        move_on(o, RUNNING);
        host_run(h);
        host_free(h);
    } else {
        int number = errno;
        pthread_mutex_lock(&o->lock);
        o->failed = true;
        o->err_number = number;
        o->err = err;
        pthread_mutex_unlock(&o->lock);
    }
    /* The command sees an end even if the host's descriptor stays open. */
    shutdown(o->guard, SHUT_RDWR);
    move_on(o, ENDED);
    return NULL;
}

/* Wait while the stage is `stage`, at most ms; true if it has moved on. */
static bool wait_stage(struct own_host *o, enum stage stage, int64_t ms,
                       bool mind_signals)
{
    struct timespec until;
    bool moved;

    enum {
        SLICE_MS = 50
    }; /* how soon a signal is noticed */
    pthread_mutex_lock(&o->lock);
    while (o->stage <= stage && ms > 0 && !(mind_signals && signals_got())) {
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += SLICE_MS * 1000000L;
        if (until.tv_nsec >= 1000000000L) {
            until.tv_nsec -= 1000000000L;
            until.tv_sec++;
        }
        if (pthread_cond_timedwait(&o->moved, &o->lock, &until) == ETIMEDOUT)
            ms -= SLICE_MS;
    }
    moved = o->stage > stage;
    pthread_mutex_unlock(&o->lock);
    return moved;
}

static void own_free(struct own_host *o)
{
    pthread_cond_destroy(&o->moved);
    pthread_mutex_destroy(&o->lock);
    close(o->guard);
    free(o->err);
    free(o);
}

static struct own_host *own_new(int fd)
{
    struct own_host *o = calloc(1, sizeof(*o));
    pthread_condattr_t attr;

    if (!o)
        return NULL;
    o->guard = dup(fd);
    if (o->guard < 0) {
        free(o);
        return NULL;
    }
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&o->lock, NULL);
    pthread_cond_init(&o->moved, &attr);
    pthread_condattr_destroy(&attr);
    return o;
}

/* Signals are for the main thread: the host's threads inherit a full mask. */
static int start_thread(struct own_host *o)
{
    sigset_t all, before;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&o->thread, NULL, host_thread, o);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

/* It is running, or *e says why it isn't. */
static bool started(struct own_host *o, struct client_error *e)
{
    bool failed;

    if (!wait_stage(o, STARTING, INT64_MAX, true)) {
        client_error_set(e, EXIT_SIGNAL + signals_got(), "%s", "");
        left_behind = true;
        return false;
    }
    pthread_mutex_lock(&o->lock);
    failed = o->failed;
    if (failed)
        client_error_set(
            e, o->err_number == EINVAL ? EXIT_CONFIG : EXIT_FAILED, "%s",
            o->err ? o->err : "the host could not be started (see above)");
    pthread_mutex_unlock(&o->lock);
    return !failed;
}

struct own_host *own_start(const char *config, const char *self, int log_level,
                           int *fd, struct client_error *e)
{
    struct own_host *o = NULL;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
        client_error_set(e, EXIT_FAILED, "socketpair: %s", strerror(errno));
        return NULL;
    }
    o = own_new(pair[1]);
    if (o) {
        o->options = (struct host_options){.cfg.file = config,
                                           .serve = false,
                                           .control_fd = pair[1],
                                           .self = self,
                                           .log_level = log_level};
    }
    if (!o || start_thread(o)) {
        client_error_set(e, EXIT_FAILED,
                         "no memory or no thread for a host of our own");
        close(pair[0]);
        close(pair[1]);
        if (o)
            own_free(o);
        return NULL;
    }
    *fd = pair[0];
    if (started(o, e))
        return o;
    close(pair[0]);
    own_stop(o);
    return NULL;
}

void own_stop(struct own_host *o)
{
    if (!o || left_behind)
        return;
    if (!wait_stage(o, RUNNING, LIM_CLI_END_MS, false)) {
        left_behind = true;
        return;
    }
    pthread_join(o->thread, NULL);
    own_free(o);
}
