/* SPDX-License-Identifier: MIT */
/* Results of routes: what is kept apart, what is summed, how times spread. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "manager/results.h"
#include "manager/spread.h"
#include "unit.h"

static struct result one = {.route = "ab",
                            .arm = "old",
                            .provider = "p",
                            .model = PBAY_LIT("m"),
                            .cost_nano = -1};
static struct json_object *all;

static void teardown(void)
{
    json_object_put(all);
    all = NULL;
    results_reset(STR_NONE);
}

/* The n-th row of the results. */
static struct json_object *row(size_t n)
{
    struct buf b;

    json_object_put(all);
    buf_init(&b, 4 << 20);
    ck_assert_int_eq(results_put(&b, STR_NONE), 0);
    ck_assert_int_eq(buf_add(&b, str_n("", 1)), 0);
    all = json_tokener_parse(buf_str(&b).p);
    ck_assert_msg(all != NULL, "%s", buf_str(&b).p);
    buf_done(&b);
    return json_object_array_get_idx(js_typed(all, "results", json_type_array),
                                     n);
}

static int64_t number(const char *name)
{
    return js_int(row(0), name, -1);
}

/* Is it within a sixteenth? */
static void near(const char *name, int64_t want)
{
    int64_t got = number(name), off = want / 16 + 1;

    ck_assert_msg(got >= want - off && got <= want + off,
                  "%s is %lld in place of %lld", name, (long long)got,
                  (long long)want);
}

START_TEST(every_bucket_holds_what_belongs_there)
{
    size_t last = 0;

    for (int64_t ms = 0; ms < 1 << SPREAD_TOP; ms += 1 + ms / 1000) {
        size_t i = spread_bucket(ms);
        int64_t middle = spread_middle(i), off = middle - ms;
        ck_assert_uint_ge(i, last);
        ck_assert_uint_le(i, last + 1);
        ck_assert_uint_eq(spread_bucket(middle), i);
        ck_assert_msg((off < 0 ? -off : off) * 16 <= ms, "%lld: %lld",
                      (long long)ms, (long long)middle);
        last = i;
    }
    ck_assert_uint_eq(last, SPREAD_BUCKETS - 1);
    ck_assert_uint_eq(spread_bucket(INT64_MAX), SPREAD_BUCKETS - 1);
    ck_assert_uint_eq(spread_bucket(-1), 0);
}
END_TEST

START_TEST(percentiles)
{
    one.kind = 0;
    for (int64_t i = 1; i <= 1000; i++) {
        one.first_ms = i % 10 ? 100 : -1; /* some have no first word */
        one.total_ms = i * 3;
        results_add(&one);
    }
    near("total_p50_ms", 1500);
    near("total_p95_ms", 2850);
    ck_assert_int_eq(number("total_ms"), 1502);
    near("first_token_p50_ms", 100);
    near("first_token_p95_ms", 100);
    ck_assert_int_eq(number("first_token_ms"), 100);
    ck_assert_int_eq(number("ok"), 1000);
}
END_TEST

START_TEST(failures_by_class)
{
    struct json_object *errors;

    one.total_ms = 5;
    one.first_ms = -1;
    for (int i = 0; i < 5; i++) {
        one.kind = i < 3 ? PBAY_E_OVERLOADED : PBAY_E_RATE;
        results_add(&one);
    }
    errors = js_typed(row(0), "errors", json_type_object);
    ck_assert_int_eq(js_int(errors, "overloaded", 0), 3);
    ck_assert_int_eq(js_int(errors, "rate_limit", 0), 2);
    ck_assert_int_eq(json_object_object_length(errors), 2);
    ck_assert_int_eq(number("failed"), 5);
    /* Times are of answers only. */
    ck_assert(js_get(row(0), "total_ms") == NULL);
    ck_assert(js_get(row(0), "total_p95_ms") == NULL);
    ck_assert(js_get(row(0), "first_token_p50_ms") == NULL);
    one.kind = 0;
    one.arm = NULL;
    results_add(&one);
    ck_assert_int_eq(
        json_object_object_length(js_typed(row(1), "errors", json_type_object)),
        0);
    ck_assert_int_eq(js_int(row(1), "total_ms", -1), 5);
    one.arm = "old";
}
END_TEST

START_TEST(kept_apart_and_forgotten)
{
    const char *arms[] = {"old", "new", NULL};

    one.kind = 0;
    for (int i = 0; i < 6; i++) {
        one.arm = arms[i % 3];
        one.route = i < 3 ? "ab" : "cd";
        results_add(&one);
    }
    ck_assert(row(5) != NULL);
    results_reset(STR("ab"));
    ck_assert_str_eq(js_cstr(row(0), "route", ""), "cd");
    ck_assert(row(2) != NULL && row(3) == NULL);
    one.arm = "old";
    one.route = "ab";
}
END_TEST

START_TEST(a_bound)
{
    char name[32];

    one.kind = 0;
    for (int i = 0; i < RESULTS_MAX + 10; i++) {
        snprintf(name, sizeof(name), "r%d", i);
        one.route = name;
        results_add(&one);
    }
    one.route = "ab";
    row(0);
    ck_assert_int_eq(js_int(all, "lost", 0), 10);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("results");
    TCase *tc = tcase_create("results");
    SRunner *r;
    int failed;

    tcase_add_checked_fixture(tc, NULL, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, every_bucket_holds_what_belongs_there);
    tcase_add_test(tc, percentiles);
    tcase_add_test(tc, failures_by_class);
    tcase_add_test(tc, kept_apart_and_forgotten);
    tcase_add_test(tc, a_bound);
    suite_add_tcase(s, tc);
    r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
