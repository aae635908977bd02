/* SPDX-License-Identifier: MIT */
/* The curl transport against servers that do all that servers do: pooling,
 * every way a reply can end or break, pausing, cancelling, large bodies, what
 * is sent.  TLS, proxies and names are in test_transport_tls.c and
 * test_resolver.c. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "tx_harness.h"

static struct upstream up;

static void no_server(void)
{
    harness_teardown();
}

static void with_server(void)
{
    upstream_stop(&up);
    harness_teardown();
}

/* ------------------------------------------------------------- exchanges */

static const char *const good[][2] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
     "2\r\nhe\r\n3;ext=1\r\nllo\r\n0\r\nX-Trailer: no\r\n\r\n",
     "hello"},
    {"HTTP/1.1 200 OK\r\n\r\nuntil close", "until close"},
    {"HTTP/1.0 200 OK\r\n\r\nold", "old"},
    {"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold", "old"},
    {"HTTP/1.1 100 Continue\r\nX-Interim: 1\r\n\r\n"
     "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
     "ok"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ""},
    {"HTTP/1.1 204 No Content\r\n\r\n", ""},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", ""},
    {"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", "ok"},
    {"HTTP/1.1 429 Too Many\r\nContent-Length: 2\r\n\r\n{}", "{}"},
    {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n"
     "Content-Length: 2\r\n\r\nno",
     "no"},
};

/* Send what the test says, byte by byte where it says so, then close. */
static void serve_text(struct peer *p)
{
    const char *text = p->up->arg;

    if (!peer_request(p))
        return;
    peer_puts(p, text);
}

static void serve_slowly(struct peer *p)
{
    if (!peer_request(p))
        return;
    for (const char *c = p->up->arg; *c; c++)
        if (!peer_send(p, c, 1))
            return;
}

START_TEST(good_replies)
{
    struct call c;

    for (int slow = 0; slow < 2; slow++) {
        upstream_start(&up, slow ? serve_slowly : serve_text, good[_i][0], NULL,
                       NULL);
        call_init(&c);
        call_run(&c, up.url);
        ck_assert_msg(c.kind == ERR_NONE, "%d %s", c.kind, c.why);
        ck_assert_int_eq(c.heads, 1);
        ck_assert_int_ge(c.status, 200);
        ck_body(&c, good[_i][1]);
        ck_assert_ptr_null(strstr(c.headers, "interim"));
        ck_assert_ptr_null(strstr(c.headers, "link"));
        call_done(&c);
        upstream_stop(&up);
    }
    upstream_start(&up, serve_ok, NULL, NULL, NULL);
}
END_TEST

/* What breaks: the bytes, whether a reset follows, and what it is called. */
static const struct {
    const char *bytes;
    bool reset;
    int kind, heads;
    const char *why;
} bad[] = {
    {"", false, ERR_RESET, 0, "without a reply"},
    {"", true, ERR_RESET, 0, "without a reply"},
    {"HTTP/1.1 200 OK\r\nContent-Le", false, ERR_TRUNCATED, 0,
     "inside the head"},
    {"HTTP/1.1 200 OK\r\nA: b\r\n", true, ERR_TRUNCATED, 0, "inside the head"},
    {"HTTP/1.1 100 Continue\r\n\r\n", false, ERR_TRUNCATED, 0, ""},
    {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", false, ERR_TRUNCATED,
     1, "broke off inside its reply"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", false, ERR_TRUNCATED, 1,
     "broke off inside its reply"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", true, ERR_TRUNCATED,
     1, "broke off inside its reply"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
     false, ERR_TRUNCATED, 1, "broke off inside its reply"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", false,
     ERR_TRUNCATED, 1, "broke off inside its reply"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
     false, ERR_TRUNCATED, 1, "broke off inside its reply"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
     true, ERR_TRUNCATED, 1, "broke off inside its reply"},
    {"HTTP/1.1 200 OK\r\n\r\nhello", true, ERR_TRUNCATED, 1,
     "broke off inside its reply"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n",
     false, PBAY_E_PROTOCOL, 1, "not valid HTTP"},
    {"SSH-2.0-OpenSSH_9.2\r\n", false, PBAY_E_PROTOCOL, 0, "not valid HTTP"},
    {"<html>no head</html>", false, PBAY_E_PROTOCOL, 0, "not valid HTTP"},
    {"HTTP/1.1 abc\r\n\r\n", false, PBAY_E_PROTOCOL, 0, ""},
    {"HTTP/9.9 200 OK\r\n\r\n", false, PBAY_E_PROTOCOL, 0, ""},
    {"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", false, PBAY_E_PROTOCOL, 0,
     ""},
};

static void serve_bad(struct peer *p)
{
    const int *which = p->up->arg;

    if (!peer_request(p))
        return;
    peer_puts(p, bad[*which].bytes);
    while (bad[*which].reset && !atomic_load(&p->up->go))
        usleep(1000); /* until the client has read what came */
    if (bad[*which].reset)
        peer_reset(p);
}

static bool has_bytes(void *arg)
{
    struct call *c = arg;

    return c->got || c->ends;
}

START_TEST(bad_replies)
{
    int which = _i;
    struct call c;
    char port[16];

    upstream_start(&up, serve_bad, &which, NULL, NULL);
    call_init(&c);
    call_get(&c, up.url);
    /* the reset must not overtake the bytes */
    if (bad[_i].reset && strstr(bad[_i].bytes, "hello"))
        pump(has_bytes, &c, 5000);
    else if (bad[_i].reset)
        pump_ms(bad[_i].bytes[0] ? 50 : 1);
    atomic_store(&up.go, true);
    call_wait(&c);
    ck_assert_msg(c.kind == bad[_i].kind, "kind %d: %s", c.kind, c.why);
    ck_assert_int_eq(c.heads, bad[_i].heads);
    ck_assert_msg(strstr(c.why, bad[_i].why) != NULL, "%s", c.why);
    snprintf(port, sizeof port, ":%d", up.port);
    ck_assert_msg(strstr(c.why, port) != NULL, "%s", c.why);
    call_done(&c);
}
END_TEST

START_TEST(headers_lower)
{
    struct call c;

    upstream_start(&up, serve_text,
                   "HTTP/1.1 200 OK\r\nX-Request-ID:  abc \r\n"
                   "Content-Type:text/event-stream\r\nX-Empty:\r\n"
                   "Set-Cookie: A=1\r\nset-cookie: B=2\r\nX-Fold: one\r\n"
                   " two\r\nContent-Length: 0\r\n\r\n",
                   NULL, NULL);
    call_init(&c);
    call_run(&c, up.url);
    ck_assert_str_eq(c.headers, "x-request-id: abc\n"
                                "content-type: text/event-stream\nx-empty: \n"
                                "set-cookie: A=1\nset-cookie: B=2\n"
                                "x-fold: one two\ncontent-length: 0\n");
    call_done(&c);
}
END_TEST

/* A head over its bound: many lines, one long line, one that never ends. */
static void serve_large_head(struct peer *p)
{
    const int *which = p->up->arg;
    char line[1002];

    if (!peer_request(p) || !peer_puts(p, "HTTP/1.1 200 OK\r\n"))
        return;
    memset(line, 'x', sizeof line);
    memcpy(line, "a: ", 3);
    memcpy(line + 1000, "\r\n", 2);
    for (int i = 0; i < 300; i++) {
        bool ok = true;

        if (*which == 0)
            ok = peer_send(p, line, 1002);
        else if (*which == 1)
            ok = peer_send(p, i ? line + 3 : line, i ? 990 : 1000);
        else
            for (int k = 0; k < 300 && ok; k++)
                ok = peer_puts(p, "a:\r\n");
        if (!ok)
            return;
    }
    peer_puts(p, "\r\n\r\n");
    peer_wait_close(p);
}

START_TEST(large_heads)
{
    int which = _i;
    struct call c;

    upstream_start(&up, serve_large_head, &which, NULL, NULL);
    call_init(&c);
    call_run(&c, up.url);
    ck_assert_int_eq(c.kind, PBAY_E_PROTOCOL);
    ck_assert_int_eq(c.heads, 0);
    ck_assert_ptr_nonnull(strstr(c.why, _i == 1 ? "100 KiB" : "too "));
    call_done(&c);
}
END_TEST

/* --------------------------------------------------------------- pooling */

START_TEST(keep_alive)
{
    struct call c;

    upstream_start(&up, serve_ok, NULL, NULL, NULL);
    for (int i = 0; i < 20; i++) {
        call_init(&c);
        call_run(&c, up.url);
        ck_assert_int_eq(c.kind, ERR_NONE);
        ck_assert_int_eq(c.reused, i > 0);
        ck_body(&c, "ok");
        call_done(&c);
    }
    ck_assert_int_eq(atomic_load(&up.conns), 1);
    ck_assert_int_eq(atomic_load(&up.requests), 20);
}
END_TEST

static bool one_ended(void *arg)
{
    (void)arg;
    return atomic_load(&up.ended) >= 1;
}

/* One reply for a connection, which is then closed although it said nothing. */
static void serve_once(struct peer *p)
{
    if (peer_request(p))
        peer_reply(p, "ok");
}

/* A pooled connection that died while it was idle is not used. */
START_TEST(dead_while_idle)
{
    struct call c;

    upstream_start(&up, serve_once, NULL, NULL, NULL);
    for (int i = 0; i < 3; i++) {
        struct tx_request r = {.method = STR("POST"), .url = str_c(up.url)};

        call_init(&c);
        call_start(&c, &r);
        call_wait(&c);
        ck_assert_msg(c.kind == ERR_NONE, "%s", c.why);
        ck_assert(!c.reused);
        call_done(&c);
        pump(one_ended, NULL, 5000);
        atomic_store(&up.ended, 0);
    }
    ck_assert_int_eq(atomic_load(&up.conns), 3);
    ck_assert_int_eq(atomic_load(&up.requests), 3);
}
END_TEST

static int descriptors(void)
{
    int n = 0;

    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static bool is_count(void *arg)
{
    return descriptors() <= *(int *)arg;
}

/* Pooled connections that the other side has closed are not kept, although
 * nothing is asked any more. */
START_TEST(dead_and_quiet)
{
    struct call c[10];
    int before;

    upstream_start(&up, serve_once, NULL, NULL, NULL);
    before = descriptors();
    for (size_t i = 0; i < LENGTH(c); i++) {
        call_init(&c[i]);
        call_get(&c[i], up.url);
    }
    for (size_t i = 0; i < LENGTH(c); i++) {
        call_wait(&c[i]);
        ck_assert_int_eq(c[i].kind, ERR_NONE);
        call_done(&c[i]);
    }
    pump(is_count, &before, 5000);
    ck_assert_int_eq(atomic_load(&up.requests), (int)LENGTH(c));
}
END_TEST

/* The first connection answers once, then swallows a whole request and closes.
 */
static void serve_swallow(struct peer *p)
{
    if (!peer_request(p))
        return;
    peer_reply(p, "ok");
    if (p->nth == 0)
        peer_request(p);
    else
        serve_ok(p);
}

/* .. which curl would send again on a new connection in any case.  Here that
 * happens only with what may be asked twice. */
START_TEST(dead_in_use)
{
    static char large[100000];
    bool idempotent = _i & 1, pieces = _i & 2;
    pbay_str body[3] = {{large, 60000}, {large + 60000, 39999}, {"!", 1}};
    struct tx_request r = {.method = STR("POST"),
                           .body = body,
                           .n_body = pieces ? 3 : 1,
                           .idempotent = idempotent};
    struct call c;

    memset(large, 'x', sizeof large);
    upstream_start(&up, serve_swallow, NULL, NULL, NULL);
    r.url = str_c(up.url);
    call_init(&c);
    call_run(&c, up.url);
    ck_assert_int_eq(c.kind, ERR_NONE);
    call_done(&c);
    call_init(&c);
    call_start(&c, &r);
    call_wait(&c);
    if (idempotent) {
        ck_assert_msg(c.kind == ERR_NONE, "%s", c.why);
        ck_body(&c, "ok");
        ck_assert_int_eq(atomic_load(&up.requests), 3);
        ck_assert_uint_eq(atomic_load(&up.received),
                          2 * (pieces ? 100000u : 60000u));
    } else {
        ck_assert_int_eq(c.kind, ERR_RESET);
        ck_assert_ptr_nonnull(strstr(c.why, "without a reply"));
        ck_assert_int_eq(atomic_load(&up.requests), 2);
        ck_assert(c.reused);
    }
    call_done(&c);
}
END_TEST

/* A connection of its own is asked for, though one is kept. */
START_TEST(on_a_new_connection)
{
    struct call c;

    upstream_start(&up, serve_ok, NULL, NULL, NULL);
    for (int i = 0; i < 4; i++) {
        struct tx_request r = {
            .method = STR("POST"), .url = str_c(up.url), .fresh = i & 1};
        call_init(&c);
        call_start(&c, &r);
        call_wait(&c);
        ck_assert_int_eq(c.kind, ERR_NONE);
        ck_assert_int_eq(c.reused, i == 2);
        call_done(&c);
    }
    ck_assert_int_eq(atomic_load(&up.conns), 3);
}
END_TEST

/* What is still valid in the pool after failures: the transport goes on. */
START_TEST(many_at_once)
{
    static struct call c[60];

    upstream_start(&up, serve_ok, NULL, NULL, NULL);
    for (int round = 0; round < 5; round++) {
        for (size_t i = 0; i < LENGTH(c); i++) {
            call_init(&c[i]);
            call_get(&c[i], up.url);
        }
        ck_assert_uint_eq(tp->vt->active(tp), LENGTH(c));
        for (size_t i = 0; i < LENGTH(c); i++) {
            if (i % 3 == 2) {
                if (c[i].tx)
                    call_cancel(&c[i]);
            } else {
                call_wait(&c[i]);
                ck_assert_msg(c[i].kind == ERR_NONE, "%s", c[i].why);
                ck_body(&c[i], "ok");
            }
            call_done(&c[i]);
        }
        ck_assert_uint_eq(tp->vt->active(tp), 0);
    }
    ck_assert_int_le(atomic_load(&up.conns), 3 * (int)LENGTH(c));
}
END_TEST

/* ------------------------------------------------------------ connecting */

/* A listener whose queue is full: SYNs are not answered. */
static int full_listener(int *clients, size_t n, int *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    ck_assert_int_eq(listen(fd, 0), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    *port = ntohs(a.sin_port);
    for (size_t i = 0; i < n; i++) {
        clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        if (connect(clients[i], (struct sockaddr *)&a, sizeof a) != 0)
            ck_assert_int_eq(errno, EINPROGRESS);
    }
    return fd;
}

START_TEST(connect_timeout)
{
    int clients[8], port, fd = full_listener(clients, 8, &port);
    int64_t t0 = clock_us();
    struct call c;
    char url[64];

    snprintf(url, sizeof url, "http://127.0.0.1:%d/secret?key=1", port);
    profile.connect_ms = 300;
    call_init(&c);
    call_run(&c, url);
    ck_assert_msg(c.kind == ERR_CONNECT_TIMEOUT, "%d %s", c.kind, c.why);
    ck_assert_int_ge(clock_us() - t0, 280000);
    ck_assert_int_le(clock_us() - t0, 3000000);
    ck_assert_ptr_nonnull(strstr(c.why, "300 ms"));
    ck_assert_ptr_null(strstr(c.why, "secret"));
    call_done(&c);
    for (int i = 0; i < 8; i++)
        close(clients[i]);
    close(fd);
}
END_TEST

START_TEST(refused)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct call c;
    char url[64], want[64];

    /* bound but not listening: nobody else gets the port */
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/v1?key=secret",
             ntohs(a.sin_port));
    call_init(&c);
    call_run(&c, url);
    ck_assert_int_eq(c.kind, ERR_CONNECT);
    snprintf(want, sizeof want, "no connection to 127.0.0.1:%d: %s",
             ntohs(a.sin_port), strerror(ECONNREFUSED));
    ck_assert_str_eq(c.why, want);
    call_done(&c);
    close(fd);
}
END_TEST

START_TEST(unix_socket)
{
    char path[64];
    struct call c;

    snprintf(path, sizeof path, "/tmp/patchbay-test-%d.sock", (int)getpid());
    upstream_start(&up, serve_ok, NULL, NULL, path);
    profile.unix_socket = path;
    for (int i = 0; i < 2; i++) {
        call_init(&c);
        call_run(&c, "http://name.invalid/x");
        ck_assert_msg(c.kind == ERR_NONE, "%s", c.why);
        ck_assert_int_eq(c.reused, i > 0);
        call_done(&c);
    }
    profile.unix_socket = "/tmp/patchbay-test-nothing.sock";
    call_init(&c);
    call_run(&c, "http://name.invalid/x");
    ck_assert_int_eq(c.kind, ERR_CONNECT);
    ck_assert_ptr_nonnull(strstr(c.why, "unix:/tmp/patchbay-test-nothing"));
    call_done(&c);
}
END_TEST

/* --------------------------------------------------- pausing, cancelling */

static void serve_flood(struct peer *p)
{
    const size_t *total = p->up->arg;
    static char block[65536];
    char head[100];

    memset(block, 'x', sizeof block);
    if (!peer_request(p))
        return;
    snprintf(head, sizeof head,
             "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", *total);
    peer_puts(p, head);
    for (size_t left = *total; left;) {
        size_t n = left < sizeof block ? left : sizeof block;

        if (!peer_send(p, block, n))
            return;
        left -= n;
    }
    serve_ok(p);
}

/* Let the server run full; returns how much it has sent then. */
static size_t when_full(void)
{
    size_t before, now = atomic_load(&up.sent);

    do {
        before = now;
        pump_ms(150);
        now = atomic_load(&up.sent);
    } while (now != before);
    return now;
}

static size_t heap(void)
{
    return mallinfo2().uordblks;
}

static void pause_at_data(struct call *c, char what)
{
    if (what == 'd' && !c->paused) {
        c->paused = true;
        tx_pause(c->tx, true);
    }
}

static void check_paused(struct call *c, size_t total)
{
    size_t got = c->got, bytes = heap(), sent;

    sent = when_full();
    ck_assert_uint_lt(sent, total / 2);
    ck_assert_uint_le(c->got - got, 16384);
    /* what is not in the sockets is one buffer */
    ck_assert_uint_lt(heap(), bytes + 65536);
    ck_assert_int_eq(c->ends, 0);
}

/* A reader that stops, stops the server: the rest is in socket buffers. */
START_TEST(pausing)
{
    size_t total = (size_t)48 << 20;
    struct call c;

    upstream_start(&up, serve_flood, &total, NULL, NULL);
    call_init(&c);
    c.keep_not = true;
    c.hook = pause_at_data;
    call_get(&c, up.url);
    pump(has_bytes, &c, 5000);
    check_paused(&c, total);
    ck_assert_uint_le(c.got, 16384);
    for (int i = 0; i < 5; i++) {
        size_t got = c.got;

        tx_pause(c.tx, false);
        ck_assert_uint_eq(c.got, got); /* never from inside */
        while (c.got < got + 100000) {
            pump_ms(1);
        }
        tx_pause(c.tx, true);
        got = c.got;
        pump_ms(50);
        ck_assert_uint_le(c.got - got, 16384);
    }
    ck_assert_int_eq(c.ends, 0);
    tx_pause(c.tx, false);
    call_wait(&c);
    ck_assert_msg(c.kind == ERR_NONE, "%s", c.why);
    ck_assert_uint_eq(c.got, total);
    call_done(&c);
}
END_TEST

/* Paused from outside while data is on its way, and cancelled so. */
START_TEST(pausing_and_cancelling)
{
    size_t total = (size_t)48 << 20;
    struct call c;

    upstream_start(&up, serve_flood, &total, NULL, NULL);
    call_init(&c);
    c.keep_not = true;
    call_get(&c, up.url);
    pump(has_bytes, &c, 5000);
    tx_pause(c.tx, true);
    check_paused(&c, total);
    tx_pause(c.tx, false);
    tx_pause(c.tx, true);
    tx_pause(c.tx, false);
    call_cancel(&c);
    pump(one_ended, NULL, 5000);
    ck_assert_int_eq(c.ends, 0);
    call_done(&c);
}
END_TEST

static void pause_at_head(struct call *c, char what)
{
    if (what == 'h')
        tx_pause(c->tx, true);
}

/* Paused in front of a body that is there already: it comes later, and so does
 * the end. */
START_TEST(pausing_at_head)
{
    struct call c;

    upstream_start(&up, serve_ok, NULL, NULL, NULL);
    for (int i = 0; i < 3; i++) {
        call_init(&c);
        c.hook = pause_at_head;
        call_get(&c, up.url);
        pump_ms(60);
        ck_assert_int_eq(c.heads, 1);
        ck_assert_uint_eq(c.got, 0);
        ck_assert_int_eq(c.ends, 0);
        tx_pause(c.tx, false);
        ck_assert_uint_eq(c.got, 0);
        call_wait(&c);
        ck_assert_int_eq(c.kind, ERR_NONE);
        ck_body(&c, "ok");
        call_done(&c);
    }
}
END_TEST

static void serve_silence(struct peer *p)
{
    if (!peer_request(p))
        return;
    if (p->up->arg)
        peer_puts(p, p->up->arg);
    peer_wait_close(p);
}

/* The server sees a cancel within milliseconds: in front of the reply, inside
 * it. */
START_TEST(cancel_is_seen)
{
    int64_t t0;
    struct call c;

    upstream_start(&up, serve_silence,
                   _i ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                        "3\r\nabc\r\n"
                      : NULL,
                   NULL, NULL);
    call_init(&c);
    call_get(&c, up.url);
    pump_ms(50);
    ck_assert_int_eq(atomic_load(&up.requests), 1);
    ck_assert_uint_eq(c.got, _i ? 3 : 0);
    t0 = clock_us();
    call_cancel(&c);
    while (!atomic_load(&up.ended))
        usleep(200);
    ck_assert_int_lt(clock_us() - t0, 100000);
    ck_assert_int_eq(c.ends, 0);
    call_done(&c);
}
END_TEST

static const char *cancel_at;

static void cancel_own(struct call *c, char what)
{
    if (what != *cancel_at)
        return;
    tx_cancel(c->tx);
    tx_pause(c->tx, true);
    tx_pause(c->tx, false);
}

/* Has the callback that cancels been called, and is nothing under way? */
static bool is_cancelled(void *arg)
{
    struct call *c = arg;
    bool called = *cancel_at == 'h'   ? c->heads > 0
                  : *cancel_at == 'd' ? c->got > 0
                                      : c->ends > 0;

    return called && tp->vt->active(tp) == 0;
}

/* From inside its own callbacks. */
START_TEST(cancel_inside)
{
    static const char *const at[] = {"h", "d", "e"};
    struct call c;

    cancel_at = at[_i];
    upstream_start(&up, serve_ok, NULL, NULL, NULL);
    for (int i = 0; i < 3; i++) {
        call_init(&c);
        c.hook = cancel_own;
        call_get(&c, up.url);
        pump(is_cancelled, &c, 20000);
        pump_ms(20); /* nothing more comes */
        ck_assert_int_eq(c.heads, 1);
        ck_assert_uint_eq(c.got, _i ? 2 : 0);
        ck_assert_int_eq(c.ends, _i == 2 ? 1 : 0);
        ck_assert_uint_eq(tp->vt->active(tp), 0);
        call_done(&c);
    }
    ck_assert_int_eq(atomic_load(&up.conns), _i == 2 ? 1 : 3);
}
END_TEST

static struct call other;

static void cancel_other(struct call *c, char what)
{
    (void)c;
    if (what == *cancel_at && other.tx)
        call_cancel(&other);
}

static void start_other(struct call *c, char what)
{
    (void)c;
    if (what == *cancel_at)
        call_get(&other, up.url);
}

/* From inside a callback of another exchange; and a new one started there. */
START_TEST(others_inside)
{
    static const char *const at[] = {"h", "d", "e"};
    static struct upstream quiet;
    struct call c;

    cancel_at = at[_i];
    upstream_start(&up, serve_ok, NULL, NULL, NULL);
    call_init(&other);
    call_init(&c);
    c.hook = start_other;
    call_get(&c, up.url);
    call_wait(&c);
    call_wait(&other);
    ck_assert_int_eq(other.kind, ERR_NONE);
    ck_body(&other, "ok");
    call_done(&other);
    call_done(&c);

    upstream_start(&quiet, serve_silence,
                   "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", NULL,
                   NULL);
    call_init(&other);
    call_get(&other, quiet.url);
    pump(has_bytes, &other, 5000);
    call_init(&c);
    c.hook = cancel_other;
    call_run(&c, up.url);
    ck_assert_int_eq(c.kind, ERR_NONE);
    ck_assert_ptr_null(other.tx);
    ck_assert_int_eq(other.ends, 0);
    ck_assert_uint_eq(tp->vt->active(tp), 0);
    call_done(&other);
    call_done(&c);
    upstream_stop(&quiet);
}
END_TEST

/* The transport goes away with exchanges in every state. */
START_TEST(freeing)
{
    size_t total = (size_t)8 << 20;
    struct call c[3];

    upstream_start(&up, serve_flood, &total, NULL, NULL);
    for (int i = 0; i < 3; i++) {
        call_init(&c[i]);
        c[i].keep_not = true;
        if (i == 2)
            call_get(&c[i], "http://127.0.0.1:9/"); /* ends with the loop */
        else
            call_get(&c[i], up.url);
        if (i == 0)
            pump(has_bytes, &c[0], 5000);
    }
    tx_pause(c[0].tx, true);
    transport_free(tp);
    tp = transport_curl_new(loop);
    ck_assert_ptr_nonnull(tp);
    pump_ms(50);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(c[i].ends, 0);
        call_done(&c[i]);
    }
}
END_TEST

/* ----------------------------------------------------- what is sent */

static char seen_head[1 << 17], seen_body[4 << 20];
static size_t seen_n;

static void serve_note(struct peer *p)
{
    while (peer_request(p)) {
        pbay_str body = buf_str(&p->body);

        snprintf(seen_head, sizeof seen_head, "%s", p->head);
        seen_n = body.n;
        ck_assert_uint_lt(body.n, sizeof seen_body);
        memcpy(seen_body, body.p, body.n);
        peer_reply(p, "ok");
    }
}

static void post(struct call *c, struct tx_request *r)
{
    r->url = str_c(up.url);
    call_init(c);
    call_start(c, r);
    call_wait(c);
    ck_assert_msg(c->kind == ERR_NONE, "%s", c->why);
    call_done(c);
}

/* Exactly these lines and no others, so that nothing of curl's own defaults
 * gets out. */
START_TEST(request_head)
{
    static const struct {
        const char *method;
        size_t body;
        const char *first, *rest;
    } c[] = {
        {"GET", 0, "GET /v1/x?a=b HTTP/1.1", ""},
        {"HEAD", 0, "HEAD /v1/x?a=b HTTP/1.1", ""},
        {"DELETE", 0, "DELETE /v1/x?a=b HTTP/1.1", ""},
        {"POST", 3, "POST /v1/x?a=b HTTP/1.1", "Content-Length: 3\r\n"},
        {"POST", 0, "POST /v1/x?a=b HTTP/1.1", "Content-Length: 0\r\n"},
        {"PUT", 3, "PUT /v1/x?a=b HTTP/1.1", "Content-Length: 3\r\n"},
        {"DELETE", 3, "DELETE /v1/x?a=b HTTP/1.1", "Content-Length: 3\r\n"},
        {"GET", 0, "GET /v1/x?a=b HTTP/1.1", ""},
        {"POST", 3, "POST /v1/x?a=b HTTP/1.1", "Content-Length: 3\r\n"},
    };
    const pbay_kv headers[] = {{STR("X-One"), STR("1")},
                               {STR("x-empty"), STR("")}};
    struct secret *key = secret_new(STR("sk-unit-test-key"));
    pbay_str body = STR("abc");

    upstream_start(&up, serve_note, NULL, NULL, NULL);
    for (size_t i = 0; i < LENGTH(c); i++) {
        struct tx_request r = {.method = str_c(c[i].method),
                               .headers = headers,
                               .n_headers = 2,
                               .auth_name = STR("Authorization"),
                               .auth_prefix = STR("Bearer "),
                               .auth = key,
                               .body = &body,
                               .n_body = c[i].body ? 1 : 0};
        char url[200], want[600];
        struct call call;

        snprintf(url, sizeof url, "%s/v1/x?a=b#frag", up.url);
        r.url = str_c(url);
        call_init(&call);
        call_start(&call, &r);
        call_wait(&call);
        ck_assert_msg(call.kind == ERR_NONE, "%s", call.why);
        snprintf(want, sizeof want,
                 "%s\r\nHost: 127.0.0.1:%d\r\nUser-Agent: %s/%s\r\n"
                 "Accept: */*\r\nX-One: 1\r\nx-empty:\r\n"
                 "Authorization: Bearer sk-unit-test-key\r\n%s\r\n",
                 c[i].first, up.port, PACKAGE_NAME, PACKAGE_VERSION, c[i].rest);
        ck_assert_str_eq(seen_head, want);
        ck_assert_uint_eq(seen_n, c[i].body);
        call_done(&call);
    }
    secret_free(key);
    ck_assert_int_eq(atomic_load(&up.conns), 1);
}
END_TEST

START_TEST(request_own_headers)
{
    const pbay_kv headers[] = {{STR("User-Agent"), STR("other/1")},
                               {STR("Accept"), STR("text/event-stream")},
                               {STR("Content-Type"), STR("application/json")}};
    pbay_str body = STR("{}");
    struct tx_request r = {.method = STR("POST"),
                           .headers = headers,
                           .n_headers = 3,
                           .body = &body,
                           .n_body = 1};
    char want[300];
    struct call c;

    upstream_start(&up, serve_note, NULL, NULL, NULL);
    post(&c, &r);
    snprintf(want, sizeof want,
             "POST / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: other/1\r\n"
             "Accept: text/event-stream\r\nContent-Type: application/json\r\n"
             "Content-Length: 2\r\n\r\n",
             up.port);
    ck_assert_str_eq(seen_head, want);
}
END_TEST

/* 2 MB are there as soon as the sockets allow, in one piece or many. */
START_TEST(large_body)
{
    size_t total = 2u << 20, at = 0;
    char *bytes = malloc(total);
    pbay_str body[700];
    struct tx_request r = {.method = STR("POST"), .body = body};
    int64_t t0;
    struct call c;

    ck_assert_ptr_nonnull(bytes);
    for (size_t i = 0; i < total; i++)
        bytes[i] = (char)('a' + i % 23);
    body[0] = str_n(bytes, total);
    r.n_body = 1;
    if (_i) {
        for (r.n_body = 0; at < total; r.n_body++) {
            size_t n = r.n_body % 7 == 3 ? 0 : 1 + (r.n_body * 37) % 9000;

            n = r.n_body == LENGTH(body) - 1 || n > total - at ? total - at : n;
            body[r.n_body] = str_n(bytes + at, n);
            at += n;
        }
    }
    upstream_start(&up, serve_note, NULL, NULL, NULL);
    t0 = clock_us();
    post(&c, &r);
    ck_assert_int_lt(clock_us() - t0, 900000); /* an Expect: waits a second */
    ck_assert_ptr_null(strstr(seen_head, "Expect"));
    ck_assert_ptr_null(strstr(seen_head, "chunked"));
    ck_assert_uint_eq(seen_n, total);
    ck_assert_mem_eq(seen_body, bytes, total);
    free(bytes);
}
END_TEST

/* A refusal that comes while the body is still on its way is read, and the
 * rest is not sent. */
static void serve_early(struct peer *p)
{
    char c;
    int newlines = 0;

    while (newlines < 4 && peer_read(p, &c, 1) == 1)
        newlines = c == '\r' || c == '\n' ? newlines + 1 : 0;
    peer_puts(p, "HTTP/1.1 413 Too Large\r\nContent-Length: 7\r\n"
                 "Connection: close\r\n\r\ntoo big");
    peer_wait_close(p);
}

START_TEST(early_refusal)
{
    size_t total = 48u << 20;
    char *bytes = calloc(1, total);
    pbay_str body[2] = {{bytes, total - 9}, {bytes, 9}};
    struct tx_request r = {
        .method = STR("POST"), .body = body, .n_body = _i ? 2 : 1};
    struct call c;

    ck_assert_ptr_nonnull(bytes);
    upstream_start(&up, serve_early, NULL, NULL, NULL);
    r.url = str_c(up.url);
    call_init(&c);
    call_start(&c, &r);
    call_wait(&c);
    ck_assert_msg(c.kind == ERR_NONE, "%d %s", c.kind, c.why);
    ck_assert_int_eq(c.status, 413);
    ck_body(&c, "too big");
    call_done(&c);
    free(bytes);
}
END_TEST

/* Pieces around the size up to which they are joined. */
START_TEST(body_in_pieces)
{
    static const size_t sizes[][4] = {
        {1, 0, 1, 1},       {0, 0, 5, 0},          {100, 20, 300, 4},
        {32768, 0, 0, 0},   {32767, 1, 0, 0},      {32767, 1, 1, 0},
        {16384, 16384, 1, 9}, {65536, 65536, 0, 1}, {0, 70000, 1, 0},
    };
    static char bytes[140000];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)('a' + i % 19);
    upstream_start(&up, serve_note, NULL, NULL, NULL);
    for (size_t i = 0; i < LENGTH(sizes); i++) {
        pbay_str body[4];
        struct tx_request r = {
            .method = STR("POST"), .body = body, .n_body = 4};
        struct call c;
        size_t at = 0;

        for (size_t k = 0; k < 4; at += sizes[i][k++])
            body[k] = sizes[i][k] ? str_n(bytes + at, sizes[i][k]) : STR_NONE;
        post(&c, &r);
        ck_assert_uint_eq(seen_n, at);
        ck_assert_mem_eq(seen_body, bytes, at);
    }
    ck_assert_int_eq(atomic_load(&up.conns), 1);
}
END_TEST

/* What cannot be sent says why, and where the mend is. */
START_TEST(refused_requests)
{
    static const struct {
        const char *url, *name, *value, *method, *why;
    } c[] = {
        {"ftp://x/", "a", "b", "GET", "http://"},
        {"x", "a", "b", "GET", "http://"},
        {"http:///x", "a", "b", "GET", "host name"},
        {"http://u:secret@127.0.0.1/", "a", "b", "GET", "user name"},
        {"http://127.0.0.1:0/", "a", "b", "GET", "port"},
        {"http://127.0.0.1:65536/", "a", "b", "GET", "port"},
        {"http://127.0.0.1:1/a b", "a", "b", "GET", "space"},
        {"http://127.0.0.1:1/\r\nX: y", "a", "b", "GET", "control"},
        {"http://b\xc3\xbc.example/", "a", "b", "GET", "xn--"},
        {"http://[::1/", "a", "b", "GET", "bracket"},
        {NULL, "a b", "b", "GET", "not a header name"},
        {NULL, "X-A", "b\r\nc: d", "GET", "line break"},
        {NULL, "Host", "evil", "GET", "host's own"},
        {NULL, "transfer-encoding", "chunked", "GET", "host's own"},
        {NULL, "Content-Length", "1", "GET", "host's own"},
        {NULL, "a", "b", "GE T", "not a method"},
        {NULL, "a", "b", "", "not a method"},
    };

    upstream_start(&up, serve_ok, NULL, NULL, NULL);
    for (size_t i = 0; i < LENGTH(c); i++) {
        pbay_kv kv = {str_c(c[i].name), str_c(c[i].value)};
        struct tx_request r = {.method = str_c(c[i].method),
                               .url = str_c(c[i].url ? c[i].url : up.url),
                               .headers = &kv,
                               .n_headers = 1};
        struct call call;

        call_init(&call);
        call_start(&call, &r);
        call_wait(&call);
        ck_assert_int_eq(call.kind, ERR_INTERNAL);
        ck_assert_msg(strstr(call.why, c[i].why) != NULL, "%s: %s", c[i].why,
                      call.why);
        ck_assert_ptr_null(strstr(call.why, "secret"));
        call_done(&call);
    }
    ck_assert_int_eq(atomic_load(&up.requests), 0);
}
END_TEST

/* A key file that ends with a line break: the name, never the value. */
START_TEST(key_with_line_break)
{
    struct secret *key = secret_new(STR("sk-with-break\n"));
    struct tx_request r = {.method = STR("GET"),
                           .auth_name = STR("x-api-key"),
                           .auth = key};
    struct call c;

    upstream_start(&up, serve_ok, NULL, NULL, NULL);
    r.url = str_c(up.url);
    call_init(&c);
    call_start(&c, &r);
    call_wait(&c);
    ck_assert_int_eq(c.kind, ERR_INTERNAL);
    ck_assert_ptr_nonnull(strstr(c.why, "\"x-api-key\" has a control byte"));
    ck_assert_ptr_null(strstr(c.why, "sk-with"));
    call_done(&c);
    secret_free(key);
}
END_TEST

static TCase *tests(Suite *s, const char *name, void (*teardown)(void))
{
    TCase *tc = tcase_create(name);

    tcase_add_checked_fixture(tc, harness_setup, teardown);
    suite_add_tcase(s, tc);
    return tc;
}

int main(void)
{
    Suite *s = suite_create("transport_curl");
    SRunner *r;
    TCase *tc;
    int failed;

    tc = tests(s, "replies", with_server);
    tcase_add_loop_test(tc, good_replies, 0, LENGTH(good));
    tcase_add_loop_test(tc, bad_replies, 0, LENGTH(bad));
    tcase_add_test(tc, headers_lower);
    tcase_add_loop_test(tc, large_heads, 0, 3);
    tc = tests(s, "pool", with_server);
    tcase_add_test(tc, keep_alive);
    tcase_add_test(tc, dead_while_idle);
    tcase_add_test(tc, dead_and_quiet);
    tcase_add_loop_test(tc, dead_in_use, 0, 4);
    tcase_add_test(tc, on_a_new_connection);
    tcase_add_test(tc, many_at_once);
    tcase_add_test(tc, unix_socket);
    tc = tests(s, "connect", no_server);
    tcase_add_test(tc, connect_timeout);
    tcase_add_test(tc, refused);
    tc = tests(s, "flow", with_server);
    tcase_add_test(tc, pausing);
    tcase_add_test(tc, pausing_and_cancelling);
    tcase_add_test(tc, pausing_at_head);
    tcase_add_loop_test(tc, cancel_is_seen, 0, 2);
    tcase_add_loop_test(tc, cancel_inside, 0, 3);
    tcase_add_loop_test(tc, others_inside, 0, 3);
    tcase_add_test(tc, freeing);
    tc = tests(s, "requests", with_server);
    tcase_add_test(tc, request_head);
    tcase_add_test(tc, request_own_headers);
    tcase_add_loop_test(tc, large_body, 0, 2);
    tcase_add_test(tc, body_in_pieces);
    tcase_add_loop_test(tc, early_refusal, 0, 2);
    tcase_add_test(tc, refused_requests);
    tcase_add_test(tc, key_with_line_break);
    r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
