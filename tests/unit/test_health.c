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

static bool begin(const char *model, int64_t now, struct health_ticket *t)
{
    return health_begin(h, "p", str_c(model), now, t);
}

static void end(const char *model, int64_t now, int kind,
                const struct health_ticket *t)
{
    struct err e;

    err_clear(&e);
    if (kind) {
        err_set(&e, kind, "no");
        e.scope =
            kind == PBAY_E_INVALID ? PBAY_SCOPE_REQUEST : PBAY_SCOPE_MODEL;
    }
    health_end(h, "p", str_c(model), now, kind ? &e : NULL, t);
}

static void attempt(const char *model, int64_t now, int kind, int scope,
                    int64_t retry_after)
{
    struct health_ticket t;
    struct err e;

    err_clear(&e);
    begin(model, now, &t);
    if (kind) {
        err_set(&e, kind, "no");
        if (scope)
            e.scope = scope;
        e.retry_after_ms = retry_after;
    }
    health_end(h, "p", str_c(model), now, kind ? &e : NULL, &t);
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
    struct health_ticket probe, other;

    for (int i = 0; i < 3; i++)
        miss("m", 600);
    ck_assert_int_eq(look("m", t - 1), HEALTH_OPEN);
    ck_assert_int_eq(look("m", t), HEALTH_GO);
    ck_assert(begin("m", t, &probe));
    ck_assert_int_eq(look("m", t + 1), HEALTH_OPEN);
    /* Whoever looked before that is told now, and is no probe. */
    ck_assert(!begin("m", t + 1, &other));
    health_dismiss(h, "p", STR("m"), &other);
    ck_assert_int_eq(look("m", t + 1), HEALTH_OPEN);
    ck_assert(begin("other", t + 1, &other));
    /* Given up: the next one may. */
    health_dismiss(h, "p", STR("m"), &probe);
    ck_assert_int_eq(look("m", t + 2), HEALTH_GO);
    succeed("m", t + 3);
    ck_assert_int_eq(look("m", t + 4), HEALTH_GO);
    /* Closed for good: it takes three again. */
    miss("m", t + 5);
    miss("m", t + 6);
    ck_assert_int_eq(look("m", t + 7), HEALTH_GO);
}
END_TEST

/* Long answers that began before it opened, and end while it is half-open. */
START_TEST(what_was_under_way_is_no_probe)
{
    static const int kinds[] = {0, PBAY_E_INVALID, PBAY_E_UPSTREAM};
    int64_t t = 600 + HEALTH_OPEN_MS;
    struct health_ticket old[3], given_up, probe;

    for (int i = 0; i < 3; i++)
        begin("m", 500, &old[i]);
    begin("m", 500, &given_up);
    for (int i = 0; i < 3; i++)
        miss("m", 600);
    /* Half-open, and nobody has come yet. */
    end("m", t, PBAY_E_UPSTREAM, &old[2]);
    ck_assert_int_eq(look("m", t), HEALTH_GO);
    ck_assert(begin("m", t, &probe));
    for (int i = 0; i < 3; i++) {
        end("m", t + 1, kinds[i], &old[i]);
        ck_assert_int_eq(look("m", t + 1), HEALTH_OPEN);
    }
    health_dismiss(h, "p", STR("m"), &given_up);
    ck_assert_int_eq(look("m", t + 1), HEALTH_OPEN);
    /* The probe fails: the second time, not the third. */
    end("m", t + 2, PBAY_E_UPSTREAM, &probe);
    ck_assert_int_eq(look("m", t + 2), HEALTH_OPEN);
    ck_assert_int_eq(until, t + 2 + 2 * HEALTH_OPEN_MS);
    t = until;
    ck_assert(begin("m", t, &probe));
    end("m", t, 0, &probe);
    ck_assert_int_eq(look("m", t), HEALTH_GO);
    /* Closed, and what is left of that time fails. */
    for (int i = 0; i < 3; i++)
        end("m", t + 1, PBAY_E_UPSTREAM, &old[i]);
    ck_assert_int_eq(look("m", t + 1), HEALTH_GO);
    for (int i = 0; i < 3; i++)
        miss("m", t + 2);
    ck_assert_int_eq(look("m", t + 2), HEALTH_OPEN);
}
END_TEST

START_TEST(asked_all_the_same_while_it_is_open)
{
    struct health_ticket t;

    for (int i = 0; i < 3; i++)
        miss("m", 600);
    ck_assert(begin("m", 700, &t)); /* nobody else was left */
    ck_assert_int_eq(look("m", 700), HEALTH_OPEN);
    end("m", 800, 0, &t);
    ck_assert_int_eq(look("m", 800), HEALTH_GO);
}
END_TEST

START_TEST(a_reset_forgets_what_is_under_way)
{
    struct health_ticket t[3];

    for (int i = 0; i < 3; i++)
        begin("m", 100, &t[i]);
    miss("m", 100);
    health_reset(h, "p", 150);
    for (int i = 0; i < 3; i++)
        end("m", 200, PBAY_E_UPSTREAM, &t[i]);
    ck_assert_int_eq(look("m", 200), HEALTH_GO);
}
END_TEST

/* The provider's own probe is not its model's. */
START_TEST(probes_of_provider_and_model)
{
    int64_t t = 600 + HEALTH_OPEN_MS;
    struct health_ticket a, b;

    for (int i = 0; i < 3; i++)
        attempt("m", 600, PBAY_E_UPSTREAM, PBAY_SCOPE_PROVIDER, -1);
    ck_assert_int_eq(look("x", 601), HEALTH_OPEN);
    ck_assert(begin("m", t, &a));
    ck_assert(!begin("x", t, &b));
    end("x", t, PBAY_E_UPSTREAM, &b); /* of x alone */
    ck_assert_int_eq(look("m", t), HEALTH_OPEN);
    end("m", t, 0, &a);
    ck_assert_int_eq(look("m", t), HEALTH_GO);
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
    struct health_ticket m, x;

    begin("m", 50, &m);
    begin("x", 50, &x);
    attempt("m", 100, PBAY_E_RATE, PBAY_SCOPE_MODEL, 1000);
    end("m", 200, 0, &m);
    ck_assert_int_eq(look("m", 201), HEALTH_COOLING);
    ck_assert_int_eq(until, 1100);
    succeed("m", 300);
    ck_assert_int_eq(look("m", 301), HEALTH_GO);
    /* The same of what concerns all models. */
    attempt("m", 400, PBAY_E_RATE, PBAY_SCOPE_KEY, 1000);
    end("x", 500, 0, &x);
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
    /* One goes for another while an attempt at it ends. */
    struct health_ticket t;
    struct err e;
    err_set(&e, PBAY_E_UPSTREAM, "no");
    e.scope = PBAY_SCOPE_MODEL;
    for (int i = 0; i < 3; i++)
        attempt("", 9000, PBAY_E_UPSTREAM, PBAY_SCOPE_PROVIDER, -1);
    for (int i = 0; i < HEALTH_TARGETS - 1; i++) {
        snprintf(model, sizeof(model), "n%d", i);
        miss(model, 9000);
    }
    ck_assert(begin("late", 9000 + HEALTH_OPEN_MS, &t));
    health_end(h, "p", STR("late"), 9000 + HEALTH_OPEN_MS, &e, &t);
    ck_assert_int_eq(look("late", 9000 + HEALTH_OPEN_MS), HEALTH_GO);
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
    struct health_ticket t;
    struct health_state s;
    char text[512];

    for (int i = 0; i < 3; i++)
        miss("m", 100);
    begin("m", 6000, &t);
    end("m", 6100, 0, &t);
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

    for (int i = 0; i < 5; i++)
        attempt("m", 100 + i, PBAY_E_RATE, PBAY_SCOPE_MODEL, 1000);
    health_each(h, 0, first, &s);
    ck_assert_uint_eq(s.n_changes, 1);
    ck_assert_str_eq(s.changes[0].state, "cooling");
    ck_assert_int_eq(s.changes[0].at_ms, 104);
    for (int i = 0; i < 50; i++)
        attempt("m", 2000 + i * 2000, PBAY_E_RATE, PBAY_SCOPE_MODEL, 1000);
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
    tcase_add_test(t, what_was_under_way_is_no_probe);
    tcase_add_test(t, asked_all_the_same_while_it_is_open);
    tcase_add_test(t, a_reset_forgets_what_is_under_way);
    tcase_add_test(t, probes_of_provider_and_model);
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
