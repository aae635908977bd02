/* SPDX-License-Identifier: MIT */
/* One process and its guard: made with a free port and a key of its own, a
 * clean environment and no descriptors of ours; listened to; taken down. */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/rand.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/str.h"
#include "module/backend_int.h"

/* The very file that runs here, also when another has taken its place: a guard
 * of another version would not be understood. */
#define SELF "/proc/self/exe"

struct be_child {
    char *provider;
    pid_t guard;
    int control; /* -1: it has hung up */
    int log;     /* -1: closed */
    int port;
    struct secret *key;
    bool uses_key;
    struct be_probe probe;
    bool ready, told, killed;
    int64_t stop_ms, patience; /* the guard has to be gone by then */
    int pid, no_exec, status;
    bool ended;
    /* The last of what it said, line by line. */
    char tail[LIM_BACKEND_TAIL + 1];
    size_t n_tail;
    char line[LIM_BACKEND_LINE + 1]; /* not yet at its end */
    size_t n_line;
    char how[128], program[128];
};

/* --- what it says -------------------------------------------------------- */

/* Whole lines go from the front to make room. */
static void keep(struct be_child *c, const char *line, size_t n)
{
    while (c->n_tail && c->n_tail + n + 3 > LIM_BACKEND_TAIL) {
        char *nl = strstr(c->tail, " | ");
        size_t cut = nl ? (size_t)(nl - c->tail) + 3 : c->n_tail;
        memmove(c->tail, c->tail + cut, c->n_tail - cut + 1);
        c->n_tail -= cut;
    }
    if (c->n_tail + n + 3 > LIM_BACKEND_TAIL)
        n = LIM_BACKEND_TAIL - 3 - c->n_tail;
    c->n_tail +=
        (size_t)snprintf(c->tail + c->n_tail, sizeof(c->tail) - c->n_tail,
                         "%s%.*s", c->n_tail ? " | " : "", (int)n, line);
}

static void end_line(struct be_child *c)
{
    char shown[LIM_BACKEND_LINE + 1];
    size_t n = c->n_line;

    while (n && c->line[n - 1] == ' ')
        n--;
    c->n_line = 0;
    if (!n)
        return;
    n = redact_copy(shown, sizeof(shown), str_n(c->line, n), NULL);
    keep(c, shown, n);
    log_line(LOG_DEBUG, c->provider, shown, log_int("pid", c->pid), LOG_END);
}

static void take_text(struct be_child *c, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char b = (unsigned char)p[i];
        if (b == '\n' || b == '\r')
            end_line(c);
        else if (c->n_line < LIM_BACKEND_LINE)
            c->line[c->n_line++] = b < ' ' || b == 127 ? ' ' : (char)b;
    }
}

/* At most so much in one turn: one that talks without end must not keep us. */
static void read_log(struct be_child *c)
{
    char piece[8192];

    for (int i = 0; i < 8 && c->log >= 0; i++) {
        ssize_t n = read(c->log, piece, sizeof(piece));
        if (n > 0) {
            take_text(c, piece, (size_t)n);
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            close(c->log);
            c->log = -1;
        } else if (errno == EAGAIN) {
            return;
        }
    }
}

void be_child_line(const struct be_child *c, char *to, size_t room)
{
    char line[LIM_BACKEND_LINE + 1];
    const char *last = c->tail;

    for (const char *p = last; (p = strstr(p, " | ")); p += 3)
        last = p + 3;
    snprintf(line, sizeof(line), "%.*s", (int)c->n_line, c->line);
    redact_copy(to, room, str_c(c->n_line ? line : last), NULL);
}

/* --- its port and its key ------------------------------------------------ */

/* A port of 127.0.0.1 that is free, 0: any; -1: it is not. */
static int free_port(int wanted)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)wanted)};
    socklen_t n = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), port = -1, on = 1;

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    /* What only waits for late packets is no hindrance to a server either. */
    if (fd >= 0 && wanted)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 &&
        getsockname(fd, (struct sockaddr *)&a, &n) == 0)
        port = ntohs(a.sin_port);
    if (fd >= 0)
        close(fd);
    return port;
}

static struct secret *new_key(void)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char bytes[24];
    char text[2 * sizeof(bytes)];

    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return NULL;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        text[2 * i] = hex[bytes[i] >> 4];
        text[2 * i + 1] = hex[bytes[i] & 15];
    }
    struct secret *s = secret_new(str_n(text, sizeof(text)));
    explicit_bzero(bytes, sizeof(bytes));
    explicit_bzero(text, sizeof(text));
    return s;
}

/* --- starting ------------------------------------------------------------ */

static int spawn(struct be_child *c, char **argv, char **env, int control,
                 int log)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, usual;

    sigemptyset(&none);
    sigfillset(&usual);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attr);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, log, 1);
    posix_spawn_file_actions_adddup2(&files, log, 2);
    posix_spawn_file_actions_adddup2(&files, control, 3);
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
    posix_spawn_file_actions_addclosefrom_np(&files, 4);
#endif
    /* A session of its own: what a terminal sends to us is not for it. */
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID |
                                        POSIX_SPAWN_SETSIGMASK |
                                        POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &usual);
    int rc = posix_spawn(&c->guard, SELF, &files, &attr, argv, env);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    return rc;
}

/* Descriptors 0 to 3 are the child's own places: ours lie above. */
static int above(int fd)
{
    int up = fcntl(fd, F_DUPFD_CLOEXEC, 10);

    close(fd);
    return up;
}

static int open_lines(int control[2], int log[2])
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) < 0)
        return -1;
    if (pipe2(log, O_CLOEXEC) < 0) {
        close(control[0]);
        close(control[1]);
        return -1;
    }
    for (int i = 0; i < 2; i++) {
        control[i] = above(control[i]);
        log[i] = above(log[i]);
    }
    fcntl(log[0], F_SETFL, O_NONBLOCK);
    fcntl(control[0], F_SETFL, O_NONBLOCK);
    if (control[0] >= 0 && control[1] >= 0 && log[0] >= 0 && log[1] >= 0)
        return 0;
    for (int i = 0; i < 2; i++) {
        if (control[i] >= 0)
            close(control[i]);
        if (log[i] >= 0)
            close(log[i]);
    }
    errno = EMFILE;
    return -1;
}

static int launch(struct be_child *c, const struct backend *o, int64_t stop_ms)
{
    int control[2], log[2], rc;
    char **argv, **env;

    if (open_lines(control, log) < 0)
        return errno;
    env = be_env(o, c->port, c->key, &c->uses_key);
    argv = be_argv(o, stop_ms, c->port);
    rc = env && argv ? spawn(c, argv, env, control[1], log[1]) : ENOMEM;
    be_free_words(env);
    be_free_words(argv);
    close(control[1]);
    close(log[1]);
    c->control = control[0];
    c->log = log[0];
    return rc;
}

struct be_child *be_child_start(const struct backend *o, int64_t stop_ms,
                                char *why, size_t room)
{
    struct be_child *c = calloc(1, sizeof(*c));
    int rc;

    if (!c) {
        snprintf(why, room, "out of memory");
        return NULL;
    }
    c->guard = -1;
    c->control = c->log = c->probe.fd = -1;
    c->stop_ms = stop_ms;
    c->provider = strdup(o->provider);
    c->key = new_key();
    c->port = free_port(0);
    snprintf(c->program, sizeof(c->program), "%s", o->argv[0]);
    if (!c->provider || !c->key)
        rc = ENOMEM;
    else
        rc = c->port < 0 ? EADDRNOTAVAIL : launch(c, o, stop_ms);
    if (rc) {
        snprintf(why, room, "its guard cannot be run: %s", strerror(rc));
        be_child_free(c);
        return NULL;
    }
    be_probe_begin(&c->probe, c->port, o->ready_path, clock_us() / 1000);
    return c;
}

/* --- looking after it ---------------------------------------------------- */

/* What a guard may take to do as it is told. */
#define GUARD_MS 2000

void be_child_stop(struct be_child *c, bool at_once)
{
    int64_t now = clock_us() / 1000;

    if (c->control < 0)
        return;
    if (at_once && !c->killed) {
        c->killed = true;
        c->patience = now + GUARD_MS;
        shutdown(c->control, SHUT_WR); /* its guard kills when we hang up */
    } else if (!at_once && !c->told) {
        c->told = true;
        c->patience = now + c->stop_ms + GUARD_MS;
        if (send(c->control, "T", 1, MSG_NOSIGNAL) < 0)
            shutdown(c->control, SHUT_WR);
    }
}

size_t be_child_fds(struct be_child *c, struct pollfd *to)
{
    size_t n = 0;

    if (c->control >= 0)
        to[n++] = (struct pollfd){.fd = c->control, .events = POLLIN};
    if (c->log >= 0)
        to[n++] = (struct pollfd){.fd = c->log, .events = POLLIN};
    if (c->probe.fd >= 0)
        to[n++] = (struct pollfd){
            .fd = c->probe.fd,
            .events = (short)(c->probe.sent ? POLLIN : POLLOUT)};
    return n;
}

int64_t be_child_due(const struct be_child *c, int64_t now)
{
    (void)now;
    if (c->control < 0)
        return 0;
    if (c->patience)
        return c->patience;
    if (c->ready)
        return INT64_MAX;
    return c->probe.fd >= 0 ? c->probe.until : c->probe.next;
}

/* A guard that does not do its work any more (somebody has stopped it, say):
 * we do it, while its process is still its to bury, and it goes as well. */
static void instead_of(struct be_child *c)
{
    log_line(LOG_WARN, c->provider, "a guard does not react; it is killed",
             log_int("guard", c->guard), log_int("pid", c->pid), LOG_END);
    if (c->pid > 0 && !c->ended)
        kill(-c->pid, SIGKILL);
    kill(c->guard, SIGKILL);
    c->patience += GUARD_MS;
}

/* The guard's messages, until it hangs up. */
static void read_control(struct be_child *c)
{
    struct guard_says s;
    ssize_t n;

    while (c->control >= 0) {
        n = recv(c->control, &s, sizeof(s), 0);
        if (n == (ssize_t)sizeof(s)) {
            if (s.what == GUARD_RUNS)
                c->pid = s.value;
            else if (s.what == GUARD_NO_EXEC)
                c->no_exec = s.value;
            else if (s.what == GUARD_ENDED)
                c->status = s.value;
            c->ended = c->ended || s.what == GUARD_ENDED;
        } else if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        } else {
            close(c->control);
            c->control = -1;
        }
    }
}

static void how_ended(struct be_child *c)
{
    if (c->no_exec)
        snprintf(c->how, sizeof(c->how), "\"%.60s\" cannot be run: %s",
                 c->program, strerror(c->no_exec));
    else if (!c->ended)
        snprintf(c->how, sizeof(c->how), "its guard was killed");
    else if (WIFSIGNALED(c->status))
        snprintf(c->how, sizeof(c->how), "signal %d (%s)", WTERMSIG(c->status),
                 strsignal(WTERMSIG(c->status)));
    else
        snprintf(c->how, sizeof(c->how), "exit status %d",
                 WEXITSTATUS(c->status));
}

static enum be_news is_gone(struct be_child *c, struct be_end *end)
{
    /* It has hung up, so it is on its way out. */
    while (waitpid(c->guard, NULL, 0) < 0 && errno == EINTR)
        ;
    c->guard = -1;
    read_log(c);
    end_line(c);
    be_probe_end(&c->probe);
    how_ended(c);
    end->how = c->how;
    end->tail = c->tail;
    end->no_port = !c->ready && !c->no_exec && free_port(c->port) < 0;
    return BE_IS_GONE;
}

enum be_news be_child_look(struct be_child *c, int64_t now, struct be_end *end)
{
    read_log(c);
    read_control(c);
    if (c->control < 0)
        return is_gone(c, end);
    if (c->patience && now >= c->patience)
        instead_of(c);
    if (c->ready || c->told || c->killed || !c->pid)
        return BE_NOTHING;
    if (!be_probe_look(&c->probe, now))
        return BE_NOTHING;
    /* Is it ours that has answered, and not who took its port? */
    read_control(c);
    if (c->ended || c->control < 0)
        return BE_NOTHING;
    if (be_port_is_strange(c->port)) {
        log_line(LOG_WARN, c->provider,
                 "a process of another user answers in the place of ours",
                 log_int("port", c->port), LOG_END);
        be_probe_again(&c->probe, now);
        return BE_NOTHING;
    }
    c->ready = true;
    be_probe_end(&c->probe);
    return BE_IS_READY;
}

void be_child_ask(struct be_child *c, int64_t now)
{
    if (!c->ready)
        return;
    c->ready = false;
    c->probe.asked = 0;
    c->probe.next = now;
}

struct be_place *be_child_place(const struct be_child *c)
{
    struct be_place *p = calloc(1, sizeof(*p));

    if (!p)
        return NULL;
    p->refs = 1;
    snprintf(p->at.url, sizeof(p->at.url), "http://127.0.0.1:%d", c->port);
    p->at.key = c->uses_key ? secret_ref(c->key) : NULL;
    p->at.tx.connect_ms = 5000;
    return p;
}

int be_child_pid(const struct be_child *c)
{
    return c->pid;
}

int be_child_port(const struct be_child *c)
{
    return c->port;
}

void be_child_free(struct be_child *c)
{
    if (!c)
        return;
    be_probe_end(&c->probe);
    if (c->control >= 0)
        close(c->control);
    if (c->log >= 0)
        close(c->log);
    while (c->guard > 0 && waitpid(c->guard, NULL, 0) < 0 && errno == EINTR)
        ;
    free(c->probe.path);
    secret_free(c->key);
    free(c->provider);
    free(c);
}
