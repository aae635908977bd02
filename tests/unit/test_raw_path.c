/* SPDX-License-Identifier: MIT */
/* Paths of the raw door: whatever comes in, what goes out stays below the base
 * URL; and what of a client's headers stays here; and the spool's bounds. */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "dialect/raw.h"
#include "dialect/raw_path.h"
#include "dialect/spool.h"
#include "unit.h"

static struct arena arena;

static void setup(void)
{
    arena_init(&arena, LIM_MIB(64));
}

static void teardown(void)
{
    arena_done(&arena);
}

START_TEST(test_plain)
{
    static const char *const cases[][3] = {
        {"/raw/up", "up", "/"},
        {"/raw/up/", "up", "/"},
        {"/raw/up//", "up", "/"},
        {"/raw/up/files", "up", "/files"},
        {"/raw/up/files/", "up", "/files/"},
        {"/raw/up//a///b", "up", "/a/b"},
        {"/raw/up/a%20b/%41", "up", "/a%20b/A"},
        {"/raw/up/a%2fb", "up", "/a%2Fb"},
        {"/raw/up/%2f/x", "up", "/%2F/x"},
        {"/raw/up/a%25", "up", "/a%25"},
        {"/raw/up/100%25zz", "up", "/100%25zz"},
        {"/raw/up/m%C3%BCll", "up", "/m%C3%BCll"},
        {"/raw/up/@x:y", "up", "/@x:y"},
        {"/raw/my-up_2/x", "my-up_2", "/x"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        pbay_str provider, out;
        const char *why = NULL;
        ck_assert_msg(
            raw_path(str_c(cases[i][0]), &arena, &provider, &out, &why) == 0,
            "%s: %s", cases[i][0], why);
        ck_view_eq(provider, cases[i][1]);
        ck_view_eq(out, cases[i][2]);
    }
}
END_TEST

START_TEST(test_refused)
{
    static const char *const cases[] = {
        "/raw/up/..",
        "/raw/up/.",
        "/raw/up/../x",
        "/raw/up/a/..",
        "/raw/up/%2e%2e/x",
        "/raw/up/%2E.",
        "/raw/up/..%2fx",
        "/raw/up/x%2f..",
        "/raw/up/x%2F%2e%2e%2Fy",
        "/raw/up/..;a/x",
        "/raw/up/%2e%2e%3bx",
        "/raw/up/..%3b%2fx",
        "/raw/up/..\\x",
        "/raw/up/a%5cb",
        "/raw/up/%252e%252e/x",
        "/raw/up/%252f",
        "/raw/up/%00",
        "/raw/up/a%0ab",
        "/raw/up/%7f",
        "/raw/up/%c0%ae",
        "/raw/up/%ff",
        "/raw/up/%ed%a0%80",
        "/raw/up/%",
        "/raw/up/%4",
        "/raw/up/%g0",
        "/raw/up/%4%31",
        "/raw/up/http://x/y",
        "/raw/up/a/https://",
        "/raw//x",
        "/raw/",
        "/raw/../x",
        "/raw/./x",
        "/raw/%75p/x",
        "/raw/u%2fp/x",
        "/rawx/up/x",
        "raw/up/x",
        "/RAW/up/x",
        "",
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        pbay_str provider, out = STR("?");
        const char *why = NULL;
        ck_assert_msg(
            raw_path(str_c(cases[i]), &arena, &provider, &out, &why) == -1,
            "%s became %.*s", cases[i], STR_ARG(out));
        ck_assert_ptr_nonnull(why);
    }
}
END_TEST

static int hex(char c)
{
    return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* Decoded as often as anybody might: does some part climb? */
static bool climbs(pbay_str path)
{
    char *s = malloc(path.n + 1);
    size_t n = path.n;
    bool found = false;

    memcpy(s, path.p, n);
    for (int round = 0; round < 4; round++) {
        size_t k = 0;
        pbay_str rest = str_n(s, n);
        while (rest.p) {
            pbay_str part = str_cut(&rest, '/'), name = str_cut(&part, ';');
            found |= str_is(name, "..") || str_is(name, ".");
        }
        for (size_t i = 0; i < n; i++) {
            char c = s[i];
            if (c == '%' && n - i > 2 && isxdigit((unsigned char)s[i + 1]) &&
                isxdigit((unsigned char)s[i + 2])) {
                c = (char)(hex(s[i + 1]) << 4 | hex(s[i + 2]));
                i += 2;
            }
            s[k++] = c == '\\' ? '/' : c;
        }
        n = k;
    }
    free(s);
    return found;
}

START_TEST(test_generated)
{
    static const char *const bits[] = {
        "..",       ".",      "/",      "//",    "%2e", "%2E", "%2f",
        "%5c",      "\\",     "%25",    "%252e", "a",   "b",   ";",
        "%3b",      "%00",    "%c0%ae", "?",     ":",   "@",   "%20",
        "\xc3\xbc", "%C3%BC", "x=y",    "http:", "%"};
    uint64_t seed = 20261121;
    size_t taken = 0;

    for (int i = 0; i < 200000; i++) {
        char path[256] = "/raw/up/";
        pbay_str provider, out;
        const char *why = NULL;
        size_t n = 1 + unit_below(&seed, 9);
        while (n--)
            strcat(path, bits[unit_below(&seed, sizeof(bits) / sizeof(*bits))]);
        arena_done(&arena);
        arena_init(&arena, LIM_MIB(1));
        if (raw_path(str_c(path), &arena, &provider, &out, &why) < 0)
            continue;
        taken++;
        ck_assert_msg(!climbs(out), "%s became %.*s", path, STR_ARG(out));
        ck_assert(out.n && out.p[0] == '/');
        for (size_t k = 0; k < out.n; k++)
            ck_assert(out.p[k] > 32 && out.p[k] < 127 && out.p[k] != '?' &&
                      out.p[k] != '#' && out.p[k] != '\\');
        ck_assert(!memmem(out.p, out.n, "//", 2));
    }
    ck_assert_uint_gt(taken, 1000);
}
END_TEST

START_TEST(test_headers)
{
    static const char *const gone[] = {"Authorization",
                                       "X-API-Key",
                                       "api-key",
                                       "Cookie",
                                       "Cookie2",
                                       "x-goog-api-key",
                                       "X-Auth-Email",
                                       "X-CSRF-Token",
                                       "Host",
                                       "TRANSFER-ENCODING",
                                       "Proxy-Authorization",
                                       "X-Forwarded-Host",
                                       "Sec-Fetch-Site",
                                       "X-Patchbay-Anything",
                                       "X-Listed",
                                       "upgrade",
                                       ""};
    static const char *const stay[] = {"Accept", "OpenAI-Beta", "X-Other",
                                       "Range",  "If-Match",    "User-Agent"};

    for (size_t i = 0; i < sizeof(gone) / sizeof(*gone); i++)
        ck_assert_msg(raw_drops(str_c(gone[i]), STR("close, x-listed")),
                      "%s passes", gone[i]);
    for (size_t i = 0; i < sizeof(stay) / sizeof(*stay); i++)
        ck_assert_msg(!raw_drops(str_c(stay[i]), STR("close, x-listed")),
                      "%s is dropped", stay[i]);
}
END_TEST

START_TEST(test_spool)
{
    static char piece[LIM_KIB(100)];
    struct spool a, b;
    pbay_str body;

    memset(piece, 'x', sizeof(piece));
    spool_init(&a, "/nonexistent/directory", LIM_KIB(900), LIM_KIB(1000));
    spool_init(&b, "/tmp", LIM_KIB(900), LIM_KIB(1000));
    /* a little stays in memory, and is no part of the sum */
    ck_assert_int_eq(spool_add(&a, str_n(piece, sizeof(piece))), 0);
    ck_assert_int_eq(a.fd, -1);
    ck_assert_uint_eq(spool_all(), 0);
    for (int i = 1; i < 9; i++) {
        piece[0] = (char)('0' + i);
        ck_assert_int_eq(spool_add(&a, str_n(piece, sizeof(piece))), 0);
    }
    ck_assert_int_ge(a.fd, 0);
    ck_assert_uint_eq(spool_all(), LIM_KIB(900));
    ck_assert_int_eq(spool_add(&a, STR("one more")), -EMSGSIZE);
    /* another that does not fit beside it */
    ck_assert_int_eq(spool_add(&b, str_n(piece, sizeof(piece))), 0);
    ck_assert_int_eq(spool_add(&b, str_n(piece, sizeof(piece))), 0);
    ck_assert_int_eq(spool_add(&b, str_n(piece, sizeof(piece))), -EDQUOT);
    ck_assert_int_eq(spool_body(&a, &body), 0);
    ck_assert_uint_eq(body.n, LIM_KIB(900));
    ck_assert_int_eq(body.p[LIM_KIB(800)], '8');
    spool_done(&a);
    spool_done(&a);
    ck_assert_uint_eq(spool_all(), 0);
    ck_assert_int_eq(spool_add(&b, str_n(piece, sizeof(piece))), 0);
    spool_done(&b);
    ck_assert_uint_eq(spool_all(), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("raw");
    TCase *t = tcase_create("raw");
    SRunner *runner;
    int failed;

    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_plain);
    tcase_add_test(t, test_refused);
    tcase_add_test(t, test_generated);
    tcase_add_test(t, test_headers);
    tcase_add_test(t, test_spool);
    suite_add_tcase(suite, t);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
