/* SPDX-License-Identifier: MIT */
/* Trees of JSON. */
#include <errno.h>

#include "base/json.h"

#include "test_base.h"

static struct json_object *parse(const char *text)
{
    struct json_object *o = NULL;
    struct js_error e = {0};

    ck_assert_msg(js_parse(str_c(text), 8, &o, &e) == 0, "%s: %s", text, e.why);
    return o;
}

START_TEST(values)
{
    static const char *const texts[] = {"{}",
                                        "[]",
                                        "12",
                                        "-0.5e3",
                                        "\"\xC3\xA9\"",
                                        "true",
                                        "false",
                                        "[1,[2,{\"a\":null}]]",
                                        "{\"a\":{\"b\":\"c\"}}",
                                        "[[[[[[[[]]]]]]]]"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct json_object *o = parse(texts[i]);

        ck_assert_ptr_nonnull(o);
        ck_view_eq(js_text(o), texts[i]);
        json_object_put(o);
    }
    ck_assert_ptr_null(parse(" null "));
}
END_TEST

START_TEST(refusals)
{
    static const struct {
        const char *text;
        size_t at;
        unsigned line, column;
    } bad[] = {
        {"", 0, 1, 1},
        {"{", 1, 1, 2},
        {"{\n  \"a\": 1,\n  b: 2}", 14, 3, 3},
        {"[1,]", 3, 1, 4},
        {"{'a':1}", 1, 1, 2},
        {"[NaN]", 1, 1, 2},
        {"/* */ 1", 0, 1, 1},
        {"1 2", 2, 1, 3},
        {"[01]", 2, 1, 3},
        {"[[[[[[[[[]]]]]]]]]", 8, 1, 9},
        {"{\"a\":[[[[[[[\"[[[[[\"]]]]]]],\"b\":[[[[[[[[]]]]]]]]}", 38, 1, 39},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct json_object *o = NULL;
        struct js_error e = {0};

        ck_assert_msg(js_parse(str_c(bad[i].text), 8, &o, &e) == -EINVAL, "%s",
                      bad[i].text);
        ck_assert_ptr_null(o);
        ck_assert_msg(e.at == bad[i].at, "%s: at %zu", bad[i].text, e.at);
        ck_assert_uint_eq(e.line, bad[i].line);
        ck_assert_uint_eq(e.column, bad[i].column);
        ck_assert_uint_gt(strlen(e.why), 5);
        ck_assert_int_eq(js_parse(str_c(bad[i].text), 8, &o, NULL), -EINVAL);
    }
}
END_TEST

START_TEST(members)
{
    struct json_object *o = parse("{\"s\":\"t\\u0000u\",\"i\":7,\"f\":1.5,"
                                  "\"b\":true,\"n\":null,\"o\":{},\"a\":[]}");

    ck_assert_uint_eq(js_str(o, "s", STR_NONE).n, 3);
    ck_assert_str_eq(js_cstr(o, "s", ""), "t");
    ck_assert_int_eq(js_int(o, "i", 1), 7);
    ck_assert(js_bool(o, "b", false));
    ck_assert_ptr_nonnull(js_typed(o, "o", json_type_object));
    /* Absent, null, or of another type: the default. */
    ck_view_eq(js_str(o, "i", STR("d")), "d");
    ck_assert_str_eq(js_cstr(o, "none", "d"), "d");
    ck_assert_int_eq(js_int(o, "f", 1), 1);
    ck_assert_int_eq(js_int(o, "s", 1), 1);
    ck_assert(js_bool(o, "i", true) && !js_bool(o, "i", false));
    ck_assert_ptr_null(js_get(o, "n"));
    ck_assert_ptr_null(js_typed(o, "o", json_type_array));
    ck_assert_ptr_null(js_get(js_get(o, "a"), "x"));
    ck_assert_ptr_null(js_get(NULL, "x"));
    json_object_put(o);
}
END_TEST

START_TEST(making)
{
    struct json_object *o = json_object_new_object();

    ck_assert_int_eq(js_add_str(o, "s", STR("a/\"\n\xFF\xC3")), 0);
    ck_assert_int_eq(js_add_str(o, "e", STR_NONE), 0);
    ck_assert_int_eq(js_add_int(o, "i", INT64_MAX), 0);
    ck_assert_int_eq(js_add_bool(o, "b", true), 0);
    ck_assert_int_eq(js_add(o, "n", NULL), 0);
    ck_view_eq(js_text(o),
               "{\"s\":\"a/\\\"\\n\xEF\xBF\xBD\xEF\xBF\xBD\",\"e\":\"\","
               "\"i\":9223372036854775807,\"b\":true,\"n\":null}");
    json_object_put(o);
}
END_TEST

Suite *base_json_suite(void)
{
    Suite *s = suite_create("base/json");
    TCase *t = tcase_create("json");

    tcase_add_test(t, values);
    tcase_add_test(t, refusals);
    tcase_add_test(t, members);
    tcase_add_test(t, making);
    suite_add_tcase(s, t);
    return s;
}
