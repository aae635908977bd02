/* SPDX-License-Identifier: MIT */
/* Fuzz target: openrouter.so's codec on any reply.  The driver is the judge: a
 * rule of the ABI that the codec breaks is a failure, as is an answer that is
 * taken for whole without a stop, and a block or item that is not JSON.
 *
 * Input: a byte that chooses operation, flags and configuration, one that
 * chooses how the bodies are cut, then the bodies, the first up to a NUL byte
 * where there are two. */
#include <string.h>

#include "base/str.h"
#include "manager/codec_driver.h"
#include <patchbay/json.h>

#include "fuzz.h"

extern pbay_entry_fn pbay_provider_entry;

#define SSE(json) "data: " json "\n\n"
#define SEED(lit)              \
    {                          \
        (lit), sizeof(lit) - 1 \
    }
/* clang-format off */
#define DELTA(more, end) \
    "{\"id\":\"gen-1\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{" \
    more "},\"finish_reason\":" end "}]}"
#define DETAIL(type, more) \
    "\"reasoning_details\":[{\"type\":\"reasoning." type "\"," more "}]"
#define KEY \
    "{\"data\":{\"label\":\"sk\",\"limit\":5,\"limit_remaining\":1.5," \
    "\"usage\":3.5,\"is_management_key\":true}}"

const struct fuzz_seed fuzz_seeds[] = {
    SEED("\x00\x00: OPENROUTER PROCESSING\n\n"
         SSE(DELTA(DETAIL("text", "\"text\":\"a\\ud83d\",\"index\":0"), "null"))
         SSE(DELTA(DETAIL("text", "\"text\":\"\\ude00\",\"signature\":\"s\","
                          "\"index\":0"), "null"))
         SSE(DELTA(DETAIL("encrypted", "\"data\":\"QQ==\",\"id\":\"r\""),
                   "null"))
         SSE(DELTA("\"content\":\"x\",\"images\":[{}]", "null"))
         SSE(DELTA("", "\"stop\",\"native_finish_reason\":\"end_turn\""))
         SSE("{\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"cost\":1.2e-5,"
             "\"completion_tokens\":2}}")
         SSE("[DONE]")),
    SEED("\x01\x05: OPENROUTER PROCESSING\r\n\r\n"
         SSE("{\"error\":{\"message\":\"m\",\"code\":502,\"metadata\":{"
             "\"error_type\":\"refusal\",\"provider_name\":\"P\"}},"
             "\"choices\":[{\"finish_reason\":\"error\"}]}")),
    SEED("\x02\x03{\"choices\":[{\"message\":{\"content\":\"x\"," DETAIL(
         "summary", "\"summary\":\"s\"") "},\"finish_reason\":\"length\","
         "\"error\":{}}],\"usage\":null}"),
    SEED("\x03\x07{\"data\":[{\"index\":0,\"embedding\":[0.5,-1e-3]}]}"),
    SEED("\x04\x01{\"data\":[{\"id\":\"a\",\"name\":\"M\",\"created\":5,"
         "\"context_length\":200000,\"architecture\":{\"input_modalities\":["
         "\"image\"],\"output_modalities\":[\"text\"]},\"pricing\":{"
         "\"prompt\":\"0.0000000375\",\"completion\":\"-1\",\"image\":"
         "\"1.50e-3\",\"overrides\":[{}]},\"supported_parameters\":["
         "\"tools\"]},{\"id\":\"b\",\"pricing\":{\"prompt\":\"0\","
         "\"completion\":0}}]}"),
    SEED("\x05\x02{\"data\":[{\"id\":\"m\",\"pricing\":{\"prompt\":1e9}}]}"),
    SEED("\x06\x02" KEY "\0{\"data\":{\"total_credits\":1.25,"
         "\"total_usage\":2}}"),
    SEED("\x07\x02{\"data\":{\"id\":\"g\",\"total_cost\":1.5e-5,\"model\":"
         "\"m\",\"native_tokens_prompt\":4}}"),
    SEED("\x08\x02" KEY),
    SEED("\x09\x00{\"error\":{\"code\":400,\"message\":\"Provider returned "
         "error\",\"metadata\":{\"provider_name\":\"P\",\"raw\":\"{\\\"error\\\""
         ":{\\\"message\\\":\\\"prompt is too long\\\"}}\"}}}"),
    SEED("\x0a\x00{\"error\":{\"code\":403,\"message\":\"m\",\"metadata\":{"
         "\"reasons\":[\"a\",1],\"flagged_input\":\"x\"}}}"),
    {NULL, 0},
};

#define ASK(op, flags, request, more)                                \
    "{\"patchbay_transcript\":1,\"op\":\"" op "\",\"flags\":[" flags \
    "],\"model\":\"m\",\"request\":" request more "}\n"
#define CHAT "{\"model\":\"m\"}"
#define REPLY(status, type)                                                   \
    "{\"head\":{\"status\":" status ",\"headers\":[[\"content-type\",\"" type \
    "\"]]}}\n{\"data\":\"x\"}\n{\"end\":\"ok\"}\n"
#define EVENTS "text/event-stream"
#define JSON   "application/json"
#define WELL   REPLY("200", JSON)

static const char *const asks[] = {
    ASK("chat", "\"stream\"", CHAT, "") REPLY("200", EVENTS),
    ASK("chat", "\"stream\",\"pass\"", CHAT, "") REPLY("200", EVENTS),
    ASK("chat", "\"stream\"", CHAT, ",\"config\":{\"order\":[\"a\"]}") WELL,
    ASK("embed", "", CHAT, "") WELL,
    ASK("list", "", "{\"search\":\"a M\",\"sort\":\"price\"}", "") WELL,
    ASK("show", "", CHAT, "") WELL,
    ASK("credits", "", "{}", "") WELL WELL,
    ASK("generation", "", "{\"id\":\"g /\"}", "") WELL,
    ASK("health", "", "{}", "") WELL,
    ASK("chat", "", CHAT, "") REPLY("400", JSON),
    ASK("chat", "", CHAT, "") REPLY("429", JSON),
};
/* clang-format on */

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
        FUZZ_CHECK(pbay_json_check(str_c(r->lines[i]), NULL) == 0);
        stopped |= str_starts(str_c(r->lines[i]), "{\"ev\":\"stop\"");
    }
    FUZZ_CHECK(!ok || t->op != PBAY_OP_CHAT || stopped);
    FUZZ_CHECK(!ok || t->exchanges[0].status == 200);
}

/* The bodies of the exchanges, in the order they are asked for. */
static void fill(struct transcript *t, pbay_str rest)
{
    for (size_t i = 0; i < t->n_exchanges; i++) {
        bool last = i + 1 == t->n_exchanges;
        const char *nul = rest.n ? memchr(rest.p, 0, rest.n) : NULL;
        size_t n = nul && !last ? (size_t)(nul - rest.p) : rest.n;

        t->exchanges[i].data[0] = str_n(rest.p, n);
        n += nul && !last;
        rest = str_n(rest.p + n, rest.n - n);
    }
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
    fill(t, str_n((const char *)data + 2, size - 2));
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
