/* SPDX-License-Identifier: MIT */
/* Listeners: addresses and their errors, Unix sockets and what dead processes
 * leave, TLS with certificates made here. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/limits.h"
#include "base/str.h"
#include "http_harness.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static struct harness h;
static struct reply r;
static char dir[64], path[128];

static void make_dir(void)
{
    strcpy(dir, "/tmp/patchbay-listen-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static const char *in_dir(const char *name)
{
    static char text[4][128];
    static int turn;
    char *p = text[turn++ & 3];
    snprintf(p, sizeof text[0], "%s/%s", dir, name);
    return p;
}

static void remove_dir(void)
{
    static const char *const names[] = {"s",   "file", "a.crt", "a.key",
                                        "b.key", "locked.key"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(in_dir(names[i]));
    ck_assert_int_eq(rmdir(dir), 0);
}

/* -------------------------------------------------------------- addresses */

/* Listening at addr fails, and the reason says so. */
static void expect_error(const char *addr, const char *part)
{
    struct http_limits limits;
    struct loop *loop = loop_new(0);
    char *err;
    http_limits_default(&limits);
    struct http_server *s = http_server_new(loop, &limits, NULL, NULL, NULL);
    ck_assert_ptr_null(http_listen(addr, &s, 1, NULL, NULL, &err));
    ck_assert_ptr_nonnull(err);
    ck_assert_msg(strstr(err, addr) && strstr(err, part), "%s", err);
    free(err);
    http_server_free(s);
    loop_free(loop);
}

START_TEST(bad_addresses)
{
    static const char *const wrong[] = {
        "",          "8080",       "127.0.0.1",   "127.0.0.1:",
        "a:b",       "1.2.3.4:+1", "::1:8080",    "127.0.0.1:65536",
        "a:1234567", "[::1:8080",  "127.0.0.1:-1"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        expect_error(wrong[i], "write 127.0.0.1:8080");
    expect_error("192.0.2.1:0", "assign");
    expect_error("unix:", "1 to 107 bytes");
    expect_error("unix:/nonexistent-dir/socket", "directory");
}
END_TEST

START_TEST(port_taken)
{
    harness_start(&h, "127.0.0.1:0", 1, NULL, NULL);
    expect_error(h.name, "another process listens there");
    harness_stop(&h);
}
END_TEST

static const struct {
    const char *addr;
    const char *name;
    bool local;
} addresses[] = {
    {"127.0.0.1:0", "127.0.0.1:", true},
    {"[::1]:0", "[::1]:", true},
    {"0.0.0.0:0", "0.0.0.0:", false},
    {"*:0", "", false},
    {":0", "", false},
    {"localhost:0", "", true},
};

static bool have_ipv6(void)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6,
                             .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

START_TEST(good_addresses)
{
    if (addresses[_i].addr[0] == '[' && !have_ipv6())
        return;
    harness_start(&h, addresses[_i].addr, 1, NULL, NULL);
    ck_assert_int_eq(
        strncmp(h.name, addresses[_i].name, strlen(addresses[_i].name)), 0);
    ck_assert_str_ne(strrchr(h.name, ':'), ":0");
    ck_assert_int_eq(http_listener_local(h.listener), addresses[_i].local);
    int fd = client_open(&h);
    client_ask(fd, GET("/now"), &r, 200);
    ck_assert_str_eq(r.body, "hello");
    reply_done(&r);
    close(fd);
    harness_stop(&h);
}
END_TEST

/* ------------------------------------------------------------ Unix sockets */

static void unix_addr(char *addr, size_t room)
{
    snprintf(path, sizeof path, "%s", in_dir("s"));
    snprintf(addr, room, "unix:%s", path);
}

START_TEST(unix_socket)
{
    char addr[160];
    struct stat st;
    make_dir();
    unix_addr(addr, sizeof addr);
    harness_start(&h, addr, 2, NULL, NULL);
    ck_assert_str_eq(h.name, addr);
    ck_assert(http_listener_local(h.listener));
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0660);
    int fd = client_open(&h);
    client_ask(fd, GET("/now"), &r, 200);
    reply_done(&r);
    client_ask(fd, GET("/big"), &r, 200);
    ck_assert_uint_eq(r.n, BIG);
    reply_done(&r);
    ck_assert_str_eq(h.peer, "unix");
    ck_assert(h.local);
    client_send(fd, GET("/hold"));
    harness_wait(&h, &h.begun, 3);
    close(fd); /* leaving is noticed here as well */
    harness_wait(&h, &h.failed, 1);
    harness_wait_conns(&h, 0);
    harness_stop(&h);
    ck_assert_int_lt(stat(path, &st), 0);
    remove_dir();
}
END_TEST

/* One that is answered stays; one that nobody answers is replaced; a file that
 * is no socket is left alone. */
START_TEST(unix_left_over)
{
    char addr[160];
    struct stat st;
    make_dir();
    unix_addr(addr, sizeof addr);

    struct sockaddr_un a = {.sun_family = AF_UNIX};
    strcpy(a.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    expect_error(addr, "another process listens there");
    close(fd);
    harness_start(&h, addr, 1, NULL, NULL);
    expect_error(addr, "another process listens there");
    fd = client_open(&h);
    client_ask(fd, GET("/now"), &r, 200);
    reply_done(&r);
    close(fd);

    /* Somebody has put another file in its place: that is not ours to remove */
    ck_assert_int_eq(unlink(path), 0);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fclose(f);
    harness_stop(&h);
    ck_assert_int_eq(stat(path, &st), 0);
    expect_error(addr, "not a socket");
    ck_assert_int_eq(stat(path, &st), 0);
    remove_dir();
}
END_TEST

/* --------------------------------------------------------------------- TLS */

static void write_key(const char *file, EVP_PKEY *key, bool locked)
{
    FILE *f = fopen(file, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(
        PEM_write_PrivateKey(f, key, locked ? EVP_aes_128_cbc() : NULL,
                             locked ? (const unsigned char *)"pw" : NULL,
                             locked ? 2 : 0, NULL, NULL),
        1);
    fclose(f);
}

/* A self-signed certificate a.crt with a.key, a key b.key of another pair, and
 * a.key encrypted. */
static void make_certificate(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256");
    X509 *crt = X509_new();
    X509_NAME *name = X509_get_subject_name(crt);
    X509_set_version(crt, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(crt), 1);
    X509_gmtime_adj(X509_getm_notBefore(crt), -60);
    X509_gmtime_adj(X509_getm_notAfter(crt), 3600);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               (const unsigned char *)"localhost", -1, -1, 0);
    X509_set_issuer_name(crt, name);
    X509_set_pubkey(crt, key);
    ck_assert_int_gt(X509_sign(crt, key, EVP_sha256()), 0);
    FILE *f = fopen(in_dir("a.crt"), "w");
    ck_assert_int_eq(PEM_write_X509(f, crt), 1);
    fclose(f);
    write_key(in_dir("a.key"), key, false);
    write_key(in_dir("b.key"), other, false);
    write_key(in_dir("locked.key"), key, true);
    X509_free(crt);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
}

static void expect_tls_error(const char *crt, const char *key,
                             const char *file, const char *part)
{
    char *err;
    ck_assert_ptr_null(http_tls_new(crt, key, &err));
    ck_assert_ptr_nonnull(err);
    ck_assert_msg(strstr(err, file) && strstr(err, part), "%s", err);
    free(err);
}

START_TEST(tls_errors)
{
    make_dir();
    make_certificate();
    const char *crt = in_dir("a.crt"), *key = in_dir("a.key");
    expect_tls_error(in_dir("none"), key, "none", "No such file");
    expect_tls_error(crt, in_dir("none"), "none", "No such file");
    expect_tls_error(key, key, "a.key", "PEM");
    expect_tls_error(crt, crt, "a.crt", "PEM");
    crt = in_dir("a.crt");
    expect_tls_error(crt, in_dir("b.key"), "b.key", "does not belong");
    expect_tls_error(crt, in_dir("locked.key"), "locked.key", "decrypt it");
    remove_dir();
}
END_TEST

static SSL_CTX *client_ctx;

static void start_tls(const struct http_limits *limits)
{
    char *err;
    make_dir();
    make_certificate();
    struct http_tls *tls = http_tls_new(in_dir("a.crt"), in_dir("a.key"), &err);
    ck_assert_msg(tls != NULL, "%s", err);
    harness_start(&h, "127.0.0.1:0", 2, limits, tls);
    http_tls_free(tls); /* the listener keeps what it needs */
    client_ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_load_verify_locations(client_ctx, in_dir("a.crt"), NULL);
    SSL_CTX_set_verify(client_ctx, SSL_VERIFY_PEER, NULL);
}

static void stop_tls(void)
{
    SSL_CTX_free(client_ctx);
    harness_stop(&h);
    remove_dir();
}

/* NULL if the handshake fails. */
static SSL *tls_open(int *fd, const char *protocols)
{
    *fd = client_open(&h);
    SSL *ssl = SSL_new(client_ctx);
    if (protocols)
        SSL_set_alpn_protos(ssl, (const unsigned char *)protocols,
                            (unsigned)strlen(protocols));
    SSL_set_fd(ssl, *fd);
    if (SSL_connect(ssl) == 1)
        return ssl;
    SSL_free(ssl);
    close(*fd);
    return NULL;
}

static void tls_close(SSL *ssl, int fd)
{
    SSL_shutdown(ssl);
    SSL_free(ssl);
    close(fd);
}

static void tls_send(SSL *ssl, const char *p, size_t n)
{
    size_t put;
    while (n) {
        ck_assert_int_eq(SSL_write_ex(ssl, p, n < 50000 ? n : 50000, &put), 1);
        p += put;
        n -= put;
    }
}

/* Read until `end` has come; the number of bytes before it, *text is malloc'd
 * and holds all. */
static size_t tls_read_to(SSL *ssl, const char *end, char **text)
{
    size_t n = 0, room = 1 << 16, got, len = strlen(end);
    *text = malloc(room);
    do {
        if (room - n < 32768)
            *text = realloc(*text, room *= 2);
        ck_assert_int_eq(SSL_read_ex(ssl, *text + n, room - n - 1, &got), 1);
        n += got;
        (*text)[n] = '\0';
    } while (n < len || memcmp(*text + n - len, end, len) != 0);
    return n - len;
}

START_TEST(tls)
{
    char *text;
    int fd;
    start_tls(NULL);
    SSL *ssl = tls_open(&fd, "\x02h2\x08http/1.1");
    ck_assert_ptr_nonnull(ssl);
    const unsigned char *chosen;
    unsigned n;
    SSL_get0_alpn_selected(ssl, &chosen, &n);
    ck_assert_uint_eq(n, 8);
    ck_assert_int_eq(memcmp(chosen, "http/1.1", 8), 0);
    for (int i = 0; i < 3; i++) {
        tls_send(ssl, GET("/now"), strlen(GET("/now")));
        tls_read_to(ssl, "\r\n\r\nhello", &text);
        free(text);
        tls_send(ssl, GET("/pieces"), strlen(GET("/pieces")));
        tls_read_to(ssl, "0\r\n\r\n", &text);
        ck_assert_ptr_nonnull(strstr(text, "piece"));
        free(text);
    }
    /* pipelined in one record */
    tls_send(ssl, GET("/now") GET("/none"), strlen(GET("/now") GET("/none")));
    tls_read_to(ssl, "\r\n\r\nno", &text);
    ck_assert_ptr_nonnull(strstr(text, "hello"));
    free(text);
    tls_close(ssl, fd);
    harness_wait_conns(&h, 0);
    stop_tls();
}
END_TEST

/* More than the socket takes, both ways: writes that have to be repeated. */
START_TEST(tls_large)
{
    char *text, *body = malloc(BIG);
    int fd;
    for (size_t i = 0; i < BIG; i++)
        body[i] = (char)('a' + i % 23);
    start_tls(NULL);
    SSL *ssl = tls_open(&fd, NULL);
    ck_assert_ptr_nonnull(ssl);
    static const char post[] = "POST /echo HTTP/1.1\r\nHost: a\r\n"
                               "Content-Length: 8388608\r\n\r\n";
    tls_send(ssl, post, sizeof post - 1);
    tls_send(ssl, body, BIG);
    tls_send(ssl, GET("/now"), strlen(GET("/now")));
    tls_read_to(ssl, "\r\n\r\nhello", &text);
    char *got = strstr(text, "\r\n\r\n");
    ck_assert_ptr_nonnull(got);
    ck_assert_int_eq(memcmp(got + 4, body, BIG), 0);
    free(text);
    tls_send(ssl, GET("/big"), strlen(GET("/big")));
    harness_wait(&h, &h.begun, 3);
    size_t n = tls_read_to(ssl, "\r\n0\r\n\r\n", &text);
    ck_assert_uint_gt(n, BIG);
    free(text);
    ck_assert_uint_gt(h.drains, 0);
    tls_close(ssl, fd);
    free(body);
    stop_tls();
}
END_TEST

START_TEST(tls_leaving)
{
    int fd;
    start_tls(NULL);
    for (int how = 0; how < 3; how++) {
        SSL *ssl = tls_open(&fd, NULL);
        ck_assert_ptr_nonnull(ssl);
        tls_send(ssl, GET("/hold"), strlen(GET("/hold")));
        harness_wait(&h, &h.begun, (size_t)how + 1);
        if (how == 0)
            SSL_shutdown(ssl); /* a goodbye without a FIN */
        if (how == 1)
            shutdown(fd, SHUT_RDWR);
        if (how == 2)
            close(fd);
        harness_wait(&h, &h.failed, (size_t)how + 1);
        SSL_free(ssl);
        if (how < 2)
            close(fd);
        harness_wait_conns(&h, 0);
    }
    stop_tls();
}
END_TEST

START_TEST(tls_refusals)
{
    struct http_limits limits;
    int fd;
    http_limits_default(&limits);
    limits.head_ms = 1000;
    start_tls(&limits);
    ck_assert_ptr_null(tls_open(&fd, "\x02h2"));
    SSL_CTX_set_max_proto_version(client_ctx, TLS1_1_VERSION);
    SSL_CTX_set_security_level(client_ctx, 0);
    ck_assert_ptr_null(tls_open(&fd, NULL));
    /* plain HTTP at this port is told what is wrong */
    fd = client_open(&h);
    client_ask(fd, GET("/now"), &r, 400);
    ck_assert_ptr_nonnull(strstr(r.body, "https://"));
    reply_done(&r);
    client_expect_end(fd);
    close(fd);
    /* half a handshake ends at the deadline */
    fd = client_open(&h);
    ck_assert(client_try_send(fd, "\x16\x03\x01\x01\x00", 5));
    client_expect_end(fd);
    close(fd);
    harness_wait_conns(&h, 0);
    ck_assert_uint_eq(h.begun, 0);
    stop_tls();
}
END_TEST

START_TEST(tls_error_readable)
{
    char *text, *body = calloc(1, 1 << 20);
    int fd;
    start_tls(NULL);
    SSL *ssl = tls_open(&fd, NULL);
    ck_assert_ptr_nonnull(ssl);
    static const char post[] = "POST /small HTTP/1.1\r\nHost: a\r\n"
                               "Content-Length: 1048576\r\n\r\n";
    tls_send(ssl, post, sizeof post - 1);
    tls_send(ssl, body, 1 << 20);
    tls_read_to(ssl, "}", &text);
    ck_assert_int_eq(strncmp(text, "HTTP/1.1 413 ", 13), 0);
    free(text);
    free(body);
    tls_close(ssl, fd);
    stop_tls();
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof *(table)))

int main(void)
{
    Suite *s = suite_create("http_listen");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, bad_addresses);
    tcase_add_test(t, port_taken);
    tcase_add_loop_test(t, good_addresses, 0, COUNT(addresses));
    tcase_add_test(t, unix_socket);
    tcase_add_test(t, unix_left_over);
    tcase_add_test(t, tls_errors);
    tcase_add_test(t, tls);
    tcase_add_test(t, tls_large);
    tcase_add_test(t, tls_leaving);
    tcase_add_test(t, tls_refusals);
    tcase_add_test(t, tls_error_readable);
    suite_add_tcase(s, t);
    SRunner *run = srunner_create(s);
    srunner_run_all(run, CK_ENV);
    int failed = srunner_ntests_failed(run);
    srunner_free(run);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
