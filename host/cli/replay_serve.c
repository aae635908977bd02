/* SPDX-License-Identifier: MIT */
/* Recorded replies as an upstream: one loop, one HTTP server, and for each
 * request a recorded reply to one like it. */
#include "config.h"

#include <event2/event.h>
#include <patchbay/json.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/loop.h"
#include "base/str.h"
#include "cli/replay.h"
#include "http/server.h"

struct upstream {
    struct cli *cli;
    const struct replay *replay;
    struct loop *loop;
    struct http_server *server;
    struct http_listener *listener;
    struct event *signals[2];
    size_t next; /* where to go on among exchanges that fit equally well */
};

/* A reply on its way out. */
struct serving {
    struct http_req *req;
    const struct transcript_exchange *x;
    size_t piece, at; /* what has been sent */
    size_t chunk;
};

/* --- which reply --- */

/* The path of "https://host/a/b?c" or "/a/b?c". */
static pbay_str path_of(pbay_str url)
{
    pbay_str s = url;

    if (str_starts(s, "http://") || str_starts(s, "https://")) {
        size_t slashes = 0, i = 0;
        for (; i < s.n && slashes < 3; i++)
            slashes += s.p[i] == '/';
        if (slashes == 3)
            i--;
        s = str_n(s.p + i, s.n - i);
    }
    return str_cut(&s, '?');
}

/* Base URLs differ between the recording and here: the one path has to be the
 * end of the other. */
static bool path_fits(pbay_str a, pbay_str b)
{
    pbay_str longer = a.n > b.n ? a : b, shorter = a.n > b.n ? b : a;
    char end[4096];

    if (!shorter.n || shorter.p[0] != '/' || shorter.n >= sizeof(end))
        return false;
    memcpy(end, shorter.p, shorter.n);
    end[shorter.n] = '\0';
    return str_ends(longer, end);
}

static bool asks_stream(pbay_str body)
{
    return !pbay_json_check(body, NULL) &&
           pbay_json_true(pbay_json_get(body, "stream"));
}

/* How well an exchange answers the request: 0 not at all, 1 the same place,
 * 2 and as a stream or not, 3 to the byte. */
static int fit(const struct transcript *t, const struct transcript_exchange *x,
               const struct http_req *req, pbay_str body)
{
    if (!x->status || !str_eq(x->method, req->head->method) ||
        !path_fits(path_of(x->path), req->path))
        return 0;
    if (str_eq(x->body, body))
        return 3;
    return asks_stream(body) == !!(t->flags & PBAY_RQ_STREAM) ? 2 : 1;
}

/* The best fit; of several the one after the last that was used. */
static const struct transcript_exchange *choose(struct upstream *u,
                                                const struct http_req *req,
                                                pbay_str body,
                                                const struct replay_file **file)
{
    const struct transcript_exchange *best = NULL;
    size_t total = 0, at = 0, best_at = 0, best_rank = 0;

    for (size_t i = 0; i < u->replay->n; i++)
        total += u->replay->files[i].t->n_exchanges;
    for (size_t i = 0; i < u->replay->n; i++) {
        const struct replay_file *f = &u->replay->files[i];
        for (size_t k = 0; k < f->t->n_exchanges; k++, at++) {
            int how = fit(f->t, &f->t->exchanges[k], req, body);
            /* Nearer ahead of `next` is better among equals. */
            size_t ahead = (at + total - u->next % total) % total;
            size_t rank = how ? (size_t)how * (total + 1) - ahead : 0;
            if (rank <= best_rank)
                continue;
            best_rank = rank;
            best = &f->t->exchanges[k];
            best_at = at;
            *file = f;
        }
    }
    if (best)
        u->next = best_at + 1;
    return best;
}

/* --- the reply --- */

/* What belongs to the recorded connection, not to the reply. */
static bool is_hop(pbay_str name)
{
    static const char *const names[] = {
        "connection", "content-length",    "date",
        "keep-alive", "transfer-encoding", "content-encoding",
        "trailer",    "upgrade",           NULL};

    for (const char *const *n = names; *n; n++)
        if (str_ieq(name, str_c(*n)))
            return true;
    return false;
}

static void send_head(struct serving *s)
{
    pbay_kv *headers =
        arena_alloc(&s->req->arena, s->x->n_headers * sizeof(*headers));
    size_t n = 0;

    for (size_t i = 0; headers && i < s->x->n_headers; i++)
        if (!is_hop(s->x->headers[i].k))
            headers[n++] = s->x->headers[i];
    http_reply_begin(s->req, s->x->status, headers, n);
}

/* Pieces until the client has to catch up, then the end as it was recorded. */
static void send_more(struct serving *s)
{
    while (s->piece < s->x->n_data) {
        pbay_str d = s->x->data[s->piece];
        size_t n = d.n - s->at;
        if (s->chunk && n > s->chunk)
            n = s->chunk;
        size_t backlog = http_reply_write(s->req, str_n(d.p + s->at, n));
        s->at += n;
        if (s->at == d.n) {
            s->at = 0;
            s->piece++;
        }
        if (backlog > LIM_OUT_HIGH)
            return;
    }
    s->req->on_drain = NULL;
    if (!s->x->end.n || str_is(s->x->end, "ok"))
        http_reply_end(s->req);
    else
        http_reply_abort(s->req);
}

static void on_drain(struct http_req *req)
{
    send_more(req->user);
}

static void on_end(struct http_req *req, bool ok)
{
    (void)req; /* all of it is in the request's arena */
    (void)ok;
}

static void tell(struct upstream *u, const struct http_req *req,
                 const struct replay_file *f,
                 const struct transcript_exchange *x)
{
    struct out *o = &u->cli->err;

    out_text(o, req->head->method);
    out_c(o, " ");
    out_text(o, req->path);
    out_c(o, ": ");
    out_textc(o, f ? f->path : "no recorded request is like it");
    if (f)
        out_f(o, " (exchange %zu, status %d)",
              (size_t)(x - f->t->exchanges) + 1, x->status);
    out_c(o, "\n");
    out_flush(o);
}

static void on_body(struct http_req *req, pbay_str body)
{
    static const pbay_kv json = {PBAY_LIT("content-type"),
                                 PBAY_LIT("application/json")};
    struct upstream *u = req->user;
    const struct replay_file *f = NULL;
    const struct transcript_exchange *x = choose(u, req, body, &f);
    struct serving *s = arena_alloc(&req->arena, sizeof(*s));

    tell(u, req, f, x);
    if (!x || !s) {
        http_reply(req, s ? 404 : 500, &json, 1,
                   STR("{\"error\":{\"message\":\"no recorded request is like "
                       "this one\",\"type\":\"invalid_request_error\"}}"));
        return;
    }
    *s = (struct serving){.req = req, .x = x, .chunk = u->replay->chunk};
    req->user = s;
    req->on_drain = on_drain;
    send_head(s);
    send_more(s);
}

static void on_request(struct http_req *req, void *arg)
{
    req->user = arg;
    req->on_body = on_body;
    req->on_end = on_end;
    http_req_take_whole(req, LIM_HTTP_BODY);
}

static size_t error_body(pbay_str path, int status, const char *why, char *dst,
                         size_t room)
{
    struct buf b;
    size_t n;

    (void)path;
    (void)status;
    buf_init(&b, room);
    if (buf_addc(&b, "{\"error\":{\"message\":") || buf_json(&b, str_c(why)) ||
        buf_addc(&b, "}}"))
        buf_reset(&b, 0);
    n = b.n;
    memcpy(dst, buf_str(&b).p, n);
    buf_done(&b);
    return n;
}

/* --- the loop --- */

static void on_signal(evutil_socket_t number, short what, void *arg)
{
    (void)number;
    (void)what;
    loop_stop(((struct upstream *)arg)->loop);
}

static int start(struct upstream *u)
{
    static const int numbers[] = {SIGINT, SIGTERM};
    struct http_limits limits;
    char *err = NULL;

    http_limits_default(&limits);
    u->loop = loop_new(0);
    if (u->loop)
        u->server =
            http_server_new(u->loop, &limits, on_request, u, error_body);
    if (!u->server)
        return cli_error(u->cli, EXIT_FAILED, "out of memory");
    u->listener =
        http_listen(u->replay->listen, &u->server, 1, NULL, NULL, &err);
    if (!u->listener) {
        cli_error(u->cli, EXIT_FAILED, "%s", err ? err : "can't listen");
        free(err);
        return EXIT_FAILED;
    }
    for (size_t i = 0; i < 2; i++) {
        u->signals[i] = event_new(u->loop->base, numbers[i],
                                  EV_SIGNAL | EV_PERSIST, on_signal, u);
        if (!u->signals[i] || event_add(u->signals[i], NULL))
            return cli_error(u->cli, EXIT_FAILED, "can't watch for signals");
    }
    return 0;
}

int replay_serve(struct cli *cli, const struct replay *r)
{
    struct upstream u = {.cli = cli, .replay = r};
    int status = start(&u);

    if (!status) {
        const char *name = http_listener_name(u.listener);
        bool tcp = !str_starts(str_c(name), "unix:");
        out_f(&cli->out, "%s%s\n", tcp ? "http://" : "", name);
        out_flush(&cli->out);
        if (loop_run(u.loop))
            status = cli_error(cli, EXIT_FAILED, "the event loop failed");
    }
    for (size_t i = 0; i < 2; i++)
        if (u.signals[i])
            event_free(u.signals[i]);
    if (u.listener)
        http_listener_free(u.listener);
    if (u.server)
        http_server_free(u.server);
    if (u.loop)
        loop_free(u.loop);
    return status;
}
