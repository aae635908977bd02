/* SPDX-License-Identifier: MIT */
/* The HTTP server on real sockets: keeping connections, bodies, replies,
 * clients that misbehave, limits. */
#include "config.h"

#include <check.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/tcp.h>
#include <malloc.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/str.h"
#include "http/server_int.h"
#include "http_harness.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST(path, length) \
    "POST " path " HTTP/1.1\r\nHost: a\r\nContent-Length: " length "\r\n\r\n"
#define CHUNKED(path) \
    "POST " path " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static struct harness h;
static struct reply r;
static struct http_limits limits;

static void start(void)
{
    harness_start(&h, "127.0.0.1:0", 1, NULL, NULL);
}

static void start_limited(void)
{
    harness_start(&h, "127.0.0.1:0", 1, &limits, NULL);
}

static void stop(void)
{
    harness_stop(&h);
}

static void ask(int fd, const char *request, int status, const char *body)
{
    client_ask(fd, request, &r, status);
    ck_assert_str_eq(r.body, body);
    reply_done(&r);
}

/* ---------------------------------------------------- ordinary exchanges */

START_TEST(keep_alive)
{
    start();
    int fd = client_open(&h);
    for (int i = 0; i < 100; i++) {
        client_ask(fd, GET("/now"), &r, 200);
        ck_assert_str_eq(r.body, "hello");
        ck_assert(!r.closes);
        ck_assert_ptr_nonnull(strstr(r.head, "\r\nDate: "));
        ck_assert_ptr_nonnull(strstr(r.head, "\r\nContent-Type: text/plain"));
        reply_done(&r);
    }
    harness_wait(&h, &h.ok, 100);
    ck_assert_uint_eq(http_server_conns(h.server[0]), 1);
    ck_assert(h.local);
    ck_assert_int_eq(strncmp(h.peer, "127.0.0.1:", 10), 0);
    ck_assert_ptr_eq(h.tag, &h);
    close(fd);
    harness_wait_conns(&h, 0);
    stop();
}
END_TEST

/* What the handler must not say is left out. */
START_TEST(bad_reply_headers)
{
    start();
    int fd = client_open(&h);
    client_ask(fd, GET("/badheader"), &r, 200);
    ck_assert_ptr_null(strstr(r.head, "X-Injected"));
    ck_assert_ptr_null(strstr(r.head, "X-Bad"));
    ck_assert_ptr_null(strstr(r.head, "77"));
    reply_done(&r);
    close(fd);
    stop();
}
END_TEST

START_TEST(connection_close)
{
    start();
    int fd = client_open(&h);
    client_ask(fd, "GET /now HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
               &r, 200);
    ck_assert(r.closes);
    reply_done(&r);
    client_expect_end(fd);
    close(fd);
    stop();
}
END_TEST

START_TEST(http_1_0)
{
    start();
    int fd = client_open(&h);
    ask(fd, "GET /now HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200,
        "hello");
    client_ask(fd, "GET /now HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", &r,
               200);
    ck_assert_ptr_nonnull(strstr(r.head, "Connection: keep-alive\r\n"));
    reply_done(&r);
    client_ask(fd, "GET /now HTTP/1.0\r\n\r\n", &r, 200);
    ck_assert(r.closes);
    reply_done(&r);
    client_expect_end(fd);
    close(fd);

    /* a stream ends with the connection */
    fd = client_open(&h);
    client_ask(fd, "GET /pieces HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", &r,
               200);
    ck_assert(!r.chunked && r.closes && r.length == -1);
    ck_assert_uint_eq(r.n, 60);
    reply_done(&r);
    close(fd);
    stop();
}
END_TEST

START_TEST(head)
{
    start();
    int fd = client_open(&h);
    client_send(fd, "HEAD /now HTTP/1.1\r\nHost: a\r\n\r\n"
                    "HEAD /pieces HTTP/1.1\r\nHost: a\r\n\r\n"
                    "HEAD /none HTTP/1.1\r\nHost: a\r\n\r\n" GET("/now"));
    client_read(fd, &r, true);
    ck_assert_int_eq(r.length, 5);
    reply_done(&r);
    client_read(fd, &r, true);
    ck_assert(r.chunked);
    reply_done(&r);
    client_read(fd, &r, true);
    ck_assert_int_eq(r.status, 404);
    reply_done(&r);
    client_read(fd, &r, false);
    ck_assert_str_eq(r.body, "hello");
    reply_done(&r);
    close(fd);
    stop();
}
END_TEST

START_TEST(pipelining)
{
    start();
    int fd = client_open(&h);
    client_send(fd, GET("/now") GET("/pieces") POST("/echo", "3") "abc\r\n"
                    GET("/none") CHUNKED("/echo") "2\r\nxy\r\n0\r\n\r\n"
                    GET("/now"));
    static const char *const bodies[] = {
        "hello",
        "piece\npiece\npiece\npiece\npiece\n"
        "piece\npiece\npiece\npiece\npiece\n",
        "abc",
        "no",
        "xy",
        "hello"};
    for (int i = 0; i < 6; i++) {
        client_read(fd, &r, false);
        ck_assert_str_eq(r.body, bodies[i]);
        reply_done(&r);
    }
    /* Those that wait are answered in order, too. */
    client_send(fd, GET("/hold") GET("/now") GET("/pieces"));
    harness_wait(&h, &h.begun, 7);
    client_expect_silence(fd, 30);
    harness_release(&h, true);
    client_read(fd, &r, false);
    ck_assert_str_eq(r.body, "released");
    reply_done(&r);
    client_read(fd, &r, false);
    ck_assert_str_eq(r.body, "hello");
    reply_done(&r);
    client_read(fd, &r, false);
    ck_assert_uint_eq(r.n, 60);
    reply_done(&r);
    close(fd);
    stop();
}
END_TEST

/* More pipelined requests than are read at a time, and more than one turn's
 * share of them. */
START_TEST(pipelining_many)
{
    enum { MANY = 3000 };
    static const char one[] = GET("/now");
    start();
    int fd = client_open(&h);
    char *all = malloc(MANY * sizeof one);
    size_t n = 0;
    for (int i = 0; i < MANY; i++, n += sizeof one - 1)
        memcpy(all + n, one, sizeof one - 1);
    ck_assert(client_try_send(fd, all, n));
    for (int i = 0; i < MANY; i++) {
        client_read(fd, &r, false);
        ck_assert_str_eq(r.body, "hello");
        reply_done(&r);
    }
    free(all);
    close(fd);
    stop();
}
END_TEST

static unsigned segments(int fd)
{
    struct tcp_info info;
    socklen_t n = sizeof info;
    memset(&info, 0, sizeof info);
    ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n), 0);
    return info.tcpi_data_segs_in;
}

/* How many segments brought a whole reply, and a stream's. */
static void count_segments(unsigned *whole, unsigned *stream)
{
    int fd = client_open(&h);

    ask(fd, GET("/now"), 200, "hello");
    *whole = segments(fd);
    client_ask(fd, GET("/pieces"), &r, 200);
    ck_assert_uint_eq(r.n, 60);
    reply_done(&r);
    *stream = segments(fd) - *whole;
    close(fd);
}

/* A whole reply is one write; of a stream head and first piece are one, and
 * whatever else is written in the same turn is another.  A kernel whose
 * acknowledgement is late on a busy machine sends twice, so the fewest of many
 * connections count. */
START_TEST(few_writes)
{
    unsigned whole = UINT_MAX, stream = UINT_MAX;

    start();
    for (int i = 0; i < 50 && (whole > 1 || stream > 2); i++) {
        unsigned a, b;
        count_segments(&a, &b);
        whole = a < whole ? a : whole;
        stream = b < stream ? b : stream;
    }
    ck_assert_uint_eq(whole, 1);
    ck_assert_uint_le(stream, 2);
    stop();
}
END_TEST

START_TEST(drip)
{
    start();
    int fd = client_open(&h);
    client_send(fd, GET("/drip"));
    /* the head comes by itself when it is flushed */
    char text[4096];
    ssize_t n = recv(fd, text, sizeof text - 1, 0);
    ck_assert_int_gt(n, 0);
    text[n] = '\0';
    ck_assert_ptr_nonnull(strstr(text, "\r\n\r\n"));
    for (int i = 0; i < 3; i++) {
        harness_release(&h, false);
        n = recv(fd, text, sizeof text - 1, 0);
        text[n > 0 ? n : 0] = '\0';
        ck_assert_str_eq(text, "5\r\ndrop\n\r\n");
    }
    harness_release(&h, true);
    n = recv(fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    ck_assert_str_eq(text, "5\r\ndrop\n\r\n0\r\n\r\n");
    ask(fd, GET("/now"), 200, "hello");
    close(fd);
    stop();
}
END_TEST

START_TEST(escaped_path)
{
    start();
    int fd = client_open(&h);
    ask(fd, GET("/%6eow"), 200, "hello");
    client_ask(fd, GET("/%2e%2e/x"), &r, 400);
    ck_assert(r.closes);
    reply_done(&r);
    client_expect_end(fd);
    close(fd);
    stop();
}
END_TEST

START_TEST(many_headers)
{
    start();
    int fd = client_open(&h);
    char text[8192];
    for (int lines = 10; lines <= 130; lines += 60) {
        size_t n = (size_t)sprintf(text, "GET /now HTTP/1.1\r\nHost: a\r\n");
        for (int i = 0; i < lines; i++)
            n += (size_t)sprintf(text + n, "X-%d: %d\r\n", i, i);
        sprintf(text + n, "\r\n");
        client_ask(fd, text, &r, lines < LIM_HTTP_HEADERS ? 200 : 431);
        reply_done(&r);
    }
    close(fd);
    stop();
}
END_TEST

/* ----------------------------------------------------------------- bodies */

static char *filled(size_t n)
{
    char *p = malloc(n + 1);
    for (size_t i = 0; i < n; i++)
        p[i] = (char)('A' + i % 53);
    p[n] = '\0';
    return p;
}

/* From nothing to more than fits any buffer, by length and in chunks, whole and
 * as a stream, with a second request behind each. */
static const size_t sizes[] = {0,     1,     1000,    2000,    2048,
                               16383, 16384, 100000, 3000000};

static void send_body(int fd, const char *path, const char *body, size_t n,
                      size_t chunk)
{
    char text[256];
    sprintf(text, "POST %s HTTP/1.1\r\nHost: a\r\n", path);
    client_send(fd, text);
    if (!chunk) {
        sprintf(text, "Content-Length: %zu\r\n\r\n", n);
        client_send(fd, text);
        ck_assert(client_try_send(fd, body, n));
        return;
    }
    client_send(fd, "Transfer-Encoding: chunked\r\n\r\n");
    for (size_t at = 0; at < n; at += chunk) {
        size_t k = n - at < chunk ? n - at : chunk;
        sprintf(text, "%zx;x=\"y\"\r\n", k);
        client_send(fd, text);
        ck_assert(client_try_send(fd, body + at, k));
        client_send(fd, "\r\n");
    }
    client_send(fd, "0\r\nTrailer: x\r\n\r\n");
}

START_TEST(bodies)
{
    size_t n = sizes[_i];
    char *body = filled(n), count[32];
    sprintf(count, "%zu", n);
    start();
    int fd = client_open(&h);
    for (size_t chunk = 0; chunk <= 70000; chunk += 35000) {
        send_body(fd, "/echo", body, n, chunk);
        client_send(fd, GET("/now"));
        client_read(fd, &r, false);
        ck_assert_int_eq(r.status, 200);
        ck_assert_uint_eq(r.n, n);
        ck_assert_int_eq(memcmp(r.body, body, n), 0);
        reply_done(&r);
        client_read(fd, &r, false);
        ck_assert_str_eq(r.body, "hello");
        reply_done(&r);
        for (int k = 0; k < 2; k++) {
            send_body(fd, k ? "/pause" : "/count", body, n, chunk);
            client_read(fd, &r, false);
            ck_assert_str_eq(r.body, count);
            reply_done(&r);
        }
    }
    close(fd);
    stop();
    free(body);
}
END_TEST

START_TEST(byte_by_byte)
{
    static const char text[] = POST("/echo", "3") "abc" CHUNKED("/count")
        "2\r\nab\r\n3;q\r\ncde\r\n0\r\n\r\n" GET("/now");
    start();
    int fd = client_open(&h);
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    for (size_t i = 0; i + 1 < sizeof text; i++)
        ck_assert(client_try_send(fd, text + i, 1));
    static const char *const want[] = {"abc", "5", "hello"};
    for (int i = 0; i < 3; i++) {
        client_read(fd, &r, false);
        ck_assert_str_eq(r.body, want[i]);
        reply_done(&r);
    }
    close(fd);
    stop();
}
END_TEST

START_TEST(expect_continue)
{
    static const char begin[] =
        "POST %s HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
        "Content-Length: 3\r\n\r\n";
    static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
    char text[256], got[64];
    start();
    int fd = client_open(&h);
    for (int i = 0; i < 2; i++) {
        sprintf(text, begin, i ? "/count" : "/echo");
        client_send(fd, text);
        ck_assert_int_eq(recv(fd, got, sizeof interim - 1, MSG_WAITALL),
                         sizeof interim - 1);
        ck_assert_int_eq(memcmp(got, interim, sizeof interim - 1), 0);
        ask(fd, "abc", 200, i ? "3" : "abc");
    }
    /* whoever does not wait gets no interim reply */
    sprintf(text, begin, "/echo");
    strcat(text, "abc");
    ask(fd, text, 200, "abc");
    /* nobody wants the body: the final reply comes, and then the end */
    sprintf(text, begin, "/drop");
    client_ask(fd, text, &r, 200);
    ck_assert(r.closes);
    reply_done(&r);
    client_expect_end(fd);
    close(fd);
    fd = client_open(&h);
    client_ask(fd, "POST /small HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                   "Content-Length: 11\r\n\r\n", &r, 413);
    reply_done(&r);
    close(fd);
    stop();
}
END_TEST

/* The reply is there before the body: it can be read while the client still
 * sends, and the connection is not used again. */
START_TEST(unread_body)
{
    size_t n = 4u << 20;
    char *body = filled(n);
    start();
    for (int i = 0; i < 3; i++) {
        int fd = client_open(&h);
        send_body(fd, i ? "/small" : "/drop", body, n, i == 2 ? 5000 : 0);
        client_read(fd, &r, false);
        ck_assert_int_eq(r.status, i ? 413 : 200);
        ck_assert(r.closes && r.whole);
        if (i)
            ck_assert_ptr_nonnull(strstr(r.body, "\"path\":\"/small\""));
        reply_done(&r);
        client_expect_end(fd);
        close(fd);
    }
    /* what has come with the head is skipped, and the connection kept */
    int fd = client_open(&h);
    ask(fd, POST("/drop", "3") "abc", 200, "hello");
    ask(fd, GET("/now"), 200, "hello");
    close(fd);
    harness_wait_conns(&h, 0);
    ck_assert_uint_eq(h.failed, 2);
    stop();
    free(body);
}
END_TEST

START_TEST(body_limit)
{
    http_limits_default(&limits);
    limits.body = 1000;
    start_limited();
    static const char *const paths[] = {"/echo", "/count"};
    char *body = filled(2000);
    for (int i = 0; i < 4; i++) {
        int fd = client_open(&h);
        send_body(fd, paths[i & 1], body, 1000, i & 2 ? 100 : 0);
        client_read(fd, &r, false);
        ck_assert_int_eq(r.status, 200);
        reply_done(&r);
        send_body(fd, paths[i & 1], body, 1001, i & 2 ? 100 : 0);
        client_read(fd, &r, false);
        ck_assert_int_eq(r.status, 413);
        ck_assert(r.closes);
        reply_done(&r);
        client_expect_end(fd);
        close(fd);
    }
    free(body);
    stop();
}
END_TEST

START_TEST(malformed_chunks)
{
    start();
    for (int i = 0; i < 2; i++) {
        int fd = client_open(&h);
        client_send(fd, i ? CHUNKED("/count") : CHUNKED("/echo"));
        client_ask(fd, "3\r\nabcd\r\n0\r\n\r\n" GET("/now"), &r, 400);
        ck_assert(r.closes);
        reply_done(&r);
        client_expect_end(fd); /* what follows is not taken for a request */
        close(fd);
    }
    harness_wait(&h, &h.failed, 2);
    ck_assert_uint_eq(h.begun, 2);
    stop();
}
END_TEST

/* ----------------------------------------------------------- bad requests */

START_TEST(framing_errors_end_the_connection)
{
    static const char *const bad[] = {
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" GET("/now"),
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
        "Content-Length: 3\r\n\r\nabc" GET("/now"),
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, x\r\n"
        "\r\n0\r\n\r\n" GET("/now"),
        "GET /now HTTP/1.1\r\nHost: a\nX: y\r\n\r\n" GET("/now"),
        "GET /now HTTP/1.1\r\n\r\n" GET("/now"),
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    };
    start();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int fd = client_open(&h);
        client_ask(fd, bad[i], &r, 400);
        ck_assert(r.closes);
        ck_assert_ptr_nonnull(strstr(r.body, "\"why\":\""));
        reply_done(&r);
        client_expect_end(fd);
        close(fd);
    }
    ck_assert_uint_eq(h.begun, 0);
    stop();
}
END_TEST

START_TEST(huge_head)
{
    start();
    char *text = filled(200000);
    memcpy(text, "GET /now HTTP/1.1\r\nHost: a\r\nX: ", 31);
    int fd = client_open(&h);
    client_try_send(fd, text, 200000);
    client_read(fd, &r, false);
    ck_assert_int_eq(r.status, 431);
    reply_done(&r);
    client_expect_end(fd);
    close(fd);
    memset(text, 'x', 200000);
    memcpy(text, "GET /", 5);
    fd = client_open(&h);
    client_try_send(fd, text, 20000);
    client_read(fd, &r, false);
    ck_assert_int_eq(r.status, 414);
    reply_done(&r);
    close(fd);
    free(text);
    stop();
}
END_TEST

/* ----------------------------------------------------- clients that leave */

static void hard_close(int fd)
{
    struct linger hard = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(fd);
}

/* Each stage at which a client can leave; all but the first two have a request
 * whose handler must hear of it. */
static const struct {
    const char *text, *then;
    bool request;
} stages[] = {
    {"", "", false},
    {"GET /now HTTP/1.1\r\nHo", "", false},
    {POST("/echo", "10") "abc", "", true},
    {CHUNKED("/echo") "3\r\nab", "", true},
    {POST("/count", "10") "abc", "", true},
    {GET("/hold"), "", true},
    {GET("/hold"), GET("/now"), true},
    {POST("/hold", "10") "abc", "", true},
    {POST("/holdbody", "3"), "abc", true},
    {GET("/drip"), "", true},
    {GET("/big"), "", true},
};

START_TEST(leaving)
{
    for (int how = 0; how < 3; how++) {
        start();
        int fd = client_open(&h);
        client_send(fd, stages[_i].text);
        if (stages[_i].request)
            harness_wait(&h, &h.begun, 1);
        client_send(fd, stages[_i].then);
        if (strstr(stages[_i].text, "holdbody"))
            harness_wait(&h, &h.bodies, 1);
        if (strstr(stages[_i].text, "/big")) {
            struct pollfd p = {.fd = fd, .events = POLLIN};
            ck_assert_int_eq(poll(&p, 1, 10000), 1);
        }
        struct timespec a, b;
        clock_gettime(CLOCK_MONOTONIC, &a);
        if (how == 0)
            close(fd);
        else if (how == 1)
            hard_close(fd);
        else
            shutdown(fd, SHUT_WR);
        if (stages[_i].request)
            harness_wait(&h, &h.failed, 1);
        harness_wait_conns(&h, 0);
        clock_gettime(CLOCK_MONOTONIC, &b);
        double ms = (double)(b.tv_sec - a.tv_sec) * 1e3 +
                    (double)(b.tv_nsec - a.tv_nsec) / 1e6;
        /* generous for a busy machine; it is under 1 ms */
        ck_assert_msg(ms < 1000, "noticed after %.1f ms", ms);
        if (how == 2)
            close(fd);
        ck_assert_uint_eq(h.ok, 0);
        stop();
    }
}
END_TEST

/* A client that shuts its side after a request which is answered at once gets
 * its answer, however long that is. */
START_TEST(half_close)
{
    start();
    for (int i = 0; i < 2; i++) {
        int fd = client_open(&h);
        client_send(fd, i ? GET("/large") : GET("/now"));
        shutdown(fd, SHUT_WR);
        client_read(fd, &r, false);
        ck_assert(r.whole);
        ck_assert_uint_eq(r.n, i ? BIG : 5);
        reply_done(&r);
        client_expect_end(fd);
        close(fd);
    }
    stop();
}
END_TEST

/* Bytes that come while a request is answered are read up to a bound; the rest
 * stays with the client, and a reset is noticed all the same.  (The FIN of an
 * orderly close waits behind the client's own bytes.) */
START_TEST(flood)
{
    start();
    char *junk = filled(1u << 20);
    int fd = client_open(&h);
    client_send(fd, GET("/hold"));
    harness_wait(&h, &h.begun, 1);
    size_t sent = 0;
    for (;;) {
        ssize_t n = send(fd, junk, 1u << 20, MSG_DONTWAIT | MSG_NOSIGNAL);
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        if (n > 0)
            sent += (size_t)n;
        else if (poll(&p, 1, 100) == 0)
            break; /* it is full, and nobody reads */
        ck_assert_uint_lt(sent, 200u << 20);
    }
    ck_assert_uint_gt(sent, LIM_HTTP_LOOKAHEAD);
    hard_close(fd);
    harness_wait(&h, &h.failed, 1);
    harness_wait_conns(&h, 0);
    free(junk);
    stop();
}
END_TEST

/* What came before the reply is a request, if it is one. */
START_TEST(bytes_before_the_reply)
{
    start();
    int fd = client_open(&h);
    client_send(fd, GET("/hold"));
    harness_wait(&h, &h.begun, 1);
    client_send(fd, "GET /now HT");
    client_expect_silence(fd, 20);
    harness_release(&h, true);
    client_read(fd, &r, false);
    ck_assert_str_eq(r.body, "released");
    reply_done(&r);
    client_send(fd, "TP/1.1\r\nHost: a\r\n\r\n");
    client_read(fd, &r, false);
    ck_assert_str_eq(r.body, "hello");
    reply_done(&r);
    /* and garbage is refused after the reply, not before */
    client_send(fd, GET("/hold"));
    harness_wait(&h, &h.begun, 3);
    client_send(fd, "\x01\x02\r\n\r\n");
    client_expect_silence(fd, 20);
    harness_release(&h, true);
    client_read(fd, &r, false);
    ck_assert_str_eq(r.body, "released");
    reply_done(&r);
    client_read(fd, &r, false);
    ck_assert_int_eq(r.status, 400);
    reply_done(&r);
    client_expect_end(fd);
    close(fd);
    stop();
}
END_TEST

/* ----------------------------------------------------------- slow readers */

static void check_big(void)
{
    ck_assert(r.whole);
    ck_assert_uint_eq(r.n, BIG);
    for (size_t i = 0; i < BIG; i++) {
        if (r.body[i] != (char)('a' + i % 23))
            ck_abort_msg("byte %zu is wrong", i);
    }
    reply_done(&r);
}

START_TEST(slow_reader)
{
    start();
    int fd = client_open(&h);
    /* Little room, so that how often it is full does not depend on how much
     * the kernel would lend. */
    int room = 262144;
    ck_assert_int_eq(
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room), 0);
    client_send(fd, GET("/big"));
    /* Slow: nothing is read before all on the way is full. */
    harness_wait(&h, &h.most_backlog, LIM_OUT_HIGH + 1);
    client_read(fd, &r, false);
    check_big();
    harness_wait(&h, &h.ok, 1);
    ck_assert_uint_gt(h.drains, 0);
    ck_assert_uint_lt(h.most_backlog, LIM_OUT_HIGH + 11000);
    client_ask(fd, GET("/large"), &r, 200);
    check_big();
    client_ask(fd, GET("/now"), &r, 200);
    reply_done(&r);
    close(fd);
    stop();
}
END_TEST

/* A source that does not obey the backlog costs its own stream, no more. */
START_TEST(source_that_floods)
{
    start();
    int fd = client_open(&h);
    client_send(fd, GET("/flood"));
    harness_wait(&h, &h.failed, 1);
    harness_wait_conns(&h, 0);
    close(fd);
    stop();
}
END_TEST

START_TEST(aborted)
{
    start();
    int fd = client_open(&h);
    client_send(fd, GET("/abort"));
    client_read(fd, &r, false);
    ck_assert(r.chunked && !r.whole);
    ck_assert_str_eq(r.body, "piece\n");
    reply_done(&r);
    close(fd);
    /* HTTP/1.0 knows no other end than that of the connection: a reset */
    fd = client_open(&h);
    client_send(fd, "GET /abort HTTP/1.0\r\n\r\n");
    harness_wait(&h, &h.failed, 2);
    char text[4096];
    ssize_t n;
    do {
        n = recv(fd, text, sizeof text, 0);
    } while (n > 0);
    ck_assert_int_lt((int)n, 0);
    close(fd);
    ck_assert_uint_eq(h.ok, 0);
    stop();
}
END_TEST

/* -------------------------------------------------------------- deadlines */

START_TEST(deadlines)
{
    static const struct {
        const char *text;
        int status; /* 0: closed without a word */
    } late[] = {
        {"", 0},
        {"\r\n", 0},
        {"GET /now HTTP/1.1\r\nHost", 408},
        {POST("/echo", "10") "abc", 408},
        {CHUNKED("/count") "3\r\nabc", 408},
        {GET("/now"), 200}, /* then idle */
    };
    http_limits_default(&limits);
    limits.idle_ms = limits.head_ms = limits.body_ms = 250;
    start_limited();
    int fd[6];
    for (int i = 0; i < 6; i++) {
        fd[i] = client_open(&h);
        client_send(fd[i], late[i].text);
    }
    for (int i = 0; i < 6; i++) {
        if (late[i].status) {
            client_read(fd[i], &r, false);
            ck_assert_int_eq(r.status, late[i].status);
            ck_assert(r.closes || r.status == 200);
            reply_done(&r);
        }
        client_expect_end(fd[i]);
        close(fd[i]);
    }
    harness_wait_conns(&h, 0);
    stop();
}
END_TEST

/* A byte now and then does not prolong a head, but it does a body. */
START_TEST(trickle)
{
    http_limits_default(&limits);
    limits.head_ms = 300;
    limits.body_ms = 600;
    start_limited();
    int fd = client_open(&h), i;
    client_send(fd, "GET /now HTTP/1.1\r\nX: ");
    struct pollfd p = {.fd = fd, .events = POLLIN};
    for (i = 0; i < 1000 && poll(&p, 1, 20) == 0; i++)
        client_try_send(fd, "x", 1);
    ck_assert_int_lt(i, 1000);
    client_read(fd, &r, false);
    ck_assert_int_eq(r.status, 408);
    reply_done(&r);
    close(fd);
#if !SANITIZED
    fd = client_open(&h);
    p.fd = fd;
    client_send(fd, POST("/echo", "40"));
    for (i = 0; i < 40 && poll(&p, 1, 20) == 0; i++)
        client_send(fd, "x");
    ck_assert_int_eq(i, 40);
    client_read(fd, &r, false);
    ck_assert_int_eq(r.status, 200);
    reply_done(&r);
    close(fd);
#endif
    stop();
}
END_TEST

START_TEST(write_deadline)
{
    http_limits_default(&limits);
    limits.write_ms = 100;
    start_limited();
    int fd = client_open(&h);
    client_send(fd, GET("/big")); /* and never reads */
    harness_wait(&h, &h.failed, 1);
    harness_wait_conns(&h, 0);
    close(fd);
    stop();
}
END_TEST

/* ----------------------------------------------------------------- limits */

START_TEST(connection_cap)
{
    http_limits_default(&limits);
    limits.conns = 4;
    harness_start(&h, "127.0.0.1:0", 2, &limits, NULL);
    int fd[4], more;
    for (int i = 0; i < 4; i++) {
        fd[i] = client_open(&h);
        ask(fd[i], GET("/now"), 200, "hello");
    }
    more = client_open(&h);
    client_ask(more, GET("/now"), &r, 503);
    ck_assert(r.closes);
    ck_assert_ptr_nonnull(strstr(r.body, "too many connections"));
    ck_assert_ptr_nonnull(strstr(r.head, "Retry-After: 1\r\n"));
    reply_done(&r);
    client_expect_end(more);
    close(more);
    for (int i = 0; i < 4; i++) /* those that were there are not disturbed */
        ask(fd[i], GET("/now"), 200, "hello");
    close(fd[0]);
    harness_wait_conns(&h, 3);
    more = client_open(&h);
    ask(more, GET("/now"), 200, "hello");
    close(more);
    for (int i = 1; i < 4; i++)
        close(fd[i]);
    stop();
}
END_TEST

/* Beyond those who are told, connections wait until there is room. */
START_TEST(cap_overrun)
{
    enum { MANY = LIM_HTTP_TURNED_AWAY + 20 };
    http_limits_default(&limits);
    limits.conns = 1;
    start_limited();
    int first = client_open(&h), fd[MANY];
    ask(first, GET("/now"), 200, "hello");
    for (int i = 0; i < MANY; i++)
        fd[i] = client_open(&h);
    /* Nobody of them reads or closes: the server has accepted its bound. */
    client_read(fd[0], &r, false);
    ck_assert_int_eq(r.status, 503);
    reply_done(&r);
    size_t open = http_server_conns(h.server[0]);
    ck_assert_uint_le(open, 1 + LIM_HTTP_TURNED_AWAY);
    for (int i = 0; i < MANY; i++)
        close(fd[i]);
    harness_wait_conns(&h, 1);
    ask(first, GET("/now"), 200, "hello");
    close(first);
    harness_wait_conns(&h, 0);
    /* Those that waited are accepted, and found closed, before the next. */
    for (int i = 0, status = 0; status != 200; i++) {
        ck_assert_int_lt(i, MANY + 1);
        int last = client_open(&h);
        client_send(last, GET("/now"));
        client_read(last, &r, false);
        status = r.status;
        reply_done(&r);
        close(last);
        harness_wait_conns(&h, 0);
    }
    stop();
}
END_TEST

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

START_TEST(no_descriptors)
{
    struct rlimit old, low;
    int spare[256], n = 0;
    start();
    int first = client_open(&h);
    ask(first, GET("/now"), 200, "hello");
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
    low = old;
    low.rlim_cur = 200;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
    while (n < 256 && (spare[n] = dup(first)) >= 0)
        n++;
    ck_assert_int_gt(n, 2);
    ck_assert_int_lt(n, 256);
    close(spare[--n]);
    int fd = client_open(&h); /* the last descriptor is the client's */
    client_send(fd, GET("/now"));
    double before = cpu_ms();
    client_expect_silence(fd, 400);
    double spent = cpu_ms() - before;
    ck_assert_msg(spent < 100, "%.0f ms of CPU in 400 ms of waiting", spent);
    ask(first, GET("/now"), 200, "hello"); /* the others are served */
    while (n)
        close(spare[--n]);
    client_read(fd, &r, false);
    ck_assert_int_eq(r.status, 200);
    reply_done(&r);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
    close(fd);
    close(first);
    stop();
}
END_TEST

static size_t heap(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

/* What the server keeps for each of many connections, by its own allocations:
 * idle after a request with a body, and in the middle of a stream. */
START_TEST(memory)
{
    enum { MANY = 150 };
    int fd[MANY];
    size_t before, each;
    char *body = filled(10000);
    start();
    for (int pass = 0; pass < 2; pass++) { /* the first fills the pools */
        before = heap();
        for (int i = 0; i < MANY; i++) {
            fd[i] = client_open(&h);
            send_body(fd[i], "/echo", body, 10000, 0);
            client_read(fd[i], &r, false);
            reply_done(&r);
        }
        harness_wait(&h, &h.ok, (size_t)(pass + 1) * MANY);
        each = (heap() - before) / MANY;
        for (int i = 0; pass == 0 && i < MANY; i++)
            close(fd[i]);
        harness_wait_conns(&h, pass ? MANY : 0);
    }
    ck_assert_msg(each <= sizeof(struct http_conn) + 1024,
                  "an idle connection takes %zu bytes", each);
    for (int i = 0; i < MANY; i++)
        client_send(fd[i], GET("/drip"));
    harness_wait(&h, &h.begun, 3 * MANY);
    for (int i = 0; i < 20; i++)
        harness_release(&h, false);
    each = (heap() - before) / MANY;
    ck_assert_msg(each <= LIM_KIB(16), "a stream takes %zu bytes", each);
    for (int i = 0; i < MANY; i++)
        close(fd[i]);
    harness_wait_conns(&h, 0);
    free(body);
    stop();
}
END_TEST

/* ---------------------------------------------------------------- two loops */

START_TEST(two_loops)
{
    enum { MANY = 10 };
    int fd[MANY];
    harness_start(&h, "127.0.0.1:0", 2, NULL, NULL);
    for (int i = 0; i < MANY; i++) {
        fd[i] = client_open(&h);
        ask(fd[i], GET("/now"), 200, "hello");
    }
    ck_assert_uint_eq(http_server_conns(h.server[0]), MANY / 2);
    ck_assert_uint_eq(http_server_conns(h.server[1]), MANY / 2);
    ck_assert_uint_eq(h.by_loop[0], MANY / 2);
    for (int i = 0; i < MANY; i++)
        client_send(fd[i], GET("/hold"));
    harness_wait(&h, &h.begun, 2 * MANY);
    harness_release(&h, true);
    for (int i = 0; i < MANY; i++) {
        client_read(fd[i], &r, false);
        ck_assert_str_eq(r.body, "released");
        reply_done(&r);
    }
    /* those that are under way end when the server is freed */
    for (int i = 0; i < MANY; i++)
        client_send(fd[i], GET("/hold"));
    harness_wait(&h, &h.begun, 3 * MANY);
    stop();
    ck_assert_uint_eq(h.failed, MANY);
    for (int i = 0; i < MANY; i++)
        close(fd[i]);
}
END_TEST

static int open_files(void)
{
    int n = 0;
    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* All descriptors but so many are closed, soon: a connection whose client has
 * left may still wait to be accepted, and be counted only then. */
static bool files_return(struct harness *to, int files)
{
    for (int i = 0; i < 2000; i++) {
        harness_wait_conns(to, 0);
        if (open_files() == files)
            return true;
        usleep(1000);
    }
    return false;
}

/* 240 requests here, 10,000 in the long form. */
static void *hammer(void *arg)
{
    struct harness *to = arg;
    int rounds = getenv("PATCHBAY_LONG") ? 1250 : 30;
    for (int i = 0; i < rounds; i++) {
        struct reply mine;
        int fd = client_open(to);
        client_ask(fd, i % 3 ? POST("/echo", "5") "12345" : GET("/pieces"),
                   &mine, 200);
        reply_done(&mine);
        if (i % 4 == 0) {
            client_send(fd, GET("/hold"));
            close(fd);
            continue;
        }
        client_ask(fd, GET("/now"), &mine, 200);
        reply_done(&mine);
        close(fd);
    }
    return NULL;
}

START_TEST(many_threads)
{
    pthread_t t[4];
    harness_start(&h, "127.0.0.1:0", 2, NULL, NULL);
    int files = open_files();
    for (int i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, hammer, &h);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    ck_assert(files_return(&h, files));
    stop();
}
END_TEST

/* Pieces of requests, good, bad and cut anywhere, from clients that leave
 * anywhere, in any way: nothing is left behind and the server is well. */
static const char *const shards[] = {
    GET("/now"), GET("/pieces"), GET("/hold"), GET("/drip"), GET("/big"),
    GET("/abort"), GET("/none"), POST("/echo", "5"), POST("/count", "5"),
    POST("/pause", "5"), POST("/drop", "5"), POST("/small", "50"),
    POST("/holdbody", "5"), CHUNKED("/echo"), CHUNKED("/pause"), "hello",
    "5\r\nhello\r\n", "0\r\n\r\n", "GET /now HTTP/1.0\r\n\r\n",
    "GET /big HTTP/1.0\r\n\r\n", "HEAD /big HTTP/1.1\r\nHost: a\r\n\r\n",
    "\r\n", "\x16\x03\x01", "GET / HTTP/1.1\n\n",
    "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
    "Content-Length: 5\r\n\r\n",
};

static void chaotic_client(unsigned *seed)
{
    int fd = client_open(&h);
    char sink[65536];
    for (int k = rand_r(seed) % 6; k >= 0; k--) {
        const char *text =
            shards[(size_t)rand_r(seed) % (sizeof shards / sizeof *shards)];
        size_t n = strlen(text), cut = (size_t)rand_r(seed) % (n + 1);
        if (!client_try_send(fd, text, cut) ||
            !client_try_send(fd, text + cut,
                             rand_r(seed) % 8 ? n - cut : (n - cut) / 2))
            break;
        if (rand_r(seed) % 3 == 0)
            recv(fd, sink, sizeof sink, MSG_DONTWAIT);
        if (rand_r(seed) % 4 == 0)
            harness_release(&h, rand_r(seed) & 1);
    }
    if (rand_r(seed) % 3 == 0)
        shutdown(fd, SHUT_WR);
    if (rand_r(seed) % 3 == 0)
        hard_close(fd);
    else
        close(fd);
}

START_TEST(chaos)
{
    unsigned seed = (unsigned)time(NULL) ^ (unsigned)getpid() << 8;
    if (getenv("CHAOS_SEED"))
        seed = (unsigned)strtoul(getenv("CHAOS_SEED"), NULL, 10);
    printf("CHAOS_SEED=%u\n", seed);
    fflush(stdout);
    http_limits_default(&limits);
    limits.head_ms = limits.body_ms = limits.write_ms = 300;
    harness_start(&h, "127.0.0.1:0", 2, &limits, NULL);
    int files = open_files();
    int rounds = getenv("PATCHBAY_LONG") ? 20000 : 500;
    for (int i = 0; i < rounds; i++)
        chaotic_client(&seed);
    ck_assert(files_return(&h, files));
    int fd = client_open(&h);
    ask(fd, GET("/now"), 200, "hello");
    close(fd);
    stop();
}
END_TEST

/* --------------------------------------------------------------- draining */

static atomic_int drained_seen;

static void on_drained(void *arg)
{
    (void)arg;
    atomic_fetch_add(&drained_seen, 1);
}

static void drain(void *arg)
{
    (void)arg;
    http_listener_free(h.listener);
    h.listener = NULL;
    http_server_drain(h.server[0], on_drained, NULL);
}

START_TEST(draining)
{
    start();
    int idle = client_open(&h), busy = client_open(&h);
    ask(idle, GET("/now"), 200, "hello");
    client_send(busy, GET("/hold"));
    harness_wait(&h, &h.begun, 2);
    harness_call(&h, 0, drain, NULL);
    client_expect_end(idle);
    ck_assert_int_eq(atomic_load(&drained_seen), 0);
    harness_release(&h, true);
    client_read(busy, &r, false);
    ck_assert_str_eq(r.body, "released");
    ck_assert(r.closes);
    reply_done(&r);
    client_expect_end(busy);
    for (int i = 0; i < 20000 && !atomic_load(&drained_seen); i++)
        poll(NULL, 0, 1);
    ck_assert_int_eq(atomic_load(&drained_seen), 1);
    close(idle);
    close(busy);
    stop();
}
END_TEST

static void limit_to_one(void *arg)
{
    (void)arg;
    http_limits_default(&limits);
    limits.body = 1;
    http_server_set_limits(h.server[0], &limits);
}

START_TEST(new_limits)
{
    start();
    int old = client_open(&h);
    ask(old, GET("/now"), 200, "hello");
    harness_call(&h, 0, limit_to_one, NULL);
    ask(old, POST("/echo", "2") "ab", 200, "ab");
    int fd = client_open(&h);
    client_ask(fd, POST("/echo", "2") "ab", &r, 413);
    reply_done(&r);
    close(fd);
    close(old);
    stop();
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof *(table)))

int main(void)
{
    Suite *s = suite_create("http_server");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, getenv("PATCHBAY_LONG") ? 600 : 120);
    tcase_add_test(t, keep_alive);
    tcase_add_test(t, bad_reply_headers);
    tcase_add_test(t, connection_close);
    tcase_add_test(t, http_1_0);
    tcase_add_test(t, head);
    tcase_add_test(t, pipelining);
    tcase_add_test(t, pipelining_many);
    tcase_add_test(t, few_writes);
    tcase_add_test(t, drip);
    tcase_add_test(t, escaped_path);
    tcase_add_test(t, many_headers);
    tcase_add_loop_test(t, bodies, 0, COUNT(sizes));
    tcase_add_test(t, byte_by_byte);
    tcase_add_test(t, expect_continue);
    tcase_add_test(t, unread_body);
    tcase_add_test(t, body_limit);
    tcase_add_test(t, malformed_chunks);
    tcase_add_test(t, framing_errors_end_the_connection);
    tcase_add_test(t, huge_head);
    tcase_add_loop_test(t, leaving, 0, COUNT(stages));
    tcase_add_test(t, half_close);
    tcase_add_test(t, flood);
    tcase_add_test(t, bytes_before_the_reply);
    tcase_add_test(t, slow_reader);
    tcase_add_test(t, source_that_floods);
    tcase_add_test(t, aborted);
    tcase_add_test(t, deadlines);
    tcase_add_test(t, trickle);
    tcase_add_test(t, write_deadline);
    tcase_add_test(t, connection_cap);
    tcase_add_test(t, cap_overrun);
    tcase_add_test(t, no_descriptors);
    if (!SANITIZED) /* their allocators do not say */
        tcase_add_test(t, memory);
    tcase_add_test(t, two_loops);
    tcase_add_test(t, many_threads);
    tcase_add_test(t, chaos);
    tcase_add_test(t, draining);
    tcase_add_test(t, new_limits);
    suite_add_tcase(s, t);
    SRunner *run = srunner_create(s);
    srunner_run_all(run, CK_ENV);
    int failed = srunner_ntests_failed(run);
    srunner_free(run);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
