/* SPDX-License-Identifier: MIT */
/* See http_harness.h. */
#include "config.h"

#include "http_harness.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/str.h"

#define PATIENCE 20 /* seconds; a sanitizer on a busy machine is slow */

/* What a request is doing; freed in on_end. */
struct held {
    struct harness *h;
    struct http_req *req;
    struct held *prev, *next; /* h->held */
    bool waits;
    int kind; /* see paths[] */
    int loop;
    size_t bytes, left;
    struct timer timer;
};

static char big[BIG];

static void note(struct harness *h, size_t *counter, size_t n)
{
    pthread_mutex_lock(&h->lock);
    *counter += n;
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->lock);
}

static void note_most(struct harness *h, size_t backlog)
{
    pthread_mutex_lock(&h->lock);
    if (backlog > h->most_backlog)
        h->most_backlog = backlog;
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->lock);
}

static void hold(struct held *d)
{
    struct harness *h = d->h;
    pthread_mutex_lock(&h->lock);
    d->waits = true;
    d->prev = NULL;
    d->next = h->held;
    if (d->next)
        d->next->prev = d;
    h->held = d;
    pthread_mutex_unlock(&h->lock);
}

static void unhold(struct held *d)
{
    struct harness *h = d->h;
    pthread_mutex_lock(&h->lock);
    if (d->waits) {
        if (d->prev)
            d->prev->next = d->next;
        else
            h->held = d->next;
        if (d->next)
            d->next->prev = d->prev;
        d->waits = false;
    }
    pthread_mutex_unlock(&h->lock);
}

/* ---------------------------------------------------------------- handler */

static const pbay_kv plain[] = {
    {PBAY_LIT("Content-Type"), PBAY_LIT("text/plain")},
    {PBAY_LIT("X-Bad"), PBAY_LIT("a\r\nX-Injected: 1")},
    {PBAY_LIT("Content-Length"), PBAY_LIT("77")},
};

static void reply(struct http_req *req, pbay_str body)
{
    http_reply(req, 200, plain, 1, body);
}

static void on_end(struct http_req *req, bool ok)
{
    struct held *d = req->user;
    unhold(d);
    timer_stop(&d->timer);
    note(d->h, ok ? &d->h->ok : &d->h->failed, 1);
    free(d);
}

static void reply_length(struct http_req *req, size_t n)
{
    char text[32];
    int len = snprintf(text, sizeof text, "%zu", n);
    reply(req, str_n(text, (size_t)len));
}

static void unpause(void *arg)
{
    struct held *d = arg;
    http_req_pause_body(d->req, false);
}

static void on_data(struct http_req *req, pbay_str piece)
{
    struct held *d = req->user;
    d->bytes += piece.n;
    note(d->h, &d->h->body_bytes, piece.n);
    if (d->kind == 'p') {
        http_req_pause_body(req, true);
        timer_set(&d->timer, d->h->loop[d->loop]->clock, 0, unpause, d);
    }
}

static void on_body(struct http_req *req, pbay_str body)
{
    struct held *d = req->user;
    note(d->h, &d->h->bodies, 1);
    if (d->kind == 'h')
        hold(d);
    else if (d->kind == 'e' || d->kind == 's')
        reply(req, body);
    else
        reply_length(req, d->bytes);
}

static void pump(struct http_req *req)
{
    struct held *d = req->user;
    while (d->left) {
        size_t n = d->left < 10000 ? d->left : 10000;
        size_t backlog = http_reply_write(req, str_n(big + BIG - d->left, n));
        note_most(d->h, backlog);
        d->left -= n;
        if (backlog > LIM_OUT_HIGH)
            return;
    }
    http_reply_end(req);
}

static void on_drain(struct http_req *req)
{
    struct held *d = req->user;
    note(d->h, &d->h->drains, 1);
    pump(req);
}

static void stream(struct http_req *req, struct held *d)
{
    http_reply_begin(req, 200, plain, 1);
    switch (d->kind) {
    case 'P':
        for (int i = 0; i < 10; i++)
            http_reply_write(req, STR("piece\n"));
        http_reply_end(req);
        break;
    case 'F':
        for (size_t i = 0; i < LIM_OUT_MAX / FLOOD_PIECE + 8; i++)
            http_reply_write(req, str_n(big, FLOOD_PIECE));
        http_reply_end(req);
        break;
    case 'A':
        http_reply_write(req, STR("piece\n"));
        http_reply_abort(req);
        break;
    case 'D':
        http_reply_flush(req);
        hold(d);
        break;
    default:
        d->left = BIG;
        pump(req);
    }
}

static const struct {
    const char *path;
    int kind;
} paths[] = {
    {"/now", 'n'},      {"/echo", 'e'},   {"/count", 'c'}, {"/pause", 'p'},
    {"/drop", 'n'},     {"/hold", 'H'},   {"/pieces", 'P'}, {"/big", 'B'},
    {"/holdbody", 'h'}, {"/flood", 'F'},  {"/drip", 'D'},  {"/abort", 'A'},
    {"/large", 'L'},    {"/small", 's'},  {"/badheader", 'b'},
};

static void handler(struct http_req *req, void *arg)
{
    struct harness *h = arg;
    struct held *d = calloc(1, sizeof *d);
    d->h = h;
    d->req = req;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        if (str_is(req->path, paths[i].path))
            d->kind = paths[i].kind;
    }
    req->user = d;
    req->on_data = on_data;
    req->on_body = on_body;
    req->on_drain = on_drain;
    req->on_end = on_end;
    pthread_mutex_lock(&h->lock);
    snprintf(h->peer, sizeof h->peer, "%.*s", STR_ARG(req->peer));
    h->local = req->local;
    h->tag = req->listener_tag;
    while (!pthread_equal(pthread_self(), h->thread[d->loop]))
        d->loop++;
    h->by_loop[d->loop]++;
    pthread_mutex_unlock(&h->lock);
    switch (d->kind) {
    case 'n':
        reply(req, STR("hello"));
        break;
    case 'b':
        http_reply(req, 200, plain, 3, STR("hello"));
        break;
    case 'L':
        reply(req, str_n(big, BIG));
        break;
    case 'e':
    case 'h':
        http_req_take_whole(req, SIZE_MAX);
        break;
    case 's':
        http_req_take_whole(req, 10);
        break;
    case 'c':
    case 'p':
        http_req_take_stream(req);
        break;
    case 'H':
        hold(d);
        break;
    case 0:
        http_reply(req, 404, NULL, 0, STR("no"));
        break;
    default:
        stream(req, d);
    }
    note(h, &h->begun, 1);
}

static size_t error_body(pbay_str path, int status, const char *why, char *dst,
                         size_t room)
{
    int n = snprintf(dst, room, "{\"path\":\"%.*s\",\"status\":%d,"
                                "\"why\":\"%s\"}",
                     STR_ARG(path), status, why);
    return n < 0 ? 0 : (size_t)n;
}

/* --------------------------------------------------------- start and stop */

struct call {
    struct loop_job job; /* first */
    struct harness *h;
    void (*fn)(void *);
    void *arg;
    bool done;
};

static void run_call(struct loop_job *job)
{
    struct call *c = (struct call *)job;
    struct harness *h = c->h;
    c->fn(c->arg);
    pthread_mutex_lock(&h->lock);
    c->done = true;
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->lock);
}

void harness_call(struct harness *h, int i, void (*fn)(void *), void *arg)
{
    struct call c = {.job.run = run_call, .h = h, .fn = fn, .arg = arg};
    loop_post(h->loop[i], &c.job);
    pthread_mutex_lock(&h->lock);
    while (!c.done)
        pthread_cond_wait(&h->changed, &h->lock);
    pthread_mutex_unlock(&h->lock);
}

struct where {
    struct harness *h;
    int i;
};

static void know_thread(void *arg)
{
    struct where *w = arg;
    pthread_mutex_lock(&w->h->lock);
    w->h->thread[w->i] = pthread_self();
    pthread_mutex_unlock(&w->h->lock);
}

void harness_start(struct harness *h, const char *addr, int n,
                   const struct http_limits *limits, struct http_tls *tls)
{
    struct http_limits standard;
    char *err;
    *h = (struct harness){.n = n};
    for (size_t i = 0; i < BIG; i++)
        big[i] = (char)('a' + i % 23);
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->changed, NULL);
    http_limits_default(&standard);
    for (int i = 0; i < n; i++) {
        h->loop[i] = loop_new(i);
        ck_assert_ptr_nonnull(h->loop[i]);
        h->server[i] = http_server_new(h->loop[i], limits ? limits : &standard,
                                       handler, h, error_body);
        ck_assert_ptr_nonnull(h->server[i]);
    }
    h->listener = http_listen(addr, h->server, (size_t)n, tls, h, &err);
    ck_assert_msg(h->listener != NULL, "%s", err);
    snprintf(h->name, sizeof h->name, "%s", http_listener_name(h->listener));
    for (int i = 0; i < n; i++) {
        struct where w = {h, i};
        ck_assert_int_eq(loop_thread_start(h->loop[i], "loop"), 0);
        harness_call(h, i, know_thread, &w);
    }
}

static void free_listener(void *arg)
{
    struct harness *h = arg;
    http_listener_free(h->listener);
    h->listener = NULL;
}

void harness_stop(struct harness *h)
{
    if (h->listener)
        harness_call(h, 0, free_listener, h);
    for (int i = 0; i < h->n; i++) {
        loop_stop(h->loop[i]);
        loop_thread_join(h->loop[i]);
        http_server_free(h->server[i]);
        loop_free(h->loop[i]);
    }
    ck_assert_uint_eq(h->begun, h->ok + h->failed);
    pthread_mutex_destroy(&h->lock);
    pthread_cond_destroy(&h->changed);
}

static struct timespec until(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_sec += PATIENCE;
    return t;
}

void harness_wait(struct harness *h, const size_t *counter, size_t n)
{
    struct timespec t = until();
    int rc = 0;
    pthread_mutex_lock(&h->lock);
    while (*counter < n && rc == 0)
        rc = pthread_cond_timedwait(&h->changed, &h->lock, &t);
    size_t got = *counter;
    pthread_mutex_unlock(&h->lock);
    ck_assert_msg(got >= n, "waited for %zu, got %zu", n, got);
}

void harness_wait_conns(struct harness *h, size_t n)
{
    size_t open = 0;
    for (int i = 0; i < PATIENCE * 1000; i++) {
        open = 0;
        for (int k = 0; k < h->n; k++)
            open += http_server_conns(h->server[k]);
        if (open <= n)
            return;
        poll(NULL, 0, 1);
    }
    ck_abort_msg("%zu connections are open, not %zu", open, n);
}

/* --------------------------------------------------------------- releasing */

struct release {
    struct harness *h;
    int loop;
    bool end;
};

static void go_on(struct held *d, bool end)
{
    if (d->kind != 'D') {
        reply(d->req, STR("released"));
        return;
    }
    http_reply_write(d->req, STR("drop\n"));
    if (end)
        http_reply_end(d->req);
    else
        hold(d);
}

/* On the loop of the requests. */
static void release(void *arg)
{
    struct release *r = arg;
    struct held *mine[256];
    size_t n = 0;
    pthread_mutex_lock(&r->h->lock);
    for (struct held *d = r->h->held; d && n < 256; d = d->next) {
        if (d->loop == r->loop)
            mine[n++] = d;
    }
    pthread_mutex_unlock(&r->h->lock);
    for (size_t i = 0; i < n; i++) {
        unhold(mine[i]);
        go_on(mine[i], r->end);
    }
}

void harness_release(struct harness *h, bool end)
{
    for (int i = 0; i < h->n; i++) {
        struct release r = {h, i, end};
        harness_call(h, i, release, &r);
    }
}

/* ----------------------------------------------------------------- client */

static int open_unix(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static int open_tcp(const char *name)
{
    bool v6 = name[0] == '[';
    struct sockaddr_in a4 = {.sin_family = AF_INET};
    struct sockaddr_in6 a6 = {.sin6_family = AF_INET6,
                              .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    in_port_t port = htons((uint16_t)atoi(strrchr(name, ':') + 1));
    a4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    a4.sin_port = a6.sin6_port = port;
    int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
    ck_assert_int_ge(fd, 0);
    int rc = v6 ? connect(fd, (struct sockaddr *)&a6, sizeof a6)
                : connect(fd, (struct sockaddr *)&a4, sizeof a4);
    ck_assert_msg(rc == 0, "connect: %s", strerror(errno));
    return fd;
}

int client_open(const struct harness *h)
{
    struct timeval patience = {.tv_sec = PATIENCE};
    bool is_unix = strncmp(h->name, "unix:", 5) == 0;
    int fd = is_unix ? open_unix(h->name + 5) : open_tcp(h->name);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return fd;
}

bool client_try_send(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t put = send(fd, p, n, MSG_NOSIGNAL);
        if (put < 0)
            return false;
        p += put;
        n -= (size_t)put;
    }
    return true;
}

void client_send(int fd, const char *text)
{
    ck_assert_msg(client_try_send(fd, text, strlen(text)), "send: %s",
                  strerror(errno));
}

/* n bytes, or as many as come before the end. */
static size_t read_n(int fd, char *p, size_t n)
{
    size_t got = 0;
    while (got < n) {
        ssize_t k = recv(fd, p + got, n - got, 0);
        ck_assert_msg(k >= 0 || errno == ECONNRESET || errno == EPIPE,
                      "nothing came: %s", strerror(errno));
        if (k <= 0)
            break;
        got += (size_t)k;
    }
    return got;
}

/* A line with its CRLF, byte by byte; false at the end. */
static bool read_line(int fd, char *line, size_t room)
{
    size_t n = 0;
    while (n + 1 < room && read_n(fd, line + n, 1) == 1) {
        line[++n] = '\0';
        if (n >= 2 && line[n - 2] == '\r' && line[n - 1] == '\n')
            return true;
    }
    line[n] = '\0';
    return false;
}

static void read_head(int fd, struct reply *r)
{
    char line[1024];
    size_t n = 0;
    r->length = -1;
    ck_assert_msg(read_line(fd, line, sizeof line), "no reply: \"%s\"", line);
    ck_assert_int_eq(sscanf(line, "HTTP/1.1 %d ", &r->status), 1);
    for (;;) {
        size_t len = strlen(line);
        ck_assert_uint_lt(n + len, sizeof r->head);
        memcpy(r->head + n, line, len + 1);
        n += len;
        if (len == 2)
            return;
        sscanf(line, "Content-Length: %ld", &r->length);
        r->chunked |= strcmp(line, "Transfer-Encoding: chunked\r\n") == 0;
        r->closes |= strcmp(line, "Connection: close\r\n") == 0;
        ck_assert(read_line(fd, line, sizeof line));
    }
}

static void read_chunks(int fd, struct reply *r)
{
    char line[64];
    unsigned long n;
    while (read_line(fd, line, sizeof line)) {
        ck_assert_int_eq(sscanf(line, "%lx\r\n", &n), 1);
        r->body = realloc(r->body, r->n + n + 1);
        size_t got = read_n(fd, r->body + r->n, n);
        r->n += got;
        if (got < n || !read_line(fd, line, sizeof line))
            break;
        ck_assert_str_eq(line, "\r\n");
        if (n == 0) {
            r->whole = true;
            break;
        }
    }
}

static void read_to_end(int fd, struct reply *r)
{
    size_t got;
    do {
        r->body = realloc(r->body, r->n + 65537);
        got = read_n(fd, r->body + r->n, 65536);
        r->n += got;
    } while (got == 65536);
    r->whole = true;
}

void client_read(int fd, struct reply *r, bool no_body)
{
    *r = (struct reply){0};
    r->body = malloc(1);
    read_head(fd, r);
    if (no_body) {
        r->whole = true;
    } else if (r->chunked) {
        read_chunks(fd, r);
    } else if (r->length >= 0) {
        r->body = realloc(r->body, (size_t)r->length + 1);
        r->n = read_n(fd, r->body, (size_t)r->length);
        r->whole = r->n == (size_t)r->length;
    } else {
        read_to_end(fd, r);
    }
    r->body[r->n] = '\0';
}

void reply_done(struct reply *r)
{
    free(r->body);
    r->body = NULL;
}

void client_ask(int fd, const char *request, struct reply *r, int status)
{
    client_send(fd, request);
    client_read(fd, r, false);
    ck_assert_msg(r->status == status, "%s\nto %s", r->head, request);
    ck_assert(r->whole);
}

void client_expect_end(int fd)
{
    char c;
    ck_assert_uint_eq(read_n(fd, &c, 1), 0);
}

void client_expect_silence(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    ck_assert_int_eq(poll(&p, 1, ms), 0);
}
