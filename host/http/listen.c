/* SPDX-License-Identifier: MIT */
/* Listening sockets: TCP and Unix, accepting, and what to do when there are too
 * many connections or no descriptors left. */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "http/server_int.h"

#define BACKLOG     4096 /* the kernel cuts it to its own bound */
#define PER_EVENT   64   /* accepted before other events have their turn */
#define UNIX_MODE   0660
#define COMPLAIN_MS 10000 /* between two lines of the log about one trouble */

struct http_listener {
    int fd;
    struct event *event;
    struct timer timer; /* accept again */
    int64_t complained; /* when */
    struct http_server **servers;
    size_t n, next;
    struct http_origin *origin;
    char *name;
    char *path; /* Unix: to be removed, if it is still this file */
    dev_t dev;
    ino_t ino;
};

void http_origin_ref(struct http_origin *o)
{
    atomic_fetch_add(&o->refs, 1);
}

void http_origin_unref(struct http_origin *o)
{
    if (atomic_fetch_sub(&o->refs, 1) != 1)
        return;
    if (o->ctx)
        SSL_CTX_free(o->ctx);
    free(o);
}

/* -------------------------------------------------------------- accepting */

static struct loop *own_loop(struct http_listener *l)
{
    return l->servers[0]->loop;
}

static void on_resume(void *arg)
{
    struct http_listener *l = arg;
    event_add(l->event, NULL);
}

/* Leave further connections to the kernel's queue for a moment: the event is
 * level-triggered and would fire without end. */
static void pause_accept(struct http_listener *l, const char *why)
{
    struct clock *clock = own_loop(l)->clock;
    int64_t now = clock_now(clock);
    event_del(l->event);
    timer_set(&l->timer, clock, LIM_HTTP_ACCEPT_MS, on_resume, l);
    if (!l->complained || now - l->complained >= COMPLAIN_MS) {
        l->complained = now;
        log_line(LOG_WARN, "http", "connections have to wait",
                 log_cstr("listener", l->name), log_cstr("reason", why),
                 LOG_END);
    }
}

/* The server with the fewest connections, and how many there are in all.  The
 * search starts at another one each time, so that equals take turns. */
static struct http_server *least_loaded(struct http_listener *l, size_t *total)
{
    struct http_server *best = NULL;
    size_t least = 0;
    *total = 0;
    for (size_t i = 0; i < l->n; i++) {
        struct http_server *s = l->servers[(l->next + i) % l->n];
        size_t conns = http_server_conns(s);
        *total += conns;
        if (!best || conns < least) {
            best = s;
            least = conns;
        }
    }
    l->next++;
    return best;
}

static void describe_peer(const struct sockaddr_storage *from, char *text)
{
    char host[INET6_ADDRSTRLEN] = "?";
    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *a = (const struct sockaddr_in *)from;
        inet_ntop(AF_INET, &a->sin_addr, host, sizeof host);
        snprintf(text, HTTP_PEER, "%s:%u", host, ntohs(a->sin_port));
    } else if (from->ss_family == AF_INET6) {
        const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)from;
        bool v4 = IN6_IS_ADDR_V4MAPPED(&a->sin6_addr);
        if (v4)
            inet_ntop(AF_INET, &a->sin6_addr.s6_addr[12], host, sizeof host);
        else
            inet_ntop(AF_INET6, &a->sin6_addr, host, sizeof host);
        snprintf(text, HTTP_PEER, v4 ? "%s:%u" : "[%s]:%u", host,
                 ntohs(a->sin6_port));
    } else {
        snprintf(text, HTTP_PEER, "unix");
    }
}

/* accept4() has failed; should one go on? */
static bool accept_failed(struct http_listener *l)
{
    switch (errno) {
    case EAGAIN:
#if EAGAIN != EWOULDBLOCK
    case EWOULDBLOCK:
#endif
        return false;
    case EINTR:
    case ECONNABORTED: /* and what Linux passes on from the new socket */
    case EPROTO:
    case ENOPROTOOPT:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
    case EOPNOTSUPP:
        return true;
    case EMFILE:
        pause_accept(l, "the process has no descriptors left (raise "
                        "LimitNOFILE, or ulimit -n)");
        return false;
    default:
        pause_accept(l, strerror(errno));
        return false;
    }
}

static bool accept_one(struct http_listener *l)
{
    size_t total, cap = l->servers[0]->limits->l.conns;
    struct http_server *s = least_loaded(l, &total);
    if (total >= cap + LIM_HTTP_TURNED_AWAY) {
        pause_accept(l, "as many are open as server.max_connections allows");
        return false;
    }
    struct sockaddr_storage from = {0};
    socklen_t n = sizeof from;
    int fd = accept4(l->fd, (struct sockaddr *)&from, &n,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return accept_failed(l);
    if (from.ss_family != AF_UNIX) {
        int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
    char peer[HTTP_PEER];
    describe_peer(&from, peer);
    http_deal(s, own_loop(l), l->origin, fd, peer, total >= cap);
    return true;
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    for (int i = 0; i < PER_EVENT && accept_one(arg); i++)
        ;
}

/* ---------------------------------------------------------------- opening */

static int fail(char **err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static int fail(char **err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    if (vasprintf(err, fmt, ap) < 0)
        *err = NULL;
    va_end(ap);
    return -1;
}

/* Does nobody answer at this file any more? */
static bool is_stale(const struct sockaddr_un *a, const char *path)
{
    struct stat st;
    if (lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    bool refused = connect(fd, (const struct sockaddr *)a, sizeof *a) < 0 &&
                   errno == ECONNREFUSED;
    close(fd);
    return refused;
}

static int bind_unix(struct http_listener *l, const char *path, int fd,
                     char **err)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (!path[0] || strlen(path) >= sizeof a.sun_path)
        return fail(err, "unix:%s: the path must have 1 to %zu bytes", path,
                    sizeof a.sun_path - 1);
    memcpy(a.sun_path, path, strlen(path) + 1);
    /* The file gets the socket's mode: it is never open to more, not even for
     * a moment. */
    fchmod(fd, UNIX_MODE);
    int rc = bind(fd, (struct sockaddr *)&a, sizeof a);
    if (rc < 0 && errno == EADDRINUSE && is_stale(&a, path)) {
        unlink(path);
        rc = bind(fd, (struct sockaddr *)&a, sizeof a);
    }
    if (rc < 0 && errno == EADDRINUSE)
        return fail(err, "unix:%s: another process listens there, or the file "
                         "is not a socket; stop it or choose another path",
                    path);
    struct stat st;
    if (rc < 0 || chmod(path, UNIX_MODE) < 0 || lstat(path, &st) < 0)
        return fail(err, "unix:%s: %s; is its directory there and writable "
                         "for this user?",
                    path, strerror(errno));
    l->path = strdup(path);
    l->dev = st.st_dev;
    l->ino = st.st_ino;
    if (asprintf(&l->name, "unix:%s", path) < 0)
        l->name = NULL;
    l->origin->local = true;
    return l->path && l->name ? 0 : fail(err, "out of memory");
}

static int listen_unix(struct http_listener *l, const char *path, char **err)
{
    l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->fd < 0)
        return fail(err, "unix:%s: %s", path, strerror(errno));
    if (bind_unix(l, path, l->fd, err) < 0)
        return -1;
    if (listen(l->fd, BACKLOG) < 0)
        return fail(err, "unix:%s: %s", path, strerror(errno));
    return 0;
}

static bool is_loopback(const struct sockaddr *a)
{
    if (a->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)a;
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    }
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;
    return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

/* Open, bind and listen; -errno. */
static int listen_at(struct http_listener *l, const struct addrinfo *ai)
{
    int one = 1;
    l->fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                   0);
    if (l->fd < 0)
        return -errno;
    setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(l->fd, ai->ai_addr, ai->ai_addrlen) == 0 &&
        listen(l->fd, BACKLOG) == 0) {
        l->origin->local = is_loopback(ai->ai_addr);
        return 0;
    }
    int rc = -errno;
    close(l->fd);
    l->fd = -1;
    return rc;
}

/* "host:port", "[v6]:port", ":port" and "*:port" (every address); the parts in
 * memory of *copy. */
static int split(const char *addr, char **copy, char **host, char **port)
{
    *copy = strdup(addr);
    char *colon = *copy ? strrchr(*copy, ':') : NULL;
    if (!colon || !colon[1] || strlen(colon + 1) > 5 ||
        colon[1 + strspn(colon + 1, "0123456789")] || atoi(colon + 1) > 65535)
        return -1;
    *colon = '\0';
    *host = *copy;
    *port = colon + 1;
    if (**host == '[' && colon[-1] == ']') {
        (*host)++;
        colon[-1] = '\0';
    } else if (strchr(*host, ':')) {
        return -1;
    }
    if (!**host || strcmp(*host, "*") == 0)
        *host = NULL;
    return 0;
}

static int name_tcp(struct http_listener *l, char **err)
{
    struct sockaddr_storage a;
    socklen_t n = sizeof a;
    char text[HTTP_PEER];
    if (getsockname(l->fd, (struct sockaddr *)&a, &n) < 0)
        return fail(err, "%s", strerror(errno));
    describe_peer(&a, text);
    l->name = strdup(text);
    return l->name ? 0 : fail(err, "out of memory");
}

static int listen_tcp(struct http_listener *l, const char *addr, char **err)
{
    char *copy, *host, *port;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    if (split(addr, &copy, &host, &port) < 0) {
        free(copy);
        return fail(err, "%s: not an address to listen on; write "
                         "127.0.0.1:8080, [::1]:8080, *:8080 or unix:/path",
                    addr);
    }
    int rc = getaddrinfo(host, port, &hints, &list);
    free(copy);
    if (rc != 0)
        return fail(err, "%s: %s", addr, gai_strerror(rc));
    for (struct addrinfo *ai = list; ai; ai = ai->ai_next) {
        rc = listen_at(l, ai);
        if (rc == 0)
            break;
    }
    freeaddrinfo(list);
    if (rc == -EADDRINUSE)
        return fail(err, "%s: another process listens there; stop it or choose "
                         "another port",
                    addr);
    if (rc == -EACCES)
        return fail(err, "%s: ports below 1024 need CAP_NET_BIND_SERVICE; "
                         "choose a higher one",
                    addr);
    if (rc < 0)
        return fail(err, "%s: %s", addr, strerror(-rc));
    return name_tcp(l, err);
}

static int open_listener(struct http_listener *l, const char *addr, char **err)
{
    int rc = strncmp(addr, "unix:", 5) == 0 ? listen_unix(l, addr + 5, err)
                                            : listen_tcp(l, addr, err);
    if (rc < 0)
        return rc;
    l->event = event_new(own_loop(l)->base, l->fd, EV_READ | EV_PERSIST,
                         on_accept, l);
    if (!l->event || event_add(l->event, NULL) < 0)
        return fail(err, "%s: no event for it: out of memory", addr);
    return 0;
}

struct http_listener *http_listen(const char *addr,
                                  struct http_server **servers, size_t n,
                                  struct http_tls *tls, const void *tag,
                                  char **err)
{
    *err = NULL;
    struct http_listener *l = calloc(1, sizeof *l);
    struct http_origin *o = calloc(1, sizeof *o);
    struct http_server **own = calloc(n, sizeof(struct http_server *));
    if (!l || !o || !own) {
        free(l);
        free(o);
        free(own);
        fail(err, "out of memory");
        return NULL;
    }
    memcpy(own, servers, n * sizeof(struct http_server *));
    atomic_init(&o->refs, 1);
    o->tag = tag;
    o->ctx = tls_ctx(tls);
    *l = (struct http_listener){.fd = -1, .servers = own, .n = n, .origin = o};
    if (open_listener(l, addr, err) < 0) {
        http_listener_free(l);
        return NULL;
    }
    return l;
}

const char *http_listener_name(const struct http_listener *l)
{
    return l->name;
}

bool http_listener_local(const struct http_listener *l)
{
    return l->origin->local;
}

void http_listener_free(struct http_listener *l)
{
    struct stat st;
    if (!l)
        return;
    timer_stop(&l->timer);
    if (l->event)
        event_free(l->event);
    if (l->path && lstat(l->path, &st) == 0 && st.st_dev == l->dev &&
        st.st_ino == l->ino)
        unlink(l->path);
    if (l->fd >= 0)
        close(l->fd);
    http_origin_unref(l->origin);
    free(l->servers);
    free(l->name);
    free(l->path);
    free(l);
}
