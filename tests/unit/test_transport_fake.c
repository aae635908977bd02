/* SPDX-License-Identifier: MIT */
/* The scripted transport on a virtual clock: order, waiting, pausing,
 * cancelling from everywhere. */
#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "http/transport.h"

#define N(a) (sizeof(a) / sizeof *(a))

static struct loop loop;
static struct transport *t;

/* One exchange and what became of it, as text: "h200 d:abc d:def e0 ". */
struct seen {
    struct tx *tx;
    char log[1024];
    size_t n;
    int64_t at;          /* time of the last callback */
    const char *act_on;  /* when the log ends with this .. */
    void (*act)(struct seen *);
};

static void note(struct seen *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void note(struct seen *s, const char *fmt, ...)
{
    va_list ap;
    size_t len;

    va_start(ap, fmt);
    s->n += (size_t)vsnprintf(s->log + s->n, sizeof s->log - s->n, fmt, ap);
    va_end(ap);
    ck_assert_uint_lt(s->n, sizeof s->log);
    s->at = clock_now(loop.clock);
    len = s->act_on ? strlen(s->act_on) : 0;
    if (len && s->n >= len && strcmp(s->log + s->n - len, s->act_on) == 0)
        s->act(s);
}

static void on_head(void *arg, int status, const pbay_kv *headers, size_t n)
{
    if (n)
        note(arg, "h%d(%.*s=%.*s) ", status, STR_ARG(headers[0].k),
             STR_ARG(headers[0].v));
    else
        note(arg, "h%d ", status);
}

static void on_data(void *arg, pbay_str bytes)
{
    note(arg, "d:%.*s ", STR_ARG(bytes));
}

static void on_end(void *arg, const struct tx_end *end)
{
    ck_assert_ptr_nonnull(end->why);
    note(arg, "e%d ", end->kind);
}

static const struct tx_ops ops = {on_head, on_data, on_end};

static void setup(void)
{
    memset(&loop, 0, sizeof loop);
    loop.clock = clock_new_virtual(1000000);
    ck_assert_ptr_nonnull(loop.clock);
    t = transport_fake_new(&loop);
    ck_assert_ptr_nonnull(t);
}

static void teardown(void)
{
    transport_free(t);
    clock_free(loop.clock);
}

static void start(struct seen *s, const char *url)
{
    static const struct tx_profile profile;
    struct tx_request r = {.method = STR("POST"), .url = str_c(url)};

    s->tx = tx_start(t, &profile, &r, &ops, s);
    ck_assert_ptr_nonnull(s->tx);
    ck_assert_str_eq(s->log, ""); /* nothing before start has returned */
}

static const pbay_kv type = {PBAY_LIT("content-type"),
                             PBAY_LIT("text/event-stream")};

START_TEST(order)
{
    const struct tx_fake_step steps[] = {
        {.what = FAKE_HEAD, .status = 200, .headers = &type, .n_headers = 1},
        {.what = FAKE_DATA, .data = STR("abcdefg"), .piece = 3},
        {.what = FAKE_DATA, .data = STR("")},
        {.what = FAKE_DATA, .data = STR("whole")},
        {.what = FAKE_END, .end = ERR_TRUNCATED},
    };
    struct seen s = {0};
    char want[128];

    transport_fake_script(t, "http://a/", steps, N(steps));
    start(&s, "http://a/v1/chat");
    ck_assert_uint_eq(t->vt->active(t), 1);
    clock_advance(loop.clock, 1);
    snprintf(want, sizeof want,
             "h200(content-type=text/event-stream) d:abc d:def d:g d:whole "
             "e%d ",
             ERR_TRUNCATED);
    ck_assert_str_eq(s.log, want);
    ck_assert_uint_eq(t->vt->active(t), 0);
}
END_TEST

/* Scripts are taken once each, in their order, by prefix. */
START_TEST(scripts)
{
    const struct tx_fake_step one[] = {{.what = FAKE_HEAD, .status = 201}};
    const struct tx_fake_step two[] = {{.what = FAKE_HEAD, .status = 202}};
    const struct tx_fake_step other[] = {{.what = FAKE_HEAD, .status = 203}};
    struct seen s[4] = {0};
    char want[32];

    transport_fake_script(t, "http://a/", one, 1);
    transport_fake_script(t, "http://b/", other, 1);
    transport_fake_script(t, "http://a/", two, 1);
    start(&s[0], "http://a/x");
    start(&s[1], "http://b/");
    start(&s[2], "http://a/y");
    start(&s[3], "http://a/z");
    clock_advance(loop.clock, 1);
    ck_assert_str_eq(s[0].log, "h201 e0 ");
    ck_assert_str_eq(s[1].log, "h203 e0 ");
    ck_assert_str_eq(s[2].log, "h202 e0 ");
    snprintf(want, sizeof want, "e%d ", ERR_CONNECT);
    ck_assert_str_eq(s[3].log, want);
}
END_TEST

START_TEST(waits)
{
    const struct tx_fake_step steps[] = {
        {.what = FAKE_WAIT, .ms = 250},
        {.what = FAKE_HEAD, .status = 200},
        {.what = FAKE_WAIT, .ms = 3000},
        {.what = FAKE_DATA, .data = STR("x")},
        {.what = FAKE_HANG},
    };
    struct seen s = {0};
    int64_t t0 = clock_now(loop.clock);

    transport_fake_script(t, "", steps, N(steps));
    start(&s, "http://a/");
    clock_advance(loop.clock, 249);
    ck_assert_str_eq(s.log, "");
    clock_advance(loop.clock, 10);
    ck_assert_str_eq(s.log, "h200 ");
    clock_advance(loop.clock, 2980);
    ck_assert_str_eq(s.log, "h200 ");
    clock_advance(loop.clock, 100);
    ck_assert_str_eq(s.log, "h200 d:x ");
    ck_assert_int_ge(s.at - t0, 3250);
    ck_assert_int_le(s.at - t0, 3260);
    clock_advance(loop.clock, 1000000);
    ck_assert_str_eq(s.log, "h200 d:x ");
    ck_assert_uint_eq(t->vt->active(t), 1);
    tx_cancel(s.tx);
    ck_assert_uint_eq(transport_fake_cancelled(t), 1);
    ck_assert_uint_eq(t->vt->active(t), 0);
}
END_TEST

static void do_pause(struct seen *s)
{
    tx_pause(s->tx, true);
}

static void do_cancel(struct seen *s)
{
    tx_cancel(s->tx);
    tx_pause(s->tx, false); /* still allowed inside the callback */
}

/* Nothing at all comes while paused, not even the end; waits go on. */
START_TEST(pausing)
{
    const struct tx_fake_step steps[] = {
        {.what = FAKE_HEAD, .status = 200},
        {.what = FAKE_DATA, .data = STR("abcd"), .piece = 2},
        {.what = FAKE_WAIT, .ms = 50},
        {.what = FAKE_DATA, .data = STR("e")},
    };
    struct seen s = {.act_on = "d:ab ", .act = do_pause};
    size_t n;

    transport_fake_script(t, "", steps, N(steps));
    start(&s, "http://a/");
    clock_advance(loop.clock, 100);
    ck_assert_str_eq(s.log, "h200 d:ab ");
    tx_pause(s.tx, false);
    n = s.n; /* never from inside tx_pause */
    ck_assert_uint_eq(n, strlen("h200 d:ab "));
    clock_advance(loop.clock, 10);
    ck_assert_str_eq(s.log, "h200 d:ab d:cd ");
    tx_pause(s.tx, true);
    clock_advance(loop.clock, 1000);
    ck_assert_str_eq(s.log, "h200 d:ab d:cd ");
    tx_pause(s.tx, false);
    clock_advance(loop.clock, 1);
    ck_assert_str_eq(s.log, "h200 d:ab d:cd d:e e0 ");
}
END_TEST

/* A pause in front of an end that the script does not write holds it too; and
 * one lifted before the wait is over does not shorten that. */
START_TEST(pausing_late)
{
    const struct tx_fake_step steps[] = {
        {.what = FAKE_WAIT, .ms = 100},
        {.what = FAKE_DATA, .data = STR("x")},
    };
    struct seen s = {.act_on = "d:x ", .act = do_pause};

    transport_fake_script(t, "", steps, N(steps));
    start(&s, "http://a/");
    clock_advance(loop.clock, 10);
    tx_pause(s.tx, true);
    tx_pause(s.tx, false);
    clock_advance(loop.clock, 50);
    ck_assert_str_eq(s.log, "");
    clock_advance(loop.clock, 100);
    ck_assert_str_eq(s.log, "d:x ");
    clock_advance(loop.clock, 1000);
    ck_assert_str_eq(s.log, "d:x ");
    tx_pause(s.tx, false);
    clock_advance(loop.clock, 1);
    ck_assert_str_eq(s.log, "d:x e0 ");
}
END_TEST

START_TEST(cancelling)
{
    static const char *const when[] = {"h200 ", "d:a ", "d:b ", "e0 "};
    static const char *const want[] = {"h200 ", "h200 d:a ", "h200 d:a d:b ",
                                       "h200 d:a d:b e0 "};
    const struct tx_fake_step steps[] = {
        {.what = FAKE_HEAD, .status = 200},
        {.what = FAKE_DATA, .data = STR("ab"), .piece = 1},
        {.what = FAKE_END},
    };
    struct seen s = {.act_on = when[_i], .act = do_cancel};

    transport_fake_script(t, "", steps, N(steps));
    start(&s, "http://a/");
    clock_advance(loop.clock, 1000);
    ck_assert_str_eq(s.log, want[_i]);
    ck_assert_uint_eq(t->vt->active(t), 0);
    /* after the end there is nothing left to cancel */
    ck_assert_uint_eq(transport_fake_cancelled(t), _i < 3 ? 1 : 0);
}
END_TEST

/* From outside: before anything came, and in the middle of a wait. */
START_TEST(cancelling_outside)
{
    const struct tx_fake_step steps[] = {{.what = FAKE_WAIT, .ms = 100},
                                         {.what = FAKE_HEAD, .status = 200}};
    struct seen a = {0}, b = {0};

    transport_fake_script(t, "", steps, N(steps));
    transport_fake_script(t, "", steps, N(steps));
    start(&a, "http://a/");
    tx_cancel(a.tx);
    start(&b, "http://b/");
    clock_advance(loop.clock, 50);
    tx_cancel(b.tx);
    clock_advance(loop.clock, 1000);
    ck_assert_str_eq(a.log, "");
    ck_assert_str_eq(b.log, "");
    ck_assert_uint_eq(transport_fake_cancelled(t), 2);
    ck_assert_int_eq(clock_next(loop.clock), -1);
}
END_TEST

static struct seen again;

static void do_start(struct seen *s)
{
    (void)s;
    start(&again, "http://b/");
}

/* A retry: a new exchange from inside the end of the old one. */
START_TEST(starting_inside_end)
{
    const struct tx_fake_step steps[] = {{.what = FAKE_END, .end = ERR_NONE}};
    struct seen s = {.act_on = "e0 ", .act = do_start};

    memset(&again, 0, sizeof again);
    transport_fake_script(t, "http://a/", steps, 1);
    transport_fake_script(t, "http://b/", steps, 1);
    start(&s, "http://a/");
    clock_advance(loop.clock, 1);
    clock_advance(loop.clock, 1);
    ck_assert_str_eq(again.log, "e0 ");
}
END_TEST

static void on_watch(void *arg, const struct tx_request *r, pbay_str body)
{
    snprintf(arg, 128, "%.*s %.*s %.*s", STR_ARG(r->method), STR_ARG(r->url),
             STR_ARG(body));
}

START_TEST(watching)
{
    static const struct tx_profile profile;
    const pbay_str body[] = {STR("{\"a\":"), STR(""), STR("1}")};
    struct tx_request r = {.method = STR("PUT"),
                           .url = STR("http://a/x"),
                           .body = body,
                           .n_body = 3};
    struct seen s = {0};
    char got[128] = "";

    transport_fake_watch(t, on_watch, got);
    ck_assert_ptr_nonnull(tx_start(t, &profile, &r, &ops, &s));
    ck_assert_str_eq(got, "PUT http://a/x {\"a\":1}");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("transport_fake");
    TCase *tc = tcase_create("fake");
    SRunner *r;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, order);
    tcase_add_test(tc, scripts);
    tcase_add_test(tc, waits);
    tcase_add_test(tc, pausing);
    tcase_add_test(tc, pausing_late);
    tcase_add_loop_test(tc, cancelling, 0, 4);
    tcase_add_test(tc, cancelling_outside);
    tcase_add_test(tc, starting_inside_end);
    tcase_add_test(tc, watching);
    suite_add_tcase(s, tc);
    r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
