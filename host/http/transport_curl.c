/* SPDX-License-Identifier: MIT */
/* The transport on libcurl's multi interface: the life of an exchange.
 *
 * Inside curl's callbacks no handle may be added or removed, and resuming one
 * may call back at once.  So callbacks only note what is wanted; settle() does
 * it as soon as curl has returned, and only then delivers ends.
 *
 * HTTP/2, where a profile asks for it, carries one exchange at a time on a
 * connection: with several, curl must read on for the others while one is
 * paused, and its window of 32 MiB a stream makes that 118 MB for four slow
 * readers.  Alone on its connection a paused stream stays in the socket.
 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/str.h"
#include "http/curl_impl.h"

struct header {
    struct header *next;
    pbay_kv kv;
};

/* ------------------------------------------------------ life of an exchange */

static void queue(struct exchange *x)
{
    struct curl_transport *t = transport_of(x);

    if (x->in_todo)
        return;
    x->in_todo = true;
    x->todo_next = NULL;
    *t->todo_last = x;
    t->todo_last = &x->todo_next;
}

/* Take it from curl; its connection is closed unless the reply was complete. */
static void release(struct exchange *x)
{
    struct curl_transport *t = transport_of(x);

    if (!x->easy)
        return;
    if (x->state == X_RUNNING && !x->start_wanted) {
        t->n_running--;
        curl_multi_remove_handle(t->multi, x->easy->curl);
    }
    easy_put(t, x->easy);
    x->easy = NULL;
}

static void unlink_open(struct exchange *x)
{
    struct curl_transport *t = transport_of(x);

    if (x->prev)
        x->prev->next = x->next;
    else
        t->open = x->next;
    if (x->next)
        x->next->prev = x->prev;
    t->active--;
}

static void exchange_free(struct exchange *x)
{
    timer_stop(&x->timer);
    names_forget(x);
    release(x);
    if (x->block) {
        explicit_bzero(x->block, x->block_n); /* the key is in it */
        free(x->block);
    }
    curl_slist_free_all(x->resolve);
    arena_done(&x->head);
    free(x->joined);
    free(x->target.host);
    free(x->end_why);
    free(x);
}

static void destroy(struct exchange *x)
{
    unlink_open(x);
    exchange_free(x);
}

/* The last callback. */
static void deliver_end(struct exchange *x)
{
    struct tx_end end = {.kind = x->end_kind, .reused = x->reused, .why = ""};

    if (x->end_kind != ERR_NONE)
        end.why = x->end_why ? x->end_why : "out of memory";
    unlink_open(x);
    x->ended = true;
    x->ops->end(x->arg, &end);
    exchange_free(x);
}

static void on_exchange_timer(void *arg);

static void soon(struct exchange *x)
{
    timer_set(&x->timer, x->base.transport->loop->clock, 0, on_exchange_timer,
              x);
}

void exchange_fail(struct exchange *x, int kind, char *why)
{
    x->end_kind = kind;
    free(x->end_why);
    x->end_why = why;
    x->has_end = true;
    x->state = X_OVER;
    soon(x);
}

/* curl is done with it. */
static void finish(struct exchange *x, CURLcode code)
{
    long connects = 1;

    if (!x->end_kind) /* else a callback has found what is wrong */
        x->end_kind = end_describe(x, code, &x->end_why);
    curl_easy_getinfo(x->easy->curl, CURLINFO_NUM_CONNECTS, &connects);
    /* curl tries another one only where a kept one was dead. */
    x->reused = x->resend_refused || (connects == 0 && x->attempts > 0);
    release(x);
    x->state = X_OVER;
    x->has_end = true;
    if (!x->paused)
        deliver_end(x);
}

/* curl looks for an idle connection among all that go to the same place, those
 * in use included: with thousands of streams, for longer than anything else
 * takes.  When all are in use, spare it the search. */
static CURLcode want_fresh(struct easy *e, bool fresh)
{
    if (e->fresh == fresh)
        return CURLE_OK;
    e->fresh = fresh;
    return curl_easy_setopt(e->curl, CURLOPT_FRESH_CONNECT, fresh ? 1L : 0L);
}

void exchange_launch(struct exchange *x)
{
    struct curl_transport *t = transport_of(x);
    CURL *c = x->easy->curl;
    int64_t spent = clock_now(t->base.loop->clock) - x->started;
    int64_t left = x->connect_ms > spent ? x->connect_ms - spent : 1;
    CURLcode rc = CURLE_OK;

    if (x->easy->connect_ms != left)
        rc = curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)left);
    x->easy->connect_ms = left;
    if (!rc && x->resolve)
        rc = curl_easy_setopt(c, CURLOPT_RESOLVE, x->resolve);
    if (!rc)
        rc = want_fresh(x->easy,
                        x->fresh || t->n_conns <= t->n_running);
    if (rc) {
        exchange_fail(x, ERR_INTERNAL, why_f("out of memory"));
        return;
    }
    x->easy->x = x;
    x->state = X_RUNNING;
    x->start_wanted = true;
    if (t->depth) {
        queue(x);
        return;
    }
    x->start_wanted = false;
    t->n_running++;
    if (curl_multi_add_handle(t->multi, c)) {
        t->n_running--;
        x->state = X_NEW;
        exchange_fail(x, ERR_INTERNAL, why_f("out of memory"));
    }
}

/* ------------------------------------------------- between curl's callbacks */

static void pause_curl(struct exchange *x)
{
    /* before the head curl may not have a connection yet; what then arrives
     * is refused by on_curl_data() */
    if (x->state != X_RUNNING || !x->head_done || x->curl_paused)
        return;
    x->curl_paused =
        curl_easy_pause(x->easy->curl, CURLPAUSE_RECV) == CURLE_OK;
}

static void do_todo(struct curl_transport *t)
{
    while (t->todo) {
        struct exchange *x = t->todo;

        t->todo = x->todo_next;
        if (!t->todo)
            t->todo_last = &t->todo;
        x->in_todo = false;
        if (x->cancelled)
            destroy(x);
        else if (x->start_wanted)
            exchange_launch(x);
        else if (x->paused)
            pause_curl(x);
    }
}

static void take_results(struct curl_transport *t)
{
    CURLMsg *msg;
    int left;

    while ((msg = curl_multi_info_read(t->multi, &left))) {
        CURLcode code = msg->data.result;
        char *e = NULL;

        if (msg->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &e);
        if (e && ((struct easy *)(void *)e)->x)
            finish(((struct easy *)(void *)e)->x, code);
    }
}

static void settle(struct curl_transport *t)
{
    if (t->settling)
        return;
    t->settling = true;
    do {
        do_todo(t);
        take_results(t);
    } while (t->todo);
    t->settling = false;
}

void calling_curl(struct curl_transport *t)
{
    t->depth++;
}

void called_curl(struct curl_transport *t)
{
    if (--t->depth == 0)
        settle(t);
}

/* Let curl go on.  It may call back from inside, so this is only ever called
 * from the loop. */
static void resume(struct exchange *x)
{
    struct curl_transport *t = transport_of(x);
    CURLcode rc;

    x->curl_paused = false;
    t->depth++;
    rc = curl_easy_pause(x->easy->curl, CURLPAUSE_CONT);
    t->depth--;
    /* A callback that has refused does not end the transfer here: curl only
     * passes its error on. */
    if (rc && !x->cancelled)
        finish(x, rc);
    settle(t);
}

static void on_exchange_timer(void *arg)
{
    struct exchange *x = arg;

    if (x->paused)
        return;
    if (x->has_end)
        deliver_end(x);
    else if (x->curl_paused)
        resume(x);
}

/* ------------------------------------------------------- curl's callbacks */

/* Refuse the reply: what the callback then returns makes curl break off. */
static size_t refuse(struct exchange *x, char *why)
{
    if (!x->end_kind) {
        x->end_kind = PBAY_E_PROTOCOL;
        x->end_why = why;
    } else {
        free(why);
    }
    return 0;
}

static size_t refuse_head(struct exchange *x, const char *what)
{
    char where[512];

    return refuse(x, why_f("the reply of %s %s",
                           end_where(x, where, sizeof where), what));
}

static void reset_head(struct exchange *x)
{
    arena_done(&x->head);
    x->first_header = NULL;
    x->last_header = &x->first_header;
    x->n_headers = 0;
    x->status = 0;
}

/* "HTTP/1.1 200 OK" */
static bool status_line(struct exchange *x, pbay_str line)
{
    pbay_str rest = line, code;
    uint64_t status;

    reset_head(x);
    str_cut(&rest, ' ');
    code = str_cut(&rest, ' ');
    if (code.n != 3 || str_u64(code, &status) || status < 100)
        return false;
    x->status = (int)status;
    return true;
}

/* A line that goes on with the value of the header before it. */
static bool folded(struct exchange *x, pbay_str line)
{
    struct header *h = x->first_header;

    while (h && h->next)
        h = h->next;
    if (!h)
        return true;
    h->kv.v = arena_printf(&x->head, "%.*s %.*s", STR_ARG(h->kv.v),
                           STR_ARG(line));
    return h->kv.v.p;
}

static bool add_header(struct exchange *x, pbay_str line)
{
    pbay_str value = line, name = str_cut(&value, ':');
    struct header *h;
    char *p;

    if (line.n && (line.p[0] == ' ' || line.p[0] == '\t'))
        return folded(x, str_trim(line));
    if (!value.p)
        return true; /* no colon: curl takes it for nothing, too */
    name = str_trim(name);
    value = str_trim(value);
    h = arena_alloc(&x->head, sizeof *h);
    p = arena_bytes(&x->head, name.n + value.n + 1);
    if (!h || !p)
        return false;
    for (size_t i = 0; i < name.n; i++)
        p[i] = (char)tolower((unsigned char)name.p[i]);
    if (value.n)
        memcpy(p + name.n, value.p, value.n);
    h->kv = (pbay_kv){str_n(p, name.n), str_n(p + name.n, value.n)};
    *x->last_header = h;
    x->last_header = &h->next;
    x->n_headers++;
    return true;
}

/* With TLS curl keeps the buffer it sent the request from, 16 KiB, until the
 * exchange is over; setting its size frees it.  Only once all has been sent. */
static void free_send_buffer(struct exchange *x)
{
    curl_off_t sent = 0;

    if (!x->tls || !x->body_total || !x->easy)
        return;
    curl_easy_getinfo(x->easy->curl, CURLINFO_SIZE_UPLOAD_T, &sent);
    if (sent >= 0 && (uint64_t)sent >= x->body_total)
        curl_easy_setopt(x->easy->curl, CURLOPT_UPLOAD_BUFFERSIZE, SEND_BUFFER);
}

/* The blank line.  Interim heads are passed over. */
static bool head_complete(struct exchange *x)
{
    size_t n = 0;
    pbay_kv *kv;

    if (x->status < 200) {
        reset_head(x);
        return true;
    }
    kv = arena_alloc(&x->head, x->n_headers * sizeof *kv);
    if (!kv)
        return false;
    for (struct header *h = x->first_header; h; h = h->next)
        kv[n++] = h->kv;
    x->head_done = true;
    free_send_buffer(x);
    x->ops->head(x->arg, x->status, kv, n);
    reset_head(x);
    return true;
}

size_t on_curl_header(char *p, size_t size, size_t n, void *easy)
{
    struct exchange *x = ((struct easy *)easy)->x;
    pbay_str line = {p, size * n};
    bool ok = true;

    if (!x || x->cancelled || x->end_kind)
        return 0;
    if (x->head_done)
        return size * n; /* trailers */
    x->head_bytes += line.n;
    if (x->head_bytes > x->max_head)
        return refuse_head(x, "has too large a head");
    while (line.n && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
        line.n--;
    if (str_starts(line, "HTTP/")) {
        if (!status_line(x, line))
            return refuse_head(x, "has no valid status line");
    } else if (line.n) {
        ok = add_header(x, line);
    } else {
        ok = head_complete(x);
    }
    if (!ok)
        return refuse_head(x, "has too many headers");
    return x->cancelled ? 0 : size * n;
}

size_t on_curl_data(char *p, size_t size, size_t n, void *easy)
{
    struct exchange *x = ((struct easy *)easy)->x;

    if (!x || x->cancelled || x->end_kind)
        return 0;
    if (!x->head_done)
        return refuse_head(x, "has a body without a head");
    if (x->paused) {
        x->curl_paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    x->ops->data(x->arg, str_n(p, size * n));
    return x->cancelled ? 0 : size * n;
}

size_t on_curl_read(char *p, size_t size, size_t n, void *easy)
{
    struct exchange *x = ((struct easy *)easy)->x;
    size_t room = size * n, at = 0;

    if (!x || x->cancelled)
        return CURL_READFUNC_ABORT;
    while (at < room && x->piece < x->n_body) {
        pbay_str s = x->body[x->piece];
        size_t take = s.n - x->off < room - at ? s.n - x->off : room - at;

        if (take)
            memcpy(p + at, s.p + x->off, take);
        at += take;
        x->off += take;
        if (x->off == s.n) {
            x->piece++;
            x->off = 0;
        }
    }
    return at;
}

/* A request that is sent again on another connection. */
int on_curl_seek(void *easy, curl_off_t offset, int origin)
{
    struct exchange *x = ((struct easy *)easy)->x;
    uint64_t left = (uint64_t)offset;

    if (!x || origin != SEEK_SET || offset < 0 || left > x->body_total)
        return CURL_SEEKFUNC_FAIL;
    x->piece = 0;
    while (x->piece < x->n_body && left >= x->body[x->piece].n)
        left -= x->body[x->piece++].n;
    x->off = (size_t)left;
    return CURL_SEEKFUNC_OK;
}

/* A connection is there, the request goes out now.
 *
 * When a pooled connection breaks before a byte of the reply, curl sends the
 * request again on a new one, however much of it had gone out.  A server that
 * died over a request would get it again, so that is allowed only where
 * nothing was sent or asking twice does no harm. */
int on_curl_ready(void *easy, char *remote, char *local, int rport, int lport)
{
    struct exchange *x = ((struct easy *)easy)->x;
    long sent = 0;

    (void)remote;
    (void)local;
    (void)rport;
    (void)lport;
    if (!x || x->cancelled)
        return CURL_PREREQFUNC_ABORT;
    if (x->resolve)
        names_loaded(x);
    if (x->attempts++ && !x->idempotent) {
        curl_easy_getinfo(((struct easy *)easy)->curl, CURLINFO_REQUEST_SIZE,
                          &sent);
        x->resend_refused = sent > 0;
    }
    return x->resend_refused ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

/* curl did not find a name in its cache.  That is right for an address written
 * as such; everything else was to come from curl_names.c. */
int on_curl_resolve(void *state, void *reserved, void *easy)
{
    struct exchange *x = ((struct easy *)easy)->x;
    const struct profile *f = ((struct easy *)easy)->profile;
    const char *host;

    (void)state;
    (void)reserved;
    if (!x)
        return 1;
    host = f->by_proxy ? f->proxy_host : x->target.host;
    return f->by_target && x->target.literal ? 0 : !target_literal(host);
}

/* ------------------------------------------------------------ the interface */

/* 0; -ENOMEM; -EINVAL: the end is on its way. */
static int prepare(struct exchange *x, const struct tx_profile *p,
                   const struct tx_request *r)
{
    struct curl_transport *t = transport_of(x);
    struct profile *f;
    char *why = NULL;
    int rc;

    rc = url_target(r->url, &x->target, &x->tls, &why);
    if (!rc) {
        f = profile_get(t, p);
        x->easy = f ? easy_get(t, f) : NULL;
        rc = x->easy ? easy_request(x, r, &why) : -ENOMEM;
    }
    if (rc == -EINVAL)
        exchange_fail(x, ERR_INTERNAL, why);
    return rc;
}

static struct tx *start(struct transport *tp, const struct tx_profile *p,
                        const struct tx_request *r, const struct tx_ops *ops,
                        void *arg)
{
    struct curl_transport *t = (struct curl_transport *)tp;
    struct exchange *x = calloc(1, sizeof *x);
    int rc;

    if (!x)
        return NULL;
    x->base.transport = tp;
    x->ops = ops;
    x->arg = arg;
    x->idempotent = r->idempotent;
    x->fresh = r->fresh;
    x->max_head = r->max_head ? r->max_head : LIM_REPLY_HEAD;
    x->connect_ms = p->connect_ms > 0 ? p->connect_ms : LIM_CONNECT_MS;
    x->started = clock_now(tp->loop->clock);
    /* a header of four bytes costs some sixty here */
    arena_init(&x->head, 8 * x->max_head);
    reset_head(x);
    x->next = t->open;
    if (t->open)
        t->open->prev = x;
    t->open = x;
    t->active++;
    rc = prepare(x, p, r);
    if (rc == -ENOMEM) {
        destroy(x);
        return NULL;
    }
    if (!rc)
        names_prepare(x);
    return (struct tx *)x;
}

static void cancel(struct tx *tx)
{
    struct exchange *x = (struct exchange *)tx;

    if (x->cancelled || x->ended)
        return;
    if (transport_of(x)->depth || x->in_todo) {
        x->cancelled = true;
        queue(x);
    } else {
        destroy(x);
    }
}

static void set_pause(struct tx *tx, bool on)
{
    struct exchange *x = (struct exchange *)tx;

    if (x->cancelled || x->ended || x->paused == on)
        return;
    x->paused = on;
    if (!on) {
        if (x->has_end || x->curl_paused)
            soon(x);
    } else if (transport_of(x)->depth) {
        queue(x);
    } else {
        pause_curl(x);
    }
}

static size_t active(const struct transport *tp)
{
    return ((const struct curl_transport *)tp)->active;
}

static void transport_curl_free(struct transport *tp)
{
    struct curl_transport *t = (struct curl_transport *)tp;

    while (t->open)
        destroy(t->open);
    profiles_free(t);
    if (t->multi)
        curl_multi_cleanup(t->multi);
    if (t->share)
        curl_share_cleanup(t->share);
    socks_free(t);
    names_free(t);
    free(t);
}

static const struct transport_vt vt = {
    .start = start,
    .cancel = cancel,
    .pause = set_pause,
    .active = active,
    .free = transport_curl_free,
};

struct transport *transport_curl_new(struct loop *loop)
{
    struct curl_transport *t = calloc(1, sizeof *t);

    if (!t)
        return NULL;
    t->base.vt = &vt;
    t->base.loop = loop;
    t->todo_last = &t->todo;
    t->multi = curl_multi_init();
    t->share = curl_share_init();
    if (!t->multi || !t->share || socks_init(t) ||
        curl_share_setopt(t->share, CURLSHOPT_SHARE,
                          CURL_LOCK_DATA_SSL_SESSION) ||
        curl_multi_setopt(t->multi, CURLMOPT_MAXCONNECTS, (long)LIM_UP_CONNS) ||
        curl_multi_setopt(t->multi, CURLMOPT_PIPELINING,
                          (long)CURLPIPE_NOTHING)) {
        transport_curl_free(&t->base);
        return NULL;
    }
    return &t->base;
}

int transport_curl_global(void)
{
    /* With CURLOPT_NOSIGNAL curl leaves SIGPIPE to its user. */
    signal(SIGPIPE, SIG_IGN);
    if (curl_global_init(CURL_GLOBAL_DEFAULT))
        return -ENOMEM;
    return easy_global_init();
}

void transport_curl_global_done(void)
{
    easy_global_done();
    curl_global_cleanup();
}
