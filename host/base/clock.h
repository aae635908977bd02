/* SPDX-License-Identifier: MIT */
/* Time and timers, real or virtual, so that whatever waits can be tested
 * without waiting.
 *
 * A clock belongs to one thread.  Timers are intrusive: setting one needs no
 * memory and can't fail.  Moving a running timer to a later time, as idle
 * time-outs do with every byte, costs a few stores.  The real clock keeps one
 * libevent timer for the earliest of them.
 */
#ifndef PB_CLOCK_H
#define PB_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct clock;

/* Zeroed by its owner before first use; only `at` may be looked at, while the
 * timer runs. */
struct timer {
    int64_t at;                        /* due, in the clock's milliseconds */
    uint64_t seq;                      /* order among those due together */
    int64_t key;                       /* at and seq as the heap knows them: */
    uint64_t key_seq;                  /* never later than the real ones */
    struct timer *child, *next, *prev; /* links of the heap */
    struct clock *clock;               /* NULL: not running */
    void (*fire)(void *arg);
    void *arg;
};

/* A clock on the monotonic time of the machine, fired by base's loop.  NULL
 * when memory is out, here and below. */
struct clock *clock_new(struct event_base *base);
/* A clock that moves only by clock_advance(); wall time starts at wall_ms. */
struct clock *clock_new_virtual(int64_t wall_ms);
/* Timers that still run are stopped.  NULL is fine. */
void clock_free(struct clock *c);

/* Milliseconds since some start.  The real clock reads the machine's time once
 * and keeps it until clock_turn(), which loop.c calls before each turn; whoever
 * runs the base in another way calls it himself. */
int64_t clock_now(struct clock *c);
void clock_turn(struct clock *c);
/* Milliseconds since 1970, UTC. */
int64_t clock_wall(struct clock *c);

/* Fire once, ms from now, at the next turn if ms is 0 or less; timers due at
 * the same time fire in the order they were set.  A running timer is set anew.
 * fire() may set and stop any timer, its own too. */
void timer_set(struct timer *t, struct clock *c, int64_t ms,
               void (*fire)(void *arg), void *arg);
void timer_stop(struct timer *t); /* harmless when not running */

static inline bool timer_running(const struct timer *t)
{
    return t->clock != NULL;
}

/* Virtual clock only: move on by ms, firing what comes due, in order and at its
 * own time. */
void clock_advance(struct clock *c, int64_t ms);
/* Virtual clock only: milliseconds until the next timer, -1: none. */
int64_t clock_next(struct clock *c);

/* Microseconds of the monotonic clock, for measuring. */
int64_t clock_us(void);

#endif
