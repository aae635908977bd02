/* SPDX-License-Identifier: MIT */
/* Processes that the host runs for plugins (sdk/include/patchbay/backend.h):
 * started when a call needs one, shared by calls, stopped when idle or when
 * another one needs the room, started again after a crash, and gone with the
 * host however that ends.
 *
 *   backend.c        this interface: one lock around the state machine, and who
 *                    is told
 *   backend_core.c   the state machine: no system call, time is given to it;
 *                    backend_room.c: who starts and who makes room;
 *                    backend_spec.c: what a plugin describes
 *   backend_run.c    the supervisor's thread: all that blocks or waits
 *   backend_child.c  one process: its guard, its log, its port;
 *                    backend_args.c: its arguments and environment
 *   backend_probe.c  is it ready?
 *   backend_guard.c  the guard, a process of its own between the two
 *
 * Why a guard and not PR_SET_PDEATHSIG alone: that signal comes when the
 * *thread* that forked ends, is lost where the program gains privileges, and
 * says nothing to what the process itself has started; and a big process with
 * many threads is a bad place to fork.  The guard is this program again, with
 * one thread: it holds one end of a socket, whose other end the kernel closes
 * when the host dies, and then kills the whole process group.  For the case
 * that somebody kills the guard, its child has the guard's own death signal.
 */
#ifndef PB_BACKEND_H
#define PB_BACKEND_H

#include "base/error.h"
#include "base/log.h"
#include "base/loop.h"
#include "http/transport.h"
#include <patchbay/backend.h>

struct backends;
struct backend_use;

struct backend_caps {
    unsigned max_processes;
    uint64_t max_memory; /* of all together, as described; 0: no bound */
    size_t max_waiting;  /* calls that wait for one to be ready */
    int64_t stop_ms;     /* from SIGTERM to SIGKILL */
};

/* Where a process is to be reached. */
struct backend_address {
    char url[64];
    struct secret *key; /* made for it alone; NULL: it has none */
    struct tx_profile tx;
};

/* Who asks for a process.  provider and model are copied. */
struct backend_ask {
    const char *provider;
    unsigned serial; /* of the configuration */
    uint32_t op;
    pbay_str model;
    struct loop *loop;
    /* [loop] It is ready (e NULL), or will not be.  Not called once the use has
     * been given back, nor before backend_enter() has returned. */
    void (*wake)(void *arg, const struct err *e);
    void *arg;
};

/* NULL without memory. */
struct backends *backends_new(void);
/* [any] What holds from now on: bounds, and which providers there are; the
 * processes of others end when nobody uses them any more.  What kept failing
 * may be tried again. */
void backends_configure(struct backends *b, const struct backend_caps *caps,
                        const char *const *providers, size_t n);
/* [any] Processes of this provider that failed may be tried again. */
void backends_forgive(struct backends *b, const char *provider);
/* No loop runs any more: end all processes, and the thread. */
void backends_stop(struct backends *b);
/* After the loops have been freed. */
void backends_free(struct backends *b);

/* [loop] A place at a process that is ready and has been described for the same
 * question already.  NULL: ask the plugin. */
struct backend_use *backend_again(struct backends *b,
                                  const struct backend_ask *ask);
/* [loop] A place at the process that is described; *waits: not yet, wake() will
 * come.  NULL and *e: refused.  Everything is copied. */
struct backend_use *backend_enter(struct backends *b,
                                  const struct backend_ask *ask,
                                  const pbay_backend_spec *spec, bool *waits,
                                  struct err *e);
/* [loop] Of a use that does not wait; stays until it is given back. */
const struct backend_address *backend_where(const struct backend_use *u);
/* [loop] No connection to it could be made: it is asked whether it is ready
 * before anybody gets a place there again. */
void backend_doubt(struct backend_use *u);
/* [loop] Give it back, also while it waits.  NULL is fine. */
void backend_leave(struct backend_use *u);

/* What is told about one. */
struct backend_row {
    const char *provider, *name, *state;
    int pid, port; /* 0: none */
    unsigned uses, waiting, starts, failures;
    uint64_t memory;
    int64_t for_ms;     /* in this state */
    int64_t expires_ms; /* until it is stopped as idle; -1: not in sight */
    int64_t retry_ms;   /* until it may be started again; 0: now */
    const char *line;   /* the last thing it said while it started */
    const char *why;    /* how it failed last; NULL: it has not */
};
/* [any] Each in turn, under the lock; provider NULL: of all. */
void backends_each(struct backends *b, const char *provider,
                   void (*fn)(void *arg, const struct backend_row *r),
                   void *arg);

/* The guard: `patchbay --run-backend STOP_MS PROGRAM [ARGUMENTS]`, with its
 * socket as descriptor 3.  Does not return. */
_Noreturn void backend_guard_main(const char *stop_ms, char **argv);

#endif
