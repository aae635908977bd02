/* SPDX-License-Identifier: MIT */
/* String views. */
#include <errno.h>
#include <limits.h>

#include "test_base.h"

START_TEST(comparing)
{
    ck_assert(str_ieq(STR("Content-TYPE"), STR("content-type")));
    ck_assert(!str_ieq(STR("abc"), STR("abd")));
    ck_assert(!str_ieq(STR("abc"), STR("ab")));
    ck_assert(!str_ieq(STR("["), STR("{"))); /* differ by the case bit only */
    ck_assert(!str_ieq(STR("\xC0"), STR("\xE0")));
    ck_assert(str_ieq(STR_NONE, STR("")));
    ck_assert(str_starts(STR("Bearer x"), "Bearer "));
    ck_assert(!str_starts(STR("Bear"), "Bearer"));
    ck_assert(str_starts(STR_NONE, ""));
    ck_assert(str_ends(STR("a.so"), ".so"));
    ck_assert(!str_ends(STR("so"), ".so"));
    ck_assert(str_ends(STR_NONE, ""));
    ck_assert(str_eq(STR_NONE, STR("")));
}
END_TEST

START_TEST(trimming)
{
    ck_view_eq(str_trim(STR(" \t a b\t ")), "a b");
    ck_view_eq(str_trim(STR("  \t")), "");
    ck_view_eq(str_trim(STR("\na\n")), "\na\n");
    ck_view_eq(str_trim(STR_NONE), "");
}
END_TEST

START_TEST(cutting)
{
    pbay_str rest = STR("a,,b,");

    ck_view_eq(str_cut(&rest, ','), "a");
    ck_view_eq(str_cut(&rest, ','), "");
    ck_view_eq(str_cut(&rest, ','), "b");
    ck_assert_ptr_nonnull(rest.p); /* an empty last part is still to come */
    ck_view_eq(str_cut(&rest, ','), "");
    ck_assert_ptr_null(rest.p);
    ck_assert_uint_eq(str_cut(&rest, ',').n, 0);
    ck_assert_ptr_null(rest.p);
}
END_TEST

START_TEST(numbers)
{
    static const char *const bad[] = {"",    " 1",  "1 ",
                                      "-1",  "+1",  "1a",
                                      "0x1", "1.0", "99999999999999999999x"};
    uint64_t v = 7;

    ck_assert_int_eq(str_u64(STR("0"), &v), 0);
    ck_assert_uint_eq(v, 0);
    ck_assert_int_eq(str_u64(STR("0018446744073709551615"), &v), 0);
    ck_assert(v == UINT64_MAX);
    errno = 0;
    ck_assert_int_eq(str_u64(STR("18446744073709551616"), &v), -1);
    ck_assert_int_eq(errno, ERANGE);
    errno = 0;
    ck_assert_int_eq(str_u64(STR("184467440737095516150"), &v), -1);
    ck_assert_int_eq(errno, ERANGE);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        errno = 0;
        ck_assert_msg(str_u64(str_c(bad[i]), &v) == -1, "\"%s\"", bad[i]);
        ck_assert_msg(errno == EINVAL, "\"%s\"", bad[i]);
    }
    ck_assert(v == UINT64_MAX); /* untouched by failures */
}
END_TEST

/* The definition of a glob, as slow as it likes. */
static bool glob_plain(pbay_str s, pbay_str p)
{
    if (!p.n)
        return s.n == 0;
    if (p.p[0] == '*') {
        for (size_t i = 0; i <= s.n; i++) {
            if (glob_plain(str_n(s.p + i, s.n - i), str_n(p.p + 1, p.n - 1)))
                return true;
        }
        return false;
    }
    return s.n && (p.p[0] == '?' || p.p[0] == s.p[0]) &&
           glob_plain(str_n(s.p + 1, s.n - 1), str_n(p.p + 1, p.n - 1));
}

START_TEST(globs_like_their_definition)
{
    uint64_t seed = unit_seed(42);
    unsigned matched = 0;

    for (int i = 0; i < 60000; i++) {
        char text[8], pattern[8];
        pbay_str s = {text, unit_below(&seed, 8)};
        pbay_str p = {pattern, unit_below(&seed, 8)};
        bool want;

        for (size_t k = 0; k < 8; k++) {
            text[k] = "ab"[unit_below(&seed, 2)];
            pattern[k] = "ab?**"[unit_below(&seed, 5)];
        }
        want = glob_plain(s, p);
        matched += want;
        ck_assert_msg(str_glob(s, p) == want, "%.*s against %.*s", STR_ARG(s),
                      STR_ARG(p));
    }
    ck_assert_uint_gt(matched, 5000);
}
END_TEST

START_TEST(globs)
{
    static char text[20000], pattern[2000];

    ck_assert(str_glob(STR("gpt-4o-mini"), STR("gpt-*")));
    ck_assert(str_glob(STR("claude-3"), STR("claude*")));
    ck_assert(!str_glob(STR("xgpt-4"), STR("gpt-*")));
    ck_assert(str_glob(STR(""), STR("*")));
    ck_assert(!str_glob(STR(""), STR("?")));
    ck_assert(str_glob(STR_NONE, STR_NONE));
    /* Where naive backtracking takes longer than the universe has. */
    memset(text, 'a', sizeof(text));
    for (size_t i = 0; i < sizeof(pattern); i += 2) {
        pattern[i] = '*';
        pattern[i + 1] = i + 2 < sizeof(pattern) ? 'a' : 'b';
    }
    ck_assert(
        !str_glob(str_n(text, sizeof(text)), str_n(pattern, sizeof(pattern))));
}
END_TEST

START_TEST(distances)
{
    char a[65];

    memset(a, 'a', sizeof(a));
    ck_assert_uint_eq(str_distance(STR("kitten"), STR("sitting")), 3);
    ck_assert_uint_eq(str_distance(STR("modle"), STR("model")), 1);
    ck_assert_uint_eq(str_distance(STR("base_ulr"), STR("base_url")), 1);
    ck_assert_uint_eq(str_distance(STR("timeout"), STR("time_out")), 1);
    ck_assert_uint_eq(str_distance(STR("abc"), STR("abc")), 0);
    ck_assert_uint_eq(str_distance(STR(""), STR("abc")), 3);
    ck_assert_uint_eq(str_distance(STR("abc"), STR_NONE), 3);
    ck_assert_uint_eq(str_distance(str_n(a, 64), STR("")), 64);
    ck_assert_uint_eq(str_distance(str_n(a, 64), str_n(a, 63)), 1);
    ck_assert_uint_eq(str_distance(str_n(a, 65), str_n(a, 65)), UINT_MAX);
}
END_TEST

/* One random edit away is at most one apart, and it does not matter which of
 * the two comes first. */
START_TEST(distance_of_edits)
{
    uint64_t seed = unit_seed(7);

    for (int i = 0; i < 20000; i++) {
        char a[16], b[17];
        size_t n = 2 + unit_below(&seed, 14), m = n, at;

        for (size_t k = 0; k < n; k++)
            a[k] = (char)('a' + unit_below(&seed, 3));
        memcpy(b, a, n);
        at = unit_below(&seed, n - 1);
        switch (unit_below(&seed, 4)) {
        case 0:
            b[at] = 'x';
            break;
        case 1:
            memmove(b + at, b + at + 1, n - at - 1);
            m--;
            break;
        case 2:
            memmove(b + at + 1, b + at, n - at);
            b[at] = 'x';
            m++;
            break;
        default:
            b[at] = a[at + 1];
            b[at + 1] = a[at];
        }
        ck_assert_uint_le(str_distance(str_n(a, n), str_n(b, m)), 1);
        ck_assert_uint_eq(str_distance(str_n(a, n), str_n(b, m)),
                          str_distance(str_n(b, m), str_n(a, n)));
    }
}
END_TEST

START_TEST(constant_time)
{
    char a[32], b[32];

    memset(a, 'k', sizeof(a));
    ck_assert(str_eq_const_time(STR_NONE, STR("")));
    for (size_t i = 0; i < sizeof(a); i++) {
        memcpy(b, a, sizeof(b));
        ck_assert(str_eq_const_time(str_n(a, 32), str_n(b, 32)));
        b[i] ^= 1;
        ck_assert(!str_eq_const_time(str_n(a, 32), str_n(b, 32)));
        ck_assert(str_eq_const_time(str_n(a, i), str_n(b, i)));
        ck_assert(!str_eq_const_time(str_n(a, 32), str_n(a, i)));
    }
}
END_TEST

static size_t encode(uint32_t cp, char out[4])
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xC0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 63));
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (char)(0xE0 | cp >> 12);
        out[1] = (char)(0x80 | (cp >> 6 & 63));
        out[2] = (char)(0x80 | (cp & 63));
        return 3;
    }
    out[0] = (char)(0xF0 | cp >> 18);
    out[1] = (char)(0x80 | (cp >> 12 & 63));
    out[2] = (char)(0x80 | (cp >> 6 & 63));
    out[3] = (char)(0x80 | (cp & 63));
    return 4;
}

/* Every code point, and the surrogates and what lies beyond. */
START_TEST(utf8_all)
{
    for (uint32_t cp = 0; cp < 0x120000; cp++) {
        bool valid = cp < 0x110000 && !(cp >= 0xD800 && cp < 0xE000);
        char p[4];
        size_t n = encode(cp, p);
        uint32_t got = 1;

        if (str_utf8(str_n(p, n), &got) != (valid ? n : 0))
            ck_abort_msg("U+%04X", (unsigned)cp);
        if (valid && got != cp)
            ck_abort_msg("U+%04X read as U+%04X", (unsigned)cp, (unsigned)got);
        if (valid && str_utf8(str_n(p, n - 1), NULL) != 0)
            ck_abort_msg("half of U+%04X", (unsigned)cp);
    }
}
END_TEST

START_TEST(utf8_bad)
{
    static const char *const bad[] = {
        "\x80", "\xBF",         "\xC0\x80",         "\xC1\xBF",
        "\xFF", "\xE0\x9F\xBF", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80",
        "\xFE", "\xC3(",        "\xE2\x82(",        "\xF0\x9F\x98("};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_uint_eq(str_utf8(str_c(bad[i]), NULL), 0);
    ck_assert_uint_eq(str_utf8(STR_NONE, NULL), 0);
}
END_TEST

START_TEST(heads)
{
    pbay_str s = STR("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80!"); /* 1 2 3 4 1 */
    static const size_t want[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};
    pbay_str junk = STR("\x80\x80\x80\x80\x80\x80");

    for (size_t max = 0; max < sizeof(want) / sizeof(want[0]); max++)
        ck_assert_uint_eq(str_head(s, max).n, want[max]);
    ck_assert_uint_eq(str_head(junk, 3).n, 3);
    ck_assert_uint_eq(str_head(STR_NONE, 3).n, 0);
}
END_TEST

START_TEST(copies)
{
    char *p = str_dup(str_n("a\0b", 3));

    ck_assert_mem_eq(p, "a\0b", 4);
    free(p);
    p = str_dup(STR_NONE);
    ck_assert_str_eq(p, "");
    free(p);
}
END_TEST

Suite *base_str_suite(void)
{
    Suite *s = suite_create("base/str");
    TCase *t = tcase_create("str");

    tcase_add_test(t, comparing);
    tcase_add_test(t, trimming);
    tcase_add_test(t, cutting);
    tcase_add_test(t, numbers);
    tcase_add_test(t, globs_like_their_definition);
    tcase_add_test(t, globs);
    tcase_add_test(t, distances);
    tcase_add_test(t, distance_of_edits);
    tcase_add_test(t, constant_time);
    tcase_add_test(t, utf8_all);
    tcase_add_test(t, utf8_bad);
    tcase_add_test(t, heads);
    tcase_add_test(t, copies);
    suite_add_tcase(s, t);
    return s;
}
