/* SPDX-License-Identifier: MIT */
/* HTTP requests by the control socket: many under way on one connection, each
 * as if a client with all rights had sent it to a listener. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/control_int.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/str.h"
#include "http/inner.h"

#define AT_ONCE 64

/* One of them. */
struct ctl_http {
    struct ctl_http *next;
    struct ctl_session *session;
    int64_t n; /* as the client calls it */
    struct http_inner *inner;
    struct dialect_inside inside;
};

struct ctl_session {
    struct ctl_conn *conn;
    struct dialect dialect;
    struct ctl_http *all;
    size_t active;
    bool ending;
};

static void begin_event(struct buf *b, const struct ctl_http *h,
                        const char *name)
{
    buf_init(b, LIM_CTL_LINE);
    buf_printf(b, "{\"event\":\"%s\",\"n\":%lld", name, (long long)h->n);
}

static void send_event(struct ctl_http *h, struct buf *b)
{
    if (buf_addc(b, "}") == 0)
        ctl_send(h->session->conn, buf_str(b));
    buf_done(b);
}

/* --- what comes of one --------------------------------------------------- */

static void on_head(void *arg, int status, const pbay_kv *headers, size_t n)
{
    struct ctl_http *h = arg;
    struct buf b;

    begin_event(&b, h, "head");
    buf_printf(&b, ",\"status\":%d,\"headers\":{", status);
    for (size_t i = 0; i < n; i++) {
        buf_addc(&b, i ? "," : "");
        buf_json(&b, headers[i].k);
        buf_addc(&b, ":");
        buf_json(&b, headers[i].v);
    }
    buf_addc(&b, "}");
    send_event(h, &b);
}

static size_t on_data(void *arg, pbay_str bytes)
{
    struct ctl_http *h = arg;
    struct buf b;

    if (bytes.n) {
        begin_event(&b, h, "data");
        buf_addc(&b, ",\"text\":");
        buf_json(&b, bytes);
        send_event(h, &b);
    }
    return h->session->conn->out.n;
}

static void end_session(struct ctl_session *s)
{
    struct ctl_conn *c = s->conn;

    c->session = NULL;
    free(s);
    ctl_ok(c, STR_NONE);
}

static void on_end(void *arg, bool whole)
{
    struct ctl_http *h = arg, **at = &h->session->all;
    struct ctl_session *s = h->session;
    struct buf b;

    begin_event(&b, h, "over");
    buf_printf(&b, ",\"whole\":%s,\"report\":", whole ? "true" : "false");
    if (h->inside.reported)
        ctl_put_report(&b, &h->inside.report);
    else
        buf_addc(&b, "null");
    send_event(h, &b);
    while (*at != h)
        at = &(*at)->next;
    *at = h->next;
    free(h);
    if (--s->active == 0 && s->ending)
        end_session(s);
}

static const struct http_inner_sink sink = {on_head, on_data, on_end};

/* --- the session --------------------------------------------------------- */

void ctl_session_start(struct ctl_conn *c, struct json_object *args)
{
    (void)args;
    c->session = calloc(1, sizeof(*c->session));
    if (!c->session) {
        ctl_fail(c, ERR_INTERNAL, "out of memory");
        return;
    }
    c->session->conn = c;
    c->session->dialect.manager = &c->host->control_seat->manager;
}

void ctl_session_drop(struct ctl_conn *c)
{
    struct ctl_session *s = c->session;

    c->session = NULL;
    while (s && s->all) {
        struct ctl_http *h = s->all;
        s->all = h->next;
        http_inner_free(h->inner);
        free(h);
    }
    free(s);
}

void ctl_session_drained(struct ctl_conn *c)
{
    for (struct ctl_http *h = c->session->all; h; h = h->next)
        http_inner_drained(h->inner);
}

/* A request that cannot be made is told as one that was refused. */
static void refuse(struct ctl_session *s, int64_t n, const char *why)
{
    struct ctl_http h = {.session = s, .n = n};
    struct buf b;

    on_head(&h, 400, NULL, 0);
    begin_event(&b, &h, "data");
    buf_addc(&b, ",\"text\":");
    buf_json(&b, str_c(why));
    send_event(&h, &b);
    begin_event(&b, &h, "over");
    buf_addc(&b, ",\"whole\":true,\"report\":null");
    send_event(&h, &b);
}

static void add(struct ctl_session *s, struct json_object *args)
{
    static const pbay_kv type = {PBAY_LIT("content-type"),
                                 PBAY_LIT("application/json")};
    struct json_object *body = js_get(args, "body");
    struct http_inner_request r = {.method =
                                       js_str(args, "method", STR("POST")),
                                   .target = js_str(args, "path", STR("")),
                                   .headers = &type,
                                   .n_headers = 1,
                                   .body = body ? js_text(body) : STR("")};
    int64_t n = js_int(args, "n", -1);
    const char *why = "more requests at once than a connection takes";
    struct ctl_http *h = s->active < AT_ONCE ? calloc(1, sizeof(*h)) : NULL;

    if (!h) {
        refuse(s, n, why);
        return;
    }
    h->session = s;
    h->n = n;
    h->inside.rights = RIGHT_ALL;
    h->inside.key_name = STR("control");
    r.owner = &h->inside;
    h->inner =
        http_inner_start(s->conn->host->control_seat->loop, dialect_handle,
                         &s->dialect, &r, &sink, h, &why);
    if (!h->inner) {
        refuse(s, n, why);
        free(h);
        return;
    }
    h->next = s->all;
    s->all = h;
    s->active++;
}

bool ctl_session_line(struct ctl_conn *c, const char *verb,
                      struct json_object *args)
{
    struct ctl_session *s = c->session;

    if (!s || s->ending)
        return false;
    if (!strcmp(verb, "request")) {
        add(s, args);
    } else if (!strcmp(verb, "end")) {
        s->ending = true;
        if (!s->active)
            end_session(s);
    } else {
        return false;
    }
    return true;
}
