/* SPDX-License-Identifier: MIT */
/* The parts of the command line that need no host: text made harmless for a
 * terminal, the client of the control protocol, exit statuses, near names. */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/limits.h"
#include "cli/cli.h"
#include "unit.h"

/* --- plain --- */

static void make_plain(pbay_str in, size_t piece, struct buf *out)
{
    struct plain p = {{0}, 0, false};

    buf_init(out, LIM_MIB(1));
    for (size_t at = 0; at < in.n; at += piece) {
        size_t n = in.n - at < piece ? in.n - at : piece;
        ck_assert_int_eq(plain_feed(&p, str_n(in.p + at, n), out), 0);
    }
    ck_assert_int_eq(plain_end(&p, out), 0);
}

static void check_plain(pbay_str in, const char *want)
{
    for (size_t piece = 1; piece <= in.n; piece++) {
        struct buf out;
        make_plain(in, piece, &out);
        ck_view_eq(buf_str(&out), want);
        buf_done(&out);
    }
}

START_TEST(test_plain_examples)
{
    check_plain(STR("plain \tt\xc3\xa4xt \xe2\x82\xac \xf0\x9f\x98\x80\n"),
                "plain \tt\xc3\xa4xt \xe2\x82\xac \xf0\x9f\x98\x80\n");
    check_plain(STR("\x1b]0;x\x07"), "^[]0;x^G");
    check_plain(STR("\x1b[2J\x00z\x7f"), "^[[2J^@z^?");
    /* C1 controls, as characters and as bytes; U+00A0 is none. */
    check_plain(STR("\xc2\x9b"
                    "31m\xc2\xa0\x9b"),
                "<U+009B>31m\xc2\xa0\xef\xbf\xbd");
    check_plain(STR("a\r\nb\rc\r\r\nd\r"), "a\nb^Mc^M\nd^M");
    /* Cut, overlong, surrogate, too large. */
    check_plain(STR("\xe2\x82"), "\xef\xbf\xbd");
    check_plain(STR("\xc0\x9b"), "\xef\xbf\xbd\xef\xbf\xbd");
    check_plain(STR("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    check_plain(STR("\xf4\x90\x80\x80"),
                "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    check_plain(STR("\xe2\x82"
                    "a\xf0\x9f\x1b"),
                "\xef\xbf\xbd\xef\xbf\xbd"
                "a\xef\xbf\xbd\xef\xbf\xbd^[");
}
END_TEST

/* Whatever comes in: UTF-8 without a control but LF and TAB goes out, the same
 * for every way to cut it, and harmless text is not changed. */
START_TEST(test_plain_random)
{
    uint64_t seed = unit_seed(0x5eed1);

    for (int round = 0; round < 3000; round++) {
        static const char spice[] = "\x1b\xc2\x9b\r\n\x7f\xe2\x82\xac\xf0\x9f"
                                    "\x98\x80\xed\xa0\xc0";
        unsigned char in[64];
        size_t n = 1 + unit_below(&seed, sizeof(in));
        struct buf whole, cut;

        for (size_t i = 0; i < n; i++)
            in[i] =
                unit_below(&seed, 2)
                    ? (unsigned char)spice[unit_below(&seed, sizeof(spice) - 1)]
                    : (unsigned char)unit_below(&seed, 256);
        make_plain(str_n((char *)in, n), n, &whole);
        make_plain(str_n((char *)in, n), 1 + unit_below(&seed, 4), &cut);
        ck_assert(str_eq(buf_str(&whole), buf_str(&cut)));
        ck_assert_uint_eq(utf8_valid(buf_str(&whole)), whole.n);
        for (size_t i = 0; i < whole.n; i++) {
            const unsigned char *c =
                (const unsigned char *)buf_str(&whole).p + i;
            ck_assert(*c == '\n' || *c == '\t' || (*c >= 0x20 && *c != 0x7f));
            ck_assert(*c != 0xc2 || c[1] >= 0xa0);
        }
        buf_done(&cut);
        make_plain(buf_str(&whole), 3, &cut);
        ck_assert(str_eq(buf_str(&whole), buf_str(&cut)));
        buf_done(&cut);
        buf_done(&whole);
    }
}
END_TEST

/* --- exit statuses and names --- */

START_TEST(test_exit)
{
    size_t rows = 0;

    for (const struct err_class *c = err_table(); c->kind; c++, rows++) {
        int status = exit_for_kind(c->name);
        ck_assert_msg(status == EXIT_FAILED || status == EXIT_PROVIDER ||
                          status == EXIT_DENIED || status == EXIT_REFUSED,
                      "%s: %d", c->name, status);
    }
    ck_assert_uint_gt(rows, 25);
    ck_assert_int_eq(exit_for_kind("auth"), EXIT_DENIED);
    ck_assert_int_eq(exit_for_kind("rate_limit"), EXIT_PROVIDER);
    ck_assert_int_eq(exit_for_kind("no_model"), EXIT_REFUSED);
    ck_assert_int_eq(exit_for_kind("truncated"), EXIT_PROVIDER);
    ck_assert_int_eq(exit_for_kind("never heard of"), EXIT_FAILED);
    ck_assert_int_eq(exit_for_kind(NULL), EXIT_FAILED);
}
END_TEST

START_TEST(test_nearest)
{
    static const char *const names[] = {"chat", "models", "log", NULL};

    ck_assert_str_eq(cli_nearest("chta", names), "chat");
    ck_assert_str_eq(cli_nearest("model", names), "models");
    ck_assert_str_eq(cli_nearest("lgo", names), "log");
    ck_assert_ptr_null(cli_nearest("x", names));
    ck_assert_ptr_null(cli_nearest("", names));
    ck_assert_ptr_null(cli_nearest("completely", names));
}
END_TEST

/* --- the client --- */

struct script {
    int fd;
    const char *text;
    size_t piece;
};

static void *say(void *arg)
{
    struct script *s = arg;
    size_t n = strlen(s->text);

    for (size_t at = 0; at < n; at += s->piece) {
        size_t k = n - at < s->piece ? n - at : s->piece;
        ck_assert_int_eq(send(s->fd, s->text + at, k, MSG_NOSIGNAL),
                         (ssize_t)k);
    }
    shutdown(s->fd, SHUT_WR);
    return NULL;
}

/* A client at whose other end `text` is said, `piece` bytes at a time. */
static struct client *client_of(const char *text, size_t piece,
                                struct script *s, pthread_t *t)
{
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    *s = (struct script){pair[1], text, piece};
    ck_assert_int_eq(pthread_create(t, NULL, say, s), 0);
    return client_on_fd(pair[0]);
}

static void client_over(struct client *c, struct script *s, pthread_t t)
{
    pthread_join(t, NULL);
    close(s->fd);
    client_free(c);
}

START_TEST(test_client_lines)
{
    static const char text[] = "{\"event\":\"text\",\"text\":\"a\"}\n"
                               "{\"event\":\"text\",\"text\":\"b\"}\n"
                               "{\"ok\":true,\"result\":{\"n\":1}}\n"
                               "{\"ok\":false,\"error\":{\"kind\":\"auth\","
                               "\"message\":\"no\"}}\n"
                               "{\"ok\":true}\n";
    for (size_t piece = 1; piece < sizeof(text); piece += 13) {
        struct json_object *line;
        struct client_error e;
        struct script s;
        pthread_t t;
        struct client *c = client_of(text, piece, &s, &t);

        ck_assert_int_eq(client_next(c, &line, &e), 1);
        ck_view_eq(js_str(line, "text", STR("")), "a");
        ck_assert_int_eq(client_next(c, &line, &e), 1);
        ck_view_eq(js_str(line, "text", STR("")), "b");
        ck_assert_int_eq(client_next(c, &line, &e), 0);
        ck_assert_int_eq(js_int(line, "n", 0), 1);
        ck_assert_int_eq(client_next(c, &line, &e), -1);
        ck_assert_int_eq(e.status, EXIT_DENIED);
        ck_assert_str_eq(e.text, "no");
        ck_assert_str_eq(e.kind, "auth");
        ck_assert(!client_broken(c));
        ck_assert_int_eq(client_next(c, &line, &e), 0);
        ck_assert_ptr_null(line);
        ck_assert_int_eq(client_next(c, &line, &e), -1);
        ck_assert_int_eq(e.status, EXIT_FAILED);
        ck_assert(client_broken(c));
        client_over(c, &s, t);
    }
}
END_TEST

/* What is no line of the protocol breaks the connection, with a reason. */
START_TEST(test_client_nonsense)
{
    static const char *const texts[] = {"\n",
                                        "[]\n",
                                        "null\n",
                                        "{\"ok\":1}\n",
                                        "{}\n",
                                        "{\"event\":",
                                        "{\"ok\":tr}\n",
                                        "\xff\n",
                                        "{}{}\n",
                                        "{\"event\":\"text\",\"event\":1}\n",
                                        "",
                                        NULL};

    for (const char *const *p = texts; *p; p++) {
        struct json_object *line;
        struct client_error e;
        struct script s;
        pthread_t t;
        struct client *c = client_of(*p, 3, &s, &t);

        ck_assert_msg(client_next(c, &line, &e) == -1, "%s", *p);
        ck_assert_msg(client_broken(c), "%s", *p);
        ck_assert_uint_gt(strlen(e.text), 20);
        client_over(c, &s, t);
    }
}
END_TEST

START_TEST(test_client_bounds)
{
    size_t n = LIM_CTL_LINE + 2 * 65536;
    char *text = malloc(n + 1);
    struct json_object *line;
    struct client_error e;
    struct script s;
    struct client *c;
    int pair[2];
    pthread_t t;

    /* A line without an end. */
    ck_assert_ptr_nonnull(text);
    memset(text, ' ', n);
    text[n] = '\0';
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    c = client_on_fd(pair[0]);
    s = (struct script){pair[1], text, LIM_KIB(64)};
    ck_assert_int_eq(pthread_create(&t, NULL, say, &s), 0);
    ck_assert_int_eq(client_next(c, &line, &e), -1);
    ck_assert_ptr_nonnull(strstr(e.text, "too long"));
    /* The rest has to go somewhere for the thread to end. */
    for (ssize_t got = 1; got > 0;)
        got = recv(pair[0], text, n, 0);
    /* A request over the bound is not sent. */
    ck_assert_int_eq(client_send(c, "chat", str_n(text, LIM_CTL_LINE), &e), -1);
    ck_assert_int_eq(e.status, EXIT_REFUSED);
    client_over(c, &s, t);
    free(text);
}
END_TEST

/* Cancelling reads up to the second last line, and not beyond. */
START_TEST(test_client_cancel)
{
    struct json_object *line;
    struct client_error e;
    struct script s;
    pthread_t t;
    struct client *c = client_of(
        "{\"event\":\"text\",\"text\":\"more\"}\n"
        "{\"ok\":false,\"error\":{\"kind\":\"cancelled\",\"message\":\"x\"}}\n"
        "{\"ok\":true,\"result\":{}}\n"
        "{\"ok\":true,\"result\":{\"next\":true}}\n",
        7, &s, &t);

    ck_assert_int_eq(client_cancel(c), 0);
    ck_assert_int_eq(client_next(c, &line, &e), 0);
    ck_assert(js_bool(line, "next", false));
    client_over(c, &s, t);

    /* A host that does not answer in time is given up. */
    c = client_of("{\"ok\":true,\"result\":{}}\n", 100, &s, &t);
    ck_assert_int_eq(client_cancel(c), -1);
    ck_assert(client_broken(c));
    client_over(c, &s, t);
}
END_TEST

START_TEST(test_client_connect)
{
    char dir[64], path[128];
    struct client_error e;
    bool absent = false;

    unit_tmpdir(dir);
    snprintf(path, sizeof(path), "%s/none", dir);
    ck_assert_ptr_null(client_connect(path, &absent, &e));
    ck_assert(absent);
    ck_assert_int_eq(e.status, EXIT_NO_HOST);
    memset(path, 'x', sizeof(path));
    path[sizeof(path) - 1] = '\0';
    ck_assert_ptr_null(client_connect(path, &absent, &e));
    ck_assert(!absent);
    ck_assert_int_eq(fs_rmtree(dir), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("cli");
    TCase *t = tcase_create("cli");

    tcase_set_timeout(t, 120);
    tcase_add_test(t, test_plain_examples);
    tcase_add_test(t, test_plain_random);
    tcase_add_test(t, test_exit);
    tcase_add_test(t, test_nearest);
    tcase_add_test(t, test_client_lines);
    tcase_add_test(t, test_client_nonsense);
    tcase_add_test(t, test_client_bounds);
    tcase_add_test(t, test_client_cancel);
    tcase_add_test(t, test_client_connect);
    suite_add_tcase(s, t);
    return unit_main(&s, 1);
}
