/* SPDX-License-Identifier: MIT */
/* When the same target is asked again. */
#include "unit.h"

#include "manager/retry.h"

static struct cfg_retry cfg;
static struct retry_state state;
static struct err err;
static struct retry_ask ask;

static void setup(void)
{
    cfg = (struct cfg_retry){
        .max_attempts = 4, .backoff_ms = 500, .max_ms = 8000, .factor = 2};
    state = (struct retry_state){.random = 42};
    err_set(&err, PBAY_E_OVERLOADED, "busy");
    ask = (struct retry_ask){
        .cfg = &cfg, .e = &err, .attempts = 1, .safe = true, .left_ms = -1};
}

/* The longest and the shortest of a thousand waits. */
static void range(unsigned attempts, int64_t *least, int64_t *most)
{
    ask.attempts = attempts;
    *least = INT64_MAX;
    *most = -1;
    for (int i = 0; i < 1000; i++) {
        state.spent = 0;
        int64_t w = retry_wait(&state, &ask);
        *least = w < *least ? w : *least;
        *most = w > *most ? w : *most;
    }
}

START_TEST(full_jitter)
{
    int64_t least, most;

    for (unsigned n = 1; n < 4; n++) {
        int64_t top = 500 << (n - 1);
        range(n, &least, &most);
        ck_assert_int_ge(least, 0);
        ck_assert_int_lt(least, top / 20);
        ck_assert_int_le(most, top);
        ck_assert_int_gt(most, top - top / 20);
    }
    cfg.max_attempts = 10;
    range(9, &least, &most);
    ck_assert_int_le(most, 8000);
    ck_assert_int_gt(most, 7600);
}
END_TEST

START_TEST(the_same_seed_gives_the_same_waits)
{
    struct retry_state other = {.random = 42};

    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(retry_wait(&state, &ask), retry_wait(&other, &ask));
    other = (struct retry_state){0};
    ck_assert_int_ge(retry_wait(&other, &ask), 0);
    ck_assert_uint_ne(other.random, 0);
}
END_TEST

START_TEST(not_for_ever)
{
    ask.attempts = 3;
    ck_assert_int_ge(retry_wait(&state, &ask), 0);
    ask.attempts = 4;
    ck_assert_int_eq(retry_wait(&state, &ask), -1);
    cfg.max_attempts = 1;
    ask.attempts = 1;
    ck_assert_int_eq(retry_wait(&state, &ask), -1);
}
END_TEST

START_TEST(by_the_table)
{
    for (const struct err_class *c = err_table(); c->kind; c++) {
        err_set(&err, c->kind, "x");
        state.spent = 0;
        ck_assert_msg((retry_wait(&state, &ask) >= 0) == c->retry_same, "%s",
                      c->name);
    }
    err_set(&err, PBAY_E_OVERLOADED, "x");
    err.should_retry = -1;
    ck_assert_int_eq(retry_wait(&state, &ask), -1);
}
END_TEST

START_TEST(what_must_not_arrive_twice)
{
    ask.safe = false;
    err_set(&err, ERR_RESET, "x");
    ck_assert_int_eq(retry_wait(&state, &ask), -1);
    err_set(&err, ERR_CONNECT, "x");
    ck_assert_int_ge(retry_wait(&state, &ask), 0);
}
END_TEST

START_TEST(what_the_provider_says)
{
    err.retry_after_ms = 3000;
    ck_assert_int_eq(retry_wait(&state, &ask), 3000);
    err.retry_after_ms = 8001;
    ck_assert_int_eq(retry_wait(&state, &ask), -1);
}
END_TEST

START_TEST(the_deadline)
{
    err.retry_after_ms = 3000;
    ask.left_ms = 3000;
    ck_assert_int_eq(retry_wait(&state, &ask), -1);
    ck_assert_int_eq(state.spent, 0);
    ask.left_ms = 3001;
    ck_assert_int_eq(retry_wait(&state, &ask), 3000);
}
END_TEST

START_TEST(other_targets_are_of_the_budget)
{
    size_t free = 0, n = 0;

    ck_assert_uint_eq(retry_left(&state), RETRY_SAVED / 100);
    while (retry_elsewhere(&state, false))
        n++;
    ck_assert_uint_eq(n, RETRY_SAVED / 100);
    ck_assert_uint_eq(retry_left(&state), 0);
    ck_assert_int_eq(retry_wait(&state, &ask), -1);
    /* One that works may be asked, and is owed for, but not without end. */
    for (; free < 1000; free++)
        ck_assert(retry_elsewhere(&state, true));
    ck_assert_int_eq(state.spent, RETRY_SAVED + RETRY_OWED);
    for (int i = 0; i < (RETRY_SAVED + RETRY_OWED) / 20 - 1; i++)
        retry_earn(&state, 20);
    ck_assert_uint_eq(retry_left(&state), RETRY_SAVED / 100 - 1);
    ck_assert_int_ge(retry_wait(&state, &ask), 0);
}
END_TEST

START_TEST(the_budget)
{
    int n = 0;

    while (retry_wait(&state, &ask) >= 0)
        n++;
    ck_assert_int_eq(n, RETRY_SAVED / 100);
    /* One in five from now on. */
    for (int i = n = 0; i < 100; i++) {
        retry_earn(&state, 20);
        n += retry_wait(&state, &ask) >= 0;
    }
    ck_assert_int_eq(n, 20);
    for (int i = 0; i < 1000; i++)
        retry_earn(&state, 20);
    ck_assert_int_eq(state.spent, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("retry");
    TCase *t = tcase_create("retry");

    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, full_jitter);
    tcase_add_test(t, the_same_seed_gives_the_same_waits);
    tcase_add_test(t, not_for_ever);
    tcase_add_test(t, by_the_table);
    tcase_add_test(t, what_must_not_arrive_twice);
    tcase_add_test(t, what_the_provider_says);
    tcase_add_test(t, the_deadline);
    tcase_add_test(t, the_budget);
    tcase_add_test(t, other_targets_are_of_the_budget);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
