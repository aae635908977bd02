/* SPDX-License-Identifier: MIT */
/* Fuzz target: requests of Anthropic's messages, of OpenAI's Responses and of
 * legacy completions.  Any body must be refused with words or become a
 * canonical chat whose messages have roles, and whose tool results name a call;
 * the estimator of tokens must take whatever came out, and give the same for a
 * text cut into pieces.
 *
 * Input: a byte that chooses which of them, then the body. */
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "base/tokens.h"
#include "dialect/anthropic_in.h"
#include "dialect/completions_in.h"
#include "dialect/responses_in.h"
#include <patchbay/json.h>

#include "fuzz.h"

#define SEED(lit)              \
    {                          \
        (lit), sizeof(lit) - 1 \
    }
const struct fuzz_seed fuzz_seeds[] = {
    SEED("a{\"model\":\"m\",\"max_tokens\":5,\"system\":[{\"type\":\"text\","
         "\"text\":\"s\",\"cache_control\":{}}],\"messages\":[{\"role\":"
         "\"user\",\"content\":[{\"type\":\"image\",\"source\":{\"type\":"
         "\"base64\",\"media_type\":\"image/png\",\"data\":\"QUJD\"}},{"
         "\"type\":\"text\",\"text\":\"t\"}]}],\"thinking\":{\"type\":"
         "\"enabled\",\"budget_tokens\":1024}}"),
    SEED(
        "a{\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":"
        "\"redacted_thinking\",\"data\":\"patchbay:e30=\"},{\"type\":"
        "\"tool_use\",\"id\":\"a\",\"name\":\"f\",\"input\":{\"x\":1}}]},{"
        "\"role\":\"user\",\"content\":[{\"type\":\"tool_result\","
        "\"tool_use_id\":\"a\",\"is_error\":true,\"content\":[{\"type\":"
        "\"text\",\"text\":\"r\"}]}]}],\"tool_choice\":{\"type\":\"any\"},"
        "\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\"}}]}"),
    SEED(
        "a{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
        "\"document\",\"title\":\"d\",\"source\":{\"type\":\"text\",\"data\":"
        "\"x\"}}]}],\"output_config\":{\"effort\":\"low\",\"format\":{\"type\":"
        "\"json_schema\",\"schema\":{}}},\"metadata\":{\"user_id\":\"u\"}}"),
    SEED("c{\"model\":\"m\",\"prompt\":[\"p\"],\"max_tokens\":3,\"n\":2,"
         "\"best_of\":2,\"echo\":false,\"stop\":\"x\",\"suffix\":\"\"}"),
    SEED("r{\"input\":[{\"role\":\"user\",\"content\":[{\"type\":"
         "\"input_text\",\"text\":\"t\"},{\"type\":\"input_image\","
         "\"image_url\":\"u\"}]},{\"type\":\"reasoning\","
         "\"encrypted_content\":\"patchbay:e30=\"},{\"type\":"
         "\"function_call\",\"call_id\":\"a\",\"name\":\"f\","
         "\"arguments\":\"{}\"},{\"type\":\"function_call_output\","
         "\"call_id\":\"a\",\"output\":\"o\"}],\"instructions\":\"i\"}"),
    SEED("r{\"input\":\"x\",\"tools\":[{\"type\":\"function\",\"name\":"
         "\"f\",\"parameters\":{}}],\"tool_choice\":{\"type\":"
         "\"function\",\"name\":\"f\"},\"text\":{\"format\":{\"type\":"
         "\"json_schema\",\"schema\":{}}},\"reasoning\":{\"effort\":"
         "\"low\"},\"include\":[\"reasoning.encrypted_content\"]}"),
    SEED("c{\"prompt\":\"\\ud83d\\ude00 \\u00fc\",\"stream\":true}"),
    {NULL, 0},
};

static void judge_messages(pbay_str messages)
{
    size_t pos = 0;
    pbay_str m;

    FUZZ_CHECK(pbay_json_type(messages) == 'a');
    while (pbay_json_next(messages, &pos, NULL, &m) > 0) {
        FUZZ_CHECK(pbay_json_type(pbay_json_get(m, "role")) == 's');
        if (pbay_json_is(pbay_json_get(m, "role"), "tool"))
            FUZZ_CHECK(pbay_json_type(pbay_json_get(m, "tool_call_id")) == 's');
    }
}

static void judge_tokens(pbay_str text)
{
    pbay_kv members[LIM_MEMBERS];
    struct tokens t;
    size_t n = 0;

    if (pbay_json_members(text, members, LIM_MEMBERS, &n, NULL) == 0)
        FUZZ_CHECK(tokens_of_chat(members, n) >= 3);
    tokens_init(&t);
    for (size_t i = 0; i < text.n; i += 7)
        tokens_add(&t, str_n(text.p + i, text.n - i < 7 ? text.n - i : 7));
    FUZZ_CHECK(tokens_sum(&t) == tokens_of(text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pbay_str body;
    struct buf out;
    struct err e;
    int rc;

    if (size < 1)
        return 0;
    body = str_n((const char *)data + 1, size - 1);
    judge_tokens(body);
    if (pbay_json_check(body, NULL) < 0 || pbay_json_type(body) != 'o')
        return 0; /* the front has refused it */
    err_clear(&e);
    buf_init(&out, LIM_MIB(1));
    rc = data[0] == 'c'   ? cp_to_canonical(body, &out, &e)
         : data[0] == 'r' ? rs_to_canonical(body, &out, &e)
                          : an_to_canonical(body, &out, &e);
    if (rc == 0) {
        FUZZ_CHECK(pbay_json_check(buf_str(&out), NULL) == 0);
        judge_messages(pbay_json_get(buf_str(&out), "messages"));
        judge_tokens(buf_str(&out));
    } else {
        FUZZ_CHECK(e.kind != 0 && err_text(&e)[0]);
    }
    buf_done(&out);
    return 0;
}
