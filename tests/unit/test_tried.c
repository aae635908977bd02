/* SPDX-License-Identifier: MIT */
/* One error of all targets that have failed: its status, its Retry-After, and
 * that none of them is missing in it. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "manager/tried.h"

static struct tried t;
static struct err sum;

static void setup(void)
{
    t = (struct tried){0};
    err_clear(&sum);
}

static void teardown(void)
{
    tried_done(&t);
}

static void failed(const char *who, int kind, int status, int64_t retry_ms,
                   const char *text)
{
    struct err e;

    err_clear(&e);
    err_set(&e, kind, "%s", text);
    e.upstream_status = status;
    e.retry_after_ms = retry_ms;
    tried_add(&t, who, STR("m"), &e);
}

START_TEST(the_most_useful_one)
{
    /* The first of each pair is of more use than the second one. */
    static const int better[][2] = {
        {PBAY_E_CONTEXT, PBAY_E_RATE},     {PBAY_E_INVALID, ERR_CONNECT},
        {PBAY_E_NOT_FOUND, PBAY_E_RATE},   {PBAY_E_RATE, PBAY_E_OVERLOADED},
        {ERR_LIMIT, PBAY_E_UPSTREAM},      {PBAY_E_OVERLOADED, PBAY_E_UPSTREAM},
        {PBAY_E_LOADING, ERR_RESET},       {PBAY_E_UPSTREAM, PBAY_E_AUTH},
        {ERR_FIRST_TIMEOUT, PBAY_E_QUOTA}, {ERR_UNAVAILABLE, PBAY_E_PROTOCOL},
    };

    for (size_t i = 0; i < sizeof(better) / sizeof(*better); i++)
        for (int order = 0; order < 2; order++) {
            failed("a", better[i][order], 0, -1, "x");
            failed("b", better[i][!order], 0, -1, "x");
            tried_sum(&t, &sum);
            ck_assert_int_eq(sum.kind, better[i][0]);
            tried_done(&t);
        }
}
END_TEST

START_TEST(the_soonest_time)
{
    failed("a", PBAY_E_RATE, 429, 9000, "later");
    failed("b", PBAY_E_OVERLOADED, 503, 3000, "sooner");
    failed("c", PBAY_E_UPSTREAM, 500, -1, "never said");
    tried_sum(&t, &sum);
    ck_assert_int_eq(sum.kind, PBAY_E_RATE);
    ck_assert_int_eq(sum.retry_after_ms, 3000);
    ck_assert_str_eq(sum.message,
                     "all 3 targets failed: a/m: rate_limit (429) later; b/m: "
                     "overloaded (503) sooner; c/m: upstream (500) never said");
}
END_TEST

START_TEST(our_key_is_not_for_clients)
{
    failed("a", PBAY_E_AUTH, 401, -1, "Incorrect API key: sk-live-1234567890");
    failed("b", PBAY_E_QUOTA, 402, -1, "Your balance is 0.03 USD");
    tried_sum(&t, &sum);
    ck_assert_int_eq(sum.kind, PBAY_E_UPSTREAM);
    ck_assert_ptr_null(strstr(sum.message, "sk-live"));
    ck_assert_ptr_null(strstr(sum.message, "balance"));
    ck_assert_ptr_nonnull(strstr(sum.message, "a/m: auth (401) The provider"));
    ck_assert_ptr_nonnull(strstr(sum.message, "b/m: quota (402) "));
}
END_TEST

/* However many they are and however much each says: all of them are named, with
 * class and status, and what the last one said is no shorter than the first
 * one's. */
START_TEST(none_is_missing)
{
    static char who[PLAN_MAX][64];
    char text[900], mark[96], last[PLAN_MAX];

    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    for (size_t n = 2; n <= PLAN_MAX; n++) {
        for (size_t i = 0; i < n; i++) {
            snprintf(who[i], sizeof(who[i]), "a-provider-%zu", i);
            failed(who[i], PBAY_E_UPSTREAM, 500 + (int)i, -1, text);
        }
        tried_sum(&t, &sum);
        for (size_t i = 0; i < n; i++) {
            snprintf(mark, sizeof(mark), ": upstream (%d)", 500 + (int)i);
            ck_assert_msg(strstr(sum.message, mark) != NULL, "%zu of %zu: %s",
                          i, n, sum.message);
            snprintf(mark, sizeof(mark), "a-provider-%zu/m:", i);
            ck_assert_msg(n > 16 || strstr(sum.message, mark), "%s",
                          sum.message);
        }
        ck_assert(n < 6 || strlen(sum.message) >= 700);
        if (n < 10) { /* there is room for some words of each */
            size_t len = strlen(sum.message);
            memset(last, 'x', 8);
            ck_assert_int_eq(memcmp(sum.message + len - 8, last, 8), 0);
        }
        tried_done(&t);
    }
}
END_TEST

START_TEST(who_was_not_asked)
{
    failed("a", PBAY_E_CONTEXT, 400, -1, "too long");
    tried_leave(&t, "small", STR("m"), "its window is smaller");
    failed("b", PBAY_E_UPSTREAM, 500, -1, "broken");
    tried_sum(&t, &sum);
    ck_assert_str_eq(sum.message,
                     "all 2 targets failed: a/m: context (400) too long; b/m: "
                     "upstream (500) broken; not asked: small/m: its window "
                     "is smaller");
}
END_TEST

START_TEST(cut_between_characters)
{
    char text[400];

    for (size_t i = 0; i + 3 < sizeof(text); i += 3)
        memcpy(text + i, "\xe2\x82\xac", 4);
    for (int i = 0; i < 12; i++)
        failed("provider", PBAY_E_UPSTREAM, 500, -1, text);
    tried_sum(&t, &sum);
    ck_assert_int_eq((int)str_head(str_c(sum.message), 1023).n,
                     (int)strlen(sum.message));
    for (const char *p = sum.message; *p;) {
        size_t n = (unsigned char)*p < 0x80 ? 1 : 3;
        ck_assert_uint_ge(strlen(p), n);
        ck_assert(n == 1 || memcmp(p, "\xe2\x82\xac", 3) == 0);
        p += n;
    }
}
END_TEST

START_TEST(what_failed_before)
{
    err_set(&sum, ERR_DEADLINE, "it took too long");
    tried_before(&t, &sum);
    ck_assert_str_eq(sum.message, "it took too long");
    failed("a", PBAY_E_OVERLOADED, 503, -1, "busy");
    tried_before(&t, &sum);
    ck_assert_int_eq(sum.kind, ERR_DEADLINE);
    ck_assert_str_eq(sum.message, "it took too long; before that 1 failed: "
                                  "a/m: overloaded (503) busy");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("tried");
    TCase *c = tcase_create("tried");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, the_most_useful_one);
    tcase_add_test(c, the_soonest_time);
    tcase_add_test(c, our_key_is_not_for_clients);
    tcase_add_test(c, none_is_missing);
    tcase_add_test(c, who_was_not_asked);
    tcase_add_test(c, cut_between_characters);
    tcase_add_test(c, what_failed_before);
    suite_add_tcase(s, c);
    return unit_main((Suite *const[]){s}, 1);
}
