/* SPDX-License-Identifier: MIT */
/* Clocks and timers: the virtual clock against a model, the real one against
 * the machine's time. */
#include <time.h>

#include "base/clock.h"
#include "base/loop.h"

#include "test_base.h"

#define TIMERS 3000
#define WALL   1700000000000

struct model {
    struct timer t;
    bool on;
    int64_t at;
    uint64_t seq;
};

static struct model model[TIMERS];
static struct clock *the_clock;
static uint64_t seed, next_seq;
static size_t fired, running;

static void on_fire(void *arg);

static void model_set(struct model *m, int64_t ms)
{
    timer_set(&m->t, the_clock, ms, on_fire, m);
    running += !m->on;
    m->on = true;
    m->at = clock_now(the_clock) + (ms > 0 ? ms : 0);
    m->seq = ++next_seq;
    ck_assert(timer_running(&m->t));
}

static void model_stop(struct model *m)
{
    timer_stop(&m->t);
    running -= m->on;
    m->on = false;
    ck_assert(!timer_running(&m->t));
}

static struct model *model_first(void)
{
    struct model *best = NULL;

    for (size_t i = 0; i < TIMERS; i++) {
        struct model *m = &model[i];

        if (m->on && (!best || m->at < best->at ||
                      (m->at == best->at && m->seq < best->seq)))
            best = m;
    }
    return best;
}

/* Set, move and stop timers at random, the one that fires among them. */
static void disturb(size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct model *m = &model[unit_below(&seed, TIMERS)];
        size_t what = unit_below(&seed, 10);

        if (what < 3)
            model_stop(m);
        else if (what < 7)
            model_set(m, 1 + (int64_t)unit_below(&seed, 2000));
        else /* many at the same time */
            model_set(m, 100 * (1 + (int64_t)unit_below(&seed, 20)));
    }
}

static void on_fire(void *arg)
{
    struct model *m = arg;

    fired++;
    ck_assert_ptr_eq(m, model_first());
    ck_assert_int_eq(clock_now(the_clock), m->at);
    ck_assert(!timer_running(&m->t));
    running--;
    m->on = false;
    /* As many as fire are set, on the average, for a while. */
    if (fired < 6000)
        disturb(unit_below(&seed, 5));
}

START_TEST(heap_like_a_model)
{
    seed = unit_seed((uint64_t)_i + 1);
    the_clock = clock_new_virtual(WALL);
    for (size_t i = 0; i < TIMERS; i++)
        model_set(&model[i], (int64_t)unit_below(&seed, 3000));
    while (running) {
        struct model *first = model_first();
        int64_t step = (int64_t)unit_below(&seed, 50);

        ck_assert_int_eq(clock_next(the_clock),
                         first->at - clock_now(the_clock));
        clock_advance(the_clock, step);
        if (fired < 6000)
            disturb(3);
        first = model_first();
        ck_assert(!first || first->at > clock_now(the_clock));
    }
    ck_assert_int_eq(clock_next(the_clock), -1);
    ck_assert_uint_gt(fired, 4000);
    clock_free(the_clock);
}
END_TEST

static int order[8], n_order;

static void note(void *arg)
{
    order[n_order++] = (int)(intptr_t)arg;
}

START_TEST(virtual_time)
{
    struct clock *c = clock_new_virtual(WALL);
    struct timer t[3] = {0};
    int64_t start = clock_now(c);

    ck_assert_int_eq(clock_wall(c), WALL);
    ck_assert_int_eq(clock_next(c), -1);
    timer_set(&t[0], c, 10, note, (void *)0);
    timer_set(&t[1], c, 10, note, (void *)1);
    timer_set(&t[2], c, 5, note, (void *)2);
    timer_set(&t[0], c, 10, note, (void *)0); /* now behind t[1] */
    ck_assert_int_eq(clock_next(c), 5);
    clock_advance(c, 4);
    ck_assert_int_eq(n_order, 0);
    clock_advance(c, 6);
    ck_assert_int_eq(n_order, 3);
    ck_assert_int_eq(order[0], 2);
    ck_assert_int_eq(order[1], 1);
    ck_assert_int_eq(order[2], 0);
    clock_advance(c, 86400000);
    clock_turn(c); /* nothing to it for a virtual clock */
    ck_assert_int_eq(clock_now(c), start + 86400010);
    ck_assert_int_eq(clock_wall(c), WALL + 86400010);
    clock_free(c);
}
END_TEST

START_TEST(far_future)
{
    struct clock *c = clock_new_virtual(WALL);
    struct timer t[2] = {0};

    timer_set(&t[0], c, INT64_MAX, note, (void *)0);
    timer_set(&t[1], c, -5, note, (void *)1); /* "at once" */
    ck_assert_int_eq(clock_next(c), 0);
    clock_advance(c, 0);
    ck_assert_int_eq(n_order, 1);
    ck_assert(timer_running(&t[0]));
    clock_free(c); /* stops what still runs */
    ck_assert(!timer_running(&t[0]));
    timer_stop(&t[0]);
    clock_free(NULL);
}
END_TEST

/* The memory of a timer is its owner's again as soon as it fires. */
static void free_it(void *arg)
{
    free(arg);
}

START_TEST(freed_when_fired)
{
    struct clock *c = clock_new_virtual(WALL);

    seed = unit_seed(5);
    for (int i = 0; i < 500; i++) {
        struct timer *t = calloc(1, sizeof(*t));

        timer_set(t, c, (int64_t)unit_below(&seed, 100), free_it, t);
    }
    clock_advance(c, 100);
    ck_assert_int_eq(clock_next(c), -1);
    clock_free(c);
}
END_TEST

START_TEST(moves_between_clocks)
{
    struct clock *a = clock_new_virtual(WALL), *b = clock_new_virtual(WALL);
    struct timer t = {0};

    timer_set(&t, a, 10, note, (void *)1);
    timer_set(&t, b, 10, note, (void *)2);
    ck_assert_int_eq(clock_next(a), -1);
    clock_advance(a, 20);
    ck_assert_int_eq(n_order, 0);
    clock_advance(b, 20);
    ck_assert_int_eq(n_order, 1);
    ck_assert_int_eq(order[0], 2);
    clock_free(a);
    clock_free(b);
}
END_TEST

/* ------------------------------------------------------------- real time */

struct real {
    struct timer t;
    struct loop *loop;
    int64_t due_us; /* not before */
    int64_t at;
};

static size_t real_left;
static int64_t last_at;

static void real_fire(void *arg)
{
    struct real *r = arg;

    ck_assert_int_ge(clock_us(), r->due_us);
    ck_assert_int_ge(r->at, last_at);
    last_at = r->at;
    if (!--real_left)
        loop_stop(r->loop);
}

static void never(void *arg)
{
    (void)arg;
    ck_abort_msg("a stopped timer fired");
}

START_TEST(real_never_early_in_order)
{
    static struct real r[1000], stopped[100];
    struct loop *l = loop_new(0);
    int64_t begin = clock_us();

    seed = unit_seed(3);
    real_left = 1000;
    for (size_t i = 0; i < 1000; i++) {
        int64_t ms = (int64_t)unit_below(&seed, 120);

        r[i].loop = l;
        /* The clock counts whole milliseconds from its cached now. */
        r[i].due_us = (clock_now(l->clock) + ms) * 1000;
        timer_set(&r[i].t, l->clock, ms, real_fire, &r[i]);
        r[i].at = r[i].t.at;
        timer_set(&stopped[i % 100].t, l->clock, 1, never, NULL);
    }
    for (size_t i = 0; i < 100; i++)
        timer_stop(&stopped[i].t);
    ck_assert_int_eq(loop_run(l), 0);
    ck_assert_uint_eq(real_left, 0);
    ck_assert_int_lt(clock_us() - begin, 20000000);
    loop_free(l);
}
END_TEST

/* An idle time-out: pushed back a thousand times, it fires once, after the
 * last. */
static struct timer pusher, idle;
static int64_t pushed_at;
static int pushes;

static void idle_fire(void *arg)
{
    struct loop *l = arg;

    ck_assert_int_eq(pushes, 40);
    ck_assert_int_ge(clock_us() / 1000 + 1, pushed_at + 60);
    loop_stop(l);
}

static void push(void *arg)
{
    struct loop *l = arg;

    for (int i = 0; i < 25; i++)
        timer_set(&idle, l->clock, 60, idle_fire, l);
    pushed_at = clock_now(l->clock);
    if (++pushes < 40)
        timer_set(&pusher, l->clock, 2, push, l);
}

START_TEST(real_pushed_back)
{
    struct loop *l = loop_new(0);

    timer_set(&pusher, l->clock, 0, push, l);
    ck_assert_int_eq(loop_run(l), 0);
    loop_free(l);
}
END_TEST

/* A timer that sets itself to "at once" leaves other work its turn. */
static struct timer eager;
static unsigned eager_turns;
static bool posted_ran;

static void eager_fire(void *arg)
{
    struct loop *l = arg;

    eager_turns++;
    ck_assert_uint_lt(eager_turns, 100000);
    timer_set(&eager, l->clock, 0, eager_fire, l);
    if (posted_ran)
        loop_stop(l);
}

static void posted(struct loop_job *job)
{
    (void)job;
    posted_ran = true;
}

START_TEST(real_at_once_does_not_starve)
{
    struct loop *l = loop_new(0);
    struct loop_job job = {.run = posted};

    timer_set(&eager, l->clock, 0, eager_fire, l);
    loop_post(l, &job);
    ck_assert_int_eq(loop_run(l), 0);
    ck_assert(posted_ran);
    timer_stop(&eager);
    loop_free(l);
}
END_TEST

START_TEST(real_wall)
{
    struct loop *l = loop_new(0);
    int64_t now = (int64_t)time(NULL) * 1000;

    ck_assert_int_ge(clock_wall(l->clock) + 1000, now);
    ck_assert_int_le(clock_wall(l->clock), now + 60000);
    loop_free(l);
}
END_TEST

/* Also for CK_FORK=no, where all tests share one process. */
static void start(void)
{
    memset(model, 0, sizeof(model));
    next_seq = 0;
    fired = running = 0;
    n_order = 0;
    last_at = 0;
    pushes = 0;
    eager_turns = 0;
    posted_ran = false;
}

Suite *base_clock_suite(void)
{
    Suite *s = suite_create("base/clock");
    TCase *t = tcase_create("clock");

    tcase_add_checked_fixture(t, start, NULL);
    tcase_add_loop_test(t, heap_like_a_model, 0, 3);
    tcase_add_test(t, virtual_time);
    tcase_add_test(t, far_future);
    tcase_add_test(t, freed_when_fired);
    tcase_add_test(t, moves_between_clocks);
    tcase_add_test(t, real_never_early_in_order);
    tcase_add_test(t, real_pushed_back);
    tcase_add_test(t, real_at_once_does_not_starve);
    tcase_add_test(t, real_wall);
    suite_add_tcase(s, t);
    return s;
}
