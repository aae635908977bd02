/* SPDX-License-Identifier: MIT */
/* The log: what a line looks like, and how lines get out. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>

#include <json-c/json.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/thread.h"

#include "test_base.h"

static FILE *out;
static char *text; /* what was logged, by the last logged() */
static size_t text_n;

static void start(void)
{
    out = tmpfile();
    ck_assert_ptr_nonnull(out);
    log_set_format(LOG_TEXT);
    log_set_level(LOG_DEBUG);
    ck_assert_int_eq(log_start(fileno(out)), 0);
}

static void stop(void)
{
    log_stop();
    log_set_format(LOG_TEXT);
    log_set_level(LOG_INFO);
    free(text);
    text = NULL;
    fclose(out);
}

/* Everything since the last time; the log is started anew. */
static char *logged(void)
{
    log_stop();
    free(text);
    text = NULL;
    lseek(fileno(out), 0, SEEK_SET);
    ck_assert_int_eq(fs_read_fd(fileno(out), 64 << 20, &text, &text_n), 0);
    ck_assert_uint_eq(strlen(text), text_n); /* no NUL ever */
    lseek(fileno(out), 0, SEEK_SET);
    ck_assert_int_eq(ftruncate(fileno(out), 0), 0);
    ck_assert_int_eq(log_start(fileno(out)), 0);
    return text;
}

/* The line without its time. */
static const char *after_time(const char *line)
{
    unsigned y, mo, d, h, mi, s, ms;
    int n = 0;

    ck_assert_int_eq(sscanf(line, "%4u-%2u-%2uT%2u:%2u:%2u.%3uZ %n", &y, &mo,
                            &d, &h, &mi, &s, &ms, &n),
                     7);
    ck_assert_int_eq(n, 25);
    return line + n;
}

START_TEST(text_lines)
{
    log_line(LOG_INFO, "host", "listening", log_cstr("on", "127.0.0.1:8080"),
             log_int("n", -7), log_us("took", 1234567), log_us("less", -50),
             log_secret("key"), log_str("none", STR_NONE),
             log_cstr("why", "has \"quotes\" and \\"), log_cstr("eq", "a=b"),
             LOG_END);
    ck_assert_str_eq(after_time(logged()),
                     "info host: listening on=127.0.0.1:8080 n=-7 "
                     "took=1234.567ms less=-0.050ms key=*** none=\"\" "
                     "why=\"has \\\"quotes\\\" and \\\\\" eq=\"a=b\"\n");
    log_f(LOG_ERROR, "x", "%d%%", 5);
    ck_assert_str_eq(after_time(logged()), "error x: 5%\n");
}
END_TEST

START_TEST(no_forged_lines)
{
    log_line(LOG_WARN, "a\nb", "m\r\n2026 error host: forged",
             log_cstr("k", "v\n2026 error host: forged"),
             log_cstr("esc", "\x1B[2J\x7F\xC2\x9B\xE2\x80\xA8\xE2\x80\xAE"),
             log_cstr("bad", "\xFF\xC3"), LOG_END);
    ck_assert_str_eq(after_time(logged()),
                     "warn a\\nb: m\\u000d\\n2026 error host: forged "
                     "k=\"v\\n2026 error host: forged\" "
                     "esc=\"\\u001b[2J\\u007f\\u009b\\u2028\\u202e\" "
                     "bad=\"\xEF\xBF\xBD\xEF\xBF\xBD\"\n");
}
END_TEST

/* The next line of JSON at *p, parsed strictly. */
static struct json_object *next_json(char **p)
{
    struct json_object *o = NULL;
    struct js_error e = {0};
    char *end = strchr(*p, '\n');
    pbay_str line;

    ck_assert_ptr_nonnull(end);
    line = str_n(*p, (size_t)(end - *p));
    ck_assert_msg(js_parse(line, 4, &o, &e) == 0, "%s at %zu in %.*s", e.why,
                  e.at, STR_ARG(line));
    *p = end + 1;
    return o;
}

START_TEST(json_lines)
{
    struct json_object *o;
    char *p;

    log_set_format(LOG_JSON);
    log_line(LOG_DEBUG, "host", "a \"b\"\n", log_cstr("on", "x\\y"),
             log_int("n", INT64_MIN), log_us("took", 12), log_secret("key"),
             log_cstr("msg", "mine"), log_cstr("a\"b", "c"), LOG_END);
    p = logged();
    o = next_json(&p);
    ck_assert_str_eq(p, "");
    ck_assert_str_eq(js_cstr(o, "level", ""), "debug");
    ck_assert_str_eq(js_cstr(o, "who", ""), "host");
    ck_assert_str_eq(js_cstr(o, "msg", ""), "a \"b\"\n");
    ck_assert_str_eq(js_cstr(o, "msg_", ""), "mine");
    ck_assert_str_eq(js_cstr(o, "on", ""), "x\\y");
    ck_assert_str_eq(js_cstr(o, "key", ""), "***");
    ck_assert_str_eq(js_cstr(o, "a\"b", ""), "c");
    ck_assert_int_eq(js_int(o, "took_us", 0), 12);
    ck_assert(js_int(o, "n", 0) == INT64_MIN);
    ck_assert_uint_eq(strlen(js_cstr(o, "time", "")), 24);
    ck_assert_ptr_null(js_get(o, "cut"));
    json_object_put(o);
}
END_TEST

/* Any bytes in any place: valid JSON, and the text comes back. */
START_TEST(json_of_any_bytes)
{
    uint64_t seed = unit_seed(11);
    struct buf want[2000];
    char *p;

    log_set_format(LOG_JSON);
    for (int i = 0; i < 2000; i++) {
        char bytes[60];
        size_t n = unit_below(&seed, sizeof(bytes));

        buf_init(&want[i], 1000);
        for (size_t k = 0; k < n; k++)
            bytes[k] = (char)(unit_below(&seed, 2) ? unit_below(&seed, 128)
                                                   : unit_random(&seed));
        for (size_t k = 0; k < n;) {
            size_t len = str_utf8(str_n(bytes + k, n - k), NULL);

            buf_add(&want[i],
                    len ? str_n(bytes + k, len) : STR("\xEF\xBF\xBD"));
            k += len ? len : 1;
        }
        log_line(LOG_INFO, "w", "m", log_str("v", str_n(bytes, n)), LOG_END);
    }
    p = logged();
    for (int i = 0; i < 2000; i++) {
        struct json_object *o = next_json(&p);

        ck_assert(str_eq(js_str(o, "v", STR("?")), buf_str(&want[i])));
        json_object_put(o);
        buf_done(&want[i]);
    }
    ck_assert_str_eq(p, "");
}
END_TEST

/* Around the bound of a line, byte by byte, in every form. */
START_TEST(long_lines)
{
    static char big[LIM_LOG_LINE + 100];
    static const char *const unit[] = {"x", "\"", "\n", "\xC3\xA9", "\x01"};
    bool json = _i >= 5;
    unsigned cut = 0, whole = 0;

    log_set_format(json ? LOG_JSON : LOG_TEXT);
    for (size_t n = 0; n + 2 < sizeof(big); n++) {
        size_t step = strlen(unit[_i % 5]);
        char *line, *end;

        if (n > 40 && n * 6 < LIM_LOG_LINE - 400)
            continue;
        for (size_t k = 0; k < n; k++)
            big[k] = unit[_i % 5][k % step];
        log_line(LOG_INFO, "w", "m", log_str("v", str_n(big, n)),
                 log_cstr("k", "\"quoted\""), log_int("z", 12345), LOG_END);
        /* No more at once than the queue takes. */
        if (n % 128 && n + 3 < sizeof(big))
            continue;
        for (line = logged(); *line; line = end + 1) {
            bool is_cut;

            end = strchr(line, '\n');
            ck_assert_ptr_nonnull(end);
            ck_assert_int_le(end + 1 - line, (ptrdiff_t)LIM_LOG_LINE);
            if (json) {
                char *p = line;
                struct json_object *o = next_json(&p);

                is_cut = js_bool(o, "cut", false);
                ck_assert(is_cut || js_int(o, "z", 0) == 12345);
                json_object_put(o);
            } else {
                pbay_str s = str_n(line, (size_t)(end - line));

                is_cut = str_ends(s, " (cut)");
                ck_assert(is_cut || str_ends(s, " z=12345"));
            }
            cut += is_cut;
            whole += !is_cut;
        }
    }
    ck_assert_uint_gt(cut, 50);
    ck_assert_uint_gt(whole, 40);
}
END_TEST

START_TEST(levels)
{
    enum log_level level = LOG_DEBUG;

    for (int i = LOG_ERROR; i <= LOG_DEBUG; i++) {
        ck_assert_int_eq(
            log_level_parse(str_c(log_level_name((enum log_level)i)), &level),
            0);
        ck_assert_int_eq((int)level, i);
    }
    ck_assert_int_eq(log_level_parse(STR("verbose"), &level), -EINVAL);
    ck_assert_int_eq(log_level_parse(STR(""), &level), -EINVAL);
    ck_assert_int_eq((int)level, LOG_DEBUG);
    log_set_level(LOG_WARN);
    ck_assert_int_eq((int)log_get_level(), LOG_WARN);
    ck_assert(log_on(LOG_ERROR) && log_on(LOG_WARN));
    ck_assert(!log_on(LOG_INFO) && !log_on(LOG_DEBUG));
    log_f(LOG_INFO, "x", "not seen");
    log_line(LOG_INFO, "x", "not seen", LOG_END);
    log_f(LOG_WARN, "x", "seen");
    ck_assert_str_eq(after_time(logged()), "warn x: seen\n");
}
END_TEST

/* ------------------------------------------------------------ the writer */

#define WRITERS 4
#define LINES   3000

static void *log_many(void *arg)
{
    for (int i = 0; i < LINES; i++)
        log_line(LOG_INFO, arg, "line", log_int("i", i),
                 log_cstr("pad", "0123456789012345678901234567890123456789"),
                 LOG_END);
    return NULL;
}

START_TEST(threads_keep_order)
{
    static char names[WRITERS][2] = {"0", "1", "2", "3"};
    int next[WRITERS] = {0};
    uint64_t dropped = log_dropped();
    pthread_t t[WRITERS];
    char *p;

    log_set_format(LOG_JSON);
    for (int i = 0; i < WRITERS; i++)
        ck_assert_int_eq(thread_start(&t[i], "w", log_many, names[i]), 0);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(t[i], NULL);
    for (p = logged(); *p;) {
        struct json_object *o = next_json(&p);
        const char *who = js_cstr(o, "who", "?");

        if (strcmp(who, "log") != 0) {
            int w = who[0] - '0', at = (int)js_int(o, "i", -1);

            ck_assert(w >= 0 && w < WRITERS);
            ck_assert_int_ge(at, next[w]);
            next[w] = at + 1;
        }
        json_object_put(o);
    }
    if (log_dropped() == dropped) {
        for (int i = 0; i < WRITERS; i++)
            ck_assert_int_eq(next[i], LINES);
    }
}
END_TEST

/* Read what is in a pipe until it has been silent for `ms`. */
static void drain(int fd, struct buf *b, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    while (poll(&p, 1, ms) > 0) {
        char *at = buf_space(b, 65536);
        ssize_t n;

        ck_assert_ptr_nonnull(at);
        n = read(fd, at, 65536);
        if (n <= 0)
            break;
        buf_grew(b, (size_t)n);
    }
}

/* How many lines the log itself says it has lost. */
static uint64_t told_lost(const struct buf *b)
{
    static const char mark[] = "\"lines\":";
    pbay_str rest = buf_str(b);
    uint64_t sum = 0;
    const char *p;

    while ((p = memmem(rest.p, rest.n, mark, strlen(mark)))) {
        uint64_t n;

        rest = str_n(p + strlen(mark),
                     rest.n - (size_t)(p - rest.p) - strlen(mark));
        if (str_u64(str_n(rest.p, strspn(rest.p, "0123456789")), &n) == 0)
            sum += n;
    }
    return sum;
}

/* A reader that takes nothing: nobody waits, lines are lost, the log says how
 * many, and every line that comes is whole. */
START_TEST(stuck_reader)
{
    uint64_t before = log_dropped(), lost, seen = 0;
    int fd[2], total = 30000;
    int64_t begin;
    struct buf b;
    char *p;

    log_stop();
    log_set_format(LOG_JSON);
    ck_assert_int_eq(pipe(fd), 0);
    ck_assert_int_eq(log_start(fd[1]), 0);
    begin = clock_us();
    for (int i = 0; i < total; i++)
        log_line(LOG_INFO, "w", "0123456789012345678901234567890123456789",
                 log_int("i", i), LOG_END);
    ck_assert_int_lt(clock_us() - begin, 20000000);
    lost = log_dropped() - before;
    ck_assert_uint_gt(lost, 1000);
    buf_init(&b, 64 << 20);
    do { /* until the thread has emptied its queue and reported */
        ck_assert_int_lt(clock_us() - begin, 50000000);
        drain(fd[0], &b, 50);
        ck_assert_int_eq(buf_add(&b, STR("\0")), 0);
        b.n--; /* strspn() above wants an end */
    } while (told_lost(&b) != lost);
    log_stop();
    drain(fd[0], &b, 0);
    ck_assert_uint_eq(log_dropped() - before, lost);
    ck_assert_int_eq(buf_add(&b, STR("\0")), 0);
    for (p = b.p; *p;) {
        struct json_object *o = next_json(&p);

        seen += js_get(o, "lines") == NULL;
        json_object_put(o);
    }
    ck_assert_uint_eq(seen + lost, (uint64_t)total);
    buf_done(&b);
    close(fd[0]);
    close(fd[1]);
}
END_TEST

/* Stopping does not wait for ever for such a reader. */
START_TEST(stuck_reader_at_the_end)
{
    uint64_t before = log_dropped();
    int64_t begin;
    int fd[2];

    log_stop();
    ck_assert_int_eq(pipe(fd), 0);
    ck_assert_int_eq(log_start(fd[1]), 0);
    for (int i = 0; i < 3000; i++)
        log_f(LOG_INFO, "w", "0123456789012345678901234567890123456789");
    begin = clock_us();
    log_stop();
    ck_assert_int_lt(clock_us() - begin, 10000000);
    ck_assert_uint_gt(log_dropped() - before, 100);
    close(fd[0]);
    close(fd[1]);
}
END_TEST

START_TEST(reader_gone)
{
    uint64_t before = log_dropped();
    int fd[2];

    log_stop();
    ck_assert_int_eq(pipe(fd), 0);
    close(fd[0]);
    ck_assert_int_eq(log_start(fd[1]), 0);
    ck_assert_int_eq(log_start(fd[1]), -EBUSY);
    log_f(LOG_INFO, "w", "to nobody");
    log_stop(); /* and SIGPIPE has not ended us */
    ck_assert_uint_eq(log_dropped() - before, 1);
    close(fd[1]);
    ck_assert_int_eq(log_start(fd[1]), -EBADF);
    log_stop(); /* nothing to stop */
}
END_TEST

/* Before the start lines go to stderr at once. */
START_TEST(without_start)
{
    char line[200] = "";
    int fd[2], saved = dup(2);
    ssize_t n;

    log_stop();
    ck_assert_int_eq(pipe(fd), 0);
    dup2(fd[1], 2);
    log_f(LOG_INFO, "w", "at once");
    dup2(saved, 2);
    n = read(fd[0], line, sizeof(line) - 1);
    ck_assert_int_gt(n, 25);
    ck_assert_str_eq(after_time(line), "info w: at once\n");
    close(saved);
    close(fd[0]);
    close(fd[1]);
}
END_TEST

Suite *base_log_suite(void)
{
    Suite *s = suite_create("base/log");
    TCase *t = tcase_create("log");

    tcase_add_checked_fixture(t, start, stop);
    tcase_add_test(t, text_lines);
    tcase_add_test(t, no_forged_lines);
    tcase_add_test(t, json_lines);
    tcase_add_test(t, json_of_any_bytes);
    tcase_add_loop_test(t, long_lines, 0, 10);
    tcase_add_test(t, levels);
    tcase_add_test(t, threads_keep_order);
    tcase_add_test(t, stuck_reader);
    tcase_add_test(t, stuck_reader_at_the_end);
    tcase_add_test(t, reader_gone);
    tcase_add_test(t, without_start);
    suite_add_tcase(s, t);
    return s;
}
