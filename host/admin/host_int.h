/* SPDX-License-Identifier: MIT */
/* The inside of struct host, for the files of admin/ only.  Everything in it
 * belongs to the control thread unless it says otherwise. */
#ifndef PB_HOST_INT_H
#define PB_HOST_INT_H

#include "admin/host.h"
#include "base/loop.h"
#include "dialect/dialect.h"
#include "http/server.h"
#include "manager/cache.h"
#include "manager/health.h"
#include "manager/listing.h"
#include "manager/recorder.h"

struct event;

/* One event loop with all that hangs on it. */
struct seat {
    struct host *host;
    struct loop *loop;
    struct manager manager;     /* the loop's thread */
    struct dialect dialect;     /* the loop's thread */
    struct http_server *server; /* NULL for the control loop */
    bool started, drained;
};

/* A listener as it was started; the configuration it came from goes with a
 * reload. */
struct host_listen {
    struct dialect_listener tag;
    char *addr;
    bool tls;
};

struct host {
    struct host_options options;
    struct catalogue modules;
    struct snapshot *snapshot; /* the current one */
    unsigned old_snapshots;    /* published before, not yet destroyed */
    struct native_pool *pool;
    struct backends *backends;
    struct model_index *models;
    struct cache *cache;
    struct health *health;
    struct checks *checks; /* NULL: none */
    struct recorder *recorder;

    struct seat seats[LIM_LOOPS + 1]; /* the last one is the control loop's */
    size_t n_seats;                   /* all of them */
    struct seat *control_seat;
    struct http_tls *tls;
    struct http_listener **listeners;
    size_t n_listeners;
    struct host_listen *listens; /* as they were started; kept to the end */
    size_t n_listens;
    struct control *control;
    char *control_path;
    int lock_fd;
    struct event *signals[3];
    struct timer refresh, drain;
    struct listing_job *listing;
    bool list_again; /* there are other providers since it began */
    int64_t started_ms;
    size_t undrained;
    bool draining, now, control_awaited;
    int status;
};

/* host_load.c: configuration and modules to a snapshot.  NULL and *err (a
 * sentence, malloc'd); warnings go to the log, or to *warnings (malloc'd array
 * of malloc'd sentences) when it is not NULL. */
struct snapshot *host_load(struct host *h, char ***warnings, char **err);
/* host.c */
struct err;
void host_publish(struct host *h, struct snapshot *s);
int host_reload(struct host *h, char ***warnings, char **err);
void host_stop(struct host *h, bool now);
/* control_backend.c: which processes there may be from now on */
void host_bound_backends(struct host *h, const struct snapshot *s);
/* control.c: what was asked by the control socket before the drain is answered */
void host_control_idle(struct host *h);
void host_post(struct loop *l, void (*fn)(void *arg), void *arg);

#endif
