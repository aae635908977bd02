/* SPDX-License-Identifier: MIT */
/* The control socket's connections: lines in, lines out. */
#include "admin/control.h"

#include <errno.h>
#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "admin/control_int.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/str.h"
#include <patchbay/json.h>

struct control {
    struct host *host;
    int fd; /* listening; -1: a single connection */
    char *path;
    struct event *acceptable;
    struct timer again; /* accept again, when descriptors had run out */
    struct ctl_conn *conns;
    size_t n;
};

/* --- connections --------------------------------------------------------- */

bool control_busy(const struct control *ctl)
{
    for (const struct ctl_conn *c = ctl ? ctl->conns : NULL; c; c = c->next)
        if (c->busy || c->out.n)
            return true;
    return false;
}

static void tell_idle(struct control *ctl)
{
    if (ctl->host->draining && !control_busy(ctl))
        host_control_idle(ctl->host);
}

static void conn_free(struct ctl_conn *c)
{
    struct control *ctl = c->control;
    bool last = ctl->fd < 0;

    ctl_call_drop(c);
    if (c->readable)
        event_free(c->readable);
    if (c->writable)
        event_free(c->writable);
    close(c->fd);
    buf_done(&c->in);
    buf_done(&c->out);
    *c->prev = c->next;
    if (c->next)
        c->next->prev = c->prev;
    ctl->n--;
    free(c);
    tell_idle(ctl);
    if (last)
        host_stop(ctl->host, true);
}

static void enter(struct ctl_conn *c)
{
    c->depth++;
}

static void leave(struct ctl_conn *c)
{
    if (--c->depth == 0 && c->dead)
        conn_free(c);
}

static void flush(struct ctl_conn *c)
{
    while (c->out.n && !c->dead) {
        pbay_str s = buf_str(&c->out);
        ssize_t n = send(c->fd, s.p, s.n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            event_add(c->writable, NULL);
            return;
        }
        if (n < 0) {
            c->dead = true;
            return;
        }
        buf_consume(&c->out, (size_t)n);
    }
    buf_reset(&c->out, LIM_OUT_LOW);
    if (c->closing)
        c->dead = true;
    tell_idle(c->control);
}

void ctl_send(struct ctl_conn *c, pbay_str line)
{
    enter(c);
    if (!c->dead && !c->closing) {
        if (buf_add(&c->out, line) < 0 || buf_addc(&c->out, "\n") < 0)
            c->dead = true;
        else
            flush(c);
        if (c->out.n > LIM_OUT_HIGH && c->call)
            call_pause(c->call, true);
        if (c->out.n > LIM_OUT_HIGH)
            ctl_text_pause(c, true);
    }
    leave(c);
}

static void request_over(struct ctl_conn *c)
{
    c->busy = false;
    c->call = NULL;
    ctl_session_drop(c);
    c->listing = NULL;
    ctl_text_drop(c);
    ctl_moderate_drop(c);
    free(c->body);
    free(c->members);
    free(c->provider);
    arena_done(&c->wish_arena);
    c->wish = NULL;
    c->body = NULL;
    c->members = NULL;
    c->provider = NULL;
}

void ctl_ok(struct ctl_conn *c, pbay_str result_json)
{
    struct buf b;

    buf_init(&b, LIM_CTL_LINE);
    buf_addc(&b, "{\"ok\":true,\"result\":");
    buf_add(&b, result_json.n ? result_json : STR("{}"));
    if (buf_addc(&b, "}") < 0) {
        buf_reset(&b, 0);
        buf_addc(&b,
                 "{\"ok\":false,\"error\":{\"kind\":\"internal\","
                 "\"message\":\"the result is too large\",\"status\":500}}");
    }
    request_over(c);
    ctl_send(c, buf_str(&b));
    buf_done(&b);
}

void ctl_error(struct ctl_conn *c, const struct err *e)
{
    struct buf b;

    buf_init(&b, LIM_KIB(16));
    buf_addc(&b, "{\"ok\":false,\"error\":{\"kind\":");
    buf_json(&b, str_c(err_class(e->kind)->name));
    buf_addc(&b, ",\"message\":");
    buf_json(&b, str_c(e->message[0] ? e->message : err_text(e)));
    if (e->provider[0]) {
        buf_addc(&b, ",\"provider\":");
        buf_json(&b, str_c(e->provider));
    }
    if (e->retry_after_ms >= 0)
        buf_printf(&b, ",\"retry_after_ms\":%lld",
                   (long long)e->retry_after_ms);
    buf_printf(&b, ",\"status\":%d}}", err_class(e->kind)->status);
    request_over(c);
    ctl_send(c, buf_str(&b));
    buf_done(&b);
}

void ctl_fail(struct ctl_conn *c, int kind, const char *fmt, ...)
{
    char text[1024];
    struct err e;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    err_clear(&e);
    err_set(&e, kind, "%s", text);
    ctl_error(c, &e);
}

/* --- requests ------------------------------------------------------------ */

/* `cancel` is the one verb that may come while a call is under way: the call's
 * own last line goes first. */
static void cancel(struct ctl_conn *c)
{
    if (c->busy) {
        struct err e;
        ctl_call_drop(c);
        err_clear(&e);
        err_set(&e, ERR_CANCELLED, "cancelled");
        ctl_error(c, &e);
    }
    ctl_ok(c, STR_NONE);
}

static void one_line(struct ctl_conn *c, pbay_str line)
{
    struct json_object *req = NULL, *args;
    struct js_error je;
    const char *verb;

    if (js_parse(line, PBAY_JSON_DEPTH, &req, &je) < 0 ||
        !json_object_is_type(req, json_type_object)) {
        json_object_put(req);
        ctl_fail(c, ERR_BAD_BODY, "the request is not a JSON object on a line");
        c->closing = true;
        return;
    }
    verb = js_cstr(req, "verb", "");
    args = js_typed(req, "args", json_type_object);
    if (strcmp(verb, "cancel") == 0)
        cancel(c);
    else if (c->busy && ctl_session_line(c, verb, args))
        ;
    else if (c->busy)
        ctl_fail(c, ERR_BAD_BODY,
                 "a request is under way; wait for its end, "
                 "or send \"cancel\"");
    else if (js_int(req, "v", 0) != 1)
        ctl_fail(c, ERR_NOT_SUPPORTED,
                 "this host speaks version 1 of the control protocol, not %lld",
                 (long long)js_int(req, "v", 0));
    else {
        c->busy = true;
        ctl_dispatch(c, verb, args);
    }
    json_object_put(req);
}

static void take_lines(struct ctl_conn *c)
{
    while (!c->dead && !c->closing) {
        pbay_str all = buf_str(&c->in), line;
        char *nl = all.n > c->scanned
                       ? memchr(all.p + c->scanned, '\n', all.n - c->scanned)
                       : NULL;
        c->scanned = nl ? 0 : all.n;
        if (!nl)
            return;
        line = str_n(all.p, (size_t)(nl - all.p));
        one_line(c, line); /* nothing reads into c->in meanwhile */
        buf_consume(&c->in, line.n + 1);
    }
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct ctl_conn *c = arg;
    char *at;
    ssize_t n;

    (void)what;
    enter(c);
    at = buf_space(&c->in, LIM_KIB(16));
    if (!at) {
        ctl_fail(c, ERR_BODY_TOO_LARGE,
                 "a request line is longer than %zu "
                 "bytes",
                 LIM_CTL_LINE);
        c->dead = true;
        goto out;
    }
    n = recv(fd, at, LIM_KIB(16), MSG_DONTWAIT);
    if (n > 0) {
        buf_grew(&c->in, (size_t)n);
        take_lines(c);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        c->dead = true; /* whoever asked is gone: what runs for them ends */
    }
out:
    leave(c);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct ctl_conn *c = arg;

    (void)fd;
    (void)what;
    enter(c);
    flush(c);
    if (c->out.n < LIM_OUT_LOW && c->call)
        call_pause(c->call, false);
    if (c->out.n < LIM_OUT_LOW && c->session)
        ctl_session_drained(c);
    if (c->out.n < LIM_OUT_LOW)
        ctl_text_pause(c, false);
    leave(c);
}

static struct ctl_conn *conn_new(struct control *ctl, int fd)
{
    struct event_base *base = ctl->host->control_seat->loop->base;
    struct ctl_conn *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    c->control = ctl;
    c->host = ctl->host;
    c->fd = fd;
    buf_init(&c->in, LIM_CTL_LINE);
    buf_init(&c->out, LIM_CTL_LINE + 1);
    evutil_make_socket_nonblocking(fd);
    c->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, c);
    c->writable = event_new(base, fd, EV_WRITE, on_writable, c);
    if (!c->readable || !c->writable || event_add(c->readable, NULL) < 0) {
        if (c->readable)
            event_free(c->readable);
        if (c->writable)
            event_free(c->writable);
        free(c);
        return NULL;
    }
    c->next = ctl->conns;
    c->prev = &ctl->conns;
    if (c->next)
        c->next->prev = &c->next;
    ctl->conns = c;
    ctl->n++;
    return c;
}

/* --- listening ----------------------------------------------------------- */

static bool peer_allowed(int fd)
{
    struct ucred cred;
    socklen_t n = sizeof(cred);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) < 0)
        return false;
    return cred.uid == 0 || cred.uid == geteuid();
}

static void accept_again(void *arg)
{
    struct control *ctl = arg;

    event_add(ctl->acceptable, NULL);
}

static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
    struct control *ctl = arg;
    int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)what;
    if (peer < 0) {
        /* Out of descriptors, most likely: whoever waits goes on waiting, and
         * must not wake us again and again meanwhile. */
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
            event_del(ctl->acceptable);
            timer_set(&ctl->again, ctl->host->control_seat->loop->clock,
                      LIM_HTTP_ACCEPT_MS, accept_again, ctl);
        }
        return;
    }
    if (!peer_allowed(peer)) {
        log_line(LOG_WARN, "control", "refused a peer of another user",
                 LOG_END);
        close(peer);
    } else if (ctl->n >= LIM_CTL_CONNS || !conn_new(ctl, peer)) {
        log_line(LOG_WARN, "control", "too many connections", LOG_END);
        close(peer);
    }
}

/* The lock file is ours: whatever socket is left there belongs to nobody. */
static int bind_path(int fd, const char *path)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    struct stat st;
    mode_t old;
    int rc;

    if (strlen(path) >= sizeof(sa.sun_path))
        return -ENAMETOOLONG;
    memcpy(sa.sun_path, path, strlen(path) + 1);
    if (lstat(path, &st) == 0) {
        if (!S_ISSOCK(st.st_mode))
            return -EEXIST;
        unlink(path);
    }
    old = umask(0177);
    rc = bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ? -errno : 0;
    umask(old);
    if (rc == 0 && listen(fd, 16) < 0)
        rc = -errno;
    return rc;
}

struct control *control_listen(struct host *h, const char *path, char **err)
{
    struct control *ctl = calloc(1, sizeof(*ctl));
    int rc = -ENOMEM;

    if (!ctl)
        return NULL;
    ctl->host = h;
    ctl->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (ctl->fd >= 0) {
        ctl->path = strdup(path);
        rc = bind_path(ctl->fd, path);
    }
    if (rc == 0) {
        ctl->acceptable = event_new(h->control_seat->loop->base, ctl->fd,
                                    EV_READ | EV_PERSIST, on_acceptable, ctl);
        if (ctl->acceptable && event_add(ctl->acceptable, NULL) == 0)
            return ctl;
        rc = -ENOMEM;
    }
    if (asprintf(err,
                 "cannot listen on the control socket %s: %s; set "
                 "server.control_socket to another path",
                 path, strerror(-rc)) < 0)
        *err = NULL;
    control_free(ctl);
    return NULL;
}

struct control *control_serve_fd(struct host *h, int fd)
{
    struct control *ctl = calloc(1, sizeof(*ctl));

    if (!ctl)
        return NULL;
    ctl->host = h;
    ctl->fd = -1;
    if (!conn_new(ctl, fd)) {
        free(ctl);
        return NULL;
    }
    return ctl;
}

void control_free(struct control *c)
{
    if (!c)
        return;
    while (c->conns)
        conn_free(c->conns);
    timer_stop(&c->again);
    if (c->acceptable)
        event_free(c->acceptable);
    if (c->fd >= 0) {
        close(c->fd);
        if (c->path)
            unlink(c->path);
    }
    free(c->path);
    free(c);
}
