/* SPDX-License-Identifier: MIT */
/* What providers say is left of their rate limits: learned, reckoned, expired;
 * and figures that make no sense. */
#include "unit.h"

#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "manager/allowance.h"
#include <patchbay/request.h>

static struct allowances *a;
static struct clock *clock_;
static struct allowance_low low;
static struct want want;

static void setup(void)
{
    a = allowances_new();
    clock_ = clock_new_virtual(0);
    clock_advance(clock_, 1000000);
    memset(&want, 0, sizeof(want));
    want.op = PBAY_OP_CHAT;
    want.has_input = true;
    want.input = 100;
}

static void teardown(void)
{
    allowances_free(a);
    clock_free(clock_);
}

static int64_t now(void)
{
    return clock_now(clock_);
}

static void learn(const char *json)
{
    allowance_learn(a, STR("m"), str_c(json), allowance_begin(a, STR("m")),
                    now());
}

static bool is_low(void)
{
    return allowance_look(a, STR("m"), &want, now(), &low);
}

/* Low, for so long; enough is there in so long. */
static void see_low(int64_t until, int64_t enough)
{
    ck_assert(is_low());
    ck_assert_int_eq(low.until_ms - now(), until);
    ck_assert_int_eq(low.enough_ms - now(), enough);
    clock_advance(clock_, until - 1);
    ck_assert(is_low());
    clock_advance(clock_, 1);
    ck_assert(!is_low());
}

static void shows(const char *text)
{
    struct buf b;

    buf_init(&b, LIM_KIB(4));
    allowance_put(&b, a, STR("m"), now());
    ck_view_eq(buf_str(&b), text);
    buf_done(&b);
}

START_TEST(until_the_reset)
{
    ck_assert(!is_low());
    shows("{}");
    learn("{\"requests\":{\"remaining\":1,\"reset_ms\":5000}}");
    ck_assert(!is_low());
    learn("{\"requests\":{\"remaining\":0,\"reset_ms\":5000}}");
    shows("{\"requests\":{\"left\":0,\"reset_ms\":5000}}");
    see_low(5000, 5000);
    shows("{}");
    ck_assert_str_eq(low.what, "requests");
    ck_assert_int_eq(low.limit, -1);
}
END_TEST

START_TEST(the_newest_reply_counts)
{
    learn("{\"requests\":{\"remaining\":0,\"reset_ms\":60000}}");
    clock_advance(clock_, 10);
    learn("{\"requests\":{\"remaining\":9,\"reset_ms\":60000}}");
    ck_assert(!is_low());
    /* What it does not speak of stays. */
    learn("{\"tokens\":{\"remaining\":5,\"reset_ms\":60000}}");
    ck_assert(is_low());
    ck_assert_str_eq(low.what, "tokens");
    learn("{\"requests\":{\"remaining\":7,\"reset_ms\":100}}");
    ck_assert(is_low());
    learn("{\"tokens\":{\"remaining\":5000,\"reset_ms\":60000}}");
    ck_assert(!is_low());
}
END_TEST

START_TEST(what_comes_back_evenly)
{
    /* One in 600 ms; spared until a quarter of the time is over. */
    learn("{\"requests\":{\"limit\":100,\"remaining\":0,\"reset_ms\":60000}}");
    ck_assert(is_low());
    clock_advance(clock_, 30000);
    shows("{\"requests\":{\"limit\":100,\"left\":50,\"reset_ms\":30000}}");
    learn("{\"requests\":{\"limit\":100,\"remaining\":0,\"reset_ms\":60000}}");
    see_low(15000, 601);
    /* Few are allowed: when the next one is. */
    learn("{\"requests\":{\"limit\":3,\"remaining\":0,\"reset_ms\":60000}}");
    see_low(20001, 20001);
    /* By the day. */
    learn("{\"requests\":{\"limit\":14400,\"remaining\":0,\"reset_ms\":"
          "86400000}}");
    see_low(15000, 6001);
    learn("{\"requests\":{\"limit\":10,\"remaining\":0,\"reset_ms\":"
          "86400000}}");
    see_low(ALLOWANCE_MAX_MS, ALLOWANCE_MAX_MS);
    /* Soon. */
    learn("{\"requests\":{\"limit\":10,\"remaining\":0,\"reset_ms\":800}}");
    see_low(200, 81);
}
END_TEST

START_TEST(tokens_of_this_request)
{
    const char *said =
        "{\"tokens\":{\"limit\":10000,\"remaining\":400,\"reset_ms\":60000}}";

    /* 100 of the prompt and 500 of the answer. */
    learn(said);
    see_low(15000, 1251);
    ck_assert_int_eq(low.need, 600);
    ck_assert_int_eq(low.left, 400);
    want.input = 0;
    learn(said);
    ck_assert(is_low());
    want.members = (pbay_kv[]){{PBAY_LIT("max_tokens"), PBAY_LIT("300")}};
    want.n_members = 1;
    ck_assert(!is_low());
    /* More than is ever allowed: until the reset, then it is the provider's. */
    want.input = 20000;
    see_low(60000, 60000);
}
END_TEST

START_TEST(prompts_and_answers_apart)
{
    learn("{\"input_tokens\":{\"limit\":1000,\"remaining\":100,\"reset_ms\":"
          "9000},\"output_tokens\":{\"limit\":1000,\"remaining\":500,"
          "\"reset_ms\":9000}}");
    ck_assert(!is_low());
    want.input = 101;
    ck_assert(is_low());
    ck_assert_str_eq(low.what, "input_tokens");
    learn("{\"output_tokens\":{\"limit\":1000,\"remaining\":499,\"reset_ms\":"
          "90000}}");
    ck_assert(is_low());
    ck_assert_str_eq(low.what, "output_tokens"); /* lasts longer */
    shows(
        "{\"input_tokens\":{\"limit\":1000,\"left\":100,\"reset_ms\":9000},"
        "\"output_tokens\":{\"limit\":1000,\"left\":499,\"reset_ms\":90000}}");
}
END_TEST

START_TEST(a_body_is_counted_only_where_it_matters)
{
    static pbay_kv members[1];
    char body[4096];

    memset(body, 'x', sizeof(body));
    members[0] = (pbay_kv){PBAY_LIT("max_tokens"), PBAY_LIT("10")};
    want = (struct want){.op = PBAY_OP_CHAT,
                         .canonical = true,
                         .body = {body, sizeof(body)},
                         .members = members,
                         .n_members = 1};
    learn(
        "{\"tokens\":{\"limit\":10000,\"remaining\":4106,\"reset_ms\":9000}}");
    ck_assert(!is_low());
    ck_assert(!want.has_input);
    learn(
        "{\"tokens\":{\"limit\":10000,\"remaining\":4105,\"reset_ms\":9000}}");
    ck_assert(!is_low());
    ck_assert(want.has_input);
}
END_TEST

START_TEST(requests_under_way_count)
{
    uint64_t first;

    learn("{\"requests\":{\"remaining\":3,\"reset_ms\":60000}}");
    first = allowance_begin(a, STR("m"));
    allowance_begin(a, STR("m"));
    ck_assert(!is_low());
    allowance_begin(a, STR("m"));
    ck_assert(is_low());
    shows("{\"requests\":{\"left\":0,\"reset_ms\":60000}}");
    /* The first one's reply knows nothing of the two behind it. */
    allowance_learn(a, STR("m"),
                    STR("{\"requests\":{\"remaining\":2,\"reset_ms\":60000}}"),
                    first, now());
    ck_assert(is_low());
    allowance_learn(a, STR("m"),
                    STR("{\"requests\":{\"remaining\":3,\"reset_ms\":60000}}"),
                    first, now());
    ck_assert(!is_low());
}
END_TEST

START_TEST(retry_after_knows_better)
{
    learn("{\"requests\":{\"remaining\":0,\"reset_ms\":60000}}");
    allowance_return(a, STR("m"), now(), -1);
    allowance_return(a, STR("m"), now(), INT64_MAX);
    allowance_return(a, STR("other"), now(), 5);
    ck_assert(is_low());
    ck_assert_int_eq(low.until_ms - now(), 60000);
    allowance_return(a, STR("m"), now(), 2000);
    see_low(2000, 2000);
}
END_TEST

START_TEST(nonsense_is_harmless)
{
    static const char *const kinds[] = {"requests", "tokens", "input_tokens",
                                        "output_tokens"};
    static const char *const said[] = {
        "",
        "{",
        "[]",
        "null",
        "{\"KIND\":null}",
        "{\"KIND\":0}",
        "{\"KIND\":{}}",
        "{\"KIND\":{\"remaining\":0}}",
        "{\"KIND\":{\"remaining\":0,\"reset_ms\":null}}",
        "{\"KIND\":{\"remaining\":0,\"reset_ms\":0}}",
        "{\"KIND\":{\"remaining\":0,\"reset_ms\":-1}}",
        "{\"KIND\":{\"remaining\":0,\"reset_ms\":\"soon\"}}",
        "{\"KIND\":{\"remaining\":0,\"reset_ms\":99999999999999999999}}",
        "{\"KIND\":{\"remaining\":-5,\"reset_ms\":60000}}",
        "{\"KIND\":{\"remaining\":-9223372036854775808,\"reset_ms\":60000}}",
        "{\"KIND\":{\"remaining\":\"0\",\"reset_ms\":60000}}",
        "{\"KIND\":{\"remaining\":0.5,\"reset_ms\":60000}}",
        "{\"KIND\":{\"remaining\":99999999999999999999,\"reset_ms\":60000}}",
        "{\"KIND\":{\"remaining\":9223372036854775807,\"reset_ms\":60000}}",
        "{\"KIND\":{\"limit\":0,\"remaining\":0,\"reset_ms\":60000}}",
        "{\"KIND\":{\"limit\":1,\"remaining\":9223372036854775807,\"reset_ms\":"
        "9223372036854775807}}",
        "{\"KIND\":{\"limit\":60000}}",
    };

    for (size_t i = 0; i < sizeof(said) / sizeof(*said); i++)
        for (size_t k = 0; k < 4; k++) {
            const char *at = strstr(said[i], "KIND");
            char text[256];
            if (at)
                snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - said[i]),
                         said[i], kinds[k], at + 4);
            else
                snprintf(text, sizeof(text), "%s", said[i]);
            learn(text);
            ck_assert_msg(!is_low(), "%s", text);
        }
    /* As far away as can be. */
    learn("{\"requests\":{\"limit\":9223372036854775807,\"remaining\":0,"
          "\"reset_ms\":9223372036854775807}}");
    see_low(15000, 2);
    want.input = UINT64_MAX / 4;
    learn("{\"tokens\":{\"limit\":9223372036854775807,\"remaining\":0,"
          "\"reset_ms\":9223372036854775807}}");
    ck_assert(is_low());
    ck_assert_int_le(low.until_ms, now() + ALLOWANCE_MAX_MS);
    allowance_forget(a);
    ck_assert(!is_low());
    /* Without a table nothing is known. */
    allowance_learn(NULL, STR("m"), STR("{}"), 0, 0);
    ck_assert_uint_eq(allowance_begin(NULL, STR("m")), 0);
    allowance_return(NULL, STR("m"), 0, 0);
    allowance_forget(NULL);
    ck_assert(!allowance_look(NULL, STR("m"), &want, 0, &low));
}
END_TEST

START_TEST(bounded)
{
    struct buf b;
    size_t n = 0;

    for (unsigned i = 0; i < 1000; i++) {
        char model[16];
        snprintf(model, sizeof(model), "m%u", i);
        allowance_learn(
            a, str_c(model),
            STR("{\"requests\":{\"remaining\":0,\"reset_ms\":60000}}"), 0,
            now());
        ck_assert_uint_eq(allowance_begin(a, STR("m0")) > 0, 1);
    }
    buf_init(&b, LIM_KIB(64));
    allowance_put_all(&b, a, "p", true, now());
    for (const char *at = buf_str(&b).p; (at = strstr(at, "\"model\"")); at++)
        n++;
    ck_assert_uint_eq(n, ALLOWANCE_MODELS);
    /* The one in use has stayed, and so has the newest. */
    ck_assert(allowance_look(a, STR("m0"), &want, now(), &low));
    ck_assert(allowance_look(a, STR("m999"), &want, now(), &low));
    ck_assert(!allowance_look(a, STR("m1"), &want, now(), &low));
    buf_done(&b);
}
END_TEST

static void *hammer(void *arg)
{
    char model[16];
    struct want w = want;
    struct allowance_low l;

    for (unsigned i = 0; i < 20000; i++) {
        snprintf(model, sizeof(model), "m%u", i % 100);
        uint64_t began = allowance_begin(a, str_c(model));
        allowance_learn(a, str_c(model),
                        STR("{\"requests\":{\"limit\":9,\"remaining\":0,"
                            "\"reset_ms\":60000}}"),
                        began, 5000);
        allowance_look(a, str_c(model), &w, 5001, &l);
        if (i % 5000 == 0 && arg)
            allowance_forget(a);
    }
    return NULL;
}

START_TEST(many_threads)
{
    pthread_t t[4];

    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&t[i], NULL, hammer, i ? NULL : a), 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    ck_assert(allowance_look(a, STR("m99"), &want, 5001, &low));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("allowance");
    TCase *t = tcase_create("allowance");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, until_the_reset);
    tcase_add_test(t, the_newest_reply_counts);
    tcase_add_test(t, what_comes_back_evenly);
    tcase_add_test(t, tokens_of_this_request);
    tcase_add_test(t, prompts_and_answers_apart);
    tcase_add_test(t, a_body_is_counted_only_where_it_matters);
    tcase_add_test(t, requests_under_way_count);
    tcase_add_test(t, retry_after_knows_better);
    tcase_add_test(t, nonsense_is_harmless);
    tcase_add_test(t, bounded);
    tcase_add_test(t, many_threads);
    suite_add_tcase(s, t);
    return unit_main(&s, 1);
}
