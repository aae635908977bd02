/* SPDX-License-Identifier: MIT */
/* The inside of the supervisor, for the files backend*.c and their test. */
#ifndef PB_BACKEND_INT_H
#define PB_BACKEND_INT_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/limits.h"
#include "module/backend.h"

/* --- the state machine --------------------------------------------------- */

enum backend_state {
    BE_REST,     /* no process; perhaps one again at retry_at */
    BE_QUEUED,   /* wants to start, and there is no room yet */
    BE_STARTING, /* to be started, or started and not yet ready */
    BE_READY,
    BE_STOPPING /* told to end */
};

/* An address with the count of those who hold it; under the lock. */
struct be_place {
    struct backend_address at;
    unsigned refs;
};

enum use_state {
    USE_WAITS,
    USE_HELD,
    USE_REFUSED
};

struct backend_use {
    struct loop_job job;              /* first: run() gets it */
    struct backend_use *next, **prev; /* while it waits */
    struct backends *all;
    struct backend *of;
    struct loop *loop;
    void (*wake)(void *arg, const struct err *e);
    void *arg;
    enum use_state state;
    bool posted;  /* the job is on its way */
    bool dropped; /* and nobody waits for it: it frees the use */
    struct be_place *place;
    struct err *err; /* REFUSED; NULL: no memory for it */
};

/* For which questions a process has been described. */
#define BE_ASKED 8
struct be_asked {
    unsigned serial;
    uint32_t op;
    char *model;
};

struct backend {
    struct backend *next;
    /* As described. */
    char *provider, *name, *key;
    char **argv, **env; /* NULL-terminated; env: "NAME=value" */
    char *ready_path;
    int64_t ready_ms, idle_ms;
    uint64_t memory;
    unsigned parallel;

    enum backend_state state;
    bool retired;      /* no longer what is configured: ends when unused */
    bool yields;       /* takes nobody new: others have waited long enough */
    bool again;        /* start it again at retry_at, asked or not */
    bool start_failed; /* it never got ready, last time */
    bool doubted;      /* STARTING: it has been READY, but did not answer */
    bool late;         /* STOPPING: for it was not ready in time */
    bool at_once;      /* STOPPING: without waiting for it */
    unsigned held;     /* uses that hold a place */
    struct backend_use *first, **last;
    unsigned waiting;
    struct be_place *place; /* READY */
    unsigned starts, failures, moves;
    int64_t since;    /* in this state */
    int64_t used;     /* last asked for, or given back */
    int64_t retry_at; /* not before */
    char *why;        /* how it failed last */
    char line[200];   /* what it said last while it started */
    int pid, port;
    struct be_asked asked[BE_ASKED];
    unsigned n_asked;

    struct be_child *child; /* the thread's alone */
};

struct be_core {
    struct backend *all;
    size_t n, waiting;
    struct backend_caps caps;
    bool ending;
};

/* How a process ended. */
struct be_end {
    const char *how;  /* "exit status 1" */
    const char *tail; /* its last lines; may be empty */
    bool no_port;     /* somebody else had its port */
};

void be_core_init(struct be_core *c);
void be_core_done(struct be_core *c);
struct backend_use *be_again(struct be_core *c, const struct backend_ask *ask,
                             int64_t now);
struct backend_use *be_enter(struct be_core *c, const struct backend_ask *ask,
                             const pbay_backend_spec *spec, int64_t now,
                             bool *waits, struct err *e);
/* True: the use is to be freed by the caller. */
bool be_leave(struct be_core *c, struct backend_use *u, int64_t now);
void be_doubt(struct backend_use *u, int64_t now);
void be_configure(struct be_core *c, const struct backend_caps *caps,
                  const char *const *providers, size_t n);
void be_forgive(struct be_core *c, const char *provider);
/* What time brings; the time of the next such thing, INT64_MAX: none.  Only
 * here do backends go away. */
int64_t be_tick(struct be_core *c, int64_t now);
void be_ready(struct be_core *c, struct backend *b, struct be_place *place,
              int64_t now);
void be_exited(struct be_core *c, struct backend *b, const struct be_end *end,
               int64_t now);
/* Refuse all that wait, stop all that runs. */
void be_end_all(struct be_core *c, int64_t now);
/* Is any process left? */
bool be_any(const struct be_core *c);
void be_each(const struct be_core *c, const char *provider, int64_t now,
             void (*fn)(void *arg, const struct backend_row *r), void *arg);
void be_place_unref(struct be_place *p);

/* Between the state machine's files. */
static inline void be_set_state(struct backend *b, enum backend_state s,
                                int64_t now)
{
    b->state = s;
    b->since = now;
}
void be_grant(struct be_core *c, struct backend *b);
bool be_occupies(const struct backend *b);
void be_stop(struct backend *b, bool at_once, int64_t now);
/* Start what there is room for, and make room. */
void be_schedule(struct be_core *c, int64_t now);

/* backend_spec.c: a backend of a plugin's description, or NULL and *e. */
struct backend *be_described(const struct backend_ask *ask,
                             const pbay_backend_spec *spec, struct err *e);
bool be_same(const struct backend *a, const struct backend *b);
void be_free(struct backend *b);

/* --- one process, for the thread ----------------------------------------- */

struct be_child;

/* backend_args.c: malloc'd, NULL-terminated; NULL: no memory. */
char **be_env(const struct backend *o, int port, const struct secret *key,
              bool *uses_key);
char **be_argv(const struct backend *o, int64_t stop_ms, int port);
void be_free_words(char **v);

/* A guard with its process; NULL and a sentence in why. */
struct be_child *be_child_start(const struct backend *b, int64_t stop_ms,
                                char *why, size_t room);
void be_child_stop(struct be_child *c, bool at_once);
/* What to wait for: at most BE_FDS descriptors; the number of them. */
#define BE_FDS 3
struct pollfd;
size_t be_child_fds(struct be_child *c, struct pollfd *to);
/* When it wants to be looked at again, at the latest. */
int64_t be_child_due(const struct be_child *c, int64_t now);

enum be_news {
    BE_NOTHING,
    BE_IS_READY,
    BE_IS_GONE
};
/* Look at everything that may have happened; GONE is said once, and then *end
 * is valid until be_child_free(). */
enum be_news be_child_look(struct be_child *c, int64_t now, struct be_end *end);
/* Ask once more whether it is ready. */
void be_child_ask(struct be_child *c, int64_t now);
struct be_place *be_child_place(const struct be_child *c);
int be_child_pid(const struct be_child *c);
int be_child_port(const struct be_child *c);
void be_child_line(const struct be_child *c, char *to, size_t room);
void be_child_free(struct be_child *c);

/* --- backend_probe.c ----------------------------------------------------- */

struct be_probe {
    int port, fd; /* fd -1: between two questions */
    char *path;
    bool sent;
    size_t n;
    char head[32];
    int64_t next, until;
    unsigned asked;
};
void be_probe_begin(struct be_probe *p, int port, const char *path,
                    int64_t now);
/* True: it has answered 200. */
bool be_probe_look(struct be_probe *p, int64_t now);
void be_probe_end(struct be_probe *p);
/* That was not good enough: ask again. */
void be_probe_again(struct be_probe *p, int64_t now);
/* Does a process of another user listen on that port?  Arguments are no secret,
 * so somebody could be there before the process is, and be asked what was meant
 * for it. */
bool be_port_is_strange(int port);
/* The same in one text of the form of /proc/net/tcp. */
bool be_port_strange_in(const char *text, int port, unsigned uid);

/* --- backend_guard.c: what a guard says on its socket --------------------- */

enum {
    GUARD_RUNS = 1, /* value: the process */
    GUARD_NO_EXEC,  /* errno */
    GUARD_ENDED     /* as waitpid() says */
};
struct guard_says {
    int32_t what, value;
};

#endif
