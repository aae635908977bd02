/* SPDX-License-Identifier: MIT */
/* Cutting texts: at which places, and in time that grows with the text only. */
#include <errno.h>
#include <time.h>

#include "unit.h"

#include "base/limits.h"
#include "base/tokens.h"
#include "text/split.h"

static struct arena arena;
static struct pieces pieces;

static void setup(void)
{
    arena_init(&arena, LIM_MIB(16));
}

static void teardown(void)
{
    arena_done(&arena);
}

static void split(const char *text, uint64_t tokens, size_t n)
{
    ck_assert_int_eq(text_split(str_c(text), tokens, 100, &arena, &pieces), 0);
    ck_assert_uint_eq(pieces.n, n);
}

START_TEST(the_best_places_first)
{
    split("One two. Three four.\nFive six.\n\nSeven eight.\n", 100, 1);
    /* Seven tokens are the first line, so there is a cut between paragraphs. */
    split("One two. Three four.\nFive six.\n\nSeven eight.\n", 12, 2);
    ck_view_eq(pieces.at[0].text, "One two. Three four.\nFive six.");
    ck_view_eq(pieces.at[0].gap, "\n\n");
    ck_view_eq(pieces.at[1].text, "Seven eight.");
    split("One two. Three four.\nFive six. Seven eight.", 9, 2);
    ck_view_eq(pieces.at[0].text, "One two. Three four.");
    split("One two. Three four. Five six seven.", 8, 2);
    ck_view_eq(pieces.at[1].text, "Five six seven.");
    split("one two three four five six", 5, 2);
    ck_view_eq(pieces.at[0].text, "one two three four");
    split("\344\275\240\345\245\275\343\200\202\344\270\226\347\225\214", 3, 2);
    ck_view_eq(pieces.at[0].text, "\344\275\240\345\245\275\343\200\202");
}
END_TEST

START_TEST(nothing_is_cut_that_fits)
{
    split("  \n a word \n ", 3, 1);
    ck_view_eq(pieces.lead, "  \n ");
    ck_view_eq(pieces.at[0].text, "a word");
    ck_view_eq(pieces.at[0].gap, " \n ");
}
END_TEST

/* A word, spaces, short words and short lines without end: each text is walked
 * over a few times, not once for each piece. */
START_TEST(time_goes_by_length)
{
    static const char *const forms[] = {"a", "aaaa ", "a\n\n",        "a. ",
                                        " ", "\n",    "\342\200\202", "a\nb. "};
    size_t n = LIM_MIB(4);
    char *text = malloc(n);
    clock_t start;

    ck_assert_ptr_nonnull(text);
    for (size_t f = 0; f < sizeof(forms) / sizeof(*forms); f++) {
        size_t m = strlen(forms[f]);
        int rc;
        for (size_t i = 0; i < n; i++)
            text[i] = forms[f][i % m];
        text[0] = text[n - 1] = 'x';
        start = clock();
        rc = text_split(str_n(text, n), 50, 5000, &arena, &pieces);
        ck_assert(rc == 0 || rc == -E2BIG);
        ck_assert_msg(clock() - start < 10 * CLOCKS_PER_SEC,
                      "\"%s\" takes %.1f s", forms[f],
                      (double)(clock() - start) / CLOCKS_PER_SEC);
        for (size_t i = 0; i < pieces.n; i++)
            ck_assert_uint_le(tokens_of(pieces.at[i].text), 50);
    }
    free(text);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("split");
    TCase *tc = tcase_create("split");
    SRunner *sr;
    int failed;

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, the_best_places_first);
    tcase_add_test(tc, nothing_is_cut_that_fits);
    tcase_add_test(tc, time_goes_by_length);
    suite_add_tcase(s, tc);
    sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
