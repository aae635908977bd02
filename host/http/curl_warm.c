/* SPDX-License-Identifier: MIT */
/* Reading the CA bundle before the first request needs it.
 *
 * curl reads the bundle when a TLS server has answered the first time, and
 * keeps it for the loop; that is some 20 ms of the loop's time.  There is no
 * call for that, so a handshake is begun with a socket of our own on loopback,
 * which answers with an alert.
 */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/curl_impl.h"

#define ROUNDS 64 /* steps of curl until it has read the alert: 3 are enough */

struct warm {
    struct curl_transport *t;
    int listener;
    int port;
    curl_socket_t fd; /* curl's end */
    bool closed;
};

static curl_socket_t on_open(void *arg, curlsocktype what,
                             struct curl_sockaddr *addr)
{
    struct warm *w = arg;

    (void)what;
    w->fd = socket(addr->family, addr->socktype | SOCK_CLOEXEC, addr->protocol);
    return w->fd;
}

static int on_close(void *arg, curl_socket_t fd)
{
    struct warm *w = arg;

    w->closed = true;
    return on_curl_close(w->t, fd);
}

static int listen_here(struct warm *w)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;

    w->listener =
        socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (w->listener < 0)
        return -errno;
    if (bind(w->listener, (struct sockaddr *)&a, sizeof a) ||
        listen(w->listener, 1) ||
        getsockname(w->listener, (struct sockaddr *)&a, &n)) {
        int rc = -errno;

        close(w->listener);
        return rc;
    }
    w->port = ntohs(a.sin_port);
    return 0;
}

static CURLcode options(CURL *c, struct warm *w)
{
    char url[64];
    CURLcode rc;

    snprintf(url, sizeof url, "https://127.0.0.1:%d/", w->port);
    rc = curl_easy_setopt(c, CURLOPT_URL, url);
    if (!rc)
        rc = curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, on_open);
    if (!rc)
        rc = curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, w);
    if (!rc)
        rc = curl_easy_setopt(c, CURLOPT_CLOSESOCKETFUNCTION, on_close);
    if (!rc)
        rc = curl_easy_setopt(c, CURLOPT_CLOSESOCKETDATA, w);
    if (!rc) /* an address needs no lookup */
        rc = curl_easy_setopt(c, CURLOPT_RESOLVER_START_FUNCTION, NULL);
    return rc;
}

/* Answer whoever has connected: with curl, or by a strange chance with somebody
 * else, who then learns that nobody is here. */
static void answer(struct warm *w)
{
    /* alert, TLS 1.2, 2 bytes: fatal, handshake failure */
    static const char alert[] = {21, 3, 3, 0, 2, 2, 40};
    int fd = accept4(w->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0)
        return;
    if (write(fd, alert, sizeof alert) == (ssize_t)sizeof alert)
        shutdown(fd, SHUT_WR);
    close(fd);
}

static int handshake(struct curl_transport *t, CURL *c, struct warm *w)
{
    CURLcode rc = options(c, w);
    int running;

    if (rc || curl_multi_add_handle(t->multi, c))
        return -ENOMEM;
    calling_curl(t);
    curl_multi_socket_action(t->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    for (int i = 0; i < ROUNDS && w->fd >= 0 && !w->closed; i++) {
        answer(w);
        curl_multi_socket_action(t->multi, w->fd,
                                 CURL_CSELECT_IN | CURL_CSELECT_OUT, &running);
    }
    called_curl(t);
    curl_multi_remove_handle(t->multi, c);
    return 0;
}

int transport_curl_warm(struct transport *tp)
{
    static const struct tx_profile plain;
    struct curl_transport *t = (struct curl_transport *)tp;
    struct warm w = {.t = t, .fd = -1};
    struct profile *f;
    struct easy *e;
    int rc;

    if (!easy_ca_bundle())
        return 0;
    rc = listen_here(&w);
    if (rc)
        return rc;
    f = profile_get(t, &plain);
    e = f ? easy_get(t, f) : NULL;
    rc = e ? handshake(t, e->curl, &w) : -ENOMEM;
    if (e)
        easy_drop(e); /* its options are no longer those of the profile */
    close(w.listener);
    return rc;
}
