/* SPDX-License-Identifier: MIT */
/* Reading along in streams that are passed on. */
#include "unit.h"

#include <string.h>

#include "dialect/follow.h"

static struct oa_place oa;
static struct an_place an;

static void openai(const char *raw)
{
    oa_follow(&oa, str_c(raw));
}

static void anthropic(const char *raw)
{
    an_follow(&an, str_c(raw));
}

START_TEST(data_of_any_line_end)
{
    pbay_str raw = STR("event: x\r\ndata: one\r\n\r\n: no\ndata:two\n\ndata\n"
                       "data: \n\ndata: three\r\rdata:four");
    static const char *const want[] = {"one", "two", "three", "four"};

    for (size_t i = 0; i < 4; i++)
        ck_view_eq(follow_data(&raw), want[i]);
    ck_assert_uint_eq(follow_data(&raw).n, 0);
    ck_assert_uint_eq(raw.n, 0);
}
END_TEST

START_TEST(the_time_of_an_openai_stream)
{
    memset(&oa, 0, sizeof(oa));
    openai(": keep-alive\n\n");
    ck_assert(!oa.begun);
    /* Azure begins so. */
    openai("data: {\"id\":\"\",\"created\":0,\"choices\":[]}\n\n");
    ck_assert(!oa.begun && !oa.created);
    openai("data: {\"created\":17,\"choices\":[{\"index\":0}]}\n\n"
           "data: {\"created\":18,\"choices\":[{\"index\":0}]}\n\n");
    ck_assert(oa.begun);
    ck_assert_int_eq(oa.created, 17);
    openai("data: {\"created\":19,\"choices\":[{\"index\":0}]}\n\n");
    ck_assert_int_eq(oa.created, 17);
}
END_TEST

START_TEST(an_openai_stream_without_a_time)
{
    memset(&oa, 0, sizeof(oa));
    for (int i = 0; i < 100; i++)
        openai("data: {\"created\":\"x\",\"choices\":[{}]}\n\ndata: {\n\n"
               "data: [DONE]\n\n");
    ck_assert(oa.begun);
    ck_assert_int_eq(oa.created, 0);
    ck_assert_uint_lt(oa.looked, 100); /* it is not looked at for ever */
}
END_TEST

START_TEST(an_openai_stream_that_has_stopped)
{
    static const char *const not [] = {
        "data: {\"choices\":[{\"finish_reason\":null}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"\\\"finish_reason\\\":"
        "\\\"stop\\\"\"},\"finish_reason\": null}]}\n\n",
        "data: {\"finish_reason\"", ""};
    static const char *const yes[] = {
        "data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n\n",
        "data: {\"choices\":[{\"finish_reason\":null},{\"finish_reason\" : "
        "\"length\"}]}\n\n"};

    memset(&oa, 0, sizeof(oa));
    for (size_t i = 0; i < sizeof(not ) / sizeof(*not ); i++) {
        openai(not [i]);
        ck_assert_msg(!oa.ended, "%s", not [i]);
    }
    for (size_t i = 0; i < sizeof(yes) / sizeof(*yes); i++) {
        memset(&oa, 0, sizeof(oa));
        openai(yes[i]);
        ck_assert_msg(oa.ended, "%s", yes[i]);
    }
}
END_TEST

#define START(n, t)                                                \
    "event: content_block_start\ndata: {\"type\":\"content_block_" \
    "start\",\"index\":" #n ",\"content_block\":{\"type\":\"" t "\"}}\n\n"
#define DELTA(n, t)                                                \
    "event: content_block_delta\ndata: {\"type\":\"content_block_" \
    "delta\",\"index\":" #n ",\"delta\":{\"type\":\"text_delta\"," \
    "\"text\":\"" t "\"}}\n\n"
#define STOP(n)                                                   \
    "event: content_block_stop\ndata: {\"type\":\"content_block_" \
    "stop\",\"index\":" #n "}\n\n"
#define MESSAGE                    \
    "event: message_start\ndata: " \
    "{\"type\":\"message_start\",\"message\":{}}\n\n"

START_TEST(blocks_of_an_anthropic_stream)
{
    memset(&an, 0, sizeof(an));
    anthropic("event: ping\ndata: {\"type\":\"ping\"}\n\n");
    ck_assert(!an.begun);
    anthropic(MESSAGE START(0, "thinking"));
    ck_assert(an.begun);
    ck_assert_int_eq(an.open, AN_THINKING);
    ck_assert_uint_eq(an.blocks, 1);
    anthropic(STOP(0) START(1, "text") DELTA(1, "hm"));
    ck_assert_int_eq(an.open, AN_TEXT);
    ck_assert_uint_eq(an.blocks, 2);
    anthropic(STOP(1) START(2, "tool_use"));
    ck_assert_int_eq(an.open, AN_OTHER);
    anthropic(STOP(2));
    ck_assert_int_eq(an.open, AN_NONE);
    ck_assert_uint_eq(an.blocks, 3);
    ck_assert(!an.lost);
}
END_TEST

START_TEST(what_a_text_says_is_no_event)
{
    memset(&an, 0, sizeof(an));
    anthropic(MESSAGE START(0, "text")
                  DELTA(0, "\\nevent: content_block_stop\\ndata: {\\\"type\\\":"
                           "\\\"content_block_stop\\\"}\\n\\n")
                      DELTA(0, "content_block_start"));
    ck_assert_int_eq(an.open, AN_TEXT);
    ck_assert_uint_eq(an.blocks, 1);
    ck_assert(!an.lost);
}
END_TEST

START_TEST(an_anthropic_stream_that_has_stopped)
{
    memset(&an, 0, sizeof(an));
    anthropic(MESSAGE START(0, "text") DELTA(0, "message_delta") STOP(0));
    ck_assert(!an.lost);
    anthropic(
        "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":"
        "{\"stop_reason\":\"end_turn\"}}\n\n");
    ck_assert(an.lost);
}
END_TEST

START_TEST(events_as_others_write_them)
{
    memset(&an, 0, sizeof(an));
    anthropic("data:{\"type\":\"message_start\"}\r\n\r\n"
              "event:content_block_start\r\ndata:{\"index\":0,"
              "\"content_block\":{\"text\":\"\",\"type\":\"text\"},"
              "\"type\":\"content_block_start\"}\r\n\r\n");
    ck_assert(an.begun);
    ck_assert_int_eq(an.open, AN_TEXT);
    anthropic("data:{\"type\":\"content_block_stop\"}\r\r");
    ck_assert_int_eq(an.open, AN_NONE);
    ck_assert_uint_eq(an.blocks, 1);
}
END_TEST

START_TEST(what_cannot_be_read_is_said_so)
{
    static const char *const bad[] = {
        START(-1, "text"), START(1000000000, "text"), START("x", "text"),
        "data: {\"type\":\"content_block_start\",\ndata: \"index\":0}\n\n"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        memset(&an, 0, sizeof(an));
        anthropic(MESSAGE);
        ck_assert(!an.lost);
        anthropic(bad[i]);
        ck_assert_msg(an.lost, "%s", bad[i]);
    }
}
END_TEST

int main(void)
{
    const TTest *const all[] = {data_of_any_line_end,
                                the_time_of_an_openai_stream,
                                an_openai_stream_without_a_time,
                                an_openai_stream_that_has_stopped,
                                blocks_of_an_anthropic_stream,
                                what_a_text_says_is_no_event,
                                an_anthropic_stream_that_has_stopped,
                                events_as_others_write_them,
                                what_cannot_be_read_is_said_so};
    Suite *suite = suite_create("follow");
    TCase *tc = tcase_create("follow");
    SRunner *sr;
    int failed;

    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        tcase_add_test(tc, all[i]);
    suite_add_tcase(suite, tc);
    sr = srunner_create(suite);
    srunner_run_all(sr, CK_ENV);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? 1 : 0;
}
