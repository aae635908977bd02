/* SPDX-License-Identifier: MIT */
/* Responses requests to the canonical form, and what is refused. */
#include <check.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/str.h"
#include "dialect/responses.h"
#include "dialect/responses_in.h"
#include <patchbay/json.h>

/* Members next to "model". */
static const struct {
    const char *in, *out;
} good[] = {
    {"\"input\":\"hi\"",
     "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"},
    {"\"stream\":true,\"temperature\":0.5,\"top_p\":0.9,\"parallel_"
     "tool_calls\":false,\"service_tier\":\"auto\",\"user\":\"u\","
     "\"safety_identifier\":\"s\",\"prompt_cache_key\":\"k\",\"max_"
     "output_tokens\":9,\"instructions\":\"be kind\",\"input\":\"hi"
     "\"",
     "\"stream\":true,\"temperature\":0.5,\"top_p\":0.9,\"parallel_"
     "tool_calls\":false,\"service_tier\":\"auto\",\"user\":\"u\","
     "\"safety_identifier\":\"s\",\"prompt_cache_key\":\"k\",\"max_"
     "completion_tokens\":9,\"messages\":[{\"role\":\"system\",\"co"
     "ntent\":\"be kind\"},{\"role\":\"user\",\"content\":\"hi\"}]"},
    {"\"store\":false,\"background\":false,\"truncation\":\"disable"
     "d\",\"previous_response_id\":null,\"conversation\":null,\"met"
     "adata\":{\"a\":\"b\"},\"stream_options\":{\"include_obfuscati"
     "on\":true},\"tools\":[],\"include\":[\"reasoning.encrypted_co"
     "ntent\"],\"input\":\"hi\"",
     "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"},
    {"\"top_logprobs\":2,\"input\":\"hi\"",
     "\"logprobs\":true,\"top_logprobs\":2,\"messages\":[{\"role\":"
     "\"user\",\"content\":\"hi\"}]"},
    {"\"top_logprobs\":0,\"include\":[\"message.output_text.logprob"
     "s\"],\"input\":\"hi\"",
     "\"logprobs\":true,\"messages\":[{\"role\":\"user\",\"content"
     "\":\"hi\"}]"},
    {"\"reasoning\":{\"effort\":\"low\",\"summary\":\"auto\"},\"tex"
     "t\":{\"verbosity\":\"low\",\"format\":{\"type\":\"text\"}},\""
     "input\":\"hi\"",
     "\"reasoning_effort\":\"low\",\"verbosity\":\"low\",\"messages"
     "\":[{\"role\":\"user\",\"content\":\"hi\"}]"},
    {"\"text\":{\"format\":{\"type\":\"json_object\"}},\"input\":\""
     "hi\"",
     "\"response_format\":{\"type\":\"json_object\"},\"messages\":["
     "{\"role\":\"user\",\"content\":\"hi\"}]"},
    {"\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"n\""
     ",\"schema\":{\"type\":\"object\"},\"strict\":true,\"descripti"
     "on\":\"d\"}},\"input\":\"hi\"",
     "\"response_format\":{\"type\":\"json_schema\",\"json_schema\""
     ":{\"name\":\"n\",\"schema\":{\"type\":\"object\"},\"strict\":"
     "true,\"description\":\"d\"}},\"messages\":[{\"role\":\"user\""
     ",\"content\":\"hi\"}]"},
    {"\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"descriptio"
     "n\":\"d\",\"parameters\":{\"type\":\"object\"},\"strict\":tru"
     "e},{\"type\":\"function\",\"name\":\"g\",\"strict\":null,\"pa"
     "rameters\":null}],\"tool_choice\":{\"type\":\"function\",\"na"
     "me\":\"f\"},\"input\":\"hi\"",
     "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f"
     "\",\"description\":\"d\",\"parameters\":{\"type\":\"object\"}"
     ",\"strict\":true}},{\"type\":\"function\",\"function\":{\"nam"
     "e\":\"g\"}}],\"tool_choice\":{\"type\":\"function\",\"functio"
     "n\":{\"name\":\"f\"}},\"messages\":[{\"role\":\"user\",\"cont"
     "ent\":\"hi\"}]"},
    {"\"tool_choice\":\"required\",\"input\":\"hi\"",
     "\"tool_choice\":\"required\",\"messages\":[{\"role\":\"user\""
     ",\"content\":\"hi\"}]"},
    {"\"tool_choice\":{\"type\":\"allowed_tools\",\"mode\":\"auto\""
     ",\"tools\":[{\"type\":\"function\",\"name\":\"f\"}]},\"input"
     "\":\"hi\"",
     "\"tool_choice\":{\"type\":\"allowed_tools\",\"allowed_tools\""
     ":{\"mode\":\"auto\",\"tools\":[{\"type\":\"function\",\"funct"
     "ion\":{\"name\":\"f\"}}]}},\"messages\":[{\"role\":\"user\","
     "\"content\":\"hi\"}]"},
    {"\"input\":[{\"role\":\"developer\",\"content\":\"d\"},{\"type"
     "\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"inp"
     "ut_text\",\"text\":\"see\"},{\"type\":\"input_image\",\"image"
     "_url\":\"data:image/png;base64,AAAA\",\"detail\":\"low\"},{\""
     "type\":\"input_file\",\"filename\":\"a.pdf\",\"file_data\":\""
     "data:application/pdf;base64,JVBE\"},{\"type\":\"input_file\","
     "\"file_id\":\"file-1\"},{\"type\":\"input_audio\",\"input_aud"
     "io\":{\"data\":\"AAAA\",\"format\":\"wav\"}}]}]",
     "\"messages\":[{\"role\":\"developer\",\"content\":\"d\"},{\"r"
     "ole\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"see"
     "\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:ima"
     "ge/png;base64,AAAA\",\"detail\":\"low\"}},{\"type\":\"file\","
     "\"file\":{\"file_data\":\"data:application/pdf;base64,JVBE\","
     "\"filename\":\"a.pdf\"}},{\"type\":\"file\",\"file\":{\"file_"
     "id\":\"file-1\"}},{\"type\":\"input_audio\",\"input_audio\":{"
     "\"data\":\"AAAA\",\"format\":\"wav\"}}]}]"},
    {"\"input\":[{\"role\":\"user\",\"content\":\"q\"},{\"type\":\""
     "reasoning\",\"id\":\"rs_1\",\"summary\":[],\"encrypted_conten"
     "t\":\"patchbay:eyJ0eXBlIjoidGhpbmtpbmcifQ==\"},{\"type\":\"me"
     "ssage\",\"id\":\"m\",\"role\":\"assistant\",\"status\":\"comp"
     "leted\",\"phase\":\"final_answer\",\"content\":[{\"type\":\"o"
     "utput_text\",\"text\":\"let me see\",\"annotations\":[]}]},{"
     "\"type\":\"function_call\",\"id\":\"fc_1\",\"call_id\":\"c1\""
     ",\"name\":\"f\",\"arguments\":\"{}\",\"status\":\"completed\""
     "},{\"type\":\"reasoning\",\"id\":\"rs_2\",\"summary\":[{\"typ"
     "e\":\"summary_text\",\"text\":\"hm\"}]},{\"type\":\"function_"
     "call\",\"call_id\":\"c2\",\"name\":\"g\",\"arguments\":\"{"
     "\\\"a\\\":1}\"},{\"type\":\"function_call_output\",\"call_id"
     "\":\"c1\",\"output\":\"one\"},{\"type\":\"function_call_outpu"
     "t\",\"call_id\":\"c2\",\"output\":[{\"type\":\"input_text\","
     "\"text\":\"two\"}]}]",
     "\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\""
     ":\"assistant\",\"content\":\"let me see\",\"patchbay_blocks\""
     ":[{\"type\":\"thinking\"}],\"tool_calls\":[{\"id\":\"c1\",\"t"
     "ype\":\"function\",\"function\":{\"name\":\"f\",\"arguments\""
     ":\"{}\"}},{\"id\":\"c2\",\"type\":\"function\",\"function\":{"
     "\"name\":\"g\",\"arguments\":\"{\\\"a\\\":1}\"}}]},{\"role\":"
     "\"tool\",\"tool_call_id\":\"c1\",\"content\":\"one\"},{\"role"
     "\":\"tool\",\"tool_call_id\":\"c2\",\"content\":[{\"type\":\""
     "text\",\"text\":\"two\"}]}]"},
    {"\"input\":[{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary"
     "\":[],\"encrypted_content\":\"gAAA\"},{\"type\":\"function_ca"
     "ll\",\"call_id\":\"c\",\"name\":\"f\",\"arguments\":\"{}\"},{"
     "\"role\":\"user\",\"content\":\"x\"},{\"type\":\"reasoning\","
     "\"id\":\"rs_2\",\"summary\":[],\"encrypted_content\":\"gBBB\""
     "}]",
     "\"messages\":[{\"role\":\"assistant\",\"content\":null,\"patc"
     "hbay_blocks\":[{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summ"
     "ary\":[],\"encrypted_content\":\"gAAA\"}],\"tool_calls\":[{\""
     "id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"f\""
     ",\"arguments\":\"{}\"}}]},{\"role\":\"user\",\"content\":\"x"
     "\"}]"},
    {"\"input\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"o"
     "utput_text\",\"text\":\"a\"},{\"type\":\"refusal\",\"refusal"
     "\":\"no\"}]},{\"role\":\"assistant\",\"content\":\"b\"}]",
     "\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":"
     "\"text\",\"text\":\"a\"},{\"type\":\"refusal\",\"refusal\":\""
     "no\"},{\"type\":\"text\",\"text\":\"b\"}]}]"},
};

static struct json_object *parse(pbay_str s)
{
    struct json_object *o = NULL;

    ck_assert_msg(js_parse(s, PBAY_JSON_DEPTH, &o, NULL) == 0, "%.*s",
                  STR_ARG(s));
    return o;
}

static void whole(const char *members, struct buf *b)
{
    buf_init(b, LIM_MIB(1));
    ck_assert_int_eq(buf_printf(b, "{\"model\":\"m\",%s}", members), 0);
}

START_TEST(requests)
{
    struct json_object *want, *got;
    struct buf in, out, expected;
    struct err e;

    err_clear(&e);
    whole(good[_i].in, &in);
    whole(good[_i].out, &expected);
    buf_init(&out, LIM_MIB(1));
    ck_assert_msg(rs_to_canonical(buf_str(&in), &out, &e) == 0, "%s",
                  e.message);
    want = parse(buf_str(&expected));
    got = parse(buf_str(&out));
    ck_assert_msg(json_object_equal(want, got), "got %.*s",
                  STR_ARG(buf_str(&out)));
    json_object_put(want);
    json_object_put(got);
    buf_done(&in);
    buf_done(&out);
    buf_done(&expected);
}
END_TEST

static const struct {
    const char *in, *param;
} refused[] = {
    {"\"temperature\":1", "input"},
    {"\"input\":3", "input"},
    {"\"input\":[3]", "input[0]"},
    {"\"brand_new\":1,\"input\":\"hi\"", "brand_new"},
    {"\"store\":true,\"input\":\"hi\"", "store"},
    {"\"background\":true,\"input\":\"hi\"", "background"},
    {"\"truncation\":\"auto\",\"input\":\"hi\"", "truncation"},
    {"\"previous_response_id\":\"resp_1\",\"input\":\"hi\"",
     "previous_response_id"},
    {"\"conversation\":\"conv_1\",\"input\":\"hi\"", "conversation"},
    {"\"prompt\":{\"id\":\"p\"},\"input\":\"hi\"", "prompt"},
    {"\"max_tool_calls\":1,\"input\":\"hi\"", "max_tool_calls"},
    {"\"instructions\":[],\"input\":\"hi\"", "instructions"},
    {"\"include\":[\"x\"],\"input\":\"hi\"", "include"},
    {"\"include\":\"x\",\"input\":\"hi\"", "include"},
    {"\"top_logprobs\":\"x\",\"input\":\"hi\"", "top_logprobs"},
    {"\"tools\":[{\"type\":\"web_search\"}],\"input\":\"hi\"", "tools[0]"},
    {"\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"defer_load"
     "ing\":true}],\"input\":\"hi\"",
     "tools[0].defer_loading"},
    {"\"tools\":[{\"type\":\"function\"}],\"input\":\"hi\"", "tools[0]"},
    {"\"tools\":3,\"input\":\"hi\"", "tools"},
    {"\"tool_choice\":{\"type\":\"mcp\"},\"input\":\"hi\"", "tool_choice"},
    {"\"tool_choice\":{\"type\":\"allowed_tools\"},\"input\":\"hi\"",
     "tool_choice"},
    {"\"text\":{\"format\":{\"type\":\"xml\"}},\"input\":\"hi\"",
     "text.format"},
    {"\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"n\""
     "}},\"input\":\"hi\"",
     "text.format.schema"},
    {"\"text\":{\"new\":1},\"input\":\"hi\"", "text.new"},
    {"\"text\":3,\"input\":\"hi\"", "text"},
    {"\"reasoning\":{\"mode\":\"pro\"},\"input\":\"hi\"", "reasoning.mode"},
    {"\"reasoning\":3,\"input\":\"hi\"", "reasoning"},
    {"\"input\":[{\"role\":\"robot\",\"content\":\"x\"}]", "input[0].role"},
    {"\"input\":[{\"role\":\"user\",\"content\":3}]", "input[0].content"},
    {"\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_"
     "image\",\"file_id\":\"f\"}]}]",
     "input[0].content[0]"},
    {"\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_"
     "file\",\"file_url\":\"https://x/y\"}]}]",
     "input[0].content[0]"},
    {"\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"refusa"
     "l\",\"refusal\":\"x\"}]}]",
     "input[0].content[0]"},
    {"\"input\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"i"
     "nput_image\",\"image_url\":\"x\"}]}]",
     "input[0].content[0]"},
    {"\"input\":[{\"type\":\"item_reference\",\"id\":\"m\"}]", "input[0]"},
    {"\"input\":[{\"type\":\"web_search_call\",\"id\":\"w\"}]", "input[0]"},
    {"\"input\":[{\"type\":\"function_call\",\"name\":\"f\",\"argum"
     "ents\":\"{}\"}]",
     "input[0]"},
    {"\"input\":[{\"type\":\"function_call_output\",\"output\":\"x"
     "\"}]",
     "input[0]"},
    {"\"input\":[{\"type\":\"function_call_output\",\"call_id\":\"c"
     "\",\"output\":[{\"type\":\"input_image\",\"image_url\":\"x\"}"
     "]}]",
     "input[0]"},
    {"\"input\":[{\"type\":\"reasoning\",\"encrypted_content\":\"pa"
     "tchbay:%%%\"}]",
     "input[0]"},
};

START_TEST(refusals)
{
    struct buf in, out;
    struct err e;

    err_clear(&e);
    whole(refused[_i].in, &in);
    buf_init(&out, LIM_MIB(1));
    ck_assert_int_eq(rs_to_canonical(buf_str(&in), &out, &e), -1);
    ck_assert_int_eq(e.kind, PBAY_E_INVALID);
    ck_assert_str_eq(e.param, refused[_i].param);
    buf_done(&in);
    buf_done(&out);
}
END_TEST

/* The number of the event that may come behind these, in pieces of any size. */
static const struct {
    const char *bytes;
    unsigned next;
} streams[] = {
    {"", 0},
    {"data: {\"type\":\"x\",\"sequence_number\":0}\n\n", 1},
    {"data: {\"sequence_number\" : 41 ,\"delta\":\"a\"}\n\n", 42},
    {"{\"sequence_number\":7}\n\n{\"sequence_number\":8}\n\n{", 9},
    {"{\"sequence_number\":7,\"x\":{\"sequence_number\":3}}", 8},
    {"{\"delta\":\"\\\"sequence_number\\\":9\"}", 0},
    {"{\"sequence_numbers\":9,\"\"sequence_number\":\"5\"}", 0},
    {"{\"\"sequence_number\":5}", 6},
    {"{\"sequence_number\":99999999999999}", 1000000000},
};

START_TEST(numbers)
{
    const char *bytes = streams[_i].bytes;
    size_t n = strlen(bytes);

    for (size_t piece = 1; piece <= n + 1; piece++) {
        struct http_req req = {0};
        struct dialog x = {.req = &req};

        arena_init(&req.arena, LIM_KIB(4));
        for (size_t i = 0; i < n; i += piece)
            rs_passed(&x, str_n(bytes + i, n - i < piece ? n - i : piece));
        ck_assert_uint_eq(rs_next(&x), streams[_i].next);
        arena_done(&req.arena);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("responses");
    TCase *t = tcase_create("requests");
    SRunner *r;
    int failed;

    log_set_level(LOG_ERROR);
    tcase_add_loop_test(t, requests, 0, sizeof(good) / sizeof(*good));
    tcase_add_loop_test(t, numbers, 0, sizeof(streams) / sizeof(*streams));
    tcase_add_loop_test(t, refusals, 0, sizeof(refused) / sizeof(*refused));
    suite_add_tcase(s, t);
    r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
