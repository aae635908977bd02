/* SPDX-License-Identifier: MIT */
/* OpenAI's language: from a request to the exchange that puts it to the
 * provider.  A body goes up as it came, in pieces; only what must differ is
 * edited. */
#include <string.h>

#include "oai.h"

static int equal(pbay_str a, pbay_str b)
{
    return a.n == b.n && (!a.n || memcmp(a.p, b.p, a.n) == 0);
}

static pbay_str find(const pbay_request *req, const char *name)
{
    return pbay_json_find(req->members, req->n_members, name);
}

void oai_edit(struct edits *e, pbay_str name, pbay_str value)
{
    if (e->n < EDITS)
        e->kv[e->n++] = (pbay_kv){name, value};
}

char *oai_grow(void *arg, char *old, size_t n, size_t room)
{
    void **with = arg;
    const struct openai *o = with[0];
    const struct call *c = with[1];
    char *p = o->host->alloc(c->call, room);

    if (p && n)
        memcpy(p, old, n);
    return p;
}

static pbay_rc quoted(struct openai *o, struct call *c, pbay_str text,
                      pbay_str *out)
{
    void *with[2] = {o, c};
    pbay_out w = {.grow = oai_grow, .arg = with};

    pbay_out_string(&w, text);
    *out = (pbay_str){w.p, w.n};
    return w.failed ? PBAY_NOMEM : PBAY_OK;
}

/* ------------------------------------------------------------------- edits */

static pbay_rc edit_model(struct openai *o, struct call *c,
                          const pbay_request *req, struct edits *e)
{
    pbay_str now = find(req, "model"), text;

    if (!req->model.n)
        return PBAY_OK;
    if (pbay_json_type(now) == 's') {
        text = pbay_text(o->host, c->call, now);
        if (!text.p)
            return PBAY_NOMEM;
        if (equal(text, req->model))
            return PBAY_OK;
    }
    if (quoted(o, c, req->model, &text) != PBAY_OK)
        return PBAY_NOMEM;
    oai_edit(e, OA("model"), text);
    return PBAY_OK;
}

/* The client's stream_options with include_usage put in front. */
static pbay_rc with_usage(struct openai *o, struct call *c, pbay_str options,
                          pbay_str *out)
{
    static const pbay_str plain = PBAY_LIT("{\"include_usage\":true}");
    void *with[2] = {o, c};
    pbay_out w = {.grow = oai_grow, .arg = with};
    pbay_str value;
    size_t pos = 0;

    *out = plain;
    if (pbay_json_type(options) != 'o' ||
        !pbay_json_next(options, &pos, NULL, &value))
        return PBAY_OK;
    pbay_out_cstr(&w, "{\"include_usage\":true,");
    pbay_out_raw(&w, (pbay_str){options.p + 1, options.n - 1});
    *out = (pbay_str){w.p, w.n};
    return w.failed ? PBAY_NOMEM : PBAY_OK;
}

static pbay_rc edit_stream(struct openai *o, struct call *c,
                           const pbay_request *req, struct edits *e)
{
    int streams = (req->flags & PBAY_RQ_STREAM) != 0;
    int pass = (req->flags & PBAY_RQ_PASS) != 0;
    pbay_str options = find(req, "stream_options"), value;
    char type = pbay_json_type(options);

    if (streams != pbay_json_true(find(req, "stream")))
        oai_edit(e, OA("stream"), streams ? OA("true") : OA("false"));
    if (!streams || !o->stream_options) {
        /* What OpenAI refuses without `stream`, and some always. */
        if (type && !pass)
            oai_edit(e, OA("stream_options"), (pbay_str){NULL, 0});
        return PBAY_OK;
    }
    if (type && type != 'o' && type != '0')
        return PBAY_OK; /* the provider will say what is wrong with it */
    value = pbay_json_get(options, "include_usage");
    if (value.n)
        return PBAY_OK;
    if (with_usage(o, c, options, &value) != PBAY_OK)
        return PBAY_NOMEM;
    oai_edit(e, OA("stream_options"), value);
    c->usage_added = 1;
    return PBAY_OK;
}

static int starts(pbay_str s, const char *prefix)
{
    size_t n = strlen(prefix);

    return s.n >= n && memcmp(s.p, prefix, n) == 0;
}

/* OpenAI's own models that refuse max_tokens. */
static int reasons(pbay_str model)
{
    static const char *const families[] = {"o1", "o3", "o4", "gpt-5", "gpt-6"};

    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (starts(model, families[i]))
            return 1;
    return 0;
}

int oai_never_reasons(pbay_str model)
{
    static const char *const families[] = {"gpt-3.5", "gpt-4", "chatgpt-4o"};

    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (starts(model, families[i]))
            return 1;
    return 0;
}

/* Give a member another name; one that has that name already stays as it is. */
static void rename_member(const pbay_request *req, struct edits *e,
                          const char *from, const char *to)
{
    pbay_str value = find(req, from);

    if (!value.n)
        return;
    oai_edit(e, (pbay_str){from, strlen(from)}, (pbay_str){NULL, 0});
    if (!find(req, to).n)
        oai_edit(e, (pbay_str){to, strlen(to)}, value);
}

static void edit_names(const struct openai *o, const pbay_request *req,
                       struct edits *e)
{
    static const char old_name[] = "max_tokens";
    static const char new_name[] = "max_completion_tokens";
    int translated = !(req->flags & PBAY_RQ_PASS);

    if (o->max_tokens_field == LIMIT_NEW ||
        (o->max_tokens_field == LIMIT_AUTO && translated &&
         reasons(req->model)))
        rename_member(req, e, old_name, new_name);
    else if (o->max_tokens_field == LIMIT_OLD)
        rename_member(req, e, new_name, old_name);
    if (o->random_seed)
        rename_member(req, e, "seed", "random_seed");
    if (translated && oai_never_reasons(req->model) &&
        pbay_json_is(find(req, "reasoning_effort"), "none"))
        oai_edit(e, OA("reasoning_effort"), (pbay_str){NULL, 0});
}

/* One word to stop at, for servers that take nothing but a list. */
static pbay_rc edit_stop(struct openai *o, struct call *c,
                         const pbay_request *req, struct edits *e)
{
    void *with[2] = {o, c};
    pbay_out w = {.grow = oai_grow, .arg = with};
    pbay_str value = find(req, "stop");

    if (!o->stop_list || pbay_json_type(value) != 's')
        return PBAY_OK;
    pbay_out_cstr(&w, "[");
    pbay_out_raw(&w, value);
    pbay_out_cstr(&w, "]");
    oai_edit(e, OA("stop"), (pbay_str){w.p, w.n});
    return w.failed ? PBAY_NOMEM : PBAY_OK;
}

static int ends(pbay_str s, const char *suffix)
{
    size_t n = strlen(suffix);

    return s.n >= n && memcmp(s.p + s.n - n, suffix, n) == 0;
}

/* Does the member ask for nothing that would not be so without it? */
static int asks_nothing(pbay_str name, pbay_str value)
{
    pbay_str first;
    size_t pos = 0;

    switch (pbay_json_type(value)) {
    case '0':
        return 1;
    case 'b':
        return !pbay_json_true(value);
    case 'a':
    case 'o':
        return !pbay_json_next(value, &pos, NULL, &first);
    case 'n':
        return (equal(name, OA("n")) && equal(value, OA("1"))) ||
               (ends(name, "_penalty") && equal(value, OA("0")));
    default:
        return 0;
    }
}

static pbay_rc lacking(struct openai *o, struct call *c, pbay_str name)
{
    pbay_event ev = {.type = PBAY_EV_WARNING,
                     .name = name,
                     .text = PBAY_LIT("left out: the provider refuses it")};
    char text[192] = "", param[OAI_LACKS_LENGTH + 1] = "";
    pbay_out w = {.p = text, .room = sizeof text - 1};

    if (o->drop)
        return oai_emit(o, c, &ev);
    memcpy(param, name.p, name.n);
    pbay_out_cstr(&w, "this provider refuses ");
    pbay_out_raw(&w, name);
    pbay_out_cstr(&w, "; leave it out, or set unsupported = \"drop\" for this "
                      "provider");
    c->failed = 1;
    return pbay_fail(o->host, c->call, PBAY_E_INVALID, param, text);
}

/* Members that the server refuses (key lacks). */
static pbay_rc edit_lacks(struct openai *o, struct call *c,
                          const pbay_request *req, struct edits *e)
{
    pbay_str item;
    size_t pos = 0;
    pbay_rc rc = PBAY_OK;

    while (rc == PBAY_OK && pbay_json_next(o->lacks, &pos, NULL, &item)) {
        pbay_str name = {item.p + 1, item.n - 2};
        for (size_t i = 0; i < req->n_members; i++) {
            if (!equal(req->members[i].k, name))
                continue;
            oai_edit(e, name, (pbay_str){NULL, 0});
            if (!asks_nothing(name, req->members[i].v))
                rc = lacking(o, c, name);
        }
    }
    return rc;
}

/* ---------------------------------------------------------------- exchange */

static int is_header(pbay_str name, const char *lower)
{
    size_t n = strlen(lower), k = 0;

    while (k < n && k < name.n && (name.p[k] | 0x20) == (lower[k] | 0x20))
        k++;
    return k == n && name.n == n;
}

/* Names of a client's headers that are ours to set, or concern only us. */
static int ours(pbay_str name)
{
    static const char *const names[] = {
        "accept", "content-type", "openai-organization", "openai-project"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (is_header(name, names[i]))
            return 1;
    return 0;
}

/* What names the client's application to OpenRouter: a hook's to send. */
static int names_client(pbay_str name)
{
    static const char *const names[] = {"http-referer", "x-title",
                                        "x-openrouter-title"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (is_header(name, names[i]))
            return 1;
    return 0;
}

static pbay_str accept_of(const pbay_request *req, const pbay_exchange *x)
{
    pbay_str v = pbay_header(req->headers, req->n_headers, "accept");

    if (req->op == PBAY_OP_RAW)
        return v.n ? v : OA("*/*");
    return x->framing == PBAY_FRAME_SSE ? OA("text/event-stream")
                                        : OA("application/json");
}

static pbay_rc headers(struct openai *o, struct call *c,
                       const pbay_request *req, pbay_exchange *x)
{
    int pass = req->op == PBAY_OP_RAW || (req->flags & PBAY_RQ_PASS);
    size_t n = 0, theirs = pass ? req->n_headers : 0;
    pbay_kv *h =
        o->host->alloc(c->call, (4 + OAI_MORE_HEADERS + theirs) * sizeof *h);

    if (!h)
        return PBAY_NOMEM;
    h[n++] = (pbay_kv){OA("Accept"), accept_of(req, x)};
    if (x->n_body || x->flags & PBAY_X_BODY_FOLLOWS)
        h[n++] = (pbay_kv){OA("Content-Type"), req->content_type.n
                                                   ? req->content_type
                                                   : OA("application/json")};
    if (o->organization.n)
        h[n++] = (pbay_kv){OA("OpenAI-Organization"), o->organization};
    if (o->project.n)
        h[n++] = (pbay_kv){OA("OpenAI-Project"), o->project};
    if (o->hooks && o->hooks->headers)
        n += o->hooks->headers(o, req, h + n);
    for (size_t i = 0; i < theirs; i++)
        if (!ours(req->headers[i].k) &&
            (req->op == PBAY_OP_RAW || !names_client(req->headers[i].k)))
            h[n++] = req->headers[i];
    x->headers = h;
    x->n_headers = n;
    x->auth = OA("bearer");
    return PBAY_OK;
}

pbay_rc oai_post(struct openai *o, struct call *c, const pbay_request *req,
                 pbay_str path, struct edits *e, pbay_exchange *x)
{
    pbay_rc rc;

    if (!path.n)
        return PBAY_NOSYS; /* this provider has no such thing */
    rc = edit_model(o, c, req, e);
    if (rc == PBAY_OK && o->hooks && o->hooks->edits)
        rc = o->hooks->edits(o, c, req, e);
    if (rc != PBAY_OK)
        return rc;
    x->method = OA("POST");
    x->path = path;
    if (req->flags & PBAY_RQ_PASS)
        x->flags |= PBAY_X_REPLY_PASS;
    return pbay_edit(o->host, c->call, req->body, req->members, req->n_members,
                     e->kv, e->n, &x->body, &x->n_body);
}

static pbay_rc build_chat(struct openai *o, struct call *c,
                          const pbay_request *req, pbay_exchange *x)
{
    struct edits e = {.n = 0};
    pbay_rc rc;

    if (req->flags & PBAY_RQ_CONTINUE) {
        c->failed = 1;
        return pbay_fail(o->host, c->call, PBAY_E_INVALID, "messages",
                         "this provider cannot go on with an answer that was "
                         "begun; end the messages with a turn of the user");
    }
    rc = edit_stream(o, c, req, &e);
    if (rc != PBAY_OK)
        return rc;
    edit_names(o, req, &e);
    rc = edit_stop(o, c, req, &e);
    if (rc == PBAY_OK)
        rc = edit_lacks(o, c, req, &e);
    if (rc == PBAY_OK)
        rc = oai_edit_messages(o, c, req, &e);
    if (rc != PBAY_OK)
        return rc;
    x->framing =
        req->flags & PBAY_RQ_STREAM ? PBAY_FRAME_SSE : PBAY_FRAME_WHOLE;
    return oai_post(o, c, req, o->chat_path, &e, x);
}

void oai_get(pbay_exchange *x, pbay_str path)
{
    x->method = OA("GET");
    x->path = path;
    x->framing = PBAY_FRAME_WHOLE;
    x->flags |= PBAY_X_IDEMPOTENT;
}

static pbay_rc build_list(struct openai *o, struct call *c,
                          const pbay_request *req, pbay_exchange *x)
{
    oai_get(x, o->models_path);
    if (req->op == PBAY_OP_LIST)
        c->search = pbay_text(o->host, c->call, find(req, "search"));
    return PBAY_OK;
}

static int path_byte(unsigned char b)
{
    return (b >= '0' && b <= '9') || (b >= 'A' && b <= 'Z') ||
           (b >= 'a' && b <= 'z') || (b && strchr("-._~/:@!$&'()*+,;=", b));
}

/* A model's own page; slashes are part of many names and stay. */
static pbay_rc build_show(struct openai *o, struct call *c,
                          const pbay_request *req, pbay_exchange *x)
{
    static const char hex[] = "0123456789ABCDEF";
    pbay_str model = req->model;
    char *p;
    size_t n;

    if (!model.n)
        model = pbay_text(o->host, c->call, find(req, "model"));
    if (!model.n) {
        c->failed = 1;
        return pbay_fail(o->host, c->call, PBAY_E_INVALID, "model",
                         "which model?");
    }
    c->model = model;
    build_list(o, c, req, x);
    if (o->lookup_in_list)
        return PBAY_OK;
    n = o->models_path.n;
    p = o->host->alloc(c->call, n + 1 + 3 * model.n);
    if (!p)
        return PBAY_NOMEM;
    memcpy(p, o->models_path.p, n);
    p[n++] = '/';
    for (size_t i = 0; i < model.n; i++) {
        unsigned char b = (unsigned char)model.p[i];
        if (path_byte(b)) {
            p[n++] = (char)b;
        } else {
            p[n++] = '%';
            p[n++] = hex[b >> 4];
            p[n++] = hex[b & 15];
        }
    }
    x->path = (pbay_str){p, n};
    return PBAY_OK;
}

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
                   path.p[i + 1] == '2' &&
                   (path.p[i + 2] == 'e' || path.p[i + 2] == 'E')) {
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

static pbay_rc build_raw(struct openai *o, struct call *c,
                         const pbay_request *req, pbay_exchange *x)
{
    pbay_str *body;
    char *p;

    if (!path_stays(req->path)) {
        c->failed = 1;
        return pbay_fail(o->host, c->call, PBAY_E_INVALID, "path",
                         "the path must start with / and stay below the base "
                         "URL");
    }
    x->method = req->method;
    x->path = req->path;
    x->framing = PBAY_FRAME_RAW;
    x->flags |= PBAY_X_REPLY_PASS;
    if (req->flags & PBAY_RQ_BODY_FOLLOWS)
        x->flags |= PBAY_X_BODY_FOLLOWS;
    if (equal(req->method, OA("GET")) || equal(req->method, OA("HEAD")))
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

/* Image generation streams too, with events of its own. */
static pbay_rc build_image(struct openai *o, struct call *c,
                           const pbay_request *req, pbay_exchange *x)
{
    struct edits e = {.n = 0};
    int streams = pbay_json_true(find(req, "stream"));

    x->framing = streams ? PBAY_FRAME_SSE : PBAY_FRAME_WHOLE;
    return oai_post(o, c, req, o->images_path, &e, x);
}

static pbay_rc build_op(struct openai *o, struct call *c,
                        const pbay_request *req, pbay_exchange *x)
{
    struct edits none = {.n = 0};
    pbay_rc rc = PBAY_NOSYS;

    if (o->hooks && o->hooks->build)
        rc = o->hooks->build(o, c, req, x);
    if (rc != PBAY_NOSYS)
        return rc;
    switch (req->op) {
    case PBAY_OP_CHAT:
        return build_chat(o, c, req, x);
    case PBAY_OP_EMBED:
        x->flags |= PBAY_X_IDEMPOTENT;
        return oai_post(o, c, req, o->embeddings_path, &none, x);
    case PBAY_OP_MODERATE:
        x->flags |= PBAY_X_IDEMPOTENT;
        return oai_post(o, c, req, o->moderations_path, &none, x);
    case PBAY_OP_IMAGE:
        return build_image(o, c, req, x);
    case PBAY_OP_LIST:
    case PBAY_OP_HEALTH:
        return build_list(o, c, req, x);
    case PBAY_OP_SHOW:
        return build_show(o, c, req, x);
    case PBAY_OP_RAW:
        return build_raw(o, c, req, x);
    default:
        return PBAY_NOSYS;
    }
}

pbay_rc oai_build(struct openai *o, struct call *c, const pbay_request *req,
                  pbay_exchange *x)
{
    pbay_rc rc;

    c->op = req->op;
    c->want = req->want;
    c->flags = req->flags;
    c->step = req->step;
    x->framing = PBAY_FRAME_WHOLE;
    rc = build_op(o, c, req, x);
    return rc == PBAY_OK ? headers(o, c, req, x) : rc;
}
