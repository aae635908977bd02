/* SPDX-License-Identifier: MIT */
/* Fuzz target: llamacpp.so's codec on any reply, over several exchanges where
 * an operation has them.  The driver is the judge: a rule of the ABI that the
 * codec breaks is a failure, as is an answer that is taken for whole without a
 * stop.
 *
 * Input: a byte that chooses operation, flags and configuration, one that
 * chooses how the bodies are cut, then the bodies, each up to a NUL byte. */
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
#define LISTED                                                                \
    "{\"data\":[{\"id\":\"m\",\"aliases\":[\"a\"],\"created\":1,\"status\":{" \
    "\"value\":\"loaded\",\"args\":[\"x\"]},\"meta\":{\"n_ctx\":5},"          \
    "\"architecture\":{\"input_modalities\":[\"image\"]}},{\"id\":\"b\"}]}"
#define PROPS                                                         \
    "{\"default_generation_settings\":{\"n_ctx\":7},\"modalities\":{" \
    "\"vision\":"                                                     \
    "true},\"endpoint_slots\":true,\"build_info\":\"b1\"}"
const struct fuzz_seed fuzz_seeds[] = {
    SEED("\x00\x00" SSE("{\"id\":\"c\",\"model\":\"m\",\"choices\":"
                        "[{\"index\":0,\"delta\":"
                        "{\"role\":\"assistant\",\"content\":null}}"
                        "]}") ":\n\n" SSE("{\"choices\":[{"
                                          "\"index\":1,\"delta\":{"
                                          "\"content\":\"a\"},"
                                          "\"finish_reason\":"
                                          "\"stop\"}],\"timings\":{"
                                          "\"cache_n\":1,"
                                          "\"prompt_n\":2,"
                                          "\"predicted_n\":3}}")
             SSE("{\"choices\":[],\"usage\":{\"prompt_tokens\":3,"
                 "\"completion_tokens\":2}}") SSE("[DONE]")),
    SEED("\x01\x05: ping\r\n\r\n" SSE(
        "{\"error\":{\"message\":\"Context size has been "
        "exceeded.\","
        "\"code\":500,\"type\":\"server_error\"}}")),
    SEED("\x02\x03{\"choices\":[{\"message\":{\"content\":\"x\"},"
         "\"finish_reason\":\"length\"}],\"timings\":{\"predicted_"
         "n\":1}}"),
    SEED("\x03\x07{\"data\":[{\"index\":0,\"embedding\":[0.5,-1e-3]"
         "}]}"),
    SEED("\x04\x01" LISTED),
    SEED("\x05\x02" LISTED "\0" PROPS "\0[{\"is_processing\":true},{}]"),
    SEED("\x06\x02{\"input_tokens\":29}"),
    SEED("\x07\x09{\"prompt\":\"a\\u00fc\"}\0{\"tokens\":[1,2,3]}"),
    SEED("\x08\x00{\"status\":\"ok\"}\0" PROPS),
    SEED("\x09\x00{\"error\":{\"message\":\"model 'x' not found\","
         "\"code\":400,\"type\":\"invalid_request_error\"}}"),
    {NULL, 0},
};

#define ASK(op, flags, more)                                         \
    "{\"patchbay_transcript\":1,\"op\":\"" op "\",\"flags\":[" flags \
    "],\"model\":\"m\",\"request\":{\"model\":\"m\",\"n\":2}" more "}\n"
#define REPLY(status, type)                                                   \
    "{\"head\":{\"status\":" status ",\"headers\":[[\"content-type\",\"" type \
    "\"]]}}\n{\"data\":\"x\"}\n{\"end\":\"ok\"}\n"
#define EVENTS "text/event-stream"
#define JSON   "application/json"
#define WELL   REPLY("200", JSON)

static const char *const asks[] = {
    ASK("chat", "\"stream\"", "") REPLY("200", EVENTS),
    ASK("chat", "\"stream\",\"pass\"", "") REPLY("200", EVENTS),
    ASK("chat", "\"stream\"", "") WELL,
    ASK("embed", "", "") WELL,
    ASK("list", "", "") WELL,
    ASK("show", "", "") WELL WELL WELL,
    ASK("count", "", "") WELL,
    ASK("count", "", ",\"config\":{\"count_route\":\"template\"}") WELL WELL,
    ASK("health", "", "") WELL WELL,
    ASK("chat", "", "") REPLY("400", JSON),
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
