/* SPDX-License-Identifier: MIT */
/* Ollama's chat and generate: requests to the canonical form, events to lines
 * and whole answers. */
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "dialect/ollama_in.h"
#include "dialect/ollama_out.h"
#include "unit.h"
#include <patchbay/json.h>

static struct json_object *parse(pbay_str text)
{
    struct json_object *o = NULL;
    struct js_error je;

    ck_assert_msg(js_parse(text, PBAY_JSON_DEPTH, &o, &je) == 0, "%.*s",
                  STR_ARG(text));
    return o;
}

static const char *plain(struct json_object *o)
{
    return json_object_to_json_string_ext(
        o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}

/* --- requests ------------------------------------------------------------ */

#define HI  "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
#define PNG "iVBORw0KGgo="
#define CALL(id, name)                                                        \
    "{\"id\":\"" id "\",\"type\":\"function\",\"function\":{\"name\":\"" name \
    "\",\"arguments\":\"{}\"}}"

struct asked {
    bool generate;
    const char *in, *out, *left; /* left: with a comma behind each */
};

static const struct asked good[] = {
    {false, "{\"model\":\"m\"," HI "}",
     "{\"model\":\"m\"," HI ",\"stream\":true}", ""},
    {false,
     "{\"model\":\"m\",\"stream\":false,\"tools\":[],\"think\":null," HI "}",
     "{\"model\":\"m\",\"stream\":false," HI "}", ""},
    /* empty lists are none; a name of old, and one that Ollama reads over */
    {false,
     "{\"options\":{\"stop\":[]},\"messages\":[{\"role\":\"user\","
     "\"name\":\"me\",\"content\":\"hi\",\"images\":[]},{\"role\":"
     "\"assistant\",\"content\":\"x\",\"tool_calls\":[]},{\"role\":"
     "\"assistant\",\"content\":\"\",\"tool_calls\":[{\"id\":\"c1\","
     "\"function\":{\"name\":\"f\"}},{\"id\":\"c2\",\"function\":{"
     "\"name\":\"g\"}}]},{\"role\":\"tool\",\"name\":\"g\",\"content\":"
     "\"r\"}]}",
     "{\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":"
     "\"hi\"},{\"role\":\"assistant\",\"content\":\"x\"},{\"role\":"
     "\"assistant\",\"content\":\"\",\"tool_calls\":[" CALL("c1", "f") "," CALL(
         "c2", "g") "]},{\"role\":\"tool\",\"content\":\"r\","
                    "\"tool_call_id\":\"c2\"}]}",
     "messages.name,"},
    /* the options: ours, and those of Ollama's runner */
    {false,
     "{\"options\":{\"temperature\":0.5,\"top_p\":0.9,\"top_k\":4,\"min_p\":0,"
     "\"seed\":7,\"stop\":[\"a\"],\"presence_penalty\":1,"
     "\"frequency_penalty\":2,\"num_predict\":9,\"num_ctx\":4096,\"mirostat\":"
     "1,\"main_gpu\":null},\"keep_alive\":\"5m\",\"shift\":false,"
     "\"truncate\":true," HI "}",
     "{\"temperature\":0.5,\"top_p\":0.9,\"top_k\":4,\"min_p\":0,\"seed\":7,"
     "\"stop\":[\"a\"],\"presence_penalty\":1,\"frequency_penalty\":2,"
     "\"max_completion_tokens\":9,\"stream\":true," HI "}",
     "keep_alive,shift,truncate,options.num_ctx,options.mirostat,"},
    {false, "{\"options\":{\"num_predict\":-1},\"truncate\":false," HI "}",
     "{\"stream\":true," HI "}", ""},
    {false, "{\"think\":true," HI "}",
     "{\"reasoning_effort\":\"medium\",\"stream\":true," HI "}", ""},
    {false, "{\"think\":false," HI "}",
     "{\"reasoning_effort\":\"none\",\"stream\":true," HI "}", ""},
    {false, "{\"think\":\"high\"," HI "}",
     "{\"reasoning_effort\":\"high\",\"stream\":true," HI "}", ""},
    {false, "{\"format\":\"json\"," HI "}",
     "{\"response_format\":{\"type\":\"json_object\"},\"stream\":true," HI "}",
     ""},
    {false, "{\"format\":\"\"," HI "}", "{\"stream\":true," HI "}", ""},
    {false, "{\"format\":{\"type\":\"object\"}," HI "}",
     "{\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":"
     "\"response\",\"schema\":{\"type\":\"object\"}}},\"stream\":true," HI "}",
     ""},
    /* pictures, by what they begin with */
    {false,
     "{\"messages\":[{\"role\":\"User\",\"content\":\"see\",\"images\":[\"" PNG
     "\",\"/9j/4AAQ\",\"R0lGODlh\",\"UklGRg==\"]}]}",
     "{\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
     "\"text\",\"text\":\"see\"},{\"type\":\"image_url\",\"image_url\":{"
     "\"url\":\"data:image/png;base64," PNG "\"}},{\"type\":\"image_url\","
     "\"image_url\":{\"url\":\"data:image/jpeg;base64,/9j/4AAQ\"}},{\"type\":"
     "\"image_url\",\"image_url\":{\"url\":\"data:image/gif;base64,R0lGODlh\"}}"
     ",{\"type\":\"image_url\",\"image_url\":{\"url\":"
     "\"data:image/webp;base64,UklGRg==\"}}]}]}",
     ""},
    /* results find their calls: by id, by name, in order */
    {false,
     "{\"messages\":[{\"role\":\"assistant\",\"content\":\"\",\"thinking\":"
     "\"t\",\"tool_calls\":[{\"id\":\"c1\",\"function\":{\"name\":\"f\","
     "\"arguments\":{}}},{\"function\":{\"name\":\"g\",\"arguments\":{}}},{"
     "\"function\":{\"name\":\"f\"}}]},{\"role\":\"tool\",\"content\":\"2\","
     "\"tool_name\":\"g\"},{\"role\":\"tool\",\"content\":\"1\","
     "\"tool_call_id\":\"c1\"},{\"role\":\"tool\",\"content\":\"3\"}]}",
     "{\"stream\":true,\"messages\":[{\"role\":\"assistant\",\"content\":\"\","
     "\"tool_calls\":[" CALL("c1", "f") "," CALL("call_0_1", "g") "," CALL(
         "call_0_2",
         "f") "]},{\"role\":\"tool\",\"content\":\"2\","
              "\"tool_call_id\":\"call_0_1\"},{\"role\":\"tool\",\"content\":"
              "\"1\","
              "\"tool_call_id\":\"c1\"},{\"role\":\"tool\",\"content\":\"3\","
              "\"tool_call_id\":\"call_0_2\"}]}",
     "messages.thinking,"},
    /* generate */
    {true, "{\"model\":\"m\",\"prompt\":\"hi\",\"system\":\"be kind\"}",
     "{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"system\","
     "\"content\":\"be kind\"},{\"role\":\"user\",\"content\":\"hi\"}]}",
     ""},
    {true,
     "{\"prompt\":\"\",\"raw\":false,\"template\":\"\",\"suffix\":\"\","
     "\"context\":[]}",
     "{\"stream\":true,\"messages\":[]}", ""},
    {true, "{\"images\":[\"" PNG "\"]}",
     "{\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
     "\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64," PNG
     "\"}}]}]}",
     ""},
};

static int translate(bool generate, const char *in, struct buf *out,
                     struct ol_left *left, struct err *e)
{
    left->n = 0;
    err_clear(e);
    buf_init(out, LIM_MIB(1));
    return generate ? ol_generate_to_canonical(str_c(in), out, left, e)
                    : ol_chat_to_canonical(str_c(in), out, left, e);
}

START_TEST(requests)
{
    const struct asked *a = &good[_i];
    struct json_object *got, *want;
    struct ol_left left;
    char said[512] = "";
    struct buf out;
    struct err e;

    ck_assert_msg(translate(a->generate, a->in, &out, &left, &e) == 0, "%s: %s",
                  a->in, err_text(&e));
    got = parse(buf_str(&out));
    want = parse(str_c(a->out));
    ck_assert_msg(json_object_equal(got, want), "\n%s\n%s", plain(got),
                  plain(want));
    for (size_t i = 0; i < left.n; i++) {
        strcat(said, left.name[i]);
        strcat(said, ",");
    }
    ck_assert_str_eq(said, a->left);
    json_object_put(got);
    json_object_put(want);
    buf_done(&out);
}
END_TEST

static const struct {
    bool generate;
    const char *in, *param;
} refused[] = {
    {false, "{\"brand_new\":1," HI "}", "brand_new"},
    {false, "{\"prompt\":\"x\"," HI "}", "prompt"},
    {false, "{\"messages\":{}}", "messages"},
    {false, "{\"messages\":[{\"role\":\"bard\"}]}", "messages[0]"},
    {false, "{\"messages\":[7]}", "messages[0]"},
    {false, "{\"messages\":[{\"role\":\"user\",\"content\":[]}]}",
     "messages[0]"},
    {false, "{\"messages\":[{\"role\":\"user\",\"nick\":\"me\"}]}",
     "messages[0]"},
    {false, "{\"messages\":[{\"role\":\"user\",\"images\":[\"AAAA\"]}]}",
     "messages[0].images[0]"},
    {false, "{\"messages\":[{\"role\":\"user\",\"images\":[\"" PNG "\",7]}]}",
     "messages[0].images[1]"},
    {false, "{\"messages\":[{\"role\":\"tool\",\"content\":\"x\"}]}",
     "messages[0]"},
    {false,
     "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"function\":{"
     "\"name\":\"f\",\"arguments\":\"{}\"}}]}]}",
     "messages[0]"},
    {false, "{\"think\":7," HI "}", "think"},
    {false, "{\"format\":\"xml\"," HI "}", "format"},
    {false, "{\"options\":[]," HI "}", "options"},
    {false, "{\"options\":{\"num_predict\":\"9\"}," HI "}",
     "options.num_predict"},
    {true, "{" HI "}", "messages"},
    {true, "{\"prompt\":7}", "prompt"},
    {true, "{\"prompt\":\"x\",\"raw\":true}", "raw"},
    {true, "{\"prompt\":\"x\",\"template\":\"t\"}", "template"},
    {true, "{\"prompt\":\"x\",\"suffix\":\"s\"}", "suffix"},
    {true, "{\"prompt\":\"x\",\"context\":[1]}", "context"},
};

START_TEST(refusals)
{
    struct ol_left left;
    struct buf out;
    struct err e;

    ck_assert_msg(
        translate(refused[_i].generate, refused[_i].in, &out, &left, &e) == -1,
        "%s", refused[_i].in);
    ck_assert_int_eq(e.kind, PBAY_E_INVALID);
    ck_assert_str_eq(e.param, refused[_i].param);
    ck_assert_ptr_nonnull(strstr(err_text(&e), refused[_i].param));
    buf_done(&out);
}
END_TEST

/* --- answers ------------------------------------------------------------- */

/* The pieces of two calls are interleaved, and arguments have line feeds. */
static const pbay_event answer[] = {
    {.type = PBAY_EV_REASONING, .text = PBAY_LIT("think")},
    {.type = PBAY_EV_REASONING, .text = PBAY_LIT("ing")},
    {.type = PBAY_EV_BLOCK,
     .json = PBAY_LIT("{\"type\":\"thinking\",\n"
                      "\"signature\":\"sig\"}")},
    {.type = PBAY_EV_TEXT,
     .text = PBAY_LIT("Hel"),
     .json = PBAY_LIT("[{\"token\":\"Hel\",\"logprob\":-1}]")},
    {.type = PBAY_EV_TEXT, .text = PBAY_LIT("lo \"you\"\n")},
    {.type = PBAY_EV_CALL,
     .index = 0,
     .id = PBAY_LIT("a"),
     .name = PBAY_LIT("f")},
    {.type = PBAY_EV_CALL, .index = 0, .text = PBAY_LIT("{\n\"x\":")},
    {.type = PBAY_EV_CALL,
     .index = 1,
     .id = PBAY_LIT("b"),
     .name = PBAY_LIT("g")},
    {.type = PBAY_EV_CALL, .index = 0, .text = PBAY_LIT("\"1\\n\"\n}\n")},
    {.type = PBAY_EV_STOP, .code = PBAY_STOP_TOOL},
};

static const pbay_usage usage = {.size = sizeof(pbay_usage),
                                 .known = PBAY_U_INPUT | PBAY_U_OUTPUT,
                                 .input = 115,
                                 .output = 42};

/* 250 ms until the first event, 500 more until the end. */
static void render(bool generate, bool stream, const pbay_event *ev, size_t n,
                   struct buf *out)
{
    struct clock *c = clock_new_virtual(1795169400123);
    struct ol_render *r =
        ol_render_new(generate, stream, STR("asked"), c, clock_now(c));

    ck_assert_ptr_nonnull(r);
    buf_init(out, LIM_MIB(1));
    ck_assert_int_eq(ol_render_begin(r, STR("m-2")), 0);
    clock_advance(c, 250);
    for (size_t i = 0; i < n; i++) {
        pbay_event e = ev[i];
        e.size = sizeof(e);
        ck_assert_int_ge(ol_render_event(r, &e, out), 0);
    }
    clock_advance(c, 500);
    ck_assert_int_eq(ol_render_end(r, &usage, out), 0);
    ol_render_free(r);
    clock_free(c);
}

static void join(struct json_object *to, struct json_object *from,
                 const char *name)
{
    char text[256];

    if (!js_get(from, name))
        return;
    snprintf(text, sizeof(text), "%s%s", js_cstr(to, name, ""),
             js_cstr(from, name, ""));
    js_add_str(to, name, str_c(text));
}

static void append(struct json_object *to, struct json_object *from,
                   const char *name)
{
    struct json_object *list = js_get(from, name);

    if (!list)
        return;
    if (!js_get(to, name))
        js_add(to, name, json_object_new_array());
    for (size_t i = 0; i < json_object_array_length(list); i++)
        json_object_array_add(
            js_get(to, name),
            json_object_get(json_object_array_get_idx(list, i)));
}

/* What a client makes of a stream: one answer, as if it were whole. */
static struct json_object *read_stream(pbay_str all, bool generate)
{
    struct json_object *msg = json_object_new_object(), *done = NULL;
    struct json_object *logprobs = json_object_new_object();

    while (all.n) {
        struct json_object *o = parse(str_cut(&all, '\n'));
        struct json_object *m = generate ? o : js_get(o, "message");
        ck_assert_ptr_null(done);
        ck_assert_str_eq(js_cstr(o, "model", ""), "m-2");
        join(msg, m, generate ? "response" : "content");
        join(msg, m, "thinking");
        append(msg, m, "tool_calls");
        append(msg, m, "patchbay_blocks");
        append(logprobs, o, "logprobs");
        if (js_bool(o, "done", true))
            done = json_object_get(o);
        json_object_put(o);
    }
    ck_assert_ptr_nonnull(done);
    append(done, logprobs, "logprobs");
    json_object_put(logprobs);
    if (generate) {
        json_object_object_foreach (msg, name, value)
            js_add(done, name, json_object_get(value));
        json_object_put(msg);
    } else {
        js_add_str(msg, "role", STR("assistant"));
        js_add(done, "message", msg);
    }
    return done;
}

START_TEST(streamed_and_whole_are_the_same)
{
    const size_t n = sizeof(answer) / sizeof(*answer);
    struct json_object *whole, *streamed;
    bool generate = _i;
    struct buf a, b;

    render(generate, false, answer, n, &a);
    render(generate, true, answer, n, &b);
    whole = parse(buf_str(&a));
    streamed = read_stream(buf_str(&b), generate);
    ck_assert_msg(json_object_equal(whole, streamed), "\n%s\n%s", plain(whole),
                  plain(streamed));
    json_object_put(whole);
    json_object_put(streamed);
    buf_done(&a);
    buf_done(&b);
}
END_TEST

START_TEST(a_whole_answer)
{
    struct json_object *o, *want;
    struct buf a;

    render(false, false, answer, sizeof(answer) / sizeof(*answer), &a);
    o = parse(buf_str(&a));
    want = parse(STR(
        "{\"model\":\"m-2\",\"created_at\":\"2026-11-20T10:10:00.873000000Z\","
        "\"message\":{\"role\":\"assistant\",\"content\":\"Hello \\\"you\\\"\\n"
        "\",\"thinking\":\"thinking\",\"tool_calls\":[{\"id\":\"a\","
        "\"function\":{\"index\":0,\"name\":\"f\",\"arguments\":{\"x\":\"1\\n\""
        "}}},{\"id\":\"b\",\"function\":{\"index\":1,\"name\":\"g\","
        "\"arguments\":{}}}],\"patchbay_blocks\":[{\"type\":\"thinking\","
        "\"signature\":\"sig\"}]},\"logprobs\":[{\"token\":\"Hel\",\"logprob\":"
        "-1}],\"done\":true,\"done_reason\":\"stop\",\"total_duration\":"
        "750000000,\"prompt_eval_duration\":250000000,\"eval_duration\":"
        "500000000,\"prompt_eval_count\":115,\"eval_count\":42}"));
    ck_assert_msg(json_object_equal(o, want), "\n%s\n%s", plain(o),
                  plain(want));
    json_object_put(o);
    json_object_put(want);
    buf_done(&a);
}
END_TEST

static const struct {
    uint32_t stop;
    const char *reason;
} ends[] = {
    {PBAY_STOP_END, "stop"},       {PBAY_STOP_LENGTH, "length"},
    {PBAY_STOP_CONTEXT, "length"}, {PBAY_STOP_PAUSE, "pause"},
    {PBAY_STOP_TOOL, "stop"},      {PBAY_STOP_FILTER, "content_filter"}};

START_TEST(reasons)
{
    pbay_event ev = {.type = PBAY_EV_STOP, .code = ends[_i].stop};
    struct json_object *o;
    struct buf a;

    render(false, true, &ev, 1, &a);
    o = parse(str_trim(buf_str(&a)));
    ck_assert_str_eq(js_cstr(o, "done_reason", ""), ends[_i].reason);
    json_object_put(o);
    buf_done(&a);
}
END_TEST

/* What we answered comes back as it was. */
START_TEST(answers_come_back)
{
    struct json_object *whole, *req, *canonical, *msg;
    struct ol_left left;
    struct buf a, out;
    struct err e;

    render(false, false, answer, sizeof(answer) / sizeof(*answer), &a);
    whole = parse(buf_str(&a));
    req = parse(STR("{\"messages\":[]}"));
    json_object_array_add(js_get(req, "messages"),
                          json_object_get(js_get(whole, "message")));
    ck_assert_int_eq(translate(false, plain(req), &out, &left, &e), 0);
    canonical = parse(buf_str(&out));
    msg = json_object_array_get_idx(js_get(canonical, "messages"), 0);
    ck_assert_str_eq(js_cstr(msg, "content", ""), "Hello \"you\"\n");
    ck_assert_str_eq(
        plain(js_get(msg, "tool_calls")),
        "[{\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"f\","
        "\"arguments\":\"{\\\"x\\\":\\\"1\\\\n\\\"}\"}}," CALL("b", "g") "]");
    ck_assert_str_eq(plain(js_get(msg, "patchbay_blocks")),
                     "[{\"type\":\"thinking\",\"signature\":\"sig\"}]");
    json_object_put(canonical);
    json_object_put(req);
    json_object_put(whole);
    buf_done(&a);
    buf_done(&out);
}
END_TEST

static const pbay_event wrong[][2] = {
    {{.type = PBAY_EV_CALL,
      .id = PBAY_LIT("a"),
      .name = PBAY_LIT("f"),
      .text = PBAY_LIT("[1]")},
     {.type = PBAY_EV_STOP}},
    {{.type = PBAY_EV_CALL,
      .id = PBAY_LIT("a"),
      .name = PBAY_LIT("f"),
      .text = PBAY_LIT("{\"x\":")},
     {.type = PBAY_EV_STOP}},
    {{.type = PBAY_EV_CALL, .id = PBAY_LIT("a"), .text = PBAY_LIT("{}")},
     {.type = PBAY_EV_STOP}},
    {{.type = PBAY_EV_STOP},
     {.type = PBAY_EV_CALL,
      .index = 100000,
      .id = PBAY_LIT("a"),
      .name = PBAY_LIT("f")}},
};

START_TEST(what_cannot_be_shown_is_said)
{
    for (int stream = 0; stream < 2; stream++) {
        struct clock *c = clock_new_virtual(0);
        struct ol_render *r = ol_render_new(false, stream, STR("m"), c, 0);
        struct buf out;
        buf_init(&out, LIM_MIB(1));
        ck_assert_int_eq(ol_render_event(r, &wrong[_i][0], &out), 0);
        ck_assert_int_lt(ol_render_event(r, &wrong[_i][1], &out), 0);
        ol_render_free(r);
        clock_free(c);
        buf_done(&out);
    }
}
END_TEST

START_TEST(errors)
{
    struct err e;
    char body[256];
    size_t n;

    err_clear(&e);
    err_set(&e, PBAY_E_OVERLOADED, "too \"busy\"\n");
    n = ol_error_json(&e, body, sizeof(body));
    ck_view_eq(str_n(body, n), "{\"error\":\"too \\\"busy\\\"\\n\"}");
    ck_assert_uint_eq(ol_error_json(&e, body, 10), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ollama dialect");
    TCase *tc = tcase_create("chat and generate");

    tcase_add_loop_test(tc, requests, 0, sizeof(good) / sizeof(*good));
    tcase_add_loop_test(tc, refusals, 0, sizeof(refused) / sizeof(*refused));
    tcase_add_loop_test(tc, streamed_and_whole_are_the_same, 0, 2);
    tcase_add_test(tc, a_whole_answer);
    tcase_add_loop_test(tc, reasons, 0, sizeof(ends) / sizeof(*ends));
    tcase_add_test(tc, answers_come_back);
    tcase_add_loop_test(tc, what_cannot_be_shown_is_said, 0,
                        sizeof(wrong) / sizeof(*wrong));
    tcase_add_test(tc, errors);
    suite_add_tcase(s, tc);
    log_set_level(LOG_ERROR);
    return unit_main(&s, 1);
}
