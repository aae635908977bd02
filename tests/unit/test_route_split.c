/* SPDX-License-Identifier: MIT */
/* A/B splits: shares, who stays, and what a changed weight moves. */
#include <stdio.h>
#include <string.h>

#include "manager/split.h"
#include "unit.h"

#define PEOPLE 100000
#define ARMS   4

static struct cfg_provider cfg = {.name = (char[]){"p"}};
static struct instance inst = {.name = (char[]){"p"}, .cfg = &cfg};
static struct cfg_route route = {.name = (char[]){"ab"},
                                 .strategy = STRATEGY_SPLIT};
static const char *const names[ARMS] = {"a", "b", "c", "d"};
static unsigned weights[ARMS];
static size_t n_arms;
static char who[32], user[64];
static pbay_kv member = {PBAY_LIT("user"), {user, 0}};

static pbay_str session(void *arg, const char *name)
{
    (void)arg;
    return strcmp(name, "x-patchbay-session") == 0 ? str_c(who) : STR_NONE;
}

static struct want want = {.members = &member, .has_input = true};
static struct way way = {.header = session};
static struct ask ask = {.way = &way, .want = &want};

static void setup(void)
{
    route.split_by = SPLIT_CONVERSATION;
    way = (struct way){.header = session};
    want.n_members = 0;
    n_arms = 2;
    memcpy(weights, (unsigned[]){70, 30, 0, 0}, sizeof(weights));
}

/* The arm of the i-th of them. */
static struct plan split(unsigned i)
{
    struct plan p = {.n = n_arms};

    snprintf(who, sizeof(who), "s-%u", i);
    ask.turn = i;
    for (size_t k = 0; k < n_arms; k++)
        p.targets[k] = (struct target){.instance = &inst,
                                       .model = str_c(names[k]),
                                       .weight = weights[k],
                                       .arm = names[k]};
    split_plan(&p, 0, &route, &ask);
    return p;
}

static unsigned arm(unsigned i)
{
    return (unsigned)(split(i).arm[0] - 'a');
}

static void count(size_t got[ARMS])
{
    memset(got, 0, ARMS * sizeof(*got));
    for (unsigned i = 0; i < PEOPLE; i++)
        got[arm(i)]++;
}

/* Each arm has its share, within half of a hundredth of all: three standard
 * deviations are 0.0047 at most. */
static void check_shares(void)
{
    size_t got[ARMS];
    unsigned sum = 0;

    for (size_t k = 0; k < n_arms; k++)
        sum += weights[k];
    count(got);
    for (size_t k = 0; k < n_arms; k++) {
        double share = (double)got[k] / PEOPLE;
        double wanted = (double)weights[k] / sum;
        ck_assert_msg(share > wanted - 0.005 && share < wanted + 0.005,
                      "arm %s has %.4f in place of %.4f", names[k], share,
                      wanted);
        ck_assert(weights[k] || !got[k]);
    }
}

START_TEST(shares)
{
    check_shares();
    n_arms = 4;
    memcpy(weights, (unsigned[]){1, 2, 3, 4}, sizeof(weights));
    check_shares();
    memcpy(weights, (unsigned[]){0, 1000000, 0, 1}, sizeof(weights));
    check_shares();
    memcpy(weights, (unsigned[]){5, 5, 5, 5}, sizeof(weights));
    for (int by = SPLIT_CONVERSATION; by <= SPLIT_REQUEST; by++) {
        route.split_by = (enum cfg_split)by;
        check_shares();
    }
}
END_TEST

START_TEST(a_changed_weight_moves_as_few_as_can_be)
{
    static unsigned char before[PEOPLE];
    size_t moved = 0, elsewhere = 0;

    n_arms = 4;
    memcpy(weights, (unsigned[]){25, 25, 25, 25}, sizeof(weights));
    for (unsigned i = 0; i < PEOPLE; i++)
        before[i] = (unsigned char)arm(i);
    weights[3] = 50; /* its share goes from 1/4 to 2/5 */
    for (unsigned i = 0; i < PEOPLE; i++) {
        unsigned now = arm(i);
        moved += now != before[i];
        elsewhere += now != before[i] && now != 3;
    }
    ck_assert_uint_eq(elsewhere, 0);
    ck_assert_uint_gt(moved, PEOPLE * 145 / 1000);
    ck_assert_uint_lt(moved, PEOPLE * 155 / 1000);
    weights[3] = 0; /* those who leave go to the others by their weights */
    moved = elsewhere = 0;
    for (unsigned i = 0; i < PEOPLE; i++) {
        unsigned now = arm(i);
        moved += now != before[i];
        elsewhere += now != before[i] && before[i] != 3;
    }
    ck_assert_uint_eq(elsewhere, 0);
    ck_assert_uint_gt(moved, PEOPLE * 245 / 1000);
    ck_assert_uint_lt(moved, PEOPLE * 255 / 1000);
}
END_TEST

START_TEST(an_arm_that_is_gone_leaves_the_others_alone)
{
    static unsigned char before[PEOPLE];
    size_t moved = 0;

    n_arms = 3;
    memcpy(weights, (unsigned[]){5, 3, 2}, 3 * sizeof(*weights));
    for (unsigned i = 0; i < PEOPLE; i++) {
        struct plan p = split(i);
        before[i] = (unsigned char)(p.targets[0].arm[0] - 'a');
        if (before[i] == 2) /* who comes next is known before it fails */
            before[i] = (unsigned char)(p.targets[1].arm[0] - 'a');
    }
    n_arms = 2;
    for (unsigned i = 0; i < PEOPLE; i++)
        moved += arm(i) != before[i];
    ck_assert_uint_eq(moved, 0);
}
END_TEST

START_TEST(two_routes_are_independent)
{
    size_t both = 0;
    char other[] = "cd", *own = route.name;

    memcpy(weights, (unsigned[]){50, 50}, 2 * sizeof(*weights));
    for (unsigned i = 0; i < PEOPLE; i++) {
        bool first = arm(i) == 0;
        route.name = other;
        both += first && arm(i) == 0;
        route.name = own;
    }
    ck_assert_uint_gt(both, PEOPLE * 245 / 1000);
    ck_assert_uint_lt(both, PEOPLE * 255 / 1000);
}
END_TEST

/* By what it was chosen, with what is there. */
static enum cfg_split by(enum cfg_split how, bool key, bool name, bool talk)
{
    route.split_by = how;
    way = (struct way){.key = key ? STR("k") : STR_NONE,
                       .header = talk ? session : NULL};
    want.n_members = name;
    return split(7).split_by;
}

START_TEST(what_there_is_to_go_by)
{
    member.v = str_n(user, (size_t)snprintf(user, sizeof(user), "\"eve\""));
    ck_assert_int_eq(by(SPLIT_USER, true, true, true), SPLIT_USER);
    ck_assert_int_eq(by(SPLIT_USER, true, false, true), SPLIT_CONVERSATION);
    ck_assert_int_eq(by(SPLIT_USER, true, false, false), SPLIT_REQUEST);
    ck_assert_int_eq(by(SPLIT_KEY, true, true, true), SPLIT_KEY);
    ck_assert_int_eq(by(SPLIT_KEY, false, true, true), SPLIT_CONVERSATION);
    ck_assert_int_eq(by(SPLIT_CONVERSATION, true, true, true),
                     SPLIT_CONVERSATION);
    ck_assert_int_eq(by(SPLIT_CONVERSATION, true, true, false), SPLIT_REQUEST);
    ck_assert_int_eq(by(SPLIT_REQUEST, true, true, true), SPLIT_REQUEST);
}
END_TEST

START_TEST(a_user_or_key_stays_whatever_the_conversation)
{
    route.split_by = SPLIT_USER;
    want.n_members = 1;
    for (unsigned u = 0; u < 200; u++) {
        unsigned first;
        member.v =
            str_n(user, (size_t)snprintf(user, sizeof(user), "\"user-%u\"", u));
        first = arm(0);
        for (unsigned i = 1; i < 20; i++)
            ck_assert_uint_eq(arm(i), first);
    }
    route.split_by = SPLIT_KEY;
    way.key = STR("ci");
    for (unsigned i = 1; i < 200; i++)
        ck_assert_uint_eq(arm(i), arm(0));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("split");
    TCase *tc = tcase_create("split");
    SRunner *r;
    int failed;

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, shares);
    tcase_add_test(tc, a_changed_weight_moves_as_few_as_can_be);
    tcase_add_test(tc, an_arm_that_is_gone_leaves_the_others_alone);
    tcase_add_test(tc, two_routes_are_independent);
    tcase_add_test(tc, what_there_is_to_go_by);
    tcase_add_test(tc, a_user_or_key_stays_whatever_the_conversation);
    suite_add_tcase(s, tc);
    r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
