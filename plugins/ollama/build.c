/* SPDX-License-Identifier: MIT */
/* ollama.so: from a request to the exchange that puts it to the server. */
#include <string.h>

#include "ollama.h"

static int equal(pbay_str a, pbay_str b)
{
    return a.n == b.n && (!a.n || memcmp(a.p, b.p, a.n) == 0);
}

static pbay_str find(const pbay_request *req, const char *name)
{
    return pbay_json_find(req->members, req->n_members, name);
}

static pbay_rc take_body(struct body *b, pbay_exchange *x, pbay_rc rc)
{
    if (rc != PBAY_OK)
        return rc;
    if (b->failed)
        return PBAY_NOMEM;
    x->body = b->v;
    x->n_body = b->n;
    return PBAY_OK;
}

/* --------------------------------------------------------------------- chat */

/* What the model will run with, which bounds what it can be given. */
static void running_ctx(const struct ollama *o, struct call *c,
                        const pbay_request *req)
{
    c->num_ctx = o->num_ctx;
    pbay_json_i64(pbay_json_get(req->model_config, "num_ctx"), &c->num_ctx);
}

/* The client's own body; the model's name changed where it differs, and
 * `stream` where the host wants it otherwise. */
static pbay_rc build_pass(struct ollama *o, struct call *c,
                          const pbay_request *req, pbay_exchange *x)
{
    void *with[2] = {o, c};
    pbay_out w = {.grow = ol_grow, .arg = with};
    pbay_kv edits[2];
    size_t n = 0;
    pbay_str stream = find(req, "stream"), model = find(req, "model");
    int streams = (req->flags & PBAY_RQ_STREAM) != 0;
    pbay_str text = pbay_text(o->host, c->call, model);

    if (req->model.n && !(text.p && equal(text, req->model))) {
        pbay_out_string(&w, req->model);
        if (w.failed)
            return PBAY_NOMEM;
        edits[n++] = (pbay_kv){OL("model"), {w.p, w.n}};
    }
    /* Without the member Ollama streams. */
    if (streams != (ol_absent(stream) || pbay_json_true(stream)))
        edits[n++] =
            (pbay_kv){OL("stream"), streams ? OL("true") : OL("false")};
    x->flags |= PBAY_X_REPLY_PASS;
    return pbay_edit(o->host, c->call, req->body, req->members, req->n_members,
                     edits, n, &x->body, &x->n_body);
}

static pbay_rc build_chat(struct ollama *o, struct call *c,
                          const pbay_request *req, pbay_exchange *x)
{
    struct body b = {.o = o, .c = c};

    x->method = OL("POST");
    x->path = OL("/api/chat");
    x->framing =
        req->flags & PBAY_RQ_STREAM ? PBAY_FRAME_NDJSON : PBAY_FRAME_WHOLE;
    if (req->flags & PBAY_RQ_PASS)
        return build_pass(o, c, req, x);
    return take_body(&b, x, ol_chat_body(o, c, req, &b));
}

/* --------------------------------------------------------------- embeddings */

static pbay_rc embed_body(struct ollama *o, struct call *c,
                          const pbay_request *req, struct body *b)
{
    pbay_str input = find(req, "input"), item, n = find(req, "dimensions");
    char type = pbay_json_type(input);
    size_t pos = 0;

    while (type == 'a' && pbay_json_next(input, &pos, NULL, &item))
        if (pbay_json_type(item) != 's')
            type = 0;
    if (type != 's' && type != 'a')
        return ol_invalid(o, c, "input",
                          "it must be a string or a list of strings; Ollama "
                          "does not take tokens");
    ol_open(b, "{");
    ol_key(b, "model");
    ol_string(b, req->model);
    ol_key(b, "input");
    ol_value(b, input);
    if (!ol_absent(n)) {
        ol_key(b, "dimensions");
        ol_value(b, n);
    }
    if (o->no_truncate) {
        ol_key(b, "truncate");
        ol_value(b, OL("false"));
    }
    return PBAY_OK;
}

static pbay_rc build_embed(struct ollama *o, struct call *c,
                           const pbay_request *req, pbay_exchange *x)
{
    /* encoding_format concerns who writes the answer, which is the host. */
    static const char *const known[] = {"model",           "input",
                                        "dimensions",      "options",
                                        "encoding_format", "keep_alive"};
    struct body b = {.o = o, .c = c};
    char name[OL_NAME];
    pbay_rc rc = embed_body(o, c, req, &b);

    for (size_t i = 0; rc == PBAY_OK && i < req->n_members; i++) {
        const pbay_kv *m = &req->members[i];
        size_t k = 0;
        while (k < sizeof known / sizeof *known &&
               !equal(m->k, (pbay_str){known[k], strlen(known[k])}))
            k++;
        if (k < sizeof known / sizeof *known || ol_absent(m->v))
            continue;
        if (equal(m->k, OL("user")))
            rc = ol_warn(o, c, "user",
                         "dropped: Ollama keeps no record of users");
        else
            rc = ol_unsupported(o, c, ol_name(m->k, name),
                                "has no such field for embeddings");
    }
    if (rc == PBAY_OK)
        rc = ol_options(&b, req);
    ol_close(&b, "}");
    x->method = OL("POST");
    x->path = OL("/api/embed");
    x->flags |= PBAY_X_IDEMPOTENT;
    return take_body(&b, x, rc);
}

/* ------------------------------------------------------------------- models */

static pbay_rc get(pbay_exchange *x, pbay_str path)
{
    x->method = OL("GET");
    x->path = path;
    x->flags |= PBAY_X_IDEMPOTENT;
    return PBAY_OK;
}

/* {"model": name} and nothing else but the member that is named. */
static pbay_rc named(struct ollama *o, struct call *c, pbay_str model,
                     const char *more, pbay_exchange *x)
{
    struct body b = {.o = o, .c = c};

    ol_open(&b, "{");
    ol_key(&b, "model");
    ol_string(&b, model);
    if (more) {
        ol_key(&b, more);
        ol_value(&b, OL("true"));
    }
    ol_close(&b, "}");
    return take_body(&b, x, PBAY_OK);
}

static pbay_rc build_model(struct ollama *o, struct call *c,
                           const pbay_request *req, pbay_exchange *x)
{
    c->model = req->model;
    if (!c->model.n)
        c->model = pbay_text(o->host, c->call, find(req, "model"));
    if (!c->model.n)
        return ol_invalid(o, c, "model", "which model?");
    x->method = OL("POST");
    switch (req->op) {
    case PBAY_OP_SHOW:
        x->path = OL("/api/show");
        x->flags |= PBAY_X_IDEMPOTENT;
        return named(o, c, c->model, NULL, x);
    case PBAY_OP_PULL:
        x->path = OL("/api/pull");
        x->framing = PBAY_FRAME_NDJSON;
        return named(o, c, c->model, "stream", x);
    default:
        x->method = OL("DELETE");
        x->path = OL("/api/delete");
        return named(o, c, c->model, NULL, x);
    }
}

static pbay_rc build_list(struct ollama *o, struct call *c,
                          const pbay_request *req, pbay_exchange *x)
{
    if (req->step == 0) {
        c->search = pbay_text(o->host, c->call, find(req, "search"));
        return get(x, OL("/api/tags"));
    }
    if (c->closing)
        return get(x, OL("/api/version"));
    if (c->at >= c->n_pending)
        return PBAY_NOSYS; /* nobody asked for one more */
    x->method = OL("POST");
    x->path = OL("/api/show");
    x->flags |= PBAY_X_IDEMPOTENT;
    return named(o, c, c->pending[c->at].name, NULL, x);
}

/* ---------------------------------------------------------------------- raw */

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

static pbay_rc build_raw(struct ollama *o, struct call *c,
                         const pbay_request *req, pbay_exchange *x)
{
    pbay_str *body;
    char *p;

    if (!path_stays(req->path))
        return ol_invalid(o, c, "path",
                          "the path must start with / and stay below the base "
                          "URL");
    x->method = req->method;
    x->path = req->path;
    x->framing = PBAY_FRAME_RAW;
    x->flags |= PBAY_X_REPLY_PASS;
    if (req->flags & PBAY_RQ_BODY_FOLLOWS)
        x->flags |= PBAY_X_BODY_FOLLOWS;
    if (equal(req->method, OL("GET")) || equal(req->method, OL("HEAD")))
        x->flags |= PBAY_X_IDEMPOTENT;
    if (req->query.n) {
        p = o->host->alloc(c->call, req->path.n + 1 + req->query.n);
        if (!p)
            return PBAY_NOMEM;
        memcpy(p, req->path.p, req->path.n);
        p[req->path.n] = '?';
        memcpy(p + req->path.n + 1, req->query.p, req->query.n);
        x->path = (pbay_str){p, req->path.n + 1 + req->query.n};
    }
    if (req->body.n) {
        body = o->host->alloc(c->call, sizeof *body);
        if (!body)
            return PBAY_NOMEM;
        *body = req->body;
        x->body = body;
        x->n_body = 1;
    }
    return PBAY_OK;
}

/* ------------------------------------------------------------------ headers */

/* Ours to set, not the client's; and, but for the raw door, what names its
 * application to OpenRouter, which is for nobody else. */
static int ours(pbay_str name, int raw)
{
    static const char *const names[] = {"accept", "content-type",
                                        "http-referer", "x-title",
                                        "x-openrouter-title"};
    size_t count = raw ? 2 : sizeof names / sizeof *names;

    for (size_t i = 0; i < count; i++) {
        size_t n = strlen(names[i]), k = 0;
        while (k < n && k < name.n &&
               (name.p[k] | 0x20) == (names[i][k] | 0x20))
            k++;
        if (k == n && name.n == n)
            return 1;
    }
    return 0;
}

static pbay_str accept_of(const pbay_request *req, const pbay_exchange *x)
{
    pbay_str v = pbay_header(req->headers, req->n_headers, "accept");

    if (req->op == PBAY_OP_RAW)
        return v.n ? v : OL("*/*");
    return x->framing == PBAY_FRAME_NDJSON ? OL("application/x-ndjson")
                                           : OL("application/json");
}

static pbay_rc headers(struct ollama *o, struct call *c,
                       const pbay_request *req, pbay_exchange *x)
{
    int pass = req->op == PBAY_OP_RAW || (req->flags & PBAY_RQ_PASS);
    size_t n = 0, theirs = pass ? req->n_headers : 0;
    pbay_kv *h = o->host->alloc(c->call, (2 + theirs) * sizeof *h);

    if (!h)
        return PBAY_NOMEM;
    h[n++] = (pbay_kv){OL("Accept"), accept_of(req, x)};
    if (x->n_body || x->flags & PBAY_X_BODY_FOLLOWS)
        h[n++] = (pbay_kv){OL("Content-Type"),
                           req->op == PBAY_OP_RAW && req->content_type.n
                               ? req->content_type
                               : OL("application/json")};
    for (size_t i = 0; i < theirs; i++)
        if (!ours(req->headers[i].k, req->op == PBAY_OP_RAW))
            h[n++] = req->headers[i];
    x->headers = h;
    x->n_headers = n;
    /* Ollama's cloud wants a key; a server of one's own ignores it. */
    x->auth = OL("bearer");
    return PBAY_OK;
}

/* Ids of tool calls that the server gave none must differ between requests. */
static void sow(struct call *c, pbay_str id)
{
    c->seed = 2166136261u;
    for (size_t i = 0; i < id.n; i++)
        c->seed = (c->seed ^ (unsigned char)id.p[i]) * 16777619u;
}

pbay_rc ol_build(struct ollama *o, struct call *c, const pbay_request *req,
                 pbay_exchange *x)
{
    pbay_rc rc;

    c->op = req->op;
    c->want = req->want;
    c->flags = req->flags;
    c->step = req->step;
    c->seen = 0;
    sow(c, req->id);
    running_ctx(o, c, req);
    x->framing = PBAY_FRAME_WHOLE;
    switch (req->op) {
    case PBAY_OP_CHAT:
        rc = build_chat(o, c, req, x);
        break;
    case PBAY_OP_EMBED:
        rc = build_embed(o, c, req, x);
        break;
    case PBAY_OP_LIST:
        rc = build_list(o, c, req, x);
        break;
    case PBAY_OP_SHOW:
    case PBAY_OP_PULL:
    case PBAY_OP_DELETE:
        rc = build_model(o, c, req, x);
        break;
    case PBAY_OP_HEALTH:
        rc = get(x, OL("/api/version"));
        break;
    case PBAY_OP_PS:
        rc = get(x, OL("/api/ps"));
        break;
    case PBAY_OP_RAW:
        rc = build_raw(o, c, req, x);
        break;
    default:
        return PBAY_NOSYS;
    }
    return rc == PBAY_OK ? headers(o, c, req, x) : rc;
}
