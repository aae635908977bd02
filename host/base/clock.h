/* SPDX-License-Identifier: MIT */
/* Time and timers, real or virtual, so that whatever waits can be tested
 * without waiting.
 *
 * A clock belongs to one thread.  Timers are intrusive and cost a heap
 * operation; the real clock keeps one libevent timer for the earliest of them.
 */
#ifndef PB_CLOCK_H
#define PB_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct clock;

struct timer {
    int64_t at;        /* due, in the clock's milliseconds */
    size_t slot;       /* place in the heap + 1; 0: not running */
    struct clock *clock;
    void (*fire)(void *arg);
    void *arg;
};

/* A clock on the monotonic time of the machine, fired by base's loop. */
struct clock *clock_new(struct event_base *base);
/* A clock that moves only by clock_advance(); wall time starts at wall_ms. */
struct clock *clock_new_virtual(int64_t wall_ms);
/* No timer may be running any more. */
void clock_free(struct clock *c);

/* Milliseconds since some start.  The real clock reads the machine's time at
 * most once per loop turn (clock_turn() drops the cached value). */
int64_t clock_now(struct clock *c);
void clock_turn(struct clock *c);
/* Milliseconds since 1970, UTC. */
int64_t clock_wall(struct clock *c);

/* Fire once, ms from now (at least at the next turn).  A running timer is set
 * anew. */
void timer_set(struct timer *t, struct clock *c, int64_t ms,
               void (*fire)(void *arg), void *arg);
void timer_stop(struct timer *t); /* harmless when not running */
static inline bool timer_running(const struct timer *t)
{
    return t->slot != 0;
}

/* Virtual clock only: move on by ms, firing what comes due, in order. */
void clock_advance(struct clock *c, int64_t ms);
/* Virtual clock only: milliseconds until the next timer, -1: none. */
int64_t clock_next(struct clock *c);

/* Microseconds of the monotonic clock, for measuring. */
int64_t clock_us(void);

#endif
