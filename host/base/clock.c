/* SPDX-License-Identifier: MIT */
/* Time and timers: a pairing heap, driven by libevent or by a test.
 *
 * Each heap node has its first child in `child`, siblings in `next`; `prev` is
 * the sibling before, or the parent of a first child; the root has none.
 */
#include "config.h"

#include <limits.h>
#include <stdlib.h>
#include <time.h>

#include <event2/event.h>

#include "base/clock.h"

/* The virtual clock does not begin at 0, which many take for "never". */
#define VIRTUAL_START 1000000

struct clock {
    struct timer *root;
    uint64_t seq;        /* of the timer set last */
    int64_t now;         /* valid if `fresh` */
    bool fresh;          /* always true for a virtual clock */
    bool firing;         /* inside fire(): the alarm is set afterwards */
    int64_t alarm_at;    /* when the libevent timer fires; INT64_MAX: not set */
    struct event *alarm; /* NULL: virtual */
    int64_t wall;        /* virtual: wall time minus now */
};

/* ------------------------------------------------------------- the heap */

static bool sooner(const struct timer *a, const struct timer *b)
{
    if (a->key != b->key)
        return a->key < b->key;
    return a->key_seq < b->key_seq;
}

/* Join two heaps; both are roots without siblings, neither is NULL. */
static struct timer *meld(struct timer *a, struct timer *b)
{
    if (sooner(b, a)) {
        struct timer *t = a;

        a = b;
        b = t;
    }
    b->prev = a;
    b->next = a->child;
    if (b->next)
        b->next->prev = b;
    a->child = b;
    return a;
}

static struct timer *alone(struct timer *t)
{
    t->next = t->prev = NULL;
    return t;
}

/* Join a list of siblings: in pairs from the front, then all from the back. */
static struct timer *meld_list(struct timer *list)
{
    struct timer *pairs = NULL, *root = NULL;

    while (list) {
        struct timer *a = list, *b = a->next;

        list = b ? b->next : NULL;
        alone(a);
        if (b)
            a = meld(a, alone(b));
        a->next = pairs; /* a stack, through `next` of roots */
        pairs = a;
    }
    while (pairs) {
        struct timer *t = pairs;

        pairs = t->next;
        alone(t);
        root = root ? meld(root, t) : t;
    }
    return root;
}

static void heap_add(struct clock *c, struct timer *t)
{
    t->key = t->at;
    t->key_seq = t->seq;
    t->child = NULL;
    alone(t);
    c->root = c->root ? meld(c->root, t) : t;
}

static void heap_remove(struct clock *c, struct timer *t)
{
    struct timer *rest = meld_list(t->child);

    t->child = NULL;
    if (!t->prev) {
        c->root = rest;
        return;
    }
    if (t->prev->child == t)
        t->prev->child = t->next;
    else
        t->prev->next = t->next;
    if (t->next)
        t->next->prev = t->prev;
    alone(t);
    if (rest)
        c->root = meld(c->root, rest);
}

/* The timer that is due first.  Those that were moved to a later time while
 * they were in the heap are put in their right place only when they come up. */
static struct timer *heap_first(struct clock *c)
{
    struct timer *t;

    while ((t = c->root) && (t->key != t->at || t->key_seq != t->seq)) {
        heap_remove(c, t);
        heap_add(c, t);
    }
    return t;
}

/* ---------------------------------------------------------------- alarm */

int64_t clock_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* Make sure that libevent wakes us no later than the first timer is due.  An
 * alarm that comes too early is left: it costs one turn, setting it anew with
 * every change would cost more. */
static void set_alarm(struct clock *c)
{
    struct timeval tv;
    int64_t us;

    if (!c->alarm || c->firing || !c->root || c->root->key >= c->alarm_at)
        return;
    c->alarm_at = c->root->key;
    us = c->alarm_at > INT64_MAX / 1000 ? INT64_MAX
                                        : c->alarm_at * 1000 - clock_us();
    if (us < 0)
        us = 0;
    tv.tv_sec = (time_t)(us / 1000000);
    tv.tv_usec = (suseconds_t)(us % 1000000);
    if (tv.tv_sec > 86400) /* libevent refuses absurd times */
        tv.tv_sec = 86400;
    if (event_add(c->alarm, &tv) < 0)
        c->alarm_at = INT64_MAX; /* no memory: the next change tries again */
}

/* Fire what is due and was set before this began, so that a timer which sets
 * itself to "at once" leaves the loop its turn. */
static void fire_due(struct clock *c)
{
    uint64_t last = c->seq;
    struct timer *t;

    while ((t = heap_first(c)) && t->at <= c->now && t->seq <= last) {
        heap_remove(c, t);
        t->clock = NULL;
        t->fire(t->arg);
    }
}

static void on_alarm(evutil_socket_t fd, short what, void *arg)
{
    struct clock *c = arg;

    (void)fd;
    (void)what;
    c->alarm_at = INT64_MAX;
    clock_turn(c);
    clock_now(c);
    c->firing = true;
    fire_due(c);
    c->firing = false;
    heap_first(c);
    set_alarm(c);
}

/* --------------------------------------------------------------- clocks */

struct clock *clock_new(struct event_base *base)
{
    struct clock *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    c->alarm_at = INT64_MAX;
    c->alarm = event_new(base, -1, 0, on_alarm, c);
    if (!c->alarm) {
        free(c);
        return NULL;
    }
    return c;
}

struct clock *clock_new_virtual(int64_t wall_ms)
{
    struct clock *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    c->now = VIRTUAL_START;
    c->fresh = true;
    c->wall = wall_ms - VIRTUAL_START;
    return c;
}

void clock_free(struct clock *c)
{
    if (!c)
        return;
    while (c->root)
        timer_stop(c->root);
    if (c->alarm)
        event_free(c->alarm);
    free(c);
}

int64_t clock_now(struct clock *c)
{
    if (!c->fresh) {
        c->now = clock_us() / 1000;
        c->fresh = true;
    }
    return c->now;
}

void clock_turn(struct clock *c)
{
    if (c->alarm)
        c->fresh = false;
}

int64_t clock_wall(struct clock *c)
{
    struct timespec ts;

    if (!c->alarm)
        return c->now + c->wall;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* --------------------------------------------------------------- timers */

void timer_set(struct timer *t, struct clock *c, int64_t ms,
               void (*fire)(void *arg), void *arg)
{
    int64_t now = clock_now(c);

    if (t->clock && t->clock != c)
        timer_stop(t);
    if (ms < 0)
        ms = 0;
    t->at = ms > INT64_MAX - now ? INT64_MAX : now + ms;
    t->seq = ++c->seq;
    t->fire = fire;
    t->arg = arg;
    if (t->clock && t->at >= t->key)
        return; /* later than the heap thinks: see heap_first() */
    if (t->clock)
        heap_remove(c, t);
    t->clock = c;
    heap_add(c, t);
    set_alarm(c);
}

void timer_stop(struct timer *t)
{
    if (!t->clock)
        return;
    heap_remove(t->clock, t);
    t->clock = NULL;
}

void clock_advance(struct clock *c, int64_t ms)
{
    int64_t until = ms > INT64_MAX - c->now ? INT64_MAX : c->now + ms;
    struct timer *t;

    if (c->alarm)
        return; /* real time needs no help */
    while ((t = heap_first(c)) && t->at <= until) {
        if (t->at > c->now)
            c->now = t->at;
        fire_due(c);
    }
    if (until > c->now)
        c->now = until;
}

int64_t clock_next(struct clock *c)
{
    struct timer *t = heap_first(c);

    if (!t)
        return -1;
    return t->at > c->now ? t->at - c->now : 0;
}
