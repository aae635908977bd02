/* SPDX-License-Identifier: MIT */
/* Operations on one provider: request in, items out as JSON. */
#include "dialect/ops_int.h"

#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "base/tokens.h"
#include "dialect/openai.h"
#include "manager/count.h"
#include "manager/op.h"
#include <patchbay/json.h>

/* --- calls --------------------------------------------------------------- */

void ops_start(struct dialog *x, const struct instance *in,
               const struct call_sink *sink)
{
    struct call_request r = {
        .op = x->op,
        .stream = x->stream,
        .no_pass = true,
        .want = PBAY_WANT(PBAY_EV_ITEM) | PBAY_WANT(PBAY_EV_BEGIN),
        .id = str_c(x->id),
        .model = x->model,
        .dialect = STR("canonical/1"),
        .body = x->body,
        .members = x->members,
        .n_members = x->n_members,
        .key_name = x->key_name,
        .instance = in ? in->name : NULL, /* no routing */
    };
    struct err e;

    if (!in) { /* by the model's name, with what headers say of the way */
        dl_start(x, sink, r.want);
        return;
    }
    x->call = call_start(x->d->manager, &r, sink, x, &e);
    if (!x->call && (!x->instead || !x->instead(x, &e)))
        dl_error(x, &e);
}

static void items_begin(void *arg, const struct call_head *h,
                        const struct call_report *r)
{
    struct dialog *x = arg;

    (void)h;
    dl_route_headers(x, r);
    buf_init(&x->whole, LIM_REPLY);
}

static void items_bytes(void *arg, pbay_str raw)
{
    (void)arg;
    (void)raw; /* never: only events are asked for */
}

static void items_event(void *arg, const pbay_event *ev)
{
    struct dialog *x = arg;

    if (ev->type != PBAY_EV_ITEM)
        return;
    if (pbay_json_check(ev->json, NULL) < 0 ||
        (x->whole.n && buf_addc(&x->whole, ",") < 0) ||
        buf_add(&x->whole, ev->json) < 0)
        x->lost = true;
}

static const char *object_of(const struct dialog *x)
{
    return x->op == PBAY_OP_CREDITS && str_ends(x->req->path, "/key")
               ? "key"
               : op_name(x->op);
}

/* {"object":..,"provider":..,"data":the item, or the list of them} */
static void reply_items(struct dialog *x, const struct call_report *r)
{
    struct buf b;
    bool list = x->op == PBAY_OP_PS;

    buf_init(&b, LIM_REPLY + LIM_MIB(1));
    buf_printf(&b, "{\"object\":\"%s\",\"provider\":",
               list                    ? "list"
               : x->op == PBAY_OP_SHOW ? "model"
                                       : object_of(x));
    buf_json(&b, str_c(r->provider));
    if (x->op == PBAY_OP_SHOW) {
        buf_addc(&b, ",\"id\":");
        buf_json(&b, x->rest);
    }
    buf_addc(&b, list ? ",\"data\":[" : ",\"data\":");
    buf_add(&b, x->whole.n || list ? buf_str(&x->whole) : STR("null"));
    buf_addc(&b, list ? "]}" : "}");
    dl_json(x, 200, buf_str(&b));
    buf_done(&b);
}

/* A number, and whether somebody guessed it. */
static void reply_count(struct dialog *x, const struct call_report *r)
{
    pbay_str item = buf_str(&x->whole);
    pbay_str n = pbay_json_get(item, "input_tokens");
    bool guess = pbay_json_true(pbay_json_get(item, "estimated")) ||
                 (r->usage.flags & PBAY_U_ESTIMATED);
    struct buf b;

    buf_init(&b, LIM_KIB(64));
    buf_addc(&b, "{\"object\":\"token_count\",\"provider\":");
    buf_json(&b, str_c(r->provider));
    buf_addc(&b, ",\"model\":");
    buf_json(&b, r->model);
    buf_addc(&b, ",\"input_tokens\":");
    buf_add(&b, pbay_json_type(n) == 'n' ? n : STR("null"));
    buf_printf(&b, ",\"estimated\":%s}", guess ? "true" : "false");
    dl_json(x, 200, buf_str(&b));
    buf_done(&b);
}

/* The provider cannot count, or cannot be reached: then the host does. */
static bool estimate(struct dialog *x, const struct err *e)
{
    struct buf b;

    if (!count_may_estimate(e))
        return false;
    x->n_headers = 0;
    dl_route_headers(x, NULL);
    dl_add_header(x, "x-patchbay-estimate", STR("true"));
    buf_init(&b, LIM_KIB(64));
    buf_addc(&b, "{\"object\":\"token_count\",\"provider\":null,\"model\":");
    buf_json(&b, x->model);
    buf_printf(&b, ",\"input_tokens\":%llu,\"estimated\":true}",
               (unsigned long long)tokens_of_chat(x->members, x->n_members));
    dl_json(x, 200, buf_str(&b));
    buf_done(&b);
    return true;
}

static void items_end(void *arg, const struct err *e,
                      const struct call_report *r)
{
    struct dialog *x = arg;
    struct err own;

    x->call = NULL;
    err_clear(&own);
    if (!e && x->lost) {
        dl_lost(&own);
        e = &own;
    } else if (!e && !x->whole.n && x->op != PBAY_OP_PS) {
        err_set(&own, PBAY_E_PROTOCOL, "%s answered with nothing", r->provider);
        e = &own;
    }
    if (e && x->instead && x->instead(x, e))
        return;
    if (e) {
        x->n_headers = 0;
        dl_route_headers(x, r);
        dl_error(x, e);
    } else if (x->op == PBAY_OP_COUNT) {
        reply_count(x, r);
    } else {
        reply_items(x, r);
    }
}

static const struct call_sink items_sink = {items_begin, items_bytes,
                                            items_event, items_end};

/* --- health: an answer in any case --------------------------------------- */

static void told_health(void *arg, const struct err *e,
                        const struct call_report *r)
{
    struct dialog *x = arg;
    pbay_str detail = pbay_json_get(buf_str(&x->whole), "detail");
    struct buf b;

    x->call = NULL;
    x->n_headers = 0;
    dl_route_headers(x, r);
    buf_init(&b, LIM_KIB(64));
    buf_addc(&b, "{\"object\":\"health\",\"provider\":");
    buf_json(&b, str_c(r->provider));
    buf_printf(&b, ",\"ok\":%s,\"detail\":", e ? "false" : "true");
    if (e)
        buf_json(&b, str_c(err_text(e)));
    else
        buf_add(&b, pbay_json_type(detail) == 's' ? detail : STR("null"));
    if (e)
        buf_printf(&b, ",\"error\":\"%s\"", err_class(e->kind)->name);
    buf_printf(&b, ",\"ms\":%lld}", (long long)r->total_ms);
    dl_json(x, e ? 503 : 200, buf_str(&b));
    buf_done(&b);
}

static const struct call_sink health_sink = {items_begin, items_bytes,
                                             items_event, told_health};

/* --- which provider ------------------------------------------------------ */

const struct instance *ops_find(struct dialog *x)
{
    const struct snapshot *s = x->d->manager->current;
    const struct instance *in = snapshot_find(s, x->rest);
    struct err e;

    if (in && (!x->op || (in->ops & PBAY_OP_BIT(x->op))))
        return in;
    err_clear(&e);
    if (in)
        err_set(&e, ERR_NOT_SUPPORTED, "provider %s has no such operation (%s)",
                in->name, op_name(x->op));
    else
        err_set(&e, ERR_NO_ROUTE,
                "there is no provider \"%.*s\"; see GET /v1/providers",
                STR_ARG(x->rest));
    dl_error(x, &e);
    return NULL;
}

/* The body of an operation, one member of text at most. */
static int make_body(struct dialog *x, const char *name, pbay_str value)
{
    struct buf b;
    struct err e;
    int rc = 0;

    buf_init(&b, LIM_KIB(64));
    rc = buf_addc(&b, "{");
    if (name) {
        rc |= buf_printf(&b, "\"%s\":", name);
        rc |= buf_json(&b, value);
    }
    rc |= buf_addc(&b, "}");
    x->body = rc < 0 ? STR_NONE : arena_dup(&x->req->arena, buf_str(&b));
    buf_done(&b);
    err_clear(&e);
    if (x->body.n && dl_scan(x, &e) == 0)
        return 0;
    if (!e.kind)
        err_set(&e, ERR_INTERNAL, "out of memory");
    dl_error(x, &e);
    return -1;
}

static void plain(struct dialog *x)
{
    const struct instance *in = ops_find(x);

    if (in && make_body(x, NULL, STR_NONE) == 0)
        ops_start(x, in, x->op == PBAY_OP_HEALTH ? &health_sink : &items_sink);
}

static void key_info(struct dialog *x)
{
    const struct instance *in = ops_find(x);

    if (in && make_body(x, "of", STR("key")) == 0)
        ops_start(x, in, &items_sink);
}

static void generation(struct dialog *x)
{
    const struct instance *in = ops_find(x);

    if (in && make_body(x, "id", x->part) == 0)
        ops_start(x, in, &items_sink);
}

void ops_show(struct dialog *x, pbay_str model)
{
    x->op = PBAY_OP_SHOW;
    x->model = model;
    if (make_body(x, NULL, STR_NONE) == 0)
        ops_start(x, NULL, &items_sink);
}

static void count(struct dialog *x, pbay_str body)
{
    struct err e;

    err_clear(&e);
    x->op = PBAY_OP_CHAT; /* the body is one of a chat */
    if (oa_read_body(x, body, &e) < 0) {
        dl_error(x, &e);
        return;
    }
    x->stream = false;
    x->op = PBAY_OP_COUNT;
    x->instead = estimate;
    ops_start(x, NULL, &items_sink);
}

#define HOLD(p, h)                                                             \
    {                                                                          \
        .method = "POST", .path = (p), .right = RIGHT_ADMIN, .form = &oa_form, \
        .handle = (h)                                                          \
    }

#define GET(p, o, r, h)                                        \
    {                                                          \
        .method = "GET", .path = (p), .op = (o), .right = (r), \
        .form = &oa_form, .handle = (h)                        \
    }

const struct dl_route ops_routes[] = {
    GET("/v1/providers", 0, RIGHT_CHAT, ops_providers),
    GET("/v1/providers/{provider}", 0, RIGHT_CHAT, ops_providers),
    GET("/v1/providers/{provider}/health", PBAY_OP_HEALTH, RIGHT_CHAT, plain),
    GET("/v1/providers/{provider}/ps", PBAY_OP_PS, RIGHT_CHAT, plain),
    GET("/v1/providers/{provider}/credits", PBAY_OP_CREDITS, RIGHT_REPORTS,
        plain),
    GET("/v1/providers/{provider}/key", PBAY_OP_CREDITS, RIGHT_REPORTS,
        key_info),
    GET("/v1/providers/{provider}/generations/{id}", PBAY_OP_GENERATION,
        RIGHT_REPORTS, generation),
    HOLD("/v1/providers/{provider}/drain", ops_drain),
    HOLD("/v1/providers/{provider}/disable", ops_disable),
    HOLD("/v1/providers/{provider}/enable", ops_enable),
    HOLD("/v1/providers/{provider}/reset", ops_reset),
    {.method = "POST",
     .path = "/v1/count_tokens",
     .op = PBAY_OP_COUNT,
     .right = RIGHT_CHAT,
     .form = &oa_form,
     .take = count},
    {.method = "POST",
     .path = "/v1/models/pull",
     .op = PBAY_OP_PULL,
     .right = RIGHT_MODELS,
     .form = &oa_form,
     .take = ops_pull},
    {.method = "DELETE",
     .path = "/v1/models/",
     .op = PBAY_OP_DELETE,
     .right = RIGHT_MODELS,
     .form = &oa_form,
     .handle = ops_delete},
    {.method = NULL},
};
