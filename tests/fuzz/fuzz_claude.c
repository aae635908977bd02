/* SPDX-License-Identifier: MIT */
/* Fuzz target: claude.so's codec on any request and any reply.  The driver is
 * the judge: a rule of the ABI that the codec breaks is a failure, as is an
 * answer that is taken for whole without a stop, or a body that is no JSON.
 *
 * Input: a byte that chooses operation, flags and configuration, one that
 * chooses how the body is cut, then the request's body (where the choice is
 * one of requests) or the reply's. */
#include <string.h>

#include "base/str.h"
#include "manager/codec_driver.h"
#include <patchbay/json.h>

#include "body.h"
#include "fuzz.h"

extern pbay_entry_fn pbay_provider_entry;

#define EVENT(type, more) \
    "event: " type "\ndata: {\"type\":\"" type "\"" more "}\n\n"
#define SEED(lit)              \
    {                          \
        (lit), sizeof(lit) - 1 \
    }
#define START                                                            \
    EVENT("message_start", ",\"message\":{\"id\":\"a\",\"model\":\"m\"," \
                           "\"usage\":{\"input_tokens\":3,"              \
                           "\"cache_read_input_tokens\":7,"              \
                           "\"output_tokens\":1}}")
#define END                                                             \
    EVENT("message_delta", ",\"delta\":{\"stop_reason\":\"tool_use\"}," \
                           "\"usage\":{\"output_tokens\":9}")           \
    EVENT("message_stop", "")
const struct fuzz_seed fuzz_seeds[] = {
    SEED(
        "\x00\x00" START EVENT(
            "content_block_start",
            ",\"index\":0,\"content_block\":{\"type\":\"thinking\","
            "\"thinking\":\"\",\"signature\":\"\"}")
            EVENT("content_block_delta",
                  ",\"index\":0,\"delta\":{\"type\":\"thinking_delta\","
                  "\"thinking\":\"a\\u00fc\"}")
                EVENT("content_block_delta",
                      ",\"index\":0,\"delta\":{\"type\":\"signature_delta\","
                      "\"signature\":\"c2ln\"}") EVENT("content_block_stop",
                                                       ",\"index\":0")
                    EVENT("ping", "") EVENT(
                        "content_block_start",
                        ",\"index\":1,\"content_block\":{\"type\":\"tool_use\","
                        "\"id\":\"t\",\"name\":\"f\",\"input\":{}}")
                        EVENT("content_block_delta",
                              ",\"index\":1,\"delta\":{\"type\":\"input_json_"
                              "delta\","
                              "\"partial_json\":\"{\\\"a\\\"\"}")
                            EVENT("content_block_stop", ",\"index\":1") END),
    SEED("\x01\x05" START EVENT(
        "content_block_start",
        ",\"index\":0,\"content_block\":{\"type\":\"server_tool_use\","
        "\"id\":\"s\",\"input\":{}}")
             EVENT("content_block_delta",
                   ",\"index\":0,\"delta\":{\"type\":\"input_json_delta\","
                   "\"partial_json\":\"{}\"}") EVENT("content_block_stop",
                                                     ",\"index\":0")
                 EVENT("error", ",\"error\":{\"type\":\"overloaded_error\"}")),
    SEED("\x02\x03{\"id\":\"a\",\"content\":[{\"type\":\"thinking\","
         "\"thinking\":\"x\"},{\"type\":\"tool_use\",\"id\":\"t\","
         "\"name\":\"f\",\"input\":{\"a\":[1]}},{\"type\":\"text\","
         "\"text\":\"y\"}],\"stop_reason\":\"refusal\",\"stop_details\":"
         "{\"explanation\":\"no\"},\"usage\":{\"input_tokens\":1,"
         "\"server_tool_use\":{\"web_search_requests\":2}}}"),
    SEED("\x03\x01{\"data\":[{\"id\":\"a\",\"created_at\":"
         "\"2026-10-01T00:00:00Z\",\"max_input_tokens\":200000,"
         "\"capabilities\":{\"thinking\":{\"supported\":true}}}],"
         "\"has_more\":true,\"last_id\":\"a\"}"),
    SEED("\x04\x02{\"type\":\"error\",\"error\":{\"type\":"
         "\"rate_limit_error\",\"message\":\"m\",\"details\":"
         "{\"error_code\":\"contract_spend_limit_reached\"}}}"),
    SEED("\x05\x07{\"input_tokens\":7}"),
    SEED("\x06\x00{\"messages\":[{\"role\":\"system\",\"content\":\"s\"},"
         "{\"role\":\"user\",\"content\":[{\"type\":\"image_url\","
         "\"image_url\":{\"url\":\"data:image\\/png;base64,AA==\"},"
         "\"cache_control\":{}},{\"type\":\"file\",\"file\":{\"file_data\":"
         "\"data:application/pdf;base64,AA==\"}}]},{\"role\":\"assistant\","
         "\"patchbay_blocks\":[{\"type\":\"thinking\"}],\"tool_calls\":"
         "[{\"id\":\"a.b\",\"function\":{\"name\":\"f\",\"arguments\":"
         "\"{\\\"a\\\":1}\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"a.b\","
         "\"content\":\"r\"}],\"tools\":[{\"type\":\"function\",\"function\":"
         "{\"name\":\"f\",\"parameters\":{\"properties\":{}}}}],"
         "\"tool_choice\":\"required\",\"stop\":[\"a\"],\"user\":\"u\","
         "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":"
         "{\"description\":\"d\",\"schema\":{\"type\":\"object\"}}},"
         "\"reasoning_effort\":\"high\",\"max_tokens\":5000}"),
    SEED("\x07\x00{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],"
         "\"n\":2,\"temperature\":0.5,\"reasoning_effort\":\"minimal\"}"),
    {NULL, 0},
};

#define ASK(op, flags, more)                                         \
    "{\"patchbay_transcript\":1,\"op\":\"" op "\",\"flags\":[" flags \
    "],\"model\":\"claude-opus-4-6\",\"request\":" more "}\n"
#define REPLY(status, type)                                                   \
    "{\"head\":{\"status\":" status ",\"headers\":[[\"content-type\",\"" type \
    "\"]]}}\n{\"data\":\"x\"}\n"
#define EVENTS "text/event-stream"
#define JSON   "application/json"
#define HI     "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}"

static const char *const asks[] = {
    ASK("chat", "\"stream\"", HI) REPLY("200", EVENTS),
    ASK("chat", "\"stream\",\"pass\"", HI) REPLY("200", EVENTS),
    ASK("chat", "", HI) REPLY("200", JSON),
    ASK("list", "", "{}") REPLY("200", JSON),
    ASK("chat", "", HI) REPLY("429", JSON),
    ASK("count", "", HI) REPLY("200", JSON),
    ASK("chat", "", "{}") REPLY("200", JSON),
    ASK("chat", "\"stream\"",
        "{},\"config\":{\"unsupported\":\"drop\","
        "\"api_version\":\"2023-06-01\"}") REPLY("200", EVENTS),
};
#define REQUESTS 6 /* from here on the input is the request */

static void judge(const struct transcript *t, const struct driver_result *r)
{
    bool stopped = false, ok;

    FUZZ_CHECK(r->n > 0);
    ok = str_starts(str_c(r->lines[r->n - 1]), "{\"end\":\"ok\"");
    for (size_t i = 0; i < r->n; i++) {
        bool broken = str_starts(str_c(r->lines[i]), "{\"violation\"");
        if (broken)
            fprintf(stderr, "%s\n", r->lines[i]);
        FUZZ_CHECK(!broken);
        stopped |= str_starts(str_c(r->lines[i]), "{\"ev\":\"stop\"");
    }
    FUZZ_CHECK(!ok || t->op != PBAY_OP_CHAT || stopped);
    FUZZ_CHECK(!ok || t->exchanges[0].status == 200);
}

/* What would be sent, if anything would, is JSON again. */
static void judge_request(struct driver *d, const struct transcript *t)
{
    struct driver_how how = DRIVER_AS_RECORDED;
    struct driver_call *c = driver_start(d, t, &how);
    struct driver_result r;
    pbay_str body;
    char *text;
    int64_t n;

    if (!c)
        abort();
    body = pbay_json_get(pbay_json_get(driver_exchange(c), "exchange"), "body");
    text = malloc(body.n + 1);
    n = text && body.n ? pbay_json_unescape(body, text, body.n) : -1;
    FUZZ_CHECK(n < 0 || pbay_json_check(str_n(text, (size_t)n), NULL) == 0);
    free(text);
    while (driver_step(c))
        ;
    if (driver_finish(c, &r) < 0)
        abort();
    driver_result_done(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const size_t n_asks = sizeof asks / sizeof *asks;
    struct driver_how how = DRIVER_AS_RECORDED;
    struct driver_result r;
    struct transcript *t;
    struct driver *d;
    pbay_str input;
    char err[256];
    size_t ask;

    if (size < 2)
        return 0;
    ask = data[0] % n_asks;
    input = str_n((const char *)data + 2, size - 2);
    if (ask >= REQUESTS && !fuzz_is_body(str_trim(input)))
        return 0;
    t = transcript_read(str_c(asks[ask]), err, sizeof err);
    if (!t)
        abort();
    how.piece = data[1] % 64;
    how.crlf = data[1] & 64;
    if (ask >= REQUESTS)
        t->request = str_trim(input);
    else
        t->exchanges[0].data[0] = input;
    d = driver_new(pbay_provider_entry(PBAY_ABI_MAJOR, PBAY_ABI_MINOR),
                   t->config, err, sizeof err);
    if (!d || driver_replay(d, t, &how, &r) < 0)
        abort();
    judge(t, &r);
    driver_result_done(&r);
    if (ask >= REQUESTS)
        judge_request(d, t);
    driver_free(d);
    transcript_free(t);
    return 0;
}
