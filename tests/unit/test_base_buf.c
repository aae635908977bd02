/* SPDX-License-Identifier: MIT */
/* The bounded buffer. */
#include <errno.h>

#include <json-c/json.h>

#include "base/buf.h"

#include "test_base.h"

#define MODEL_MAX 5000

/* Against the simplest thing that could be right, by random operations. */
START_TEST(like_a_model)
{
    static char model[MODEL_MAX], text[6000];
    size_t n = 0;
    struct buf b;
    uint64_t seed = unit_seed((uint64_t)_i + 1);
    unsigned refused = 0;

    buf_init(&b, MODEL_MAX);
    for (int i = 0; i < 20000; i++) {
        size_t len = unit_below(&seed, i % 10 ? 60 : sizeof(text));
        size_t op = unit_below(&seed, 8);
        int rc;

        for (size_t k = 0; k < len; k++)
            text[k] = (char)unit_random(&seed);
        if (op < 3) {
            rc = buf_add(&b, str_n(text, len));
            ck_assert_int_eq(rc, len > MODEL_MAX - n ? -EMSGSIZE : 0);
            refused += rc < 0;
            if (rc == 0) {
                memcpy(model + n, text, len);
                n += len;
            }
        } else if (op < 5) {
            char *p = buf_space(&b, len);

            ck_assert((p != NULL) == (len <= MODEL_MAX - n));
            if (p) {
                memcpy(p, text, len);
                memcpy(model + n, text, len / 2);
                n += len / 2;
                buf_grew(&b, len / 2);
            }
        } else if (op < 7) {
            buf_consume(&b, len);
            len = len < n ? len : n;
            memmove(model, model + len, n - len);
            n -= len;
        } else if (i % 50 == 0) {
            buf_reset(&b, len);
            n = 0;
            ck_assert_uint_le(b.room, len);
        }
        ck_assert_uint_eq(b.n, n);
        ck_assert_uint_le(b.room, MODEL_MAX);
        ck_assert_mem_eq(buf_str(&b).p, model, n);
    }
    ck_assert_uint_gt(refused, 10);
    buf_done(&b);
}
END_TEST

START_TEST(bound)
{
    struct buf b;

    buf_init(&b, 10);
    ck_view_eq(buf_str(&b), "");
    ck_assert_int_eq(buf_addc(&b, "0123456789"), 0);
    ck_assert_int_eq(buf_addc(&b, ""), 0);
    ck_assert_int_eq(buf_addc(&b, "x"), -EMSGSIZE);
    ck_assert_ptr_nonnull(buf_space(&b, 0));
    errno = 0;
    ck_assert_ptr_null(buf_space(&b, 1));
    ck_assert_int_eq(errno, EMSGSIZE);
    ck_assert_ptr_null(buf_space(&b, SIZE_MAX));
    ck_view_eq(buf_str(&b), "0123456789");
    buf_consume(&b, 4);
    ck_assert_int_eq(buf_addc(&b, "abcd"), 0);
    ck_view_eq(buf_str(&b), "456789abcd");
    buf_grew(&b, 1000); /* more than there is room for is not believed */
    ck_assert_uint_le(b.n, 10);
    buf_consume(&b, 99);
    ck_assert_uint_eq(b.n, 0);
    buf_done(&b);
    buf_done(&b);
}
END_TEST

START_TEST(printing)
{
    char big[301];
    struct buf b;

    memset(big, 'x', 300);
    big[300] = '\0';
    buf_init(&b, 310);
    ck_assert_int_eq(buf_printf(&b, "%s=%d;", "n", -3), 0);
    ck_view_eq(buf_str(&b), "n=-3;");
    ck_assert_int_eq(buf_printf(&b, "%s123456", big), -EMSGSIZE);
    ck_view_eq(buf_str(&b), "n=-3;");
    ck_assert_int_eq(buf_printf(&b, "%s1234", big), 0);
    ck_assert_uint_eq(b.n, 309);
    ck_assert_int_eq(buf_printf(&b, "!"), 0); /* exactly full */
    ck_assert_int_eq(buf_printf(&b, "!"), -EMSGSIZE);
    buf_reset(&b, 0);
    ck_assert_int_eq(buf_printf(&b, "%s1234567890", big), 0); /* at once */
    ck_assert_uint_eq(b.n, 310);
    ck_assert(str_ends(buf_str(&b), "x1234567890"));
    buf_done(&b);
}
END_TEST

START_TEST(json_strings)
{
    struct buf b;

    buf_init(&b, 100);
    ck_assert_int_eq(buf_json(&b, str_n("a\"\\/\b\f\n\r\t\x01\x00\x7F", 12)),
                     0);
    ck_view_eq(buf_str(&b), "\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u0000\x7F\"");
    buf_reset(&b, 0);
    ck_assert_int_eq(buf_json(&b, STR("\xC3\xA9\xC3\xED\xA0\x80")), 0);
    ck_view_eq(buf_str(&b), "\"\xC3\xA9\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
                            "\xEF\xBF\xBD\"");
    buf_reset(&b, 0);
    ck_assert_int_eq(buf_json(&b, STR_NONE), 0);
    ck_view_eq(buf_str(&b), "\"\"");
    buf_done(&b);
}
END_TEST

/* Whatever bytes go in, a strict parser reads back what is UTF-8 of them. */
START_TEST(json_random)
{
    uint64_t seed = unit_seed(9);
    struct buf b;

    buf_init(&b, 1000);
    for (int i = 0; i < 5000; i++) {
        char text[40], want[160];
        size_t n = unit_below(&seed, sizeof(text)), m = 0;
        struct json_object *o;

        for (size_t k = 0; k < n; k++)
            text[k] = (char)(unit_below(&seed, 3) ? unit_below(&seed, 128)
                                                  : unit_random(&seed));
        for (size_t k = 0; k < n;) {
            size_t len = str_utf8(str_n(text + k, n - k), NULL);

            memcpy(want + m, len ? text + k : "\xEF\xBF\xBD", len ? len : 3);
            m += len ? len : 3;
            k += len ? len : 1;
        }
        buf_reset(&b, 1000);
        ck_assert_int_eq(buf_json(&b, str_n(text, n)), 0);
        ck_assert_int_eq(buf_add(&b, str_n("", 1)), 0);
        o = json_tokener_parse(buf_str(&b).p);
        ck_assert_ptr_nonnull(o);
        ck_assert_int_eq(json_object_get_string_len(o), (int)m);
        ck_assert_mem_eq(json_object_get_string(o), want, m);
        json_object_put(o);
    }
    buf_done(&b);
}
END_TEST

START_TEST(json_whole_or_not)
{
    for (size_t max = 0; max < 20; max++) {
        struct buf b;
        int rc;

        buf_init(&b, max);
        rc = buf_json(&b, STR("ab\n\x01"
                              "c")); /* 13 bytes with quotes */
        ck_assert_int_eq(rc, max < 13 ? -EMSGSIZE : 0);
        ck_assert_uint_eq(b.n, max < 13 ? 0 : 13);
        buf_done(&b);
    }
}
END_TEST

/* A long queue that is always nearly full must not be moved for each byte: a
 * quadratic buffer would move some 200 GB here. */
START_TEST(moving_is_paid_for)
{
    static char piece[4096];
    struct buf b;

    buf_init(&b, 16 << 20);
    for (size_t i = 0; i < (8 << 20) / sizeof(piece); i++)
        ck_assert_int_eq(buf_add(&b, str_n(piece, sizeof(piece))), 0);
    for (int i = 0; i < 50000; i++) {
        buf_consume(&b, 100);
        ck_assert_int_eq(buf_add(&b, str_n(piece, 100)), 0);
    }
    ck_assert_uint_eq(b.n, 8 << 20);
    buf_done(&b);
}
END_TEST

Suite *base_buf_suite(void)
{
    Suite *s = suite_create("base/buf");
    TCase *t = tcase_create("buf");

    tcase_add_loop_test(t, like_a_model, 0, 4);
    tcase_add_test(t, bound);
    tcase_add_test(t, printing);
    tcase_add_test(t, json_strings);
    tcase_add_test(t, json_random);
    tcase_add_test(t, json_whole_or_not);
    tcase_add_test(t, moving_is_paid_for);
    suite_add_tcase(s, t);
    return s;
}
