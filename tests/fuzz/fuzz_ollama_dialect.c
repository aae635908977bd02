/* SPDX-License-Identifier: MIT */
/* Fuzz target: Ollama's client API.  Any body of a chat or generate must be
 * refused with words or become a canonical chat whose results answer calls
 * before them; any events must come out as lines of JSON of which only the last
 * one is done, and whole as one object.
 *
 * Input: a byte that chooses which of them, then the body, or the events:
 * cut by record separators, the first character of each is its kind. */
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/str.h"
#include "dialect/ollama_in.h"
#include "dialect/ollama_out.h"
#include <patchbay/json.h>

#include "fuzz.h"

#define SEED(lit)              \
    {                          \
        (lit), sizeof(lit) - 1 \
    }
const struct fuzz_seed fuzz_seeds[] = {
    SEED("c{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":"
         "\"s\"},{\"role\":\"user\",\"content\":\"see\",\"images\":["
         "\"iVBORw0KGgo=\",\"/9j/4AAQ\"]}],\"stream\":false,\"think\":\"low\","
         "\"format\":{\"type\":\"object\"},\"keep_alive\":0}"),
    SEED("c{\"messages\":[{\"role\":\"assistant\",\"content\":\"\","
         "\"thinking\":\"t\",\"patchbay_blocks\":[{}],\"tool_calls\":[{\"id\":"
         "\"a\",\"function\":{\"name\":\"f\",\"arguments\":{\"x\":1}}},{"
         "\"function\":{\"name\":\"g\"}}]},{\"role\":\"tool\",\"tool_name\":"
         "\"g\",\"content\":\"r\"},{\"role\":\"tool\",\"tool_call_id\":\"a\","
         "\"content\":\"r\"}],\"tools\":[{\"type\":\"function\",\"function\":{"
         "\"name\":\"f\"}}]}"),
    SEED("c{\"messages\":[{\"role\":\"USER\",\"content\":\"\\u00fc\"}],"
         "\"options\":{\"num_predict\":5,\"temperature\":0.5,\"num_ctx\":1,"
         "\"stop\":[\"x\"]},\"truncate\":true,\"format\":\"json\"}"),
    SEED("g{\"model\":\"m\",\"prompt\":\"p\",\"system\":\"s\",\"images\":["
         "\"R0lGODlh\"],\"raw\":false,\"context\":[],\"think\":true}"),
    SEED("g{\"prompt\":\"p\",\"suffix\":\"s\",\"template\":\"t\"}"),
    SEED("w0first text\0361thinking\0363{\"type\":\n\"x\"}\0362@{\"a\":\n\036"
         "0text\n\0362A{}\0362@ 1}\0364"),
    SEED("W0\"\\\001\0360more\0365{}\0364"),
    {NULL, 0},
};

/* --- requests ------------------------------------------------------------ */

/* Is there a call of this id among the messages before `end`? */
static int called(pbay_str messages, size_t end, pbay_str id)
{
    size_t pos = 0, i = 0;
    pbay_str m, call;

    while (i++ < end && pbay_json_next(messages, &pos, NULL, &m) > 0) {
        pbay_str calls = pbay_json_get(m, "tool_calls");
        size_t at = 0;
        while (calls.n && pbay_json_next(calls, &at, NULL, &call) > 0)
            if (str_eq(pbay_json_get(call, "id"), id))
                return 1;
    }
    return 0;
}

static void judge_canonical(pbay_str text)
{
    pbay_str messages, m;
    size_t pos = 0, i = 0;

    FUZZ_CHECK(pbay_json_check(text, NULL) == 0 && pbay_json_type(text) == 'o');
    FUZZ_CHECK(pbay_json_type(pbay_json_get(text, "stream")) == 'b');
    messages = pbay_json_get(text, "messages");
    FUZZ_CHECK(pbay_json_type(messages) == 'a');
    while (pbay_json_next(messages, &pos, NULL, &m) > 0) {
        if (pbay_json_is(pbay_json_get(m, "role"), "tool"))
            FUZZ_CHECK(called(messages, i, pbay_json_get(m, "tool_call_id")));
        i++;
    }
}

static void ask(bool generate, pbay_str body)
{
    struct ol_left left = {.n = 0};
    struct buf out;
    struct err e;

    if (pbay_json_check(body, NULL) < 0 || pbay_json_type(body) != 'o')
        return; /* the front has refused it */
    err_clear(&e);
    buf_init(&out, LIM_MIB(1));
    if ((generate ? ol_generate_to_canonical(body, &out, &left, &e)
                  : ol_chat_to_canonical(body, &out, &left, &e)) == 0) {
        judge_canonical(buf_str(&out));
        FUZZ_CHECK(left.n <= OL_LEFT_MAX);
        for (size_t i = 0; i < left.n; i++)
            FUZZ_CHECK(memchr(left.name[i], 0, sizeof(left.name[i])) != NULL);
    } else {
        FUZZ_CHECK(e.kind != 0 && err_text(&e)[0]);
    }
    buf_done(&out);
}

/* --- answers ------------------------------------------------------------- */

/* Below 0: a kind that needs JSON, and it is none. */
static int read_event(pbay_str line, pbay_event *ev)
{
    static const int kinds[] = {PBAY_EV_TEXT, PBAY_EV_REASONING,
                                PBAY_EV_CALL, PBAY_EV_BLOCK,
                                PBAY_EV_STOP, PBAY_EV_REFUSAL};
    char kind = line.n ? line.p[0] : '0';

    *ev = (pbay_event){.size = sizeof(*ev)};
    if (kind < '0' || kind > '5')
        kind = '0';
    ev->type = (uint32_t)kinds[kind - '0'];
    if (line.n)
        line = str_n(line.p + 1, line.n - 1);
    switch (ev->type) {
    case PBAY_EV_CALL:
        ev->index = line.n ? (unsigned char)line.p[0] % 4 : 0;
        ev->id = STR("id");
        ev->name = STR("name");
        ev->text = line.n ? str_n(line.p + 1, line.n - 1) : line;
        break;
    case PBAY_EV_BLOCK:
        ev->json = line;
        return pbay_json_check(line, NULL);
    case PBAY_EV_STOP:
        ev->code = line.n ? (unsigned char)line.p[0] % 8 : 0;
        break;
    default:
        ev->text = line;
    }
    return 0;
}

static void judge_answer(pbay_str out, bool stream)
{
    bool done = false;
    pbay_str line;

    FUZZ_CHECK(out.n > 0 && (!stream || out.p[out.n - 1] == '\n'));
    do {
        line = stream ? str_cut(&out, '\n') : out;
        FUZZ_CHECK(!done);
        FUZZ_CHECK(pbay_json_check(line, NULL) == 0);
        done = pbay_json_true(pbay_json_get(line, "done"));
    } while (stream && out.n);
    FUZZ_CHECK(done);
}

/* 0, or below 0 when it cannot be shown. */
static int show(bool generate, bool stream, pbay_str events)
{
    static const pbay_usage none = {.size = sizeof(none)};
    struct clock *c = clock_new_virtual(0);
    struct ol_render *r = ol_render_new(generate, stream, STR("m"), c, 0);
    struct buf out;
    pbay_event ev;
    int rc = 0;

    if (!c || !r)
        abort();
    buf_init(&out, LIM_MIB(4));
    ol_render_begin(r, STR("model"));
    while (events.n && rc >= 0)
        if (read_event(str_cut(&events, '\036'), &ev) == 0)
            rc = ol_render_event(r, &ev, &out);
    if (rc >= 0)
        rc = ol_render_end(r, &none, &out);
    if (rc >= 0)
        judge_answer(buf_str(&out), stream);
    buf_done(&out);
    ol_render_free(r);
    clock_free(c);
    return rc < 0 ? -1 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pbay_str rest;

    if (size < 1)
        return 0;
    rest = str_n((const char *)data + 1, size - 1);
    switch (data[0]) {
    case 'c':
    case 'g':
        ask(data[0] == 'g', rest);
        break;
    default:
        FUZZ_CHECK(show(data[0] == 'W', true, rest) ==
                   show(data[0] == 'W', false, rest));
    }
    return 0;
}
