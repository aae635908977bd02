/* SPDX-License-Identifier: MIT */
/* Who asks, for what: request ids, client keys, the table of URLs. */
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "dialect/anthropic.h"
#include "dialect/batch.h"
#include "dialect/compare.h"
#include "dialect/completions.h"
#include "dialect/ollama.h"
#include "dialect/openai.h"
#include "dialect/ops.h"
#include "dialect/raw.h"
#include "dialect/responses.h"
#include "dialect/results.h"
#include "dialect/text.h"
#include "manager/debug.h"

static void health(struct dialog *x);

/* Open to everybody: is the process there, does it take requests? */
static const struct dl_route own_routes[] = {
    {.method = "GET", .path = "/healthz", .form = &oa_form, .handle = health},
    {.method = "GET", .path = "/readyz", .form = &oa_form, .handle = health},
    {.method = NULL},
};

static const struct dl_route *const tables[] = {
    oa_routes, an_routes,  ol_routes,  cp_routes, rs_routes,  cmp_routes,
    bt_routes, res_routes, ops_routes, tx_routes, raw_routes, own_routes};

/* Which dialect's errors a URL gets, also one that does not exist; the first
 * that fits. */
static const struct {
    const char *prefix;
    const struct chat_form *form;
} forms[] = {
    {"/v1/messages", &an_form},
    {"/api/", &ol_chat_form},
    {"", &oa_form},
};

/* Headers of the client that a provider's plugin may see. */
static const char *const shown[] = {"openai-beta",         "anthropic-beta",
                                    "anthropic-version",   "idempotency-key",
                                    "x-client-request-id", "user-agent",
                                    "http-referer",        "x-title",
                                    "x-openrouter-title"};

/* n hex digits; snprintf() takes twenty times as long. */
static char *put_hex(char *at, uint64_t v, int n)
{
    for (int i = n - 1; i >= 0; i--, v >>= 4)
        at[i] = "0123456789abcdef"[v & 15];
    return at + n;
}

/* "req_" and 30 hex digits: milliseconds, loop and process, a count. */
static void new_id(struct dialect *d, char out[40])
{
    uint64_t ms = (uint64_t)clock_wall(d->manager->loop->clock);
    char *at = out + 4;

    if (!d->id_seed)
        RAND_bytes((unsigned char *)&d->id_seed, sizeof(d->id_seed));
    memcpy(out, "req_", 4);
    at = put_hex(at, ms, 12);
    at = put_hex(at, d->id_seed, 8);
    at = put_hex(at, ++d->id_count, 10);
    *at = '\0';
}

static void on_end(struct http_req *req, bool ok)
{
    struct dialog *x = req->user;

    (void)ok;
    if (x->call) {
        struct call *c = x->call;
        x->call = NULL;
        call_cancel(c);
    }
    if (x->drop)
        x->drop(x);
    embed_cancel(x->split);
    x->split = NULL;
    cache_leave(&x->shared);
    listing_forget(x->listing);
    x->listing = NULL;
    if (x->render)
        x->form->render_free(x->render);
    x->render = NULL;
    buf_done(&x->whole);
}

static void on_drain(struct http_req *req)
{
    struct dialog *x = req->user;

    if (x->call)
        call_pause(x->call, false);
    cache_pause(&x->shared, false);
    if (x->drain)
        x->drain(x);
}

static pbay_str presented_key(const struct http_head *head)
{
    pbay_str v = http_header(head, "authorization"), rest = v, scheme;

    if (v.n) {
        scheme = str_cut(&rest, ' ');
        return str_ieq(scheme, STR("bearer")) ? str_trim(rest) : v;
    }
    v = http_header(head, "x-api-key");
    return v.n ? v : http_header(head, "api-key");
}

/* 0, or -1 with *e: what the client's key (or its absence) allows. */
static int authorize(struct dialog *x, unsigned right, struct err *e)
{
    const struct snapshot *s = x->d->manager->current;
    const struct dialect_listener *l = x->req->listener_tag;
    const struct cfg_client_key *key;
    pbay_str given;

    if (x->req->inner)
        return dl_inside_rights(x, right, e);
    x->rights = RIGHT_ALL;
    if (!right || (l && atomic_load(&l->auth_none)))
        return 0;
    /* A reload may have taken all keys away; that opens no listener to other
     * machines which was started with them. */
    if (!s->cfg->n_keys && x->req->local)
        return dl_from_here(x, e);
    given = presented_key(x->req->head);
    key = given.n ? cfg_find_key(s->cfg, given) : NULL;
    if (!key) {
        err_set(
            e, ERR_CLIENT_AUTH,
            given.n
                ? "the API key is not one of this host's"
                : "no API key was sent; send \"Authorization: Bearer KEY\"");
        return -1;
    }
    x->rights = key->rights;
    /* A copy: the body may come when this configuration is gone. */
    x->key_name = arena_dup(&x->req->arena, str_c(key->name));
    if (!(key->rights & (right | RIGHT_ADMIN))) {
        err_set(e, ERR_CLIENT_RIGHT, "the key \"%s\" lacks the right \"%s\"",
                key->name, right_name((int)right));
        return -1;
    }
    return 0;
}

static bool json_type(pbay_str type)
{
    type = str_trim(str_cut(&type, ';'));
    return !type.n || str_ieq(type, STR("application/json")) ||
           (type.n > 5 && str_ieq(str_n(type.p + type.n - 5, 5), STR("+json")));
}

static void on_body(struct http_req *req, pbay_str body)
{
    struct dialog *x = req->user;

    x->route->take(x, body);
}

/* HTTP allows tabs in a value; what goes upstream is to have none. */
static pbay_str without_tabs(struct dialog *x, pbay_str value)
{
    char *p;

    if (!value.n || !memchr(value.p, '\t', value.n))
        return value;
    p = arena_bytes(&x->req->arena, value.n);
    if (!p)
        return STR("");
    for (size_t i = 0; i < value.n; i++)
        p[i] = value.p[i] == '\t' ? ' ' : value.p[i];
    return str_n(p, value.n);
}

static void client_headers(struct dialog *x, struct call_request *r)
{
    const struct http_head *h = x->req->head;
    pbay_kv *v = arena_alloc(&x->req->arena,
                             sizeof(*v) * sizeof(shown) / sizeof(*shown));

    for (size_t i = 0; v && i < sizeof(shown) / sizeof(*shown); i++) {
        pbay_str value = http_header(h, shown[i]);
        if (value.p)
            v[r->n_headers++] =
                (pbay_kv){str_c(shown[i]), without_tabs(x, value)};
    }
    r->headers = v;
}

/* Does the client say this of caches? */
static bool cache_control(const struct dialog *x, const char *word)
{
    pbay_str v = http_header(x->req->head, "cache-control");

    while (v.n)
        if (str_ieq(str_trim(str_cut(&v, ',')), str_c(word)))
            return true;
    return false;
}

/* 0, or -1 with *e. */
static int start(struct dialog *x, struct call_request *r,
                 const struct call_sink *sink, struct err *e)
{
    struct manager *m = x->d->manager;
    const struct cfg_cache *p = m->current ? &m->current->cfg->cache : NULL;
    int rc = embed_start(m, r, sink, x, &x->split, e);

    if (rc)
        return rc < 0 ? -1 : 0;
    if (m->cache && p && (p->store || p->join) && cache_fits(r->op) &&
        !r->debug && /* a kept answer has gone no way */
        !cache_control(x, "no-store")) {
        r->resume = NULL; /* what is kept is bytes or events, not both */
        return cache_ask(m->cache, p, cache_control(x, "no-cache"), m, r, sink,
                         x, &x->shared, e);
    }
    x->call = call_start(m, r, sink, x, e);
    return x->call ? 0 : -1;
}

/* "30" and "30s": seconds; "500ms".  0 where there is none, -1 and *e. */
static int64_t deadline(const struct dialog *x, struct err *e)
{
    pbay_str v = http_header(x->req->head, "x-patchbay-deadline");
    uint64_t n = 0;
    bool ms = str_ends(v, "ms");

    if (!v.n)
        return 0;
    v.n -= ms ? 2 : str_ends(v, "s") ? 1 : 0;
    if (str_u64(v, &n) == 0 && n > 0 && n <= 86400000)
        return (int64_t)n * (ms ? 1 : 1000);
    err_set(e, PBAY_E_INVALID,
            "x-patchbay-deadline: a time of up to a day is wanted, \"30s\" or "
            "\"500ms\"");
    snprintf(e->param, sizeof(e->param), "x-patchbay-deadline");
    return -1;
}

static int task(const struct dialog *x, struct call_request *r, struct err *e)
{
    pbay_str v = http_header(x->req->head, "x-patchbay-task");

    r->task = v.n ? task_named(v) : NULL;
    if (!v.n || r->task)
        return 0;
    err_set(e, PBAY_E_INVALID,
            "x-patchbay-task: there is no task \"%.*s\"; there are %s",
            STR_ARG(str_head(v, 64)), task_words);
    snprintf(e->param, sizeof(e->param), "x-patchbay-task");
    return -1;
}

/* 1 or true: it wants to be told of its way.  0, or -1 with *e. */
static int debug(struct dialog *x, struct err *e)
{
    pbay_str v = http_header(x->req->head, "x-patchbay-debug");

    if (!v.n || str_is(v, "0") || str_is(v, "false"))
        return 0;
    if (!str_is(v, "1") && !str_is(v, "true")) {
        err_set(e, PBAY_E_INVALID,
                "x-patchbay-debug: 1 (or true) is wanted, or 0 (or false)");
        snprintf(e->param, sizeof(e->param), "x-patchbay-debug");
        return -1;
    }
    if (!(x->rights & RIGHT_ROUTES)) {
        plan_no_choice(e, x->key_name, "x-patchbay-debug");
        return -1;
    }
    x->debug = debug_new(&x->req->arena);
    return 0;
}

/* What the client says of the way its request is to take.  0, or -1 with *e. */
static int read_way(struct dialog *x, struct call_request *r, struct err *e)
{
    r->route = http_header(x->req->head, "x-patchbay-route");
    r->fallbacks = x->fallbacks;
    r->n_fallbacks = x->n_fallbacks;
    r->deadline_ms = deadline(x, e);
    if (r->deadline_ms < 0 || task(x, r, e) < 0 || debug(x, e) < 0)
        return -1;
    r->no_choice = !(x->rights & RIGHT_ROUTES);
    if (!r->no_choice || (!r->route.n && !r->n_fallbacks && !r->task))
        return 0;
    plan_no_choice(e, x->key_name,
                   r->route.n       ? "x-patchbay-route"
                   : r->n_fallbacks ? "\"fallbacks\""
                                    : "x-patchbay-task");
    return -1;
}

static pbay_str any_header(void *arg, const char *name)
{
    const struct dialog *x = arg;

    return http_header(x->req->head, name);
}

/* Every target that needs it gets the same. */
static int translate_once(void *arg, struct call_body *out, struct err *e)
{
    struct dialog *x = arg;

    if (!x->canonical.text.p && x->translate(x, &x->canonical, e) < 0) {
        x->canonical.text = STR_NONE;
        return -1;
    }
    *out = x->canonical;
    return 0;
}

int dl_request(struct dialog *x, struct call_request *r, struct err *e)
{
    *r = (struct call_request){
        .op = x->op,
        .stream = x->stream,
        .id = str_c(x->id),
        .model = x->model,
        .dialect = x->dialect,
        .body = x->body,
        .members = x->members,
        .n_members = x->n_members,
        .key_name = x->key_name,
        .translate = x->translate ? translate_once : NULL,
        .translate_arg = x,
        .header = any_header,
        .header_arg = x,
        .rescue = x->rescue,
        .resume = x->resume,
    };
    client_headers(x, r);
    return read_way(x, r, e);
}

void dl_start(struct dialog *x, const struct call_sink *sink, uint32_t want)
{
    struct call_request r;
    struct err e;
    int rc;

    err_clear(&e);
    sink = dl_inside_sink(x, sink);
    rc = dl_request(x, &r, &e);
    r.want = want;
    r.debug = x->debug;
    if (rc < 0 || start(x, &r, sink, &e) < 0) {
        log_line(LOG_INFO, "http", err_text(&e), log_cstr("id", x->id),
                 log_str("model", x->model),
                 log_cstr("result", err_class(e.kind)->name), LOG_END);
        if (x->instead && x->instead(x, &e))
            return;
        if (x->debug && !x->n_headers)
            dl_route_headers(x, NULL);
        dl_error(x, &e);
    }
}

static void health(struct dialog *x)
{
    bool ready =
        !atomic_load(&x->d->manager->draining) && x->d->manager->current;

    if (str_is(x->req->path, "/healthz"))
        dl_json(x, 200, STR("{\"status\":\"ok\"}"));
    else if (ready)
        dl_json(x, 200, STR("{\"status\":\"ready\"}"));
    else
        dl_json(x, 503, STR("{\"status\":\"draining\"}"));
}

static void dispatch(struct dialog *x, const struct dl_route *r)
{
    struct err e;

    err_clear(&e);
    if (authorize(x, r->right, &e) < 0) {
        dl_error(x, &e);
    } else if (r->handle) {
        r->handle(x);
    } else if (!r->any_type &&
               !json_type(http_header(x->req->head, "content-type"))) {
        err_set(&e, ERR_BAD_BODY,
                "the body must be sent with Content-Type: "
                "application/json");
        dl_error(x, &e);
    } else {
        x->req->on_body = on_body;
        http_req_take_whole(x->req, x->d->manager->current->cfg->http.body);
    }
}

/* A path with {names}: what stands for them. */
static bool match_parts(const char *want, pbay_str path, pbay_str parts[2])
{
    size_t n = 0;

    while (*want) {
        if (*want == '{') {
            pbay_str rest = path, part = str_cut(&rest, '/');
            if (!part.n || n == 2)
                return false;
            parts[n++] = part;
            path = str_n(path.p + part.n, path.n - part.n);
            want = strchr(want, '}') + 1;
        } else if (!path.n || path.p[0] != *want) {
            return false;
        } else {
            path = str_n(path.p + 1, path.n - 1);
            want++;
        }
    }
    return path.n == 0;
}

/* *rest: what stands behind a prefix, or for {names}. */
static bool path_is(const struct dl_route *r, pbay_str path, pbay_str rest[2])
{
    size_t n = strlen(r->path);

    rest[0] = rest[1] = STR_NONE;
    if (strchr(r->path, '{'))
        return match_parts(r->path, path, rest);
    if (n == 1 || r->path[n - 1] != '/')
        return str_is(path, r->path);
    if (path.n <= n || !str_starts(path, r->path))
        return false;
    *rest = str_n(path.p + n, path.n - n);
    return true;
}

/* The route of a request, or NULL and, when the URL is there for other methods,
 * what they are. */
static const struct dl_route *find_route(struct dialog *x, pbay_str method,
                                         char *allowed, size_t room)
{
    for (size_t t = 0; t < sizeof(tables) / sizeof(*tables); t++)
        for (const struct dl_route *r = tables[t]; r->method; r++) {
            size_t n = strlen(allowed);
            pbay_str rest[2];

            if (!path_is(r, x->req->path, rest))
                continue;
            if (str_is(method, r->method) || strcmp(r->method, "*") == 0) {
                x->rest = rest[0];
                x->part = rest[1];
                return r;
            }
            snprintf(allowed + n, room - n, "%s%s", n ? ", " : "", r->method);
        }
    return NULL;
}

/* Both APIs have their models at the same place. */
static bool asks_anthropic(const struct dialog *x)
{
    return http_header(x->req->head, "anthropic-version").p &&
           str_starts(x->req->path, "/v1/models");
}

static void no_route(struct dialog *x, const char *allowed)
{
    struct err e;

    err_clear(&e);
    if (allowed[0]) {
        dl_add_header(x, "allow", str_c(allowed));
        err_set(&e, ERR_METHOD, "%.*s is for %s requests",
                STR_ARG(x->req->path), allowed);
    } else {
        err_set(&e, ERR_NO_ROUTE,
                "there is nothing at %.*s; the API is under "
                "/v1",
                STR_ARG(x->req->path));
    }
    dl_error(x, &e);
}

static void handle(struct dialog *x)
{
    pbay_str method = x->req->head->method;
    char allowed[80] = "";

    if (str_is(method, "HEAD"))
        method = STR("GET");
    x->route = find_route(x, method, allowed, sizeof(allowed));
    if (!x->route) {
        no_route(x, allowed);
        return;
    }
    x->op = x->route->op;
    if (!asks_anthropic(x))
        x->form = x->route->form;
    x->dialect = str_c(x->route->dialect ? x->route->dialect : "");
    dispatch(x, x->route);
}

static const struct chat_form *form_of(pbay_str path)
{
    size_t i = 0;

    while (forms[i].prefix[0] && !str_starts(path, forms[i].prefix))
        i++;
    return forms[i].form;
}

void dialect_handle(struct http_req *req, void *arg)
{
    struct dialog *x = arena_alloc(&req->arena, sizeof(*x));
    struct dialect *d = arg;

    if (!x || !d->manager->current) {
        http_reply(req, 503, NULL, 0, STR(""));
        return;
    }
    x->d = d;
    x->req = req;
    req->user = x;
    req->on_end = on_end;
    req->on_drain = on_drain;
    x->form = http_header(req->head, "anthropic-version").p
                  ? &an_form
                  : form_of(req->path);
    new_id(d, x->id);
    handle(x);
}

size_t dialect_error_body(pbay_str path, int status, const char *why, char *dst,
                          size_t room)
{
    int kind = status == 413   ? ERR_BODY_TOO_LARGE
               : status == 408 ? ERR_BAD_BODY
               : status >= 500 ? ERR_UNAVAILABLE
                               : ERR_BAD_BODY;
    struct err e;

    err_clear(&e);
    err_set(&e, kind, "%s", why);
    return form_of(path)->error_json(NULL, &e, dst, room);
}

void dialect_routes(void (*fn)(void *arg, const char *method, const char *path,
                               unsigned right),
                    void *arg)
{
    for (size_t t = 0; t < sizeof(tables) / sizeof(*tables); t++)
        for (const struct dl_route *r = tables[t]; r->method; r++)
            fn(arg, r->method, r->path, r->right);
}
