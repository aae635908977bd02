/* SPDX-License-Identifier: MIT */
/* Native runs: order, backpressure, gates, cancelling at every stage, and
 * thousands of runs from four event loops at once. */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "module/native_pool.h"
#include "module/times.h"

/* --- a native provider for the tests --- */

enum what {
    EMIT,      /* emit n events of `size` bytes of text, then return */
    WAIT,      /* wait until woken */
    WAIT_GATE, /* wait until the test opens the door, or woken */
    BAD_EVENT, /* emit an event that is too small for this ABI */
    RICH       /* emit usage and error with every string set */
};

struct fake {
    enum what what;
    unsigned n, size;
    struct native_run *run;
    struct loop *loop;
    _Atomic unsigned emitted, woken;
    _Atomic bool entered, returned;
    /* as the loop sees it */
    unsigned events, expect, cancel_at, pause_at;
    bool ended, released, out_of_order;
    pbay_rc rc;
    void (*done)(struct fake *f);
    struct world *world;
};

/* What wake() signals, the same for all runs of these tests. */
static pthread_mutex_t door_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t door = PTHREAD_COND_INITIALIZER;
static bool door_open;
static _Atomic unsigned at_once, most_at_once;

static pbay_rc emit_text(struct fake *f, unsigned i)
{
    char text[4096];
    unsigned n = f->size < sizeof text ? f->size : sizeof text;
    memset(text, 'a' + (int)(i % 26), n);
    pbay_event ev = {
        .size = sizeof ev, .type = PBAY_EV_TEXT, .index = i, .text = {text, n}};
    pbay_rc rc = native_run_emit(f->run, &ev);
    memset(text, '?', sizeof text); /* it was borrowed for the call only */
    return rc;
}

static pbay_rc emit_rich(struct fake *f)
{
    char s[8][2] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    pbay_usage usage = {.size = sizeof usage,
                        .known = PBAY_U_INPUT,
                        .input = 7,
                        .units = {s[0], 1}};
    pbay_error error = {.size = sizeof error,
                        .kind = PBAY_E_RATE,
                        .retry_after_ms = 1500,
                        .code = {s[1], 1},
                        .type = {s[2], 1},
                        .param = {s[3], 1},
                        .message = {s[4], 1},
                        .request_id = {s[5], 1}};
    pbay_event ev = {.size = sizeof ev,
                     .type = PBAY_EV_ERROR,
                     .choice = 1,
                     .code = 2,
                     .id = {s[6], 1},
                     .json = {s[7], 1},
                     .usage = &usage,
                     .error = &error};
    native_run_emit(f->run, &ev);
    memset(s, '?', sizeof s);
    memset(&usage, 0xff, sizeof usage);
    memset(&error, 0xff, sizeof error);
    return PBAY_FAIL;
}

static void wait_for_door(struct fake *f, bool may_open)
{
    pthread_mutex_lock(&door_lock);
    while (!native_run_cancelled(f->run) && !(may_open && door_open))
        pthread_cond_wait(&door, &door_lock);
    pthread_mutex_unlock(&door_lock);
}

static void set_door(bool open)
{
    pthread_mutex_lock(&door_lock);
    door_open = open;
    pthread_cond_broadcast(&door);
    pthread_mutex_unlock(&door_lock);
}

static pbay_rc fake_work(struct fake *f)
{
    pbay_event small = {.size = 24, .type = PBAY_EV_TEXT};
    switch (f->what) {
    case EMIT:
        for (unsigned i = 0; i < f->n; i++) {
            if (emit_text(f, i) != PBAY_OK)
                return PBAY_FAIL;
            atomic_fetch_add(&f->emitted, 1);
        }
        return PBAY_OK;
    case WAIT:
    case WAIT_GATE:
        wait_for_door(f, f->what == WAIT_GATE);
        return PBAY_OK;
    case BAD_EVENT:
        return native_run_emit(f->run, &small) == PBAY_STOPPED ? PBAY_OK
                                                               : PBAY_NOSYS;
    case RICH:
        return emit_rich(f);
    }
    return PBAY_NOSYS;
}

static pbay_rc fake_run(void *inst, pbay_call *call, const pbay_request *req)
{
    struct fake *f = (struct fake *)call;
    (void)inst;
    (void)req;
    unsigned now = atomic_fetch_add(&at_once, 1) + 1;
    unsigned most = atomic_load(&most_at_once);
    while (now > most &&
           !atomic_compare_exchange_weak(&most_at_once, &most, now))
        ;
    atomic_store(&f->entered, true);
    pbay_rc rc = fake_work(f);
    atomic_fetch_sub(&at_once, 1);
    atomic_store(&f->returned, true);
    return rc;
}

static void fake_wake(void *inst, pbay_call *call)
{
    struct fake *f = (struct fake *)call;
    (void)inst;
    atomic_fetch_add(&f->woken, 1);
    pthread_mutex_lock(&door_lock);
    pthread_cond_broadcast(&door);
    pthread_mutex_unlock(&door_lock);
}

static const pbay_native fake_native = {.size = sizeof fake_native,
                                        .ops = PBAY_OP_BIT(PBAY_OP_CHAT),
                                        .run = fake_run,
                                        .wake = fake_wake};

/* --- the loop's side --- */

static void on_event(void *arg, const pbay_event *ev)
{
    struct fake *f = arg;
    if (ev->index != f->events || ev->text.n != f->size ||
        (ev->text.n && (ev->text.p[0] != 'a' + (int)(f->events % 26) ||
                        ev->text.p[ev->text.n - 1] != ev->text.p[0])))
        f->out_of_order = true;
    f->events++;
    if (f->events == f->pause_at)
        native_run_pause(f->run, true);
    if (f->events == f->cancel_at)
        native_run_cancel(f->run);
    if (f->expect && f->events == f->expect)
        loop_stop(f->loop);
}

static void on_end(void *arg, pbay_rc rc)
{
    struct fake *f = arg;
    f->ended = true;
    f->rc = rc;
    f->done(f);
}

static void on_released(void *arg)
{
    struct fake *f = arg;
    f->released = true;
    f->done(f);
}

static const struct native_ops ops = {on_event, on_end};

static void stop_loop(struct fake *f)
{
    loop_stop(f->loop);
}

static struct loop *loop;
static struct native_pool *pool;
static struct native_gate gate;
static struct module_times times;

static void start_world(void)
{
    loop = loop_new(0);
    ck_assert_ptr_nonnull(loop);
    pool = native_pool_new(4, 8);
    ck_assert_ptr_nonnull(pool);
    gate = (struct native_gate){0};
    set_door(false);
    atomic_store(&at_once, 0);
    atomic_store(&most_at_once, 0);
}

static void end_world(void)
{
    native_pool_free(pool);
    loop_free(loop);
}

static int start(struct fake *f)
{
    f->loop = loop;
    if (!f->done)
        f->done = stop_loop;
    struct native_job job = {.loop = loop,
                             .native = &fake_native,
                             .call = (pbay_call *)f,
                             .gate = &gate,
                             .ops = &ops,
                             .arg = f,
                             .released = on_released,
                             .times = &times,
                             .name = "fake"};
    return native_run_start(pool, &job, &f->run);
}

static void must_start(struct fake *f)
{
    ck_assert_int_eq(start(f), 0);
}

/* Until the condition holds, with the loop idle: other threads make it so. */
#define AWAIT(cond)        \
    do {                   \
        while (!(cond))    \
            sched_yield(); \
    } while (0)

START_TEST(events_arrive_in_order)
{
    struct fake f = {.what = EMIT, .n = 2000, .size = 100};
    must_start(&f);
    loop_run(loop);
    ck_assert(f.ended && !f.released && !f.out_of_order);
    ck_assert_int_eq(f.rc, PBAY_OK);
    ck_assert_uint_eq(f.events, 2000);
    ck_assert_uint_eq(atomic_load(&f.woken), 0);
}
END_TEST

static pbay_event seen;
static pbay_usage seen_usage;
static pbay_error seen_error;
static char seen_text[16];

static void see(void *arg, const pbay_event *ev)
{
    (void)arg;
    seen = *ev;
    seen_usage = *ev->usage;
    seen_error = *ev->error;
    snprintf(seen_text, sizeof seen_text, "%c%c%c%c%c%c%c%c",
             ev->usage->units.p[0], ev->error->code.p[0], ev->error->type.p[0],
             ev->error->param.p[0], ev->error->message.p[0],
             ev->error->request_id.p[0], ev->id.p[0], ev->json.p[0]);
}

START_TEST(all_an_event_points_to_is_copied)
{
    static const struct native_ops see_ops = {see, on_end};
    struct fake f = {.what = RICH, .loop = loop, .done = stop_loop};
    struct native_job job = {.loop = loop,
                             .native = &fake_native,
                             .call = (pbay_call *)&f,
                             .ops = &see_ops,
                             .arg = &f};
    ck_assert_int_eq(native_run_start(pool, &job, &f.run), 0);
    loop_run(loop);
    ck_assert_int_eq(f.rc, PBAY_FAIL);
    ck_assert_str_eq(seen_text, "abcdefgh");
    ck_assert_uint_eq(seen.type, PBAY_EV_ERROR);
    ck_assert_uint_eq(seen.code, 2);
    ck_assert_uint_eq(seen_usage.input, 7);
    ck_assert_uint_eq(seen_error.kind, PBAY_E_RATE);
    ck_assert_int_eq(seen_error.retry_after_ms, 1500);
}
END_TEST

START_TEST(event_of_another_size_ends_the_call)
{
    struct fake f = {.what = BAD_EVENT};
    must_start(&f);
    loop_run(loop);
    ck_assert(f.ended);
    ck_assert_int_eq(f.rc, PBAY_FAIL);
    ck_assert_uint_eq(f.events, 0);
}
END_TEST

/* A run that nobody reads from stops emitting when the bound is reached. */
START_TEST(paused_run_is_held_back)
{
    struct fake f = {
        .what = EMIT, .n = 5000, .size = 1000, .pause_at = 1, .expect = 1};
    must_start(&f);
    loop_run(loop);
    ck_assert_uint_eq(f.events, 1);
    unsigned room = (unsigned)(LIM_NATIVE_EVENTS / 1000);
    AWAIT(atomic_load(&f.emitted) > room / 2);
    f.expect = 0;
    /* The worker can go on only if it is let: give it every chance to. */
    for (int i = 0; i < 10000; i++)
        sched_yield();
    ck_assert_uint_le(atomic_load(&f.emitted), room + 3);
    ck_assert(!f.ended);
    native_run_pause(f.run, false);
    loop_run(loop);
    ck_assert(f.ended && !f.out_of_order);
    ck_assert_uint_eq(f.events, 5000);
}
END_TEST

START_TEST(end_waits_while_paused)
{
    struct fake f = {
        .what = EMIT, .n = 1, .size = 1, .pause_at = 1, .expect = 1};
    must_start(&f);
    loop_run(loop);
    AWAIT(atomic_load(&f.returned));
    native_pool_free(pool); /* nothing of the run is in the pool any more */
    pool = native_pool_new(1, 1);
    ck_assert(!f.ended);
    native_run_pause(f.run, false);
    loop_run(loop);
    ck_assert(f.ended);
    ck_assert_int_eq(f.rc, PBAY_OK);
}
END_TEST

START_TEST(cancel_wakes_a_waiting_run)
{
    struct fake f = {.what = WAIT};
    must_start(&f);
    AWAIT(atomic_load(&f.entered));
    int64_t from = clock_us();
    native_run_cancel(f.run);
    loop_run(loop);
    int64_t took = clock_us() - from;
    ck_assert(f.released && !f.ended);
    ck_assert_uint_eq(atomic_load(&f.woken), 1);
    ck_assert_msg(took < 100000, "%lld us until released", (long long)took);
}
END_TEST

START_TEST(cancel_frees_a_run_held_back)
{
    struct fake f = {
        .what = EMIT, .n = 5000, .size = 1000, .pause_at = 1, .expect = 1};
    must_start(&f);
    loop_run(loop);
    AWAIT(atomic_load(&f.emitted) > LIM_NATIVE_EVENTS / 2000);
    native_run_cancel(f.run);
    loop_run(loop);
    ck_assert(f.released && !f.ended);
    ck_assert_uint_eq(f.events, 1);
    ck_assert_uint_lt(atomic_load(&f.emitted), 5000);
}
END_TEST

START_TEST(cancel_from_inside_an_event)
{
    struct fake f = {.what = EMIT, .n = 5000, .size = 10, .cancel_at = 700};
    must_start(&f);
    loop_run(loop);
    ck_assert(f.released && !f.ended && !f.out_of_order);
    ck_assert_uint_eq(f.events, 700);
}
END_TEST

START_TEST(cancel_after_the_worker_has_returned)
{
    struct fake f = {.what = EMIT, .n = 3, .size = 10};
    must_start(&f);
    AWAIT(atomic_load(&f.returned));
    native_run_cancel(f.run);
    loop_run(loop);
    ck_assert(f.released && !f.ended);
    ck_assert_uint_eq(f.events, 0);
}
END_TEST

/* One run at a time although there are four workers; the others wait, and one
 * that is cancelled while it waits never runs. */
START_TEST(gate_and_waiting_runs)
{
    struct fake f[3] = {
        {.what = WAIT_GATE}, {.what = WAIT_GATE}, {.what = WAIT_GATE}};
    gate.max = 1;
    for (int i = 0; i < 3; i++)
        must_start(&f[i]);
    AWAIT(atomic_load(&f[0].entered));
    native_run_cancel(f[1].run);
    loop_run(loop);
    ck_assert(f[1].released && !atomic_load(&f[1].entered));
    ck_assert(!atomic_load(&f[2].entered));
    set_door(true);
    while (!f[0].ended || !f[2].ended)
        loop_run(loop);
    ck_assert(atomic_load(&f[2].entered));
    ck_assert_uint_eq(atomic_load(&most_at_once), 1);
    ck_assert_uint_eq(gate.running, 0);
}
END_TEST

START_TEST(full_queue_is_refused)
{
    struct fake f[13];
    memset(f, 0, sizeof f);
    for (int i = 0; i < 12; i++) { /* four workers and a queue of eight */
        f[i].what = WAIT_GATE;
        must_start(&f[i]);
    }
    f[12].what = WAIT_GATE;
    ck_assert_int_eq(start(&f[12]), -EAGAIN);
    ck_assert_ptr_null(f[12].run);
    native_run_cancel(f[11].run);
    must_start(&f[12]);
    AWAIT(atomic_load(&at_once) == 4);
    set_door(true);
    for (unsigned left = 13; left;) {
        loop_run(loop);
        left = 13;
        for (int i = 0; i < 13; i++)
            left -= f[i].ended || f[i].released;
    }
    ck_assert_uint_eq(atomic_load(&most_at_once), 4);
}
END_TEST

/* One instance that fills its gate leaves the other workers to others. */
START_TEST(closed_gate_does_not_block_others)
{
    struct fake f[2] = {{.what = WAIT_GATE}, {.what = WAIT_GATE}};
    struct fake other = {
        .what = EMIT, .n = 1, .size = 1, .loop = loop, .done = stop_loop};
    struct native_gate other_gate = {.max = 1};
    gate.max = 1;
    must_start(&f[0]);
    must_start(&f[1]);
    struct native_job job = {.loop = loop,
                             .native = &fake_native,
                             .call = (pbay_call *)&other,
                             .gate = &other_gate,
                             .ops = &ops,
                             .arg = &other};
    ck_assert_int_eq(native_run_start(pool, &job, &other.run), 0);
    loop_run(loop);
    ck_assert(other.ended && !f[0].ended && !f[1].ended);
    set_door(true);
    while (!f[0].ended || !f[1].ended)
        loop_run(loop);
}
END_TEST

START_TEST(free_ends_what_is_left)
{
    struct fake f[6];
    memset(f, 0, sizeof f);
    gate.max = 2;
    for (int i = 0; i < 6; i++) {
        f[i].what = WAIT;
        must_start(&f[i]);
    }
    AWAIT(atomic_load(&f[0].entered) && atomic_load(&f[1].entered));
    native_run_cancel(f[5].run);
    end_world();
    pool = NULL;
    loop = loop_new(0);
    for (int i = 0; i < 5; i++) {
        ck_assert(f[i].ended && !f[i].released);
        ck_assert_int_eq(f[i].rc, i < 2 ? PBAY_OK : PBAY_STOPPED);
        ck_assert(atomic_load(&f[i].entered) == (i < 2));
    }
    ck_assert(f[5].released && !f[5].ended);
}
END_TEST

START_TEST(time_is_counted)
{
    times = (struct module_times){0};
    struct fake f = {.what = EMIT, .n = 1, .size = 1};
    must_start(&f);
    loop_run(loop);
    struct module_times_sum sum = module_times_read(&times, 1);
    ck_assert_uint_eq(sum.calls, 1);
    ck_assert_uint_eq(sum.slow, 0);
    struct module_times t[2] = {0};
    ck_assert(!module_times_add(&t[0], 10));
    ck_assert(!module_times_add(&t[0], -1));
    ck_assert(!module_times_add(&t[0], LIM_CALLBACK_US));
    ck_assert(module_times_add(&t[0], LIM_CALLBACK_US + 1));
    ck_assert(module_times_add_shared(&t[1], LIM_CALLBACK_US + 5, true));
    ck_assert(!module_times_add_shared(&t[1], LIM_CALLBACK_US + 9, false));
    sum = module_times_read(t, 2);
    ck_assert_uint_eq(sum.calls, 6);
    ck_assert_uint_eq(sum.slow, 2);
    ck_assert_uint_eq(sum.max_us, LIM_CALLBACK_US + 9);
    ck_assert_uint_eq(sum.us, 4 * LIM_CALLBACK_US + 25);
}
END_TEST

/* --- four loops --- */

#define LOOPS   4
#define AT_ONCE 6

struct world {
    struct loop *loop;
    struct native_pool *pool;
    struct native_gate *gate;
    unsigned to_start, running, ended, released, events, refused;
    bool bad;
    uint64_t random;
    struct loop_job begin;
    struct fake fakes[AT_ONCE];
};

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void world_done(struct fake *f);

/* A run of some kind, on the slot. */
static void world_start(struct world *w, struct fake *f)
{
    uint64_t r = next_random(&w->random);
    *f = (struct fake){.what = EMIT,
                       .n = (unsigned)(r % 40),
                       .size = (unsigned)(r >> 8) % 3000,
                       .loop = w->loop,
                       .done = world_done,
                       .world = w};
    if ((r >> 20) % 4 == 0)
        f->cancel_at = 1 + (unsigned)(r >> 24) % 30;
    bool wait = (r >> 30) % 8 == 0;
    if (wait)
        f->what = WAIT;
    struct native_job job = {.loop = w->loop,
                             .native = &fake_native,
                             .call = (pbay_call *)f,
                             .gate = w->gate,
                             .ops = &ops,
                             .arg = f,
                             .released = on_released,
                             .times = &times};
    int rc = native_run_start(w->pool, &job, &f->run);
    if (rc == -EAGAIN) {
        /* The shared queue is full: counted, and the slot stays empty. */
        w->refused++;
        return;
    }
    w->bad = w->bad || rc < 0;
    w->running++;
    w->to_start--;
    if (wait || (r >> 40) % 16 == 0)
        native_run_cancel(f->run);
}

static void world_done(struct fake *f)
{
    struct world *w = f->world;
    w->running--;
    w->events += f->events;
    w->bad = w->bad || f->out_of_order || (f->ended && f->released) ||
             (f->ended && f->events != f->n);
    if (f->ended)
        w->ended++;
    else
        w->released++;
    unsigned before = w->running;
    if (w->to_start)
        world_start(w, f);
    if (w->running == before && !w->running)
        loop_stop(w->loop);
}

static void world_begin(struct loop_job *job)
{
    struct world *w =
        (struct world *)((char *)job - offsetof(struct world, begin));
    for (int i = 0; i < AT_ONCE; i++)
        world_start(w, &w->fakes[i]);
}

START_TEST(thousands_of_runs_from_four_loops)
{
    static struct world w[LOOPS];
    unsigned each = 1500;
    native_pool_free(pool);
    pool = native_pool_new(5, 1000);
    gate.max = 4;
    for (int i = 0; i < LOOPS; i++) {
        w[i] = (struct world){.loop = loop_new(i),
                              .pool = pool,
                              .gate = &gate,
                              .to_start = each,
                              .random = 88172645463325252u + (unsigned)i};
        w[i].begin.run = world_begin;
        ck_assert_int_eq(loop_thread_start(w[i].loop, "test"), 0);
        loop_post(w[i].loop, &w[i].begin);
    }
    for (int i = 0; i < LOOPS; i++)
        ck_assert_int_eq(loop_thread_join(w[i].loop), 0);
    for (int i = 0; i < LOOPS; i++) {
        ck_assert(!w[i].bad);
        ck_assert_uint_eq(w[i].refused, 0);
        ck_assert_uint_eq(w[i].ended + w[i].released, each);
        ck_assert_uint_gt(w[i].ended, each / 4);
        ck_assert_uint_gt(w[i].released, each / 8);
        ck_assert_uint_gt(w[i].events, each);
    }
    ck_assert_uint_le(atomic_load(&most_at_once), 4);
    ck_assert_uint_eq(gate.running, 0);
    native_pool_free(pool);
    pool = NULL;
    for (int i = 0; i < LOOPS; i++)
        loop_free(w[i].loop);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("native_pool");
    TCase *t = tcase_create("runs");
    tcase_add_checked_fixture(t, start_world, end_world);
    tcase_add_test(t, events_arrive_in_order);
    tcase_add_test(t, all_an_event_points_to_is_copied);
    tcase_add_test(t, event_of_another_size_ends_the_call);
    tcase_add_test(t, paused_run_is_held_back);
    tcase_add_test(t, end_waits_while_paused);
    tcase_add_test(t, cancel_wakes_a_waiting_run);
    tcase_add_test(t, cancel_frees_a_run_held_back);
    tcase_add_test(t, cancel_from_inside_an_event);
    tcase_add_test(t, cancel_after_the_worker_has_returned);
    tcase_add_test(t, gate_and_waiting_runs);
    tcase_add_test(t, full_queue_is_refused);
    tcase_add_test(t, closed_gate_does_not_block_others);
    tcase_add_test(t, free_ends_what_is_left);
    tcase_add_test(t, time_is_counted);
    tcase_add_test(t, thousands_of_runs_from_four_loops);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
