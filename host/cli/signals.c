/* SPDX-License-Identifier: MIT */
/* Being interrupted: a flag that every wait looks at. */
#include "config.h"

#include "cli/signals.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "cli/exit.h"

static volatile sig_atomic_t got;

static void on_signal(int number)
{
    if (got)
        _exit(EXIT_SIGNAL + number);
    got = number;
}

void signals_no_pipe(void)
{
    struct sigaction sa = {.sa_handler = SIG_IGN};

    sigaction(SIGPIPE, &sa, NULL);
}

/* What the parent ignores stays ignored: nohup, and jobs in the background. */
static void take(int number)
{
    struct sigaction sa = {.sa_handler = on_signal}, old;

    if (sigaction(number, NULL, &old) || old.sa_handler == SIG_IGN)
        return;
    sigemptyset(&sa.sa_mask);
    sigaction(number, &sa, NULL);
}

void signals_install(void)
{
    take(SIGINT);
    take(SIGTERM);
    take(SIGHUP);
}

int signals_got(void)
{
    return got;
}

void signals_clear(void)
{
    got = 0;
}

int signals_wait_read(int fd, int timeout_ms)
{
    struct timespec ts = {.tv_sec = timeout_ms / 1000,
                          .tv_nsec = timeout_ms % 1000 * 1000000L};
    struct pollfd p = {.fd = fd, .events = POLLIN};
    sigset_t ours, before;
    int rc;

    /* Blocked from the look at the flag until ppoll() waits: a signal in
     * between would be slept through. */
    sigemptyset(&ours);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &ours, &before);
    if (got)
        rc = -EINTR;
    else
        rc = ppoll(&p, 1, timeout_ms < 0 ? NULL : &ts, &before) < 0
                 ? -errno
                 : p.revents != 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    /* SIGCONT, SIGWINCH: nothing of ours. */
    if (rc == -EINTR && !got)
        return signals_wait_read(fd, timeout_ms);
    return rc;
}
