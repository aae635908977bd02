/* SPDX-License-Identifier: MIT */
/* Breakers and cooldowns, on times that the test makes. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "manager/health.h"

static struct health *h;
static int64_t until;

static void setup(void)
{
    h = health_new();
    ck_assert_ptr_nonnull(h);
}

static void teardown(void)
{
    health_free(h);
}

static enum health_say look(const char *model, int64_t now)
{
    return health_look(h, "p", str_c(model), now, &until);
}

static void attempt(const char *model, int64_t now, int kind, int scope,
                    int64_t retry_after)
{
    struct err e;

    err_clear(&e);
    health_begin(h, "p", str_c(model), now);
    if (kind) {
        err_set(&e, kind, "no");
        if (scope)
            e.scope = scope;
        e.retry_after_ms = retry_after;
    }
    health_end(h, "p", str_c(model), now, kind ? &e : NULL);
}

static void miss(const char *model, int64_t now)
{
    attempt(model, now, PBAY_E_UPSTREAM, PBAY_SCOPE_MODEL, -1);
}

static void succeed(const char *model, int64_t now)
{
    attempt(model, now, 0, 0, -1);
}

START_TEST(three_in_a_row_open_it)
{
    miss("m", 100);
    miss("m", 200);
    succeed("m", 300);
    miss("m", 400);
    miss("m", 500);
    ck_assert_int_eq(look("m", 500), HEALTH_GO);
    miss("m", 600);
    ck_assert_int_eq(look("m", 601), HEALTH_OPEN);
    ck_assert_int_eq(until, 600 + HEALTH_OPEN_MS);
    ck_assert_int_eq(look("other", 601), HEALTH_GO);
}
END_TEST

START_TEST(one_probe_at_a_time)
{
    int64_t t = 600 + HEALTH_OPEN_MS;

    for (int i = 0; i < 3; i++)
        miss("m", 600);
    ck_assert_int_eq(look("m", t - 1), HEALTH_OPEN);
    ck_assert_int_eq(look("m", t), HEALTH_GO);
    health_begin(h, "p", STR("m"), t);
    ck_assert_int_eq(look("m", t + 1), HEALTH_OPEN);
    /* Given up: the next one may. */
    health_dismiss(h, "p", STR("m"));
    ck_assert_int_eq(look("m", t + 2), HEALTH_GO);
    succeed("m", t + 3);
    ck_assert_int_eq(look("m", t + 4), HEALTH_GO);
    /* Closed for good: it takes three again. */
    miss("m", t + 5);
    miss("m", t + 6);
    ck_assert_int_eq(look("m", t + 7), HEALTH_GO);
}
END_TEST

START_TEST(twice_as_long_each_time_up_to_a_limit)
{
    int64_t t = 1000, wait = HEALTH_OPEN_MS;

    for (int i = 0; i < 3; i++)
        miss("m", t);
    for (int i = 0; i < 12; i++) {
        ck_assert_int_eq(look("m", t + 1), HEALTH_OPEN);
        ck_assert_int_eq(until, t + wait);
        t = until;
        ck_assert_int_eq(look("m", t), HEALTH_GO);
        miss("m", t); /* the probe */
        wait = wait * 2 < HEALTH_OPEN_MAX_MS ? wait * 2 : HEALTH_OPEN_MAX_MS;
    }
    ck_assert_int_eq(wait, HEALTH_OPEN_MAX_MS);
    t += wait;
    succeed("m", t);
    for (int i = 0; i < 3; i++)
        miss("m", t + 1);
    look("m", t + 2);
    ck_assert_int_eq(until, t + 1 + HEALTH_OPEN_MS);
}
END_TEST

START_TEST(half_of_the_last_ones_open_it_too)
{
    int n = 0;

    while (look("m", n) == HEALTH_GO && n < 100) {
        if (n % 2)
            miss("m", n);
        else
            succeed("m", n);
        n++;
    }
    /* Counted from the first failure on; opened by a failure. */
    ck_assert_int_eq(n, HEALTH_WINDOW + 2);
}
END_TEST

START_TEST(a_late_failure_changes_nothing_while_it_is_open)
{
    for (int i = 0; i < 3; i++)
        miss("m", 100);
    for (int i = 0; i < 50; i++)
        miss("m", 200); /* attempts that were under way */
    look("m", 300);
    ck_assert_int_eq(until, 100 + HEALTH_OPEN_MS);
}
END_TEST

START_TEST(what_is_not_the_targets_fault_does_not_count)
{
    for (int i = 0; i < 100; i++) {
        attempt("m", i, PBAY_E_INVALID, PBAY_SCOPE_REQUEST, -1);
        attempt("m", i, PBAY_E_FILTER, PBAY_SCOPE_REQUEST, -1);
    }
    ck_assert_int_eq(look("m", 200), HEALTH_GO);
}
END_TEST

/* Long answers that began before their provider had enough. */
START_TEST(cooldown_outlives_what_was_under_way)
{
    health_begin(h, "p", STR("m"), 50);
    attempt("m", 100, PBAY_E_RATE, PBAY_SCOPE_MODEL, 1000);
    health_end(h, "p", STR("m"), 200, NULL);
    ck_assert_int_eq(look("m", 201), HEALTH_COOLING);
    ck_assert_int_eq(until, 1100);
    succeed("m", 300);
    ck_assert_int_eq(look("m", 301), HEALTH_GO);
    /* The same of what concerns all models. */
    attempt("m", 400, PBAY_E_RATE, PBAY_SCOPE_KEY, 1000);
    health_end(h, "p", STR("x"), 500, NULL);
    ck_assert_int_eq(look("m", 501), HEALTH_COOLING);
    succeed("x", 600);
    ck_assert_int_eq(look("m", 601), HEALTH_GO);
}
END_TEST

START_TEST(cooldown_by_the_newest_word)
{
    attempt("m", 1000, PBAY_E_RATE, PBAY_SCOPE_MODEL, 7000);
    ck_assert_int_eq(look("m", 2000), HEALTH_COOLING);
    ck_assert_int_eq(until, 8000);
    ck_assert_int_eq(look("other", 2000), HEALTH_GO);
    attempt("m", 2000, PBAY_E_RATE, PBAY_SCOPE_MODEL, 1000);
    ck_assert_int_eq(look("m", 2999), HEALTH_COOLING);
    ck_assert_int_eq(look("m", 3000), HEALTH_GO);
    attempt("m", 4000, PBAY_E_RATE, PBAY_SCOPE_MODEL, INT64_MAX);
    ck_assert_int_eq(look("m", 4000 + HEALTH_COOL_MAX_MS), HEALTH_GO);
}
END_TEST

START_TEST(scope_of_a_failure)
{
    attempt("m", 1000, PBAY_E_RATE, PBAY_SCOPE_KEY, 5000);
    ck_assert_int_eq(look("m", 1001), HEALTH_COOLING);
    ck_assert_int_eq(look("other", 1001), HEALTH_COOLING);
    ck_assert_int_eq(health_look(h, "q", STR("m"), 1001, &until), HEALTH_GO);
    health_reset(h, "p", 1001);
    ck_assert_int_eq(look("m", 1001), HEALTH_GO);
}
END_TEST

static void count(void *arg, const struct health_state *s)
{
    (void)s;
    ++*(int *)arg;
}

START_TEST(states_are_bounded)
{
    char model[32];
    int n = 0;

    for (int i = 0; i < HEALTH_TARGETS + 500; i++) {
        snprintf(model, sizeof(model), "m%d", i);
        miss(model, i);
    }
    health_each(h, 0, count, &n);
    ck_assert_int_eq(n, HEALTH_TARGETS);
    /* The newest are there. */
    miss(model, 9000);
    miss(model, 9001);
    ck_assert_int_eq(look(model, 9002), HEALTH_OPEN);
}
END_TEST

static void first(void *arg, const struct health_state *s)
{
    *(struct health_state *)arg = *s;
}

START_TEST(what_is_told)
{
    struct health_state s;

    for (int i = 0; i < 3; i++)
        miss("m", 100);
    health_each(h, 1100, first, &s);
    ck_assert_str_eq(s.provider, "p");
    ck_assert_str_eq(s.model, "m");
    ck_assert_str_eq(s.say, "open");
    ck_assert_uint_eq(s.in_a_row, 3);
    ck_assert_int_eq(s.for_ms, HEALTH_OPEN_MS - 1000);
    ck_assert_str_eq(s.last, err_class(PBAY_E_UPSTREAM)->name);
    health_each(h, 100 + HEALTH_OPEN_MS, first, &s);
    ck_assert_str_eq(s.say, "half_open");
}
END_TEST

/* The newest first: "closed", "half_open", ... */
static void history(char *to, size_t room)
{
    struct health_state s;
    size_t n = 0;

    health_each(h, 0, first, &s);
    for (size_t i = 0; i < s.n_changes; i++)
        n +=
            (size_t)snprintf(to + n, room - n, "%s%s@%lld", i ? " " : "",
                             s.changes[i].state, (long long)s.changes[i].at_ms);
}

START_TEST(how_it_came_to_be_so)
{
    struct health_state s;
    char text[512];

    for (int i = 0; i < 3; i++)
        miss("m", 100);
    health_begin(h, "p", STR("m"), 6000);
    health_end(h, "p", STR("m"), 6100, NULL);
    history(text, sizeof(text));
    ck_assert_str_eq(text, "closed@6100 half_open@6000 open@100");
    health_each(h, 0, first, &s);
    ck_assert_int_eq(s.changes[2].for_ms, HEALTH_OPEN_MS);
    ck_assert_str_eq(s.changes[2].why, err_class(PBAY_E_UPSTREAM)->name);
    health_reset(h, "p", 7000);
    history(text, sizeof(text));
    ck_assert_str_eq(text, "reset@7000 closed@6100 half_open@6000 open@100");
}
END_TEST

/* One entry for a cooldown, however many answers repeat it; and no more entries
 * than there is room for. */
START_TEST(history_is_bounded)
{
    struct health_state s;
    struct err e;

    err_set(&e, PBAY_E_RATE, "later");
    for (int i = 0; i < 5; i++) {
        e.retry_after_ms = 1000;
        health_end(h, "p", STR("m"), 100 + i, &e);
    }
    health_each(h, 0, first, &s);
    ck_assert_uint_eq(s.n_changes, 1);
    ck_assert_str_eq(s.changes[0].state, "cooling");
    ck_assert_int_eq(s.changes[0].at_ms, 104);
    for (int i = 0; i < 50; i++)
        health_end(h, "p", STR("m"), 2000 + i * 2000, &e);
    health_each(h, 0, first, &s);
    ck_assert_uint_eq(s.n_changes, HEALTH_CHANGES);
    for (size_t i = 0; i < s.n_changes; i++)
        ck_assert_int_eq(s.changes[i].at_ms, 2000 + (49 - (int)i) * 2000);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("health");
    TCase *t = tcase_create("all");
    SRunner *r = srunner_create(s);
    int failed;

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, how_it_came_to_be_so);
    tcase_add_test(t, history_is_bounded);
    tcase_add_test(t, three_in_a_row_open_it);
    tcase_add_test(t, one_probe_at_a_time);
    tcase_add_test(t, twice_as_long_each_time_up_to_a_limit);
    tcase_add_test(t, half_of_the_last_ones_open_it_too);
    tcase_add_test(t, a_late_failure_changes_nothing_while_it_is_open);
    tcase_add_test(t, what_is_not_the_targets_fault_does_not_count);
    tcase_add_test(t, cooldown_by_the_newest_word);
    tcase_add_test(t, cooldown_outlives_what_was_under_way);
    tcase_add_test(t, scope_of_a_failure);
    tcase_add_test(t, states_are_bounded);
    tcase_add_test(t, what_is_told);
    suite_add_tcase(s, t);
    srunner_run_all(r, CK_NORMAL);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
