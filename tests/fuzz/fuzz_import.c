/* SPDX-License-Identifier: MIT */
/* Fuzz target: configurations of other programs, in JSON and YAML, with and
 * without private files.  What is written is a configuration by libconfig's
 * rules, and what is not carried over has a reason. */
#include <libconfig.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "import/import.h"

#include "fuzz.h"

#define SEED(lit)              \
    {                          \
        (lit), sizeof(lit) - 1 \
    }
/* The first byte: which form, and where secrets go. */
const struct fuzz_seed fuzz_seeds[] = {
    SEED("0{\"providers\":[{\"name\":\"A b\",\"type\":\"openai\",\"api_key\":"
         "\"sk-1\",\"base_url\":\"http://h/v1\",\"models\":[\"m\",{\"id\":"
         "\"n\"}],\"timeout\":30,\"max_retries\":3,\"weight\":2}],\"manager\":{"
         "\"fallback_enabled\":true,\"load_balancing\":\"weighted\"}}"),
    SEED("1{\"openai\":{\"api_key\":\"${OPENAI_API_KEY}\",\"timeout\":300},"
         "\"llama-cpp\":{\"models_dir\":\"D:\\\\models\",\"default_threads\":8}"
         "}"),
    SEED("2d: &d {retry: {max_attempts: 3, backoff_factor: 2.5}}\nproviders:\n"
         "  a:\n    <<: *d\n    type: openai\n    api_key: \"$K\"\n    "
         "rate_limit: {requests_per_minute: 1_0}\nstrategies:\n  s: {provider: "
         "a, model: m, fallback_providers: [a, {provider: a}]}\n"),
    SEED("3- &a [x, *a]\n"),
    SEED("3providers: {x: {headers: {A-b: \"${\", Authorization: t}, proxy: "
         "null, http2: yes, max_reply: 10M, timeouts: {total: 1h}}}\n"),
    {NULL, 0},
};

static struct manifest *openai;

static void check_text(const struct import *im)
{
    config_t c;
    char *text = str_dup(buf_str(&im->text));

    FUZZ_CHECK(text != NULL && strlen(text) == im->text.n);
    config_init(&c);
    if (!config_read_string(&c, text))
        fprintf(stderr, "line %d: %s\n%s\n", config_error_line(&c),
                config_error_text(&c), text);
    FUZZ_CHECK(config_lookup(&c, "providers") != NULL);
    config_destroy(&c);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char manifest[] =
        "{\"abi\":\"0.1\",\"id\":\"openai\",\"version\":\"1\",\"license\":"
        "\"MIT\",\"name\":\"O\",\"kind\":\"codec\",\"keys\":[{\"name\":"
        "\"unsupported\",\"type\":\"string\",\"choices\":[\"drop\"],\"doc\":"
        "\"d\"}]}";
    struct import_options o = {.name = "input", .n_manifests = 1};
    struct import im;
    char *why = NULL;
    int rc;

    if (!openai)
        openai = manifest_parse(STR(manifest), &why);
    FUZZ_CHECK(openai != NULL);
    if (!size)
        return 0;
    o.manifests = (const struct manifest *const *)&openai;
    o.format = data[0] & 2 ? IMPORT_YAML : IMPORT_JSON;
    o.keep_secrets = data[0] & 1;
    rc = import_read(&o, str_n((const char *)data + 1, size - 1), &im);
    FUZZ_CHECK(rc == 0 || im.issues.errors > 0);
    if (rc == 0)
        check_text(&im);
    import_done(&im);
    return 0;
}
