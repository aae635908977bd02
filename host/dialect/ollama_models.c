/* SPDX-License-Identifier: MIT */
/* Ollama's GET /api/tags, POST /api/show and GET /api/ps: the models of all
 * providers, each as provider/model, which is a name that always resolves. What
 * an Ollama server says of its own is told as it stands; of others what their
 * lists say. */
#include "dialect/ollama.h"

#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "dialect/ollama_out.h"
#include "manager/model_find.h"
#include "manager/router.h"
#include <patchbay/json.h>

/* --- parts --------------------------------------------------------------- */

/* Our words for what a model can do, in Ollama's. */
static int put_capabilities(struct buf *b, pbay_str list)
{
    static const struct {
        const char *ours, *theirs;
    } words[] = {{"text", "completion"},      {"tools", "tools"},
                 {"vision", "vision"},        {"reasoning", "thinking"},
                 {"embeddings", "embedding"}, {"image_generation", "image"}};
    const char *sep = "";
    int rc = buf_addc(b, "[");

    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        size_t pos = 0;
        pbay_str v;
        while (pbay_json_next(list, &pos, NULL, &v) > 0)
            if (pbay_json_is(v, words[i].ours)) {
                rc |= buf_printf(b, "%s\"%s\"", sep, words[i].theirs);
                sep = ",";
                break;
            }
    }
    return rc | buf_addc(b, "]");
}

/* A member of Ollama's own object, else what stands for it. */
static int put_own(struct buf *b, const char *name, pbay_str raw, char type,
                   const char *otherwise)
{
    pbay_str v = pbay_json_get(raw, name);
    int rc = buf_printf(b, ",\"%s\":", name);

    return rc |
           (pbay_json_type(v) == type ? buf_add(b, v) : buf_addc(b, otherwise));
}

static int put_details(struct buf *b, const char *provider, pbay_str raw)
{
    pbay_str v = pbay_json_get(raw, "details");
    int rc = buf_addc(b, ",\"details\":");

    if (pbay_json_type(v) == 'o')
        return rc | buf_add(b, v);
    rc |= buf_addc(b, "{\"parent_model\":\"\",\"format\":\"\",\"family\":");
    rc |= buf_json(b, str_c(provider));
    rc |= buf_addc(b, ",\"families\":[");
    rc |= buf_json(b, str_c(provider));
    return rc | buf_addc(b, "],\"parameter_size\":\"\",\"quantization_level\":"
                            "\"\"}");
}

static int put_modified(struct buf *b, pbay_str raw, pbay_str json)
{
    pbay_str v = pbay_json_get(raw, "modified_at");
    int64_t created = 0;
    int rc = buf_addc(b, ",\"modified_at\":");

    if (pbay_json_type(v) == 's')
        return rc | buf_add(b, v);
    pbay_json_i64(pbay_json_get(json, "created"), &created);
    return rc | ol_put_time(b, created > 0 ? created * 1000 : 0);
}

static int put_name(struct buf *b, const char *member, const char *provider,
                    pbay_str id)
{
    struct buf name;
    int rc;

    buf_init(&name, LIM_KIB(64));
    rc = buf_printf(&name, "%s/", provider) | buf_add(&name, id);
    rc |= buf_printf(b, "\"%s\":", member);
    rc |= buf_json(b, buf_str(&name));
    buf_done(&name);
    return rc;
}

/* --- tags ---------------------------------------------------------------- */

static int put_tag(struct buf *b, const struct model_row *m)
{
    pbay_str raw = pbay_json_get(m->json, "raw");
    int rc = buf_addc(b, "{") | put_name(b, "name", m->provider, m->id);

    rc |= buf_addc(b, ",") | put_name(b, "model", m->provider, m->id);
    rc |= put_modified(b, raw, m->json);
    rc |= put_own(b, "size", raw, 'n', "0");
    rc |= put_own(b, "digest", raw, 's', "\"\"");
    rc |= put_details(b, m->provider, raw);
    rc |= buf_addc(b, ",\"capabilities\":");
    rc |= put_capabilities(b, pbay_json_get(m->json, "capabilities"));
    return rc | buf_addc(b, "}");
}

static void too_large(struct dialog *x)
{
    struct err e;

    err_clear(&e);
    err_set(&e, ERR_REPLY_TOO_LARGE, "the list of models is too large");
    dl_error(x, &e);
}

static void tags_listed(void *arg)
{
    struct dialog *x = arg;
    struct model_wish all = {.sort = MODEL_SORT_NONE};
    struct model_row *rows = NULL;
    size_t n = 0;
    int rc;

    x->listing = NULL;
    dl_route_headers(x, NULL);
    buf_init(&x->whole, LIM_REPLY);
    rc = model_find(x->d->manager->current, x->d->manager->models, &all,
                    &x->req->arena, &rows, &n);
    rc |= buf_addc(&x->whole, "{\"models\":[");
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = (i ? buf_addc(&x->whole, ",") : 0) | put_tag(&x->whole, &rows[i]);
    rc |= buf_addc(&x->whole, "]}");
    if (rc < 0)
        too_large(x);
    else
        dl_json(x, 200, buf_str(&x->whole));
}

void ol_tags(struct dialog *x)
{
    struct listing_job *job =
        listing_start(x->d->manager, NULL, LISTING_FRESH_MS, tags_listed, x);

    if (job)
        x->listing = job;
}

/* --- show ---------------------------------------------------------------- */

/* What is known of a model that no Ollama server has: its window as the GGUF
 * key that clients look for. */
static int put_shown(struct buf *b, const char *provider, pbay_str json)
{
    pbay_str window = pbay_json_get(json, "context_window");
    int rc = buf_addc(b, "{\"license\":\"\",\"modelfile\":\"\","
                         "\"parameters\":\"\",\"template\":\"\"");

    rc |= put_details(b, provider, STR_NONE);
    rc |= put_modified(b, STR_NONE, json);
    rc |= buf_addc(b, ",\"model_info\":{\"general.architecture\":\"remote\"");
    if (pbay_json_type(window) == 'n')
        rc |= buf_addc(b, ",\"remote.context_length\":") | buf_add(b, window);
    rc |= buf_addc(b, "},\"capabilities\":");
    rc |= put_capabilities(b, pbay_json_get(json, "capabilities"));
    return rc | buf_addc(b, "}");
}

static void show_begin(void *arg, const struct call_head *h,
                       const struct call_report *r)
{
    struct dialog *x = arg;

    (void)h;
    dl_route_headers(x, r);
    buf_init(&x->whole, LIM_REPLY);
}

static void no_bytes(void *arg, pbay_str raw)
{
    (void)arg;
    (void)raw; /* never: only events are asked for */
}

static void keep_item(void *arg, const pbay_event *ev)
{
    struct dialog *x = arg;

    if (ev->type == PBAY_EV_ITEM && str_is(ev->name, "model") && !x->whole.n &&
        buf_add(&x->whole, ev->json) < 0)
        x->lost = true;
}

static void reply_shown(struct dialog *x, const char *provider, pbay_str json)
{
    pbay_str raw = pbay_json_get(json, "raw");
    struct buf b;

    buf_init(&b, LIM_REPLY);
    if (pbay_json_type(pbay_json_get(raw, "model_info")) == 'o')
        dl_json(x, 200, raw);
    else if (put_shown(&b, provider, json) < 0)
        too_large(x);
    else
        dl_json(x, 200, buf_str(&b));
    buf_done(&b);
}

static void show_end(void *arg, const struct err *e,
                     const struct call_report *r)
{
    struct dialog *x = arg;

    x->call = NULL;
    if (e || x->lost || !x->whole.n)
        ol_failed(x, e, r);
    else
        reply_shown(x, r->provider, buf_str(&x->whole));
}

static const struct call_sink show_sink = {show_begin, no_bytes, keep_item,
                                           show_end};

struct wanted {
    pbay_str id;
    struct buf json;
};

static void look(void *arg, const char *provider, pbay_str id, pbay_str json)
{
    struct wanted *w = arg;

    (void)provider;
    if (!w->json.n && str_eq(id, w->id))
        buf_add(&w->json, json);
}

/* Of a provider that describes no single model: from its list. */
static void show_listed(struct dialog *x, const struct target *t)
{
    struct wanted w = {.id = t->model};

    buf_init(&w.json, LIM_REPLY);
    model_index_each(x->d->manager->models, t->instance->name, look, &w);
    dl_route_headers(x, NULL);
    reply_shown(x, t->instance->name, w.json.n ? buf_str(&w.json) : STR("{}"));
    buf_done(&w.json);
}

static void show_found(void *arg)
{
    struct dialog *x = arg;
    const struct snapshot *s = x->d->manager->current;
    struct plan plan;
    struct err e;

    x->listing = NULL;
    err_clear(&e);
    if (!s)
        err_set(&e, ERR_UNAVAILABLE, "the host is shutting down");
    else if (plan_make(s, x->d->manager->models, PBAY_OP_SHOW, x->model,
                       &x->req->arena, &plan, &e) == 0) {
        ol_start(x, NULL, &show_sink);
        return;
    } else {
        err_clear(&e);
        if (plan_make(s, x->d->manager->models, PBAY_OP_LIST, x->model,
                      &x->req->arena, &plan, &e) == 0) {
            show_listed(x, &plan.targets[0]);
            return;
        }
    }
    dl_error(x, &e);
}

void ol_show(struct dialog *x, pbay_str body)
{
    struct listing_job *job;

    if (ol_read_name(x, body) < 0)
        return;
    x->stream = false;
    job = listing_start(x->d->manager, NULL, LISTING_FRESH_MS, show_found, x);
    if (job)
        x->listing = job;
}

/* --- ps ------------------------------------------------------------------ */

/* One provider after the other; `own` counts them. */
struct running {
    size_t at;
    const char *provider;
    bool any;
};

static void ps_next(struct dialog *x);

static void ps_begin(void *arg, const struct call_head *h,
                     const struct call_report *r)
{
    (void)arg;
    (void)h;
    (void)r;
}

static int put_running(struct buf *b, const char *provider, pbay_str name,
                       pbay_str json)
{
    pbay_str raw = pbay_json_get(json, "raw");
    pbay_str v;
    int rc = buf_addc(b, "{");

    rc |= put_name(b, "name", provider, name) | buf_addc(b, ",");
    rc |= put_name(b, "model", provider, name);
    rc |=
        put_own(b, "size", pbay_json_get(raw, "size").p ? raw : json, 'n', "0");
    rc |= put_own(b, "digest", raw, 's', "\"\"");
    rc |= put_details(b, provider, raw);
    v = pbay_json_get(json, "expires");
    if (pbay_json_type(v) != 's')
        v = pbay_json_get(raw, "expires_at");
    if (pbay_json_type(v) == 's')
        rc |= buf_addc(b, ",\"expires_at\":") | buf_add(b, v);
    v = pbay_json_get(json, "vram");
    rc |= buf_addc(b, ",\"size_vram\":");
    rc |= pbay_json_type(v) == 'n' ? buf_add(b, v) : buf_addc(b, "0");
    v = pbay_json_get(json, "context_window");
    if (pbay_json_type(v) == 'n')
        rc |= buf_addc(b, ",\"context_length\":") | buf_add(b, v);
    return rc | buf_addc(b, "}");
}

static void ps_event(void *arg, const pbay_event *ev)
{
    struct dialog *x = arg;
    struct running *run = x->own;
    char name[512];
    int64_t n;

    if (ev->type != PBAY_EV_ITEM || !str_is(ev->name, "running"))
        return;
    n = pbay_json_unescape(pbay_json_get(ev->json, "model"), name,
                           sizeof(name));
    if (n <= 0) /* no name, no use */
        return;
    if ((run->any && buf_addc(&x->whole, ",") < 0) ||
        put_running(&x->whole, run->provider, str_n(name, (size_t)n),
                    ev->json) < 0)
        x->lost = true;
    run->any = true;
}

/* A provider that is down has nothing in memory that one could use. */
static void ps_end(void *arg, const struct err *e, const struct call_report *r)
{
    struct dialog *x = arg;

    (void)e;
    (void)r;
    x->call = NULL;
    ps_next(x);
}

static const struct call_sink ps_sink = {ps_begin, no_bytes, ps_event, ps_end};

static void ps_next(struct dialog *x)
{
    const struct snapshot *s = x->d->manager->current;
    struct running *run = x->own;
    struct err e; /* as if it had failed later, see ps_end() */

    while (s && run->at < s->n) {
        struct instance *in = s->instances[run->at++];
        if (in->ops & PBAY_OP_BIT(PBAY_OP_PS)) {
            run->provider = arena_dup(&x->req->arena, str_c(in->name)).p;
            if (!run->provider)
                break;
            if (ol_try(x, in->name, &ps_sink, &e) == 0)
                return;
        }
    }
    if (x->lost || buf_addc(&x->whole, "]}") < 0) {
        too_large(x);
        return;
    }
    dl_route_headers(x, NULL);
    dl_json(x, 200, buf_str(&x->whole));
}

void ol_ps(struct dialog *x)
{
    x->own = arena_alloc(&x->req->arena, sizeof(struct running));
    x->body = STR("{}");
    buf_init(&x->whole, LIM_REPLY);
    if (!x->own || buf_addc(&x->whole, "{\"models\":[") < 0) {
        too_large(x);
        return;
    }
    ps_next(x);
}
