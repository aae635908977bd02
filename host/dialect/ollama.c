/* SPDX-License-Identifier: MIT */
/* Ollama's URLs, and its chat and generate. */
#include "dialect/ollama.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "dialect/ollama_in.h"
#include "dialect/ollama_out.h"
#include <patchbay/json.h>

/* --- the form of an answer ----------------------------------------------- */

static size_t error_json(const struct dialog *x, const struct err *e, char *dst,
                         size_t room)
{
    (void)x;
    return ol_error_json(e, dst, room);
}

/* A provider's last line may lack its end. */
static void passed(struct dialog *x, pbay_str raw)
{
    x->place = raw.n && raw.p[raw.n - 1] != '\n' ? x : NULL;
}

static int end_line(struct dialog *x, struct buf *out)
{
    if (!x->place)
        return 0;
    x->place = NULL;
    return buf_addc(out, "\n");
}

static int broken(struct dialog *x, const struct err *e, struct buf *out)
{
    char body[LIM_KIB(8)];
    size_t n = ol_error_json(e, body, sizeof(body));

    return end_line(x, out) | buf_add(out, str_n(body, n)) |
           buf_addc(out, "\n");
}

static void *render_new(struct dialog *x)
{
    return ol_render_new(strcmp(x->route->path, "/api/generate") == 0,
                         x->stream, x->model, x->d->manager->loop->clock,
                         x->started);
}

static void render_free(void *r)
{
    ol_render_free(r);
}

static int begin(void *r, pbay_str id, pbay_str model, struct buf *out)
{
    (void)id;
    (void)out;
    return ol_render_begin(r, model);
}

static int event(void *r, const pbay_event *ev, struct buf *out)
{
    return ol_render_event(r, ev, out);
}

static int end(void *r, const pbay_usage *usage, struct buf *out)
{
    return ol_render_end(r, usage, out);
}

/* Each line stands for itself. */
static int resume(struct dialog *x, void *r, pbay_str id, pbay_str model,
                  struct buf *out)
{
    (void)id;
    return ol_render_begin(r, model) | end_line(x, out);
}

const struct chat_form ol_chat_form = {
    .want = PBAY_WANT(PBAY_EV_BEGIN) | PBAY_WANT(PBAY_EV_TEXT) |
            PBAY_WANT(PBAY_EV_REASONING) | PBAY_WANT(PBAY_EV_REFUSAL) |
            PBAY_WANT(PBAY_EV_CALL) | PBAY_WANT(PBAY_EV_BLOCK) |
            PBAY_WANT(PBAY_EV_WARNING),
    .stream_type = "application/x-ndjson",
    .broken = broken,
    .error_json = error_json,
    .render_new = render_new,
    .render_free = render_free,
    .begin = begin,
    .event = event,
    .end = end,
    .rescue = true,
    .passed = passed,
    .resume = resume,
};

/* --- requests ------------------------------------------------------------ */

int ol_read(struct dialog *x, pbay_str body)
{
    struct err e;

    err_clear(&e);
    x->body = body;
    x->stream = true;
    x->started = clock_now(x->d->manager->loop->clock);
    if (dl_scan(x, &e) == 0 && dl_read_model(x, &e) == 0 &&
        dl_read_bool(x, "stream", &x->stream, &e) == 0) {
        if (x->model.n)
            return 0;
        dl_bad(&e, "model", "missing_required_parameter", "model is required");
    }
    dl_error(x, &e);
    return -1;
}

/* The name of a model into x->model: "model", or "name". */
static int take_name(struct dialog *x, struct err *e)
{
    pbay_str name;
    char *p;
    int64_t n;

    if (dl_scan(x, e) < 0 || dl_read_model(x, e) < 0 ||
        dl_read_bool(x, "stream", &x->stream, e) < 0)
        return -1;
    if (x->model.n)
        return 0;
    name = pbay_json_find(x->members, x->n_members, "name");
    p = arena_bytes(&x->req->arena, name.n + 1);
    n = p && pbay_json_type(name) == 's' ? pbay_json_unescape(name, p, name.n)
                                         : -1;
    if (n > 0) {
        x->model = str_n(p, (size_t)n);
        return 0;
    }
    dl_bad(e, "model", "missing_required_parameter", "model is required");
    return -1;
}

/* The others: what is for Ollama itself is left out and told, anything else
 * refused. */
static int check_named(struct dialog *x, struct err *e)
{
    static const char *const left[] = {"insecure", "verbose", "keep_alive",
                                       "options"};
    static const char *const read[] = {"model", "name", "stream"};
    char text[96];

    for (size_t i = 0; i < x->n_members; i++) {
        pbay_str name = x->members[i].k, v = x->members[i].v;
        bool found = pbay_json_type(v) == '0' || pbay_json_is(v, "");
        for (size_t k = 0; k < sizeof(read) / sizeof(*read); k++)
            found |= str_is(name, read[k]);
        for (size_t k = 0; !found && k < sizeof(left) / sizeof(*left); k++) {
            if (!str_is(name, left[k]))
                continue;
            found = true;
            if (!str_is(v, "false")) {
                snprintf(text, sizeof(text),
                         "%s: left out, it is for Ollama itself", left[k]);
                dl_add_header(x, "x-patchbay-warning", str_c(text));
            }
        }
        if (!found) {
            dl_bad(e, "body", "unknown_parameter",
                   "%.*s: there is no such field here; remove it",
                   STR_ARG(str_head(name, 64)));
            return -1;
        }
    }
    return 0;
}

int ol_read_name(struct dialog *x, pbay_str body)
{
    struct call_body canonical;
    struct err e;
    struct buf b;
    int rc;

    err_clear(&e);
    x->body = body;
    x->stream = true;
    rc = take_name(x, &e) < 0 || check_named(x, &e) < 0 ? -1 : 0;
    buf_init(&b, LIM_KIB(64));
    if (rc == 0)
        rc = buf_addc(&b, "{\"model\":") | buf_json(&b, x->model) |
             buf_addc(&b, "}");
    if (rc == 0)
        rc = dl_keep_body(x, buf_str(&b), &canonical, &e);
    else if (!e.kind)
        err_set(&e, ERR_INTERNAL, "out of memory");
    buf_done(&b);
    if (rc == 0)
        dl_use_body(x, &canonical);
    else
        dl_error(x, &e);
    return rc == 0 ? 0 : -1;
}

/* What nobody has taken is told in headers. */
static void tell_left(struct dialog *x, const struct ol_left *left)
{
    char text[128];

    for (size_t i = 0; i < left->n; i++) {
        snprintf(text, sizeof(text),
                 "%s: left out, this provider has no such thing",
                 left->name[i]);
        dl_add_header(x, "x-patchbay-warning", str_c(text));
    }
}

static int translate(void *arg, struct call_body *out, struct err *e)
{
    struct dialog *x = arg;
    struct ol_left left = {.n = 0};
    struct buf b;
    pbay_str plain;
    int rc = dl_plain(x, &plain, e);

    buf_init(&b, LIM_HTTP_BODY * 2);
    if (rc == 0)
        rc = strcmp(x->route->path, "/api/generate") == 0
                 ? ol_generate_to_canonical(plain, &b, &left, e)
                 : ol_chat_to_canonical(plain, &b, &left, e);
    if (rc == 0)
        rc = dl_keep_plain(x, buf_str(&b), out, e);
    buf_done(&b);
    if (rc == 0)
        tell_left(x, &left);
    return rc;
}

static void chat(struct dialog *x, pbay_str body)
{
    struct err e;

    if (ol_read(x, body) < 0)
        return;
    err_clear(&e);
    x->translate = translate;
    if (dl_stand_ins(x, &e) < 0)
        dl_error(x, &e);
    else
        dl_chat(x);
}

int ol_try(struct dialog *x, const char *instance, const struct call_sink *sink,
           struct err *e)
{
    struct call_request r = {
        .op = x->op,
        .stream = x->stream,
        .no_pass = true,
        .want = PBAY_WANT(PBAY_EV_ITEM) | PBAY_WANT(PBAY_EV_BEGIN) |
                PBAY_WANT(PBAY_EV_VECTOR),
        .id = str_c(x->id),
        .model = x->model,
        .dialect = STR("canonical/1"),
        .body = x->body,
        .members = x->members,
        .n_members = x->n_members,
        .key_name = x->key_name,
        .instance = instance,
    };
    struct call_request own;
    int rc;

    err_clear(e);
    if (!instance) { /* what the client's headers say of the way */
        if (dl_request(x, &own, e) < 0)
            return -1;
        r.route = own.route;
        r.task = own.task;
        r.debug = x->debug;
        r.no_choice = own.no_choice;
        r.deadline_ms = own.deadline_ms;
        r.header = own.header;
        r.header_arg = own.header_arg;
        r.headers = own.headers;
        r.n_headers = own.n_headers;
    }
    sink = dl_inside_sink(x, sink);
    rc = embed_start(x->d->manager, &r, sink, x, &x->split, e);
    if (rc)
        return rc < 0 ? -1 : 0;
    x->call = call_start(x->d->manager, &r, sink, x, e);
    return x->call ? 0 : -1;
}

void ol_start(struct dialog *x, const char *instance,
              const struct call_sink *sink)
{
    struct err e;

    if (ol_try(x, instance, sink, &e) < 0)
        dl_error(x, &e);
}

void ol_failed(struct dialog *x, const struct err *e,
               const struct call_report *r)
{
    struct err lost;

    if (!e) {
        dl_lost(&lost);
        e = &lost;
    }
    x->n_headers = 0;
    dl_route_headers(x, r);
    dl_error(x, e);
}

/* --- what needs no provider ---------------------------------------------- */

static void running(struct dialog *x)
{
    dl_add_header(x, "content-type", STR("text/plain; charset=utf-8"));
    http_reply(x->req, 200, x->headers, x->n_headers, STR("Ollama is running"));
}

static void version(struct dialog *x)
{
    dl_json(x, 200, STR("{\"version\":\"" OL_VERSION "\"}"));
}

#define ROUTE(m, p, o, d, r, ...)                                            \
    {                                                                        \
        .method = (m), .path = (p), .op = (o), .dialect = (d), .right = (r), \
        .form = &ol_chat_form, .any_type = true, __VA_ARGS__                 \
    }

const struct dl_route ol_routes[] = {
    ROUTE("POST", "/api/chat", PBAY_OP_CHAT, "ollama.chat/1", RIGHT_CHAT,
          .take = chat),
    ROUTE("POST", "/api/generate", PBAY_OP_CHAT, "ollama.generate/1",
          RIGHT_CHAT, .take = chat),
    ROUTE("POST", "/api/embed", PBAY_OP_EMBED, NULL, RIGHT_CHAT,
          .take = ol_embed),
    ROUTE("POST", "/api/embeddings", PBAY_OP_EMBED, NULL, RIGHT_CHAT,
          .take = ol_embeddings),
    ROUTE("GET", "/api/tags", PBAY_OP_LIST, NULL, RIGHT_CHAT,
          .handle = ol_tags),
    ROUTE("POST", "/api/show", PBAY_OP_SHOW, NULL, RIGHT_CHAT, .take = ol_show),
    ROUTE("GET", "/api/ps", PBAY_OP_PS, NULL, RIGHT_CHAT, .handle = ol_ps),
    ROUTE("GET", "/api/version", 0, NULL, RIGHT_CHAT, .handle = version),
    ROUTE("POST", "/api/pull", PBAY_OP_PULL, NULL, RIGHT_MODELS,
          .take = ol_pull),
    ROUTE("DELETE", "/api/delete", PBAY_OP_DELETE, NULL, RIGHT_MODELS,
          .take = ol_delete),
    ROUTE("GET", "/", 0, NULL, 0, .handle = running),
    {.method = NULL},
};
