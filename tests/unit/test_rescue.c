/* SPDX-License-Identifier: MIT */
/* Going on with an answer that broke off: what of it the client has, who is
 * asked next and for what, and what that comes to.  Four targets of this file;
 * the models that begin with "p" take an answer that was begun. */
#include "unit.h"

#include <string.h>

#include "base/tokens.h"
#include "manager/health.h"
#include "manager/rescue.h"
#include <patchbay/json.h>

#define TARGETS 4
#define N(a)    (sizeof(a) / sizeof(*(a)))

static const char *const names[TARGETS] = {"a", "b", "c", "d"};
static const char *const models[TARGETS] = {"m1", "p1", "m2", "p2"};
static const struct price_row rows[] = {
    {.model = PBAY_LIT("*"),
     .price = {.input = 1000000000, /* 1 USD a million: 1000 nano each */
               .cache_read = PRICE_UNKNOWN,
               .cache_write = PRICE_UNKNOWN,
               .cache_write_long = PRICE_UNKNOWN,
               .output = 2000000000,
               .reasoning = PRICE_UNKNOWN,
               .request = PRICE_UNKNOWN}},
    {.model = PBAY_LIT("*"),
     .price = {.input = 10000000000,
               .cache_read = PRICE_UNKNOWN,
               .cache_write = PRICE_UNKNOWN,
               .cache_write_long = PRICE_UNKNOWN,
               .output = 20000000000,
               .reasoning = PRICE_UNKNOWN,
               .request = PRICE_UNKNOWN}},
};

static struct loop *loop;
static struct manager mgr;
static struct manifest *mani;
static struct cfg_provider providers[TARGETS];
static struct instance insts[TARGETS];
static struct plan plan;
static struct call_request req;
static pbay_kv members[16];
static struct rescue *s;
static char shown[4096];
static struct err broke;
static pbay_usage used;
static size_t next;

static void setup(void)
{
    char *err = NULL;

    mani = manifest_parse(
        STR("{\"abi\":\"0.1\",\"id\":\"toy\",\"version\":\"1\",\"license\":"
            "\"MIT\",\"kind\":\"codec\",\"models\":[{\"match\":\"p*\","
            "\"capabilities\":[\"chat\",\"prefill\"]},{\"match\":\"m*\"}]}"),
        &err);
    ck_assert_msg(mani != NULL, "%s", err ? err : "");
    loop = loop_new(0);
    ck_assert_ptr_nonnull(loop);
    clock_free(loop->clock);
    loop->clock = clock_new_virtual(1700000000000);
    mgr = (struct manager){.loop = loop, .health = health_new()};
    memset(insts, 0, sizeof(insts));
    memset(providers, 0, sizeof(providers));
    memset(&plan, 0, sizeof(plan));
    for (int i = 0; i < TARGETS; i++) {
        providers[i].name = (char *)(uintptr_t)names[i];
        providers[i].manifest = mani;
        insts[i].name = providers[i].name;
        insts[i].cfg = &providers[i];
        plan.targets[i] =
            (struct target){.instance = &insts[i], .model = str_c(models[i])};
    }
    plan.n = TARGETS;
    shown[0] = '\0';
    memset(&used, 0, sizeof(used));
    err_set(&broke, ERR_TRUNCATED, "it broke");
    s = NULL;
}

static void teardown(void)
{
    rescue_free(s);
    health_free(mgr.health);
    loop_free(loop);
    manifest_free(mani);
}

static struct rescue *ask(const char *body)
{
    size_t n;

    ck_assert_int_eq(
        pbay_json_members(str_c(body), members, N(members), &n, NULL), 0);
    req = (struct call_request){.op = PBAY_OP_CHAT,
                                .stream = true,
                                .rescue = true,
                                .dialect = STR("canonical/1"),
                                .body = str_c(body),
                                .members = members,
                                .n_members = n};
    s = rescue_new(&mgr, &req, &plan);
    return s;
}

#define HI "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

static enum rescue_say say_n(uint32_t type, pbay_str text, uint32_t choice)
{
    pbay_event ev = {.size = sizeof(ev),
                     .type = type,
                     .choice = choice,
                     .text = text,
                     .json = STR("[1]")};
    pbay_event room;
    const pbay_event *at = &ev;
    enum rescue_say how = rescue_event(s, &at, &room);

    if (how == RESCUE_SHOW && type == PBAY_EV_TEXT)
        snprintf(shown + strlen(shown), sizeof(shown) - strlen(shown), "%.*s",
                 STR_ARG(at->text));
    return how;
}

static enum rescue_say say(const char *text)
{
    return say_n(PBAY_EV_TEXT, str_c(text), 0);
}

static enum rescue_say other(uint32_t type)
{
    return say_n(type, STR("x"), 0);
}

/* The attempt at that target broke; who is next, -1: nobody. */
static int after(size_t at)
{
    bool any = rescue_next(s, at, &broke, &used, &next);

    memset(&used, 0, sizeof(used));
    return any ? (int)next : -1;
}

static const struct call_request *again(void)
{
    return rescue_request(s, &req);
}

static pbay_str member(const char *name)
{
    return pbay_json_find(again()->members, again()->n_members, name);
}

/* The answer that is to be gone on with. */
static pbay_str begun(void)
{
    pbay_str m, last = STR_NONE;
    size_t pos = 0;

    while (pbay_json_next(member("messages"), &pos, NULL, &m) > 0)
        last = m;
    ck_assert(pbay_json_is(pbay_json_get(last, "role"), "assistant"));
    return pbay_json_get(last, "content");
}

/* --- for whom ------------------------------------------------------------ */

START_TEST(only_one_answer_of_words)
{
    static const char *const not [] = {
        "{\"n\":2," HI "}", "{\"modalities\":[\"text\",\"audio\"]," HI "}",
        "{\"modalities\":[\"image\"]," HI "}"};
    static const char *const yes[] = {"{\"n\":1," HI "}", "{\"n\":null," HI "}",
                                      "{\"modalities\":[\"text\"]," HI "}",
                                      "{\"modalities\":\"audio\"," HI "}"};

    for (size_t i = 0; i < N(not ); i++)
        ck_assert_msg(!ask(not [i]), "%s", not [i]);
    for (size_t i = 0; i < N(yes); i++) {
        ck_assert_msg(ask(yes[i]) != NULL, "%s", yes[i]);
        rescue_free(s);
    }
    ck_assert_ptr_nonnull(ask("{" HI "}"));
    rescue_free(s);
    req.stream = false;
    ck_assert_ptr_null(s = rescue_new(&mgr, &req, &plan));
    req.stream = true;
    plan.n = 1;
    ck_assert_ptr_null(s = rescue_new(&mgr, &req, &plan));
}
END_TEST

START_TEST(what_ends_it)
{
    static const uint32_t kinds[] = {PBAY_EV_CALL, PBAY_EV_BLOCK,
                                     PBAY_EV_REFUSAL, PBAY_EV_STOP};

    for (size_t i = 0; i < N(kinds); i++) {
        ask("{" HI "}");
        say("Hello");
        ck_assert_int_eq(other(kinds[i]), RESCUE_SHOW);
        ck_assert_int_eq(after(0), -1);
        rescue_free(s);
    }
    ask("{" HI "}");
    say("Hello");
    ck_assert_int_eq(say_n(PBAY_EV_TEXT, STR("Hi"), 1), RESCUE_SHOW);
    ck_assert_int_eq(after(0), -1);
}
END_TEST

START_TEST(memory_is_bounded)
{
    char piece[1025];

    memset(piece, 'x', 1024);
    piece[1024] = '\0';
    ask("{" HI "}");
    for (size_t i = 0; i < RESCUE_MAX / 1024; i++)
        say_n(PBAY_EV_TEXT, str_n(piece, 1024), 0);
    ck_assert_int_eq(after(0), 1);
    ck_assert_uint_eq(begun().n, RESCUE_MAX + 2);
    rescue_free(s);
    ask("{" HI "}");
    for (size_t i = 0; i < RESCUE_MAX / 1024; i++)
        say_n(PBAY_EV_TEXT, str_n(piece, 1024), 0);
    say("y");
    ck_assert_int_eq(after(0), -1);
}
END_TEST

START_TEST(errors_that_are_the_clients)
{
    ask("{" HI "}");
    say("Hello");
    err_set(&broke, PBAY_E_FILTER, "not that");
    ck_assert_int_eq(after(0), -1);
    ck_assert_ptr_eq(rescue_error(s, &broke), &broke);
    err_set(&broke, PBAY_E_INVALID, "what?");
    ck_assert_int_eq(after(0), -1);
    ck_assert(!rescue_active(s));
}
END_TEST

/* --- whom ---------------------------------------------------------------- */

START_TEST(each_once_in_each_way)
{
    struct err refused;

    ask("{" HI "}");
    say("Hello");
    ck_assert_int_eq(after(0), 1);
    ck_assert(rescue_goes_on(s));
    ck_assert(again()->go_on && again()->no_pass && !again()->translate);
    err_set(&refused, PBAY_E_INVALID, "no prefill");
    ck_assert(rescue_next(s, 1, &refused, &used, &next));
    ck_assert_uint_eq(next, 3);
    ck_assert(rescue_goes_on(s));
    /* One that fails for another reason is not asked again in any way. */
    ck_assert_int_eq(after(3), 1);
    ck_assert(!rescue_goes_on(s) && !again()->go_on);
    ck_assert_ptr_eq(again()->body.p, req.body.p);
    ck_assert_int_eq(after(1), 2);
    ck_assert_int_eq(after(2), -1);
    ck_assert_str_eq(rescue_error(s, &refused)->message, "it broke");
}
END_TEST

START_TEST(those_before_it_are_not_asked)
{
    ask("{" HI "}");
    say("Hello");
    ck_assert_int_eq(after(2), 3);
    ck_assert_int_eq(after(3), -1);
    rescue_free(s);
    ask("{" HI "}");
    say("Hello");
    ck_assert_int_eq(after(3), -1);
}
END_TEST

START_TEST(those_that_are_well_come_first)
{
    struct health_ticket t;
    struct err busy;

    err_set(&busy, PBAY_E_RATE, "wait");
    busy.retry_after_ms = 60000;
    health_begin(mgr.health, "b", STR("p1"), clock_now(loop->clock), &t);
    health_end(mgr.health, "b", STR("p1"), clock_now(loop->clock), &busy, &t);
    ck_assert_int_eq(health_hold(mgr.health, "d", HOLD_DRAIN), 0);
    ask("{" HI "}");
    say("Hello");
    ck_assert_int_eq(after(0), 2);
    ck_assert_int_eq(after(2), 1);
    ck_assert(rescue_goes_on(s));
    ck_assert_int_eq(after(1), -1); /* d was taken out */
}
END_TEST

START_TEST(a_clients_own_beginning_is_not_gone_on_with)
{
    ask("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},{\"role\":"
        "\"assistant\",\"content\":\"{\"}]}");
    say("Hello");
    ck_assert_int_eq(after(0), 1);
    ck_assert(!rescue_goes_on(s));
}
END_TEST

/* --- with what was begun ------------------------------------------------- */

START_TEST(white_space_is_cut_off_and_not_said_twice)
{
    static const char *const rest[][2] = {{" \nworld", "Hello, \nworld"},
                                          {"world", "Hello, \nworld"},
                                          {" there", "Hello, \nthere"},
                                          {"\nthere", "Hello, \n\nthere"}};

    for (size_t i = 0; i < N(rest); i++) {
        shown[0] = '\0';
        ask("{" HI "}");
        say("Hello, \n");
        ck_assert_int_eq(after(0), 1);
        ck_view_eq(begun(), "\"Hello,\"");
        say(rest[i][0]);
        ck_assert_str_eq(shown, rest[i][1]);
        rescue_free(s);
    }
    s = NULL;
}
END_TEST

START_TEST(nothing_but_white_space_is_begun_anew)
{
    ask("{" HI "}");
    say(" \n");
    ck_assert_int_eq(after(0), 1);
    ck_assert(!rescue_goes_on(s));
}
END_TEST

START_TEST(a_call_may_follow_white_space)
{
    ask("{" HI "}");
    say("Let me look.\n\n");
    ck_assert_int_eq(after(0), 1);
    ck_assert_int_eq(other(PBAY_EV_CALL), RESCUE_SHOW);
    ck_assert_int_eq(other(PBAY_EV_STOP), RESCUE_SHOW);
    rescue_free(s);
    /* Sealed blocks are shown where the calls are that may need them. */
    ask("{" HI "}");
    say("Let me look.\n\n");
    ck_assert_int_eq(after(0), 1);
    ck_assert_int_eq(other(PBAY_EV_BLOCK), RESCUE_SHOW);
    ck_assert_int_eq(other(PBAY_EV_CALL), RESCUE_SHOW);
}
END_TEST

START_TEST(half_a_character_is_left_to_be_said)
{
    static const char *const cut[] = {"caf\xc3", "caf\xe2\x82",
                                      "caf\xf0\x9f\x98"};
    static const char *const whole[] = {"caf\xc3\xa9", "caf\xe2\x82\xac",
                                        "caf\xf0\x9f\x98\x80"};

    for (size_t i = 0; i < N(cut); i++) {
        shown[0] = '\0';
        ask("{" HI "}");
        say(cut[i]);
        ck_assert_int_eq(after(0), 1);
        ck_view_eq(begun(), "\"caf\"");
        say(whole[i] + 3);
        ck_assert_str_eq(shown, whole[i]);
        rescue_free(s);
        ask("{" HI "}");
        say(whole[i]);
        ck_assert_int_eq(after(0), 1);
        ck_assert_uint_eq(begun().n, strlen(whole[i]) + 2);
        rescue_free(s);
    }
    s = NULL;
}
END_TEST

START_TEST(the_output_limit_is_what_is_left)
{
    uint64_t told = tokens_of(STR("one two three four five six"));

    ask("{\"max_tokens\":100,\"max_completion_tokens\":3,\"seed\":7," HI "}");
    say("one two three four five six");
    ck_assert_int_eq(after(0), 1);
    ck_assert_uint_gt(told, 3);
    char want[16];
    snprintf(want, sizeof(want), "%d", 100 - (int)told);
    ck_view_eq(member("max_tokens"), want);
    ck_view_eq(member("max_completion_tokens"), "1");
    ck_view_eq(member("seed"), "7");
    rescue_free(s);
    /* The provider's own count, and what came after it. */
    ask("{\"max_tokens\":100," HI "}");
    say("one two three four five six");
    used = (pbay_usage){.known = PBAY_U_OUTPUT, .output = 60};
    ck_assert_int_eq(after(0), 1);
    ck_view_eq(member("max_tokens"), "40");
    say(" seven");
    ck_assert_int_eq(after(1), 3);
    snprintf(want, sizeof(want), "%d", 40 - (int)tokens_of(STR(" seven")));
    ck_view_eq(member("max_tokens"), want);
    /* Whoever begins anew has all of it. */
    ck_assert_int_eq(after(3), 2);
    ck_view_eq(member("max_tokens"), "100");
    rescue_free(s);
    ask("{\"max_tokens\":null," HI "}");
    say("one");
    ck_assert_int_eq(after(0), 1);
    ck_view_eq(member("max_tokens"), "null");
}
END_TEST

START_TEST(the_one_given_up_keeps_its_request)
{
    pbay_str was;
    char copy[256];

    ask("{" HI "}");
    say("Hello");
    ck_assert_int_eq(after(0), 1);
    was = again()->body;
    snprintf(copy, sizeof(copy), "%.*s", STR_ARG(was));
    say(", world");
    ck_assert_int_eq(after(1), 3);
    ck_assert(rescue_goes_on(s));
    ck_view_eq(begun(), "\"Hello, world\"");
    ck_view_eq(was, copy);
}
END_TEST

/* --- from the beginning -------------------------------------------------- */

static void restart(const char *sent)
{
    shown[0] = '\0';
    plan.targets[1].model = STR("m3");
    plan.targets[3].model = STR("m4");
    ask("{" HI "}");
    say(sent);
    ck_assert_int_eq(after(0), 1);
    ck_assert(!rescue_goes_on(s));
}

START_TEST(what_is_repeated_is_not_shown)
{
    restart("caf\xc3\xa9");
    ck_assert_int_eq(say("ca"), RESCUE_KEEP);
    ck_assert_int_eq(say(""), RESCUE_KEEP);
    ck_assert_int_eq(say("f\xc3"), RESCUE_KEEP); /* cut in a character */
    ck_assert_int_eq(say("\xa9 au"), RESCUE_SHOW);
    ck_assert_int_eq(say(" lait"), RESCUE_SHOW);
    ck_assert_str_eq(shown, "caf\xc3\xa9 au lait");
    /* It ends just where the client is. */
    rescue_free(s);
    restart("Hello");
    ck_assert_int_eq(say("Hello"), RESCUE_KEEP);
    ck_assert_int_eq(other(PBAY_EV_STOP), RESCUE_SHOW);
}
END_TEST

START_TEST(what_is_not_repeated_is_wrong)
{
    static const uint32_t kinds[] = {PBAY_EV_CALL, PBAY_EV_REFUSAL,
                                     PBAY_EV_STOP};

    restart("Hello");
    ck_assert_int_eq(say("Help"), RESCUE_WRONG);
    rescue_free(s);
    restart("caf\xc3\xa9");
    ck_assert_int_eq(say("caf\xc3"), RESCUE_KEEP);
    ck_assert_int_eq(say("\xa8"), RESCUE_WRONG);
    for (size_t i = 0; i < N(kinds); i++) {
        rescue_free(s);
        restart("Hello");
        say("Hel");
        ck_assert_int_eq(other(kinds[i]), RESCUE_WRONG);
    }
    rescue_free(s);
    restart("Hello");
    ck_assert_int_eq(say_n(PBAY_EV_TEXT, STR("Hello"), 1), RESCUE_WRONG);
}
END_TEST

START_TEST(thoughts_of_a_later_one_are_not_shown)
{
    restart("Hello");
    ck_assert_int_eq(other(PBAY_EV_REASONING), RESCUE_KEEP);
    ck_assert_int_eq(other(PBAY_EV_BLOCK), RESCUE_KEEP);
    ck_assert_int_eq(other(PBAY_EV_ANNOTATION), RESCUE_KEEP);
    ck_assert_int_eq(say("Hello, you"), RESCUE_SHOW);
    ck_assert_int_eq(other(PBAY_EV_ANNOTATION), RESCUE_SHOW);
    /* The call may need the block that nobody has seen. */
    ck_assert_int_eq(other(PBAY_EV_CALL), RESCUE_WRONG);
}
END_TEST

START_TEST(one_that_breaks_in_the_repetition)
{
    restart("Hello, world");
    say("Hello");
    ck_assert_int_eq(after(1), 2);
    say("Hello, wor");
    ck_assert_int_eq(say("ld!"), RESCUE_SHOW);
    ck_assert_int_eq(after(2), 3);
    ck_assert_int_eq(say("Hello, world!"), RESCUE_KEEP);
    ck_assert_int_eq(say(" Bye."), RESCUE_SHOW);
    ck_assert_str_eq(shown, "Hello, world! Bye.");
}
END_TEST

/* --- records of a passed reply ------------------------------------------- */

START_TEST(a_record_that_does_not_go_out_was_not_sent)
{
    ask("{" HI "}");
    rescue_record(s, 1);
    say("Hello");
    rescue_record(s, 2);
    rescue_record(s, 2);
    say(", ");
    say("world");
    rescue_withheld(s, 2);
    rescue_withheld(s, 3); /* said nothing */
    ck_assert_int_eq(after(0), 1);
    ck_view_eq(begun(), "\"Hello\"");
}
END_TEST

/* --- accounts ------------------------------------------------------------ */

START_TEST(what_was_not_told_is_estimated)
{
    pbay_str text = STR("one two three four five six");
    uint64_t told = tokens_of(text);
    uint64_t prompt;

    ask("{" HI "}");
    prompt = tokens_of_chat(members, req.n_members);
    say(text.p);
    ck_assert(rescue_next(s, 0, &broke, &used, &next));
    ck_assert_uint_eq(used.output, told);
    ck_assert_uint_eq(used.input, prompt);
    ck_assert(used.flags & PBAY_U_ESTIMATED);
    rescue_free(s);
    /* A figure of the stream's beginning is none of its end. */
    ask("{" HI "}");
    say(text.p);
    used = (pbay_usage){
        .known = PBAY_U_INPUT | PBAY_U_OUTPUT, .input = 9, .output = 1};
    ck_assert(rescue_next(s, 0, &broke, &used, &next));
    ck_assert_uint_eq(used.input, 9);
    ck_assert_uint_eq(used.output, told);
    /* One that has ended well knows better. */
    memset(&used, 0, sizeof(used));
    say(" and more than one word of it");
    used = (pbay_usage){
        .known = PBAY_U_INPUT | PBAY_U_OUTPUT, .input = 9, .output = 1};
    rescue_fill(s, &used);
    ck_assert_uint_eq(used.output, 1);
    rescue_total(s, 1, &used);
    ck_assert_uint_eq(used.input, 18);
    ck_assert_uint_eq(used.output, told + 1);
}
END_TEST

START_TEST(what_is_not_shown_counts)
{
    restart("Hello");
    memset(&used, 0, sizeof(used));
    say_n(PBAY_EV_REASONING, STR("What may they want to hear of me now"), 0);
    say("Help");
    ck_assert(rescue_next(s, 1, NULL, &used, &next));
    ck_assert_uint_ge(used.output,
                      tokens_of(STR("What may they want to hear of me now")));
}
END_TEST

static void known_use(uint64_t in, uint64_t out)
{
    used = (pbay_usage){.size = sizeof(used),
                        .known = PBAY_U_INPUT | PBAY_U_OUTPUT,
                        .input = in,
                        .output = out};
}

START_TEST(each_at_its_own_price)
{
    for (int i = 0; i < TARGETS; i++) {
        providers[i].prices = &rows[i > 0];
        providers[i].n_prices = 1;
    }
    ask("{" HI "}");
    say("Hello");
    known_use(10, 5);
    ck_assert(rescue_next(s, 0, &broke, &used, &next));
    known_use(20, 1);
    ck_assert(rescue_total(s, 1, &used));
    ck_assert(used.known & PBAY_U_COST);
    ck_assert_int_eq(used.cost_nano, 10 * 1000 + 5 * 2000 + 20 * 10000 + 20000);
    ck_assert_str_eq(used.currency, "USD");
    ck_assert_uint_eq(used.input, 30);
    rescue_free(s);
    /* The provider's own figure comes before any price. */
    ask("{" HI "}");
    say("Hello");
    known_use(10, 5);
    used.known |= PBAY_U_COST;
    used.cost_nano = 77;
    ck_assert(rescue_next(s, 0, &broke, &used, &next));
    known_use(20, 1);
    ck_assert(rescue_total(s, 1, &used));
    ck_assert_int_eq(used.cost_nano, 77 + 220000);
}
END_TEST

START_TEST(a_price_that_nobody_knows)
{
    /* No zero, and no part of it taken for all. */
    for (int unknown = 0; unknown < 2; unknown++) {
        for (int i = 0; i < TARGETS; i++) {
            providers[i].prices = &rows[0];
            providers[i].n_prices = i != unknown;
        }
        ask("{" HI "}");
        say("Hello");
        known_use(10, 5);
        ck_assert(rescue_next(s, 0, &broke, &used, &next));
        known_use(20, 1);
        ck_assert(!rescue_total(s, 1, &used));
        ck_assert(!(used.known & PBAY_U_COST));
        ck_assert_uint_eq(used.input, 30);
        rescue_free(s);
    }
    s = NULL;
    known_use(20, 1);
    ck_assert(rescue_total(NULL, 1, &used));
    ck_assert_uint_eq(used.input, 20);
}
END_TEST

int main(void)
{
    const TTest *const all[] = {only_one_answer_of_words,
                                what_ends_it,
                                memory_is_bounded,
                                errors_that_are_the_clients,
                                each_once_in_each_way,
                                those_before_it_are_not_asked,
                                those_that_are_well_come_first,
                                a_clients_own_beginning_is_not_gone_on_with,
                                white_space_is_cut_off_and_not_said_twice,
                                nothing_but_white_space_is_begun_anew,
                                a_call_may_follow_white_space,
                                half_a_character_is_left_to_be_said,
                                the_output_limit_is_what_is_left,
                                the_one_given_up_keeps_its_request,
                                what_is_repeated_is_not_shown,
                                what_is_not_repeated_is_wrong,
                                thoughts_of_a_later_one_are_not_shown,
                                one_that_breaks_in_the_repetition,
                                a_record_that_does_not_go_out_was_not_sent,
                                what_was_not_told_is_estimated,
                                what_is_not_shown_counts,
                                each_at_its_own_price,
                                a_price_that_nobody_knows};
    Suite *suite = suite_create("rescue");
    TCase *tc = tcase_create("rescue");
    SRunner *sr;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    for (size_t i = 0; i < N(all); i++)
        tcase_add_test(tc, all[i]);
    suite_add_tcase(suite, tc);
    sr = srunner_create(suite);
    srunner_run_all(sr, CK_ENV);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? 1 : 0;
}
