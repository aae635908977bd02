/* SPDX-License-Identifier: MIT */
/* The raw door: one request up, one reply down. */
#include "dialect/raw.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "dialect/openai.h"
#include "dialect/raw_path.h"
#include "dialect/spool.h"

/* In the place of a chat's rendering, which a raw call has not: freed when the
 * request is over. */
struct upload {
    struct dialog *x;
    struct spool spool;
    const char *instance;
    pbay_str path;
    bool refused;
};

static void upload_free(void *r)
{
    struct upload *u = r;

    spool_done(&u->spool);
}

static const struct chat_form raw_form = {
    .error_json = oa_error_json,
    .render_free = upload_free,
};

/* --- the reply ----------------------------------------------------------- */

/* The provider's own id of the request: ours has that name here. */
static const char *shown_as(pbay_str name)
{
    if (str_is(name, "x-request-id") || str_is(name, "request-id"))
        return "x-upstream-request-id";
    return name.p;
}

static void raw_begin(void *arg, const struct call_head *h,
                      const struct call_report *r)
{
    struct dialog *x = arg;

    dl_route_headers(x, r);
    for (size_t i = 0; i < h->n_headers; i++)
        dl_add_header(x, shown_as(h->headers[i].k), h->headers[i].v);
    dl_add_header(x, "content-type", h->content_type);
    /* A page of the provider's must not run as one of this host's. */
    dl_add_header(x, "x-content-type-options", STR("nosniff"));
    dl_add_header(x, "content-security-policy", STR("sandbox"));
    x->error_body = h->error_body;
    http_reply_begin(x->req, h->status, x->headers, x->n_headers);
    x->head_sent = true;
}

static void raw_bytes(void *arg, pbay_str raw)
{
    dl_write(arg, raw);
}

static void raw_event(void *arg, const pbay_event *ev)
{
    (void)arg;
    (void)ev; /* what there is to show comes as bytes */
}

static void raw_end(void *arg, const struct err *e, const struct call_report *r)
{
    struct dialog *x = arg;
    struct err moved;

    x->call = NULL;
    if (x->head_sent && (!e || x->error_body)) {
        http_reply_end(x->req);
        return;
    }
    if (x->head_sent) {
        http_reply_abort(x->req);
        return;
    }
    if (e && e->upstream_status >= 300 && e->upstream_status < 400) {
        err_clear(&moved);
        err_set(&moved, PBAY_E_UPSTREAM,
                "%s answers with a redirect (%d); it is not followed, since "
                "that could take the credentials elsewhere",
                r->provider, e->upstream_status);
        e = &moved;
    }
    x->n_headers = 0;
    dl_route_headers(x, r);
    dl_error(x, e);
}

static const struct call_sink raw_sink = {raw_begin, raw_bytes, raw_event,
                                          raw_end};

/* --- the request --------------------------------------------------------- */

/* Names in lower case, which is how plugins look for them. */
static pbay_str lower(struct dialog *x, pbay_str name)
{
    char *p = arena_bytes(&x->req->arena, name.n);

    for (size_t i = 0; p && i < name.n; i++) {
        char c = name.p[i];
        p[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    return p ? str_n(p, name.n) : STR_NONE;
}

static pbay_str without_tabs(struct dialog *x, pbay_str v)
{
    char *p = v.n ? arena_bytes(&x->req->arena, v.n) : NULL;

    if (!p)
        return STR("");
    for (size_t i = 0; i < v.n; i++)
        p[i] = v.p[i] == '\t' ? ' ' : v.p[i];
    return str_n(p, v.n);
}

/* The configuration's own headers stand alone. */
static bool configured(const struct instance *in, pbay_str name)
{
    for (size_t i = 0; i < in->cfg->n_headers; i++)
        if (str_ieq(in->cfg->headers[i].k, name))
            return true;
    return false;
}

static int take_headers(struct dialog *x, const struct instance *in,
                        struct call_request *r)
{
    const struct http_head *h = x->req->head;
    pbay_str connection = http_header(h, "connection");
    pbay_kv *v = arena_alloc(&x->req->arena, (h->n_headers + 1) * sizeof(*v));

    if (!v)
        return -1;
    for (size_t i = 0; i < h->n_headers; i++) {
        if (raw_drops(h->headers[i].k, connection) ||
            configured(in, h->headers[i].k))
            continue;
        v[r->n_headers] = (pbay_kv){lower(x, h->headers[i].k),
                                    without_tabs(x, h->headers[i].v)};
        if (!v[r->n_headers++].k.p)
            return -1;
    }
    r->headers = v;
    r->content_type = without_tabs(x, http_header(h, "content-type"));
    return 0;
}

static void fail(struct dialog *x, int kind, const char *why)
{
    struct err e;

    err_clear(&e);
    err_set(&e, kind, "%s", why);
    dl_error(x, &e);
}

static void send_up(struct upload *u)
{
    struct dialog *x = u->x;
    const struct snapshot *s = x->d->manager->current;
    const struct instance *in = s ? snapshot_find(s, str_c(u->instance)) : NULL;
    struct call_request r = {
        .op = PBAY_OP_RAW,
        .stream = true,
        .id = str_c(x->id),
        .key_name = x->key_name,
        .method = x->req->head->method,
        .path = u->path,
        .query = x->req->head->query,
    };
    struct err e;

    if (!in) { /* gone with a reload, while the body came */
        fail(x, ERR_UNAVAILABLE, "the provider is no longer set up");
        return;
    }
    r.instance = in->name;
    if (take_headers(x, in, &r) < 0 || spool_body(&u->spool, &r.body) < 0) {
        fail(x, ERR_INTERNAL, "out of memory");
        return;
    }
    x->call = call_start(x->d->manager, &r, &raw_sink, x, &e);
    if (!x->call)
        dl_error(x, &e);
}

/* --- the body ------------------------------------------------------------ */

static void refuse_upload(struct upload *u, int rc)
{
    struct err e;

    u->refused = true;
    err_clear(&e);
    if (rc == -EMSGSIZE) {
        err_set(&e, ERR_BODY_TOO_LARGE,
                "the body is larger than server.max_upload, %zu bytes",
                u->spool.max);
    } else if (rc == -EDQUOT) {
        err_set(&e, ERR_UNAVAILABLE,
                "the uploads under way fill server.max_spool; try again");
        e.retry_after_ms = 5000;
    } else {
        log_line(LOG_ERROR, "raw", "an upload could not be kept",
                 log_cstr("why", strerror(-rc)), log_cstr("id", u->x->id),
                 LOG_END);
        err_set(&e, ERR_UNAVAILABLE, "the upload could not be kept here");
    }
    spool_done(&u->spool);
    dl_error(u->x, &e);
}

static void on_piece(struct http_req *req, pbay_str piece)
{
    struct dialog *x = req->user;
    struct upload *u = x->render;
    int rc;

    if (u->refused)
        return;
    rc = spool_add(&u->spool, piece);
    if (rc < 0)
        refuse_upload(u, rc);
}

static void on_whole(struct http_req *req, pbay_str body)
{
    struct dialog *x = req->user;
    struct upload *u = x->render;

    (void)body;
    if (!u->refused)
        send_up(u);
}

/* --- the door ------------------------------------------------------------ */

static const struct instance *find(struct dialog *x, struct upload *u,
                                   pbay_str path, struct err *e)
{
    const struct snapshot *s = x->d->manager->current;
    const struct instance *in;
    const char *why = NULL;
    pbay_str name;

    if (raw_path(path, &x->req->arena, &name, &u->path, &why) < 0) {
        dl_bad(e, "path", "invalid_path", "%s", why);
        return NULL;
    }
    if (!raw_query_ok(x->req->head->query)) {
        dl_bad(e, "query", "invalid_query",
               "the query holds bytes that belong into no URL");
        return NULL;
    }
    in = snapshot_find(s, name);
    if (!in)
        err_set(e, ERR_NO_ROUTE, "there is no provider \"%.*s\" behind /raw/",
                STR_ARG(name));
    else if (!(in->ops & PBAY_OP_BIT(PBAY_OP_RAW)))
        err_set(e, ERR_NOT_SUPPORTED, "provider %s has no raw door", in->name);
    else
        return in;
    return NULL;
}

void raw_open(struct dialog *x, pbay_str path)
{
    const struct config *cfg = x->d->manager->current->cfg;
    struct upload *u = arena_alloc(&x->req->arena, sizeof(*u));
    const struct http_head *h = x->req->head;
    const struct instance *in;
    pbay_str name, dir;
    struct err e;

    err_clear(&e);
    x->form = &raw_form;
    if (!u) {
        fail(x, ERR_INTERNAL, "out of memory");
        return;
    }
    in = find(x, u, path, &e);
    if (!in) {
        dl_error(x, &e);
        return;
    }
    /* Copies: the body may be complete when this configuration is gone. */
    name = arena_dup(&x->req->arena, str_c(in->name));
    dir = arena_dup(&x->req->arena, str_c(cfg->state_dir));
    u->x = x;
    u->instance = name.p;
    spool_init(&u->spool, dir.p, cfg->max_upload, cfg->max_spool);
    x->render = u;
    if (!name.p)
        fail(x, ERR_INTERNAL, "out of memory");
    else if (h->has_length && h->length > cfg->max_upload)
        refuse_upload(u, -EMSGSIZE);
    else if (!h->chunked && !h->length)
        send_up(u);
    else {
        x->req->on_data = on_piece;
        x->req->on_body = on_whole;
        /* The spool ends it first, with an error that says what to change. */
        http_req_take_upload(x->req, (uint64_t)cfg->max_upload + LIM_MIB(1));
    }
}

static void handle(struct dialog *x)
{
    raw_open(x, x->req->head->path);
}

const struct dl_route raw_routes[] = {
    {.method = "*",
     .path = "/raw/",
     .op = PBAY_OP_RAW,
     .right = RIGHT_RAW,
     .form = &raw_form,
     .handle = handle},
    {.method = NULL},
};
