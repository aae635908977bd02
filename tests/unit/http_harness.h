/* SPDX-License-Identifier: MIT */
/* For the tests of the HTTP server: a server on loop threads whose handler does
 * what the path says, and a blocking client.
 *
 *   /now          replies at once           /echo    the body back, whole
 *   /count        takes the body as a stream, replies with its length
 *   /pause        the same, pausing after each piece for a turn of the clock
 *   /drop         never takes the body, replies at once
 *   /hold         replies when harness_release() is called
 *   /holdbody     takes the body whole, then as /hold
 *   /pieces       streams ten pieces in one turn
 *   /big          streams BIG bytes, obeying the backlog
 *   /flood        streams FLOOD_PIECE as often as it can, not obeying
 *   /drip         streams a piece per harness_release()
 *   /abort        streams a piece and breaks off
 *   /large        replies with BIG bytes whole
 *   /badheader    replies with headers that a handler must not set
 *   /small        takes at most 10 bytes of body
 */
#ifndef HTTP_HARNESS_H
#define HTTP_HARNESS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "http/server.h"

#define BIG (8u << 20)
#define FLOOD_PIECE (1u << 20)
#define HARNESS_LOOPS 2

struct harness {
    struct loop *loop[HARNESS_LOOPS];
    struct http_server *server[HARNESS_LOOPS];
    struct http_listener *listener;
    pthread_t thread[HARNESS_LOOPS];
    int n;
    char name[160]; /* of the listener */

    /* Under the lock; every change signals. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t begun, ok, failed, drains, bodies, by_loop[HARNESS_LOOPS];
    size_t most_backlog, body_bytes;
    struct held *held; /* requests that wait for harness_release() */
    char peer[80];
    bool local;
    const void *tag;
};

/* Start n loops with a listener at addr; aborts the test on failure. */
void harness_start(struct harness *h, const char *addr, int n,
                   const struct http_limits *limits, struct http_tls *tls);
void harness_stop(struct harness *h);
/* Wait until *counter (one of those above) is at least n. */
void harness_wait(struct harness *h, const size_t *counter, size_t n);
/* Wait until no more than n connections are open. */
void harness_wait_conns(struct harness *h, size_t n);
/* Let the requests that are held go on; a drip ends, or waits for the next. */
void harness_release(struct harness *h, bool end);
/* Run fn(arg) on loop i and wait for it. */
void harness_call(struct harness *h, int i, void (*fn)(void *), void *arg);

/* --- client --- */
int client_open(const struct harness *h);
void client_send(int fd, const char *text);
/* Send what can be sent; false when the server has closed. */
bool client_try_send(int fd, const char *p, size_t n);

struct reply {
    int status;
    bool chunked, whole, closes;
    long length; /* -1: none said */
    char head[4096];
    char *body; /* NUL-terminated */
    size_t n;
};
/* Read one reply: its body by length, in chunks or until the end.  `whole` says
 * whether all of it came.  no_body: to HEAD. */
void client_read(int fd, struct reply *r, bool no_body);
void reply_done(struct reply *r);
/* Send a request, read the reply, check its status. */
void client_ask(int fd, const char *request, struct reply *r, int status);
/* The server closes (or has), cleanly or not, and nothing else comes. */
void client_expect_end(int fd);
/* Nothing comes for ms. */
void client_expect_silence(int fd, int ms);

#endif
