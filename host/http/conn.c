/* SPDX-License-Identifier: MIT */
/* The state machine of one connection. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "http/server_int.h"

/* ------------------------------------------------------------ deadlines */

static void on_timer(void *arg);

/* The timer may fire earlier than needed; moving a deadline on costs nothing
 * then.  It never fires later. */
static void arm(struct http_conn *c)
{
    int64_t by = c->read_by;
    if (c->write_by && (!by || c->write_by < by))
        by = c->write_by;
    if (!by || (timer_running(&c->timer) && c->timer.at <= by))
        return;
    struct clock *clock = c->server->loop->clock;
    timer_set(&c->timer, clock, by - clock_now(clock), on_timer, c);
}

static void set_by(struct http_conn *c, int64_t *deadline, int64_t ms)
{
    *deadline = clock_now(c->server->loop->clock) + (ms > 0 ? ms : 1);
    arm(c);
}

void conn_read_by(struct http_conn *c, int64_t ms)
{
    set_by(c, &c->read_by, ms);
}

void conn_write_by(struct http_conn *c, int64_t ms)
{
    set_by(c, &c->write_by, ms);
}

/* ---------------------------------------------------------------- input */

/* Memory for n bytes in all; what is there moves to its front. */
static bool in_room(struct http_conn *c, size_t n)
{
    if (c->in_off) {
        memmove(c->in, c->in + c->in_off, c->in_n - c->in_off);
        c->in_n -= c->in_off;
        c->in_off = 0;
    }
    if (n <= c->in_room)
        return true;
    size_t room = HTTP_BLOCK;
    while (room < n)
        room *= 2;
    char *p = room == HTTP_BLOCK ? block_get(c->server) : malloc(room);
    if (!p)
        return false;
    if (c->in_n)
        memcpy(p, c->in, c->in_n);
    if (c->in_room == HTTP_BLOCK)
        block_put(c->server, c->in);
    else
        free(c->in);
    c->in = p;
    c->in_room = room;
    return true;
}

static void in_free(struct http_conn *c)
{
    if (c->in_room == HTTP_BLOCK)
        block_put(c->server, c->in);
    else
        free(c->in);
    c->in = NULL;
    c->in_room = c->in_off = c->in_n = 0;
}

bool conn_append(struct http_conn *c, pbay_str s)
{
    if (!s.n)
        return true;
    if (s.n > c->in_room - c->in_n && !in_room(c, c->in_n - c->in_off + s.n))
        return false;
    memcpy(c->in + c->in_n, s.p, s.n);
    c->in_n += s.n;
    return true;
}

bool conn_left(struct http_conn *c)
{
    if ((c->edge || c->unsure) && !c->fin) {
        int e = 0;
        socklen_t n = sizeof e;
        if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &e, &n) == 0 && e)
            c->broken = true;
    }
    c->edge = c->unsure = false;
    return c->fin || c->broken;
}

/* --------------------------------------------------------------- ending */

static void xch_end(struct http_conn *c, bool ok)
{
    struct http_xch *x = c->xch;
    if (!x)
        return;
    x->ended = true;
    if (x->req.on_end)
        x->req.on_end(&x->req, ok);
    arena_done(&x->req.arena);
    buf_done(&x->body);
    c->xch = NULL;
    xch_put(c->server, x);
}

/* Nothing can be done for this client any more. */
static bool gone(struct http_conn *c)
{
    xch_end(c, false);
    c->dead = true;
    return false;
}

/* Shut our side, and read on for a while: closing a socket with unread input
 * resets the connection, and the client might never see our last reply. */
static bool linger(struct http_conn *c)
{
    if (c->ssl)
        tls_bye(c);
    if (shutdown(c->fd, SHUT_WR) < 0)
        return gone(c);
    c->phase = PH_LINGER;
    c->can_read = true;
    c->linger_left = LIM_HTTP_LINGER;
    c->linger_by = clock_now(c->server->loop->clock) + 5 * LIM_HTTP_LINGER_MS;
    conn_read_by(c, LIM_HTTP_LINGER_MS);
    in_free(c);
    buf_done(&c->ahead);
    return true;
}

static bool linger_step(struct http_conn *c)
{
    if (!c->can_read)
        return false;
    ssize_t n;
    do {
        n = recv(c->fd, c->server->scratch, HTTP_SCRATCH, 0);
    } while (n < 0 && errno == EINTR);
    c->budget--;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        c->can_read = false;
        return false;
    }
    if (n <= 0 || (size_t)n >= c->linger_left ||
        clock_now(c->server->loop->clock) > c->linger_by)
        return gone(c);
    c->linger_left -= (size_t)n;
    conn_read_by(c, LIM_HTTP_LINGER_MS);
    return true;
}

/* Answer with an error of our own and end the connection. */
static bool fail(struct http_conn *c, int status, const char *why)
{
    struct http_xch *x = c->xch;
    if (x && x->reply != RE_NONE) { /* too late to say anything else */
        c->reset = x->reply == RE_STREAM && !x->chunking;
        return gone(c);
    }
    reply_error(c, x ? &x->head : NULL, status, why);
    xch_end(c, false);
    c->phase = PH_LAST;
    c->read_by = 0;
    return true;
}

/* -------------------------------------------------------------- a request */

static bool decode_path(struct http_xch *x)
{
    pbay_str path = x->head.path;
    if (!path.n || !memchr(path.p, '%', path.n)) {
        x->req.path = path;
        return true;
    }
    char *p = arena_bytes(&x->req.arena, path.n);
    int64_t n = p ? http_decode_path(path, p, path.n) : -1;
    if (n < 0)
        return false;
    x->req.path = str_n(p, (size_t)n);
    return true;
}

/* Keep the head that s->headers still holds. */
static bool keep_head(struct http_xch *x, const struct http_head *head)
{
    size_t n = head->n_headers;
    x->head = *head;
    x->head.headers = x->few;
    if (n > HTTP_FEW)
        x->head.headers = arena_alloc(&x->req.arena, n * sizeof(pbay_kv));
    x->head.room = x->head.n_headers = x->head.headers ? n : 0;
    if (!x->head.headers)
        return false;
    memcpy(x->head.headers, head->headers, n * sizeof(pbay_kv));
    return true;
}

/* The head that ends at in_off + used is complete. */
static bool begin(struct http_conn *c, const struct http_head *head,
                  size_t used)
{
    struct http_server *s = c->server;
    struct http_xch *x = xch_get(s);
    if (!x)
        return gone(c);
    arena_init(&x->req.arena, LIM_HTTP_ARENA);
    x->req.conn = c;
    x->req.head = &x->head;
    x->req.peer = c->peer;
    x->req.local = c->origin->local;
    x->req.listener_tag = c->origin->tag;
    c->xch = x;
    c->in_off += used;
    c->seen = 0;
    c->read_by = 0;
    c->budget--;
    if (!keep_head(x, head))
        return fail(c, 431, "the request headers are too large");
    if (!decode_path(x))
        return fail(c, 400, "the path is not validly percent-encoded");
    x->left = head->length;
    x->body_max = c->limits->l.body;
    x->body_done = !head->chunked && !head->length;
    c->phase = x->body_done ? PH_ANSWER : PH_BODY;
    s->handler(&x->req, s->arg);
    return true;
}

/* Is nothing there but the empty line that some clients send after a body? */
static bool only_empty_lines(const struct http_conn *c)
{
    for (size_t i = c->in_off; i < c->in_n; i++) {
        if (c->in[i] != '\r' && c->in[i] != '\n')
            return false;
    }
    return true;
}

static bool parse(struct http_conn *c)
{
    struct http_server *s = c->server;
    struct http_head head = {.headers = s->headers, .room = LIM_HTTP_HEADERS};
    size_t n = c->in_n - c->in_off, used;
    c->fresh = false;
    int rc = http_parse_head(str_n(c->in + c->in_off, n), c->seen, LIM_HTTP_URI,
                             c->limits->l.head, &head, &used);
    if (rc == HTTP_PARSE_DONE)
        return begin(c, &head, used);
    if (rc == HTTP_PARSE_BAD)
        return fail(c, head.status, head.why);
    if (!c->seen)
        conn_read_by(c, c->limits->l.head_ms);
    c->seen = n;
    return true;
}

static bool head_step(struct http_conn *c)
{
    struct http_server *s = c->server;
    if (c->refused)
        return fail(c, 503, "too many connections; try again later");
    if (c->fresh)
        return parse(c);
    if (c->in_off < c->in_n ? !conn_readable(c) : !c->can_read) {
        if (c->in_off < c->in_n)
            return false;
        if (s->draining)
            return gone(c);
        if (c->in)
            in_free(c);
        if (c->out.room)
            buf_reset(&c->out, 0);
        if (!c->read_by)
            conn_read_by(c, c->limits->l.idle_ms);
        return false;
    }
    ssize_t n = conn_read(c, s->scratch, LIM_HTTP_LOOKAHEAD);
    if (n < 0)
        return gone(c);
    if (n > 0) {
        if (!conn_append(c, str_n(s->scratch, (size_t)n)))
            return gone(c);
        c->fresh = true;
    }
    return true;
}

/* The reply is out: the next request, or the end. */
static bool finish(struct http_conn *c)
{
    struct http_xch *x = c->xch;
    if (x->aborted) {
        c->reset = !x->chunking;
        return gone(c);
    }
    bool skip = !x->body_done && body_in_hand(c);
    if (skip)
        c->in_off += (size_t)x->left;
    bool whole = x->body_done || skip, close = x->close || !whole;
    bool more = c->in_off < c->in_n || c->ahead.n;
    xch_end(c, true);
    if (close) {
        if (!whole || more)
            return linger(c);
        if (c->ssl)
            tls_bye(c);
        return gone(c);
    }
    if (c->ahead.n) {
        bool ok = conn_append(c, buf_str(&c->ahead));
        buf_done(&c->ahead);
        if (!ok)
            return gone(c);
    }
    c->phase = PH_HEAD;
    c->fresh = more;
    return true;
}

/* The request is all here; see whether the client stays, and read a bounded
 * amount of what it sends. */
static bool answer_step(struct http_conn *c)
{
    struct http_xch *x = c->xch;
    if (x->reply == RE_DONE) /* the rest goes out, whatever comes in */
        return c->broken ? gone(c) : false;
    if (c->fin || c->broken)
        return gone(c);
    size_t held = c->in_n - c->in_off + c->ahead.n;
    if (held >= LIM_HTTP_LOOKAHEAD)
        return conn_left(c) ? gone(c) : false;
    if (!conn_readable(c))
        return false;
    ssize_t n = conn_read(c, c->server->scratch, LIM_HTTP_LOOKAHEAD - held);
    if (n < 0 ||
        buf_add(&c->ahead, str_n(c->server->scratch, (size_t)n)) < 0)
        return gone(c);
    return true;
}

/* on_body, once, when the body is complete and the handler wants it. */
static bool tell_body(struct http_conn *c, struct http_xch *x)
{
    if (!x->body_done || x->body_told || x->take == TAKE_NONE || x->paused ||
        x->reply == RE_DONE)
        return false;
    x->body_told = true;
    if (x->take == TAKE_WHOLE && x->body.n)
        x->whole = buf_str(&x->body);
    if (c->phase == PH_BODY)
        c->phase = PH_ANSWER;
    c->read_by = 0;
    if (x->req.on_body)
        x->req.on_body(&x->req, x->whole);
    return true;
}

/* --------------------------------------------------------------- driving */

static bool tls_step(struct http_conn *c)
{
    switch (tls_shake(c)) {
    case TLS_DONE:
        c->phase = PH_HEAD;
        c->read_by = 0;
        return true;
    case TLS_WAIT:
        return false;
    case TLS_PLAIN:
        SSL_free(c->ssl);
        c->ssl = NULL;
        return fail(c, 400, "this port speaks TLS: use https://");
    default:
        return gone(c);
    }
}

/* What a request under way needs besides its phase. */
static bool xch_step(struct http_conn *c, struct http_xch *x)
{
    if (x->fail)
        return fail(c, x->fail, x->why);
    if (x->reply == RE_DONE && !c->out.n)
        return finish(c);
    if (x->high && c->out.n < LIM_OUT_LOW) {
        x->high = false;
        if (x->reply == RE_STREAM && x->req.on_drain) {
            x->req.on_drain(&x->req);
            return true;
        }
    }
    return tell_body(c, x);
}

/* One thing; true: look again. */
static bool step(struct http_conn *c)
{
    if (c->dead)
        return false;
    if (c->broken)
        return gone(c);
    if (c->phase == PH_TLS)
        return tls_step(c);
    if (c->out.n && !(c->xch && c->xch->held)) {
        conn_flush(c);
        if (c->broken)
            return gone(c);
    }
    if (c->xch && xch_step(c, c->xch))
        return true;
    if (c->dead)
        return false;
    switch (c->phase) {
    case PH_HEAD:
        return head_step(c);
    case PH_BODY:
        return body_step(c) || (c->xch->reply != RE_DONE && conn_left(c) &&
                                gone(c));
    case PH_ANSWER:
        return answer_step(c);
    case PH_LAST:
        return c->out.n ? false : linger(c);
    case PH_LINGER:
        return linger_step(c);
    default:
        return false;
    }
}

static void destroy(struct http_conn *c)
{
    struct http_server *s = c->server;
    conn_unqueue(c);
    timer_stop(&c->timer);
    event_del(&c->event);
    if (c->ssl)
        SSL_free(c->ssl);
    if (c->reset) {
        struct linger hard = {.l_onoff = 1};
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    }
    close(c->fd);
    in_free(c);
    buf_done(&c->ahead);
    buf_done(&c->out);
    if (c->prev)
        c->prev->next = c->next;
    else
        s->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    if (--c->limits->refs == 0)
        free(c->limits);
    http_origin_unref(c->origin);
    free(c);
    server_count_down(s);
}

void conn_run(struct http_conn *c)
{
    c->running = true;
    c->budget = HTTP_BUDGET;
    while (c->budget > 0 && step(c))
        ;
    c->running = false;
    if (c->dead)
        destroy(c);
    else if (c->budget <= 0)
        conn_later(c); /* others want their turn */
}

void conn_kill(struct http_conn *c)
{
    c->running = true;
    gone(c);
    destroy(c);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    struct http_conn *c = arg;
    if (what & (EV_READ | EV_CLOSED))
        c->can_read = c->edge = true;
    if (what & EV_CLOSED)
        c->fin = true;
    if (what & EV_WRITE)
        c->blocked = false;
    if (c->ssl) { /* either direction may wait for the other */
        c->can_read = true;
        c->blocked = false;
    }
    conn_run(c);
}

static bool read_timeout(struct http_conn *c)
{
    switch (c->phase) {
    case PH_HEAD:
        if (c->in_off == c->in_n || only_empty_lines(c))
            return gone(c);
        return fail(c, 408, "the request headers took too long");
    case PH_BODY:
        return fail(c, 408, "the request body took too long");
    default: /* handshake, lingering */
        return gone(c);
    }
}

static void on_timer(void *arg)
{
    struct http_conn *c = arg;
    int64_t now = clock_now(c->server->loop->clock);
    bool write_late = c->write_by && now >= c->write_by;
    bool read_late = c->read_by && now >= c->read_by;
    if (!write_late && !read_late) {
        arm(c);
        return;
    }
    c->running = true; /* what the handler does is looked at below */
    if (write_late) {
        c->reset = true;
        gone(c);
    } else {
        c->read_by = 0;
        read_timeout(c);
    }
    conn_run(c);
}

/* -------------------------------------------------------------- opening */

/* A connection that could not be set up. */
static void turn_down(struct http_server *s, struct http_origin *origin, int fd)
{
    close(fd);
    http_origin_unref(origin);
    server_count_down(s);
}

static bool open_tls(struct http_conn *c)
{
    struct http_server *s = c->server;
    if (!s->record)
        s->record = malloc(HTTP_RECORD);
    c->ssl = s->record ? SSL_new(c->origin->ctx) : NULL;
    if (!c->ssl || SSL_set_fd(c->ssl, c->fd) != 1)
        return false;
    c->phase = PH_TLS;
    conn_read_by(c, c->limits->l.head_ms);
    return true;
}

void conn_open(struct http_server *s, struct http_origin *origin, int fd,
               const char *peer, bool refused)
{
    struct http_conn *c = s->closed ? NULL : calloc(1, sizeof *c);
    if (!c) {
        turn_down(s, origin, fd);
        return;
    }
    c->server = s;
    c->origin = origin;
    c->limits = s->limits;
    c->fd = fd;
    c->refused = refused;
    c->phase = PH_HEAD;
    buf_init(&c->ahead, LIM_HTTP_LOOKAHEAD);
    buf_init(&c->out, LIM_OUT_MAX);
    size_t n = strlen(peer);
    memcpy(c->peer_text, peer, n + 1);
    c->peer = str_n(c->peer_text, n);
    if (event_assign(&c->event, s->loop->base, fd,
                     EV_READ | EV_WRITE | EV_CLOSED | EV_ET | EV_PERSIST,
                     on_event, c) < 0 ||
        event_add(&c->event, NULL) < 0) {
        free(c);
        turn_down(s, origin, fd);
        return;
    }
    c->limits->refs++;
    c->next = s->conns;
    if (s->conns)
        s->conns->prev = c;
    s->conns = c;
    if (origin->ctx && !open_tls(c)) {
        conn_kill(c);
        return;
    }
    /* The first edge, which comes at once, starts it; the deadline is for one
     * that never says anything. */
    if (!origin->ctx)
        conn_read_by(c, c->limits->l.idle_ms);
    if (refused)
        conn_schedule(c);
}
