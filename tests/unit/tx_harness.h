/* SPDX-License-Identifier: MIT */
/* What the tests of the curl transport share: upstream servers on blocking
 * threads, which do exactly what a test says, and exchanges whose callbacks are
 * noted down.  The loop runs on the test's own thread. */
#ifndef PB_TESTS_TX_HARNESS_H
#define PB_TESTS_TX_HARNESS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "base/buf.h"
#include "base/str.h"
#include "http/transport.h"

#define LENGTH(a) (sizeof(a) / sizeof *(a))

/* --- the server --- */

struct upstream;

struct peer { /* one connection of it */
    struct upstream *up;
    int fd;
    SSL *ssl;
    int nth;            /* 0: the first connection */
    char head[1 << 17]; /* of the request read last, NUL-terminated */
    struct buf body;
};

struct upstream {
    int fd, port;
    char url[128]; /* "http://127.0.0.1:port" or https, or for Unix sockets */
    char path[108];
    void (*serve)(struct peer *p); /* the connection is closed afterwards */
    const void *arg;
    SSL_CTX *tls;
    pthread_t acceptor;
    pthread_mutex_t lock; /* for workers and their fds */
    pthread_t workers[256];
    int fds[256];
    int n_workers;
    atomic_bool stopping;
    /* for assertions */
    atomic_int conns, requests, ended;
    atomic_size_t sent, received; /* received: request bodies */
    atomic_bool go; /* the test says go on */
};

/* unix_path: NULL for TCP on a free port. */
void upstream_start(struct upstream *u, void (*serve)(struct peer *p),
                    const void *arg, SSL_CTX *tls, const char *unix_path);
void upstream_stop(struct upstream *u);

/* Read one request with its body; false: the client is gone. */
bool peer_request(struct peer *p);
bool peer_send(struct peer *p, const char *bytes, size_t n);
bool peer_puts(struct peer *p, const char *text);
/* 1 byte or more, 0: closed, -1: broken. */
int peer_read(struct peer *p, char *dst, size_t n);
/* Close so that the other end gets a reset. */
void peer_reset(struct peer *p);
/* Wait until the client has closed. */
void peer_wait_close(struct peer *p);
/* The value of a header of the request, "" if empty, NULL if absent. */
const char *peer_header(struct peer *p, const char *name);
/* An ordinary reply, kept alive. */
void peer_reply(struct peer *p, const char *body);
/* peer_reply("ok") to each request. */
void serve_ok(struct peer *p);

/* --- the client --- */

extern struct loop *loop;
extern struct transport *tp;
extern struct tx_profile profile;

struct call {
    struct tx *tx; /* NULL when it is over */
    int heads, status, ends;
    char headers[1 << 16]; /* "name: value\n" */
    struct buf body;
    size_t got; /* bytes of the body, kept or not */
    bool keep_not;
    int kind;
    char why[1024];
    bool reused;
    bool paused;
    int64_t ended_us;
    /* Called at the end of each callback; what: 'h', 'd', 'e'. */
    void (*hook)(struct call *c, char what);
    void *user;
};

void harness_setup(void);
void harness_teardown(void);

void call_init(struct call *c);
void call_done(struct call *c);
/* GET; headers may be NULL. */
void call_get(struct call *c, const char *url);
void call_start(struct call *c, const struct tx_request *r);
void call_cancel(struct call *c);
/* Let the loop run until done(arg) says so; fails the test after `ms`. */
void pump(bool (*done)(void *arg), void *arg, int64_t ms);
void pump_ms(int64_t ms);
/* Until the call has ended. */
void call_wait(struct call *c);
/* GET and wait. */
void call_run(struct call *c, const char *url);
#define ck_body(c, text)                                                       \
    ck_assert_msg(str_is(buf_str(&(c)->body), text), "body is \"%.*s\"",       \
                  STR_ARG(buf_str(&(c)->body)))

#endif
