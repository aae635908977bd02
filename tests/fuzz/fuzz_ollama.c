/* SPDX-License-Identifier: MIT */
/* Fuzz target: ollama.so's codec, on any reply and on any request.  The driver
 * is the judge: a rule of the ABI that the codec breaks is a failure, as is an
 * answer that is taken for whole without a stop, and a body that is not JSON.
 *
 * Input: a byte that chooses operation, flags and configuration, one that
 * chooses how the body is cut, then the body of the reply (or, with the highest
 * bit of the first byte, of the request). */
#include <string.h>

#include "base/str.h"
#include "manager/codec_driver.h"
#include <patchbay/json.h>

#include "body.h"
#include "fuzz.h"

extern pbay_entry_fn pbay_provider_entry;

#define SEED(lit)              \
    {                          \
        (lit), sizeof(lit) - 1 \
    }
#define MESSAGE(members) "{\"model\":\"m\",\"message\":{" members "},\"done\":"
#define COUNTS           ",\"prompt_eval_count\":26,\"eval_count\":29"
const struct fuzz_seed fuzz_seeds[] = {
    SEED("\x00\x00" MESSAGE(
        "\"content\":\"a\\u00fc\",\"thinking\":"
        "\"t\"") "false,\"logprobs\":[{\"token\":"
                 "\"a\",\"logprob\":-1}]}"
                 "\n" MESSAGE("\"content\":\"\","
                              "\"tool_calls\":[{"
                              "\"id\":\"c\","
                              "\"function\":{"
                              "\"index\":0,"
                              "\"name\":\"f\","
                              "\"arguments\":"
                              "{\"a\":1}}},{"
                              "\"function\":{"
                              "\"name\":\"g\","
                              "\"arguments\":\"{}"
                              "\"}}]") "false}"
                                       "\n" MESSAGE("\"content\":"
                                                    "\"\"") "true,"
                                                            "\"done_"
                                                            "reason\""
                                                            ":\"stop"
                                                            "\"" COUNTS "}\n"),
    SEED("\x01\x05" MESSAGE(
        "\"content\":\"a\"") "false}\r\n"
                             "{\"error\":\"unexpected EOF\"}\n"),
    SEED("\x02\x03" MESSAGE(
        "\"content\":\"a\"") "true,\"done_reason\":\"length\"" COUNTS "}"),
    SEED("\x03\x07{\"model\":\"e\",\"embeddings\":[[0.5,-1e-3],[1,2]],"
         "\"prompt_eval_count\":3}"),
    SEED("\x04\x01{\"models\":[{\"name\":\"a\",\"modified_at\":"
         "\"2026-05-04T19:30:00.5+02:00\",\"details\":{\"context_"
         "length\":"
         "7},"
         "\"capabilities\":[\"completion\",\"vision\"]},{\"model\":"
         "\"b\"}]"
         "}"),
    SEED("\x05\x02{\"error\":\"unauthorized\",\"signin_url\":\"u\"}"),
    SEED("\x06\x00{\"details\":{},\"model_info\":{\"general."
         "architecture\":"
         "\"llama\",\"llama.context_length\":8192},\"capabilities\":"
         "[\"completion\",\"tools\"],\"modified_at\":\"2026-05-04T19:30:"
         "00Z\"}"),
    SEED("\x07\x00{\"status\":\"pulling "
         "a\",\"digest\":\"sha256:a\",\"total\":"
         "5000000000,\"completed\":1}\n{\"status\":\"success\"}\n"),
    SEED("\x80\x00{\"model\":\"m\",\"messages\":[{\"role\":\"user\","
         "\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":"
         "\"image_url\",\"image_url\":{\"url\":\"data:image/"
         "png;base64,AAAA\"}}"
         "]},{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{"
         "\"id\":"
         "\"c\",\"type\":\"function\",\"function\":{\"name\":\"f\","
         "\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_call_id\":"
         "\"c\","
         "\"content\":\"r\"}],\"stop\":\"x\",\"seed\":1,\"max_tokens\":"
         "5,"
         "\"reasoning_effort\":\"low\",\"tools\":[{\"type\":"
         "\"function\","
         "\"function\":{\"name\":\"f\"}}]}"),
    SEED("\x82\x00{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],"
         "\"n\":2,"
         "\"options\":{\"top_k\":1},\"keep_alive\":0,\"response_"
         "format\":"
         "{\"type\":\"json_schema\",\"json_schema\":{\"schema\":{}}}}"),
    SEED("\x83\x00{\"input\":[\"a\",\"b\"],\"dimensions\":3,\"user\":"
         "\"u\"}"),
    {NULL, 0},
};

#define ASK(op, flags, more)                                          \
    "{\"patchbay_transcript\":1,\"op\":\"" op "\",\"flags\":[" flags  \
    "],\"model\":\"m\",\"request\":{\"model\":\"m\",\"input\":\"a\"," \
    "\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}" more "}\n"
/* Embeddings have no messages, a chat no input. */
#define CHAT(flags, more)                                          \
    "{\"patchbay_transcript\":1,\"op\":\"chat\",\"flags\":[" flags \
    "],\"model\":\"m\",\"request\":{\"model\":\"m\","              \
    "\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}" more "}\n"
#define EMBED                                                   \
    "{\"patchbay_transcript\":1,\"op\":\"embed\",\"flags\":[]," \
    "\"model\":\"m\",\"request\":{\"input\":\"a\"}}\n"
#define REPLY(status, type)                                                   \
    "{\"head\":{\"status\":" status ",\"headers\":[[\"content-type\",\"" type \
    "\"]]}}\n{\"data\":\"x\"}\n"
#define LINES "application/x-ndjson"
#define JSON  "application/json"

static const char *const asks[] = {
    CHAT("\"stream\"", "") REPLY("200", LINES),
    CHAT("\"stream\",\"pass\"", "") REPLY("200", LINES),
    CHAT("\"stream\"", ",\"config\":{\"unsupported\":\"drop\",\"num_ctx\":9,"
                       "\"options\":[\"top_k=1\"],\"keep_alive\":\"5m\"}")
        REPLY("200", JSON),
    EMBED REPLY("200", JSON),
    ASK("list", "", "") REPLY("200", JSON),
    CHAT("", "") REPLY("401", JSON),
    ASK("show", "", "") REPLY("200", JSON),
    ASK("pull", "", "") REPLY("200", LINES),
    ASK("health", "", "") REPLY("200", JSON),
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

/* What goes up must be JSON, whatever was asked. */
static void judge_body(struct driver_call *c)
{
    pbay_str line = driver_exchange(c), body;
    char *text;
    int64_t n;

    if (!line.n)
        return;
    body = pbay_json_get(pbay_json_get(line, "exchange"), "body");
    if (!body.n)
        return;
    text = malloc(body.n);
    FUZZ_CHECK(text != NULL);
    n = pbay_json_unescape(body, text, body.n);
    FUZZ_CHECK(n > 0 && pbay_json_check(str_n(text, (size_t)n), NULL) == 0);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const size_t n_asks = sizeof asks / sizeof *asks;
    struct driver_how how = DRIVER_AS_RECORDED;
    struct driver_call *c;
    struct driver_result r;
    struct transcript *t;
    struct driver *d;
    pbay_str given;
    char err[256];

    if (size < 2)
        return 0;
    given = str_n((const char *)data + 2, size - 2);
    t = transcript_read(str_c(asks[(data[0] & 127) % n_asks]), err, sizeof err);
    if (!t)
        abort();
    how.piece = data[1] % 64;
    if (!(data[0] & 128))
        t->exchanges[0].data[0] = given;
    else if (fuzz_is_body(given))
        t->request = given; /* nothing else comes from the host */
    d = driver_new(pbay_provider_entry(PBAY_ABI_MAJOR, PBAY_ABI_MINOR),
                   t->config, err, sizeof err);
    c = d ? driver_start(d, t, &how) : NULL;
    if (!c)
        abort();
    judge_body(c);
    while (driver_step(c))
        ;
    if (driver_finish(c, &r) < 0)
        abort();
    judge(t, &r);
    driver_result_done(&r);
    driver_free(d);
    transcript_free(t);
    return 0;
}
