/* SPDX-License-Identifier: MIT */
/* One event loop: libevent base, clock, and a mailbox through which other
 * threads post work.  Everything but loop_post() and loop_stop() belongs to the
 * loop's own thread. */
#ifndef PB_LOOP_H
#define PB_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

struct event_base;

/* Work sent to a loop.  Intrusive: the memory is the sender's until run() is
 * called, then the receiver's. */
struct loop_job {
    struct loop_job *next;
    void (*run)(struct loop_job *job);
};

struct loop {
    int id; /* 0.. */
    struct event_base *base;
    struct clock *clock;
    struct loop_mailbox *mailbox;
    /* Slots for the layers above, set once before the loop runs. */
    struct transport *transport;
    void *server;
    void *manager;
    void *user;
};

/* NULL and errno on failure. */
struct loop *loop_new(int id);
/* The loop has ended and its thread is joined.  Runs the jobs still there, on
 * the calling thread, and those that they post; nobody else may post any more.
 * NULL is fine. */
void loop_free(struct loop *l);
/* Run on the calling thread until loop_stop(), also one called before.  Returns
 * 0, or -errno. */
int loop_run(struct loop *l);
/* [any] End after the current turn. */
void loop_stop(struct loop *l);
/* [any] Jobs run in the order they were posted, never inside this call.  After
 * the loop has ended, jobs are run by loop_free(). */
void loop_post(struct loop *l, struct loop_job *job);
/* Start a thread that runs the loop: 0 or -errno / wait until it has ended, and
 * give what loop_run() returned.  Joining when none was started gives 0. */
int loop_thread_start(struct loop *l, const char *name);
int loop_thread_join(struct loop *l);

#endif
