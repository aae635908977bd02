/* SPDX-License-Identifier: MIT */
/* Limits: on times that the test makes, and with clients that race on two
 * loops. */
#include "unit.h"

#include <stdatomic.h>

#include "manager/limits.h"

static struct cfg_limits caps;
static struct limit_refusal no;
static struct loop *loop;
static int woken, refused;
static bool waits;

static void setup(void)
{
    caps = (struct cfg_limits){0};
    loop = loop_new(0);
    ck_assert_ptr_nonnull(loop);
    woken = refused = 0;
}

static void teardown(void)
{
    ck_assert_uint_eq(limits_waiting(), 0);
    loop_free(loop);
    limits_free();
}

static void on_wake(void *arg, const struct limit_refusal *r)
{
    (void)arg;
    woken++;
    refused += r != NULL;
}

static struct ticket *enter(const char *name, uint64_t tokens, int64_t now)
{
    struct limit_want w = {.tokens = tokens, .max_queue = 2, .now_ms = now};

    w.of[LIMIT_PROVIDER].name = str_c(name);
    w.of[LIMIT_PROVIDER].caps = &caps;
    waits = false;
    return limits_enter(&w, loop, on_wake, NULL, &waits, &no);
}

static struct ticket *goes(const char *name, uint64_t tokens, int64_t now)
{
    struct ticket *t = enter(name, tokens, now);

    ck_assert_ptr_nonnull(t);
    ck_assert(!waits);
    return t;
}

static struct ticket *queues(const char *name, uint64_t tokens, int64_t now)
{
    struct ticket *t = enter(name, tokens, now);

    ck_assert_ptr_nonnull(t);
    ck_assert(waits);
    return t;
}

static void stop(struct loop_job *job)
{
    (void)job;
    loop_stop(loop);
}

/* Those posted until now. */
static void run_jobs(void)
{
    struct loop_job last = {.run = stop};

    loop_post(loop, &last);
    ck_assert_int_eq(loop_run(loop), 0);
}

START_TEST(requests_of_a_minute)
{
    caps.requests = 3;
    limits_leave(goes("p", 1, 10000), 1, 10000);
    limits_leave(goes("p", 1, 30999), 1, 30999);
    limits_leave(goes("p", 1, 40000), 1, 40000);
    ck_assert_ptr_null(enter("p", 1, 50000));
    ck_assert_int_eq(no.what, LIMIT_REQUESTS);
    ck_assert_int_eq(no.kind, LIMIT_PROVIDER);
    ck_assert_int_eq(no.cap, 3);
    ck_assert_int_eq(no.retry_ms, 21000);
    /* A whole minute after the first, and no sooner. */
    ck_assert_ptr_null(enter("p", 1, 70000));
    limits_leave(goes("p", 1, 71000), 1, 71000);
    ck_assert_ptr_null(enter("p", 1, 72000));
    ck_assert_int_eq(no.retry_ms, 19000);
    limits_leave(goes("other", 1, 72000), 1, 72000);
    limits_leave(goes("p", 1, 999000), 1, 999000);
}
END_TEST

START_TEST(no_minute_has_more)
{
    int64_t went[4000];
    size_t n = 0, from = 0;
    uint64_t seed = 7;

    caps.requests = 50;
    for (int64_t now = 1000; now < 400000;
         now += (int64_t)unit_below(&seed, 200)) {
        struct ticket *t = enter("p", 1, now);
        if (!t) {
            ck_assert_int_gt(no.retry_ms, 0);
            continue;
        }
        limits_leave(t, 1, now);
        went[n++] = now;
        while (went[from] <= now - 60000)
            from++;
        ck_assert_uint_le(n - from, 50);
    }
    ck_assert_uint_gt(n, 50 * 6);
}
END_TEST

START_TEST(tokens_are_settled)
{
    struct ticket *a, *b;

    caps.tokens = 1000;
    a = goes("p", 600, 5000);
    /* There is room, but for what is not settled. */
    b = queues("p", 600, 5000);
    limits_leave(a, 100, 6000);
    run_jobs();
    ck_assert_int_eq(woken, 1);
    ck_assert_int_eq(refused, 0);
    limits_leave(b, 900, 7000);
    /* Now it is used up. */
    ck_assert_ptr_null(enter("p", 10, 8000));
    ck_assert_int_eq(no.what, LIMIT_TOKENS);
    ck_assert_int_eq(no.retry_ms, 58000);
    limits_leave(goes("p", 10, 66000), 10, 66000);
    /* One that is larger than all goes alone. */
    limits_leave(goes("q", 5000, 66000), 5000, 66000);
    ck_assert_ptr_null(enter("q", 1, 66000));
}
END_TEST

START_TEST(one_that_waits_is_refused_when_all_is_used)
{
    struct ticket *a, *b;

    caps.tokens = 1000;
    a = goes("p", 600, 5000);
    b = queues("p", 600, 5000);
    limits_leave(a, 990, 6000);
    run_jobs();
    ck_assert_int_eq(woken, 1);
    ck_assert_int_eq(refused, 1);
    limits_leave(b, 0, 6000);
}
END_TEST

START_TEST(at_once)
{
    struct ticket *a, *b, *c;

    caps.concurrent = 1;
    a = goes("p", 1, 1000);
    b = queues("p", 1, 1000);
    c = queues("p", 1, 1000);
    ck_assert_ptr_null(enter("p", 1, 1000));
    ck_assert_int_eq(no.what, LIMIT_FULL);
    ck_assert_uint_eq(limits_waiting(), 2);
    /* Another's limits do not make it wait behind these. */
    limits_leave(goes("q", 1, 1000), 1, 1000);
    /* First come, first served; one that gives up makes room. */
    limits_leave(b, 0, 1000);
    limits_leave(a, 1, 1000);
    run_jobs();
    ck_assert_int_eq(woken, 1);
    limits_leave(c, 1, 1000);
    limits_leave(goes("p", 1, 1000), 1, 1000);
}
END_TEST

START_TEST(given_up_when_its_turn_came)
{
    struct ticket *a, *b;

    caps.concurrent = 1;
    a = goes("p", 1, 1000);
    b = queues("p", 1, 1000);
    limits_leave(a, 1, 1000);
    limits_leave(b, 0, 1000); /* the news is still on its way */
    a = goes("p", 1, 1000);
    run_jobs();
    ck_assert_int_eq(woken, 0);
    limits_leave(a, 1, 1000);
}
END_TEST

START_TEST(all_or_nothing)
{
    struct cfg_limits key = {.requests = 1}, one = {.concurrent = 1};
    struct limit_want w = {.tokens = 1, .max_queue = 9, .now_ms = 1000};
    struct ticket *a;

    w.of[LIMIT_KEY].name = STR("k");
    w.of[LIMIT_KEY].caps = &key;
    w.of[LIMIT_PROVIDER].name = STR("p");
    w.of[LIMIT_PROVIDER].caps = &one;
    a = limits_enter(&w, loop, on_wake, NULL, &waits, &no);
    ck_assert(a && !waits);
    /* The key's refusal outweighs the wait, and takes nothing. */
    ck_assert_ptr_null(limits_enter(&w, loop, on_wake, NULL, &waits, &no));
    ck_assert_int_eq(no.kind, LIMIT_KEY);
    ck_assert_uint_eq(limits_waiting(), 0);
    limits_leave(a, 1, 1000);
    /* A second attempt of the same request is not counted again. */
    w.again = true;
    a = limits_enter(&w, loop, on_wake, NULL, &waits, &no);
    ck_assert(a && !waits);
    limits_leave(a, 1, 1000);
}
END_TEST

/* --- two loops ----------------------------------------------------------- */

#define RACERS  500
#define ROUNDS  20
#define AT_ONCE 7

static _Atomic int inside, most, done;

struct racer {
    struct loop_job job;
    struct loop *loop;
    struct ticket *ticket;
    int rounds;
    bool in;
};

static void race(struct loop_job *job);

static void goes_in(struct racer *r)
{
    int now = atomic_fetch_add(&inside, 1) + 1, was = atomic_load(&most);

    while (now > was && !atomic_compare_exchange_weak(&most, &was, now))
        ;
    r->in = true;
    loop_post(r->loop, &r->job);
}

static void on_turn(void *arg, const struct limit_refusal *r)
{
    ck_assert_ptr_null(r);
    goes_in(arg);
}

static void race(struct loop_job *job)
{
    struct racer *r = (struct racer *)job;
    struct limit_want w = {.tokens = 1, .max_queue = RACERS, .now_ms = 1000};
    struct limit_refusal why;
    bool later;

    if (r->in) {
        r->in = false;
        atomic_fetch_sub(&inside, 1);
        limits_leave(r->ticket, 1, 1000);
        if (++r->rounds == ROUNDS) {
            atomic_fetch_add(&done, 1);
            return;
        }
    }
    w.of[LIMIT_MODEL].name = STR("p");
    w.of[LIMIT_MODEL].part = STR("m");
    w.of[LIMIT_MODEL].caps = &caps;
    r->ticket = limits_enter(&w, r->loop, on_turn, r, &later, &why);
    /* Nobody is refused while there is room in the queue. */
    ck_assert_ptr_nonnull(r->ticket);
    if (!later)
        goes_in(r);
}

START_TEST(racing_clients)
{
    static struct racer racers[RACERS];
    struct loop *loops[2] = {loop, loop_new(1)};

    ck_assert_ptr_nonnull(loops[1]);
    caps.concurrent = AT_ONCE;
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(loop_thread_start(loops[i], "race"), 0);
    for (int i = 0; i < RACERS; i++) {
        racers[i] = (struct racer){.job.run = race, .loop = loops[i % 2]};
        loop_post(loops[i % 2], &racers[i].job);
    }
    while (atomic_load(&done) < RACERS)
        usleep(1000);
    for (int i = 0; i < 2; i++) {
        loop_stop(loops[i]);
        ck_assert_int_eq(loop_thread_join(loops[i]), 0);
    }
    loop_free(loops[1]);
    /* Never more than allowed, and the places were used. */
    ck_assert_int_eq(atomic_load(&most), AT_ONCE);
    ck_assert_int_eq(atomic_load(&inside), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("limits");
    TCase *t = tcase_create("limits");

    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, requests_of_a_minute);
    tcase_add_test(t, no_minute_has_more);
    tcase_add_test(t, tokens_are_settled);
    tcase_add_test(t, one_that_waits_is_refused_when_all_is_used);
    tcase_add_test(t, at_once);
    tcase_add_test(t, given_up_when_its_turn_came);
    tcase_add_test(t, all_or_nothing);
    tcase_add_test(t, racing_clients);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
