/* SPDX-License-Identifier: MIT */
/* Checks of providers on an interval, on the fake transport and the virtual
 * clock: what they ask, what they make of it, and who is left alone. */
#include "unit.h"

#include <string.h>

#include "admin/checks.h"
#include "manager/attempt.h"
#include "manager/health.h"

#define URL    "http://p.test"
#define MINUTE 60000
#define N(a)   (sizeof(a) / sizeof(*(a)))

static struct loop *loop;
static struct manager mgr;
static struct snapshot snap;
static struct config cfg;
static struct cfg_provider provider;
static struct instance inst, *list[] = {&inst};
static struct generation gen;
static struct manifest *mani;
static struct checks *checks;
static int asked;

static pbay_rc build(void *self, void *st, pbay_call *call,
                     const pbay_request *req, pbay_exchange *x)
{
    (void)self, (void)st, (void)call;
    ck_assert_uint_eq(req->op, PBAY_OP_HEALTH);
    asked++;
    x->method = STR("GET");
    x->path = STR("/health");
    x->framing = PBAY_FRAME_WHOLE;
    return PBAY_OK;
}

static pbay_rc feed(void *self, void *st, pbay_call *call,
                    const pbay_record *rec)
{
    (void)self, (void)st, (void)call, (void)rec;
    return PBAY_OK;
}

static pbay_rc head(void *self, void *st, pbay_call *call, pbay_head *h)
{
    pbay_error e = {.size = sizeof(e),
                    .kind = PBAY_E_RATE,
                    .retry_after_ms = 3 * MINUTE,
                    .message = STR("not now")};
    pbay_event ev = {.size = sizeof(ev), .type = PBAY_EV_ERROR, .error = &e};

    (void)self, (void)st;
    if (h->status == 429)
        inst.host.emit(call, &ev);
    return PBAY_OK;
}

static const pbay_codec codec = {.size = sizeof(pbay_codec),
                                 .state_size = 8,
                                 .ops = PBAY_OP_BIT(PBAY_OP_HEALTH),
                                 .dialects = PBAY_LIT("toy/1"),
                                 .build = build,
                                 .head = head,
                                 .feed = feed};

static void released(struct manager *m, struct snapshot *s, void *arg)
{
    (void)m, (void)s, (void)arg;
}

static void setup(void)
{
    static char *no_models[] = {NULL};
    char *err = NULL;

    mani = manifest_parse(
        STR("{\"abi\":\"0.1\",\"id\":\"toy\",\"version\":\"1\",\"license\":"
            "\"MIT\",\"kind\":\"codec\"}"),
        &err);
    ck_assert_msg(mani != NULL, "%s", err ? err : "");
    loop = loop_new(0);
    clock_free(loop->clock);
    loop->clock = clock_new_virtual(1700000000000);
    memset(&inst, 0, sizeof(inst));
    memset(&snap, 0, sizeof(snap));
    memset(&cfg, 0, sizeof(cfg));
    cfg.max_calls = 10;
    provider = (struct cfg_provider){.name = (char *)(uintptr_t) "p",
                                     .manifest = mani,
                                     .enabled = true,
                                     .base_url = (char *)(uintptr_t)URL,
                                     .models = no_models,
                                     .timeouts = {5000, 30000, 30000, 600000},
                                     .max_reply = LIM_REPLY,
                                     .max_record = LIM_RECORD,
                                     .call_memory = LIM_CALL_ARENA,
                                     .check_ms = MINUTE,
                                     .model_config = (char *)(uintptr_t) "{}"};
    gen.times = calloc(LIM_LOOPS + 1, sizeof(struct module_times));
    inst.name = provider.name;
    inst.cfg = &provider;
    inst.gen = &gen;
    inst.codec = &codec;
    inst.ops = codec.ops;
    attempt_host_table(&inst.host, &inst);
    inst.stats = stats_of("p");
    snap.cfg = &cfg;
    snap.instances = list;
    snap.n = 1;
    mgr = (struct manager){.loop = loop,
                           .health = health_new(),
                           .transport = transport_fake_new(loop),
                           .models = model_index_new(),
                           .released = released};
    manager_adopt(&mgr, &snap);
    checks = checks_new(&mgr);
    ck_assert_ptr_nonnull(checks);
    asked = 0;
    checks_follow(checks, &snap);
}

static void teardown(void)
{
    checks_free(checks);
    ck_assert_uint_eq(mgr.active, 0);
    ck_assert_uint_eq(snap.refs[0], 0);
    free(gen.times);
    stats_free();
    transport_free(mgr.transport);
    model_index_free(mgr.models);
    health_free(mgr.health);
    loop_free(loop);
    manifest_free(mani);
}

static void pass(int64_t ms)
{
    while (ms > 0) {
        clock_advance(loop->clock, 100);
        ms -= 100;
    }
}

static const struct tx_fake_step well[] = {{.what = FAKE_HEAD, .status = 200},
                                           {.what = FAKE_END}};
static const struct tx_fake_step down[] = {{.what = FAKE_HEAD, .status = 503},
                                           {.what = FAKE_END}};
static const struct tx_fake_step full[] = {{.what = FAKE_HEAD, .status = 429},
                                           {.what = FAKE_END}};
static const struct tx_fake_step hang[] = {{.what = FAKE_HANG}};

static void script(const struct tx_fake_step *steps, size_t n, int times)
{
    while (times--)
        transport_fake_script(mgr.transport, URL, steps, n);
}

static enum health_say say(void)
{
    int64_t until;

    return health_look(mgr.health, "p", STR("any model"),
                       clock_now(loop->clock), &until);
}

static const char *last(void)
{
    static struct health_check v[HEALTH_CHECKS];

    return health_checks(mgr.health, "p", v) ? v[0].kind : "none";
}

START_TEST(once_in_an_interval)
{
    script(well, N(well), 5);
    pass(MINUTE - 1000);
    ck_assert_int_eq(asked, 0);
    pass(2000);
    ck_assert_int_eq(asked, 1);
    ck_assert_str_eq(last(), "ok");
    pass(4 * MINUTE);
    ck_assert_int_eq(asked, 5);
}
END_TEST

START_TEST(three_failures_open_it_and_a_good_check_closes_it)
{
    script(down, N(down), 3);
    script(well, N(well), 2);
    pass(2 * MINUTE + 1000);
    ck_assert_int_eq(asked, 2);
    ck_assert_int_eq(say(), HEALTH_GO);
    pass(MINUTE);
    ck_assert_int_eq(say(), HEALTH_OPEN);
    pass(HEALTH_OPEN_MS); /* half-open: who comes now is the probe */
    ck_assert_int_eq(say(), HEALTH_GO);
    pass(MINUTE - HEALTH_OPEN_MS);
    ck_assert_int_eq(asked, 4);
    ck_assert_str_eq(last(), "ok");
    /* Closed for good: one failure does not open it. */
    script(down, N(down), 1);
    pass(2 * MINUTE);
    ck_assert_int_eq(asked, 6);
    ck_assert_int_eq(say(), HEALTH_GO);
}
END_TEST

START_TEST(silence_is_a_failure)
{
    script(hang, N(hang), 3);
    pass(MINUTE + 9000);
    ck_assert_str_eq(last(), "none");
    pass(2000);
    ck_assert_str_eq(last(), err_class(ERR_FIRST_TIMEOUT)->name);
    pass(2 * (MINUTE + 10000));
    ck_assert_int_eq(asked, 3);
    ck_assert_int_eq(say(), HEALTH_OPEN);
}
END_TEST

START_TEST(who_asked_for_time_has_it)
{
    script(full, N(full), 1);
    script(well, N(well), 1);
    pass(MINUTE + 1000);
    ck_assert_int_eq(say(), HEALTH_COOLING);
    pass(2 * MINUTE);
    ck_assert_int_eq(asked, 1);
    pass(MINUTE);
    ck_assert_int_eq(asked, 2);
    ck_assert_int_eq(say(), HEALTH_GO);
}
END_TEST

START_TEST(drained_ones_are_looked_after_disabled_ones_not)
{
    script(well, N(well), 9);
    ck_assert_int_eq(health_hold(mgr.health, "p", HOLD_DRAIN), 0);
    pass(MINUTE + 1000);
    ck_assert_int_eq(asked, 1);
    ck_assert_int_eq(say(), HEALTH_HELD);
    ck_assert_int_eq(health_hold(mgr.health, "p", HOLD_DISABLE), 0);
    pass(3 * MINUTE);
    ck_assert_int_eq(asked, 1);
    ck_assert_int_eq(health_hold(mgr.health, "p", HOLD_NONE), 0);
    pass(MINUTE);
    ck_assert_int_eq(asked, 2);
    ck_assert_int_eq(say(), HEALTH_GO);
}
END_TEST

START_TEST(one_that_goes_while_it_is_asked)
{
    script(down, N(down), 3);
    script(hang, N(hang), 1);
    pass(3 * MINUTE + 1000);
    ck_assert_int_eq(say(), HEALTH_OPEN);
    pass(MINUTE);
    ck_assert_int_eq(asked, 4);
    ck_assert_int_eq(say(), HEALTH_OPEN); /* the check is the probe */
    provider.check_ms = 0;
    checks_follow(checks, &snap);
    ck_assert_uint_eq(transport_fake_cancelled(mgr.transport), 1);
    ck_assert_int_eq(say(), HEALTH_GO); /* another one may be */
    pass(5 * MINUTE);
    ck_assert_int_eq(asked, 4);
}
END_TEST

START_TEST(another_interval)
{
    script(well, N(well), 9);
    pass(MINUTE / 2);
    provider.check_ms = 2 * MINUTE;
    checks_follow(checks, &snap);
    pass(2 * MINUTE - 1000);
    ck_assert_int_eq(asked, 0);
    pass(2000);
    ck_assert_int_eq(asked, 1);
    /* The same again changes nothing. */
    pass(MINUTE);
    checks_follow(checks, &snap);
    pass(MINUTE);
    ck_assert_int_eq(asked, 2);
}
END_TEST

START_TEST(not_while_the_host_ends)
{
    script(well, N(well), 1);
    atomic_store(&mgr.draining, true);
    pass(3 * MINUTE);
    ck_assert_int_eq(asked, 0);
}
END_TEST

int main(void)
{
    const TTest *const all[] = {
        once_in_an_interval,
        three_failures_open_it_and_a_good_check_closes_it,
        silence_is_a_failure,
        who_asked_for_time_has_it,
        drained_ones_are_looked_after_disabled_ones_not,
        one_that_goes_while_it_is_asked,
        another_interval,
        not_while_the_host_ends};
    Suite *suite = suite_create("checks");
    TCase *tc = tcase_create("checks");
    SRunner *sr;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    for (size_t i = 0; i < N(all); i++)
        tcase_add_test(tc, all[i]);
    suite_add_tcase(suite, tc);
    sr = srunner_create(suite);
    log_set_level(LOG_ERROR);
    srunner_run_all(sr, CK_ENV);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? 1 : 0;
}
