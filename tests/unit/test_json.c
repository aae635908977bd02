/* SPDX-License-Identifier: MIT */
/* The JSON helpers of the SDK: what they accept and refuse, what they read and
 * write, and that no bytes whatsoever lead them outside of the text. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <patchbay/json.h>

static pbay_str c(const char *s)
{
    return (pbay_str){s, strlen(s)};
}

#define S(lit) ((pbay_str){lit, sizeof(lit) - 1})

/* A copy that ends where its memory ends, so that a sanitizer sees one byte
 * too many. */
static char *tight(pbay_str s)
{
    char *p = malloc(s.n ? s.n : 1);

    ck_assert_ptr_nonnull(p);
    if (s.n)
        memcpy(p, s.p, s.n);
    return p;
}

static int check_tight(pbay_str s, size_t *at)
{
    char *p = tight(s);
    int rc = pbay_json_check((pbay_str){p, s.n}, at);

    free(p);
    return rc;
}

/* ------------------------------------------------------ accept and refuse */

static const pbay_str accepted[] = {
    PBAY_LIT("{}"),
    PBAY_LIT("[]"),
    PBAY_LIT(" \t\r\n[ \n] "),
    PBAY_LIT("null"),
    PBAY_LIT("true"),
    PBAY_LIT("false"),
    PBAY_LIT("\"\""),
    PBAY_LIT("0"),
    PBAY_LIT("-0"),
    PBAY_LIT("-0.0"),
    PBAY_LIT("10"),
    PBAY_LIT("1.5"),
    PBAY_LIT("1e5"),
    PBAY_LIT("1E+5"),
    PBAY_LIT("1.25e-05"),
    PBAY_LIT("123456789012345678901234567890"),
    PBAY_LIT("1e99999"),
    PBAY_LIT("[1,2 , 3]"),
    PBAY_LIT("[[[]],[{}]]"),
    PBAY_LIT("{\"a\":{\"b\":[1,{\"c\":null}]},\"d\":\"e\"}"),
    PBAY_LIT("{\"\":1}"),
    PBAY_LIT("{\"a\":{\"b\":1,\"b\":2}}"),
    PBAY_LIT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
    PBAY_LIT("\"\\u00e9\\uD83D\\ude00\""),
    PBAY_LIT("\"\\ud800\""),
    PBAY_LIT("\"\\udc00x\""),
    PBAY_LIT("\"\\u0000\""),
    PBAY_LIT("\"\x7f\""),
    PBAY_LIT("\"\xc2\x80\""),
    PBAY_LIT("\"\xdf\xbf\""),
    PBAY_LIT("\"\xe0\xa0\x80\""),
    PBAY_LIT("\"\xed\x9f\xbf\""),
    PBAY_LIT("\"\xee\x80\x80\""),
    PBAY_LIT("\"\xef\xbf\xbf\""),
    PBAY_LIT("\"\xf0\x90\x80\x80\""),
    PBAY_LIT("\"\xf4\x8f\xbf\xbf\""),
    PBAY_LIT("\"0123456789abcdef0123456789abcde\xc3\xbc\""),
    PBAY_LIT("[\"]\",\"}\",\"{\",\"[\\\"\"]"),
};

static const struct {
    pbay_str text;
    int rc;
    size_t at;
} refused[] = {
    {PBAY_LIT(""), PBAY_JSON_SYNTAX, 0},
    {PBAY_LIT("  "), PBAY_JSON_SYNTAX, 2},
    {PBAY_LIT("{"), PBAY_JSON_SYNTAX, 1},
    {PBAY_LIT("["), PBAY_JSON_SYNTAX, 1},
    {PBAY_LIT("]"), PBAY_JSON_SYNTAX, 0},
    {PBAY_LIT("[1"), PBAY_JSON_SYNTAX, 2},
    {PBAY_LIT("[1,]"), PBAY_JSON_SYNTAX, 3},
    {PBAY_LIT("[,1]"), PBAY_JSON_SYNTAX, 1},
    {PBAY_LIT("[1 2]"), PBAY_JSON_SYNTAX, 3},
    {PBAY_LIT("[1}"), PBAY_JSON_SYNTAX, 2},
    {PBAY_LIT("{\"a\":1]"), PBAY_JSON_SYNTAX, 6},
    {PBAY_LIT("{\"a\"}"), PBAY_JSON_SYNTAX, 4},
    {PBAY_LIT("{\"a\":}"), PBAY_JSON_SYNTAX, 5},
    {PBAY_LIT("{\"a\":1,}"), PBAY_JSON_SYNTAX, 7},
    {PBAY_LIT("{\"a\":1 \"b\":2}"), PBAY_JSON_SYNTAX, 7},
    {PBAY_LIT("{a:1}"), PBAY_JSON_SYNTAX, 1},
    {PBAY_LIT("{1:1}"), PBAY_JSON_SYNTAX, 1},
    {PBAY_LIT("{'a':1}"), PBAY_JSON_SYNTAX, 1},
    {PBAY_LIT("{} {}"), PBAY_JSON_SYNTAX, 3},
    {PBAY_LIT("1 2"), PBAY_JSON_SYNTAX, 2},
    {PBAY_LIT("tru"), PBAY_JSON_SYNTAX, 0},
    {PBAY_LIT("nullx"), PBAY_JSON_SYNTAX, 4},
    {PBAY_LIT("TRUE"), PBAY_JSON_SYNTAX, 0},
    {PBAY_LIT("NaN"), PBAY_JSON_SYNTAX, 0},
    {PBAY_LIT("Infinity"), PBAY_JSON_SYNTAX, 0},
    {PBAY_LIT("01"), PBAY_JSON_SYNTAX, 1},
    {PBAY_LIT("-"), PBAY_JSON_SYNTAX, 1},
    {PBAY_LIT("+1"), PBAY_JSON_SYNTAX, 0},
    {PBAY_LIT(".5"), PBAY_JSON_SYNTAX, 0},
    {PBAY_LIT("1."), PBAY_JSON_SYNTAX, 2},
    {PBAY_LIT("1.e5"), PBAY_JSON_SYNTAX, 2},
    {PBAY_LIT("1e"), PBAY_JSON_SYNTAX, 2},
    {PBAY_LIT("1e+"), PBAY_JSON_SYNTAX, 3},
    {PBAY_LIT("0x10"), PBAY_JSON_SYNTAX, 1},
    {PBAY_LIT("\""), PBAY_JSON_SYNTAX, 1},
    {PBAY_LIT("\"a"), PBAY_JSON_SYNTAX, 2},
    {PBAY_LIT("\"\\"), PBAY_JSON_SYNTAX, 1},
    {PBAY_LIT("\"\\\""), PBAY_JSON_SYNTAX, 3},
    {PBAY_LIT("\"\\x\""), PBAY_JSON_SYNTAX, 1},
    {PBAY_LIT("\"\\\0\""), PBAY_JSON_SYNTAX, 1},
    {PBAY_LIT("\"\\u12\""), PBAY_JSON_SYNTAX, 1},
    {PBAY_LIT("\"\\u12g4\""), PBAY_JSON_SYNTAX, 1},
    {PBAY_LIT("\"\\u123"), PBAY_JSON_SYNTAX, 1},
    {PBAY_LIT("\"\n\""), PBAY_JSON_SYNTAX, 1},
    {PBAY_LIT("\"\0\""), PBAY_JSON_SYNTAX, 1},
    {PBAY_LIT("\"0123456789abcdef\x1f\""), PBAY_JSON_SYNTAX, 17},
    {PBAY_LIT("\xef\xbb\xbf{}"), PBAY_JSON_SYNTAX, 0},
    {PBAY_LIT("/* */1"), PBAY_JSON_SYNTAX, 0},
    {PBAY_LIT("\"\x80\""), PBAY_JSON_UTF8, 1},
    {PBAY_LIT("\"\xc0\x80\""), PBAY_JSON_UTF8, 1},
    {PBAY_LIT("\"\xc1\xbf\""), PBAY_JSON_UTF8, 1},
    {PBAY_LIT("\"\xc3\""), PBAY_JSON_UTF8, 1},
    {PBAY_LIT("\"\xc3"), PBAY_JSON_UTF8, 1},
    {PBAY_LIT("\"\xe0\x9f\xbf\""), PBAY_JSON_UTF8, 1},
    {PBAY_LIT("\"\xed\xa0\x80\""), PBAY_JSON_UTF8, 1},
    {PBAY_LIT("\"\xe4\xb8\""), PBAY_JSON_UTF8, 1},
    {PBAY_LIT("\"\xf0\x8f\xbf\xbf\""), PBAY_JSON_UTF8, 1},
    {PBAY_LIT("\"\xf4\x90\x80\x80\""), PBAY_JSON_UTF8, 1},
    {PBAY_LIT("\"\xf5\x80\x80\x80\""), PBAY_JSON_UTF8, 1},
    {PBAY_LIT("\"\xff\""), PBAY_JSON_UTF8, 1},
    {PBAY_LIT("{\"\xff\":1}"), PBAY_JSON_UTF8, 2},
};

START_TEST(test_accept)
{
    for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++)
        ck_assert_msg(check_tight(accepted[i], NULL) == 0, "%.*s",
                      (int)accepted[i].n, accepted[i].p);
}
END_TEST

START_TEST(test_refuse)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        size_t at = 12345;
        int rc = check_tight(refused[i].text, &at);
        ck_assert_msg(rc == refused[i].rc && at == refused[i].at,
                      "case %zu: %d at %zu", i, rc, at);
    }
}
END_TEST

/* Nothing that is cut short is whole, wherever the cut falls. */
START_TEST(test_prefixes)
{
    static const char text[] =
        " {\"a\\u00fc\":[1.5e3,true,null,\"x\xc3\xbc\\n\",{}],\"b\":[[ ]]}";
    pbay_str s = S(text);

    ck_assert_int_eq(check_tight(s, NULL), 0);
    for (size_t n = 0; n < s.n; n++)
        ck_assert_int_lt(check_tight((pbay_str){s.p, n}, NULL), 0);
}
END_TEST

START_TEST(test_depth)
{
    char text[2 * (PBAY_JSON_DEPTH + 1) + 1];
    size_t at, n = PBAY_JSON_DEPTH;
    pbay_kv kv[1];

    memset(text, '[', n);
    memset(text + n, ']', n);
    ck_assert_int_eq(check_tight((pbay_str){text, 2 * n}, NULL), 0);
    n++;
    memset(text, '[', n);
    memset(text + n, ']', n);
    ck_assert_int_eq(check_tight((pbay_str){text, 2 * n}, &at), PBAY_JSON_DEEP);
    ck_assert_uint_eq(at, PBAY_JSON_DEPTH);
    /* The same bound where the outermost object is taken apart. */
    memcpy(text, "{\"a\":", 5);
    memset(text + 5, '[', 127);
    memset(text + 132, ']', 127);
    ck_assert_int_eq(pbay_json_members((pbay_str){text, 259}, kv, 1, &n, NULL),
                     PBAY_JSON_SYNTAX); /* not closed */
    ck_assert_int_eq(
        pbay_json_members((pbay_str){text, 5 + 128}, kv, 1, &n, NULL),
        PBAY_JSON_SYNTAX);
    memset(text + 5, '[', 128);
    ck_assert_int_eq(
        pbay_json_members((pbay_str){text, 5 + 128}, kv, 1, &n, NULL),
        PBAY_JSON_DEEP);
}
END_TEST

/* Long runs: every place of the odd byte in and around a block of 16. */
START_TEST(test_blocks)
{
    char text[100];

    for (size_t n = 2; n < sizeof text; n++) {
        memset(text, 'x', sizeof text);
        text[0] = text[n - 1] = '"';
        ck_assert_int_eq(check_tight((pbay_str){text, n}, NULL), 0);
        for (size_t i = 1; i + 1 < n; i++) {
            size_t at;
            text[i] = 0x1f;
            ck_assert_int_eq(check_tight((pbay_str){text, n}, &at),
                             PBAY_JSON_SYNTAX);
            ck_assert_uint_eq(at, i);
            text[i] = '\x80';
            ck_assert_int_eq(check_tight((pbay_str){text, n}, &at),
                             PBAY_JSON_UTF8);
            ck_assert_uint_eq(at, i);
            text[i] = '"';
            ck_assert_int_eq(check_tight((pbay_str){text, n}, &at),
                             PBAY_JSON_SYNTAX);
            ck_assert_uint_eq(at, i + 1);
            text[i] = 'x';
        }
    }
}
END_TEST

/* ------------------------------------------------------------------ pick */

START_TEST(test_pick)
{
    static const pbay_str names[] = {PBAY_LIT("id"), PBAY_LIT("usage"),
                                     PBAY_LIT("a\"b")};
    pbay_str v[3];
    size_t at;

    ck_assert_int_eq(pbay_json_pick(c(" {\"x\":[{\"id\":1}], \"id\" : \"i\" ,"
                                      "\"ids\":2,\"a\\\"b\":3,\"id\":[4 ]}\n"),
                                    names, v, 3, &at),
                     0);
    ck_assert_uint_eq(v[0].n, 4); /* the last one */
    ck_assert_mem_eq(v[0].p, "[4 ]", 4);
    ck_assert_ptr_null(v[1].p);
    ck_assert_ptr_null(v[2].p); /* names are not unescaped */
    ck_assert_int_eq(pbay_json_pick(c("{}"), names, v, 3, NULL), 0);
    ck_assert_ptr_null(v[0].p);
    ck_assert_int_eq(pbay_json_pick(c("[\"id\"]"), names, v, 3, NULL), 0);
    ck_assert_ptr_null(v[0].p);
    /* What is not JSON has no members, and is refused where the check does. */
    ck_assert_int_eq(pbay_json_pick(c("{\"id\":1} x"), names, v, 3, &at),
                     PBAY_JSON_SYNTAX);
    ck_assert_uint_eq(at, 9);
    ck_assert_ptr_null(v[0].p);
    ck_assert_int_eq(
        pbay_json_pick(c("{\"id\":1,\"usage\":tru}"), names, v, 3, &at),
        PBAY_JSON_SYNTAX);
    ck_assert_ptr_null(v[0].p);
    ck_assert_int_eq(pbay_json_pick(c(""), names, v, 3, NULL),
                     PBAY_JSON_SYNTAX);
}
END_TEST

/* --------------------------------------------------------------- members */

START_TEST(test_members)
{
    pbay_str s =
        c(" { \"model\" : \"m\" ,\"a\\\"b\":[1, 2],\"o\":{\"p\":-1}}\n");
    pbay_kv kv[8];
    size_t n, at;

    ck_assert_int_eq(pbay_json_members(s, kv, 8, &n, &at), 0);
    ck_assert_uint_eq(n, 3);
    ck_assert_mem_eq(kv[0].k.p, "model", kv[0].k.n);
    ck_assert_uint_eq(kv[0].v.n, 3);
    ck_assert_mem_eq(kv[0].v.p, "\"m\"", 3);
    ck_assert_uint_eq(kv[1].k.n, 4);
    ck_assert_mem_eq(kv[1].k.p, "a\\\"b", 4);
    ck_assert_uint_eq(kv[1].v.n, 6);
    ck_assert_mem_eq(kv[2].v.p, "{\"p\":-1}", 8);
    ck_assert_ptr_eq(pbay_json_find(kv, n, "a\"b").p, kv[1].v.p);
    ck_assert_ptr_null(pbay_json_find(kv, n, "a").p);

    ck_assert_int_eq(pbay_json_members(c("{}"), kv, 0, &n, NULL), 0);
    ck_assert_uint_eq(n, 0);
    ck_assert_int_eq(pbay_json_members(s, kv, 2, &n, &at), PBAY_JSON_FULL);
    ck_assert_uint_eq(at, 32);
    ck_assert_int_eq(pbay_json_members(c(" [1]"), kv, 8, &n, &at),
                     PBAY_JSON_TYPE);
    ck_assert_uint_eq(at, 1);
    ck_assert_int_eq(pbay_json_members(c("{} x"), kv, 8, &n, &at),
                     PBAY_JSON_SYNTAX);
    ck_assert_uint_eq(at, 3);
    ck_assert_int_eq(pbay_json_members(c("[1"), kv, 8, &n, NULL),
                     PBAY_JSON_SYNTAX);
}
END_TEST

START_TEST(test_twice)
{
    static const char *const same[] = {
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"b\":2,\"\\u0061\":3}",
        "{\"\xc3\xbc\":1,\"\\u00fc\":2}",
        "{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}",
        "{\"\\/\":1,\"/\":2}",
        "{\"\":1,\"\":2}",
        "{\"\\ud800\":1,\"\\udfff\":2}", /* both read as U+FFFD */
    };
    static const char *const differ[] = {
        "{\"a\":1,\"A\":2}",         "{\"a\":1,\"ab\":2}",
        "{\"ab\":1,\"a\":2}",        "{\"\\u00fc\":1,\"\\u00fd\":2}",
        "{\"\":1,\"\\u0000\":2}",    "{\"\xc3\xbc\":1,\"\\u00c3\":2}",
        "{\"a\":{\"b\":1},\"b\":1}",
    };
    pbay_kv kv[8];
    size_t n, at;

    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        ck_assert_msg(pbay_json_members(c(same[i]), kv, 8, &n, &at) ==
                          PBAY_JSON_TWICE,
                      "%s", same[i]);
        ck_assert_int_eq(same[i][at], '"');
        ck_assert_uint_gt(at, 1);
    }
    for (size_t i = 0; i < sizeof differ / sizeof *differ; i++)
        ck_assert_msg(pbay_json_members(c(differ[i]), kv, 8, &n, NULL) == 0,
                      "%s", differ[i]);
}
END_TEST

/* More names than are looked up by hash. */
START_TEST(test_many)
{
    enum {
        MANY = 700
    };
    static pbay_kv kv[MANY + 1];
    static char text[MANY * 16];

    for (int last = -1; last < MANY; last += 233) {
        size_t n, len = 0;
        text[len++] = '{';
        for (int i = 0; i < MANY; i++)
            len += (size_t)sprintf(text + len, "\"k%d\":%d,", i, i);
        len += (size_t)sprintf(text + len, "\"k%d\":0}", last);
        ck_assert_int_eq(
            pbay_json_members((pbay_str){text, len}, kv, MANY + 1, &n, NULL),
            last < 0 ? 0 : PBAY_JSON_TWICE);
    }
}
END_TEST

/* --------------------------------------------------------------- reading */

START_TEST(test_walk)
{
    pbay_str a = c("[1, \"],\" ,{\"x\":[2,{}]},[ ],null]"), key, v;
    static const char *const want[] = {"1", "\"],\"", "{\"x\":[2,{}]}", "[ ]",
                                       "null"};
    size_t pos = 0, i = 0;

    while (pbay_json_next(a, &pos, NULL, &v)) {
        ck_assert_uint_lt(i, 5);
        ck_assert_uint_eq(v.n, strlen(want[i]));
        ck_assert_mem_eq(v.p, want[i], v.n);
        i++;
    }
    ck_assert_uint_eq(i, 5);
    ck_assert_int_eq(pbay_json_next(a, &pos, NULL, &v), 0);

    a = c("{\"a\" : 1,\"\":\"\", \"c\\n\":{}}");
    pos = 0;
    ck_assert_int_eq(pbay_json_next(a, &pos, &key, &v), 1);
    ck_assert(key.n == 1 && *key.p == 'a' && v.n == 1 && *v.p == '1');
    ck_assert_int_eq(pbay_json_next(a, &pos, &key, &v), 1);
    ck_assert(key.n == 0 && v.n == 2);
    ck_assert_int_eq(pbay_json_next(a, &pos, &key, &v), 1);
    ck_assert(key.n == 3 && v.n == 2 && *v.p == '{');
    ck_assert_int_eq(pbay_json_next(a, &pos, &key, &v), 0);
    ck_assert_int_eq(pbay_json_type(pbay_json_get(a, "c\n")), 'o');
    ck_assert_ptr_null(pbay_json_get(a, "x").p);
    ck_assert_ptr_null(pbay_json_get(c("[1]"), "a").p);
    ck_assert_ptr_null(pbay_json_get(c("\"a\""), "a").p);
    ck_assert_ptr_null(pbay_json_get((pbay_str){NULL, 0}, "a").p);
    pos = 0;
    ck_assert_int_eq(pbay_json_next(c("{}"), &pos, &key, &v), 0);
    pos = 0;
    ck_assert_int_eq(pbay_json_next(c("7"), &pos, &key, &v), 0);
}
END_TEST

START_TEST(test_types)
{
    ck_assert_int_eq(pbay_json_type(c("\"\"")), 's');
    ck_assert_int_eq(pbay_json_type(c("-1")), 'n');
    ck_assert_int_eq(pbay_json_type(c("7")), 'n');
    ck_assert_int_eq(pbay_json_type(c("{}")), 'o');
    ck_assert_int_eq(pbay_json_type(c("[]")), 'a');
    ck_assert_int_eq(pbay_json_type(c("true")), 'b');
    ck_assert_int_eq(pbay_json_type(c("false")), 'b');
    ck_assert_int_eq(pbay_json_type(c("null")), '0');
    ck_assert_int_eq(pbay_json_type((pbay_str){NULL, 0}), 0);
    ck_assert(pbay_json_true(c("true")));
    ck_assert(!pbay_json_true(c("false")));
    ck_assert(!pbay_json_true(c("\"true\"")));
    ck_assert(pbay_json_is(c("\"a\\u0062c\""), "abc"));
    ck_assert(pbay_json_is(c("\"\""), ""));
    ck_assert(pbay_json_is(c("\"\\u00fc\""), "\xc3\xbc"));
    ck_assert(!pbay_json_is(c("\"abc\""), "ab"));
    ck_assert(!pbay_json_is(c("\"ab\""), "abc"));
    ck_assert(!pbay_json_is(c("abc"), "abc"));
    ck_assert(!pbay_json_is(c("\"a\\nb\""), "a\\nb"));
}
END_TEST

START_TEST(test_numbers)
{
    static const struct {
        const char *text;
        double v;
    } floats[] = {
        {"0", 0},
        {"-0.0", 0},
        {"0.1", 0.1},
        {"3.141592653589793", M_PI},
        {"1e22", 1e22},
        {"1e23", 1e23},
        {"-2.5E-3", -2.5e-3},
        {"123456789012345678", 123456789012345678.0},
        {"0.000000000000000000000000000000000000001", 1e-39},
        {"1.7976931348623157e308", 1.7976931348623157e308},
        {"2.2250738585072014e-308", 2.2250738585072014e-308},
        {"1e-400", 0},
        {"0e999999999999", 0},
        {"100000000000000000000000000000000000000000000e-44", 1},
        {"0.12345678901234567890123456789", 0.12345678901234567890123456789},
    };
    int64_t i;
    double d;

    ck_assert(pbay_json_i64(c("9223372036854775807"), &i) == 0 &&
              i == INT64_MAX);
    ck_assert(pbay_json_i64(c("-9223372036854775808"), &i) == 0 &&
              i == INT64_MIN);
    ck_assert(pbay_json_i64(c("-12"), &i) == 0 && i == -12);
    ck_assert_int_eq(pbay_json_i64(c("9223372036854775808"), &i),
                     PBAY_JSON_TYPE);
    ck_assert_int_eq(pbay_json_i64(c("92233720368547758070"), &i),
                     PBAY_JSON_TYPE);
    ck_assert_int_eq(pbay_json_i64(c("1.0"), &i), PBAY_JSON_TYPE);
    ck_assert_int_eq(pbay_json_i64(c("1e3"), &i), PBAY_JSON_TYPE);
    ck_assert_int_eq(pbay_json_i64(c("\"1\""), &i), PBAY_JSON_TYPE);
    ck_assert_int_eq(pbay_json_i64((pbay_str){NULL, 0}, &i), PBAY_JSON_TYPE);
    for (size_t n = 0; n < sizeof floats / sizeof *floats; n++) {
        ck_assert_int_eq(pbay_json_f64(c(floats[n].text), &d), 0);
        ck_assert_msg(fabs(d - floats[n].v) <= fabs(floats[n].v) * 3e-16,
                      "%s is not %.17g", floats[n].text, d);
    }
    ck_assert_int_eq(pbay_json_f64(c("1e309"), &d), PBAY_JSON_TYPE);
    ck_assert_int_eq(pbay_json_f64(c("1e99999999999"), &d), PBAY_JSON_TYPE);
    ck_assert_int_eq(pbay_json_f64(c("null"), &d), PBAY_JSON_TYPE);
}
END_TEST

/* Piece by piece through a buffer of 8 bytes: the same, no character cut. */
static void parts_are(pbay_str value, pbay_str want)
{
    char all[64], part[8];
    size_t pos = 0, n, len = 0;

    while ((n = pbay_json_unescape_part(value, &pos, part, sizeof part)) > 0) {
        ck_assert_uint_le(n, sizeof part);
        ck_assert_int_ne((unsigned char)part[0] & 0xc0, 0x80);
        memcpy(all + len, part, n);
        len += n;
    }
    ck_assert_uint_eq(len, want.n);
    if (len)
        ck_assert_mem_eq(all, want.p, len);
}

START_TEST(test_unescape)
{
    static const struct {
        const char *text;
        pbay_str want;
    } cases[] = {
        {"\"\"", PBAY_LIT("")},
        {"\"plain\"", PBAY_LIT("plain")},
        {"\"a\\\"\\\\\\/\\b\\f\\n\\r\\tz\"", PBAY_LIT("a\"\\/\b\f\n\r\tz")},
        {"\"Z\\u00fcrich \\u4e2D\"", PBAY_LIT("Z\xc3\xbcrich \xe4\xb8\xad")},
        {"\"\\ud83d\\ude00\"", PBAY_LIT("\xf0\x9f\x98\x80")},
        {"\"\\u0000\"", PBAY_LIT("\0")},
        {"\"\\ud83dx\"", PBAY_LIT("\xef\xbf\xbdx")},
        {"\"\\ud83d\\n\"", PBAY_LIT("\xef\xbf\xbd\n")},
        {"\"\\ude00\\ud83d\"", PBAY_LIT("\xef\xbf\xbd\xef\xbf\xbd")},
        {"\"\\ud83d\\ud83d\\ude00\"", PBAY_LIT("\xef\xbf\xbd\xf0\x9f\x98\x80")},
        {"\"1234\xf0\x9f\x98\x80\xe4\xb8\xad\\u00e9\xc3\xbc\\n6789\"",
         PBAY_LIT("1234\xf0\x9f\x98\x80\xe4\xb8\xad\xc3\xa9\xc3\xbc\n"
                  "6789")},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pbay_str v = c(cases[i].text);
        char *dst = malloc(v.n);
        int64_t n = pbay_json_unescape(v, dst, v.n);
        ck_assert_int_eq(n, (int64_t)cases[i].want.n);
        if (n)
            ck_assert_mem_eq(dst, cases[i].want.p, (size_t)n);
        if (n > 0)
            ck_assert_int_eq(pbay_json_unescape(v, dst, (size_t)n - 1),
                             PBAY_JSON_TYPE);
        free(dst);
        parts_are(v, cases[i].want);
    }
    ck_assert_int_eq(pbay_json_unescape(c("12"), (char[4]){0}, 4),
                     PBAY_JSON_TYPE);
}
END_TEST

/* --------------------------------------------------------------- writing */

static char *grow(void *arg, char *old, size_t n, size_t room)
{
    (void)n;
    ++*(int *)arg;
    return realloc(old, room);
}

START_TEST(test_write)
{
    int grown = 0;
    pbay_out o = {.grow = grow, .arg = &grown};
    char fixed[8];
    pbay_out f = {.p = fixed, .room = sizeof fixed};

    pbay_out_string(&o, S("a\"\\/\b\f\n\r\t\x01\x7f\xc3\xbc\xf0\x9f\x98\x80"));
    pbay_out_string(&o, S("\xff-\xc3-\xed\xa0\x80-\0"));
    pbay_out_i64(&o, INT64_MIN);
    pbay_out_cstr(&o, "");
    pbay_out_raw(&o, (pbay_str){NULL, 0});
    ck_assert_int_eq(o.failed, 0);
    ck_assert_int_gt(grown, 0);
    pbay_str want = S("\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\x7f\xc3\xbc"
                      "\xf0\x9f\x98\x80\"\"\xef\xbf\xbd-\xef\xbf\xbd-"
                      "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd-\\u0000\""
                      "-9223372036854775808");
    ck_assert_uint_eq(o.n, want.n);
    ck_assert_mem_eq(o.p, want.p, want.n);
    free(o.p);

    pbay_out_string(&f, S("123456"));
    ck_assert_int_eq(f.failed, 0);
    ck_assert_uint_eq(f.n, 8);
    pbay_out_cstr(&f, "x");
    ck_assert_int_eq(f.failed, 1);
    ck_assert_uint_eq(f.n, 8);
    pbay_out_cstr(&f, "");
    ck_assert_int_eq(f.failed, 1);
}
END_TEST

/* ------------------------------------------------------------- any bytes */

static uint32_t random_state = 20261120;

static uint32_t rnd(uint32_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state % below;
}

/* Everything that reads, on whatever text; returns what check said. */
static int read_all(pbay_str s)
{
    pbay_kv kv[16];
    pbay_str key, v, inner;
    size_t n, at, pos = 0;
    int64_t i;
    double d;
    char *dst = malloc(s.n ? s.n : 1);
    int rc = pbay_json_check(s, &at);

    ck_assert_uint_le(at, s.n);
    pbay_json_members(s, kv, 16, &n, &at);
    ck_assert_uint_le(at, s.n);
    for (size_t k = 0; k < n; k++)
        ck_assert(kv[k].v.p >= s.p && kv[k].v.p + kv[k].v.n <= s.p + s.n);
    pbay_json_get(s, "a");
    pbay_json_unescape(s, dst, s.n);
    pbay_json_is(s, "text");
    while (pbay_json_next(s, &pos, &key, &v)) {
        size_t in = 0;
        ck_assert(v.n && v.p >= s.p && v.p + v.n <= s.p + s.n);
        ck_assert(!key.n || (key.p >= s.p && key.p + key.n <= s.p + s.n));
        pbay_json_i64(v, &i);
        pbay_json_f64(v, &d);
        pbay_json_unescape(v, dst, s.n);
        size_t at_part = 0;
        char part[8];
        while (pbay_json_unescape_part(v, &at_part, part, sizeof part) > 0)
            ;
        while (pbay_json_next(v, &in, &key, &inner))
            pbay_json_unescape(inner, dst, s.n);
    }
    free(dst);
    return rc;
}

START_TEST(test_mutations)
{
    static const char bytes[] = "{}[]\",:\\u0e-.123tfn \n\x80\xc3\xbc\xed\xff";
    static const char seed[] =
        "{\"a\":[1,-2.5e+3,\"x\\n\\u00fc\\ud83d\\ude00\",{\"b\":null}],"
        "\"text\":\"0123456789abcdefghij\xc3\xbc\xe4\xb8\xad\",\"c\":{\"d\":"
        "[[],{},true,false]}}";
    int valid = 0, rounds = getenv("PATCHBAY_LONG") ? 2000000 : 100000;

    for (int round = 0; round < rounds; round++) {
        char text[sizeof seed + 8];
        size_t n = sizeof seed - 1;
        memcpy(text, seed, n);
        for (uint32_t k = rnd(4); k > 0; k--) {
            size_t at = rnd((uint32_t)n);
            char b = bytes[rnd(sizeof bytes - 1)];
            if (rnd(3) == 0) {
                memmove(text + at, text + at + 1, n - at - 1);
                n--;
            } else if (rnd(2) && n < sizeof text) {
                memmove(text + at + 1, text + at, n - at);
                text[at] = b;
                n++;
            } else {
                text[at] = b;
            }
        }
        if (rnd(8) == 0)
            n = rnd((uint32_t)n + 1);
        char *p = tight((pbay_str){text, n});
        valid += read_all((pbay_str){p, n}) == 0;
        free(p);
    }
    /* The mutations stay near enough to JSON to be worth something. */
    ck_assert_int_gt(valid, rounds / 10);
    ck_assert_int_lt(valid, rounds * 9 / 10);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json");
    TCase *t = tcase_create("json");
    SRunner *runner;
    int failed;

    tcase_set_timeout(t, 300);
    tcase_add_test(t, test_accept);
    tcase_add_test(t, test_refuse);
    tcase_add_test(t, test_prefixes);
    tcase_add_test(t, test_depth);
    tcase_add_test(t, test_blocks);
    tcase_add_test(t, test_pick);
    tcase_add_test(t, test_members);
    tcase_add_test(t, test_twice);
    tcase_add_test(t, test_many);
    tcase_add_test(t, test_walk);
    tcase_add_test(t, test_types);
    tcase_add_test(t, test_numbers);
    tcase_add_test(t, test_unescape);
    tcase_add_test(t, test_write);
    tcase_add_test(t, test_mutations);
    suite_add_tcase(suite, t);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
