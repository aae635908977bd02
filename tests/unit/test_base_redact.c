/* SPDX-License-Identifier: MIT */
/* Secrets: what is registered never comes out. */
#include <pthread.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/thread.h"

#include "test_base.h"

/* What redact_text() and redact_copy() make of text; they must agree. */
static const char *clean(const char *text)
{
    static char out[4096];
    size_t n = 0, m;
    char *p = redact_text(str_c(text), &n);
    bool cut = true;

    m = redact_copy(out, sizeof(out), str_c(text), &cut);
    ck_assert(!cut);
    ck_assert_uint_eq(strlen(out), m);
    ck_assert_str_eq(out, p ? p : text);
    ck_assert(!p || strlen(p) == n);
    free(p);
    return out;
}

START_TEST(in_plain_text)
{
    ck_assert_ptr_null(redact_text(STR("sk-abcdef"), &(size_t){0}));
    redact_add(STR("sk-abcdef"));
    ck_assert_str_eq(clean("sk-abcdef"), "***");
    ck_assert_str_eq(clean("key sk-abcdef, sk-abcdef!"), "key ***, ***!");
    ck_assert_str_eq(clean("sk-abcde"), "sk-abcde");
    ck_assert_str_eq(clean("ssk-abcdefg"), "s***g");
    ck_assert_str_eq(clean("sk-sk-abcdef"), "sk-***");
    ck_assert_str_eq(clean(""), "");
    redact_remove(STR("sk-abcdef"));
    ck_assert_str_eq(clean("sk-abcdef"), "sk-abcdef");
}
END_TEST

START_TEST(counted)
{
    redact_add(STR("counted"));
    redact_add(STR("counted"));
    redact_remove(STR("counted"));
    ck_assert_str_eq(clean("counted"), "***");
    redact_remove(STR("counted"));
    ck_assert_str_eq(clean("counted"), "counted");
    redact_remove(STR("counted"));
    redact_add(STR("short")); /* under six bytes: would eat ordinary text */
    ck_assert_str_eq(clean("short"), "short");
    redact_remove(STR("short"));
}
END_TEST

/* One begins like the other; one ends as the other begins. */
START_TEST(overlapping)
{
    redact_add(STR("secret-1"));
    redact_add(STR("secret-12345"));
    redact_add(STR("2345-tail"));
    ck_assert_str_eq(clean("<secret-1>"), "<***>");
    ck_assert_str_eq(clean("<secret-12345>"), "<***>");
    ck_assert_str_eq(clean("<secret-1234>"), "<***234>");
    ck_assert_str_eq(clean("<secret-12345-tail>"), "<***>");
    redact_remove(STR("secret-1"));
    redact_remove(STR("secret-12345"));
    redact_remove(STR("2345-tail"));
}
END_TEST

START_TEST(escaped)
{
    redact_add(STR("p\"w/\\+d\xC3\xA9\t9"));
    ck_assert_str_eq(clean("p\"w/\\+d\xC3\xA9\t9"), "***");
    ck_assert_str_eq(clean("{\"k\":\"p\\\"w/\\\\+d\xC3\xA9\\t9\"}"),
                     "{\"k\":\"***\"}");
    ck_assert_str_eq(clean("p\\\"w\\/\\\\\\u002Bd\\u00e9\\u00099"), "***");
    ck_assert_str_eq(clean("\\u0070\\u0022w/\\\\+d\xC3\xA9\\t9"), "***");
    ck_assert_str_eq(clean("?k=p%22w%2f%5C%2Bd%C3%a9%099&x"), "?k=***&x");
    ck_assert_str_eq(clean("p%22w%2"), "p%22w%2"); /* no more than a part */
    ck_assert_str_eq(clean("p\\\"w\\u00"), "p\\\"w\\u00");
    ck_assert_str_eq(clean("\\"), "\\");
    ck_assert_str_eq(clean("%"), "%");
    redact_remove(STR("p\"w/\\+d\xC3\xA9\t9"));
}
END_TEST

START_TEST(base64)
{
    redact_add(STR("user:password"));
    ck_assert_str_eq(clean("Proxy-Authorization: Basic dXNlcjpwYXNzd29yZA=="),
                     "Proxy-Authorization: Basic ***==");
    redact_remove(STR("user:password"));
    ck_assert_str_eq(clean("dXNlcjpwYXNzd29yZA"), "dXNlcjpwYXNzd29yZA");
}
END_TEST

/* A secret at every place around the end of what fits: never a part of it. */
START_TEST(never_cut_through)
{
    static char text[200], out[128];

    redact_add(STR("#secret-value#"));
    for (size_t at = 0; at <= 120 - 14; at++) {
        for (size_t room = 1; room <= sizeof(out); room++) {
            bool cut;
            size_t n;

            memset(text, '.', 120);
            memcpy(text + at, "#secret-value#", 14);
            n = redact_copy(out, room, str_n(text, 120), &cut);
            ck_assert_uint_lt(n, room);
            ck_assert_uint_eq(strlen(out), n);
            ck_assert(cut == (room - 1 < 120 - 14 + 3));
            ck_assert_ptr_null(strchr(out, '#'));
        }
    }
    redact_remove(STR("#secret-value#"));
}
END_TEST

/* Random alphabets against the definition: no registered value is left in the
 * result, and what lies outside of any value is. */
START_TEST(random_texts)
{
    static const char *const values[] = {"aaaaaa", "ababab", "bababa",
                                         "aabbaabb"};
    uint64_t seed = unit_seed(13);

    for (size_t i = 0; i < 4; i++)
        redact_add(str_c(values[i]));
    for (int i = 0; i < 8000; i++) {
        char text[40], want[80];
        bool covered[40] = {false};
        size_t n = unit_below(&seed, 39), m = 0;

        for (size_t k = 0; k < n; k++)
            text[k] = "aabbc"[unit_below(&seed, 5)];
        text[n] = '\0';
        for (size_t k = 0; k < n; k++) {
            for (size_t v = 0; v < 4; v++) {
                size_t len = strlen(values[v]);

                if (strncmp(text + k, values[v], len) == 0)
                    memset(covered + k, 1, len);
            }
        }
        for (size_t k = 0; k < n; k++) {
            if (!covered[k])
                want[m++] = text[k];
            else if (!k || !covered[k - 1])
                m += (size_t)sprintf(want + m, "***");
        }
        want[m] = '\0';
        /* Two values side by side may be one mask or two. */
        if (strcmp(clean(text), want) != 0) {
            const char *got = clean(text), *w = want;

            for (; *got; got++) {
                if (*got == '*' && *w != '*')
                    continue;
                ck_assert_int_eq(*got, *w);
                w++;
            }
            ck_assert_int_eq(*w, '\0');
        }
        for (size_t v = 0; v < 4; v++)
            ck_assert_ptr_null(strstr(clean(text), values[v]));
    }
    for (size_t i = 0; i < 4; i++)
        redact_remove(str_c(values[i]));
}
END_TEST

/* ------------------------------------------------- secrets and the log */

/* tests/unit/local.mk links with --wrap, so that we see what is wiped. */
void __wrap_explicit_bzero(void *p, size_t n);
void __wrap___explicit_bzero_chk(void *p, size_t n, size_t room);

static unsigned wiped; /* how many times the value was, or a part of it */

static void wipe(void *p, size_t n)
{
    volatile char *at = p;

    if (n >= 12 && memcmp(p, "wipe-me-away", 12) == 0)
        wiped++;
    while (n--)
        *at++ = 0;
}

void __wrap_explicit_bzero(void *p, size_t n)
{
    wipe(p, n);
}

void __wrap___explicit_bzero_chk(void *p, size_t n, size_t room)
{
    (void)room;
    wipe(p, n);
}

START_TEST(secrets)
{
    struct secret *s = secret_new(STR("wipe-me-away")), *same;

    ck_view_eq(secret_expose(s), "wipe-me-away");
    ck_assert_int_eq(secret_expose(s).p[12], '\0');
    ck_assert_str_eq(clean("wipe-me-away"), "***");
    same = secret_ref(s);
    secret_free(s);
    ck_assert_uint_eq(wiped, 0);
    ck_view_eq(secret_expose(same), "wipe-me-away");
    ck_assert_str_eq(clean("wipe-me-away"), "***");
    secret_free(same);
    ck_assert_uint_eq(wiped, 2); /* itself, and the registered copy */
    ck_assert_str_eq(clean("wipe-me-away"), "wipe-me-away");
    secret_free(NULL);
    ck_assert_uint_eq(secret_expose(NULL).n, 0);
    s = secret_new(STR_NONE);
    ck_assert_uint_eq(secret_expose(s).n, 0);
    secret_free(s);
}
END_TEST

static char *log_to_text(enum log_format format, const char *msg,
                         const char *value)
{
    FILE *out = tmpfile();
    char *text = NULL;
    size_t n;

    log_set_format(format);
    ck_assert_int_eq(log_start(fileno(out)), 0);
    log_line(LOG_ERROR, "w", msg, log_cstr("v", value), LOG_END);
    log_f(LOG_ERROR, "w", "%s %s", msg, value);
    log_stop();
    log_set_format(LOG_TEXT);
    lseek(fileno(out), 0, SEEK_SET);
    ck_assert_int_eq(fs_read_fd(fileno(out), 1 << 20, &text, &n), 0);
    fclose(out);
    return text;
}

START_TEST(in_the_log)
{
    struct secret *s = secret_new(STR("sk-\"very/secret\""));
    enum log_format format = _i ? LOG_JSON : LOG_TEXT;
    char *text =
        log_to_text(format, "refused sk-\"very/secret\"",
                    "{\"error\":\"bad key sk-\\\"very\\/secret\\\"\"}");

    ck_assert_ptr_null(strstr(text, "very"));
    ck_assert_ptr_nonnull(strstr(text, "refused ***"));
    ck_assert_ptr_nonnull(strstr(text, "bad key ***"));
    free(text);
    secret_free(s);
}
END_TEST

/* A long message is cut after it was redacted, wherever the secret lies. */
START_TEST(in_long_lines)
{
    static char value[LIM_LOG_LINE + 200];
    struct secret *s = secret_new(STR("#secret-value#"));

    for (size_t at = LIM_LOG_LINE - 160; at < LIM_LOG_LINE + 20; at++) {
        char *text;

        memset(value, '.', sizeof(value) - 1);
        memcpy(value + at, "#secret-value#", 14);
        text = log_to_text(at % 2 ? LOG_JSON : LOG_TEXT, "m", value);
        ck_assert_ptr_null(strchr(text, '#'));
        ck_assert_ptr_nonnull(strstr(text, "cut"));
        free(text);
    }
    secret_free(s);
}
END_TEST

START_TEST(in_errors)
{
    struct secret *s = secret_new(STR("#secret-value#"));
    static char long_text[1200];
    pbay_error ev = {.size = sizeof(ev), .kind = PBAY_E_INVALID};
    struct err e;

    err_set(&e, ERR_CONNECT, "to %s", "#secret-value#");
    ck_assert_str_eq(e.message, "to ***");
    for (size_t at = 980; at < 1040; at++) {
        memset(long_text, '.', sizeof(long_text) - 1);
        memcpy(long_text + at, "#secret-value#", 14);
        err_set(&e, ERR_CONNECT, "%s", long_text);
        ck_assert_ptr_null(strchr(e.message, '#'));
    }
    ev.message = ev.code = ev.type = ev.param = ev.request_id =
        STR("x #secret-value#");
    err_from_event(&e, &ev);
    ck_assert_str_eq(e.message, "x ***");
    ck_assert_str_eq(e.code, "x ***");
    ck_assert_str_eq(e.type, "x ***");
    ck_assert_str_eq(e.param, "x ***");
    ck_assert_str_eq(e.request_id, "x ***");
    secret_free(s);
}
END_TEST

/* Registering and redacting at once, for the thread sanitizer. */
static void *come_and_go(void *arg)
{
    for (int i = 0; i < 2000; i++) {
        struct secret *s = secret_new(str_c(arg));
        char out[64];

        redact_copy(out, sizeof(out), str_c(arg), NULL);
        ck_assert_str_eq(out, "***");
        secret_free(s);
    }
    return NULL;
}

START_TEST(from_threads)
{
    static char value[3][16] = {"shared-by-two", "shared-by-two", "one's own"};
    pthread_t t[3];

    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(thread_start(&t[i], "r", come_and_go, value[i]), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
}
END_TEST

static void start(void)
{
    wiped = 0;
}

Suite *base_redact_suite(void)
{
    Suite *s = suite_create("base/redact");
    TCase *t = tcase_create("redact");

    tcase_add_checked_fixture(t, start, NULL);
    tcase_add_test(t, in_plain_text);
    tcase_add_test(t, counted);
    tcase_add_test(t, overlapping);
    tcase_add_test(t, escaped);
    tcase_add_test(t, base64);
    tcase_add_test(t, never_cut_through);
    tcase_add_test(t, random_texts);
    tcase_add_test(t, secrets);
    tcase_add_loop_test(t, in_the_log, 0, 2);
    tcase_add_test(t, in_long_lines);
    tcase_add_test(t, in_errors);
    tcase_add_test(t, from_threads);
    suite_add_tcase(s, t);
    return s;
}
