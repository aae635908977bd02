/* SPDX-License-Identifier: MIT */
/* Upstream servers and noted exchanges; see tx_harness.h. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>

#include "tx_harness.h"

struct loop *loop;
struct transport *tp;
struct tx_profile profile;

/* --------------------------------------------------------------- server */

static void end_peer(struct peer *p)
{
    struct upstream *u = p->up;

    if (p->ssl) {
        SSL_shutdown(p->ssl);
        SSL_free(p->ssl);
    }
    pthread_mutex_lock(&u->lock);
    for (int i = 0; i < u->n_workers; i++)
        if (u->fds[i] == p->fd)
            u->fds[i] = -1;
    if (p->fd >= 0)
        close(p->fd);
    pthread_mutex_unlock(&u->lock);
    buf_done(&p->body);
    free(p);
    atomic_fetch_add(&u->ended, 1);
}

static void *peer_main(void *arg)
{
    struct peer *p = arg;
    bool ok = true;

    if (p->up->tls) {
        p->ssl = SSL_new(p->up->tls);
        SSL_set_fd(p->ssl, p->fd);
        ok = SSL_accept(p->ssl) == 1;
    }
    if (ok)
        p->up->serve(p);
    end_peer(p);
    return NULL;
}

static void *acceptor_main(void *arg)
{
    struct upstream *u = arg;
    int nth = 0;

    for (;;) {
        int fd = accept(u->fd, NULL, NULL);
        struct peer *p;

        if (fd < 0 || atomic_load(&u->stopping)) {
            if (fd >= 0)
                close(fd);
            return NULL;
        }
        p = calloc(1, sizeof *p);
        if (!p || nth >= (int)LENGTH(u->workers))
            abort();
        p->up = u;
        p->fd = fd;
        p->nth = nth;
        buf_init(&p->body, (size_t)64 << 20);
        atomic_fetch_add(&u->conns, 1);
        pthread_mutex_lock(&u->lock);
        u->fds[nth] = fd;
        if (pthread_create(&u->workers[nth], NULL, peer_main, p))
            abort();
        u->n_workers = ++nth;
        pthread_mutex_unlock(&u->lock);
    }
}

static int listen_tcp(struct upstream *u)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) ||
        listen(fd, 128) || getsockname(fd, (struct sockaddr *)&a, &n))
        return -1;
    u->port = ntohs(a.sin_port);
    snprintf(u->url, sizeof u->url, "http%s://127.0.0.1:%d", u->tls ? "s" : "",
             u->port);
    return fd;
}

static int listen_unix(struct upstream *u, const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    snprintf(u->path, sizeof u->path, "%s", path);
    unlink(path);
    snprintf(u->url, sizeof u->url, "http://service.invalid");
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 128))
        return -1;
    return fd;
}

void upstream_start(struct upstream *u, void (*serve)(struct peer *p),
                    const void *arg, SSL_CTX *tls, const char *unix_path)
{
    memset(u, 0, sizeof *u);
    u->serve = serve;
    u->arg = arg;
    u->tls = tls;
    pthread_mutex_init(&u->lock, NULL);
    u->fd = unix_path ? listen_unix(u, unix_path) : listen_tcp(u);
    ck_assert_int_ge(u->fd, 0);
    ck_assert_int_eq(pthread_create(&u->acceptor, NULL, acceptor_main, u), 0);
}

void upstream_stop(struct upstream *u)
{
    atomic_store(&u->stopping, true);
    atomic_store(&u->go, true);
    shutdown(u->fd, SHUT_RDWR);
    pthread_join(u->acceptor, NULL);
    close(u->fd);
    pthread_mutex_lock(&u->lock);
    for (int i = 0; i < u->n_workers; i++)
        if (u->fds[i] >= 0)
            shutdown(u->fds[i], SHUT_RDWR);
    pthread_mutex_unlock(&u->lock);
    for (int i = 0; i < u->n_workers; i++)
        pthread_join(u->workers[i], NULL);
    if (u->path[0])
        unlink(u->path);
    pthread_mutex_destroy(&u->lock);
}

int peer_read(struct peer *p, char *dst, size_t n)
{
    ssize_t got;

    if (p->ssl)
        return SSL_read(p->ssl, dst, (int)n);
    do {
        got = recv(p->fd, dst, n, 0);
    } while (got < 0 && errno == EINTR);
    return got > 0 ? (int)got : got < 0 ? -1 : 0;
}

bool peer_send(struct peer *p, const char *bytes, size_t n)
{
    while (n) {
        size_t piece = n < 65536 ? n : 65536;
        ssize_t sent = p->ssl ? SSL_write(p->ssl, bytes, (int)piece)
                              : send(p->fd, bytes, piece, MSG_NOSIGNAL);

        if (sent <= 0)
            return false;
        atomic_fetch_add(&p->up->sent, (size_t)sent);
        bytes += sent;
        n -= (size_t)sent;
    }
    return true;
}

bool peer_puts(struct peer *p, const char *text)
{
    return peer_send(p, text, strlen(text));
}

const char *peer_header(struct peer *p, const char *name)
{
    static _Thread_local char value[4096];
    size_t n = strlen(name);

    char *end;

    for (char *line = strstr(p->head, "\r\n"); line;
         line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, n) != 0 || line[n] != ':')
            continue;
        line += n + 1;
        while (*line == ' ')
            line++;
        end = strstr(line, "\r\n");
        snprintf(value, sizeof value, "%.*s", (int)(end - line), line);
        return value;
    }
    return NULL;
}

static bool read_body(struct peer *p)
{
    const char *length = peer_header(p, "content-length");
    size_t left = length ? strtoul(length, NULL, 10) : 0;
    char chunk[65536];

    if (left <= p->body.n)
        return true;
    left -= p->body.n;
    while (left) {
        int n = peer_read(p, chunk, left < sizeof chunk ? left : sizeof chunk);

        if (n <= 0 || buf_add(&p->body, str_n(chunk, (size_t)n)))
            return false;
        left -= (size_t)n;
    }
    return true;
}

bool peer_request(struct peer *p)
{
    size_t n = 0;
    char *end = NULL;

    buf_reset(&p->body, 0);
    while (!end) {
        int got = peer_read(p, p->head + n, sizeof p->head - 1 - n);

        if (got <= 0)
            return false;
        n += (size_t)got;
        p->head[n] = '\0';
        end = strstr(p->head, "\r\n\r\n");
    }
    if (buf_add(&p->body, str_n(end + 4, n - (size_t)(end + 4 - p->head))))
        return false;
    end[4] = '\0';
    if (!read_body(p))
        return false;
    atomic_fetch_add(&p->up->received, p->body.n);
    atomic_fetch_add(&p->up->requests, 1);
    return true;
}

void peer_reset(struct peer *p)
{
    struct linger l = {.l_onoff = 1};

    setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
}

void peer_wait_close(struct peer *p)
{
    char c[64];

    while (peer_read(p, c, sizeof c) > 0)
        ;
}

void peer_reply(struct peer *p, const char *body)
{
    char head[128];

    snprintf(head, sizeof head,
             "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", strlen(body));
    if (peer_puts(p, head) && strncmp(p->head, "HEAD ", 5) != 0)
        peer_puts(p, body);
}

void serve_ok(struct peer *p)
{
    while (peer_request(p))
        peer_reply(p, "ok");
}

/* --------------------------------------------------------------- client */

void harness_setup(void)
{
    ck_assert_int_eq(transport_curl_global(), 0);
    loop = loop_new(0);
    ck_assert_ptr_nonnull(loop);
    tp = transport_curl_new(loop);
    ck_assert_ptr_nonnull(tp);
    profile = (struct tx_profile){.connect_ms = 10000};
}

void harness_teardown(void)
{
    transport_free(tp);
    loop_free(loop);
    resolver_stop();
    transport_curl_global_done();
}

static void on_head(void *arg, int status, const pbay_kv *headers, size_t n)
{
    struct call *c = arg;
    size_t at = 0;

    c->heads++;
    c->status = status;
    for (size_t i = 0; i < n; i++) {
        at += (size_t)snprintf(c->headers + at, sizeof c->headers - at,
                               "%.*s: %.*s\n", STR_ARG(headers[i].k),
                               STR_ARG(headers[i].v));
        ck_assert_uint_lt(at, sizeof c->headers);
    }
    if (c->got || c->ends)
        ck_abort_msg("head behind data or end");
    if (c->hook)
        c->hook(c, 'h');
}

static void on_data(void *arg, pbay_str bytes)
{
    struct call *c = arg;

    if (!c->heads || c->ends || !bytes.n)
        ck_abort_msg("data out of order, or none");
    c->got += bytes.n;
    if (!c->keep_not && buf_add(&c->body, bytes))
        ck_abort_msg("body too large");
    if (c->hook)
        c->hook(c, 'd');
}

static void on_end(void *arg, const struct tx_end *end)
{
    struct call *c = arg;

    c->ends++;
    c->kind = end->kind;
    c->reused = end->reused;
    c->ended_us = clock_us();
    ck_assert_ptr_nonnull(end->why);
    snprintf(c->why, sizeof c->why, "%s", end->why);
    if (c->hook)
        c->hook(c, 'e');
    c->tx = NULL;
}

static const struct tx_ops call_ops = {on_head, on_data, on_end};

void call_init(struct call *c)
{
    memset(c, 0, sizeof *c);
    buf_init(&c->body, (size_t)128 << 20);
}

void call_done(struct call *c)
{
    buf_done(&c->body);
}

void call_start(struct call *c, const struct tx_request *r)
{
    int events = c->heads + c->ends;

    c->tx = tx_start(tp, &profile, r, &call_ops, c);
    ck_assert_ptr_nonnull(c->tx);
    ck_assert_int_eq(c->heads + c->ends, events);
}

void call_get(struct call *c, const char *url)
{
    struct tx_request r = {.method = STR("GET"), .url = str_c(url)};

    call_start(c, &r);
}

void call_cancel(struct call *c)
{
    tx_cancel(c->tx);
    c->tx = NULL;
}

static void on_tick(void *arg)
{
    struct timer *t = arg;

    timer_set(t, loop->clock, 5, on_tick, t);
}

void pump(bool (*done)(void *arg), void *arg, int64_t ms)
{
    int64_t until = clock_us() + ms * 1000;
    struct timer tick = {0};

    timer_set(&tick, loop->clock, 5, on_tick, &tick);
    while (!done(arg)) {
        if (clock_us() > until)
            ck_abort_msg("not within %lld ms", (long long)ms);
        clock_turn(loop->clock);
        event_base_loop(loop->base, EVLOOP_ONCE);
    }
    timer_stop(&tick);
}

static bool is_late(void *arg)
{
    return clock_us() >= *(int64_t *)arg;
}

void pump_ms(int64_t ms)
{
    int64_t until = clock_us() + ms * 1000;

    pump(is_late, &until, ms + 10000);
}

static bool is_over(void *arg)
{
    return ((struct call *)arg)->ends > 0;
}

void call_wait(struct call *c)
{
    pump(is_over, c, 20000);
    ck_assert_int_eq(c->ends, 1);
}

void call_run(struct call *c, const char *url)
{
    call_get(c, url);
    call_wait(c);
}
