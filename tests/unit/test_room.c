/* SPDX-License-Identifier: MIT */
/* Which targets have room for a prompt. */
#include "unit.h"

#include <string.h>

#include "base/tokens.h"
#include "manager/room.h"
#include <patchbay/json.h>

static struct manifest module, own;
static struct cfg_provider cfg[2];
static struct instance in[2];
static struct plan plan;
static struct want want;
static struct room_left left;
static char *body;
static pbay_kv members[8];

/* "m8" holds 8 tokens, "m0" nobody knows how many; of provider b, a server of
 * one's own, as its module says. */
static void setup(void)
{
    static const struct cfg_window windows[] = {
        {PBAY_LIT("m8"), 8},        {PBAY_LIT("m100"), 100},
        {PBAY_LIT("m1000"), 1000},  {PBAY_LIT("m2000"), 2000},
        {PBAY_LIT("m9000*"), 9000}, {PBAY_LIT("m20000"), 20000}};
    static struct manifest_model known[] = {
        {.match = (char *)(uintptr_t) "m4000", .context_window = 4000}};

    own = (struct manifest){.local = true, .models = known, .n_models = 1};
    cfg[0] =
        (struct cfg_provider){.manifest = &module,
                              .windows = windows,
                              .n_windows = sizeof(windows) / sizeof(*windows)};
    cfg[1] = (struct cfg_provider){.manifest = &own};
    for (size_t i = 0; i < 2; i++) {
        in[i].cfg = &cfg[i];
        in[i].name = (char *)(uintptr_t)(i ? "b" : "a");
    }
    memset(&want, 0, sizeof(want));
    want.op = PBAY_OP_CHAT;
    want.has_input = want.has_text = true;
    body = NULL;
}

static void teardown(void)
{
    free(body);
}

/* "m8 m0 b/m0" */
static void targets(const char *names)
{
    pbay_str rest = str_c(names);

    memset(&plan, 0, sizeof(plan));
    while (rest.p) {
        pbay_str name = str_cut(&rest, ' ');
        bool b = str_starts(name, "b/");
        if (b)
            name = str_n(name.p + 2, name.n - 2);
        plan.targets[plan.n++] =
            (struct target){.instance = &in[b], .model = name};
    }
}

static void see(const char *names)
{
    char got[512] = "";

    for (size_t i = 0; i < plan.n; i++)
        snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s%.*s",
                 i ? " " : "", plan.targets[i].instance == &in[1] ? "b/" : "",
                 STR_ARG(plan.targets[i].model));
    ck_assert_str_eq(got, names);
}

static void larger(const char *names, size_t at, const char *then)
{
    targets(names);
    room_larger(&plan, at, NULL, &want, &left);
    see(then);
}

START_TEST(larger_ones_first_and_others_out)
{
    larger("m100 m8 m0 m2000 m100 m1000", 0, "m100 m2000 m1000 m0");
    ck_assert_uint_eq(left.n, 2);
    ck_view_eq(left.of[0].target.model, "m8");
    ck_assert_str_eq(left.of[0].why, "its window of 8 tokens is not larger "
                                     "than the 100 of a");
    ck_assert_str_eq(left.of[1].why, "its window of 100 tokens is not larger "
                                     "than the 100 of a");
    /* What was asked before stays. */
    larger("m2000 m8 m100 m1000 m100", 2, "m2000 m8 m100 m1000");
    ck_assert_uint_eq(left.n, 1);
    larger("m100", 0, "m100");
    ck_assert_uint_eq(left.n, 0);
    larger("m2000 m100 m8", 0, "m2000");
    ck_assert_uint_eq(left.n, 2);
    room_larger(&plan, 0, NULL, &want, NULL);
    see("m2000");
}
END_TEST

START_TEST(what_nobody_knows)
{
    /* Nothing can be compared; the same name may hold more elsewhere. */
    larger("m0 m8 x b/m0 m100", 0, "m0 m8 x b/m0 m100");
    ck_assert_uint_eq(left.n, 0);
    larger("m100 b/m100 m8 b/m0", 0, "m100 b/m100 b/m0");
}
END_TEST

START_TEST(a_server_of_ones_own)
{
    /* It says 4000, and refuses what it says it could hold. */
    want.input = 1000;
    larger("b/m4000 m1000 m2000 m9000", 0, "b/m4000 m1000 m2000 m9000");
    want.input = 2000;
    larger("b/m4000 m1000 m2000 m9000", 0, "b/m4000 m9000");
    /* The room that was asked for the answer counts. */
    want.input = 1000;
    members[0] = (pbay_kv){PBAY_LIT("max_tokens"), PBAY_LIT("1000")};
    want.members = members;
    want.n_members = 1;
    larger("b/m4000 m1000 m2000 m9000", 0, "b/m4000 m9000");
    /* What is configured is so. */
    want.n_members = 0;
    want.input = 1;
    larger("m2000 m1000 m9000", 0, "m2000 m9000");
}
END_TEST

START_TEST(as_many_as_a_plan_holds)
{
    memset(&plan, 0, sizeof(plan));
    for (plan.n = 0; plan.n < PLAN_MAX; plan.n++)
        plan.targets[plan.n] =
            (struct target){.instance = &in[0], .model = PBAY_LIT("m8")};
    room_larger(&plan, 0, NULL, &want, &left);
    ck_assert_uint_eq(plan.n, 1);
    ck_assert_uint_eq(left.n, PLAN_MAX - 1);
}
END_TEST

static size_t order(const char *names, uint64_t tokens, const char *then)
{
    size_t n;

    targets(names);
    want.text = want.input = tokens;
    n = room_order(&plan, NULL, &want);
    see(then);
    return n;
}

START_TEST(before_anybody_is_asked)
{
    /* A quarter is the estimate's own. */
    ck_assert_uint_eq(order("m1000 m0 m8 m9000", 1333, "m1000 m0 m9000 m8"), 1);
    ck_assert_uint_eq(order("m1000 m0 m8 m9000", 1336, "m0 m9000 m1000 m8"), 2);
    ck_assert_uint_eq(order("m1000 m8", 9000, "m1000 m8"), 2);
    ck_assert_uint_eq(order("m8", 9000, "m8"), 0);
    want.op = PBAY_OP_EMBED;
    ck_assert_uint_eq(order("m8 m0", 9000, "m8 m0"), 0);
}
END_TEST

/* The text of a body of so many words. */
static void ask(size_t words, const char *before, const char *behind)
{
    size_t n = words * 5 + strlen(before) + strlen(behind), at;

    free(body);
    body = calloc(1, n + 1);
    at = (size_t)sprintf(body, "%s", before);
    for (size_t i = 0; i < words; i++, at += 5)
        memcpy(body + at, "word ", 5);
    memcpy(body + at, behind, strlen(behind));
    memset(&want, 0, sizeof(want));
    want.op = PBAY_OP_CHAT;
    want.body = str_c(body);
    want.members = members;
    ck_assert_int_eq(
        pbay_json_members(want.body, members, 8, &want.n_members, NULL), 0);
    targets("m9000 m0");
    room_order(&plan, NULL, &want);
}

START_TEST(of_a_body)
{
    ask(30000, "{\"messages\":[{\"role\":\"user\",\"content\":\"", "\"}]}");
    see("m0 m9000");
    ask(9500, "{\"messages\":[{\"role\":\"user\",\"content\":\"", "\"}]}");
    see("m9000 m0");
    /* Anthropic's and Ollama's pictures, and a file. */
    ask(30000,
        "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\","
        "\"source\":{\"data\":\"",
        "\"}}]}]}");
    see("m9000 m0");
    ask(30000,
        "{\"messages\":[{\"role\":\"user\",\"content\":\"x\",\"images\":[\"",
        "\"]}]}");
    see("m9000 m0");
    ask(300000,
        "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"file\","
        "\"file\":{\"file_data\":\"",
        "\"}}]}]}");
    see("m9000 m0");
    ck_assert_uint_gt(tokens_of_chat(want.members, want.n_members), 100000);
    ck_assert_uint_lt(tokens_of_chat_text(want.members, want.n_members), 100);
    /* Blocks of text. */
    ask(30000,
        "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\","
        "\"text\":\"",
        "\"}]}]}");
    see("m0 m9000");
    /* No form that is known. */
    ask(30000, "{\"prompt\":\"", "\"}");
    see("m9000 m0");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("room");
    TCase *t = tcase_create("room");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, larger_ones_first_and_others_out);
    tcase_add_test(t, what_nobody_knows);
    tcase_add_test(t, a_server_of_ones_own);
    tcase_add_test(t, as_many_as_a_plan_holds);
    tcase_add_test(t, before_anybody_is_asked);
    tcase_add_test(t, of_a_body);
    suite_add_tcase(s, t);
    return unit_main(&s, 1);
}
