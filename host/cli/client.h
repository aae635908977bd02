/* SPDX-License-Identifier: MIT */
/* The client's side of the control protocol (admin/control.h): one connected
 * stream socket, one request at a time, lines of JSON.
 *
 * Owns its descriptor.  Waits can be interrupted by a signal (signals.h).  Main
 * thread. */
#ifndef PB_CLIENT_H
#define PB_CLIENT_H

#include <stdbool.h>

#include "base/json.h"

/* Why something failed, ready to be shown. */
struct client_error {
    int status;      /* of exit.h */
    char kind[48];   /* as the protocol says it; "" if it did not */
    char text[2048]; /* a sentence; "" after a signal */
};
void client_error_set(struct client_error *e, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

struct client;

/* Talk on a connected socket; NULL without memory (fd is then closed). */
struct client *client_on_fd(int fd);
/* Connect to a host's control socket.  NULL: *e says why, and *absent whether
 * it is because nobody listens there, or nobody that lets us in. */
struct client *client_connect(const char *path, bool *absent,
                              struct client_error *e);
void client_free(struct client *c);

/* args: a JSON object as text; 0 or -1 and *e. */
int client_send(struct client *c, const char *verb, pbay_str args,
                struct client_error *e);
/* The next line of the answer.  1: an event, *line is the whole object;
 * 0: the last line, *line is its `result` (NULL if it has none); -1: *e, be it
 * the host's error or ours.  *line is valid until the next call. */
int client_next(struct client *c, struct json_object **line,
                struct client_error *e);
/* Wait for that.  1: it is there; 0: timeout_ms is over, -1 for none; -1: *e. */
int client_wait(struct client *c, int timeout_ms, struct client_error *e);
/* A request without events: send, then wait.  0 or -1 and *e. */
int client_ask(struct client *c, const char *verb, pbay_str args,
               struct json_object **result, struct client_error *e);
/* The call under way is to end; what still comes of it is thrown away.  0: the
 * connection can be used again; -1: it can't (client_free() it). */
int client_cancel(struct client *c);
/* The connection is of no more use: it broke, or spoke nonsense. */
bool client_broken(const struct client *c);

#endif
