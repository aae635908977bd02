/* SPDX-License-Identifier: MIT */
/* curl's sockets and timer on libevent.
 *
 * A pooled connection is idle between two requests: curl says REMOVE after the
 * first and IN for the second.  Following that would cost two epoll_ctl() per
 * request; instead the read event stays, and is deleted when it fires while
 * curl does not want it, or when the socket is closed.
 *
 * curl looks for dead and aged connections in its pool only when it begins a
 * transfer.  So that a quiet loop does not keep them, a transfer that cannot
 * begin is begun some time after connections fell idle or were closed by the
 * other side.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/str.h"
#include "http/curl_impl.h"

#define SWEEP_DEAD_MS 1100   /* curl does it once a second at most */
#define SWEEP_AGED_MS 120000 /* curl's own bound on idle time is 118 s */

struct sock {
    struct curl_transport *t;
    curl_socket_t fd;
    int want; /* CURL_POLL_IN | CURL_POLL_OUT, 0: nothing */
    struct event rd, wr;
    bool rd_on, wr_on;
};

static void act(struct curl_transport *t, curl_socket_t fd, int bits)
{
    int running;

    calling_curl(t);
    curl_multi_socket_action(t->multi, fd, bits, &running);
    called_curl(t);
}

/* Begin a transfer to nowhere: it ends at its name, which nobody looks up. */
static void on_sweep(void *arg)
{
    static const struct tx_profile plain;
    struct curl_transport *t = arg;
    struct profile *f = profile_get(t, &plain);
    struct easy *e = f ? easy_get(t, f) : NULL;
    int running;

    if (!e)
        return;
    calling_curl(t);
    if (!easy_url(e, STR("http://sweep.invalid/")) &&
        !curl_easy_setopt(e->curl, CURLOPT_HTTPGET, 1L) &&
        !curl_multi_add_handle(t->multi, e->curl))
        curl_multi_socket_action(t->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    called_curl(t);
    curl_multi_remove_handle(t->multi, e->curl);
    easy_put(t, e);
    for (size_t i = 0; i < t->n_socks; i++)
        if (t->socks[i]) {
            timer_set(&t->sweep, t->base.loop->clock, SWEEP_AGED_MS, on_sweep,
                      t);
            return;
        }
}

static void sweep_within(struct curl_transport *t, int64_t ms)
{
    struct clock *clock = t->base.loop->clock;

    if (!timer_running(&t->sweep) || t->sweep.at > clock_now(clock) + ms)
        timer_set(&t->sweep, clock, ms, on_sweep, t);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct sock *s = arg;

    (void)what;
    if (!(s->want & CURL_POLL_IN)) {
        event_del(&s->rd);
        s->rd_on = false;
        sweep_within(s->t, SWEEP_DEAD_MS);
        return;
    }
    act(s->t, fd, CURL_CSELECT_IN); /* s may be gone after this */
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct sock *s = arg;

    (void)what;
    act(s->t, fd, CURL_CSELECT_OUT);
}

static struct sock *sock_get(struct curl_transport *t, curl_socket_t fd)
{
    size_t n = (size_t)fd;
    struct sock *s;

    if (n >= t->n_socks) {
        size_t room = (n + 64) & ~(size_t)63;
        struct sock **p = realloc(t->socks, room * sizeof *p);

        if (!p)
            return NULL;
        memset(p + t->n_socks, 0, (room - t->n_socks) * sizeof *p);
        t->socks = p;
        t->n_socks = room;
    }
    s = t->socks[n];
    if (s)
        return s;
    s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->t = t;
    s->fd = fd;
    event_assign(&s->rd, t->base.loop->base, fd, EV_READ | EV_PERSIST,
                 on_readable, s);
    event_assign(&s->wr, t->base.loop->base, fd, EV_WRITE | EV_PERSIST,
                 on_writable, s);
    t->socks[n] = s;
    return s;
}

static int sock_want(struct sock *s, int want)
{
    s->want = want;
    if ((want & CURL_POLL_IN) && !s->rd_on) {
        if (event_add(&s->rd, NULL) < 0)
            return -1;
        s->rd_on = true;
    }
    if ((want & CURL_POLL_OUT) && !s->wr_on) {
        if (event_add(&s->wr, NULL) < 0)
            return -1;
        s->wr_on = true;
    } else if (!(want & CURL_POLL_OUT) && s->wr_on) {
        event_del(&s->wr);
        s->wr_on = false;
    }
    return 0;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg,
                     void *unused)
{
    struct curl_transport *t = arg;
    struct sock *s;

    (void)easy;
    (void)unused;
    if (what == CURL_POLL_REMOVE) {
        s = (size_t)fd < t->n_socks ? t->socks[fd] : NULL;
        if (!timer_running(&t->sweep))
            sweep_within(t, SWEEP_AGED_MS);
        return s ? sock_want(s, 0) : 0;
    }
    s = sock_get(t, fd);
    /* -1 makes the multi handle unusable, but without memory for an event the
     * transfer would hang; neither happens before much else has failed. */
    return s ? sock_want(s, what & (CURL_POLL_IN | CURL_POLL_OUT)) : -1;
}

static void sock_drop(struct sock *s)
{
    if (s->rd_on)
        event_del(&s->rd);
    if (s->wr_on)
        event_del(&s->wr);
    s->t->socks[s->fd] = NULL;
    free(s);
}

curl_socket_t on_curl_open(void *transport, curlsocktype purpose,
                           struct curl_sockaddr *addr)
{
    struct curl_transport *t = transport;
    int fd = socket(addr->family, addr->socktype | SOCK_CLOEXEC,
                    addr->protocol);

    (void)purpose;
    if (fd < 0)
        return CURL_SOCKET_BAD;
    t->n_conns++;
    /* Of a socket that libcurl has closed without a word: a connection that
     * could not even begin. */
    if ((size_t)fd < t->n_socks && t->socks[fd])
        sock_drop(t->socks[fd]);
    return fd;
}

int on_curl_close(void *transport, curl_socket_t fd)
{
    struct curl_transport *t = transport;

    t->n_conns--;
    if ((size_t)fd < t->n_socks && t->socks[fd])
        sock_drop(t->socks[fd]);
    return close(fd);
}

static void on_timer(void *arg)
{
    act(arg, CURL_SOCKET_TIMEOUT, 0);
}

/* What was begun in this turn goes out in this turn.  From in here "at once"
 * means the next turn, so that the loop gets to its sockets. */
static void on_now(evutil_socket_t fd, short what, void *arg)
{
    struct curl_transport *t = arg;

    (void)fd;
    (void)what;
    t->in_now = true;
    act(t, CURL_SOCKET_TIMEOUT, 0);
    t->in_now = false;
}

static int on_timer_change(CURLM *multi, long ms, void *arg)
{
    struct curl_transport *t = arg;

    (void)multi;
    if (ms < 0)
        timer_stop(&t->timer);
    else if (ms == 0 && !t->in_now)
        event_active(t->now, EV_TIMEOUT, 0);
    else
        timer_set(&t->timer, t->base.loop->clock, ms, on_timer, t);
    return 0;
}

int socks_init(struct curl_transport *t)
{
    CURLMcode rc = curl_multi_setopt(t->multi, CURLMOPT_SOCKETDATA, t);

    t->now = event_new(t->base.loop->base, -1, 0, on_now, t);
    if (!t->now)
        return -ENOMEM;
    if (!rc)
        rc = curl_multi_setopt(t->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    if (!rc)
        rc = curl_multi_setopt(t->multi, CURLMOPT_TIMERDATA, t);
    if (!rc)
        rc = curl_multi_setopt(t->multi, CURLMOPT_TIMERFUNCTION,
                               on_timer_change);
    return rc ? -ENOMEM : 0;
}

void socks_free(struct curl_transport *t)
{
    timer_stop(&t->timer);
    timer_stop(&t->sweep);
    if (t->now)
        event_free(t->now);
    for (size_t i = 0; i < t->n_socks; i++)
        if (t->socks[i])
            sock_drop(t->socks[i]);
    free(t->socks);
}
