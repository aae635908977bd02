/* SPDX-License-Identifier: MIT */
/* The client's side of the control protocol. */
#include "config.h"

#include "cli/client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/str.h"
#include "cli/exit.h"
#include "cli/signals.h"

enum {
    READ_AT_ONCE = 65536,
    LINE_DEPTH = 160 /* items bring the nesting of providers' JSON along */
};

struct client {
    int fd;
    bool broken;
    struct buf in;
    size_t looked; /* bytes of `in` known to hold no line feed */
    struct json_object *line;
};

void client_error_set(struct client_error *e, int status, const char *fmt, ...)
{
    va_list ap;

    e->status = status;
    e->kind[0] = '\0';
    va_start(ap, fmt);
    vsnprintf(e->text, sizeof(e->text), fmt, ap);
    va_end(ap);
}

static int fail_signal(struct client_error *e)
{
    client_error_set(e, EXIT_SIGNAL + signals_got(), "%s", "");
    return -1;
}

static int fail_broken(struct client *c, struct client_error *e,
                       const char *why)
{
    c->broken = true;
    client_error_set(e, EXIT_FAILED, "control connection: %s", why);
    return -1;
}

struct client *client_on_fd(int fd)
{
    struct client *c = calloc(1, sizeof(*c));

    if (!c) {
        close(fd);
        return NULL;
    }
    c->fd = fd;
    /* A line, its end, and the beginning of the next. */
    buf_init(&c->in, LIM_CTL_LINE + READ_AT_ONCE);
    return c;
}

void client_free(struct client *c)
{
    if (!c)
        return;
    close(c->fd);
    buf_done(&c->in);
    json_object_put(c->line);
    free(c);
}

bool client_broken(const struct client *c)
{
    return c->broken;
}

/* --- connecting --- */

/* Prompts go only to a host of root's or of our own; root may ask anybody's. */
static bool peer_trusted(int fd, const char *path, struct client_error *e)
{
    struct ucred peer;
    socklen_t n = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n)) {
        client_error_set(e, EXIT_NO_HOST, "%s: who listens there: %s", path,
                         strerror(errno));
        return false;
    }
    if (geteuid() == 0 || peer.uid == 0 || peer.uid == geteuid())
        return true;
    client_error_set(e, EXIT_NO_HOST,
                     "%s: the host there belongs to user %lu, neither to you "
                     "nor to root; run this as that user, or use --no-host",
                     path, (unsigned long)peer.uid);
    return false;
}

static int connect_unix(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd;

    if (strlen(path) >= sizeof(a.sun_path))
        return -ENAMETOOLONG;
    strcpy(a.sun_path, path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&a, sizeof(a))) {
        int rc = -errno;
        close(fd);
        return rc;
    }
    return fd;
}

struct client *client_connect(const char *path, bool *absent,
                              struct client_error *e)
{
    int fd = connect_unix(path);
    bool nobody = fd == -ENOENT || fd == -ECONNREFUSED || fd == -ENOTDIR;
    struct client *c;

    /* A host that is not for us is none. */
    *absent = nobody || fd == -EACCES || fd == -EPERM;
    if (fd < 0) {
        if (nobody)
            client_error_set(e, EXIT_NO_HOST,
                             "no host is running (nothing answers at %s); "
                             "start one with `patchbay serve`",
                             path);
        else
            client_error_set(e, EXIT_NO_HOST,
                             "%s: %s; --control PATH names another socket, "
                             "--no-host does without",
                             path, strerror(-fd));
        return NULL;
    }
    if (!peer_trusted(fd, path, e)) {
        close(fd);
        return NULL;
    }
    c = client_on_fd(fd);
    if (!c)
        client_error_set(e, EXIT_FAILED, "out of memory");
    return c;
}

/* --- sending --- */

static int send_all(struct client *c, pbay_str s, struct client_error *e)
{
    while (s.n) {
        ssize_t n = send(c->fd, s.p, s.n, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR && signals_got()) {
            c->broken = true; /* half a line is out */
            return fail_signal(e);
        }
        if (n < 0 && errno != EINTR)
            return fail_broken(c, e, strerror(errno));
        if (n > 0) {
            s.p += n;
            s.n -= (size_t)n;
        }
    }
    return 0;
}

int client_send(struct client *c, const char *verb, pbay_str args,
                struct client_error *e)
{
    struct buf b;
    int rc;

    buf_init(&b, LIM_CTL_LINE);
    rc = buf_printf(&b, "{\"v\":1,\"verb\":\"%s\",\"args\":", verb);
    if (!rc)
        rc = buf_add(&b, args.n ? args : STR("{}"));
    if (!rc)
        rc = buf_addc(&b, "}\n");
    if (rc == -EMSGSIZE) {
        client_error_set(e, EXIT_REFUSED,
                         "the request has more than %zu MiB; send less text "
                         "or smaller images",
                         LIM_CTL_LINE >> 20);
        rc = -1;
    } else if (rc) {
        client_error_set(e, EXIT_FAILED, "out of memory");
        rc = -1;
    } else {
        rc = send_all(c, buf_str(&b), e);
    }
    buf_done(&b);
    return rc;
}

/* --- receiving --- */

/* More bytes.  1: some came; 0: time is over; -1: *e. */
static int read_more(struct client *c, int timeout_ms, struct client_error *e)
{
    int rc = signals_wait_read(c->fd, timeout_ms);
    char *p;
    ssize_t n;

    if (rc == -EINTR)
        return fail_signal(e);
    if (rc < 0)
        return fail_broken(c, e, strerror(-rc));
    if (rc == 0)
        return 0;
    p = buf_space(&c->in, READ_AT_ONCE);
    if (!p)
        return fail_broken(c, e, "out of memory");
    n = recv(c->fd, p, READ_AT_ONCE, MSG_DONTWAIT);
    if (n > 0) {
        buf_grew(&c->in, (size_t)n);
        return 1;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 1;
    return fail_broken(c, e,
                       n ? strerror(errno)
                         : "the host ended before its answer was complete");
}

/* A whole line at the front of c->in.  1: *n is its length with the line feed;
 * 0, -1: as read_more(). */
static int whole_line(struct client *c, int timeout_ms, size_t *n,
                      struct client_error *e)
{
    for (;;) {
        pbay_str s = buf_str(&c->in);
        const char *end = s.n > c->looked
                              ? memchr(s.p + c->looked, '\n', s.n - c->looked)
                              : NULL;
        int rc;

        if (end) {
            *n = (size_t)(end - s.p) + 1;
            return 1;
        }
        c->looked = s.n;
        if (s.n > LIM_CTL_LINE)
            return fail_broken(c, e, "a line of the host is too long");
        rc = read_more(c, timeout_ms, e);
        if (rc <= 0)
            return rc;
    }
}

/* Take a line off the front and parse it into c->line. */
static int next_line(struct client *c, int timeout_ms, struct client_error *e)
{
    size_t n;
    int rc = whole_line(c, timeout_ms, &n, e);

    if (rc <= 0)
        return rc;
    json_object_put(c->line);
    c->line = NULL;
    rc = js_parse(str_n(buf_str(&c->in).p, n - 1), LINE_DEPTH, &c->line, NULL);
    buf_consume(&c->in, n);
    c->looked = 0;
    if (rc == -ENOMEM)
        return fail_broken(c, e, "out of memory");
    if (rc || !json_object_is_type(c->line, json_type_object))
        return fail_broken(c, e, "the host sent a line that is no JSON object");
    return 1;
}

static void take_error(struct json_object *err, struct client_error *e)
{
    const char *kind = js_cstr(err, "kind", "");
    const char *text = js_cstr(err, "message", NULL);

    client_error_set(e, exit_for_kind(kind), "%s",
                     text && *text ? text
                                   : "the host failed without saying why");
    snprintf(e->kind, sizeof(e->kind), "%s", kind);
}

static int take_line(struct client *c, struct json_object **line,
                     struct client_error *e)
{
    if (js_typed(c->line, "event", json_type_string)) {
        *line = c->line;
        return 1;
    }
    if (!js_typed(c->line, "ok", json_type_boolean))
        return fail_broken(c, e,
                           "a line of the host is neither an event nor "
                           "an end");
    if (js_bool(c->line, "ok", false)) {
        *line = js_get(c->line, "result");
        return 0;
    }
    take_error(js_get(c->line, "error"), e);
    return -1;
}

int client_wait(struct client *c, int timeout_ms, struct client_error *e)
{
    size_t n;

    return whole_line(c, timeout_ms, &n, e);
}

int client_next(struct client *c, struct json_object **line,
                struct client_error *e)
{
    *line = NULL;
    if (next_line(c, -1, e) < 0)
        return -1;
    return take_line(c, line, e);
}

int client_ask(struct client *c, const char *verb, pbay_str args,
               struct json_object **result, struct client_error *e)
{
    struct json_object *line;
    int rc;

    if (client_send(c, verb, args, e))
        return -1;
    while ((rc = client_next(c, &line, e)) > 0)
        ;
    *result = rc ? NULL : line;
    return rc;
}

int client_cancel(struct client *c)
{
    int64_t until = clock_us() / 1000 + LIM_CLI_CANCEL_MS;
    struct client_error e;
    int ends = 0;

    if (c->broken || client_send(c, "cancel", STR("{}"), &e))
        return -1;
    /* The call's last line, then the one of cancel itself. */
    while (ends < 2) {
        int64_t left = until - clock_us() / 1000;
        struct json_object *line;

        if (left <= 0 || next_line(c, (int)left, &e) <= 0)
            break;
        if (take_line(c, &line, &e) <= 0)
            ends++;
        if (c->broken)
            break;
    }
    c->broken = ends < 2;
    return c->broken ? -1 : 0;
}
