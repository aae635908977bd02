/* SPDX-License-Identifier: MIT */
/* Loops, their mailbox and threads. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "base/loop.h"
#include "base/thread.h"

#include "test_base.h"

#define SENDERS 4
#define JOBS    20000

struct numbered {
    struct loop_job job;
    struct loop *loop;
    unsigned sender, number;
};

static unsigned next_of[SENDERS]; /* written by the receiving thread alone */
static unsigned arrived;

static void on_numbered(struct loop_job *job)
{
    struct numbered *n = (struct numbered *)job;

    if (n->number != next_of[n->sender]++)
        ck_abort_msg("sender %u: %u is out of order", n->sender, n->number);
    arrived++;
    free(n);
}

static void *send_many(void *arg)
{
    struct numbered *first = arg;

    for (unsigned i = 0; i < JOBS; i++) {
        struct numbered *n = malloc(sizeof(*n));

        *n = (struct numbered){
            {NULL, on_numbered}, first->loop, first->sender, i};
        loop_post(n->loop, &n->job);
    }
    return NULL;
}

static void on_stop(struct loop_job *job)
{
    loop_stop(((struct numbered *)job)->loop);
}

START_TEST(mailbox_keeps_order)
{
    struct loop *l = loop_new(3);
    struct numbered from[SENDERS], stop;
    pthread_t t[SENDERS];

    ck_assert_int_eq(l->id, 3);
    ck_assert_int_eq(loop_thread_start(l, "receiver"), 0);
    ck_assert_int_lt(loop_thread_start(l, "second"), 0);
    for (unsigned i = 0; i < SENDERS; i++) {
        from[i] = (struct numbered){.loop = l, .sender = i};
        ck_assert_int_eq(thread_start(&t[i], "sender", send_many, &from[i]), 0);
    }
    for (unsigned i = 0; i < SENDERS; i++)
        pthread_join(t[i], NULL);
    stop = (struct numbered){.job.run = on_stop, .loop = l};
    loop_post(l, &stop.job);
    ck_assert_int_eq(loop_thread_join(l), 0);
    ck_assert_uint_eq(arrived, SENDERS * JOBS);
    loop_free(l);
}
END_TEST

/* ------------------------------------------------------------ the ending */

static pthread_t ran_on;
static unsigned late_runs;

static void on_late(struct loop_job *job)
{
    struct numbered *n = (struct numbered *)job;

    ran_on = pthread_self();
    late_runs++;
    if (n->number) { /* a job that posts another, also at the end */
        n->number--;
        loop_post(n->loop, job);
    } else {
        free(n);
    }
}

START_TEST(jobs_after_the_end)
{
    struct loop *l = loop_new(0);

    loop_thread_start(l, "short");
    loop_stop(l);
    ck_assert_int_eq(loop_thread_join(l), 0);
    for (int i = 0; i < 3; i++) {
        struct numbered *n = calloc(1, sizeof(*n));

        n->job.run = on_late;
        n->loop = l;
        n->number = 2;
        loop_post(l, &n->job);
    }
    ck_assert_uint_eq(late_runs, 0);
    loop_free(l);
    ck_assert_uint_eq(late_runs, 9);
    ck_assert(pthread_equal(ran_on, pthread_self()));
    loop_free(NULL);
}
END_TEST

START_TEST(stop_before_run)
{
    struct loop *l = loop_new(0);

    loop_stop(l);
    ck_assert_int_eq(loop_run(l), 0);
    loop_stop(l); /* and once more: a loop may run again */
    ck_assert_int_eq(loop_run(l), 0);
    ck_assert_int_eq(loop_thread_join(l), 0); /* there is none */
    loop_free(l);
}
END_TEST

/* The poster may still be inside loop_post() when its job ends the loop, and
 * with it the mailbox. */
static struct numbered ending;

static void *post_ending(void *arg)
{
    (void)arg;
    loop_post(ending.loop, &ending.job);
    return NULL;
}

static void *stop_it(void *arg)
{
    loop_stop(arg);
    return NULL;
}

START_TEST(end_while_posting)
{
    for (int i = 0; i < 300; i++) {
        struct loop *l = loop_new(0);
        pthread_t poster;

        ending = (struct numbered){.job.run = on_stop, .loop = l};
        ck_assert_int_eq(loop_thread_start(l, "ends"), 0);
        ck_assert_int_eq(
            thread_start(&poster, "p", i % 2 ? post_ending : stop_it, l), 0);
        ck_assert_int_eq(loop_thread_join(l), 0);
        loop_free(l);
        pthread_join(poster, NULL);
    }
}
END_TEST

/* Jobs posted while jobs run have their turn later, so that a chain of them
 * does not keep timers waiting. */
static bool timer_came;
static unsigned chain_length;

static void on_timer(void *arg)
{
    (void)arg;
    timer_came = true;
}

static void on_chain(struct loop_job *job)
{
    struct numbered *n = (struct numbered *)job;

    chain_length++;
    ck_assert_uint_lt(chain_length, 10000000);
    if (timer_came)
        loop_stop(n->loop);
    else
        loop_post(n->loop, job);
}

START_TEST(chain_of_jobs)
{
    struct loop *l = loop_new(0);
    struct numbered n = {.job.run = on_chain, .loop = l};
    struct timer t = {0};

    timer_set(&t, l->clock, 10, on_timer, NULL);
    loop_post(l, &n.job);
    ck_assert_uint_eq(chain_length, 0); /* never inside loop_post() */
    ck_assert_int_eq(loop_run(l), 0);
    ck_assert(timer_came);
    loop_free(l);
}
END_TEST

/* --------------------------------------------------------------- threads */

static sigset_t thread_mask;
static char thread_name[16];
static atomic_bool named;

static void *look(void *arg)
{
    while (!atomic_load(&named)) /* the name is given by the starter */
        sched_yield();
    pthread_sigmask(SIG_SETMASK, NULL, &thread_mask);
    pthread_getname_np(pthread_self(), thread_name, sizeof(thread_name));
    return arg;
}

START_TEST(threads_are_set_up)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    static const int others[] = {SIGINT,  SIGTERM, SIGHUP,  SIGPIPE,
                                 SIGCHLD, SIGUSR1, SIGALRM, SIGQUIT};
    sigset_t before, after;
    pthread_t t;

    pthread_sigmask(SIG_SETMASK, NULL, &before);
    ck_assert_int_eq(thread_start(&t, "a-name-beyond-15-bytes", look, NULL), 0);
    atomic_store(&named, true);
    pthread_join(t, NULL);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    ck_assert_str_eq(thread_name, "a-name-beyond-1");
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        ck_assert_int_eq(sigismember(&thread_mask, others[i]), 1);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        ck_assert_int_eq(sigismember(&thread_mask, faults[i]), 0);
    for (int sig = 1; sig < 32; sig++)
        ck_assert_int_eq(sigismember(&before, sig), sigismember(&after, sig));
}
END_TEST

/* No descriptor stays behind. */
START_TEST(loops_leave_nothing)
{
    int before = dup(0), after;

    close(before);
    for (int i = 0; i < 50; i++) {
        struct loop *l = loop_new(i);

        loop_thread_start(l, "x");
        loop_stop(l);
        loop_thread_join(l);
        loop_free(l);
    }
    after = dup(0);
    close(after);
    ck_assert_int_eq(before, after);
}
END_TEST

static void start(void)
{
    memset(next_of, 0, sizeof(next_of));
    arrived = late_runs = chain_length = 0;
    timer_came = false;
    atomic_store(&named, false);
}

Suite *base_loop_suite(void)
{
    Suite *s = suite_create("base/loop");
    TCase *t = tcase_create("loop");

    tcase_add_checked_fixture(t, start, NULL);
    tcase_add_test(t, mailbox_keeps_order);
    tcase_add_test(t, jobs_after_the_end);
    tcase_add_test(t, stop_before_run);
    tcase_add_test(t, end_while_posting);
    tcase_add_test(t, chain_of_jobs);
    tcase_add_test(t, threads_are_set_up);
    tcase_add_test(t, loops_leave_nothing);
    suite_add_tcase(s, t);
    return s;
}
