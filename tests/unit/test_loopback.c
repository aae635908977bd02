/* SPDX-License-Identifier: MIT */
/* The provider loopback, from its own shared object: every operation, its
 * directives and faults, and how fast it lets itself be interrupted. */
#include <check.h>
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"

#include <patchbay/provider.h>

/* --- a host that writes down what is emitted --- */

/* One call; what plugins know as pbay_call. */
struct pbay_call {
    struct buf log;     /* every event in a short form */
    struct buf text[4]; /* of each choice */
    struct buf vector;
    unsigned pieces, stops, errors;
    pbay_usage usage;
    pbay_error error;
    char message[512];
    _Atomic bool cancelled;
    _Atomic unsigned events;
    pbay_rc rc;
    int64_t took_us;
};

static char host_log[512];

static void log_host(const pbay_host *host, int32_t level, pbay_str msg)
{
    (void)host;
    (void)level;
    snprintf(host_log, sizeof host_log, "%.*s", STR_ARG(msg));
}

static void *alloc(pbay_call *call, size_t n)
{
    (void)call;
    (void)n;
    return NULL; /* loopback has memory of its own */
}

static void note(pbay_call *c, const pbay_event *ev, const char *kind)
{
    ck_assert_int_eq(buf_printf(&c->log, "%s%u", kind, ev->choice), 0);
    if (ev->type == PBAY_EV_CALL)
        buf_printf(&c->log, ".%u", ev->index);
    if (ev->type == PBAY_EV_STOP)
        buf_printf(&c->log, "=%u", ev->code);
    if (ev->name.n)
        buf_printf(&c->log, "<%.*s>", STR_ARG(ev->name));
    if (ev->text.n && ev->type != PBAY_EV_VECTOR)
        buf_printf(&c->log, "'%.*s'", STR_ARG(ev->text));
    if (ev->json.n && ev->type == PBAY_EV_ITEM)
        buf_printf(&c->log, "%.*s", STR_ARG(ev->json));
    buf_addc(&c->log, ";");
}

static pbay_rc emit(pbay_call *c, const pbay_event *ev)
{
    static const char *const kinds[] = {
        "?",    "begin", "t",     "r",    "refuse",  "call",   "block", "v",
        "item", "usage", "error", "stop", "content", "limits", "warn"};
    ck_assert_uint_eq(ev->size, sizeof *ev);
    ck_assert_uint_lt(ev->type, 15);
    ck_assert_uint_eq(c->errors, 0); /* nothing follows an error */
    atomic_fetch_add(&c->events, 1);
    if (ev->type == PBAY_EV_TEXT || ev->type == PBAY_EV_CALL ||
        ev->type == PBAY_EV_REFUSAL) {
        c->pieces++;
        ck_assert_uint_lt(ev->choice, 4);
        ck_assert_int_eq(buf_add(&c->text[ev->choice], ev->text), 0);
    }
    if (ev->type == PBAY_EV_VECTOR)
        ck_assert_int_eq(buf_add(&c->vector, ev->text), 0);
    c->stops += ev->type == PBAY_EV_STOP;
    if (ev->type == PBAY_EV_USAGE) {
        c->usage = *ev->usage;
    } else if (ev->type == PBAY_EV_ERROR) {
        c->errors++;
        c->error = *ev->error;
        snprintf(c->message, sizeof c->message, "%.*s",
                 STR_ARG(ev->error->message));
    }
    if (ev->type != PBAY_EV_USAGE)
        note(c, ev, kinds[ev->type]);
    return atomic_load(&c->cancelled) ? PBAY_STOPPED : PBAY_OK;
}

static int32_t cancelled(const pbay_call *c)
{
    return atomic_load(&c->cancelled);
}

static const pbay_host host = {.size = sizeof host,
                               .abi_minor = 1,
                               .log = log_host,
                               .alloc = alloc,
                               .emit = emit,
                               .cancelled = cancelled};

static void *handle;
static const pbay_plugin *plugin;
static const pbay_native *native;
static void *inst;

static void configure(const char *config)
{
    if (inst)
        plugin->destroy(inst);
    inst = NULL;
    ck_assert_int_eq(plugin->create(&host, str_c(config), &inst), PBAY_OK);
}

static void load(void)
{
    char path[4096];
    const char *dir = getenv("PATCHBAY_PROVIDERS");
    ck_assert_msg(dir != NULL, "PATCHBAY_PROVIDERS is not set: run make check");
    snprintf(path, sizeof path, "%s/loopback.so", dir);
    handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    ck_assert_msg(handle != NULL, "%s", dlerror());
    pbay_entry_fn *entry;
    *(void **)&entry = dlsym(handle, "pbay_provider_entry");
    ck_assert_msg(entry != NULL, "%s", dlerror());
    plugin = entry(PBAY_ABI_MAJOR, PBAY_ABI_MINOR);
    ck_assert_uint_eq(plugin->magic, PBAY_MAGIC);
    configure("{}");
    native = plugin->extension(inst, STR(PBAY_EXT_NATIVE));
    ck_assert_ptr_nonnull(native);
    ck_assert_ptr_null(plugin->extension(inst, STR(PBAY_EXT_NATIVE "x")));
    ck_assert_ptr_null(plugin->extension(inst, STR("")));
}

static void unload(void)
{
    plugin->destroy(inst);
    inst = NULL;
    dlclose(handle);
}

static void call_init(pbay_call *c)
{
    memset(c, 0, sizeof *c);
    buf_init(&c->log, 1 << 24);
    buf_init(&c->vector, 1 << 24);
    for (int i = 0; i < 4; i++)
        buf_init(&c->text[i], 1 << 24);
}

static void call_done(pbay_call *c)
{
    buf_done(&c->log);
    buf_done(&c->vector);
    for (int i = 0; i < 4; i++)
        buf_done(&c->text[i]);
}

static void run_op(pbay_call *c, uint32_t op, uint32_t flags, const char *model,
                   const char *body)
{
    pbay_request req = {.size = sizeof req,
                        .op = op,
                        .flags = flags,
                        .id = STR("req-1"),
                        .model = str_c(model),
                        .dialect = STR("canonical/1"),
                        .body = str_c(body)};
    int64_t from = clock_us();
    c->rc = native->run(inst, c, &req);
    c->took_us = clock_us() - from;
}

static const char *text_of(pbay_call *c, int choice)
{
    buf_add(&c->text[choice], str_n("", 1));
    return buf_str(&c->text[choice]).p;
}

static const char *log_of(pbay_call *c)
{
    buf_add(&c->log, str_n("", 1));
    return buf_str(&c->log).p;
}

/* A streamed chat whose user says `text` (JSON without quotes), `more` after
 * the messages. */
static void chat(pbay_call *c, const char *model, const char *text,
                 const char *more)
{
    char body[8192];
    snprintf(body, sizeof body,
             "{\"messages\":[{\"role\":\"system\",\"content\":\"Be good.\"},"
             "{\"role\":\"user\",\"content\":\"%s\"}]%s}",
             text, more);
    call_init(c);
    run_op(c, PBAY_OP_CHAT, PBAY_RQ_STREAM, model, body);
}

#define ck_log(c, expected) ck_assert_str_eq(log_of(c), expected)

START_TEST(echo_says_it_again)
{
    pbay_call c;
    chat(&c, "", "Hello dear world", "");
    ck_assert_int_eq(c.rc, PBAY_OK);
    ck_log(&c, "begin0<echo>;t0'Hello';t0' dear';t0' world';stop0=1<stop>;");
    ck_assert_uint_eq(c.usage.known,
                      PBAY_U_INPUT | PBAY_U_OUTPUT | PBAY_U_REASONING);
    ck_assert_uint_eq(c.usage.flags, PBAY_U_ESTIMATED);
    ck_assert_uint_eq(c.usage.output, 3);
    ck_assert_uint_eq(c.usage.input, 2 + 3 + 3 + 3);
    call_done(&c);
    call_init(&c);
    run_op(&c, PBAY_OP_CHAT, 0, "echo",
           "{\"messages\":[{\"role\":\"user\",\"content\":\"a b\"}]}");
    ck_log(&c, "begin0<echo>;t0'a b';stop0=1<stop>;");
    ck_assert_uint_eq(c.usage.output, 2);
    call_done(&c);
}
END_TEST

START_TEST(answers_are_the_same_each_time)
{
    static const char *const models[] = {"echo",   "lorem",  "json",
                                         "reason", "refuse", "tool"};
    for (size_t i = 0; i < 6; i++) {
        pbay_call a, b;
        chat(&a, models[i], "What is it?", ",\"n\":2");
        chat(&b, models[i], "What is it?", ",\"n\":2");
        ck_assert_int_eq(a.rc, PBAY_OK);
        ck_assert_uint_eq(a.stops, 2);
        ck_assert_uint_gt(a.pieces, 1);
        ck_assert_str_eq(log_of(&a), log_of(&b));
        call_done(&a);
        call_done(&b);
    }
}
END_TEST

/* No piece ends inside a character, and together they are the text. */
START_TEST(pieces_are_whole_characters)
{
    static const char text[] =
        "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe3\x81\xae\xe6\x96\x87 "
        "\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80 na\xc3\xafve\xc3\xaf"
        "\xc3\xaf\xc3\xaf\xc3\xaf  x";
    pbay_call c;
    chat(&c, "echo", text, "");
    ck_assert_str_eq(text_of(&c, 0), text);
    const char *p = log_of(&c);
    while ((p = strstr(p, "t0'"))) {
        unsigned char first = (unsigned char)p[3];
        ck_assert_msg((first & 0xc0) != 0x80, "cut inside a character: %s", p);
        p++;
    }
    call_done(&c);
}
END_TEST

START_TEST(limits_and_stops)
{
    static const struct {
        const char *model, *text, *more, *answer;
        unsigned stop;
        const char *matched;
    } cases[] = {
        {"echo", "one two three", ",\"max_tokens\":2", "one two", 2, NULL},
        {"echo", "one two three", ",\"max_tokens\":3", "one two three", 1,
         NULL},
        {"echo", "one two three",
         ",\"max_tokens\":1,\"max_completion_tokens\":2", "one two", 2, NULL},
        {"echo", "one two three", ",\"stop\":\"tw\"", "one ", 1, "tw"},
        {"echo", "one two three", ",\"stop\":[\"three\",\"two\"]", "one ", 1,
         "two"},
        {"echo", "one two three", ",\"stop\":[\"four\",\"\"]", "one two three",
         1, NULL},
        {"echo", "one two three", ",\"stop\":\"three\",\"max_tokens\":1", "one",
         2, NULL},
        {"echo?length=5", "a b", "", "a b a b a", 1, NULL},
        {"echo?length=1", "a b", "", "a", 1, NULL},
        {"json", "say \\\"x\\\"", "", "{\"answer\":\"say \\\"x\\\"\"}", 1,
         NULL},
        {"echo", "x", ",\"response_format\":{\"type\":\"json_object\"}",
         "{\"answer\":\"x\"}", 1, NULL},
        {"echo", "x", ",\"response_format\":{\"type\":\"text\"}", "x", 1, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pbay_call c;
        char stop[80];
        chat(&c, cases[i].model, cases[i].text, cases[i].more);
        ck_assert_msg(c.rc == PBAY_OK, "case %zu: %s", i, c.message);
        ck_assert_str_eq(text_of(&c, 0), cases[i].answer);
        snprintf(stop, sizeof stop, "stop0=%u<%s>%s%s%s;", cases[i].stop,
                 cases[i].stop == 2 ? "length" : "stop",
                 cases[i].matched ? "'" : "",
                 cases[i].matched ? cases[i].matched : "",
                 cases[i].matched ? "'" : "");
        ck_assert_msg(strstr(log_of(&c), stop), "case %zu: %s", i, log_of(&c));
        call_done(&c);
    }
}
END_TEST

START_TEST(lorem_has_the_length_asked_for)
{
    for (int n = 1; n < 400; n += 37) {
        pbay_call c;
        char model[40];
        snprintf(model, sizeof model, "lorem?length=%d", n);
        chat(&c, model, "x", "");
        ck_assert_uint_eq(c.pieces, (unsigned)n);
        ck_assert_uint_eq(c.usage.output, (unsigned)n);
        call_done(&c);
    }
}
END_TEST

START_TEST(several_choices_take_turns)
{
    pbay_call c;
    chat(&c, "echo", "a b", ",\"n\":3,\"max_tokens\":3");
    ck_log(&c, "begin0<echo>;t0'a';t1'a';t2'a';t0' b';stop0=1<stop>;t1' b';"
               "t2' b';t1' [2]';stop1=1<stop>;t2' [3]';stop2=1<stop>;");
    call_done(&c);
    chat(&c, "echo", "a", ",\"n\":17");
    ck_assert_int_eq(c.rc, PBAY_FAIL);
    ck_assert_uint_eq(c.error.kind, PBAY_E_INVALID);
    ck_assert_ptr_nonnull(strstr(c.message, "from 1 to 16"));
    call_done(&c);
}
END_TEST

START_TEST(reasoning_refusal_images_logprobs)
{
    pbay_call c;
    chat(&c, "echo?reasoning=2", "a", "");
    ck_log(&c, "begin0<echo>;r0'I';r0' think';t0'a';stop0=1<stop>;");
    ck_assert_uint_eq(c.usage.reasoning, 2);
    ck_assert_uint_eq(c.usage.output, 3);
    call_done(&c);
    chat(&c, "refuse", "a", "");
    ck_assert_ptr_nonnull(strstr(log_of(&c), "refuse0'loopback';"));
    call_done(&c);
    call_init(&c);
    run_op(&c, PBAY_OP_CHAT, 0, "echo",
           "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\","
           "\"text\":\"see\"},{\"type\":\"image_url\",\"image_url\":{\"url\":"
           "\"x\"}},{\"type\":\"text\",\"text\":\"this\"}]}]}");
    ck_log(&c, "begin0<echo>;t0'see\nthis [1 image]';stop0=1<stop>;");
    call_done(&c);
}
END_TEST

static const char tools[] =
    ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"get_time\","
    "\"parameters\":{\"type\":\"object\",\"properties\":{}}}},"
    "{\"type\":\"function\",\"function\":{\"name\":\"weather\","
    "\"parameters\":{\"type\":\"object\",\"properties\":{\"city\":{\"type\":"
    "\"string\"},\"days\":{\"type\":\"integer\",\"minimum\":1},\"unit\":{"
    "\"enum\":[\"C\",\"F\"]},\"extra\":{\"type\":\"string\"}},\"required\":["
    "\"unit\",\"city\",\"days\"]}}}]";

START_TEST(tools_are_called)
{
    static const struct {
        const char *model, *text, *choice, *name, *arguments;
    } cases[] = {
        {"echo", "hi", "", NULL, NULL},
        {"echo", "hi", ",\"tool_choice\":\"auto\"", NULL, NULL},
        {"echo", "hi", ",\"tool_choice\":\"required\"", "get_time", "{}"},
        {"tool", "hi", "", "get_time", "{}"},
        {"tool", "hi", ",\"tool_choice\":\"none\"", NULL, NULL},
        {"echo", "please use a Tool", "", "get_time", "{}"},
        {"echo", "toolbox", "", NULL, NULL},
        {"echo", "the weather?", "", "weather",
         "{\"city\":\"the weather?\",\"days\":1,\"unit\":\"C\"}"},
        {"echo", "hi",
         ",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":"
         "\"weather\"}}",
         "weather", "{\"city\":\"hi\",\"days\":1,\"unit\":\"C\"}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pbay_call c;
        char more[2048], want[80];
        snprintf(more, sizeof more, "%s%s", tools, cases[i].choice);
        chat(&c, cases[i].model, cases[i].text, more);
        ck_assert_msg(c.rc == PBAY_OK, "case %zu: %s", i, c.message);
        if (cases[i].name) {
            snprintf(want, sizeof want, "call0.0<%s>;", cases[i].name);
            ck_assert_msg(strstr(log_of(&c), want), "case %zu: %s", i,
                          log_of(&c));
            ck_assert_str_eq(text_of(&c, 0), cases[i].arguments);
            ck_assert_ptr_nonnull(strstr(log_of(&c), "stop0=3<tool_calls>;"));
        } else {
            ck_assert_str_eq(text_of(&c, 0), cases[i].text);
        }
        call_done(&c);
    }
}
END_TEST

START_TEST(tool_results_and_wrong_names)
{
    pbay_call c;
    char body[4096];
    snprintf(body, sizeof body,
             "{\"messages\":[{\"role\":\"user\",\"content\":\"weather\"},"
             "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[]},"
             "{\"role\":\"tool\",\"tool_call_id\":\"x\",\"content\":\"rain\"}]"
             "%s}",
             tools);
    call_init(&c);
    run_op(&c, PBAY_OP_CHAT, 0, "tool", body);
    ck_assert_str_eq(text_of(&c, 0), "The tool said: rain");
    call_done(&c);
    char more[2048];
    snprintf(more, sizeof more,
             "%s,\"tool_choice\":{\"type\":\"function\","
             "\"function\":{\"name\":\"wether\"}}",
             tools);
    chat(&c, "echo", "hi", more);
    ck_assert_int_eq(c.rc, PBAY_FAIL);
    ck_assert_ptr_nonnull(strstr(c.message, "\"wether\""));
    call_done(&c);
    snprintf(more, sizeof more, "%s,\"parallel_tool_calls\":true", tools);
    chat(&c, "tool?calls=3", "hi", more);
    ck_assert_ptr_nonnull(strstr(log_of(&c), "call0.2<get_time>;"));
    ck_assert_ptr_null(strstr(log_of(&c), "call0.3"));
    call_done(&c);
}
END_TEST

START_TEST(prefill_is_gone_on_with)
{
    pbay_call c;
    call_init(&c);
    run_op(&c, PBAY_OP_CHAT, PBAY_RQ_CONTINUE, "echo",
           "{\"messages\":[{\"role\":\"user\",\"content\":\"one two three\"},"
           "{\"role\":\"assistant\",\"content\":\"one tw\"}]}");
    ck_assert_str_eq(text_of(&c, 0), "o three");
    call_done(&c);
}
END_TEST

START_TEST(schemas_are_satisfied)
{
    static const struct {
        const char *schema, *value;
    } cases[] = {
        {"{}", "\"hi\""},
        {"true", "\"hi\""},
        {"{\"type\":\"string\",\"maxLength\":1}", "\"h\""},
        {"{\"type\":\"string\",\"minLength\":4}", "\"hi..\""},
        {"{\"type\":\"string\",\"format\":\"date\"}", "\"2026-01-02\""},
        {"{\"type\":[\"null\",\"boolean\"]}", "true"},
        {"{\"type\":\"null\"}", "null"},
        {"{\"const\":{\"a\":[1]}}", "{\"a\":[1]}"},
        {"{\"enum\":[3,4]}", "3"},
        {"{\"type\":\"integer\"}", "0"},
        {"{\"type\":\"integer\",\"minimum\":2.5}", "3"},
        {"{\"type\":\"integer\",\"maximum\":-2.5}", "-3"},
        {"{\"type\":\"integer\",\"exclusiveMinimum\":0}", "1"},
        {"{\"type\":\"integer\",\"exclusiveMaximum\":0}", "-1"},
        {"{\"type\":\"integer\",\"minimum\":5,\"multipleOf\":4}", "8"},
        {"{\"type\":\"integer\",\"maximum\":-5,\"multipleOf\":4}", "-8"},
        {"{\"type\":\"number\",\"minimum\":0.5}", "0.5"},
        {"{\"type\":\"number\",\"exclusiveMinimum\":0,"
         "\"exclusiveMaximum\":1}",
         "0.5"},
        {"{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}", "[0]"},
        {"{\"type\":\"array\",\"items\":{\"type\":\"integer\"},"
         "\"maxItems\":0}",
         "[]"},
        {"{\"type\":\"array\",\"items\":{\"type\":\"integer\"},"
         "\"minItems\":3,\"uniqueItems\":true}",
         "[0,1,2]"},
        {"{\"type\":\"array\",\"items\":{\"type\":\"string\"},"
         "\"minItems\":2,\"uniqueItems\":true}",
         "[\"hi\",\"hi1\"]"},
        {"{\"prefixItems\":[{\"const\":1},{\"const\":2}]}", "[1,2]"},
        {"{\"type\":\"object\",\"properties\":{\"a\":{\"const\":1},"
         "\"b\":{\"const\":2}},\"required\":[\"b\",\"c\"]}",
         "{\"b\":2,\"c\":\"hi\"}"},
        {"{\"properties\":{\"a\":{\"const\":1},\"b\":{\"const\":2}}}",
         "{\"a\":1,\"b\":2}"},
        {"{\"type\":\"object\",\"required\":[\"k\"],"
         "\"additionalProperties\":{\"type\":\"integer\"}}",
         "{\"k\":0}"},
        {"{\"anyOf\":[{\"type\":\"null\"},{\"type\":\"integer\"}]}", "0"},
        {"{\"allOf\":[{\"properties\":{\"a\":{\"const\":1}},\"required\":["
         "\"a\"]},{\"properties\":{\"a\":{\"const\":9},\"b\":{\"const\":2}},"
         "\"required\":[\"b\",\"a\"]}]}",
         "{\"a\":1,\"b\":2}"},
        {"{\"$ref\":\"#/$defs/a~1b\",\"$defs\":{\"a/b\":{\"const\":7}}}", "7"},
        {"{\"type\":\"object\",\"properties\":{\"next\":{\"anyOf\":[{\"$ref\":"
         "\"#\"},{\"type\":\"null\"}]}},\"required\":[\"next\"]}",
         "{\"next\":{\"next\":{\"next\":{\"next\":null}}}}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pbay_call c;
        char more[2048];
        snprintf(more, sizeof more,
                 ",\"response_format\":{\"type\":\"json_schema\","
                 "\"json_schema\":{\"name\":\"x\",\"schema\":%s}}",
                 cases[i].schema);
        chat(&c, "echo", "hi", more);
        ck_assert_msg(c.rc == PBAY_OK, "%s: %s", cases[i].schema, c.message);
        ck_assert_msg(strcmp(text_of(&c, 0), cases[i].value) == 0,
                      "%s\n  gave %s\n  not  %s", cases[i].schema,
                      text_of(&c, 0), cases[i].value);
        call_done(&c);
    }
}
END_TEST

START_TEST(impossible_schemas_are_refused)
{
    static const struct {
        const char *schema, *part;
    } cases[] = {
        {"false", "allows nothing"},
        {"{\"type\":\"integer\",\"minimum\":2,\"maximum\":1}", "no number"},
        {"{\"type\":\"integer\",\"minimum\":1e300}", "9e15"},
        {"{\"type\":\"string\",\"minLength\":99999999}", "10000 characters"},
        {"{\"type\":\"string\",\"minLength\":3,\"maxLength\":2}",
         "minLength is above"},
        {"{\"type\":\"array\",\"minItems\":1000000}", "1000 items"},
        {"{\"type\":\"array\",\"minItems\":3,\"maxItems\":2}",
         "minItems is above"},
        {"{\"type\":\"array\",\"minItems\":999,\"items\":{\"type\":\"array\","
         "\"minItems\":999}}",
         "5000 values"},
        {"{\"type\":\"object\",\"properties\":{\"a\":{\"$ref\":\"#\"}},"
         "\"required\":[\"a\"]}",
         "nested without end"},
        {"{\"$ref\":\"#\"}", "leads nowhere"},
        {"{\"$ref\":\"#/none\"}", "leads nowhere"},
        {"{\"$ref\":\"http://x/y\"}", "leads nowhere"},
        {"{\"enum\":[]}", "enum of it is empty"},
        {"{\"type\":\"float\"}", "JSON does not have"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pbay_call c;
        char more[2048];
        snprintf(more, sizeof more,
                 ",\"response_format\":{\"type\":\"json_schema\","
                 "\"json_schema\":{\"name\":\"x\",\"schema\":%s}}",
                 cases[i].schema);
        chat(&c, "echo", "hi", more);
        ck_assert_msg(c.rc == PBAY_FAIL, "%s: %s", cases[i].schema,
                      text_of(&c, 0));
        ck_assert_msg(strstr(c.message, cases[i].part), "%s: %s",
                      cases[i].schema, c.message);
        call_done(&c);
    }
}
END_TEST

START_TEST(faults_strike_when_asked)
{
    static const struct {
        const char *model;
        uint32_t kind;
        int32_t status;
        const char *log;
    } cases[] = {
        {"echo?fault=rate&retry_after=1500", PBAY_E_RATE, 429, "error0;"},
        {"echo?fault=overloaded", PBAY_E_OVERLOADED, 503, "error0;"},
        {"echo?fault=auth", PBAY_E_AUTH, 401, "error0;"},
        {"echo?fault=context", PBAY_E_CONTEXT, 400, "error0;"},
        {"echo?fault=internal@1", PBAY_E_UPSTREAM, 500,
         "begin0<echo>;t0'a';error0;"},
        {"echo?fault=internal@99", PBAY_E_UPSTREAM, 500,
         "begin0<echo>;t0'a';t0' b';t0' c';error0;"},
        {"echo?fault=cut@2", 0, 0, "begin0<echo>;t0'a';t0' b';"},
        {"echo?fault=cut", 0, 0, ""},
        {"echo?fault=cut@3", 0, 0, "begin0<echo>;t0'a';t0' b';t0' c';"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pbay_call c;
        chat(&c, cases[i].model, "a b c", "");
        ck_assert_int_eq(c.rc, cases[i].kind ? PBAY_FAIL : PBAY_OK);
        ck_assert_uint_eq(c.stops, 0);
        ck_assert_uint_eq(c.error.kind, cases[i].kind);
        ck_assert_int_eq(c.error.http_status, cases[i].status);
        if (cases[i].kind)
            ck_assert_int_eq(c.error.retry_after_ms, i ? -1 : 1500);
        ck_log(&c, cases[i].log);
        call_done(&c);
    }
}
END_TEST

START_TEST(every_third_call_fails)
{
    for (int i = 1; i <= 9; i++) {
        pbay_call c;
        chat(&c, "echo?fault=loading&every=3", "a", "");
        ck_assert_int_eq(c.rc, i % 3 ? PBAY_OK : PBAY_FAIL);
        call_done(&c);
    }
}
END_TEST

START_TEST(directives_in_the_body_win)
{
    pbay_call c;
    chat(&c, "echo?fault=auth&length=1", "a b c",
         ",\"patchbay_loopback\":{\"fault\":\"none\",\"length\":2,"
         "\"usage\":0}");
    ck_assert_int_eq(c.rc, PBAY_OK);
    ck_assert_str_eq(text_of(&c, 0), "a b");
    ck_assert_uint_eq(c.usage.known, 0);
    call_done(&c);
}
END_TEST

START_TEST(wrong_directives_are_refused)
{
    static const struct {
        const char *model, *more, *part;
    } cases[] = {
        {"echo?dealy=1", "", "unknown directive \"dealy\""},
        {"echo?delay=", "", "\"delay\" takes a whole number"},
        {"echo?delay=-1", "", "\"delay\" takes a whole number"},
        {"echo?length=100001", "", "from 0 to 100000"},
        {"echo?length=99999999999999999999", "", "from 0 to 100000"},
        {"echo?rate=fast", "", "\"rate\" takes tokens a second"},
        {"echo?rate=1e-9", "", "\"rate\" takes tokens a second"},
        {"echo?fault=fire", "", "the words are none, cut"},
        {"echo?fault=cut@x", "", "the words are none, cut"},
        {"echo?usage=maybe", "", "takes 0 or 1"},
        {"echo", ",\"patchbay_loopback\":7", "must be an object"},
        {"echo", ",\"patchbay_loopback\":{\"x\":1}", "unknown directive"},
        {"echo", ",\"max_tokens\":0", "max_tokens must be"},
        {"gpt-9", "", "no model \"gpt-9\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pbay_call c;
        chat(&c, cases[i].model, "a", cases[i].more);
        ck_assert_msg(c.rc == PBAY_FAIL && c.errors == 1, "case %zu", i);
        ck_assert_msg(strstr(c.message, cases[i].part), "case %zu: %s", i,
                      c.message);
        call_done(&c);
    }
}
END_TEST

START_TEST(time_passes_as_asked)
{
    pbay_call c;
    chat(&c, "echo?delay=60&rate=200&length=11", "a", "");
    ck_assert_int_eq(c.rc, PBAY_OK);
    /* 60 ms and ten pauses of 5 ms; how much longer is the machine's affair */
    ck_assert_msg(c.took_us >= 109000, "%lld us", (long long)c.took_us);
    call_done(&c);
    configure("{\"first_token_ms\":40,\"tokens_per_second\":100.0}");
    chat(&c, "echo", "a b", "");
    ck_assert_msg(c.took_us >= 49000, "%lld us", (long long)c.took_us);
    call_done(&c);
}
END_TEST

static void *run_stalled(void *arg)
{
    run_op(arg, PBAY_OP_CHAT, PBAY_RQ_STREAM, "echo?fault=stall@1",
           "{\"messages\":[{\"role\":\"user\",\"content\":\"a b\"}]}");
    return NULL;
}

/* Of two calls that wait, only the one that is cancelled comes back. */
START_TEST(wake_interrupts_one_call)
{
    pbay_call c[2];
    pthread_t t[2];
    for (int i = 0; i < 2; i++) {
        call_init(&c[i]);
        ck_assert_int_eq(pthread_create(&t[i], NULL, run_stalled, &c[i]), 0);
    }
    for (int i = 0; i < 2; i++)
        while (atomic_load(&c[i].events) < 2)
            sched_yield();
    for (int i = 0; i < 2; i++) {
        int64_t from = clock_us();
        atomic_store(&c[i].cancelled, true);
        native->wake(inst, &c[i]);
        ck_assert_int_eq(pthread_join(t[i], NULL), 0);
        int64_t took = clock_us() - from;
        ck_assert_msg(took < 100000, "%lld us", (long long)took);
        ck_assert_int_eq(c[i].rc, PBAY_STOPPED);
        ck_log(&c[i], "begin0<echo>;t0'a';");
        ck_assert(i || !atomic_load(&c[1].cancelled));
        call_done(&c[i]);
    }
}
END_TEST

START_TEST(emit_may_say_stop)
{
    pbay_call c;
    call_init(&c);
    atomic_store(&c.cancelled, true);
    run_op(&c, PBAY_OP_CHAT, PBAY_RQ_STREAM, "lorem?length=100",
           "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}");
    ck_assert_int_eq(c.rc, PBAY_STOPPED);
    ck_log(&c, "begin0<lorem>;");
    call_done(&c);
}
END_TEST

/* --- the other operations --- */

static double dot(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

START_TEST(embeddings)
{
    pbay_call c;
    call_init(&c);
    run_op(&c, PBAY_OP_EMBED, 0, "embed",
           "{\"input\":[\"the cat sat\",\"the cat sits\",\"quarks decay\","
           "\"\"],\"dimensions\":128}");
    ck_assert_int_eq(c.rc, PBAY_OK);
    ck_log(&c, "v0;v1;v2;v3;");
    ck_assert_uint_eq(buf_str(&c.vector).n, 4 * 128 * 4);
    float v[4 * 128];
    memcpy(v, buf_str(&c.vector).p, sizeof v);
    for (int i = 0; i < 4; i++) {
        double one = dot(v + i * 128, v + i * 128, 128);
        ck_assert_msg(one > 0.9999 && one < 1.0001, "length %f", one);
    }
    double near = dot(v, v + 128, 128), far = dot(v, v + 256, 128);
    ck_assert_msg(near > far + 0.2, "near %f, far %f", near, far);
    ck_assert_uint_eq(c.usage.input, 8);
    call_done(&c);
}
END_TEST

/* Base64 with padding; how many bytes. */
static size_t decode(pbay_str text, unsigned char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrs"
                                 "tuvwxyz0123456789+/";
    size_t n = 0, cut = 0;
    ck_assert_uint_eq(text.n % 4, 0);
    for (size_t i = 0; i < text.n; i += 4) {
        uint32_t w = 0;
        for (size_t k = 0; k < 4; k++) {
            const char *at = strchr(digits, text.p[i + k]);
            ck_assert(at || (text.p[i + k] == '=' && i + 4 == text.n));
            cut += !at;
            w = w << 6 | (at ? (uint32_t)(at - digits) : 0);
        }
        for (int k = 2; k >= 0; k--)
            out[n++] = (unsigned char)(w >> 8 * k);
    }
    return n - cut;
}

START_TEST(embeddings_as_base64)
{
    pbay_call f, b;
    call_init(&f);
    call_init(&b);
    run_op(&f, PBAY_OP_EMBED, 0, "", "{\"input\":[1,22,3],\"dimensions\":7}");
    run_op(&b, PBAY_OP_EMBED, 0, "",
           "{\"input\":[[1,22,3]],\"dimensions\":7,"
           "\"encoding_format\":\"base64\"}");
    ck_log(&f, "v0;");
    ck_log(&b, "v0;");
    pbay_str text = buf_str(&b.vector), bytes = buf_str(&f.vector);
    ck_assert_uint_eq(bytes.n, 28);
    unsigned char out[64];
    ck_assert_uint_eq(decode(text, out), 28);
    for (size_t i = 0; i < 7; i++) {
        /* The floats of this machine may be of either order. */
        uint32_t bits = (uint32_t)out[i * 4] | (uint32_t)out[i * 4 + 1] << 8 |
                        (uint32_t)out[i * 4 + 2] << 16 |
                        (uint32_t)out[i * 4 + 3] << 24;
        ck_assert_int_eq(memcmp(&bits, bytes.p + i * 4, 4), 0);
    }
    call_done(&f);
    call_done(&b);
}
END_TEST

START_TEST(embedding_requests_are_checked)
{
    static const char *const bad[][2] = {
        {"{}", "input must be"},
        {"{\"input\":[]}", "not empty"},
        {"{\"input\":[{}]}", "input[0] must be"},
        {"{\"input\":\"x\",\"dimensions\":0}", "from 1 to 4096"},
        {"{\"input\":\"x\",\"dimensions\":4097}", "from 1 to 4096"},
        {"{\"input\":\"x\",\"encoding_format\":\"hex\"}", "encoding_format"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        pbay_call c;
        call_init(&c);
        run_op(&c, PBAY_OP_EMBED, 0, "embed", bad[i][0]);
        ck_assert_int_eq(c.rc, PBAY_FAIL);
        ck_assert_msg(strstr(c.message, bad[i][1]), "%s: %s", bad[i][0],
                      c.message);
        call_done(&c);
    }
}
END_TEST

START_TEST(moderation)
{
    static const struct {
        const char *body;
        const char *flags; /* of each item */
    } cases[] = {
        {"{\"input\":\"all is well\"}", "n"},
        {"{\"input\":\"please flagme\"}", "y"},
        {"{\"input\":[\"flagme\",\"fine\",\"xflagmex\"]}", "yny"},
        {"{\"input\":[{\"type\":\"text\",\"text\":\"fine\"},{\"type\":"
         "\"image_url\",\"image_url\":{\"url\":\"x\"}},{\"type\":\"text\","
         "\"text\":\"flagme\"}]}",
         "y"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pbay_call c;
        char got[8] = "";
        call_init(&c);
        run_op(&c, PBAY_OP_MODERATE, 0, "moderate", cases[i].body);
        ck_assert_int_eq(c.rc, PBAY_OK);
        size_t n = 0;
        for (const char *p = log_of(&c);
             (p = strstr(p, "<moderation>{\"flagged\":")) && n < 7; p++)
            got[n++] = p[23] == 't' ? 'y' : 'n';
        ck_assert_str_eq(got, cases[i].flags);
        ck_assert_ptr_nonnull(strstr(log_of(&c), "\"violence/graphic\":0.01"));
        ck_assert((strstr(got, "y") != NULL) ==
                  (strstr(log_of(&c), "\"harassment\":true") != NULL));
        call_done(&c);
    }
}
END_TEST

static uint32_t big_endian(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

static uint32_t crc_of(const unsigned char *p, size_t n)
{
    uint32_t c = 0xffffffff;
    while (n--)
        for (uint32_t k = 8, b = *p++; k--; b >>= 1)
            c = c >> 1 ^ ((c ^ b) & 1 ? 0xedb88320 : 0);
    return ~c;
}

/* Chunks in order, each with the right sum, and image data that a decoder
 * takes: a zlib stream with one stored block of 16 rows. */
static void is_png(const unsigned char *p, size_t n)
{
    static const char *const order[] = {"IHDR", "IDAT", "IEND"};
    const unsigned char *data[3];
    uint32_t size[3];
    size_t at = 8;
    ck_assert_int_eq(memcmp(p, "\x89PNG\r\n\x1a\n", 8), 0);
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_le(at + 12, n);
        size[i] = big_endian(p + at);
        ck_assert_uint_le(at + 12 + size[i], n);
        ck_assert_int_eq(memcmp(p + at + 4, order[i], 4), 0);
        ck_assert_uint_eq(crc_of(p + at + 4, size[i] + 4),
                          big_endian(p + at + 8 + size[i]));
        data[i] = p + at + 8;
        at += 12 + size[i];
    }
    ck_assert_uint_eq(at, n);
    ck_assert_int_eq(memcmp(data[0], "\0\0\0\x10\0\0\0\x10\x08\x02\0\0\0", 13),
                     0);
    const unsigned char *z = data[1];
    ck_assert_uint_eq((z[0] << 8 | z[1]) % 31, 0);
    ck_assert_uint_eq(z[2], 1);
    uint32_t len = z[3] | (uint32_t)z[4] << 8, a = 1, b = 0;
    ck_assert_uint_eq(len ^ (z[5] | (uint32_t)z[6] << 8), 0xffff);
    ck_assert_uint_eq(len, 16 * (1 + 16 * 3));
    ck_assert_uint_eq(size[1], 7 + len + 4);
    for (uint32_t i = 0; i < len; i++) {
        a = (a + z[7 + i]) % 65521;
        b = (b + a) % 65521;
    }
    ck_assert_uint_eq(big_endian(z + 7 + len), b << 16 | a);
}

START_TEST(images)
{
    pbay_call a, b;
    call_init(&a);
    call_init(&b);
    run_op(&a, PBAY_OP_IMAGE, 0, "image", "{\"prompt\":\"a cat\",\"n\":2}");
    run_op(&b, PBAY_OP_IMAGE, 0, "image", "{\"prompt\":\"a dog\"}");
    static const char start[] = "item0<image>{\"b64_json\":\"";
    static unsigned char png[4096];
    const char *log = log_of(&a), *image = log + sizeof start - 1;
    ck_assert_int_eq(strncmp(log, start, sizeof start - 1), 0);
    size_t text = (size_t)(strchr(image, '"') - image);
    ck_assert_uint_lt(text, sizeof png);
    is_png(png, decode(str_n(image, text), png));
    ck_assert_ptr_nonnull(strstr(log_of(&a), "\"revised_prompt\":\"a cat\"}"));
    ck_assert_ptr_nonnull(strstr(log_of(&a) + 10, "item0<image>"));
    ck_assert_str_ne(log_of(&a), log_of(&b));
    call_done(&a);
    call_done(&b);
    call_init(&b);
    run_op(&b, PBAY_OP_IMAGE, 0, "image",
           "{\"prompt\":\"x\",\"output_format\":\"webp\"}");
    ck_assert_ptr_nonnull(strstr(b.message, "only \"png\""));
    call_done(&b);
}
END_TEST

START_TEST(models_count_health)
{
    pbay_call c;
    call_init(&c);
    run_op(&c, PBAY_OP_LIST, 0, "", "{}");
    ck_assert_int_eq(c.rc, PBAY_OK);
    ck_assert_uint_eq(atomic_load(&c.events), 9);
    call_done(&c);
    call_init(&c);
    run_op(&c, PBAY_OP_LIST, 0, "", "{\"search\":\"em\"}");
    ck_assert_uint_eq(atomic_load(&c.events), 2); /* embed and lorem */
    call_done(&c);
    call_init(&c);
    run_op(&c, PBAY_OP_SHOW, 0, "lorem", "{\"model\":\"lorem\"}");
    ck_assert_ptr_nonnull(strstr(log_of(&c), "<model>{\"id\":\"lorem\","));
    call_done(&c);
    call_init(&c);
    run_op(&c, PBAY_OP_SHOW, 0, "none", "{\"model\":\"none\"}");
    ck_assert_uint_eq(c.error.kind, PBAY_E_NOT_FOUND);
    call_done(&c);
    call_init(&c);
    run_op(&c, PBAY_OP_COUNT, 0, "echo",
           "{\"messages\":[{\"role\":\"user\",\"content\":\"a b\"}]}");
    ck_log(&c, "item0<count>{\"input_tokens\":5};");
    call_done(&c);
    call_init(&c);
    run_op(&c, PBAY_OP_HEALTH, 0, "", "{}");
    ck_assert_ptr_nonnull(strstr(log_of(&c), "{\"ok\":true"));
    call_done(&c);
    call_init(&c);
    run_op(&c, PBAY_OP_PULL, 0, "", "{}");
    ck_assert_int_eq(c.rc, PBAY_NOSYS);
    call_done(&c);
}
END_TEST

START_TEST(configuration)
{
    pbay_call c;
    configure("{\"fault\":\"overloaded\",\"any_model\":true,\"length\":2,"
              "\"context_window\":9,\"dimensions\":3}");
    chat(&c, "echo", "a", "");
    ck_assert_uint_eq(c.error.kind, PBAY_E_OVERLOADED);
    call_done(&c);
    chat(&c, "gpt-9?fault=none", "a b c d", "");
    ck_assert_uint_eq(c.error.kind, PBAY_E_CONTEXT);
    call_done(&c);
    chat(&c, "gpt-9?fault=none", "a", "");
    ck_assert_str_eq(text_of(&c, 0), "a a");
    call_done(&c);
    call_init(&c);
    run_op(&c, PBAY_OP_EMBED, 0, "?fault=none", "{\"input\":\"x\"}");
    ck_assert_uint_eq(buf_str(&c.vector).n, 12);
    call_done(&c);
    void *other = NULL;
    ck_assert_int_eq(plugin->create(&host, STR("{\"fault\":\"fire\"}"), &other),
                     PBAY_FAIL);
    ck_assert_ptr_nonnull(strstr(host_log, "the words are"));
}
END_TEST

/* Bodies that the dialect would not let through must do no harm either. */
START_TEST(odd_bodies_do_no_harm)
{
    static const char *const bodies[] = {
        "",
        "{}",
        "[]",
        "7",
        "{\"messages\":7}",
        "{\"messages\":[]}",
        "{\"messages\":[7]}",
        "{\"messages\":[{}]}",
        "{\"messages\":[{\"role\":7,\"content\":7}]}",
        "{\"messages\":[{\"role\":\"user\",\"content\":[7,{},[]]}]}",
        "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"tools\":[7]}",
        "{\"messages\":[{\"role\":\"user\",\"content\":\"tool\"}],\"tools\":"
        "[{\"function\":{\"name\":7}}],\"tool_choice\":7,\"stop\":7,"
        "\"response_format\":7,\"logprobs\":7}",
    };
    for (uint32_t op = 1; op < 14; op++) {
        for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
            pbay_call c;
            call_init(&c);
            run_op(&c, op, PBAY_RQ_STREAM, "echo", bodies[i]);
            ck_assert(c.rc == PBAY_OK || c.rc == PBAY_NOSYS ||
                      (c.rc == PBAY_FAIL && c.errors == 1));
            call_done(&c);
        }
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("loopback");
    TCase *t = tcase_create("chat");
    tcase_add_checked_fixture(t, load, unload);
    tcase_add_test(t, echo_says_it_again);
    tcase_add_test(t, answers_are_the_same_each_time);
    tcase_add_test(t, pieces_are_whole_characters);
    tcase_add_test(t, limits_and_stops);
    tcase_add_test(t, lorem_has_the_length_asked_for);
    tcase_add_test(t, several_choices_take_turns);
    tcase_add_test(t, reasoning_refusal_images_logprobs);
    tcase_add_test(t, tools_are_called);
    tcase_add_test(t, tool_results_and_wrong_names);
    tcase_add_test(t, prefill_is_gone_on_with);
    tcase_add_test(t, schemas_are_satisfied);
    tcase_add_test(t, impossible_schemas_are_refused);
    suite_add_tcase(s, t);
    t = tcase_create("directives");
    tcase_add_checked_fixture(t, load, unload);
    tcase_add_test(t, faults_strike_when_asked);
    tcase_add_test(t, every_third_call_fails);
    tcase_add_test(t, directives_in_the_body_win);
    tcase_add_test(t, wrong_directives_are_refused);
    tcase_add_test(t, time_passes_as_asked);
    tcase_add_test(t, wake_interrupts_one_call);
    tcase_add_test(t, emit_may_say_stop);
    tcase_add_test(t, configuration);
    suite_add_tcase(s, t);
    t = tcase_create("operations");
    tcase_add_checked_fixture(t, load, unload);
    tcase_add_test(t, embeddings);
    tcase_add_test(t, embeddings_as_base64);
    tcase_add_test(t, embedding_requests_are_checked);
    tcase_add_test(t, moderation);
    tcase_add_test(t, images);
    tcase_add_test(t, models_count_health);
    tcase_add_test(t, odd_bodies_do_no_harm);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
