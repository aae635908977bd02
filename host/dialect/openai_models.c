/* SPDX-License-Identifier: MIT */
/* GET /v1/models and /v1/models/{id}: all providers' models in one list, each
 * as provider/model, which is a name that always resolves. */
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "dialect/anthropic.h"
#include "dialect/openai.h"
#include "dialect/ops.h"
#include "manager/router.h"
#include <patchbay/json.h>

struct list {
    struct buf *out;
    pbay_str only; /* a bare id; empty: all */
    bool found;
    bool full;              /* not everything fits */
    bool anthropic;         /* the other API's form of it */
    struct buf first, last; /* its ids of both ends */
};

static bool ours(pbay_str key)
{
    static const char *const set[] = {"id", "object", "created", "owned_by",
                                      "raw"};
    for (size_t i = 0; i < sizeof(set) / sizeof(*set); i++)
        if (str_is(key, set[i]))
            return true;
    return false;
}

static int put_openai(struct buf *b, const char *provider, pbay_str name,
                      pbay_str json)
{
    pbay_str created = pbay_json_get(json, "created");
    pbay_str owner = pbay_json_get(json, "owned_by");
    pbay_str key, value;
    size_t pos = 0;
    int rc = buf_addc(b, "{\"id\":");

    rc |= buf_json(b, name);
    rc |= buf_addc(b, ",\"object\":\"model\",\"created\":");
    rc |= buf_add(b, pbay_json_type(created) == 'n' ? created : STR("0"));
    rc |= buf_addc(b, ",\"owned_by\":");
    if (pbay_json_type(owner) == 's')
        rc |= buf_add(b, owner);
    else
        rc |= buf_json(b, str_c(provider));
    while (pbay_json_next(json, &pos, &key, &value) > 0) {
        if (ours(key))
            continue;
        rc |= buf_addc(b, ",\"");
        rc |= buf_add(b, key);
        rc |= buf_addc(b, "\":");
        rc |= buf_add(b, value);
    }
    return rc | buf_addc(b, "}");
}

static int put_model(struct list *l, const char *provider, pbay_str id,
                     pbay_str json)
{
    struct buf name;
    int rc;

    buf_init(&name, LIM_MIB(1));
    rc = buf_printf(&name, "%s/", provider) | buf_add(&name, id);
    if (l->anthropic) {
        rc |= an_put_model(l->out, buf_str(&name), json);
        buf_reset(&l->last, LIM_KIB(4));
        rc |= buf_json(&l->last, buf_str(&name));
        if (!l->first.n)
            rc |= buf_json(&l->first, buf_str(&name));
    } else {
        rc |= put_openai(l->out, provider, buf_str(&name), json);
    }
    buf_done(&name);
    return rc;
}

static void each(void *arg, const char *provider, pbay_str id, pbay_str json)
{
    struct list *l = arg;

    if (l->full || (l->only.n && (!str_eq(l->only, id) || l->found)))
        return;
    if (!l->only.n && l->found && buf_addc(l->out, ",") < 0)
        l->full = true;
    l->found = true;
    if (put_model(l, provider, id, json) < 0)
        l->full = true;
}

/* One model of a provider. */
static void put_provider(struct dialog *x, const struct instance *in,
                         struct list *l)
{
    struct model_wish wish = {.provider = str_c(in->name), .id = l->only};
    struct model_row *rows;
    struct arena a;
    size_t n;

    arena_init(&a, LIM_REPLY);
    if (model_find(x->d->manager->current, x->d->manager->models, &wish, &a,
                   &rows, &n) < 0)
        l->full = true;
    for (size_t i = 0; !l->full && i < n; i++)
        each(l, in->name, rows[i].id, rows[i].json);
    arena_done(&a);
}

static void too_large(struct dialog *x)
{
    struct err e;

    err_clear(&e);
    err_set(&e, ERR_REPLY_TOO_LARGE, "the list of models is too large");
    dl_error(x, &e);
}

static void list_open(struct dialog *x, struct list *l)
{
    l->out = &x->whole;
    l->anthropic = x->form == &an_form;
    buf_init(&l->first, LIM_MIB(1));
    buf_init(&l->last, LIM_MIB(1));
}

static void list_close(struct list *l)
{
    buf_done(&l->first);
    buf_done(&l->last);
}

/* There is one page: whatever `limit` says, it is the last. */
static int put_end(struct list *l)
{
    int rc;

    if (!l->anthropic)
        return buf_addc(l->out, "]}");
    rc = buf_addc(l->out, "],\"has_more\":false,\"first_id\":");
    rc |= l->first.n ? buf_add(l->out, buf_str(&l->first))
                     : buf_addc(l->out, "null");
    rc |= buf_addc(l->out, ",\"last_id\":");
    rc |= l->last.n ? buf_add(l->out, buf_str(&l->last))
                    : buf_addc(l->out, "null");
    return rc | buf_addc(l->out, "}");
}

static void reply_list(struct dialog *x)
{
    const struct snapshot *s = x->d->manager->current;
    struct list l = {0};
    struct model_wish wish;
    struct model_row *rows;
    struct arena a;
    struct err e;
    size_t n;

    err_clear(&e);
    if (ops_read_wish(x, &wish, &e) < 0) {
        dl_error(x, &e);
        return;
    }
    arena_init(&a, LIM_REPLY);
    list_open(x, &l);
    buf_addc(&x->whole,
             l.anthropic ? "{\"data\":[" : "{\"object\":\"list\",\"data\":[");
    if (!s || model_find(s, x->d->manager->models, &wish, &a, &rows, &n) < 0)
        l.full = true;
    for (size_t i = 0; !l.full && i < n; i++)
        each(&l, rows[i].provider, rows[i].id, rows[i].json);
    if (put_end(&l) < 0 || l.full)
        too_large(x);
    else
        dl_json(x, 200, buf_str(&x->whole));
    list_close(&l);
    arena_done(&a);
}

static void reply_one(struct dialog *x)
{
    const struct snapshot *s = x->d->manager->current;
    struct list l = {.only = x->model};
    struct plan plan;
    struct err e;

    err_clear(&e);
    list_open(x, &l);
    if (!s || plan_make(s, x->d->manager->models, PBAY_OP_CHAT, x->model,
                        &x->req->arena, &plan, &e) < 0) {
        /* Not a chat model, perhaps: look at the lists themselves. */
        for (size_t i = 0; s && i < s->n && !l.found; i++)
            put_provider(x, s->instances[i], &l);
    } else {
        const char *name = plan.targets[0].instance->name;
        l.only = plan.targets[0].model;
        put_provider(x, plan.targets[0].instance, &l);
        /* A provider whose list is not known may well have it. */
        if (!l.found && model_index_age(x->d->manager->models, name, 0) < 0)
            each(&l, name, l.only, STR("{}"));
    }
    list_close(&l);
    if (l.full) {
        too_large(x);
        return;
    }
    if (l.found) {
        dl_json(x, 200, buf_str(&x->whole));
        return;
    }
    if (!e.kind)
        err_set(&e, ERR_NO_MODEL, "no provider has a model \"%.*s\"",
                STR_ARG(x->model));
    dl_error(x, &e);
}

static void listed(void *arg)
{
    struct dialog *x = arg;

    x->listing = NULL;
    dl_route_headers(x, NULL);
    buf_init(&x->whole, LIM_REPLY);
    if (x->model.n)
        reply_one(x);
    else
        reply_list(x);
}

void oa_models(struct dialog *x, pbay_str id)
{
    struct listing_job *job;

    x->model = id;
    job = listing_start(x->d->manager, NULL, LISTING_FRESH_MS, listed, x);
    if (job)
        x->listing = job;
}
