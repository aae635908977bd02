/* SPDX-License-Identifier: MIT */
/* Anthropic messages: requests to the canonical form, events to messages. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/str.h"
#include "dialect/anthropic_in.h"
#include "dialect/anthropic_out.h"
#include <patchbay/json.h>

/* --- requests ------------------------------------------------------------ */

#define IN(rest)                                                             \
    "{\"model\":\"m\",\"max_tokens\":9," rest "}"
#define OUT(rest)                                                            \
    "{\"model\":\"m\",\"max_completion_tokens\":9," rest "}"
#define HI "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

static const struct {
    const char *in, *out;
} good[] = {
    {IN(HI), OUT(HI)},
    {IN("\"stream\":true,\"temperature\":0.5,\"top_p\":0.9,\"top_k\":3,"
        "\"stop_sequences\":[\"x\"],\"metadata\":{\"user_id\":\"u\"},"
        "\"service_tier\":\"standard_only\"," HI),
     OUT("\"stream\":true,\"temperature\":0.5,\"top_p\":0.9,\"top_k\":3,"
         "\"stop\":[\"x\"],\"user\":\"u\",\"service_tier\":\"default\"," HI)},
    {IN("\"system\":\"be kind\"," HI),
     OUT("\"messages\":[{\"role\":\"system\",\"content\":\"be kind\"},"
         "{\"role\":\"user\",\"content\":\"hi\"}]")},
    {IN("\"system\":[{\"type\":\"text\",\"text\":\"a\",\"cache_control\":"
        "{\"type\":\"ephemeral\"}}]," HI),
     OUT("\"messages\":[{\"role\":\"system\",\"content\":[{\"type\":\"text\","
         "\"text\":\"a\",\"cache_control\":{\"type\":\"ephemeral\"}}]},"
         "{\"role\":\"user\",\"content\":\"hi\"}]")},
    {IN("\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\","
        "\"text\":\"see\"},{\"type\":\"image\",\"source\":{\"type\":\"base64\","
        "\"media_type\":\"image/png\",\"data\":\"AAAA\"}},{\"type\":\"image\","
        "\"source\":{\"type\":\"url\",\"url\":\"https://x/y.png\"}},"
        "{\"type\":\"document\",\"title\":\"a.pdf\",\"source\":{\"type\":"
        "\"base64\",\"media_type\":\"application/pdf\",\"data\":\"JVBE\"}}]}]"),
     OUT("\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\","
         "\"text\":\"see\"},{\"type\":\"image_url\",\"image_url\":{\"url\":"
         "\"data:image/png;base64,AAAA\"}},{\"type\":\"image_url\","
         "\"image_url\":{\"url\":\"https://x/y.png\"}},{\"type\":\"file\","
         "\"file\":{\"filename\":\"a.pdf\",\"file_data\":"
         "\"data:application/pdf;base64,JVBE\"}}]}]")},
    {IN("\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":"
        "\"thinking\",\"thinking\":\"hm\",\"signature\":\"sig\"},{\"type\":"
        "\"text\",\"text\":\"let me see\"},{\"type\":\"tool_use\",\"id\":\"t1\","
        "\"name\":\"f\",\"input\":{\"a\":1}},{\"type\":\"tool_use\",\"id\":"
        "\"t2\",\"name\":\"g\",\"input\":{}}]},{\"role\":\"user\",\"content\":["
        "{\"type\":\"text\",\"text\":\"and?\"},{\"type\":\"tool_result\","
        "\"tool_use_id\":\"t1\",\"content\":\"one\"},{\"type\":\"tool_result\","
        "\"tool_use_id\":\"t2\",\"is_error\":true,\"content\":[{\"type\":"
        "\"text\",\"text\":\"two\"}]}]}]"),
     OUT("\"messages\":[{\"role\":\"assistant\",\"content\":\"let me see\","
         "\"tool_calls\":[{\"id\":\"t1\",\"type\":\"function\",\"function\":"
         "{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}},{\"id\":\"t2\","
         "\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":"
         "\"{}\"}}],\"patchbay_blocks\":[{\"type\":\"thinking\",\"thinking\":"
         "\"hm\",\"signature\":\"sig\"}]},{\"role\":\"tool\",\"tool_call_id\":"
         "\"t1\",\"content\":\"one\"},{\"role\":\"tool\",\"tool_call_id\":"
         "\"t2\",\"is_error\":true,\"content\":[{\"type\":\"text\",\"text\":"
         "\"two\"}]},{\"role\":\"user\",\"content\":\"and?\"}]")},
    {IN("\"tools\":[{\"name\":\"f\",\"description\":\"d\",\"input_schema\":"
        "{\"type\":\"object\"},\"strict\":true}],\"tool_choice\":{\"type\":"
        "\"any\",\"disable_parallel_tool_use\":true}," HI),
     OUT("\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\","
         "\"description\":\"d\",\"parameters\":{\"type\":\"object\"},"
         "\"strict\":true}}],\"tool_choice\":\"required\","
         "\"parallel_tool_calls\":false," HI)},
    {IN("\"tool_choice\":{\"type\":\"tool\",\"name\":\"f\"}," HI),
     OUT("\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":"
         "\"f\"}}," HI)},
    {IN("\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2000}," HI),
     OUT("\"reasoning_effort\":\"medium\"," HI)},
    {IN("\"thinking\":{\"type\":\"disabled\"}," HI),
     OUT("\"reasoning_effort\":\"none\"," HI)},
    {IN("\"thinking\":{\"type\":\"adaptive\"},\"output_config\":{\"effort\":"
        "\"high\",\"format\":{\"type\":\"json_schema\",\"schema\":{\"type\":"
        "\"object\"}}}," HI),
     OUT("\"reasoning_effort\":\"high\",\"response_format\":{\"type\":"
         "\"json_schema\",\"json_schema\":{\"name\":\"response\",\"schema\":"
         "{\"type\":\"object\"},\"strict\":true}}," HI)},
};

static struct json_object *parse(pbay_str s)
{
    struct json_object *o = NULL;

    ck_assert_msg(js_parse(s, PBAY_JSON_DEPTH, &o, NULL) == 0, "%.*s",
                  STR_ARG(s));
    return o;
}

START_TEST(requests)
{
    struct json_object *want, *got;
    struct buf out;
    struct err e;

    err_clear(&e);
    buf_init(&out, LIM_MIB(1));
    ck_assert_msg(an_to_canonical(str_c(good[_i].in), &out, &e) == 0, "%s",
                  e.message);
    want = parse(str_c(good[_i].out));
    got = parse(buf_str(&out));
    ck_assert_msg(json_object_equal(want, got), "got %.*s",
                  STR_ARG(buf_str(&out)));
    json_object_put(want);
    json_object_put(got);
    buf_done(&out);
}
END_TEST

static const struct {
    const char *in, *param;
} refused[] = {
    {IN("\"messages\":3"), "messages"},
    {"{\"model\":\"m\"}", "messages"},
    {IN("\"brand_new\":1," HI), "brand_new"},
    {IN("\"messages\":[{\"role\":\"robot\",\"content\":\"x\"}]"),
     "messages[0].role"},
    {IN("\"messages\":[{\"role\":\"user\",\"content\":3}]"),
     "messages[0].content"},
    {IN("\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\","
        "\"source\":{\"type\":\"file\",\"file_id\":\"f\"}}]}]"),
     "messages[0].content"},
    {IN("\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"video\"}]}]"),
     "messages[0].content"},
    {IN("\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":"
        "\"redacted_thinking\",\"data\":\"patchbay:%%%\"}]}]"),
     "messages[0].content"},
    {IN("\"tools\":[{\"type\":\"web_search_20260318\",\"name\":\"w\"}]," HI),
     "tools"},
    {IN("\"tool_choice\":{\"type\":\"maybe\"}," HI), "tool_choice"},
    {IN("\"thinking\":{\"type\":\"deep\"}," HI), "thinking"},
    {IN("\"output_config\":{\"format\":{\"type\":\"xml\"}}," HI),
     "output_config.format"},
};

START_TEST(refusals)
{
    struct buf out;
    struct err e;

    err_clear(&e);
    buf_init(&out, LIM_MIB(1));
    ck_assert_int_eq(an_to_canonical(str_c(refused[_i].in), &out, &e), -1);
    ck_assert_int_eq(e.kind, PBAY_E_INVALID);
    ck_assert_str_eq(e.param, refused[_i].param);
    buf_done(&out);
}
END_TEST

/* --- answers ------------------------------------------------------------- */

static const pbay_event answer[] = {
    {.type = PBAY_EV_REASONING, .text = PBAY_LIT("think")},
    {.type = PBAY_EV_REASONING, .text = PBAY_LIT("ing")},
    {.type = PBAY_EV_BLOCK,
     .json = PBAY_LIT("{\"type\":\"thinking\",\"thinking\":\"thinking\","
                      "\"signature\":\"sig\"}")},
    {.type = PBAY_EV_TEXT, .text = PBAY_LIT("Hel")},
    {.type = PBAY_EV_TEXT, .text = PBAY_LIT("lo \"you\"")},
    {.type = PBAY_EV_BLOCK, .json = PBAY_LIT("{\"type\":\"other\",\"x\":1}")},
    {.type = PBAY_EV_CALL, .index = 0, .id = PBAY_LIT("a"),
     .name = PBAY_LIT("f")},
    {.type = PBAY_EV_CALL, .index = 0, .text = PBAY_LIT("{\"x\":")},
    {.type = PBAY_EV_CALL, .index = 1, .id = PBAY_LIT("b"),
     .name = PBAY_LIT("g"), .text = PBAY_LIT("{}")},
    {.type = PBAY_EV_CALL, .index = 0, .text = PBAY_LIT("1}")},
    {.type = PBAY_EV_STOP, .code = PBAY_STOP_TOOL},
};

static const pbay_usage usage = {.size = sizeof(pbay_usage),
                                 .known = PBAY_U_INPUT | PBAY_U_CACHE_READ |
                                          PBAY_U_CACHE_WRITE | PBAY_U_OUTPUT,
                                 .input = 115, .cache_read = 100,
                                 .cache_write = 5, .output = 42};

static void render(bool stream, const pbay_event *ev, size_t n, struct buf *out)
{
    struct an_render *r = an_render_new(stream, STR("r1"), STR("asked"));

    ck_assert_ptr_nonnull(r);
    ck_assert_int_eq(an_render_begin(r, STR_NONE, STR("m-2"), out), 0);
    for (size_t i = 0; i < n; i++) {
        pbay_event e = ev[i];
        e.size = sizeof(e);
        ck_assert_int_ge(an_render_event(r, &e, out), 0);
    }
    ck_assert_int_eq(an_render_end(r, &usage, out), 0);
    an_render_free(r);
}

/* A reader of the stream, as a client has one: it builds the message. */
static void apply(struct json_object *msg, struct json_object *content,
                  struct json_object *ev, struct buf *json)
{
    const char *type = js_cstr(ev, "type", "");
    size_t i = (size_t)js_int(ev, "index", 0);
    struct json_object *block = json_object_array_get_idx(content, i);
    struct json_object *d = js_get(ev, "delta");
    char text[256];

    if (strcmp(type, "content_block_start") == 0) {
        ck_assert_uint_eq(i, json_object_array_length(content));
        json_object_array_add(content,
                              json_object_get(js_get(ev, "content_block")));
        buf_reset(json, 0);
    } else if (strcmp(type, "content_block_delta") == 0) {
        const char *kind = js_cstr(d, "type", "");
        const char *field = strcmp(kind, "text_delta") == 0       ? "text"
                            : strcmp(kind, "thinking_delta") == 0 ? "thinking"
                            : strcmp(kind, "signature_delta") == 0
                                ? "signature" : NULL;
        if (field) {
            snprintf(text, sizeof(text), "%s%s", js_cstr(block, field, ""),
                     js_cstr(d, field, ""));
            js_add_str(block, field, str_c(text));
        } else {
            buf_addc(json, js_cstr(d, "partial_json", ""));
        }
    } else if (strcmp(type, "content_block_stop") == 0) {
        if (json->n)
            js_add(block, "input", parse(buf_str(json)));
    } else if (strcmp(type, "message_delta") == 0) {
        js_add(msg, "stop_reason", json_object_get(js_get(d, "stop_reason")));
        js_add(msg, "stop_sequence",
               json_object_get(js_get(d, "stop_sequence")));
        js_add(msg, "usage", json_object_get(js_get(ev, "usage")));
    }
}

static struct json_object *read_stream(pbay_str all, bool *stopped)
{
    struct json_object *msg = NULL, *content = NULL;
    struct buf json;

    buf_init(&json, LIM_KIB(64));
    while (all.n) {
        pbay_str event = str_cut(&all, '\n'), data = str_cut(&all, '\n');
        pbay_str blank = str_cut(&all, '\n');
        ck_assert(str_starts(event, "event: ") && str_starts(data, "data: "));
        ck_assert_uint_eq(blank.n, 0);
        struct json_object *ev = parse(str_n(data.p + 6, data.n - 6));
        ck_assert(str_is(str_n(event.p + 7, event.n - 7),
                         js_cstr(ev, "type", "")));
        ck_assert(!*stopped);
        *stopped = str_is(event, "event: message_stop");
        if (!msg) {
            msg = json_object_get(js_get(ev, "message"));
            content = js_get(msg, "content");
        } else {
            apply(msg, content, ev, &json);
        }
        json_object_put(ev);
    }
    buf_done(&json);
    return msg;
}

START_TEST(streamed_and_whole_are_the_same_message)
{
    struct json_object *whole, *streamed;
    struct buf a, b;
    bool stopped = false;

    buf_init(&a, LIM_MIB(1));
    buf_init(&b, LIM_MIB(1));
    render(false, answer, sizeof(answer) / sizeof(*answer), &a);
    render(true, answer, sizeof(answer) / sizeof(*answer), &b);
    whole = parse(buf_str(&a));
    streamed = read_stream(buf_str(&b), &stopped);
    ck_assert(stopped);
    ck_assert_msg(json_object_equal(whole, streamed), "%s\n%s",
                  json_object_to_json_string(whole),
                  json_object_to_json_string(streamed));
    ck_assert_str_eq(
        json_object_to_json_string_ext(js_get(whole, "usage"),
                                       JSON_C_TO_STRING_PLAIN),
        "{\"input_tokens\":10,\"output_tokens\":42,"
        "\"cache_read_input_tokens\":100,\"cache_creation_input_tokens\":5}");
    ck_assert_str_eq(js_cstr(whole, "stop_reason", ""), "tool_use");
    ck_assert_str_eq(js_cstr(whole, "model", ""), "m-2");
    ck_assert_uint_eq(json_object_array_length(js_get(whole, "content")), 5);
    json_object_put(whole);
    json_object_put(streamed);
    buf_done(&a);
    buf_done(&b);
}
END_TEST

/* What we answered comes back as it was. */
START_TEST(answers_come_back)
{
    struct json_object *whole, *req, *msg, *canonical, *blocks;
    struct buf a, out;
    struct err e;

    buf_init(&a, LIM_MIB(1));
    buf_init(&out, LIM_MIB(1));
    render(false, answer, sizeof(answer) / sizeof(*answer), &a);
    whole = parse(buf_str(&a));
    req = parse(STR("{\"model\":\"m\",\"messages\":[]}"));
    msg = json_object_new_object();
    js_add_str(msg, "role", STR("assistant"));
    js_add(msg, "content", json_object_get(js_get(whole, "content")));
    json_object_array_add(js_get(req, "messages"), msg);
    ck_assert_int_eq(an_to_canonical(js_text(req), &out, &e), 0);
    canonical = parse(buf_str(&out));
    msg = json_object_array_get_idx(js_get(canonical, "messages"), 0);
    ck_assert_str_eq(js_cstr(msg, "content", ""), "Hello \"you\"");
    ck_assert_uint_eq(json_object_array_length(js_get(msg, "tool_calls")), 2);
    blocks = js_get(msg, "patchbay_blocks");
    ck_assert_str_eq(
        json_object_to_json_string_ext(blocks, JSON_C_TO_STRING_PLAIN),
        "[{\"type\":\"thinking\",\"thinking\":\"thinking\",\"signature\":"
        "\"sig\"},{\"type\":\"other\",\"x\":1}]");
    json_object_put(canonical);
    json_object_put(req);
    json_object_put(whole);
    buf_done(&a);
    buf_done(&out);
}
END_TEST

START_TEST(what_cannot_be_shown_is_said)
{
    static const pbay_event ev[] = {
        {.type = PBAY_EV_CALL, .id = PBAY_LIT("a"), .name = PBAY_LIT("f")},
        {.type = PBAY_EV_TEXT, .text = PBAY_LIT("x")},
        {.type = PBAY_EV_CALL, .text = PBAY_LIT("{}")}};
    struct an_render *r = an_render_new(true, STR("r"), STR("m"));
    struct buf out;

    buf_init(&out, LIM_MIB(1));
    ck_assert_int_eq(an_render_event(r, &ev[0], &out), 0);
    ck_assert_int_eq(an_render_event(r, &ev[1], &out), 0);
    ck_assert_int_lt(an_render_event(r, &ev[2], &out), 0);
    an_render_free(r);
    buf_done(&out);
}
END_TEST

START_TEST(arguments_that_are_no_object_are_an_error)
{
    static const pbay_event ev = {.type = PBAY_EV_CALL, .id = PBAY_LIT("a"),
                                  .name = PBAY_LIT("f"),
                                  .text = PBAY_LIT("[1")};
    struct an_render *r = an_render_new(false, STR("r"), STR("m"));
    struct buf out;

    buf_init(&out, LIM_MIB(1));
    ck_assert_int_eq(an_render_event(r, &ev, &out), 0);
    ck_assert_int_lt(an_render_end(r, &usage, &out), 0);
    an_render_free(r);
    buf_done(&out);
}
END_TEST

START_TEST(errors)
{
    char body[4096];
    struct json_object *o;
    struct err e;
    size_t n;

    err_clear(&e);
    err_set(&e, PBAY_E_OVERLOADED, "too \"busy\"");
    n = an_error_json(&e, "req_1", body, sizeof(body));
    o = parse(str_n(body, n));
    ck_assert_str_eq(js_cstr(js_get(o, "error"), "type", ""),
                     "overloaded_error");
    ck_assert_str_eq(js_cstr(js_get(o, "error"), "message", ""),
                     "too \"busy\"");
    ck_assert_str_eq(js_cstr(o, "request_id", ""), "req_1");
    json_object_put(o);
    ck_assert_uint_eq(an_error_json(&e, "req_1", body, 10), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("anthropic");
    TCase *tc = tcase_create("messages");
    SRunner *sr;
    int failed;

    tcase_add_loop_test(tc, requests, 0, sizeof(good) / sizeof(*good));
    tcase_add_loop_test(tc, refusals, 0, sizeof(refused) / sizeof(*refused));
    tcase_add_test(tc, streamed_and_whole_are_the_same_message);
    tcase_add_test(tc, answers_come_back);
    tcase_add_test(tc, what_cannot_be_shown_is_said);
    tcase_add_test(tc, arguments_that_are_no_object_are_an_error);
    tcase_add_test(tc, errors);
    suite_add_tcase(s, tc);
    sr = srunner_create(s);
    log_set_level(LOG_ERROR);
    srunner_run_all(sr, CK_ENV);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? 1 : 0;
}
