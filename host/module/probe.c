/* SPDX-License-Identifier: MIT */
/* Trying a module in a child process first: whatever its constructors do, they
 * do it there.
 *
 * The child is this program again, with a clean environment, a process group of
 * its own and LIM_PROBE_MS to live.  It reports on its standard output, one
 * line before each step, so that the parent knows which step did not end; its
 * standard error (and whatever the module prints) becomes part of the reason.
 */
#include "config.h"

#include "module/loader_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"

/* What the child may say: phases, a verdict, the manifest or a reason. */
#define REPORT_MAX (LIM_MANIFEST + 4096)
/* How much of the standard error is shown. */
#define SAID_MAX 300
/* How long an end of the child may go unnoticed while a grandchild keeps its
 * pipes open. */
#define TICK_MS 50

static const char *const phase_words[] = {[PHASE_CONSTRUCTOR] =
                                              "phase constructor\n",
                                          [PHASE_ENTRY] = "phase entry\n",
                                          [PHASE_TABLE] = "phase table\n",
                                          [PHASE_DONE] = "phase done\n"};
static const char *const phase_names[] = {
    [PHASE_CONSTRUCTOR] = "its constructor",
    [PHASE_ENTRY] = "its entry function",
    [PHASE_TABLE] = "reading its table",
    [PHASE_DONE] = "the end of the probe"};

/* ------------------------------------------------------------ the child */

static int report_fd = -1;

static void report(const char *text, size_t n)
{
    while (n) {
        ssize_t put = write(report_fd, text, n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            _exit(3);
        text += put;
        n -= (size_t)put;
    }
}

static void report_phase(enum phase p)
{
    report(phase_words[p], strlen(phase_words[p]));
}

static void report_verdict(const char *word, const char *text, size_t n)
{
    char line[64];
    int len = snprintf(line, sizeof line, "%s %zu\n", word, n);
    report(line, (size_t)len);
    report(text, n);
}

/* A crash must be a signal, also in a build whose sanitizer would rather print
 * and exit; and leave no core file behind. */
static void prepare_child(void)
{
    static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    struct rlimit none = {0, 0};
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++)
        signal(crashes[i], SIG_DFL);
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* Our report must not be mixed with what the module prints. */
    report_fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10);
    if (report_fd < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
        _exit(3);
}

int loader_probe_main(const char *path)
{
    char *err = NULL;
    struct module_file file;
    struct opened opened;
    prepare_child();
    int fd = trusted_open(path, true, &file, &err);
    struct manifest *note = fd < 0 ? NULL : manifest_read(fd, &err);
    int rc =
        note ? module_open(path, note, report_phase, &opened, &err) : -ENOEXEC;
    if (rc == 0) {
        pbay_str text = opened.plugin->manifest;
        report_verdict("ok", text.p, text.n);
    } else {
        const char *why = err ? err : "out of memory";
        report_verdict(rc == -ENOEXEC ? "refused" : "bad", why, strlen(why));
    }
    /* Destructors are not asked: the host never runs them either. */
    _exit(rc == 0 ? 0 : 1);
}

/* ----------------------------------------------------------- the parent */

struct child {
    pid_t pid;
    int out, err;
    char *report; /* REPORT_MAX + 1 */
    size_t n;
    char said[SAID_MAX + 1];
    size_t n_said;
    int status;
    bool exited, late;
};

/* Only what the dynamic linker and the sanitizers need to work in the child as
 * they do here; no keys. */
static char **clean_environment(char **room, size_t n)
{
    static const char *const names[] = {
        "PATH",          "LD_LIBRARY_PATH", "LD_PRELOAD",  "ASAN_OPTIONS",
        "UBSAN_OPTIONS", "TSAN_OPTIONS",    "LSAN_OPTIONS"};
    size_t used = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *v = getenv(names[i]);
        if (v && used < n - 2 &&
            asprintf(&room[used], "%s=%s", names[i], v) >= 0)
            used++;
    }
    room[used] = strdup("LC_ALL=C");
    room[used + (room[used] != NULL)] = NULL;
    return room;
}

static int spawn(struct child *c, const char *self, const char *path, int out,
                 int err)
{
    char option[] = "--probe-module";
    char *program = strdup(self), *file = strdup(path), *env[12] = {NULL};
    char *const argv[] = {program, option, file, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, usual;
    sigemptyset(&none);
    sigfillset(&usual);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attr);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, out, 1);
    posix_spawn_file_actions_adddup2(&files, err, 2);
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
    posix_spawn_file_actions_addclosefrom_np(&files, 3);
#endif
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP |
                                        POSIX_SPAWN_SETSIGMASK |
                                        POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &usual);
    int rc = program && file ? posix_spawn(&c->pid, self, &files, &attr, argv,
                                           clean_environment(env, 12))
                             : ENOMEM;
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    for (size_t i = 0; env[i]; i++)
        free(env[i]);
    free(program);
    free(file);
    return rc;
}

/* Take what there is; false at the end of the pipe. */
static bool take(int fd, char *room, size_t size, size_t *n)
{
    char skip[512];
    bool full = *n == size;
    ssize_t got =
        read(fd, full ? skip : room + *n, full ? sizeof skip : size - *n);
    if (got > 0 && !full)
        *n += (size_t)got;
    return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

static bool ended(struct child *c)
{
    if (!c->exited && waitpid(c->pid, &c->status, WNOHANG) == c->pid)
        c->exited = true;
    return c->exited;
}

/* Until the child has ended and its pipes are empty, or time is up. */
static void follow(struct child *c)
{
    struct pollfd p[2] = {{.fd = c->out, .events = POLLIN},
                          {.fd = c->err, .events = POLLIN}};
    int64_t until = clock_us() / 1000 + LIM_PROBE_MS;
    for (;;) {
        int64_t left = until - clock_us() / 1000;
        bool over = ended(c);
        if (!over && left <= 0)
            break;
        /* With both pipes closed its end is a matter of microseconds. */
        int tick = p[0].fd < 0 && p[1].fd < 0 ? 1 : TICK_MS;
        int timeout = over ? 0 : left < tick ? (int)left : tick;
        int ready = poll(p, 2, timeout);
        if (ready < 0 && errno != EINTR)
            break;
        if (over && ready <= 0)
            return;
        if (p[0].revents && !take(c->out, c->report, REPORT_MAX, &c->n))
            p[0].fd = -1;
        if (p[1].revents && !take(c->err, c->said, SAID_MAX, &c->n_said))
            p[1].fd = -1;
    }
    c->late = true;
}

static void reap(struct child *c)
{
    kill(-c->pid, SIGKILL); /* and whatever it has started */
    while (!c->exited &&
           (waitpid(c->pid, &c->status, 0) == c->pid || errno != EINTR))
        c->exited = true;
}

/* ---------------------------------------------------------- the verdict */

/* Cut the report's phase lines off its start; the last phase begun. */
static enum phase last_phase(pbay_str *rest)
{
    enum phase at = PHASE_CONSTRUCTOR;
    for (bool more = true; more;) {
        more = false;
        for (int p = PHASE_CONSTRUCTOR; p <= PHASE_DONE; p++) {
            if (str_starts(*rest, phase_words[p])) {
                at = (enum phase)p;
                rest->p += strlen(phase_words[p]);
                rest->n -= strlen(phase_words[p]);
                more = true;
            }
        }
    }
    return at;
}

/* "WORD N\n" and exactly N bytes. */
static bool verdict_is(pbay_str rest, const char *word, pbay_str *text)
{
    uint64_t n;
    pbay_str line = rest;
    if (!rest.n || !memchr(rest.p, '\n', rest.n))
        return false;
    line = str_cut(&rest, '\n');
    pbay_str first = str_cut(&line, ' ');
    if (!str_is(first, word) || str_u64(line, &n) < 0 || n != rest.n)
        return false;
    *text = rest;
    return true;
}

/* Add what the child printed: one line of it, fit to be shown. */
static void add_said(struct child *c, char **why)
{
    for (size_t i = 0; i < c->n_said; i++)
        if ((unsigned char)c->said[i] < 0x20 ||
            (unsigned char)c->said[i] >= 0x7f)
            c->said[i] = c->said[i] == '\n' ? ' ' : '?';
    pbay_str said = str_trim(str_n(c->said, c->n_said));
    char *old = *why;
    if (!said.n || !old)
        return;
    *why = NULL;
    mf_fail(why, "%s; it printed: %.*s", old, STR_ARG(said));
    if (*why)
        free(old);
    else
        *why = old;
}

static enum probe_result judge(struct child *c, const struct manifest *note,
                               char **why)
{
    pbay_str rest = str_n(c->report, c->n), text;
    enum phase at = last_phase(&rest);
    const char *mend = "report it to its author, or remove the file";
    if (verdict_is(rest, "ok", &text)) {
        if (str_eq(text, str_n(note->json, note->json_len)))
            return PROBE_OK;
        mf_fail(why, "the manifest of its table is not that of its note");
        return PROBE_BAD;
    }
    if (verdict_is(rest, "refused", &text)) {
        mf_fail(why, "%.*s", STR_ARG(text));
        return PROBE_REFUSED;
    }
    if (verdict_is(rest, "bad", &text)) {
        mf_fail(why, "%.*s", STR_ARG(text));
        return PROBE_BAD;
    }
    if (c->late)
        mf_fail(why, "%s did not return within %d ms: %s", phase_names[at],
                LIM_PROBE_MS, mend);
    else if (WIFSIGNALED(c->status))
        mf_fail(why, "%s crashed: signal %d (%s): %s", phase_names[at],
                WTERMSIG(c->status), strsignal(WTERMSIG(c->status)), mend);
    else
        mf_fail(why, "%s ended the process with exit status %d: %s",
                phase_names[at], WEXITSTATUS(c->status), mend);
    add_said(c, why);
    return PROBE_BAD;
}

static bool make_pipes(int out[2], int err[2])
{
    if (pipe2(out, O_CLOEXEC) < 0)
        return false;
    if (pipe2(err, O_CLOEXEC) == 0) {
        fcntl(out[0], F_SETFL, O_NONBLOCK);
        fcntl(err[0], F_SETFL, O_NONBLOCK);
        return true;
    }
    close(out[0]);
    close(out[1]);
    return false;
}

enum probe_result probe_module(const char *self, const char *path,
                               const struct manifest *note, char **why)
{
    struct child c = {.pid = -1};
    int out[2], err[2];
    c.report = malloc(REPORT_MAX + 1);
    if (!c.report || !make_pipes(out, err)) {
        mf_fail(why, "cannot be probed: %s", strerror(errno));
        free(c.report);
        return PROBE_IMPOSSIBLE;
    }
    int rc = spawn(&c, self, path, out[1], err[1]);
    close(out[1]);
    close(err[1]);
    c.out = out[0];
    c.err = err[0];
    enum probe_result result = PROBE_IMPOSSIBLE;
    if (rc) {
        mf_fail(why, "cannot be probed: %s cannot be run: %s", self,
                strerror(rc));
    } else {
        follow(&c);
        reap(&c);
        result = judge(&c, note, why);
    }
    close(c.out);
    close(c.err);
    free(c.report);
    return result;
}
