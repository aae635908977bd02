/* SPDX-License-Identifier: MIT */
/* The codec driver sees every rule that a codec breaks, and transcripts that
 * are wrong are refused by line. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "manager/codec_driver.h"
#include <patchbay/json.h>

/* ------------------------------------------ a codec that does what is asked */

/* Each record is a list of words, each one deed. */
struct bad {
    const pbay_host *host;
};
struct bad_state {
    unsigned exchanges;
};

static void emit(struct bad *b, pbay_call *call, pbay_event ev)
{
    ev.size = sizeof ev;
    b->host->emit(call, &ev);
}

static pbay_rc deed(struct bad *b, pbay_call *call, pbay_str w)
{
    pbay_error e = {.size = sizeof e,
                    .kind = PBAY_E_UPSTREAM,
                    .retry_after_ms = -1,
                    .message = STR("broken")};
    pbay_usage u = {.size = sizeof u, .known = PBAY_U_OUTPUT, .output = 7};

    if (str_is(w, "begin"))
        emit(b, call, (pbay_event){.type = PBAY_EV_BEGIN, .id = STR("i")});
    else if (str_is(w, "text"))
        emit(b, call, (pbay_event){.type = PBAY_EV_TEXT, .text = STR("t")});
    else if (str_is(w, "half"))
        emit(b, call, (pbay_event){.type = PBAY_EV_TEXT, .text = STR("\xc3")});
    else if (str_is(w, "stop"))
        emit(b, call, (pbay_event){.type = PBAY_EV_STOP, .code = 1});
    else if (str_is(w, "stop9"))
        emit(b, call, (pbay_event){.type = PBAY_EV_STOP, .code = 9});
    else if (str_is(w, "call"))
        emit(b, call,
             (pbay_event){.type = PBAY_EV_CALL,
                          .id = STR("a"),
                          .name = STR("f"),
                          .text = STR("{")});
    else if (str_is(w, "more"))
        emit(b, call, (pbay_event){.type = PBAY_EV_CALL, .text = STR("}")});
    else if (str_is(w, "json"))
        emit(b, call, (pbay_event){.type = PBAY_EV_ITEM, .json = STR("{x")});
    else if (str_is(w, "usage"))
        emit(b, call, (pbay_event){.type = PBAY_EV_USAGE, .usage = &u});
    else if (str_is(w, "misplaced"))
        emit(b, call, (pbay_event){.type = PBAY_EV_TEXT, .usage = &u});
    else if (str_is(w, "unknown"))
        emit(b, call, (pbay_event){.type = 99});
    else if (str_is(w, "error"))
        emit(b, call, (pbay_event){.type = PBAY_EV_ERROR, .error = &e});
    else if (str_is(w, "fail"))
        return PBAY_FAIL;
    else if (str_is(w, "drop"))
        return PBAY_DROP;
    else if (str_is(w, "end"))
        return PBAY_END;
    else if (str_is(w, "memory"))
        return b->host->alloc(call, 64u << 20) ? PBAY_FAIL : PBAY_OK;
    return PBAY_OK;
}

static pbay_rc bad_create(const pbay_host *host, pbay_str config, void **inst)
{
    struct bad *b;

    if (pbay_json_true(pbay_json_get(config, "refuse"))) {
        host->log(host, PBAY_LOG_ERROR, STR("there is no way"));
        return PBAY_FAIL;
    }
    b = calloc(1, sizeof *b);
    b->host = host;
    *inst = b;
    return PBAY_OK;
}

static pbay_rc bad_build(void *inst, void *st, pbay_call *call,
                         const pbay_request *req, pbay_exchange *x)
{
    static const pbay_kv header[] = {{PBAY_LIT("Accept"), PBAY_LIT("*/*")}};
    struct bad_state *s = st;

    (void)inst;
    (void)call;
    x->method = STR("GET");
    x->path = s->exchanges ? STR("/second") : STR("/first");
    x->framing = PBAY_FRAME_NDJSON;
    x->headers = header;
    x->n_headers = 1;
    return req->op == PBAY_OP_COUNT ? PBAY_NOSYS : PBAY_OK;
}

static pbay_rc bad_feed(void *inst, void *st, pbay_call *call,
                        const pbay_record *rec)
{
    pbay_str rest = rec->data;
    pbay_rc rc = PBAY_OK;

    (void)st;
    while (rc == PBAY_OK && rest.n)
        rc = deed(inst, call, str_cut(&rest, ' '));
    return rc;
}

static pbay_rc bad_finish(void *inst, void *st, pbay_call *call, pbay_rc why)
{
    struct bad_state *s = st;

    if (why == PBAY_FAIL)
        deed(inst, call, STR("text")); /* which is forbidden */
    return why == PBAY_OK && !s->exchanges++ ? PBAY_AGAIN : PBAY_OK;
}

static const pbay_codec bad_codec = {.size = sizeof bad_codec,
                                     .state_size = sizeof(struct bad_state),
                                     .build = bad_build,
                                     .feed = bad_feed,
                                     .finish = bad_finish};

static const void *bad_extension(void *inst, pbay_str id)
{
    (void)inst;
    return str_is(id, PBAY_EXT_CODEC) ? &bad_codec : NULL;
}

static const pbay_plugin bad_plugin = {.magic = PBAY_MAGIC,
                                       .size = sizeof bad_plugin,
                                       .create = bad_create,
                                       .destroy = free,
                                       .extension = bad_extension};

/* ---------------------------------------------------------------- replaying */

#define FIRST \
    "{\"patchbay_transcript\":1,\"op\":\"chat\",\"flags\":[\"stream\"]}\n"
#define HEAD "{\"head\":{\"status\":200,\"headers\":[]}}\n"

/* The lines that come of a reply of these deeds, one after the other. */
static char *result_of(const char *text)
{
    struct driver_how how = DRIVER_AS_RECORDED;
    struct driver_result r;
    char err[256], *all;
    size_t n = 1;
    struct transcript *t = transcript_read(str_c(text), err, sizeof err);
    struct driver *d;

    ck_assert_msg(t != NULL, "%s", err);
    d = driver_new(&bad_plugin, STR("{}"), err, sizeof err);
    ck_assert_msg(d != NULL, "%s", err);
    ck_assert_int_eq(driver_replay(d, t, &how, &r), 0);
    for (size_t i = 0; i < r.n; i++)
        n += strlen(r.lines[i]) + 1;
    all = calloc(1, n);
    for (size_t i = 0; i < r.n; i++) {
        strcat(all, r.lines[i]);
        strcat(all, "\n");
    }
    driver_result_done(&r);
    driver_free(d);
    transcript_free(t);
    return all;
}

static void comes_to(const char *text, const char *want)
{
    char *got = result_of(text);

    ck_assert_str_eq(got, want);
    free(got);
}

static const struct {
    const char *deeds, *want;
} rules[] = {
    {"begin text text stop end",
     "{\"ev\":\"begin\",\"id\":\"i\"}\n{\"ev\":\"text\",\"text\":\"tt\"}\n"
     "{\"ev\":\"stop\",\"why\":\"end\"}\n{\"end\":\"ok\"}\n"},
    {"call more stop usage end",
     "{\"ev\":\"call\",\"id\":\"a\",\"name\":\"f\",\"text\":\"{}\"}\n"
     "{\"ev\":\"stop\",\"why\":\"end\"}\n{\"ev\":\"usage\",\"output\":7}\n"
     "{\"end\":\"ok\"}\n"},
    {"stop stop end", "{\"ev\":\"stop\",\"why\":\"end\"}\n"
                      "{\"violation\":\"STOP twice for one choice\"}\n"
                      "{\"ev\":\"stop\",\"why\":\"end\"}\n{\"end\":\"ok\"}\n"},
    {"stop9 end", "{\"violation\":\"STOP with an unknown code\"}\n"
                  "{\"ev\":\"stop\",\"why\":\"unknown\"}\n{\"end\":\"ok\"}\n"},
    {"stop text end", "{\"ev\":\"stop\",\"why\":\"end\"}\n"
                      "{\"violation\":\"content after the choice's STOP\"}\n"
                      "{\"ev\":\"text\",\"text\":\"t\"}\n{\"end\":\"ok\"}\n"},
    {"error text",
     "{\"ev\":\"error\",\"kind\":\"upstream\",\"message\":\"broken\"}\n"
     "{\"violation\":\"an event after ERROR\"}\n"
     "{\"ev\":\"text\",\"text\":\"t\"}\n"
     "{\"violation\":\"an event after ERROR\"}\n"
     "{\"ev\":\"text\",\"text\":\"t\"}\n"
     "{\"violation\":\"finish() emits though the exchange failed\"}\n"
     "{\"end\":\"error\"}\n"},
    {"half end",
     "{\"violation\":\"text that is not whole UTF-8 characters\"}\n"
     "{\"ev\":\"text\",\"text\":\"\xef\xbf\xbd\"}\n{\"end\":\"ok\"}\n"},
    {"begin begin end",
     "{\"ev\":\"begin\",\"id\":\"i\"}\n{\"violation\":\"BEGIN twice\"}\n"
     "{\"ev\":\"begin\",\"id\":\"i\"}\n{\"end\":\"ok\"}\n"},
    {"more end", "{\"violation\":\"a tool call begins without id or name\"}\n"
                 "{\"ev\":\"call\",\"text\":\"}\"}\n{\"end\":\"ok\"}\n"},
    {"json end", "{\"violation\":\"json that is not JSON\"}\n"
                 "{\"ev\":\"item\",\"json\":{x}\n{\"end\":\"ok\"}\n"},
    {"misplaced end",
     "{\"violation\":\"usage or error missing or out of place\"}\n"
     "{\"ev\":\"text\",\"output\":7}\n{\"end\":\"ok\"}\n"},
    {"unknown end", "{\"violation\":\"an event of unknown size or type\"}\n"
                    "{\"end\":\"ok\"}\n"},
    {"stop drop",
     "{\"ev\":\"stop\",\"why\":\"end\"}\n"
     "{\"violation\":\"DROP without PBAY_RQ_PASS\"}\n"
     /* finish() asks for more, which the transcript does not have */
     "{\"violation\":\"content after the choice's STOP\"}\n"
     "{\"ev\":\"text\",\"text\":\"t\"}\n"
     "{\"violation\":\"finish() emits though the exchange failed\"}\n"
     "{\"end\":\"truncated\"}\n"},
    {"memory end", "{\"end\":\"ok\"}\n"},
    {"fail", "{\"ev\":\"text\",\"text\":\"t\"}\n"
             "{\"violation\":\"finish() emits though the exchange failed\"}\n"
             "{\"end\":\"failed\"}\n"},
};

START_TEST(test_rules)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        char text[512];
        snprintf(text, sizeof text, FIRST HEAD "{\"data\":\"%s\\n\"}\n",
                 rules[i].deeds);
        comes_to(text, rules[i].want);
    }
}
END_TEST

/* finish() asks for another exchange; the second has no end mark. */
START_TEST(test_again)
{
    comes_to(FIRST
             "{\"exchange\":{\"method\":\"GET\",\"path\":\"/first\","
             "\"headers\":[[\"accept\",\"*/*\"],[\"X-More\",\"1\"]]}}\n" HEAD
             "{\"data\":\"begin\\n\"}\n{\"end\":\"ok\"}\n"
             "{\"exchange\":{\"method\":\"GET\",\"path\":"
             "\"http://127.0.0.1:1/v1/second\",\"headers\":"
             "[[\"Accept\",\"*/*\"]]}}\n" HEAD
             "{\"data\":\"text\\n\"}\n{\"end\":\"ok\"}\n",
             "{\"ev\":\"begin\",\"id\":\"i\"}\n"
             "{\"ev\":\"text\",\"text\":\"t\"}\n{\"end\":\"truncated\"}\n");
}
END_TEST

START_TEST(test_exchange_differs)
{
    comes_to(FIRST "{\"exchange\":{\"method\":\"GET\",\"path\":\"/other\","
                   "\"headers\":[[\"Accept\",\"*/*\"]]}}\n" HEAD
                   "{\"data\":\"end\\n\"}\n",
             "{\"violation\":\"the exchange differs\"}\n"
             "{\"exchange\":{\"method\":\"GET\",\"path\":\"/first\","
             "\"headers\":[[\"Accept\",\"*/*\"]]}}\n{\"end\":\"ok\"}\n");
    comes_to(FIRST "{\"exchange\":{\"method\":\"GET\",\"path\":\"/first\","
                   "\"headers\":[[\"Accept\",\"*/*\"]],\"body\":\"x\"}}\n" HEAD
                   "{\"data\":\"end\\n\"}\n",
             "{\"violation\":\"the exchange differs\"}\n"
             "{\"exchange\":{\"method\":\"GET\",\"path\":\"/first\","
             "\"headers\":[[\"Accept\",\"*/*\"]]}}\n{\"end\":\"ok\"}\n");
}
END_TEST

START_TEST(test_ends)
{
    comes_to("{\"patchbay_transcript\":1,\"op\":\"count\"}\n",
             "{\"ev\":\"text\",\"text\":\"t\"}\n"
             "{\"violation\":\"finish() emits though the exchange failed\"}\n"
             "{\"end\":\"nosys\"}\n");
    comes_to(FIRST "{\"head\":{\"status\":400}}\n{\"data\":\"error\"}\n"
                   "{\"end\":\"context\"}\n",
             "{\"ev\":\"error\",\"kind\":\"upstream\",\"message\":\"broken\"}\n"
             "{\"violation\":\"an event after ERROR\"}\n"
             "{\"ev\":\"text\",\"text\":\"t\"}\n"
             "{\"violation\":\"finish() emits though the exchange failed\"}\n"
             "{\"end\":\"error\"}\n");
    comes_to(FIRST HEAD "{\"data_b64\":\"c3RvcCBlbmQK\"}\n{\"end\":\"cut\"}\n",
             "{\"ev\":\"stop\",\"why\":\"end\"}\n{\"end\":\"ok\"}\n");
}
END_TEST

START_TEST(test_no_instance)
{
    static const pbay_plugin no_codec = {.magic = PBAY_MAGIC,
                                         .size = sizeof no_codec,
                                         .create = bad_create,
                                         .destroy = free};
    char err[256];

    ck_assert_ptr_null(
        driver_new(&bad_plugin, STR("{\"refuse\":true}"), err, sizeof err));
    ck_assert_str_eq(err, "the plugin made no instance: there is no way");
    ck_assert_ptr_null(driver_new(&no_codec, STR("{}"), err, sizeof err));
    ck_assert_str_eq(err, "the plugin is no codec");
}
END_TEST

/* -------------------------------------------------------------- transcripts */

START_TEST(test_transcript)
{
    char err[256];
    struct transcript *t = transcript_read(
        STR("{\"patchbay_transcript\":1,\"provider\":\"p\",\"op\":\"raw\","
            "\"flags\":[\"pass\",\"stream\"],\"want\":[\"text\",\"limits\"],"
            "\"dialect\":\"d\",\"model\":\"m\\u00fc\",\"method\":\"GET\","
            "\"path\":\"/a\",\"query\":\"q\",\"config\":{\"k\":1},"
            "\"request\":{ \"a\" : 1 }}\r\n\n" HEAD
            "{\"data\":\"one\\n\"}\n{\"data_b64\":\"AP8=\"}\n"
            "{\"end\":\"reset\"}\n{\"expect\":[{\"a\":1},{\"b\":[2]}]}\n"
            "{\"expect\":[{\"c\":3}]}"),
        err, sizeof err);

    ck_assert_msg(t != NULL, "%s", err);
    ck_assert_uint_eq(t->op, PBAY_OP_RAW);
    ck_assert_uint_eq(t->flags, PBAY_RQ_PASS | PBAY_RQ_STREAM);
    ck_assert_uint_eq(t->want,
                      PBAY_WANT(PBAY_EV_TEXT) | PBAY_WANT(PBAY_EV_LIMITS) |
                          PBAY_WANT(PBAY_EV_USAGE) | PBAY_WANT(PBAY_EV_ERROR) |
                          PBAY_WANT(PBAY_EV_STOP) | PBAY_WANT(PBAY_EV_CONTENT));
    ck_assert(str_is(t->model, "m\xc3\xbc"));
    ck_assert(str_is(t->request, "{ \"a\" : 1 }"));
    ck_assert(str_is(t->config, "{\"k\":1}"));
    ck_assert_uint_eq(t->n_exchanges, 1);
    ck_assert_uint_eq(t->exchanges[0].n_data, 2);
    ck_assert(str_is(t->exchanges[0].data[0], "one\n"));
    ck_assert(str_eq(t->exchanges[0].data[1], STR("\0\xff")));
    ck_assert(str_is(t->exchanges[0].end, "reset"));
    ck_assert_uint_eq(t->n_expect, 3);
    ck_assert(str_is(t->expect[1], "{\"b\":[2]}"));
    transcript_free(t);
}
END_TEST

START_TEST(test_transcript_wrong)
{
    static const struct {
        const char *text, *err;
    } cases[] = {
        {"", "line 0: the file is empty"},
        {"hello\n", "line 1: not a JSON object (column 1)"},
        {"{\"op\":\"chat\"}\n",
         "line 1: not a transcript of version 1: it must start with "
         "{\"patchbay_transcript\":1,..."},
        {"{\"patchbay_transcript\":2}\n",
         "line 1: not a transcript of version 1: it must start with "
         "{\"patchbay_transcript\":1,..."},
        {"{\"patchbay_transcript\":1,\"op\":\"dance\"}\n",
         "line 1: unknown operation \"dance\""},
        {"{\"patchbay_transcript\":1,\"op\":\"chat\",\"flags\":[\"x\"]}\n",
         "line 1: unknown flag \"x\""},
        {"{\"patchbay_transcript\":1,\"op\":\"chat\",\"want\":[\"x\"]}\n",
         "line 1: unknown event \"x\""},
        {"{\"patchbay_transcript\":1,\"op\":\"chat\",\"model\":7}\n",
         "line 1: \"model\" must be a string"},
        {FIRST "{\"head\":{}}\n", "line 2: the head has no status"},
        {FIRST "{\"head\":{\"status\":200,\"headers\":[[\"a\"]]}}\n",
         "line 2: a header must be a pair of strings"},
        {FIRST "{\"exchange\":{}}\n", "line 2: the exchange has no method"},
        {FIRST "{\"data_b64\":\"!\"}\n", "line 2: data_b64 is not base64"},
        {FIRST "{\"data\":1}\n", "line 2: \"data\" must be a string"},
        {FIRST "{\"what\":1}\n",
         "line 2: a line is one of exchange, head, data, data_b64, end, "
         "expect"},
        {FIRST "\n{\"data\":\"x\"\n", "line 3: not a JSON object (column 12)"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char err[256] = "";
        ck_assert_ptr_null(
            transcript_read(str_c(cases[i].text), err, sizeof err));
        ck_assert_str_eq(err, cases[i].err);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("codec_driver");
    TCase *t = tcase_create("codec_driver");
    SRunner *runner;
    int failed;

    tcase_add_test(t, test_rules);
    tcase_add_test(t, test_again);
    tcase_add_test(t, test_exchange_differs);
    tcase_add_test(t, test_ends);
    tcase_add_test(t, test_no_instance);
    tcase_add_test(t, test_transcript);
    tcase_add_test(t, test_transcript_wrong);
    suite_add_tcase(suite, t);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
