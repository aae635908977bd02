/* SPDX-License-Identifier: MIT */
/* Names: the resolver's cache and threads, and how the curl transport uses
 * them.  The lookups are the test's own, so that they are as slow, wrong or
 * counted as needed. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http/resolver.h"
#include "tx_harness.h"

static atomic_int lookups, inside;
static atomic_bool hold; /* lookups of "slow.*" wait while it is set */
static char names[64][64];

static int fake_lookup(const char *host, char *dst, size_t n)
{
    int nth = atomic_fetch_add(&lookups, 1);

    snprintf(names[nth % 64], sizeof names[0], "%s", host);
    atomic_fetch_add(&inside, 1);
    while (strncmp(host, "slow", 4) == 0 && atomic_load(&hold))
        usleep(1000);
    atomic_fetch_sub(&inside, 1);
    if (strncmp(host, "no", 2) == 0)
        return EAI_NONAME;
    /* "move.*" is first where nobody listens, then here */
    snprintf(dst, n, "127.0.0.%d",
             strncmp(host, "move", 4) == 0 && !nth ? 9 : 1);
    return 0;
}

static struct upstream up;

static void start_with(int64_t ttl_ms, size_t max)
{
    atomic_store(&lookups, 0);
    atomic_store(&hold, true);
    ck_assert_int_eq(resolver_start_with(fake_lookup, ttl_ms, max), 0);
    harness_setup();
    upstream_start(&up, serve_ok, NULL, NULL, NULL);
}

static void setup(void)
{
    start_with(60000, 16);
}

static void teardown(void)
{
    atomic_store(&hold, false);
    upstream_stop(&up);
    harness_teardown();
}

static const char *url_of(const char *host)
{
    static char url[16][128];
    static int n;

    n = (n + 1) % 16;
    snprintf(url[n], sizeof url[0], "http://%s:%d/path?key=secret", host,
             up.port);
    return url[n];
}

/* --- the resolver alone --- */

struct answer {
    int n;
    char addrs[128], why[128];
};

static void on_answer(void *arg, const char *addrs, int64_t ttl_ms,
                      const char *why)
{
    struct answer *a = arg;

    (void)ttl_ms;
    a->n++;
    snprintf(a->addrs, sizeof a->addrs, "%s", addrs ? addrs : "");
    snprintf(a->why, sizeof a->why, "%s", why);
}

/* 1 and the address at once, or 0 and later in *a. */
static int ask(const char *host, struct answer *a, struct resolve_wait **w)
{
    struct resolve_wait *wait;
    char *addrs = NULL;
    int64_t ttl_ms = 0;
    int rc;

    memset(a, 0, sizeof *a);
    rc = resolver_ask(loop, host, &addrs, &ttl_ms, on_answer, a,
                      w ? w : &wait);
    ck_assert_int_eq(a->n, 0);
    if (rc == 1) {
        ck_assert_int_gt(ttl_ms, 0);
        snprintf(a->addrs, sizeof a->addrs, "%s", addrs);
    }
    free(addrs);
    return rc;
}

static bool answered(void *arg)
{
    return ((struct answer *)arg)->n > 0;
}

START_TEST(cached)
{
    struct answer a;

    ck_assert_int_eq(ask("one.test", &a, NULL), 0);
    pump(answered, &a, 5000);
    ck_assert_str_eq(a.addrs, "127.0.0.1");
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(ask(i & 1 ? "ONE.test" : "one.test", &a, NULL), 1);
        ck_assert_str_eq(a.addrs, "127.0.0.1");
    }
    ck_assert_int_eq(atomic_load(&lookups), 1);
}
END_TEST

/* Failures are told and not kept. */
START_TEST(failures)
{
    struct answer a;

    for (int i = 1; i <= 3; i++) {
        ck_assert_int_eq(ask("no.test", &a, NULL), 0);
        pump(answered, &a, 5000);
        ck_assert_str_eq(a.addrs, "");
        ck_assert_str_eq(a.why, gai_strerror(EAI_NONAME));
        ck_assert_int_eq(atomic_load(&lookups), i);
    }
}
END_TEST

/* Many wait for one lookup; those that forget are not told. */
START_TEST(shared)
{
    struct answer a[20];
    struct resolve_wait *w[20];

    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(ask("slow.test", &a[i], &w[i]), 0);
    for (int i = 0; i < 20; i += 3)
        resolver_forget(w[i]);
    pump_ms(30);
    atomic_store(&hold, false);
    pump(answered, &a[19], 5000);
    pump_ms(20);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(a[i].n, i % 3 ? 1 : 0);
    ck_assert_int_eq(atomic_load(&lookups), 1);
}
END_TEST

static bool nobody_inside(void *arg)
{
    (void)arg;
    return !atomic_load(&inside);
}

/* Forgetting in the moment the answer is on its way. */
START_TEST(forgetting_races)
{
    for (int i = 0; i < 200; i++) {
        struct resolve_wait *w;
        struct answer a;
        char host[32];

        snprintf(host, sizeof host, "no%d.test", i);
        ck_assert_int_eq(ask(host, &a, &w), 0);
        if (i & 1)
            while (atomic_load(&lookups) <= i)
                ;
        if (i % 3 == 0)
            usleep(50);
        resolver_forget(w);
        if (i % 10 == 0)
            pump_ms(1);
        ck_assert_int_eq(a.n, 0);
    }
    pump(nobody_inside, NULL, 5000);
}
END_TEST

/* Names that do not fit push out the one that was not used for the longest;
 * when all are under way, there is no room. */
START_TEST(bounded)
{
    struct resolve_wait *w[16];
    struct answer a, b[16];
    char host[32];
    int before;

    for (int i = 0; i < 40; i++) {
        snprintf(host, sizeof host, "h%d.test", i);
        ck_assert_int_eq(ask(host, &a, NULL), 0);
        pump(answered, &a, 5000);
        usleep(1100); /* the age counts in milliseconds */
        if (i > 0)
            ck_assert_int_eq(ask("h0.test", &a, NULL), 1);
    }
    ck_assert_int_eq(ask("h39.test", &a, NULL), 1);
    before = atomic_load(&lookups);
    ck_assert_int_eq(ask("h1.test", &a, NULL), 0);
    pump(answered, &a, 5000);
    ck_assert_int_eq(atomic_load(&lookups), before + 1);
    for (int i = 0; i < 16; i++) {
        snprintf(host, sizeof host, "slow%d.test", i);
        ck_assert_int_eq(ask(host, &b[i], &w[i]), 0);
    }
    ck_assert_int_eq(ask("more.test", &a, NULL), -EBUSY);
    for (int i = 0; i < 16; i++)
        resolver_forget(w[i]);
}
END_TEST

START_TEST(refreshed)
{
    struct answer a;
    int64_t t0 = clock_us();
    int n;

    ck_assert_int_eq(ask("one.test", &a, NULL), 0);
    pump(answered, &a, 5000);
    /* asked for all the time it is never unknown, and yet looked up anew */
    while (clock_us() - t0 < 1000000) {
        ck_assert_int_eq(ask("one.test", &a, NULL), 1);
        pump_ms(5);
    }
    n = atomic_load(&lookups);
    ck_assert_int_ge(n, 4);
    ck_assert_int_le(n, 12);
    /* left alone it runs out */
    pump_ms(350);
    ck_assert_int_eq(ask("one.test", &a, NULL), 0);
    pump(answered, &a, 5000);
    ck_assert_int_eq(atomic_load(&lookups), n + 1);
}
END_TEST

static void setup_short(void)
{
    start_with(200, 16);
}

/* The system's own lookup, for what needs no network. */
START_TEST(system_names)
{
    struct resolve_wait *wait;
    struct answer a = {0};
    char *addrs;
    int64_t ttl_ms;

    resolver_stop();
    ck_assert_int_eq(resolver_start(), 0);
    ck_assert_int_eq(resolver_ask(loop, "127.0.0.1", &addrs, &ttl_ms,
                                  on_answer, &a, &wait),
                     0);
    pump(answered, &a, 20000);
    ck_assert_str_eq(a.addrs, "127.0.0.1");
    memset(&a, 0, sizeof a);
    ck_assert_int_eq(resolver_ask(loop, "::1", &addrs, &ttl_ms, on_answer, &a,
                                  &wait),
                     0);
    pump(answered, &a, 20000);
    ck_assert_str_eq(a.addrs, "[::1]");
}
END_TEST

/* Stopping does not wait for a name server that does not answer. */
START_TEST(stopping)
{
    struct resolve_wait *w;
    struct answer a;
    int64_t t0;

    ck_assert_int_eq(ask("slow.test", &a, &w), 0);
    while (!atomic_load(&inside))
        usleep(1000);
    resolver_forget(w);
    t0 = clock_us();
    resolver_stop();
    ck_assert_int_lt(clock_us() - t0, 3000000);
    ck_assert_int_eq(resolver_start_with(fake_lookup, 1000, 4), 0);
    ck_assert_int_eq(ask("one.test", &a, NULL), 0);
    pump(answered, &a, 5000);
    atomic_store(&hold, false);
    pump(nobody_inside, NULL, 5000);
}
END_TEST

/* --- through the transport --- */

START_TEST(by_name)
{
    struct call c;

    for (int i = 0; i < 5; i++) {
        call_init(&c);
        call_run(&c, url_of(i == 3 ? "API.test" : "api.test"));
        ck_assert_msg(c.kind == ERR_NONE, "%s", c.why);
        ck_assert_int_eq(c.reused, i > 0);
        ck_body(&c, "ok");
        call_done(&c);
    }
    ck_assert_int_eq(atomic_load(&lookups), 1);
}
END_TEST

/* Many at once that all need the same new name and a connection each. */
START_TEST(by_name_at_once)
{
    static struct call c[40];

    for (size_t i = 0; i < LENGTH(c); i++) {
        call_init(&c[i]);
        call_get(&c[i], url_of("slow.test"));
    }
    pump_ms(30);
    atomic_store(&hold, false);
    for (size_t i = 0; i < LENGTH(c); i++) {
        call_wait(&c[i]);
        ck_assert_msg(c[i].kind == ERR_NONE, "%s", c[i].why);
        call_done(&c[i]);
    }
    ck_assert_int_eq(atomic_load(&lookups), 1);
}
END_TEST

/* A name that has moved: once its time has run out the new address is used,
 * in curl's own cache too. */
START_TEST(moved)
{
    struct call c;

    call_init(&c);
    call_run(&c, url_of("move.test"));
    ck_assert_int_eq(c.kind, ERR_CONNECT);
    call_done(&c);
    pump_ms(250);
    call_init(&c);
    call_run(&c, url_of("move.test"));
    ck_assert_msg(c.kind == ERR_NONE, "%s", c.why);
    call_done(&c);
    ck_assert_int_eq(atomic_load(&lookups), 2);
}
END_TEST

START_TEST(local_names)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost", "LOCALHOST",
                                        "a.localhost"};
    struct call c;

    for (size_t i = 0; i < LENGTH(hosts); i++) {
        call_init(&c);
        call_run(&c, url_of(hosts[i]));
        ck_assert_msg(c.kind == ERR_NONE, "%s: %s", hosts[i], c.why);
        call_done(&c);
    }
    ck_assert_int_eq(atomic_load(&lookups), 0);
}
END_TEST

START_TEST(not_found)
{
    struct call c;

    call_init(&c);
    call_run(&c, url_of("no.such.test"));
    ck_assert_int_eq(c.kind, ERR_CONNECT);
    ck_assert_ptr_nonnull(
        strstr(c.why, "the address of no.such.test cannot be found: "));
    ck_assert_ptr_nonnull(strstr(c.why, gai_strerror(EAI_NONAME)));
    ck_assert_ptr_null(strstr(c.why, "secret"));
    call_done(&c);
}
END_TEST

/* The lookup counts as connecting; it neither holds up the loop nor what
 * follows. */
START_TEST(too_slow)
{
    int64_t t0 = clock_us();
    struct call c, local;

    profile.connect_ms = 200;
    call_init(&c);
    call_init(&local);
    call_get(&c, url_of("slow.test"));
    call_run(&local, url_of("127.0.0.1"));
    ck_assert_int_eq(local.kind, ERR_NONE);
    ck_assert_int_eq(c.ends, 0);
    call_wait(&c);
    ck_assert_int_eq(c.kind, ERR_CONNECT_TIMEOUT);
    ck_assert_ptr_nonnull(strstr(c.why, "slow.test"));
    ck_assert_int_ge(clock_us() - t0, 190000);
    ck_assert_int_le(clock_us() - t0, 2000000);
    call_done(&c);
    call_done(&local);
}
END_TEST

/* Cancelled while it waits; freed while it waits. */
START_TEST(leaving)
{
    struct call c, d;
    int64_t t0 = clock_us();

    call_init(&c);
    call_init(&d);
    call_get(&c, url_of("slow.test"));
    call_get(&d, url_of("slow.other.test"));
    pump_ms(10);
    call_cancel(&c);
    transport_free(tp);
    ck_assert_int_lt(clock_us() - t0, 500000);
    tp = transport_curl_new(loop);
    ck_assert_ptr_nonnull(tp);
    atomic_store(&hold, false);
    pump_ms(50);
    ck_assert_int_eq(c.ends + d.ends, 0);
    call_done(&c);
    call_done(&d);
}
END_TEST

/* --- several loops at once --- */

#define ROUNDS 300

struct worker {
    struct loop *loop;
    struct loop_job job;
    struct timer timer;
    int left, waiting;
};

static void next_round(struct worker *w);

static void on_worker_answer(void *arg, const char *addrs, int64_t ttl_ms,
                             const char *why)
{
    struct worker *w = arg;

    (void)addrs;
    (void)ttl_ms;
    (void)why;
    w->waiting--;
    next_round(w);
}

static void next_round(struct worker *w)
{
    while (!w->waiting && w->left > 0) {
        struct resolve_wait *kept, *gone;
        char host[32], *addrs;
        int64_t ttl_ms;
        int rc;

        w->left--;
        snprintf(host, sizeof host, "%s%d.test", w->left & 1 ? "h" : "no",
                 w->left % 12);
        rc = resolver_ask(w->loop, host, &addrs, &ttl_ms, on_worker_answer, w,
                          &kept);
        if (rc == 1)
            free(addrs);
        else if (rc == 0)
            w->waiting++;
        rc = resolver_ask(w->loop, host, &addrs, &ttl_ms, on_worker_answer, w,
                          &gone);
        if (rc == 1)
            free(addrs);
        else if (rc == 0)
            resolver_forget(gone);
    }
    if (!w->left && !w->waiting)
        loop_stop(w->loop);
}

static void begin(struct loop_job *job)
{
    next_round((struct worker *)(void *)((char *)job -
                                         offsetof(struct worker, job)));
}

START_TEST(loops)
{
    struct worker w[3];

    memset(w, 0, sizeof w);
    for (size_t i = 0; i < LENGTH(w); i++) {
        w[i].loop = loop_new((int)i);
        w[i].left = ROUNDS;
        w[i].job.run = begin;
        loop_post(w[i].loop, &w[i].job);
        ck_assert_int_eq(loop_thread_start(w[i].loop, "test"), 0);
    }
    for (size_t i = 0; i < LENGTH(w); i++) {
        ck_assert_int_eq(loop_thread_join(w[i].loop), 0);
        ck_assert_int_eq(w[i].left + w[i].waiting, 0);
        loop_free(w[i].loop);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("resolver");
    TCase *tc = tcase_create("names");
    SRunner *r;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, cached);
    tcase_add_test(tc, failures);
    tcase_add_test(tc, shared);
    tcase_add_test(tc, forgetting_races);
    tcase_add_test(tc, bounded);
    tcase_add_test(tc, system_names);
    tcase_add_test(tc, stopping);
    tcase_add_test(tc, by_name);
    tcase_add_test(tc, by_name_at_once);
    tcase_add_test(tc, local_names);
    tcase_add_test(tc, not_found);
    tcase_add_test(tc, too_slow);
    tcase_add_test(tc, leaving);
    suite_add_tcase(s, tc);
    tc = tcase_create("ageing");
    tcase_add_checked_fixture(tc, setup_short, teardown);
    tcase_add_test(tc, refreshed);
    tcase_add_test(tc, moved);
    tcase_add_test(tc, loops);
    suite_add_tcase(s, tc);
    r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
