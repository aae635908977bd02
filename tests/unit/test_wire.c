/* SPDX-License-Identifier: MIT */
/* The wire helpers of the SDK: headers, durations, dates, error bodies of every
 * shape, and bodies rewritten by pieces. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <patchbay/json.h>
#include <patchbay/wire.h>

/* A call of a host that gives memory and keeps the last event. */
struct pbay_call {
    void *blocks[256];
    size_t n, limit;
    char message[256], param[64];
    pbay_error error;
    int events;
};

static void *call_alloc(pbay_call *call, size_t n)
{
    if (call->n == call->limit)
        return NULL;
    return call->blocks[call->n++] = calloc(1, n ? n : 1);
}

static pbay_rc call_emit(pbay_call *call, const pbay_event *ev)
{
    ck_assert_uint_eq(ev->type, PBAY_EV_ERROR);
    call->events++;
    call->error = *ev->error;
    memcpy(call->message, ev->error->message.p, ev->error->message.n);
    if (ev->error->param.n)
        memcpy(call->param, ev->error->param.p, ev->error->param.n);
    return PBAY_OK;
}

static const pbay_host host = {
    .size = sizeof host, .alloc = call_alloc, .emit = call_emit};
static struct pbay_call the_call;

static void setup(void)
{
    memset(&the_call, 0, sizeof the_call);
    the_call.limit = 256;
}

static void teardown(void)
{
    while (the_call.n)
        free(the_call.blocks[--the_call.n]);
}

static pbay_str c(const char *s)
{
    return (pbay_str){s, strlen(s)};
}

#define KV(k, v)                 \
    {                            \
        PBAY_LIT(k), PBAY_LIT(v) \
    }

static void is_text(pbay_str s, const char *want)
{
    ck_assert_msg(s.n == strlen(want) && (!s.n || !memcmp(s.p, want, s.n)),
                  "\"%.*s\" is not \"%s\"", (int)s.n, s.n ? s.p : "", want);
}

START_TEST(test_header)
{
    static const pbay_kv h[] = {KV("a", "1"), KV("content-type", "x")};

    is_text(pbay_header(h, 2, "content-type"), "x");
    ck_assert_ptr_null(pbay_header(h, 2, "content").p);
    ck_assert_ptr_null(pbay_header(NULL, 0, "a").p);
}
END_TEST

START_TEST(test_duration)
{
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"6m0s", 360000},
        {"12ms", 12},
        {"1s", 1000},
        {"1.5s", 1500},
        {"2h3m", 7380000},
        {"17", 17000},
        {"0", 0},
        {"2m59.56s", 179560},
        {" 1s ", 1000},
        {"1d", 86400000},
        {"0.5ms", 0},
        {"1.2345s", 1234},
        {".5s", 500},
        {"1h0m0.001s", 3600001},
        {"", -1},
        {"x", -1},
        {"1x", -1},
        {"s", -1},
        {"-1s", -1},
        {"1s2", -1},
        {"1 s", -1},
        {".", -1},
        {"99999999999999999999s", -1},
        {"999999999999d", -1},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(pbay_duration(c(cases[i].text)) == cases[i].ms,
                      "%s: %lld", cases[i].text,
                      (long long)pbay_duration(c(cases[i].text)));
}
END_TEST

START_TEST(test_reset)
{
    /* 1994-11-06 08:49:07 */
    const pbay_kv date = {PBAY_LIT("date"),
                          PBAY_LIT("Sun, 06 Nov 1994 08:49:07 GMT")};
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"30", 30000},
        {"1m", 60000},
        {"999999999999999999999", -1},
        {"-1", -1},
        {"", -1},
        {"soon", -1},
        {"0", 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(pbay_reset(&date, 1, c(cases[i].text)) == cases[i].ms,
                      "%s", cases[i].text);
    /* A time is one from 2001 on in seconds, from 1973 on in milliseconds. */
    ck_assert_int_eq(pbay_reset(&date, 1, c("784111777000")), 30000);
    ck_assert_int_eq(pbay_reset(&date, 1, c("784111747000")), 0);
    ck_assert_int_eq(pbay_reset(&date, 1, c("784111000000")), 0);
    ck_assert_int_eq(pbay_reset(&date, 1, c("1000000000")),
                     INT64_C(1000000000000) - INT64_C(784111747000));
    ck_assert_int_eq(pbay_reset(NULL, 0, c("784111777000")), 0);
}
END_TEST

START_TEST(test_retry_after)
{
    /* 1994-11-06 08:49:07, half a minute before the date of RFC 9110. */
    const int64_t now = INT64_C(784111777000) - 30000;
    static const struct {
        const char *value;
        int64_t ms;
    } cases[] = {
        {"7", 7000},
        {"0", 0},
        {"1.25", 1250},
        {" 3 ", 3000},
        {"Sun, 06 Nov 1994 08:49:37 GMT", 30000},
        {"Sunday, 06-Nov-94 08:49:37 GMT", 30000},
        {"Sun Nov  6 08:49:37 1994", 30000},
        {"Sun, 06 Nov 1994 08:48:37 GMT", 0},
        {"Thu, 29 Feb 2024 00:00:00 GMT", 86400000},
        {"999999999", 86400000},
        {"soon", -1},
        {"-5", -1},
        {"", -1},
        {"Sun, 99 Nov 1994", -1},
        {"Sun, 06 Foo 1994 08:49:37 GMT", -1},
        {"Sun, 06 Nov 1994 25:49:37 GMT", -1},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pbay_kv h = {PBAY_LIT("retry-after"), {0}};
        h.v = c(cases[i].value);
        ck_assert_msg(pbay_retry_after(&h, 1, now) == cases[i].ms, "%s: %lld",
                      cases[i].value, (long long)pbay_retry_after(&h, 1, now));
    }
    static const pbay_kv both[] = {KV("retry-after", "9"),
                                   KV("retry-after-ms", "250")};
    ck_assert_int_eq(pbay_retry_after(both, 2, now), 250);
    static const pbay_kv odd[] = {KV("retry-after", "9"),
                                  KV("retry-after-ms", "x")};
    ck_assert_int_eq(pbay_retry_after(odd, 2, now), 9000);
    ck_assert_int_eq(pbay_retry_after(NULL, 0, now), -1);
}
END_TEST

/* ------------------------------------------------------------ error bodies */

static const struct {
    int status;
    const char *body;
    uint32_t kind, scope;
    const char *message, *code, *type, *param;
} bodies[] = {
    {400,
     "{\"error\":{\"message\":\"Bad \\\"n\\\"\",\"type\":"
     "\"invalid_request_error\",\"param\":\"n\",\"code\":null}}",
     PBAY_E_INVALID, PBAY_SCOPE_REQUEST, "Bad \"n\"", "",
     "invalid_request_error", "n"},
    {401,
     "{\"error\":{\"message\":\"no\",\"type\":\"invalid_request_error\","
     "\"code\":\"invalid_api_key\"}}",
     PBAY_E_AUTH, PBAY_SCOPE_KEY, "no", "invalid_api_key",
     "invalid_request_error", ""},
    {429,
     "{\"error\":{\"message\":\"pay\",\"type\":\"insufficient_quota\","
     "\"code\":\"insufficient_quota\"}}",
     PBAY_E_QUOTA, PBAY_SCOPE_KEY, "pay", "insufficient_quota",
     "insufficient_quota", ""},
    {429,
     "{\"error\":{\"message\":\"slow\",\"type\":\"tokens\","
     "\"code\":\"rate_limit_exceeded\"}}",
     PBAY_E_RATE, PBAY_SCOPE_MODEL, "slow", "rate_limit_exceeded", "tokens",
     ""},
    {400,
     "{\"error\":{\"message\":\"long\",\"type\":\"invalid_request_error\","
     "\"param\":\"messages\",\"code\":\"context_length_exceeded\"}}",
     PBAY_E_CONTEXT, PBAY_SCOPE_REQUEST, "long", "context_length_exceeded",
     "invalid_request_error", "messages"},
    {400,
     "{\"error\":{\"code\":400,\"message\":\"the request exceeds\",\"type\":"
     "\"exceed_context_size_error\",\"n_prompt_tokens\":9}}",
     PBAY_E_CONTEXT, PBAY_SCOPE_REQUEST, "the request exceeds", "400",
     "exceed_context_size_error", ""},
    {400,
     "{\"object\":\"error\",\"message\":\"This model's maximum context length "
     "is 10 tokens.\",\"type\":\"BadRequestError\",\"param\":null,"
     "\"code\":400}",
     PBAY_E_CONTEXT, PBAY_SCOPE_REQUEST,
     "This model's maximum context length is 10 tokens.", "400",
     "BadRequestError", ""},
    {503,
     "{\"error\":{\"code\":503,\"message\":\"Loading model\",\"type\":"
     "\"unavailable_error\"}}",
     PBAY_E_LOADING, PBAY_SCOPE_MODEL, "Loading model", "503",
     "unavailable_error", ""},
    {404,
     "{\"error\":{\"message\":\"no such\",\"type\":\"invalid_request_error\","
     "\"param\":null,\"code\":\"model_not_found\"}}",
     PBAY_E_NOT_FOUND, PBAY_SCOPE_MODEL, "no such", "model_not_found",
     "invalid_request_error", ""},
    {404, "{\"error\":\"model not here\"}", PBAY_E_NOT_FOUND, PBAY_SCOPE_MODEL,
     "model not here", "", "", ""},
    {400, "{\"code\":\"invalid-argument\",\"error\":\"text\"}", PBAY_E_INVALID,
     PBAY_SCOPE_REQUEST, "text", "invalid-argument", "", ""},
    {529,
     "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\","
     "\"message\":\"Overloaded\"},\"request_id\":\"req_b\"}",
     PBAY_E_OVERLOADED, PBAY_SCOPE_PROVIDER, "Overloaded", "",
     "overloaded_error", ""},
    {401, "{\"message\":\"invalid api token\",\"id\":\"x\"}", PBAY_E_AUTH,
     PBAY_SCOPE_KEY, "invalid api token", "", "", ""},
    {422,
     "{\"detail\":[{\"loc\":[\"body\",\"messages\",0,\"role\"],\"msg\":"
     "\"field required\",\"type\":\"missing\"}]}",
     PBAY_E_INVALID, PBAY_SCOPE_REQUEST, "field required", "", "missing",
     "messages.0.role"},
    {403, "{\"detail\":\"not allowed\"}", PBAY_E_PERMISSION, PBAY_SCOPE_KEY,
     "not allowed", "", "", ""},
    {400,
     "[{\"error\":{\"code\":400,\"message\":\"gem\",\"status\":"
     "\"INVALID_ARGUMENT\"}}]",
     PBAY_E_INVALID, PBAY_SCOPE_REQUEST, "gem", "400", "", ""},
    {404, "{\"statusCode\":404,\"message\":\"Resource not found\"}",
     PBAY_E_NOT_FOUND, PBAY_SCOPE_MODEL, "Resource not found", "", "", ""},
    {402,
     "{\"error\":{\"message\":\"Insufficient Balance\",\"type\":"
     "\"unknown_error\",\"code\":\"invalid_request_error\"}}",
     PBAY_E_QUOTA, PBAY_SCOPE_KEY, "Insufficient Balance",
     "invalid_request_error", "unknown_error", ""},
    {403,
     "{\"error\":{\"code\":403,\"message\":\"flagged\",\"metadata\":"
     "{\"reasons\":[\"violence\"],\"flagged_input\":\"x\"}}}",
     PBAY_E_FILTER, PBAY_SCOPE_REQUEST, "flagged", "403", "", ""},
    {200,
     "{\"id\":\"g\",\"error\":{\"code\":502,\"message\":\"Upstream failed\","
     "\"metadata\":{\"error_type\":\"provider_unavailable\"}},\"choices\":[]}",
     PBAY_E_UPSTREAM, 0, "Upstream failed", "502", "", ""},
    {200, "{\"error\":{\"code\":429,\"message\":\"busy\"}}", PBAY_E_RATE,
     PBAY_SCOPE_MODEL, "busy", "429", "", ""},
    {200, "{\"error\":{\"type\":\"invalid_request_error\"}}", PBAY_E_INVALID,
     PBAY_SCOPE_REQUEST, "", "", "invalid_request_error", ""},
    {413, "", PBAY_E_TOO_LARGE, PBAY_SCOPE_REQUEST, "", "", "", ""},
    {500, "\"just text\"", PBAY_E_UPSTREAM, 0, "just text", "", "", ""},
    {500, "{\"error\":{\"message\":{\"a\":1}}}", PBAY_E_UPSTREAM, 0,
     "{\"a\":1}", "", "", ""},
    {502,
     "<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head>\n"
     "<body>\r\n<h1>502</h1>nginx</body></html>",
     PBAY_E_UPSTREAM, 0, "502 Bad Gateway 502 nginx", "", "", ""},
    {503, " upstream  connect\nerror \xff ", PBAY_E_OVERLOADED,
     PBAY_SCOPE_PROVIDER, "upstream connect error \xef\xbf\xbd", "", "", ""},
    {500, "{\"error\":", PBAY_E_UPSTREAM, 0, "{\"error\":", "", "", ""},
    {504, "null", PBAY_E_UPSTREAM, 0, "", "", "", ""},
    {400, "{\"errors\":[{\"message\":\"one\",\"code\":7}]}", PBAY_E_INVALID,
     PBAY_SCOPE_REQUEST, "one", "7", "", ""},
};

START_TEST(test_error_bodies)
{
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        pbay_head head = {.size = sizeof head, .status = bodies[i].status};
        pbay_error e = {.size = sizeof e};
        pbay_error_body(&host, &the_call, &head, c(bodies[i].body), &e);
        ck_assert_msg(e.kind == bodies[i].kind && e.scope == bodies[i].scope,
                      "case %zu: kind %u scope %u", i, e.kind, e.scope);
        is_text(e.message, bodies[i].message);
        is_text(e.code, bodies[i].code);
        is_text(e.type, bodies[i].type);
        is_text(e.param, bodies[i].param);
        ck_assert_int_eq(e.http_status, bodies[i].status);
        ck_assert_int_eq(e.retry_after_ms, -1);
        teardown();
    }
}
END_TEST

START_TEST(test_error_headers)
{
    static const pbay_kv h[] = {
        KV("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
        KV("retry-after", "Sun, 06 Nov 1994 08:49:47 GMT"),
        KV("x-should-retry", "false"), KV("x-request-id", "req_1")};
    static const pbay_kv limits[] = {KV("x-ratelimit-remaining-requests", "5"),
                                     KV("x-ratelimit-reset-requests", "1h"),
                                     KV("x-ratelimit-remaining-tokens", "0"),
                                     KV("x-ratelimit-reset-tokens", "6m0s")};
    pbay_head head = {
        .size = sizeof head, .status = 429, .headers = h, .n_headers = 4};
    pbay_error e = {.size = sizeof e};

    pbay_error_body(&host, &the_call, &head,
                    c("{\"error\":\"x\",\"request_id\":\"other\"}"), &e);
    ck_assert_int_eq(e.retry_after_ms, 10000);
    ck_assert_int_eq(e.should_retry, -1);
    is_text(e.request_id, "req_1");

    head.headers = limits;
    pbay_error_body(&host, &the_call, &head,
                    c("{\"message\":\"x\",\"request_id\":\"other\"}"), &e);
    ck_assert_int_eq(e.retry_after_ms, 360000);
    is_text(e.request_id, "other");
}
END_TEST

/* The time of a reset, in milliseconds or seconds since 1970, by the sender's
 * clock; it says nothing while there is something left. */
START_TEST(test_error_reset_time)
{
    static const struct {
        const char *left, *at;
        int64_t after;
    } rows[] = {
        {"0", "784111787000", 10000},
        {"0", "784111787", -1},
        {"0", "1784111787", 86400000},
        {"0", "784111700000", 0},
        {"3", "784111787000", -1},
        {"0", "soon", -1},
        {"0", "-5", -1},
        {"0", "99999999999999999", -1},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        pbay_kv h[] = {KV("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
                       KV("x-ratelimit-remaining", ""),
                       KV("x-ratelimit-reset", "")};
        pbay_head head = {
            .size = sizeof head, .status = 429, .headers = h, .n_headers = 3};
        pbay_error e = {.size = sizeof e};

        h[1].v = c(rows[i].left);
        h[2].v = c(rows[i].at);
        pbay_error_body(&host, &the_call, &head, c("{\"error\":\"x\"}"), &e);
        ck_assert_int_eq(e.retry_after_ms, rows[i].after);
    }
}
END_TEST

/* A host with an older, shorter pbay_error is not written past its end. */
START_TEST(test_error_short)
{
    struct {
        pbay_error e;
        char after[8];
    } room;
    size_t size = offsetof(pbay_error, request_id);

    memset(&room, 0x5a, sizeof room);
    room.e.size = (uint32_t)size;
    pbay_error_body(&host, &the_call, NULL, c("{\"error\":\"x\"}"), &room.e);
    is_text(room.e.message, "x");
    ck_assert_int_eq(room.e.http_status, 0);
    for (size_t i = size; i < sizeof room; i++)
        ck_assert_int_eq(((char *)&room)[i], 0x5a);
}
END_TEST

/* No memory: no text, but kind and status still stand. */
START_TEST(test_error_no_memory)
{
    pbay_head head = {.size = sizeof head, .status = 401};
    pbay_error e = {.size = sizeof e};

    the_call.limit = 0;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        pbay_error_body(&host, &the_call, &head, c(bodies[i].body), &e);
        ck_assert_uint_ne(e.kind, 0);
    }
    pbay_error_body(&host, &the_call, &head, c("{\"error\":\"x\"}"), &e);
    ck_assert_uint_eq(e.kind, PBAY_E_AUTH);
}
END_TEST

/* A long message is cut at a character. */
START_TEST(test_error_long)
{
    static char body[5000];
    pbay_error e = {.size = sizeof e};
    size_t n = (size_t)sprintf(body, "{\"error\":\"x");

    while (n < 4000) {
        memcpy(body + n, "\xe4\xb8\xad", 3);
        n += 3;
    }
    strcpy(body + n, "\"}");
    pbay_error_body(&host, &the_call, NULL, c(body), &e);
    ck_assert_uint_gt(e.message.n, 900);
    ck_assert_uint_le(e.message.n, 1000);
    ck_assert_uint_eq(e.message.n % 3, 1);
}
END_TEST

/* ------------------------------------------------------------------- edits */

static const struct {
    const char *body;
    pbay_kv edits[4];
    const char *want;
} edits[] = {
    {"{\"model\":\"a\",\"n\":1}",
     {KV("model", "\"b\"")},
     "{\"model\":\"b\",\"n\":1}"},
    {" { \"n\" : 1 , \"model\" : \"a\" }\n",
     {KV("model", "\"b\"")},
     " { \"n\" : 1 , \"model\" : \"b\" }\n"},
    {"{\"a\":1}", {KV("b", "2")}, "{\"a\":1,\"b\":2}"},
    {"{}", {KV("b", "2"), KV("c", "3")}, "{\"b\":2,\"c\":3}"},
    {" {  } ", {KV("b", "2")}, " {\"b\":2  } "},
    {"{\"a\":1,\"b\":2,\"c\":3}", {{PBAY_LIT("a"), {0}}}, "{\"b\":2,\"c\":3}"},
    {"{\"a\":1,\"b\":2,\"c\":3}", {{PBAY_LIT("b"), {0}}}, "{\"a\":1,\"c\":3}"},
    {"{\"a\":1, \"b\":2 , \"c\":3}",
     {{PBAY_LIT("c"), {0}}},
     "{\"a\":1, \"b\":2}"},
    {"{\"a\":1}", {{PBAY_LIT("a"), {0}}}, "{}"},
    {"{\"a\":1}", {{PBAY_LIT("x"), {0}}}, "{\"a\":1}"},
    {"{\"a\":1,\"b\":2,\"c\":3}",
     {{PBAY_LIT("a"), {0}}, {PBAY_LIT("b"), {0}}},
     "{\"c\":3}"},
    {"{\"a\":1,\"b\":2,\"c\":3}",
     {{PBAY_LIT("b"), {0}}, {PBAY_LIT("c"), {0}}},
     "{\"a\":1}"},
    {"{\"a\":1,\"b\":2,\"c\":3}",
     {{PBAY_LIT("a"), {0}}, {PBAY_LIT("c"), {0}}, KV("d", "4")},
     "{\"b\":2,\"d\":4}"},
    {"{\"a\":1,\"b\":2}",
     {{PBAY_LIT("a"), {0}}, {PBAY_LIT("b"), {0}}, KV("c", "3")},
     "{\"c\":3}"},
    {"{\"a\":1,\"b\":2}",
     {KV("b", "5"), {PBAY_LIT("a"), {0}}, KV("z", "{}")},
     "{\"b\":5,\"z\":{}}"},
    {"{\"a\":1,\"b\":2}", {KV("a", "5"), {PBAY_LIT("b"), {0}}}, "{\"a\":5}"},
    {"{\"m\\u006fdel\":\"a\"}",
     {KV("model", "\"b\"")},
     "{\"m\\u006fdel\":\"b\"}"},
    {"{\"x\":{\"model\":\"a\"}}",
     {KV("model", "\"b\"")},
     "{\"x\":{\"model\":\"a\"},\"model\":\"b\"}"},
    {"{\"a\":1}", {{{0}, {0}}}, "{\"a\":1}"},
};

START_TEST(test_edit)
{
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        const pbay_str *pieces;
        pbay_kv members[8];
        char out[256];
        size_t n, n_pieces, len = 0, n_edits = 0;
        pbay_str body = c(edits[i].body);

        while (n_edits < 4 && edits[i].edits[n_edits].k.n)
            n_edits++;
        ck_assert_int_eq(pbay_json_members(body, members, 8, &n, NULL), 0);
        ck_assert_int_eq(pbay_edit(&host, &the_call, body, members, n,
                                   edits[i].edits, n_edits, &pieces, &n_pieces),
                         PBAY_OK);
        for (size_t k = 0; k < n_pieces; k++) {
            memcpy(out + len, pieces[k].p, pieces[k].n);
            len += pieces[k].n;
        }
        is_text((pbay_str){out, len}, edits[i].want);
        ck_assert_int_eq(pbay_json_check((pbay_str){out, len}, NULL), 0);
    }
}
END_TEST

START_TEST(test_edit_no_memory)
{
    const pbay_str *pieces;
    size_t n;

    the_call.limit = 0;
    ck_assert_int_eq(
        pbay_edit(&host, &the_call, c("{}"), NULL, 0, NULL, 0, &pieces, &n),
        PBAY_NOMEM);
}
END_TEST

START_TEST(test_text_and_fail)
{
    pbay_str s = pbay_text(&host, &the_call, c("\"\""));

    ck_assert(s.p != NULL && s.n == 0);
    is_text(pbay_text(&host, &the_call, c("\"a\\u00fc\"")), "a\xc3\xbc");
    ck_assert_ptr_null(pbay_text(&host, &the_call, c("null")).p);
    ck_assert_int_eq(pbay_fail(&host, &the_call, PBAY_E_INVALID, "n", "no n"),
                     PBAY_FAIL);
    ck_assert_int_eq(the_call.events, 1);
    ck_assert_uint_eq(the_call.error.kind, PBAY_E_INVALID);
    ck_assert_int_eq(the_call.error.retry_after_ms, -1);
    ck_assert_str_eq(the_call.message, "no n");
    ck_assert_str_eq(the_call.param, "n");
    the_call.limit = the_call.n;
    ck_assert_ptr_null(pbay_text(&host, &the_call, c("\"a\"")).p);
}
END_TEST

static pbay_ends *ends_of(const char *type, int32_t status)
{
    pbay_kv h = {c("content-type"), c(type)};
    pbay_head head = {
        .size = sizeof head, .status = status, .headers = &h, .n_headers = 1};

    return pbay_ends_new(&host, &the_call, &head);
}

static void is_value(pbay_str v, const char *text)
{
    ck_assert_msg(v.n == strlen(text) && !memcmp(v.p, text, v.n),
                  "\"%.*s\" is not \"%s\"", (int)v.n, v.p ? v.p : "", text);
}

START_TEST(test_ends)
{
    static const char text[] =
        "{\"a\":\"say \\\"usage\\\":{\\\"x\\\":1} }\", \"usage\" : {\"x\":[1,"
        "\"}\"]} ,\"usage\":null,\"n\":12}";
    static char filler[20000];
    pbay_ends *e;

    ck_assert_ptr_null(ends_of("text/html", 200));
    ck_assert_ptr_null(ends_of("application/json", 404));
    ck_assert_uint_eq(pbay_ends_find(NULL, "usage", 1).n, 0);
    pbay_ends_feed(NULL, c("x"));
    /* however it is cut; null is no value, quoted text no member */
    for (size_t piece = 1; piece < sizeof text; piece++) {
        e = ends_of("Application/JSON; charset=utf-8", 201);
        ck_assert_ptr_nonnull(e);
        for (size_t i = 0; i < sizeof text - 1; i += piece) {
            size_t n = sizeof text - 1 - i;
            pbay_ends_feed(e, (pbay_str){text + i, n < piece ? n : piece});
        }
        is_value(pbay_ends_find(e, "usage", 0), "{\"x\":[1,\"}\"]}");
        is_value(pbay_ends_find(e, "usage", 1), "{\"x\":[1,\"}\"]}");
        is_value(pbay_ends_find(e, "n", 1), "12");
        ck_assert_uint_eq(pbay_ends_find(e, "none", 1).n, 0);
        teardown();
        setup();
    }
    /* first and last of a long one; what is between them is forgotten */
    memset(filler, 'x', sizeof filler);
    e = ends_of("text/event-stream", 200);
    pbay_ends_feed(e, c("data: {\"usage\":{\"in\":1}}\n\ndata: \""));
    pbay_ends_feed(e, (pbay_str){filler, sizeof filler});
    pbay_ends_feed(e, c("\"\n\ndata: {\"usage\":{\"in\":2}}\n\n"));
    pbay_ends_feed(e, c("data: {\"usage\":{\"out\":3}}\n\ndata: {\"usage\":{"));
    is_value(pbay_ends_find(e, "usage", 0), "{\"in\":1}");
    is_value(pbay_ends_find(e, "usage", 1), "{\"out\":3}");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire");
    TCase *t = tcase_create("wire");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_header);
    tcase_add_test(t, test_duration);
    tcase_add_test(t, test_reset);
    tcase_add_test(t, test_retry_after);
    tcase_add_test(t, test_error_bodies);
    tcase_add_test(t, test_error_headers);
    tcase_add_test(t, test_error_reset_time);
    tcase_add_test(t, test_error_short);
    tcase_add_test(t, test_error_no_memory);
    tcase_add_test(t, test_error_long);
    tcase_add_test(t, test_edit);
    tcase_add_test(t, test_edit_no_memory);
    tcase_add_test(t, test_text_and_fail);
    tcase_add_test(t, test_ends);
    suite_add_tcase(suite, t);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
