/* SPDX-License-Identifier: MIT */
/* What the connections of one loop have in common: limits, the list of them,
 * the queue of those with something to do, recycled memory, the date. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "http/server_int.h"

void http_limits_default(struct http_limits *l)
{
    *l = (struct http_limits){
        .head = LIM_HTTP_HEAD,
        .body = LIM_HTTP_BODY,
        .conns = LIM_HTTP_CONNS,
        .idle_ms = LIM_HTTP_IDLE_MS,
        .head_ms = LIM_HTTP_HEAD_MS,
        .body_ms = LIM_HTTP_BODY_MS,
        .write_ms = LIM_HTTP_WRITE_MS,
    };
}

static struct http_limits_ref *limits_new(const struct http_limits *l)
{
    struct http_limits_ref *r = malloc(sizeof *r);
    if (r)
        *r = (struct http_limits_ref){.refs = 1, .l = *l};
    return r;
}

/* ---------------------------------------------------------------- queue */

void conn_unqueue(struct http_conn *c)
{
    struct http_server *s = c->server;
    if (c->queued == Q_NONE)
        return;
    struct http_conn **first =
        c->queued == Q_WORK ? &s->work_first : &s->later;
    if (c->work_prev)
        c->work_prev->work_next = c->work_next;
    else
        *first = c->work_next;
    if (c->work_next)
        c->work_next->work_prev = c->work_prev;
    else if (c->queued == Q_WORK)
        s->work_last = c->work_prev;
    c->work_prev = c->work_next = NULL;
    c->queued = Q_NONE;
}

void conn_schedule(struct http_conn *c)
{
    struct http_server *s = c->server;
    if (c->running || c->queued == Q_WORK)
        return;
    conn_unqueue(c);
    c->queued = Q_WORK;
    c->work_prev = s->work_last;
    if (s->work_last)
        s->work_last->work_next = c;
    else
        s->work_first = c;
    s->work_last = c;
    /* An event made active joins the end of the queue that is being worked
     * off: it runs after the other events of this turn, without another
     * epoll_wait(). */
    event_active(s->work, EV_TIMEOUT, 0);
}

static void on_later(void *arg)
{
    struct http_server *s = arg;
    while (s->later)
        conn_schedule(s->later);
}

void conn_later(struct http_conn *c)
{
    struct http_server *s = c->server;
    if (c->queued != Q_NONE)
        return;
    c->queued = Q_LATER;
    c->work_next = s->later;
    if (s->later)
        s->later->work_prev = c;
    s->later = c;
    if (!timer_running(&s->later_timer))
        timer_set(&s->later_timer, s->loop->clock, 0, on_later, s);
}

static void on_work(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct http_server *s = arg;
    struct http_conn *c;
    while ((c = s->work_first)) {
        conn_unqueue(c);
        conn_run(c);
    }
    if (s->drained && atomic_load(&s->n_conns) == 0) {
        void (*drained)(void *) = s->drained;
        s->drained = NULL;
        drained(s->drained_arg); /* may free s */
    }
}

void server_count_down(struct http_server *s)
{
    if (atomic_fetch_sub(&s->n_conns, 1) == 1 && s->drained)
        event_active(s->work, EV_TIMEOUT, 0);
}

/* --------------------------------------------------------------- memory */

void *block_get(struct http_server *s)
{
    return s->n_blocks ? s->blocks[--s->n_blocks] : malloc(HTTP_BLOCK);
}

void block_put(struct http_server *s, void *block)
{
    if (s->n_blocks < HTTP_BLOCKS)
        s->blocks[s->n_blocks++] = block;
    else
        free(block);
}

struct http_xch *xch_get(struct http_server *s)
{
    struct http_xch *x =
        s->n_spare ? s->spare[--s->n_spare] : malloc(sizeof *x);
    if (!x)
        return NULL;
    /* All but the header lines, which head.n_headers bounds. */
    memset(&x->req, 0, sizeof x->req);
    memset(&x->take, 0, sizeof *x - offsetof(struct http_xch, take));
    return x;
}

void xch_put(struct http_server *s, struct http_xch *x)
{
    if (s->n_spare < HTTP_BLOCKS)
        s->spare[s->n_spare++] = x;
    else
        free(x);
}

/* Not strftime(): it would follow the locale. */
pbay_str server_date(struct http_server *s)
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed",
                                   "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int64_t now = clock_wall(s->loop->clock) / 1000;
    if (now != s->date_s) {
        time_t t = (time_t)now;
        struct tm tm;
        gmtime_r(&t, &tm);
        s->date_n = (size_t)snprintf(
            s->date, sizeof s->date,
            "Date: %s, %02d %s %d %02d:%02d:%02d GMT\r\n", days[tm.tm_wday],
            tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour,
            tm.tm_min, tm.tm_sec);
        s->date_s = now;
    }
    return str_n(s->date, s->date_n);
}

/* ----------------------------------------------------------- the server */

static void server_destroy(struct http_server *s)
{
    while (s->n_blocks)
        free(s->blocks[--s->n_blocks]);
    while (s->n_spare)
        free(s->spare[--s->n_spare]);
    if (s->work)
        event_free(s->work);
    buf_done(&s->head);
    free(s->scratch);
    free(s->record);
    free(s->limits);
    free(s);
}

struct http_server *http_server_new(struct loop *loop,
                                    const struct http_limits *limits,
                                    http_handler *handler, void *arg,
                                    http_error_body *error_body)
{
    int need = EV_FEATURE_ET | EV_FEATURE_EARLY_CLOSE;
    if ((event_base_get_features(loop->base) & need) != need) {
        log_f(LOG_ERROR, "http",
              "libevent's method \"%s\" has no edge-triggered events; "
              "the server needs epoll",
              event_base_get_method(loop->base));
        return NULL;
    }
    struct http_server *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->loop = loop;
    s->handler = handler;
    s->arg = arg;
    s->error_body = error_body;
    s->date_s = -1;
    atomic_init(&s->refs, 1);
    atomic_init(&s->n_conns, 0);
    buf_init(&s->head, LIM_MIB(1));
    s->scratch = malloc(HTTP_SCRATCH);
    s->limits = limits_new(limits);
    s->work = event_new(loop->base, -1, 0, on_work, s);
    if (!s->scratch || !s->limits || !s->work) {
        server_destroy(s);
        return NULL;
    }
    return s;
}

void http_server_set_limits(struct http_server *s,
                            const struct http_limits *limits)
{
    struct http_limits_ref *fresh = limits_new(limits);
    if (!fresh)
        return; /* the old ones stay in force */
    if (--s->limits->refs == 0)
        free(s->limits);
    s->limits = fresh;
}

void http_server_drain(struct http_server *s, void (*drained)(void *),
                       void *arg)
{
    s->draining = true;
    s->drained = drained;
    s->drained_arg = arg;
    for (struct http_conn *c = s->conns; c; c = c->next) {
        /* A request may have come that no event has told of yet. */
        if (c->phase == PH_HEAD) {
            c->can_read = true;
            conn_schedule(c);
        }
    }
    event_active(s->work, EV_TIMEOUT, 0);
}

void http_server_free(struct http_server *s)
{
    if (!s)
        return;
    s->closed = true;
    s->drained = NULL;
    while (s->conns)
        conn_kill(s->conns);
    timer_stop(&s->later_timer);
    event_free(s->work);
    s->work = NULL;
    server_unref(s);
}

void server_unref(struct http_server *s)
{
    if (atomic_fetch_sub(&s->refs, 1) == 1)
        server_destroy(s);
}

size_t http_server_conns(const struct http_server *s)
{
    return atomic_load(&s->n_conns);
}

/* --------------------------------------------------- dealing connections */

struct deal {
    struct loop_job job; /* first */
    struct http_server *server;
    struct http_origin *origin;
    int fd;
    bool refused;
    char peer[HTTP_PEER];
};

static void on_dealt(struct loop_job *job)
{
    struct deal *d = (struct deal *)job;
    conn_open(d->server, d->origin, d->fd, d->peer, d->refused);
    server_unref(d->server);
    free(d);
}

void http_deal(struct http_server *s, struct loop *from_loop,
               struct http_origin *origin, int fd, const char *peer,
               bool refused)
{
    atomic_fetch_add(&s->n_conns, 1);
    http_origin_ref(origin);
    if (s->loop == from_loop) {
        conn_open(s, origin, fd, peer, refused);
        return;
    }
    struct deal *d = malloc(sizeof *d);
    if (!d) {
        close(fd);
        http_origin_unref(origin);
        atomic_fetch_sub(&s->n_conns, 1);
        return;
    }
    *d = (struct deal){.job.run = on_dealt,
                       .server = s,
                       .origin = origin,
                       .fd = fd,
                       .refused = refused};
    memcpy(d->peer, peer, strlen(peer) + 1);
    atomic_fetch_add(&s->refs, 1);
    loop_post(s->loop, &d->job);
}
