/* SPDX-License-Identifier: MIT */
/* Fuzz target: openai.so's codec on any reply.  The driver is the judge: a rule
 * of the ABI that the codec breaks is a failure, as is an answer that is taken
 * for whole without a stop.
 *
 * Input: a byte that chooses operation, flags and configuration, one that
 * chooses how the body is cut, then the body. */
#include <string.h>

#include "base/str.h"
#include "manager/codec_driver.h"

#include "fuzz.h"

extern pbay_entry_fn pbay_provider_entry;

#define SSE(json) "data: " json "\n\n"
#define SEED(lit)              \
    {                          \
        (lit), sizeof(lit) - 1 \
    }
const struct fuzz_seed fuzz_seeds[] = {
    SEED("\x00\x00" SSE(
        "{\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":"
        "{\"role\":\"assistant\",\"content\":\"a\\u00fc\"},\"logprobs\":"
        "{\"content\":[{\"token\":\"a\"}]},\"finish_reason\":null}]}")
             SSE("{\"choices\":[{\"index\":1,\"delta\":{\"tool_calls\":"
                 "[{\"index\":0,\"id\":\"t\",\"function\":{\"name\":\"f\","
                 "\"arguments\":\"{\\\"a\\\"\"}}]},\"finish_reason\":"
                 "\"tool_calls\"}]}")
                 SSE("{\"choices\":[],\"usage\":{\"prompt_tokens\":3,"
                     "\"completion_tokens\":2,\"cost\":0.00012}}")
                     SSE("{\"x_groq\":{\"usage\":{\"prompt_tokens\":1}}}")
                         SSE("[DONE]")),
    SEED("\x01\x05: ping\r\n\r\n" SSE(
        "{\"error\":{\"message\":\"m\",\"code\":502,\"metadata\":"
        "{\"error_type\":\"x\"}}}")),
    SEED("\x02\x03{\"choices\":[{\"message\":{\"content\":[{\"type\":\"text\","
         "\"text\":\"x\"},{\"type\":\"thinking\",\"thinking\":[{\"type\":"
         "\"text\",\"text\":\"y\"}]}],\"function_call\":{\"name\":\"f\","
         "\"arguments\":\"{}\"},\"refusal\":\"no\",\"reasoning\":\"r\"},"
         "\"finish_reason\":\"model_length\"}],\"usage\":null}"),
    SEED("\x03\x07{\"data\":[{\"index\":0,\"embedding\":[0.5,-1e-3]},"
         "{\"index\":1,\"embedding\":\"AAAA\\/w==\"}],\"model\":\"e\"}"),
    SEED("\x04\x01{\"data\":[{\"id\":\"a\",\"meta\":{\"n_ctx\":5}}],"
         "\"models\":[{\"name\":\"b\",\"context_length\":7}]}"),
    SEED("\x05\x02{\"error\":\"text\"}"),
    SEED("\x06\x00" SSE("{\"choices\":[{\"delta\":{\"content\":\"a\"},"
                        "\"finish_reason\":\"stop\"}]}")),
    SEED("\x07\x00{\"detail\":[{\"loc\":[\"body\",1],\"msg\":\"m\"}]}"),
    SEED("\x08\x00" SSE("{\"type\":\"response.created\",\"response\":{\"id\":"
                        "\"r\",\"model\":\"m\"}}")
             SSE("{\"type\":\"response.output_item.added\",\"output_index\":0,"
                 "\"item\":"
                 "{\"type\":\"function_call\",\"call_id\":\"c\",\"name\":\"f\"}"
                 "}")
                 SSE("{\"type\":\"response.function_call_arguments.delta\","
                     "\"output_index\":0,\"delta\":\"{}\"}")
                     SSE("{\"type\":\"response.output_text.delta\",\"delta\":"
                         "\"t\",\"logprobs\":[{}]}")
                         SSE("{\"type\":\"response.completed\",\"response\":"
                             "{\"status\":\"completed\",\"usage\":"
                             "{\"input_tokens\":1}}}")),
    SEED("\x09\x00{\"object\":\"response\",\"status\":\"incomplete\","
         "\"incomplete_details\":{\"reason\":\"content_filter\"},\"output\":"
         "[{\"type\":\"reasoning\",\"summary\":[{\"text\":\"a\"},{\"text\":"
         "\"b\"}],\"encrypted_content\":\"e\"},{\"type\":\"message\","
         "\"content\":[{\"type\":\"refusal\",\"refusal\":\"r\"}]}]}"),
    {NULL, 0},
};

#define ASK(op, flags, more)                                         \
    "{\"patchbay_transcript\":1,\"op\":\"" op "\",\"flags\":[" flags \
    "],\"model\":\"m\",\"request\":{\"model\":\"m\"}" more "}\n"
#define REPLY(status, type)                                                   \
    "{\"head\":{\"status\":" status ",\"headers\":[[\"content-type\",\"" type \
    "\"]]}}\n{\"data\":\"x\"}\n"
#define EVENTS "text/event-stream"
#define JSON   "application/json"

#define BY_RESPONSES ",\"config\":{\"responses_api\":\"all\"}"

static const char *const asks[] = {
    ASK("chat", "\"stream\"", "") REPLY("200", EVENTS),
    ASK("chat", "\"stream\",\"pass\"", "") REPLY("200", EVENTS),
    ASK("chat", "\"stream\"", "") REPLY("200", JSON),
    ASK("embed", "", "") REPLY("200", JSON),
    ASK("list", "", "") REPLY("200", JSON),
    ASK("chat", "", "") REPLY("400", JSON),
    ASK("chat", "\"stream\"",
        ",\"config\":{\"end_mark\":\"finish\",\"cost_currency\":\"USD\","
        "\"usage_output\":\"without_reasoning\"}") REPLY("200", EVENTS),
    ASK("moderate", "", "") REPLY("503", JSON),
    ASK("chat", "\"stream\"", BY_RESPONSES) REPLY("200", EVENTS),
    ASK("chat", "", BY_RESPONSES) REPLY("200", JSON),
};

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const size_t n_asks = sizeof asks / sizeof *asks;
    struct driver_how how = DRIVER_AS_RECORDED;
    struct driver_result r;
    struct transcript *t;
    struct driver *d;
    char err[256];

    if (size < 2)
        return 0;
    t = transcript_read(str_c(asks[data[0] % n_asks]), err, sizeof err);
    if (!t)
        abort();
    how.piece = data[1] % 64;
    how.crlf = data[1] & 64;
    t->exchanges[0].data[0] = str_n((const char *)data + 2, size - 2);
    d = driver_new(pbay_provider_entry(PBAY_ABI_MAJOR, PBAY_ABI_MINOR),
                   t->config, err, sizeof err);
    if (!d || driver_replay(d, t, &how, &r) < 0)
        abort();
    judge(t, &r);
    driver_result_done(&r);
    driver_free(d);
    transcript_free(t);
    return 0;
}
