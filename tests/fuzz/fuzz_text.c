/* SPDX-License-Identifier: MIT */
/* Fuzz target: summaries and translations.  Any text is cut into pieces that
 * are the text again with the white space between them, none larger than asked
 * for unless it is one character; any request is refused with words, or its
 * chats are JSON.
 *
 * Input: a byte for the size of a piece, then a text or a request. */
#include <errno.h>

#include "base/limits.h"
#include "base/str.h"
#include "base/tokens.h"
#include "text/split.h"
#include "text/task.h"
#include <patchbay/json.h>

#include "fuzz.h"

#define SEED(lit)              \
    {                          \
        (lit), sizeof(lit) - 1 \
    }
const struct fuzz_seed fuzz_seeds[] = {
    SEED("\003 One. Two words!\n\nA paragraph of its own.\r\n \r\n"
         "\344\275\240\345\245\275\343\200\202\344\270\226\347\225\214"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"),
    SEED("\001{\"model\":\"m\",\"input\":\"a \\\"b\\\"\",\"target_language\":"
         "\"German\",\"source_language\":\"en\",\"format\":\"html\","
         "\"instructions\":\"x\\ny\",\"chunk_tokens\":50,\"stream\":true}"),
    SEED("\002{\"input\":\"text\",\"length\":\"long\",\"format\":\"bullets\","
         "\"target_language\":null}"),
    SEED("\002{\"input\":\"text\",\"length\":70}"),
    {NULL, 0},
};

static void judge_pieces(pbay_str text, uint64_t tokens)
{
    struct pieces p;
    struct arena a;
    struct buf all;
    int rc;

    arena_init(&a, LIM_MIB(16));
    buf_init(&all, LIM_MIB(16));
    rc = text_split(text, tokens, 500, &a, &p);
    FUZZ_CHECK(rc == 0 || rc == -E2BIG);
    buf_add(&all, p.lead);
    for (size_t i = 0; rc == 0 && i < p.n; i++) {
        pbay_str s = p.at[i].text;
        FUZZ_CHECK(s.n && str_eq(text_visible(s), s));
        FUZZ_CHECK(!text_visible(p.at[i].gap).n);
        FUZZ_CHECK(tokens_of(s) <= tokens || s.n <= 4);
        buf_add(&all, s);
        buf_add(&all, p.at[i].gap);
    }
    if (rc == 0)
        FUZZ_CHECK(str_eq(buf_str(&all), text));
    buf_done(&all);
    arena_done(&a);
}

static void judge_task(enum text_kind kind, pbay_str body)
{
    pbay_kv members[LIM_MEMBERS];
    struct text_task t;
    struct arena a;
    struct err e;
    size_t n;

    if (pbay_json_members(body, members, LIM_MEMBERS, &n, NULL) < 0)
        return;
    arena_init(&a, LIM_MIB(1));
    err_clear(&e);
    if (text_task_read(kind, members, n, &a, &t, &e) < 0) {
        FUZZ_CHECK(e.kind && err_text(&e)[0]);
    } else {
        for (enum text_step step = TEXT_WHOLE; step <= TEXT_JOIN; step++) {
            struct buf out;
            buf_init(&out, LIM_MIB(1));
            FUZZ_CHECK(text_task_chat(&t, step, t.text, &out) == 0);
            FUZZ_CHECK(pbay_json_check(buf_str(&out), NULL) == 0);
            buf_done(&out);
        }
        FUZZ_CHECK(text_task_overhead(&t) > 0);
    }
    arena_done(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pbay_str body;

    if (size < 1)
        return 0;
    body = str_n((const char *)data + 1, size - 1);
    judge_pieces(body, data[0] % 64 + 1u);
    judge_task(TEXT_SUMMARY, body);
    judge_task(TEXT_TRANSLATION, body);
    return 0;
}
