/* SPDX-License-Identifier: MIT */
/* Moving bytes between a connection's buffers and its socket. */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "http/server_int.h"

static ssize_t plain_read(struct http_conn *c, char *p, size_t n)
{
    ssize_t got;
    do {
        got = recv(c->fd, p, n, 0);
    } while (got < 0 && errno == EINTR);
    if (got > 0) {
        /* A short read has emptied the socket, and the next bytes bring an
         * edge.  What has come already does not come again: a FIN, of which we
         * know, and a reset, of which libevent does not tell us.  Replying
         * shows a reset, too; only who is going to wait must look again. */
        if ((size_t)got < n && !c->fin) {
            c->can_read = c->edge = false;
            c->unsure = true;
        }
        return got;
    }
    c->can_read = c->edge = c->unsure = false;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return 0;
    if (got == 0)
        c->eof = c->fin = true;
    else
        c->broken = true;
    return -1;
}

bool conn_readable(struct http_conn *c)
{
    if (c->unsure)
        c->can_read = true;
    return c->can_read;
}

ssize_t conn_read(struct http_conn *c, char *p, size_t n)
{
    c->budget--;
    return c->ssl ? tls_read(c, p, n) : plain_read(c, p, n);
}

static ssize_t plain_write(struct http_conn *c, struct iovec *v, int n)
{
    struct msghdr m = {.msg_iov = v, .msg_iovlen = (size_t)n};
    ssize_t put;
    do {
        put = sendmsg(c->fd, &m, MSG_NOSIGNAL);
    } while (put < 0 && errno == EINTR);
    if (put >= 0)
        return put;
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        c->blocked = true;
    else
        c->broken = true;
    return -1;
}

/* Drop what was written from the front of *v; the number of pieces left. */
static int advance(struct iovec **v, int n, size_t put)
{
    while (n && put >= (*v)->iov_len) {
        put -= (*v)->iov_len;
        (*v)++;
        n--;
    }
    if (n) {
        (*v)->iov_base = (char *)(*v)->iov_base + put;
        (*v)->iov_len -= put;
    }
    return n;
}

/* Write until all is out or nothing fits; the pieces left. */
static int put_all(struct http_conn *c, struct iovec **v, int n)
{
    while (n && !c->blocked && !c->broken) {
        ssize_t put = c->ssl ? tls_write(c, *v, n) : plain_write(c, *v, n);
        if (put > 0 && c->write_by)
            conn_write_by(c, c->limits->l.write_ms);
        if (put >= 0)
            n = advance(v, n, (size_t)put);
    }
    return n;
}

/* After writing: give the memory back, or wait for the client, but not for
 * ever. */
static void out_settle(struct http_conn *c)
{
    if (!c->out.n) {
        buf_reset(&c->out, HTTP_KEEP_OUT);
        c->write_by = 0;
    } else if (c->blocked && !c->write_by) {
        conn_write_by(c, c->limits->l.write_ms);
    }
    if (c->broken)
        conn_schedule(c);
}

void conn_keep(struct http_conn *c, pbay_str bytes)
{
    if (buf_add(&c->out, bytes) == 0)
        return;
    log_line(LOG_WARN, "http",
             "broke off a reply: more of it waits than may be kept",
             log_str("peer", c->peer), log_int("bytes", (int64_t)c->out.n),
             LOG_END);
    c->broken = c->reset = true;
}

void conn_flush(struct http_conn *c)
{
    pbay_str out = buf_str(&c->out);
    if (!out.n || c->blocked || c->broken)
        return;
    struct iovec one = {.iov_base = c->out.p + c->out.off, .iov_len = out.n};
    struct iovec *v = &one;
    int left = put_all(c, &v, 1);
    buf_consume(&c->out, left ? out.n - one.iov_len : out.n);
    out_settle(c);
}

void conn_send(struct http_conn *c, struct iovec *v, int n)
{
    struct iovec all[8];
    struct iovec *at = all;
    size_t held = c->out.n;
    int left = n;
    if (c->broken)
        return;
    if (held)
        all[0] = (struct iovec){.iov_base = c->out.p + c->out.off,
                                .iov_len = held};
    memcpy(all + (held ? 1 : 0), v, (size_t)n * sizeof *v);
    left += held ? 1 : 0;
    left = put_all(c, &at, left);
    if (held)
        buf_consume(&c->out, left > n ? held - at->iov_len : held);
    /* What is left of v goes behind what is left of the backlog. */
    for (int i = left > n ? 1 : 0; i < left && !c->broken; i++)
        conn_keep(c, str_n(at[i].iov_base, at[i].iov_len));
    out_settle(c);
}
