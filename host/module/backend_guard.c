/* SPDX-License-Identifier: MIT */
/* The guard: stands between the host and one process of a plugin's.  One
 * thread, no memory of its own, nothing but system calls.
 *
 * Descriptor 3 is a socket to the host: "T" ends the process in peace (SIGTERM,
 * then SIGKILL), its end, which also comes when the host is killed, at once. */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "module/backend_int.h"

#define CONTROL 3

static void say(int what, int value)
{
    struct guard_says s = {what, value};

    /* Nobody there: then we are about to end anyway. */
    while (send(CONTROL, &s, sizeof(s), MSG_NOSIGNAL) < 0 && errno == EINTR)
        ;
}

/* The spawning side closes them where its libc can; this is for where not. */
static void close_others(void)
{
    DIR *d = opendir("/proc/self/fd");
    struct dirent *e;

    while (d && (e = readdir(d))) {
        int fd = atoi(e->d_name);
        if (fd > CONTROL && fd != dirfd(d))
            close(fd);
    }
    if (d)
        closedir(d);
}

/* Where memory runs out the kernel takes it, before the host. */
static void first_to_go(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    if (write(fd, "500", 3) < 0) { /* it may be higher already: fine */
    }
    close(fd);
}

/* [child] */
static _Noreturn void become(char **argv, pid_t guard, int report)
{
    struct rlimit none = {0, 0};
    sigset_t empty;
    int rc;

    /* The guard has one thread, so this comes when it ends, and only then; if
     * it has ended before we asked for it, we have another parent by now. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != guard)
        _exit(127);
    setpgid(0, 0);
    close(CONTROL);
    sigemptyset(&empty);
    sigprocmask(SIG_SETMASK, &empty, NULL);
    setrlimit(RLIMIT_CORE, &none);
    umask(077);
    first_to_go();
    if (chdir("/") == 0)
        execvp(argv[0], argv);
    rc = errno;
    while (write(report, &rc, sizeof(rc)) < 0 && errno == EINTR)
        ;
    _exit(127);
}

/* The process, or -1 after having said why. */
static pid_t start(char **argv)
{
    pid_t guard = getpid(), pid;
    int report[2], why = 0;
    ssize_t n;

    if (pipe2(report, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
        say(GUARD_NO_EXEC, errno);
        return -1;
    }
    if (pid == 0)
        become(argv, guard, report[1]);
    setpgid(pid, pid); /* whoever is first */
    close(report[1]);
    while ((n = read(report[0], &why, sizeof(why))) < 0 && errno == EINTR)
        ;
    close(report[0]);
    say(GUARD_RUNS, pid);
    if (n == (ssize_t)sizeof(why))
        say(GUARD_NO_EXEC, why);
    return pid;
}

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* It has ended: tell how, and take with it what it has started.  It is only
 * looked at until then, so that its number cannot be somebody else's. */
static bool ended(pid_t pid)
{
    siginfo_t info = {0};
    int status = 0;

    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
        info.si_pid != pid)
        return false;
    kill(-pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    say(GUARD_ENDED, status);
    return true;
}

/* Told to end it? 'T', 'K' (the host has hung up), or 0. */
static char told(struct pollfd *p)
{
    struct signalfd_siginfo s;
    char order = 0;
    ssize_t n;

    if (p[1].revents && read(p[1].fd, &s, sizeof(s)) == (ssize_t)sizeof(s) &&
        s.ssi_signo != SIGCHLD)
        order = 'T'; /* somebody asks the guard to end */
    if (!p[0].revents)
        return order;
    n = recv(CONTROL, &order, 1, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        order = 'K';
    return order;
}

static void watch(pid_t pid, int signals, int64_t stop_ms)
{
    struct pollfd p[2] = {{.fd = CONTROL, .events = POLLIN},
                          {.fd = signals, .events = POLLIN}};
    int64_t kill_at = -1;

    while (!ended(pid)) {
        int64_t left = kill_at < 0 ? -1 : kill_at - now_ms();
        int timeout = left < 0 && kill_at < 0 ? -1
                      : left < 0              ? 0
                      : left > 60000          ? 60000
                                              : (int)left;
        char order = 0;
        if (poll(p, 2, timeout) > 0)
            order = told(p);
        if (order == 'K') {
            kill(-pid, SIGKILL);
            p[0].fd = -1; /* nothing more will come of it */
        } else if (order == 'T' && kill_at < 0) {
            kill(-pid, SIGTERM);
            kill_at = now_ms() + stop_ms;
        }
        if (kill_at >= 0 && now_ms() >= kill_at) {
            kill(-pid, SIGKILL);
            kill_at = now_ms() + 1000;
        }
    }
}

_Noreturn void backend_guard_main(const char *stop_ms, char **argv)
{
    sigset_t set;
    int signals;
    pid_t pid;

    prctl(PR_SET_NAME, "patchbay-guard");
    close_others();
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0) {
        say(GUARD_NO_EXEC, errno);
        _exit(1);
    }
    pid = start(argv);
    if (pid > 0)
        watch(pid, signals, strtoll(stop_ms, NULL, 10));
    _exit(0);
}
