/* SPDX-License-Identifier: MIT */
/* llamacpp.so: from a request to the exchange, or the next of several, that
 * puts it to llama-server. */
#include <string.h>

#include "llama.h"

pbay_str ll_copy(struct llama *l, struct ask *a, pbay_str s)
{
    char *p = s.n ? l->oai.host->alloc(a->c.call, s.n) : NULL;

    if (p)
        memcpy(p, s.p, s.n);
    return (pbay_str){p, p ? s.n : 0};
}

static pbay_str find(const pbay_request *req, const char *name)
{
    return pbay_json_find(req->members, req->n_members, name);
}

static pbay_rc small_headers(struct llama *l, struct ask *a, pbay_exchange *x)
{
    pbay_kv *h = l->oai.host->alloc(a->c.call, 2 * sizeof *h);

    if (!h)
        return PBAY_NOMEM;
    h[0] = (pbay_kv){OA("Accept"), OA("application/json")};
    h[1] = (pbay_kv){OA("Content-Type"), OA("application/json")};
    x->headers = h;
    x->n_headers = x->n_body ? 2 : 1;
    x->auth = OA("bearer");
    x->framing = PBAY_FRAME_WHOLE;
    x->flags |= PBAY_X_IDEMPOTENT;
    return PBAY_OK;
}

static pbay_rc get(struct llama *l, struct ask *a, pbay_str path,
                   pbay_exchange *x)
{
    x->method = OA("GET");
    x->path = path;
    return small_headers(l, a, x);
}

/* ---------------------------------------------------------------- operations
 */

/* llama-server closes connections after a few idle seconds, perhaps just when
 * we use one again.  What was computed twice then has cost nobody anything. */
static pbay_rc build_cheap(struct llama *l, struct ask *a,
                           const pbay_request *req, pbay_exchange *x)
{
    pbay_rc rc = oai_build(&l->oai, &a->c, req, x);

    x->flags |= PBAY_X_IDEMPOTENT;
    return rc;
}

static pbay_rc build_chat(struct llama *l, struct ask *a,
                          const pbay_request *req, pbay_exchange *x)
{
    if (pbay_json_i64(find(req, "n"), &a->choices) < 0)
        a->choices = 1;
    return build_cheap(l, a, req, x);
}

/* The template's result as /tokenize wants it.  Where it stands among several
 * models (router mode), `model` says which. */
static pbay_rc build_tokenize(struct llama *l, struct ask *a, pbay_exchange *x)
{
    void *with[2] = {l, a};
    pbay_out w = {.grow = oai_grow, .arg = with};
    pbay_str *piece = l->oai.host->alloc(a->c.call, sizeof *piece);

    pbay_out_cstr(&w, "{\"content\":");
    pbay_out_raw(&w, a->prompt);
    pbay_out_cstr(&w,
                  ",\"add_special\":true,\"parse_special\":true,\"model\":");
    pbay_out_string(&w, a->model);
    pbay_out_cstr(&w, "}");
    if (!piece || w.failed)
        return PBAY_NOMEM;
    *piece = (pbay_str){w.p, w.n};
    x->method = OA("POST");
    x->path = OA("/tokenize");
    x->body = piece;
    x->n_body = 1;
    return small_headers(l, a, x);
}

/* A template gives text: what an image takes is not to be seen from it. */
static int only_text(const pbay_request *req)
{
    pbay_str message, part;
    size_t pos = 0;

    while (pbay_json_next(find(req, "messages"), &pos, NULL, &message)) {
        pbay_str content = pbay_json_get(message, "content");
        size_t at = 0;
        if (pbay_json_type(content) != 'a')
            continue;
        while (pbay_json_next(content, &at, NULL, &part))
            if (!pbay_json_is(pbay_json_get(part, "type"), "text"))
                return 0;
    }
    return 1;
}

static pbay_rc build_count(struct llama *l, struct ask *a,
                           const pbay_request *req, pbay_exchange *x)
{
    pbay_request r = *req;
    pbay_rc rc;

    a->model = req->model;
    if (req->step > 0)
        return build_tokenize(l, a, x);
    if (l->count_by_template && !only_text(req)) {
        a->c.failed = 1;
        return pbay_fail(l->oai.host, a->c.call, PBAY_E_INVALID, "messages",
                         "with count_route = \"template\" only text can be "
                         "counted; a newer llama-server counts images with "
                         "\"input_tokens\"");
    }
    /* The body of a chat that is not streamed. */
    r.op = PBAY_OP_CHAT;
    r.flags &= ~(uint32_t)(PBAY_RQ_STREAM | PBAY_RQ_PASS);
    rc = oai_build(&l->oai, &a->c, &r, x);
    x->path = l->count_by_template ? OA("/apply-template")
                                   : OA("/v1/chat/completions/input_tokens");
    x->flags |= PBAY_X_IDEMPOTENT;
    return rc;
}

static int plain(unsigned char b)
{
    return (b >= '0' && b <= '9') || (b >= 'A' && b <= 'Z') ||
           (b >= 'a' && b <= 'z') || (b && strchr("-._~/:@", b));
}

/* "/props?model=NAME&autoload=false": a router asks the model's own process and
 * does not start one for that; a server of one model does not look at it. */
static pbay_str of_model(struct llama *l, struct ask *a, pbay_str path)
{
    static const char hex[] = "0123456789ABCDEF",
                      asks[] = "?model=", rest[] = "&autoload=false";
    pbay_str m = a->model;
    char *p = l->oai.host->alloc(a->c.call, path.n + 3 * m.n + 32);
    size_t n = path.n;

    if (!p)
        return (pbay_str){NULL, 0};
    memcpy(p, path.p, n);
    memcpy(p + n, asks, sizeof asks - 1);
    n += sizeof asks - 1;
    for (size_t i = 0; i < m.n; i++) {
        unsigned char b = (unsigned char)m.p[i];
        if (plain(b)) {
            p[n++] = (char)b;
        } else {
            p[n++] = '%';
            p[n++] = hex[b >> 4];
            p[n++] = hex[b & 15];
        }
    }
    memcpy(p + n, rest, sizeof rest - 1);
    return (pbay_str){p, n + sizeof rest - 1};
}

static pbay_rc build_show(struct llama *l, struct ask *a,
                          const pbay_request *req, pbay_exchange *x)
{
    pbay_str path = OA("/v1/models");

    if (req->step == 0) {
        a->model = req->model;
        if (!a->model.n)
            a->model = pbay_text(l->oai.host, a->c.call, find(req, "model"));
        if (!a->model.n) {
            a->c.failed = 1;
            return pbay_fail(l->oai.host, a->c.call, PBAY_E_INVALID, "model",
                             "which model?");
        }
    } else {
        path = of_model(l, a, req->step == 1 ? OA("/props") : OA("/slots"));
        if (!path.n)
            return PBAY_NOMEM;
    }
    return get(l, a, path, x);
}

static pbay_rc build_list(struct llama *l, struct ask *a,
                          const pbay_request *req, pbay_exchange *x)
{
    a->c.search = pbay_text(l->oai.host, a->c.call, find(req, "search"));
    return get(l, a, OA("/v1/models"), x);
}

pbay_rc ll_build(struct llama *l, struct ask *a, const pbay_request *req,
                 pbay_exchange *x)
{
    a->op = a->c.op = req->op;
    a->c.want = req->want;
    a->c.flags = req->flags;
    switch (req->op) {
    case PBAY_OP_CHAT:
        return build_chat(l, a, req, x);
    case PBAY_OP_COUNT:
        return build_count(l, a, req, x);
    case PBAY_OP_LIST:
        return build_list(l, a, req, x);
    case PBAY_OP_PS:
        return get(l, a, OA("/v1/models"), x);
    case PBAY_OP_SHOW:
        return build_show(l, a, req, x);
    case PBAY_OP_HEALTH:
        /* /health is open to all; /props proves the key. */
        return get(l, a, req->step ? OA("/props") : OA("/health"), x);
    case PBAY_OP_EMBED:
        return build_cheap(l, a, req, x);
    case PBAY_OP_RAW:
        return oai_build(&l->oai, &a->c, req, x);
    default:
        return PBAY_NOSYS;
    }
}
