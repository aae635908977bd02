/* SPDX-License-Identifier: MIT */
/* claude.so: from a request to the exchange that puts it to the provider. */
#include <string.h>

#include "claude.h"

#define PAGE "/v1/models?limit=1000"

static int equal(pbay_str a, pbay_str b)
{
    return a.n == b.n && (!a.n || memcmp(a.p, b.p, a.n) == 0);
}

static pbay_str find(const pbay_request *req, const char *name)
{
    return pbay_json_find(req->members, req->n_members, name);
}

/* ----------------------------------------------------------------- headers */

static int named(pbay_str name, const char *lower)
{
    size_t n = strlen(lower), k = 0;

    while (k < n && k < name.n && (name.p[k] | 0x20) == (lower[k] | 0x20))
        k++;
    return k == n && name.n == n;
}

/* Names of a client's headers that are ours to set. */
static int ours(pbay_str name)
{
    return named(name, "accept") || named(name, "content-type") ||
           named(name, "anthropic-version") || named(name, "anthropic-beta");
}

/* What names the client's application to OpenRouter is for nobody else. */
static int names_client(pbay_str name)
{
    return named(name, "http-referer") || named(name, "x-title") ||
           named(name, "x-openrouter-title");
}

static pbay_str theirs(const pbay_request *req, const char *name)
{
    for (size_t i = 0; i < req->n_headers; i++)
        if (named(req->headers[i].k, name))
            return req->headers[i].v;
    return (pbay_str){NULL, 0};
}

/* What the instance asks for and what the client asks for. */
static pbay_str betas(struct claude *o, struct call *c, pbay_str more)
{
    char *p;

    if (!o->beta.n || !more.n)
        return o->beta.n ? o->beta : more;
    p = o->host->alloc(c->call, o->beta.n + 1 + more.n);
    if (!p)
        return (pbay_str){NULL, 0};
    memcpy(p, o->beta.p, o->beta.n);
    p[o->beta.n] = ',';
    memcpy(p + o->beta.n + 1, more.p, more.n);
    return (pbay_str){p, o->beta.n + 1 + more.n};
}

static pbay_str accept_of(const pbay_request *req, const pbay_exchange *x)
{
    pbay_str v = theirs(req, "accept");

    if (req->op == PBAY_OP_RAW)
        return v.n ? v : CL("*/*");
    return x->framing == PBAY_FRAME_SSE ? CL("text/event-stream")
                                        : CL("application/json");
}

/* A body of the client's own goes by the version the client wrote it for. */
static pbay_rc headers(struct claude *o, struct call *c,
                       const pbay_request *req, pbay_exchange *x)
{
    int pass = req->op == PBAY_OP_RAW || (req->flags & PBAY_RQ_PASS);
    size_t n = 0, most = pass ? req->n_headers : 0;
    pbay_kv *h = o->host->alloc(c->call, (4 + most) * sizeof *h);
    pbay_str version = o->version, beta = o->beta, v;

    if (!h)
        return PBAY_NOMEM;
    if (pass) {
        v = theirs(req, "anthropic-version");
        version = v.n ? v : version;
        v = theirs(req, "anthropic-beta");
        beta = betas(o, c, v);
        if (!beta.n && (v.n || o->beta.n))
            return PBAY_NOMEM;
    }
    h[n++] = (pbay_kv){CL("Accept"), accept_of(req, x)};
    if (x->n_body || x->flags & PBAY_X_BODY_FOLLOWS)
        h[n++] = (pbay_kv){CL("Content-Type"), req->content_type.n && pass
                                                   ? req->content_type
                                                   : CL("application/json")};
    h[n++] = (pbay_kv){CL("anthropic-version"), version};
    if (beta.n)
        h[n++] = (pbay_kv){CL("anthropic-beta"), beta};
    for (size_t i = 0; i < most; i++)
        if (!ours(req->headers[i].k) &&
            (req->op == PBAY_OP_RAW || !names_client(req->headers[i].k)))
            h[n++] = req->headers[i];
    x->headers = h;
    x->n_headers = n;
    x->auth = o->bearer ? CL("bearer") : CL("header x-api-key");
    return PBAY_OK;
}

/* -------------------------------------------------------------- chat, count */

/* A body in Claude's own dialect: the model's name, and `stream` where host
 * and body differ. */
static pbay_rc edit(struct claude *o, struct call *c, const pbay_request *req,
                    pbay_exchange *x)
{
    int streams = (req->flags & PBAY_RQ_STREAM) != 0;
    void *with[2] = {o, c};
    pbay_out w = {.grow = cl_grow, .arg = with};
    pbay_kv e[2];
    size_t n = 0;
    pbay_str now = pbay_text(o->host, c->call, find(req, "model"));

    if (req->model.n && !equal(now, req->model)) {
        pbay_out_string(&w, req->model);
        if (w.failed)
            return PBAY_NOMEM;
        e[n++] = (pbay_kv){CL("model"), {w.p, w.n}};
    }
    if (req->op == PBAY_OP_CHAT &&
        streams != pbay_json_true(find(req, "stream")))
        e[n++] = (pbay_kv){CL("stream"), streams ? CL("true") : CL("false")};
    return pbay_edit(o->host, c->call, req->body, req->members, req->n_members,
                     e, n, &x->body, &x->n_body);
}

static pbay_rc build_message(struct claude *o, struct call *c,
                             const pbay_request *req, pbay_exchange *x)
{
    int streams = req->op == PBAY_OP_CHAT && (req->flags & PBAY_RQ_STREAM);

    x->method = CL("POST");
    x->path = req->op == PBAY_OP_COUNT ? CL("/v1/messages/count_tokens")
                                       : CL("/v1/messages");
    x->framing = streams ? PBAY_FRAME_SSE : PBAY_FRAME_WHOLE;
    if (req->op == PBAY_OP_COUNT)
        x->flags |= PBAY_X_IDEMPOTENT;
    if (!(req->flags & PBAY_RQ_PASS))
        return cl_request(o, c, req, &x->body, &x->n_body);
    x->flags |= PBAY_X_REPLY_PASS;
    return edit(o, c, req, x);
}

/* ------------------------------------------------------------------- models */

static int path_byte(unsigned char b)
{
    return (b >= '0' && b <= '9') || (b >= 'A' && b <= 'Z') ||
           (b >= 'a' && b <= 'z') || (b && strchr("-._~", b));
}

/* `prefix` and then `text` with what does not belong into a path escaped. */
static pbay_str path_with(struct claude *o, struct call *c, const char *prefix,
                          pbay_str text)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t n = strlen(prefix);
    char *p = o->host->alloc(c->call, n + 3 * text.n + 1);

    if (!p)
        return (pbay_str){NULL, 0};
    memcpy(p, prefix, n);
    for (size_t i = 0; i < text.n; i++) {
        unsigned char b = (unsigned char)text.p[i];
        if (path_byte(b)) {
            p[n++] = (char)b;
        } else {
            p[n++] = '%';
            p[n++] = hex[b >> 4];
            p[n++] = hex[b & 15];
        }
    }
    return (pbay_str){p, n};
}

static pbay_rc get(pbay_exchange *x, pbay_str path)
{
    x->method = CL("GET");
    x->path = path;
    x->framing = PBAY_FRAME_WHOLE;
    x->flags |= PBAY_X_IDEMPOTENT;
    return path.n ? PBAY_OK : PBAY_NOMEM;
}

/* The list comes by pages; c->after is the last model of the page before.  Of
 * that page nothing else is left: its memory went with it. */
static pbay_rc build_list(struct claude *o, struct call *c,
                          const pbay_request *req, pbay_exchange *x)
{
    pbay_str after = {c->after, c->after_n};

    c->search = pbay_text(o->host, c->call, find(req, "search"));
    c->more = 0;
    return get(x,
               after.n ? path_with(o, c, PAGE "&after_id=", after) : CL(PAGE));
}

static pbay_rc build_show(struct claude *o, struct call *c,
                          const pbay_request *req, pbay_exchange *x)
{
    pbay_str model = req->model;

    if (!model.n)
        model = pbay_text(o->host, c->call, find(req, "model"));
    if (!model.n) {
        c->failed = 1;
        return pbay_fail(o->host, c->call, PBAY_E_INVALID, "model",
                         "which model?");
    }
    return get(x, path_with(o, c, "/v1/models/", model));
}

/* --------------------------------------------------------------------- raw */

/* Does a path stay under the base URL?  No way up, however it is written. */
static int path_stays(pbay_str path)
{
    size_t dots = 0, others = 0;

    if (!path.n || path.p[0] != '/')
        return 0;
    for (size_t i = 1; i <= path.n; i++) {
        if (i == path.n || path.p[i] == '/' || path.p[i] == '\\') {
            if ((dots == 1 || dots == 2) && !others)
                return 0;
            dots = others = 0;
        } else if (path.p[i] == '.') {
            dots++;
        } else if (path.n - i >= 3 && path.p[i] == '%' &&
                   path.p[i + 1] == '2' && (path.p[i + 2] | 0x20) == 'e') {
            dots++;
            i += 2;
        } else if (path.p[i] == '?' || path.p[i] == '#') {
            return 0;
        } else {
            others++;
        }
    }
    return 1;
}

static pbay_rc raw_path(struct claude *o, struct call *c,
                        const pbay_request *req, pbay_exchange *x)
{
    char *p;

    x->path = req->path;
    if (!req->query.n)
        return PBAY_OK;
    p = o->host->alloc(c->call, req->path.n + 1 + req->query.n);
    if (!p)
        return PBAY_NOMEM;
    memcpy(p, req->path.p, req->path.n);
    p[req->path.n] = '?';
    memcpy(p + req->path.n + 1, req->query.p, req->query.n);
    x->path = (pbay_str){p, req->path.n + 1 + req->query.n};
    return PBAY_OK;
}

static pbay_rc build_raw(struct claude *o, struct call *c,
                         const pbay_request *req, pbay_exchange *x)
{
    pbay_str *body;

    if (!path_stays(req->path)) {
        c->failed = 1;
        return pbay_fail(o->host, c->call, PBAY_E_INVALID, "path",
                         "the path must start with / and stay below the base "
                         "URL");
    }
    x->method = req->method;
    x->framing = PBAY_FRAME_RAW;
    x->flags |= PBAY_X_REPLY_PASS;
    if (req->flags & PBAY_RQ_BODY_FOLLOWS)
        x->flags |= PBAY_X_BODY_FOLLOWS;
    if (equal(req->method, CL("GET")) || equal(req->method, CL("HEAD")))
        x->flags |= PBAY_X_IDEMPOTENT;
    if (req->body.n) {
        body = o->host->alloc(c->call, sizeof *body);
        if (!body)
            return PBAY_NOMEM;
        *body = req->body;
        x->body = body;
        x->n_body = 1;
    }
    return raw_path(o, c, req, x);
}

pbay_rc cl_build(struct claude *o, struct call *c, const pbay_request *req,
                 pbay_exchange *x)
{
    pbay_rc rc;

    c->op = req->op;
    c->want = req->want;
    c->flags = req->flags;
    switch (req->op) {
    case PBAY_OP_CHAT:
    case PBAY_OP_COUNT:
        rc = build_message(o, c, req, x);
        break;
    case PBAY_OP_LIST:
        rc = build_list(o, c, req, x);
        break;
    case PBAY_OP_SHOW:
        rc = build_show(o, c, req, x);
        break;
    case PBAY_OP_HEALTH:
        rc = get(x, CL("/v1/models?limit=1"));
        break;
    case PBAY_OP_RAW:
        rc = build_raw(o, c, req, x);
        break;
    default:
        return PBAY_NOSYS;
    }
    return rc == PBAY_OK ? headers(o, c, req, x) : rc;
}
