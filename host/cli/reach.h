/* SPDX-License-Identifier: MIT */
/* Reaching a host: the running one, else one in our own process.  Main thread.
 */
#ifndef PB_REACH_H
#define PB_REACH_H

#include "cli/client.h"

enum reach_where {
    REACH_ANY,    /* the running one if there is one */
    REACH_OWN,    /* --no-host */
    REACH_RUNNING /* --host */
};

struct reach_options {
    const char *config;  /* --config; NULL: none */
    const char *control; /* --control; NULL: where the configuration says */
    const char *self;    /* our program file */
    enum reach_where where;
};

struct own_host;
struct reach {
    struct client *client;
    struct own_host *own; /* NULL: the host is another process */
};

/* 0, or -1 and *e.  A --control names one host, so it has to answer there.
 * With --config, a running host counts only if it has the same file. */
int reach_open(struct reach *r, const struct reach_options *o,
               struct client_error *e);
/* The running host only; -1 and *absent: there is none. */
int reach_running(struct reach *r, const struct reach_options *o, bool *absent,
                  struct client_error *e);
/* Close the connection and, if it was ours, wait for the host's end. */
void reach_close(struct reach *r);

#endif
