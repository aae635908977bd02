/* SPDX-License-Identifier: MIT */
/* The attempt engine on the fake transport and the virtual clock: order of
 * callbacks, what is held back, time-outs, cancellation, what follows a
 * failure. The codec is a toy of this file: SSE records "t:TEXT", "p:"
 * (prelude), "u:N", "e:" (an error), "x:" (asks to drop the record), "stop",
 * "end". */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "manager/allowance.h"
#include "manager/call.h"
#include "manager/call_plan.h"
#include "manager/health.h"
#include "manager/router.h"
#include "manager/snapshot.h"

#define URL_A "http://a.test/v1"
#define URL_B "http://b.test/v1"

/* --- the toy codec ------------------------------------------------------- */

struct toy {
    struct instance *self;
    int builds, finishes, steps;
    bool pass;
    bool warns;  /* build() emits a warning */
    bool hasty;  /* build() emits text */
    bool inside; /* feed() is on the stack */
};

static struct toy toys[2];

static void emit(struct toy *t, pbay_call *call, uint32_t type, pbay_str text);

static pbay_rc toy_build(void *inst, void *st, pbay_call *call,
                         const pbay_request *req, pbay_exchange *x)
{
    static const pbay_str body = PBAY_LIT("hello");
    struct toy *t = inst;

    ck_assert_ptr_nonnull(st);
    t->builds++;
    if (t->warns)
        emit(t, call, PBAY_EV_WARNING, STR("dropped"));
    if (t->hasty)
        emit(t, call, PBAY_EV_TEXT, STR("too soon"));
    t->pass = req->flags & PBAY_RQ_PASS;
    x->method = STR("POST");
    x->path = STR("/chat");
    x->framing = PBAY_FRAME_SSE;
    x->flags = PBAY_X_REPLY_PASS;
    x->auth = STR("bearer");
    x->body = &body;
    x->n_body = 1;
    return PBAY_OK;
}

static void emit(struct toy *t, pbay_call *call, uint32_t type, pbay_str text)
{
    pbay_event ev = {.size = sizeof(ev), .type = type, .text = text};

    t->self->host.emit(call, &ev);
}

static pbay_rc toy_feed(void *inst, void *st, pbay_call *call,
                        const pbay_record *rec)
{
    struct toy *t = inst;
    pbay_str d = rec->data;

    (void)st;
    if (str_starts(d, "t:")) {
        t->inside = true;
        emit(t, call, PBAY_EV_TEXT, str_n(d.p + 2, d.n - 2));
        t->inside = false;
    } else if (str_is(d, "slow")) {
        int64_t since = clock_us();
        while (clock_us() - since <= LIM_CALLBACK_US)
            ;
    } else if (str_is(d, "stop")) {
        emit(t, call, PBAY_EV_STOP, STR_NONE);
    } else if (str_is(d, "end")) {
        return PBAY_END;
    } else if (str_starts(d, "l:")) {
        pbay_event ev = {.size = sizeof(ev),
                         .type = PBAY_EV_LIMITS,
                         .json = str_n(d.p + 2, d.n - 2)};
        t->self->host.emit(call, &ev);
    } else if (str_is(d, "x:")) {
        return PBAY_DROP;
    } else if (str_starts(d, "u:")) {
        pbay_usage u = {.size = sizeof(u),
                        .known = PBAY_U_OUTPUT,
                        .output = (uint64_t)(d.p[2] - '0')};
        pbay_event ev = {
            .size = sizeof(ev), .type = PBAY_EV_USAGE, .usage = &u};
        t->self->host.emit(call, &ev);
    } else if (str_starts(d, "e:")) {
        pbay_error e = {.size = sizeof(e),
                        .kind = PBAY_E_OVERLOADED,
                        .retry_after_ms = 1500,
                        .message = STR("full up")};
        pbay_event ev = {
            .size = sizeof(ev), .type = PBAY_EV_ERROR, .error = &e};
        t->self->host.emit(call, &ev);
        return PBAY_FAIL;
    } else if (str_starts(d, "{\"error\"")) {
        pbay_error e = {.size = sizeof(e),
                        .kind = PBAY_E_INVALID,
                        .retry_after_ms = -1,
                        .message = STR("bad thing")};
        pbay_event ev = {
            .size = sizeof(ev), .type = PBAY_EV_ERROR, .error = &e};
        t->self->host.emit(call, &ev);
    } else if (!str_starts(d, "p:")) {
        return PBAY_FAIL;
    }
    return PBAY_OK;
}

static pbay_rc toy_finish(void *inst, void *st, pbay_call *call, pbay_rc why)
{
    struct toy *t = inst;

    (void)st;
    ck_assert(!t->inside);
    t->finishes++;
    if (why == PBAY_FAIL || why == PBAY_STOPPED)
        emit(t, call, PBAY_EV_TEXT, STR("too late"));
    if (t->steps > 0 && why == PBAY_END) {
        t->steps--;
        return PBAY_AGAIN;
    }
    return PBAY_OK;
}

static const pbay_codec toy_codec = {
    .size = sizeof(pbay_codec),
    .state_size = 64,
    .ops = PBAY_OP_BIT(PBAY_OP_CHAT),
    .dialects = PBAY_LIT("other/1 toy/1"),
    .build = toy_build,
    .feed = toy_feed,
    .finish = toy_finish,
};

/* --- the bench ----------------------------------------------------------- */

static struct loop *loop;
static struct manager mgr;
static struct snapshot snap;
static struct config cfg;
static struct cfg_provider providers[2];
static struct instance insts[2], *inst_list[2] = {&insts[0], &insts[1]};
static struct generation gens[2];
static struct manifest *mani;
static unsigned released;
static pbay_str schema; /* that answers have to match */

void attempt_host_table(pbay_host *h, struct instance *inst);

static void on_released(struct manager *m, struct snapshot *s, void *arg)
{
    (void)m;
    (void)s;
    (void)arg;
    released++;
}

static void setup(void)
{
    static const char *const urls[] = {URL_A, URL_B};
    static const char *const names[] = {"a", "b"};
    static char *no_models[] = {NULL};
    char *err = NULL;

    mani = manifest_parse(
        STR("{\"abi\":\"0.1\",\"id\":\"toy\",\"version\":\"1\",\"license\":"
            "\"MIT\",\"kind\":\"codec\",\"models\":[{\"match\":\"m*\"}]}"),
        &err);
    ck_assert_msg(mani != NULL, "%s", err ? err : "");
    memset(&snap, 0, sizeof(snap));
    memset(&cfg, 0, sizeof(cfg));
    memset(insts, 0, sizeof(insts));
    memset(toys, 0, sizeof(toys));
    released = 0;
    schema = STR_NONE;
    cfg.max_calls = 10;
    loop = loop_new(0);
    ck_assert_ptr_nonnull(loop);
    clock_free(loop->clock);
    loop->clock = clock_new_virtual(1700000000000);
    for (int i = 0; i < 2; i++) {
        providers[i] = (struct cfg_provider){
            .name = (char *)(uintptr_t)names[i],
            .manifest = mani,
            .enabled = true,
            .base_url = (char *)(uintptr_t)urls[i],
            .models = no_models,
            .timeouts = {1000, 5000, 2000, 60000},
            .max_reply = LIM_REPLY,
            .max_record = LIM_RECORD,
            .call_memory = LIM_CALL_ARENA,
            .model_config = (char *)(uintptr_t) "{}",
        };
        gens[i].times = calloc(LIM_LOOPS + 1, sizeof(struct module_times));
        insts[i].name = providers[i].name;
        insts[i].cfg = &providers[i];
        insts[i].gen = &gens[i];
        insts[i].inst = &toys[i];
        insts[i].codec = &toy_codec;
        insts[i].ops = toy_codec.ops;
        attempt_host_table(&insts[i].host, &insts[i]);
        toys[i].self = &insts[i];
        insts[i].stats = stats_of(names[i]);
    }
    snap.cfg = &cfg;
    snap.instances = inst_list;
    snap.n = 2;
    mgr = (struct manager){.loop = loop,
                           .transport = transport_fake_new(loop),
                           .models = model_index_new(),
                           .released = on_released};
    manager_adopt(&mgr, &snap);
}

static void teardown(void)
{
    ck_assert_uint_eq(mgr.active, 0);
    ck_assert_uint_eq(snap.refs[0], 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(toys[i].builds, toys[i].finishes);
        free(gens[i].times);
    }
    stats_free();
    transport_free(mgr.transport);
    model_index_free(mgr.models);
    loop_free(loop);
    manifest_free(mani);
}

/* What the sink saw, as text: "B" begin, "[..]" bytes, "(..)" events. */
static char seen[8192];
static struct call *the_call;
static bool stop_on_text, pause_on_text;

static void saw(const char *open, pbay_str s, const char *close)
{
    size_t n = strlen(seen);

    snprintf(seen + n, sizeof(seen) - n, "%s%.*s%s", open, STR_ARG(s), close);
}

static void s_begin(void *arg, const struct call_head *h,
                    const struct call_report *r)
{
    (void)arg;
    (void)r;
    saw(h->error_body ? "E" : h->pass ? "P" : "T", STR_NONE, "");
}

static void s_bytes(void *arg, pbay_str raw)
{
    (void)arg;
    saw("[", raw, "]");
}

static void s_event(void *arg, const pbay_event *ev)
{
    (void)arg;
    saw("(",
        ev->type == PBAY_EV_TEXT      ? ev->text
        : ev->type == PBAY_EV_STOP    ? STR("STOP")
        : ev->type == PBAY_EV_WARNING ? STR("WARNING")
                                      : STR("?"),
        ")");
    if (stop_on_text) {
        stop_on_text = false;
        call_cancel(the_call);
        the_call = NULL;
    } else if (pause_on_text) {
        call_pause(the_call, true);
    }
}

static struct err last_err;
static struct call_report last_report;
static char last_model[64];

static void s_end(void *arg, const struct err *e, const struct call_report *r)
{
    (void)arg;
    the_call = NULL;
    last_report = *r;
    snprintf(last_model, sizeof(last_model), "%.*s", STR_ARG(r->model));
    err_clear(&last_err);
    if (e)
        last_err = *e;
    saw("!", str_c(e ? err_class(e->kind)->name : "ok"), "");
}

static const struct call_sink sink = {s_begin, s_bytes, s_event, s_end};

static struct call *ask(const char *model, bool pass)
{
    static const pbay_kv messages = {PBAY_LIT("messages"), PBAY_LIT("[]")};
    struct call_request r = {.op = PBAY_OP_CHAT,
                             .stream = true,
                             .no_pass = !pass,
                             .want = ~0u,
                             .id = STR("r1"),
                             .model = str_c(model),
                             .dialect = STR("toy/1"),
                             .body = STR("{\"messages\":[]}"),
                             .members = &messages,
                             .n_members = 1,
                             .schema = schema};
    struct err e;

    seen[0] = '\0';
    the_call = call_start(&mgr, &r, &sink, NULL, &e);
    if (!the_call)
        last_err = e;
    return the_call;
}

#define HEAD(st)                                                          \
    {                                                                     \
        .what = FAKE_HEAD, .status = (st), .headers = sse, .n_headers = 1 \
    }
#define DATA(s)                                          \
    {                                                    \
        .what = FAKE_DATA, .data = {(s), sizeof(s) - 1 } \
    }
#define WAIT(t)                      \
    {                                \
        .what = FAKE_WAIT, .ms = (t) \
    }
#define END(k)                       \
    {                                \
        .what = FAKE_END, .end = (k) \
    }
#define HANG              \
    {                     \
        .what = FAKE_HANG \
    }
#define SCRIPT(url, ...)                                       \
    static const struct tx_fake_step steps_[] = {__VA_ARGS__}; \
    transport_fake_script(mgr.transport, url, steps_,          \
                          sizeof(steps_) / sizeof(*steps_))
#define SCRIPT_B(...)                                           \
    static const struct tx_fake_step steps_b[] = {__VA_ARGS__}; \
    transport_fake_script(mgr.transport, URL_B, steps_b,        \
                          sizeof(steps_b) / sizeof(*steps_b))

static const pbay_kv sse[] = {
    {PBAY_LIT("content-type"), PBAY_LIT("text/event-stream")}};
static const pbay_kv json[] = {
    {PBAY_LIT("content-type"), PBAY_LIT("application/json")}};

static void run(int64_t ms)
{
    for (int64_t t = 0; t <= ms; t += 10)
        clock_advance(loop->clock, 10);
}

START_TEST(translated_in_order)
{
    SCRIPT(URL_A, HEAD(200), DATA("data: p:\n\ndata: t:one\n\ndata: t:two\n\n"),
           DATA("data: u:7\n\ndata: stop\n\ndata: end\n\n"), END(ERR_NONE));
    ck_assert_ptr_nonnull(ask("a/m", false));
    run(100);
    ck_assert_str_eq(seen, "T(one)(two)(?)(STOP)!ok");
    ck_assert_uint_eq(last_report.usage.output, 7);
    ck_assert_uint_eq(last_report.attempts, 1);
    ck_assert_str_eq(last_report.provider, "a");
}
END_TEST

START_TEST(passed_byte_for_byte_and_dropped)
{
    SCRIPT(URL_A, HEAD(200), DATA(": hi\n\ndata: p:\n\n"),
           DATA("data: t:one\r\n\r\ndata: x:\n\ndata: stop\n\ndata: end\n\n"),
           END(ERR_NONE));
    ck_assert_ptr_nonnull(ask("a/m", true));
    run(100);
    ck_assert_str_eq(seen, "P[: hi\n\ndata: p:\n\n][data: t:one\r\n\r\n]"
                           "[data: stop\n\ndata: end\n\n]!ok");
}
END_TEST

START_TEST(prelude_is_held_until_content)
{
    SCRIPT(URL_A, HEAD(200), DATA("data: p:\n\n"), WAIT(1000),
           DATA("data: t:x\n\ndata: stop\n\ndata: end\n\n"), END(ERR_NONE));
    ask("a/m", true);
    run(500);
    ck_assert_str_eq(seen, "");
    run(1000);
    ck_assert_str_eq(seen, "P[data: p:\n\n][data: t:x\n\ndata: stop\n\ndata: "
                           "end\n\n]!ok");
}
END_TEST

START_TEST(error_before_content_has_a_status)
{
    SCRIPT(URL_A, HEAD(200), DATA("data: p:\n\ndata: e:\n\n"), END(ERR_NONE));
    ask("a/m", true);
    run(100);
    ck_assert_str_eq(seen, "!overloaded");
    ck_assert_int_eq(last_err.retry_after_ms, 1500);
}
END_TEST

START_TEST(error_after_content_ends_the_stream)
{
    SCRIPT(URL_A, HEAD(200), DATA("data: t:x\n\n"), DATA("data: e:\n\n"),
           END(ERR_NONE));
    ask("a/m", true);
    run(100);
    ck_assert_str_eq(seen, "P[data: t:x\n\n]!overloaded");
}
END_TEST

START_TEST(no_end_mark_is_truncated)
{
    SCRIPT(URL_A, HEAD(200), DATA("data: t:x\n\ndata: stop\n\n"),
           END(ERR_NONE));
    ask("a/m", false);
    run(100);
    ck_assert_str_eq(seen, "T(x)(STOP)!truncated");
}
END_TEST

START_TEST(cut_inside_is_truncated)
{
    SCRIPT(URL_A, HEAD(200), DATA("data: t:x\n\ndata: t:ha"),
           END(ERR_TRUNCATED));
    ask("a/m", true);
    run(100);
    ck_assert_str_eq(seen, "P[data: t:x\n\n]!truncated");
}
END_TEST

START_TEST(cut_after_the_end_mark_is_whole)
{
    SCRIPT(URL_A, HEAD(200), DATA("data: t:x\n\ndata: stop\n\ndata: end\n\n"),
           END(ERR_TRUNCATED));
    ask("a/m", false);
    run(100);
    ck_assert_str_eq(seen, "T(x)(STOP)!ok");
}
END_TEST

START_TEST(slow_to_close_does_not_hold_the_answer_up)
{
    SCRIPT(URL_A, HEAD(200), DATA("data: t:x\n\ndata: stop\n\ndata: end\n\n"),
           HANG);
    ask("a/m", false);
    run(1100);
    ck_assert_str_eq(seen, "T(x)(STOP)!ok");
    ck_assert_uint_eq(transport_fake_cancelled(mgr.transport), 1);
}
END_TEST

START_TEST(silence_hits_the_first_token_timeout)
{
    SCRIPT(URL_A, HEAD(200), HANG);
    ask("a/m", true);
    run(4900);
    ck_assert_str_eq(seen, "");
    run(200);
    ck_assert_str_eq(seen, "!first_token_timeout");
    ck_assert_uint_eq(transport_fake_cancelled(mgr.transport), 1);
}
END_TEST

START_TEST(no_reply_hits_the_headers_timeout)
{
    providers[0].timeouts.headers_ms = 1500;
    SCRIPT(URL_A, HANG);
    ask("a/m", true);
    run(1400);
    ck_assert_str_eq(seen, "");
    run(200);
    ck_assert_str_eq(seen, "!headers_timeout");
    ck_assert_uint_eq(transport_fake_cancelled(mgr.transport), 1);
}
END_TEST

START_TEST(a_head_ends_the_headers_timeout)
{
    providers[0].timeouts.headers_ms = 1500;
    SCRIPT(URL_A, HEAD(200), HANG);
    ask("a/m", true);
    run(4900);
    ck_assert_str_eq(seen, "");
    run(200);
    ck_assert_str_eq(seen, "!first_token_timeout");
}
END_TEST

START_TEST(stall_hits_the_idle_timeout)
{
    SCRIPT(URL_A, HEAD(200), DATA("data: t:x\n\n"), WAIT(1900),
           DATA("data: t:y\n\n"), HANG);
    ask("a/m", false);
    run(3700);
    ck_assert_str_eq(seen, "T(x)(y)");
    run(400);
    ck_assert_str_eq(seen, "T(x)(y)!idle_timeout");
}
END_TEST

START_TEST(paused_client_does_not_time_out)
{
    SCRIPT(URL_A, HEAD(200), DATA("data: t:x\n\n"),
           DATA("data: stop\n\ndata: end\n\n"), END(ERR_NONE));
    pause_on_text = true;
    ask("a/m", false);
    run(10000);
    ck_assert_str_eq(seen, "T(x)");
    pause_on_text = false;
    call_pause(the_call, false);
    run(100);
    ck_assert_str_eq(seen, "T(x)(STOP)!ok");
}
END_TEST

START_TEST(deadline_covers_everything)
{
    static const struct tx_fake_step steps[] = {
        HEAD(200),  DATA("data: t:1\n\n"), WAIT(1500), DATA("data: t:2\n\n"),
        WAIT(1500), DATA("data: t:3\n\n"), WAIT(1500), HANG};

    providers[0].timeouts.total_ms = 2000;
    transport_fake_script(mgr.transport, URL_A, steps, 8);
    ask("a/m", false);
    run(2100);
    ck_assert_str_eq(seen, "T(1)(2)!deadline");
}
END_TEST

START_TEST(cancel_ends_the_exchange)
{
    SCRIPT(URL_A, HEAD(200), DATA("data: t:x\n\n"), HANG);
    ask("a/m", false);
    run(100);
    call_cancel(the_call);
    ck_assert_str_eq(seen, "T(x)");
    ck_assert_uint_eq(transport_fake_cancelled(mgr.transport), 1);
}
END_TEST

START_TEST(cancel_from_inside_a_callback)
{
    SCRIPT(URL_A, HEAD(200), DATA("data: t:x\n\ndata: t:y\n\n"), HANG);
    stop_on_text = true;
    ask("a/m", false);
    run(100);
    ck_assert_str_eq(seen, "T(x)");
}
END_TEST

START_TEST(a_checked_answer_is_held_back)
{
    schema = STR("{\"type\":\"integer\"}");
    SCRIPT(URL_A, HEAD(200), DATA("data: t:1\n\ndata: t:2\n\n"), WAIT(1000),
           DATA("data: stop\n\ndata: end\n\n"), END(ERR_NONE));
    ask("a/m", true);
    run(500);
    ck_assert_str_eq(seen, "");
    run(1000);
    ck_assert_str_eq(seen, "P[data: t:1\n\ndata: t:2\n\n][data: stop\n\ndata: "
                           "end\n\n]!ok");
}
END_TEST

START_TEST(a_checked_answer_is_asked_for_twice_at_most)
{
    schema = STR("{\"type\":\"integer\"}");
    SCRIPT(URL_A, HEAD(200), DATA("data: u:3\n\ndata: t:no\n\n"),
           DATA("data: stop\n\ndata: end\n\n"), END(ERR_NONE));
    transport_fake_script(mgr.transport, URL_A, steps_, 4);
    ask("a/m", true);
    run(100);
    ck_assert_str_eq(seen, "!schema");
    ck_assert_uint_eq(last_report.attempts, 2);
    ck_assert_uint_eq(last_report.usage.output, 6);
    ck_assert_ptr_nonnull(strstr(last_err.message, "is not JSON"));
}
END_TEST

/* Each attempt at its own target's price, or at none. */
START_TEST(what_a_repair_and_another_target_cost)
{
    static const struct tx_fake_step no[] = {{.what = FAKE_HEAD, .status = 503},
                                             END(ERR_NONE)};
    static const struct tx_fake_step yes[] = {
        HEAD(200), DATA("data: u:5\n\ndata: t:7\n\ndata: stop\n\n"),
        DATA("data: end\n\n"), END(ERR_NONE)};
    static const struct price_row rows[] = {
        {.model = PBAY_LIT("*"),
         .price = {-1, -1, -1, -1, .output = 1000000000, -1, -1}},
        {.model = PBAY_LIT("*"),
         .price = {-1, -1, -1, -1, .output = 20000000000, -1, -1}}};
    static char *a_b[] = {(char *)(uintptr_t) "a/m", (char *)(uintptr_t) "b/m",
                          NULL};
    static struct cfg_route route = {.name = (char *)(uintptr_t) "r",
                                     .targets = a_b};
    SCRIPT(URL_A, HEAD(200), DATA("data: u:3\n\ndata: t:no\n\n"),
           DATA("data: stop\n\ndata: end\n\n"), END(ERR_NONE));

    schema = STR("{\"type\":\"integer\"}");
    cfg.routes = &route;
    cfg.n_routes = 1;
    transport_fake_script(mgr.transport, URL_A, no, 2);
    transport_fake_script(mgr.transport, URL_B, yes, 4);
    for (int i = 0; i < 2; i++) {
        providers[i].prices = &rows[i];
        providers[i].n_prices = 1;
    }
    ask("r", true);
    run(100);
    ck_assert_ptr_nonnull(strstr(seen, "!ok"));
    ck_assert_uint_eq(last_report.attempts, 3);
    ck_assert_uint_eq(last_report.usage.output, 8);
    ck_assert(last_report.usage.known & PBAY_U_COST);
    ck_assert_int_eq(last_report.usage.cost_nano, 3 * 1000 + 5 * 20000);
    transport_fake_script(mgr.transport, URL_A, steps_, 4);
    transport_fake_script(mgr.transport, URL_A, no, 2);
    transport_fake_script(mgr.transport, URL_B, yes, 4);
    providers[0].n_prices = 0;
    ask("r", true);
    run(100);
    ck_assert_uint_eq(last_report.usage.output, 8);
    ck_assert(last_report.unpriced);
    ck_assert(!(last_report.usage.known & PBAY_U_COST));
}
END_TEST

START_TEST(cancel_while_what_was_held_is_told)
{
    schema = STR("{\"type\":\"integer\"}");
    SCRIPT(URL_A, HEAD(200), DATA("data: t:1\n\ndata: t:2\n\n"),
           DATA("data: stop\n\ndata: end\n\n"), END(ERR_NONE));
    stop_on_text = true;
    ask("a/m", false);
    run(100);
    ck_assert_str_eq(seen, "T(1)");
}
END_TEST

START_TEST(cancel_while_an_answer_is_held)
{
    schema = STR("{\"type\":\"integer\"}");
    SCRIPT(URL_A, HEAD(200), DATA("data: t:1\n\n"), HANG);
    ask("a/m", true);
    run(100);
    call_cancel(the_call);
    run(100);
    ck_assert_str_eq(seen, "");
}
END_TEST

START_TEST(own_error_body_passes_where_it_may)
{
    static const struct tx_fake_step steps[] = {
        {.what = FAKE_HEAD, .status = 400, .headers = json, .n_headers = 1},
        DATA("{\"error\":{\"message\":\"bad thing\"}}"),
        END(ERR_NONE)};

    transport_fake_script(mgr.transport, URL_A, steps, 3);
    ask("a/m", true);
    run(100);
    ck_assert_str_eq(seen,
                     "E[{\"error\":{\"message\":\"bad thing\"}}]!invalid");
}
END_TEST

START_TEST(status_classifies_what_the_codec_does_not)
{
    static const struct tx_fake_step steps[] = {
        {.what = FAKE_HEAD, .status = 503, .headers = json, .n_headers = 1},
        DATA("p:"),
        END(ERR_NONE)};

    transport_fake_script(mgr.transport, URL_A, steps, 3);
    ask("a/m", true);
    run(100);
    ck_assert_str_eq(seen, "!overloaded");
}
END_TEST

START_TEST(garbage_is_a_protocol_error)
{
    SCRIPT(URL_A, HEAD(200), DATA("data: what is this\n\n"), END(ERR_NONE));
    ask("a/m", false);
    run(100);
    ck_assert_str_eq(seen, "!protocol");
}
END_TEST

START_TEST(a_callback_that_holds_the_loop_up_is_named)
{
    static char text[8192];
    FILE *log = tmpfile();
    int saved = dup(STDERR_FILENO);
    size_t n;

    SCRIPT(URL_A, HEAD(200),
           DATA("data: t:x\n\ndata: slow\n\ndata: stop\n\ndata: end\n\n"),
           END(ERR_NONE));
    ck_assert_ptr_nonnull(log);
    ck_assert_int_ge(saved, 0);
    ck_assert_int_ge(dup2(fileno(log), STDERR_FILENO), 0);
    log_set_level(LOG_WARN);
    ask("a/m", false);
    run(100);
    log_set_level(LOG_ERROR);
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(log);
    n = fread(text, 1, sizeof(text) - 1, log);
    text[n] = '\0';
    fclose(log);
    ck_assert_str_eq(seen, "T(x)(STOP)!ok");
    ck_assert_msg(strstr(text, "held up the event loop") &&
                      strstr(text, "provider=a") &&
                      strstr(text, "callback=feed"),
                  "%s", text);
    ck_assert_uint_ge(gens[0].times[0].slow, 1);
    ck_assert_uint_gt(gens[0].times[0].max_us, LIM_CALLBACK_US);
    ck_assert_uint_ge(gens[0].times[0].calls, 6);
}
END_TEST

START_TEST(no_connection)
{
    SCRIPT(URL_A, END(ERR_CONNECT));
    ask("a/m", false);
    run(100);
    ck_assert_str_eq(seen, "!connect");
}
END_TEST

START_TEST(codec_may_ask_for_another_exchange)
{
    SCRIPT(URL_A, HEAD(200), DATA("data: p:\n\ndata: end\n\n"), END(ERR_NONE));
    transport_fake_script(
        mgr.transport, URL_A,
        (const struct tx_fake_step[]){
            HEAD(200), DATA("data: t:2nd\n\ndata: stop\n\ndata: end\n\n"),
            END(ERR_NONE)},
        3);
    toys[0].steps = 1;
    ask("a/m", false);
    run(100);
    ck_assert_str_eq(seen, "T(2nd)(STOP)!ok");
    ck_assert_int_eq(toys[0].builds, 2);
}
END_TEST

START_TEST(codec_may_not_ask_for_ever)
{
    static const struct tx_fake_step steps[] = {
        HEAD(200), DATA("data: p:\n\ndata: end\n\n"), END(ERR_NONE)};

    for (int i = 0; i < LIM_EXCHANGES + 1; i++)
        transport_fake_script(mgr.transport, URL_A, steps, 3);
    toys[0].steps = 1000;
    ask("a/m", false);
    run(100);
    ck_assert_str_eq(seen, "!internal");
    ck_assert_int_eq(toys[0].builds, LIM_EXCHANGES);
}
END_TEST

START_TEST(codec_may_not_answer_for_the_provider)
{
    SCRIPT(URL_A, HEAD(200), DATA("data: stop\n\ndata: end\n\n"),
           END(ERR_NONE));

    toys[0].hasty = true;
    ask("a/m", false);
    run(100);
    ck_assert_str_eq(seen, "!internal");
}
END_TEST

START_TEST(early_warnings_follow_the_beginning)
{
    SCRIPT(URL_A, HEAD(200), DATA("data: t:x\n\ndata: stop\n\ndata: end\n\n"),
           END(ERR_NONE));

    toys[0].warns = true;
    ask("a/m", false);
    run(100);
    ck_assert_str_eq(seen, "T(WARNING)(x)(STOP)!ok");
}
END_TEST

START_TEST(what_trails_the_end_mark_is_not_waited_for)
{
    SCRIPT(URL_A, HEAD(200), DATA("data: t:x\n\ndata: stop\n\ndata: end\n\n"),
           WAIT(600), DATA(": more\n\n"), WAIT(600), DATA(": more\n\n"),
           WAIT(600), DATA(": more\n\n"), HANG);

    ask("a/m", false);
    run(LIM_TRAILING_MS + 100);
    ck_assert_str_eq(seen, "T(x)(STOP)!ok");
}
END_TEST

START_TEST(refusal_without_end)
{
    static char much[LIM_ERROR_BODY];
    static struct tx_fake_step steps[] = {
        {.what = FAKE_HEAD, .status = 503, .headers = json, .n_headers = 1},
        {.what = FAKE_DATA, .data = {much, sizeof(much)}},
        HANG};

    memset(much, 'x', sizeof(much));
    memcpy(much, "p:", 2);
    transport_fake_script(mgr.transport, URL_A, steps, 3);
    ask("a/m", true);
    run(100);
    ck_assert_str_eq(seen, "!overloaded");
    ck_assert_uint_eq(transport_fake_cancelled(mgr.transport), 1);
}
END_TEST

START_TEST(refusal_that_is_cut_or_stalls_is_still_one)
{
    static const struct tx_fake_step cut[] = {
        {.what = FAKE_HEAD, .status = 429, .headers = json, .n_headers = 1},
        DATA("{\"mess"),
        END(ERR_TRUNCATED)};
    static const struct tx_fake_step stall[] = {
        {.what = FAKE_HEAD, .status = 429, .headers = json, .n_headers = 1},
        DATA("{\"mess"),
        HANG};

    transport_fake_script(mgr.transport, URL_A, cut, 3);
    ask("a/m", true);
    run(100);
    ck_assert_str_eq(seen, "!rate_limit");
    transport_fake_script(mgr.transport, URL_A, stall, 3);
    ask("a/m", true);
    run(2500);
    ck_assert_str_eq(seen, "!rate_limit");
}
END_TEST

START_TEST(bounded_calls)
{
    static struct call *calls[10];
    static const struct tx_fake_step steps[] = {HEAD(200), HANG};

    for (int i = 0; i < 10; i++) {
        transport_fake_script(mgr.transport, URL_A, steps, 2);
        calls[i] = ask("a/m", false);
        ck_assert_ptr_nonnull(calls[i]);
    }
    ck_assert_ptr_null(ask("a/m", false));
    ck_assert_int_eq(last_err.kind, ERR_UNAVAILABLE);
    for (int i = 0; i < 10; i++)
        call_cancel(calls[i]);
}
END_TEST

/* A route over both, whose first target fails after half a second. */
static void route_of(char **targets)
{
    static const struct tx_fake_step no[] = {
        WAIT(500), {.what = FAKE_HEAD, .status = 503}, END(ERR_NONE)};
    static const struct tx_fake_step yes[] = {
        HEAD(200), DATA("data: t:x\n\ndata: stop\n\ndata: end\n\n"),
        END(ERR_NONE)};
    static struct cfg_route route;

    route =
        (struct cfg_route){.name = (char *)(uintptr_t) "r", .targets = targets};
    cfg.routes = &route;
    cfg.n_routes = 1;
    mgr.health = health_new();
    transport_fake_script(mgr.transport, URL_B, no, 3);
    transport_fake_script(mgr.transport, URL_B, yes, 3);
}

static char *b_a_b[] = {(char *)(uintptr_t) "b/m1", (char *)(uintptr_t) "a/m",
                        (char *)(uintptr_t) "b/m2", NULL};
static char *b_a[] = {(char *)(uintptr_t) "b/m1", (char *)(uintptr_t) "a/m",
                      NULL};

START_TEST(one_that_is_being_probed_comes_behind_the_others)
{
    struct health_ticket t;
    struct err e;

    err_set(&e, PBAY_E_UPSTREAM, "no");
    e.scope = PBAY_SCOPE_MODEL;
    route_of(b_a_b);
    for (int i = 0; i < 3; i++) {
        health_begin(mgr.health, "a", STR("m"), clock_now(loop->clock), &t);
        health_end(mgr.health, "a", STR("m"), clock_now(loop->clock), &e, &t);
    }
    run(HEALTH_OPEN_MS); /* half-open */
    ck_assert_ptr_nonnull(ask("r", false));
    run(100);
    ck_assert(
        health_begin(mgr.health, "a", STR("m"), clock_now(loop->clock), &t));
    run(1000);
    ck_assert_str_eq(seen, "T(x)(STOP)!ok");
    ck_assert_str_eq(last_report.provider, "b");
    ck_assert_str_eq(last_model, "m2");
    ck_assert_int_eq(toys[0].builds, 0);
    health_free(mgr.health);
}
END_TEST

START_TEST(what_is_taken_out_meanwhile_is_not_asked)
{
    route_of(b_a_b);
    ck_assert_ptr_nonnull(ask("r", false));
    run(100);
    ck_assert_int_eq(health_hold(mgr.health, "a", HOLD_DRAIN), 0);
    run(1000);
    ck_assert_str_eq(seen, "T(x)(STOP)!ok");
    ck_assert_str_eq(last_model, "m2");
    ck_assert_int_eq(toys[0].builds, 0);
    health_free(mgr.health);
}
END_TEST

START_TEST(the_last_one_is_taken_out)
{
    route_of(b_a);
    ck_assert_ptr_nonnull(ask("r", false));
    run(100);
    ck_assert_int_eq(health_hold(mgr.health, "a", HOLD_DISABLE), 0);
    run(1000);
    ck_assert_str_eq(seen, "!overloaded");
    ck_assert_int_eq(toys[0].builds, 0);
    health_free(mgr.health);
}
END_TEST

/* Counting tokens, say, which is for nobody's health. */
START_TEST(what_is_taken_out_is_not_asked_for_anything)
{
    struct call_request r = {.op = PBAY_OP_COUNT, .model = STR("r")};
    struct arena arena;
    struct plan plan;
    struct err e;

    arena_init(&arena, LIM_KIB(64));
    route_of(b_a_b);
    for (int i = 0; i < 2; i++)
        insts[i].ops |= PBAY_OP_BIT(PBAY_OP_COUNT);
    ck_assert_int_eq(call_plan(&mgr, &r, &arena, &plan, &e), 0);
    ck_assert_uint_eq(plan.n, 3);
    ck_assert_int_eq(health_hold(mgr.health, "b", HOLD_DRAIN), 0);
    ck_assert_int_eq(call_plan(&mgr, &r, &arena, &plan, &e), 0);
    ck_assert_uint_eq(plan.n, 1);
    ck_assert_str_eq(plan.targets[0].instance->name, "a");
    ck_assert_int_eq(health_hold(mgr.health, "a", HOLD_DISABLE), 0);
    ck_assert_int_eq(call_plan(&mgr, &r, &arena, &plan, &e), -1);
    ck_assert_int_eq(e.kind, ERR_UNAVAILABLE);
    arena_done(&arena);
    health_free(mgr.health);
}
END_TEST

START_TEST(names)
{
    SCRIPT_B(HEAD(200), DATA("data: stop\n\ndata: end\n\n"), END(ERR_NONE));
    ck_assert_ptr_null(ask("zzz", false));
    ck_assert_int_eq(last_err.kind, ERR_NO_MODEL);
    ck_assert_str_eq(last_err.param, "model");
    ck_assert_ptr_nonnull(ask("b/any/thing", false));
    run(100);
    ck_assert_str_eq(seen, "T(STOP)!ok");
    ck_assert_str_eq(last_report.provider, "b");
}
END_TEST

START_TEST(old_snapshot_is_released_when_its_last_call_ends)
{
    static struct snapshot newer;
    SCRIPT(URL_A, HEAD(200), DATA("data: t:x\n\n"), WAIT(500),
           DATA("data: stop\n\ndata: end\n\n"), END(ERR_NONE));

    newer = snap;
    memset(newer.refs, 0, sizeof(newer.refs));
    ask("a/m", false);
    run(100);
    manager_adopt(&mgr, &newer);
    ck_assert_uint_eq(released, 0);
    run(1000);
    ck_assert_str_eq(seen, "T(x)(STOP)!ok");
    ck_assert_uint_eq(released, 1);
}
END_TEST

#define NONE_LEFT(ms)                                                      \
    "data: l:{\"requests\":{\"limit\":1,\"remaining\":0,\"reset_ms\":" #ms \
    "}}\n\n"

/* One answer after which nothing is left for a second. */
static void script_last(void)
{
    SCRIPT(URL_A, HEAD(200), DATA(NONE_LEFT(1000)),
           DATA("data: t:x\n\ndata: stop\n\ndata: end\n\n"), END(ERR_NONE));
}

static void use_up(void)
{
    script_last();
    insts[0].left = allowances_new();
    providers[0].rate_headers = true;
    ask("a/m", false);
    run(10);
    ck_assert_str_eq(seen, "T(x)(STOP)!ok");
}

START_TEST(the_only_target_is_waited_for)
{
    cfg.queue_ms = 30000;
    use_up();
    script_last();
    ask("a/m", false);
    run(900);
    ck_assert_str_eq(seen, "");
    ck_assert_int_eq(toys[0].builds, 1);
    run(150);
    ck_assert_str_eq(seen, "T(x)(STOP)!ok");
    ck_assert_uint_eq(last_report.attempts, 1);
    ck_assert_int_eq(last_report.total_ms >= 900, 1);
    /* Not for longer than anybody waits: it may know better. */
    cfg.queue_ms = 500;
    script_last();
    ask("a/m", false);
    run(50);
    ck_assert_str_eq(seen, "T(x)(STOP)!ok");
    /* Nor where what it says is not heeded. */
    cfg.queue_ms = 30000;
    providers[0].rate_headers = false;
    script_last();
    ask("a/m", false);
    run(50);
    ck_assert_str_eq(seen, "T(x)(STOP)!ok");
    allowances_free(insts[0].left);
}
END_TEST

START_TEST(who_waits_may_leave_or_be_sent_away)
{
    cfg.queue_ms = 30000;
    use_up();
    ck_assert_ptr_nonnull(ask("a/m", false));
    call_pause(the_call, true);
    call_pause(the_call, false);
    call_cancel(the_call);
    ck_assert_uint_eq(mgr.active, 0);
    ask("a/m", false);
    manager_abort_all(&mgr, "going down");
    ck_assert_str_eq(seen, "!unavailable");
    providers[0].timeouts.total_ms = 300;
    ask("a/m", false);
    run(400);
    ck_assert_str_eq(seen, "!deadline");
    ck_assert_uint_eq(last_report.attempts, 0);
    ck_assert_int_eq(toys[0].builds, 1);
    /* Nothing was counted that did not happen. */
    ck_assert_uint_eq(atomic_load(&insts[0].stats[0].active), 0);
    ck_assert_uint_eq(atomic_load(&insts[0].stats[0].calls), 1);
    ck_assert_uint_eq(atomic_load(&insts[0].stats[0].failed), 0);
    allowances_free(insts[0].left);
}
END_TEST

int main(void)
{
    const TTest *const all[] = {
        translated_in_order,
        passed_byte_for_byte_and_dropped,
        prelude_is_held_until_content,
        error_before_content_has_a_status,
        error_after_content_ends_the_stream,
        no_end_mark_is_truncated,
        cut_inside_is_truncated,
        cut_after_the_end_mark_is_whole,
        slow_to_close_does_not_hold_the_answer_up,
        silence_hits_the_first_token_timeout,
        no_reply_hits_the_headers_timeout,
        a_head_ends_the_headers_timeout,
        stall_hits_the_idle_timeout,
        paused_client_does_not_time_out,
        deadline_covers_everything,
        cancel_ends_the_exchange,
        cancel_from_inside_a_callback,
        a_checked_answer_is_held_back,
        a_checked_answer_is_asked_for_twice_at_most,
        what_a_repair_and_another_target_cost,
        cancel_while_what_was_held_is_told,
        cancel_while_an_answer_is_held,
        own_error_body_passes_where_it_may,
        status_classifies_what_the_codec_does_not,
        garbage_is_a_protocol_error,
        a_callback_that_holds_the_loop_up_is_named,
        no_connection,
        codec_may_ask_for_another_exchange,
        codec_may_not_ask_for_ever,
        codec_may_not_answer_for_the_provider,
        early_warnings_follow_the_beginning,
        what_trails_the_end_mark_is_not_waited_for,
        refusal_without_end,
        refusal_that_is_cut_or_stalls_is_still_one,
        the_only_target_is_waited_for,
        who_waits_may_leave_or_be_sent_away,
        bounded_calls,
        one_that_is_being_probed_comes_behind_the_others,
        what_is_taken_out_meanwhile_is_not_asked,
        the_last_one_is_taken_out,
        what_is_taken_out_is_not_asked_for_anything,
        names,
        old_snapshot_is_released_when_its_last_call_ends};
    Suite *s = suite_create("call");
    TCase *tc = tcase_create("engine");
    SRunner *sr;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        tcase_add_test(tc, all[i]);
    suite_add_tcase(s, tc);
    sr = srunner_create(s);
    log_set_level(LOG_ERROR);
    srunner_run_all(sr, CK_ENV);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? 1 : 0;
}
