/* SPDX-License-Identifier: MIT */
/* GET /v1/models and /v1/models/{id}: all providers' models in one list, each
 * as provider/model, which is a name that always resolves. */
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "dialect/openai.h"
#include "manager/router.h"
#include <patchbay/json.h>

struct list {
    struct buf *out;
    pbay_str only; /* a bare id; empty: all */
    bool found;
    bool full; /* not everything fits */
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

static int put_model(struct buf *b, const char *provider, pbay_str id,
                     pbay_str json)
{
    pbay_str created = pbay_json_get(json, "created");
    pbay_str owner = pbay_json_get(json, "owned_by");
    pbay_str key, value;
    size_t pos = 0;
    struct buf name;
    int rc = 0;

    buf_init(&name, LIM_MIB(1));
    rc |= buf_printf(&name, "%s/", provider);
    rc |= buf_add(&name, id);
    rc |= buf_addc(b, "{\"id\":");
    rc |= buf_json(b, buf_str(&name));
    buf_done(&name);
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

static void each(void *arg, const char *provider, pbay_str id, pbay_str json)
{
    struct list *l = arg;

    if (l->full || (l->only.n && (!str_eq(l->only, id) || l->found)))
        return;
    if (!l->only.n && l->found && buf_addc(l->out, ",") < 0)
        l->full = true;
    l->found = true;
    if (put_model(l->out, provider, id, json) < 0)
        l->full = true;
}

/* Listed models, then configured ones that the listing lacks. */
static void put_provider(struct oa *x, const struct instance *in,
                         struct list *l)
{
    struct model_index *mi = x->d->manager->models;

    model_index_each(mi, in->name, each, l);
    for (char **m = in->cfg->models; *m; m++)
        if (!model_index_has(mi, in->name, str_c(*m)))
            each(l, in->name, str_c(*m), STR("{}"));
}

static void too_large(struct oa *x)
{
    struct err e;

    err_clear(&e);
    err_set(&e, ERR_REPLY_TOO_LARGE, "the list of models is too large");
    oa_error(x, &e);
}

static void reply_list(struct oa *x)
{
    const struct snapshot *s = x->d->manager->current;
    struct list l = {.out = &x->whole};

    buf_addc(&x->whole, "{\"object\":\"list\",\"data\":[");
    for (size_t i = 0; s && i < s->n; i++)
        put_provider(x, s->instances[i], &l);
    if (buf_addc(&x->whole, "]}") < 0 || l.full) {
        too_large(x);
        return;
    }
    oa_json(x, 200, buf_str(&x->whole));
}

static void reply_one(struct oa *x)
{
    const struct snapshot *s = x->d->manager->current;
    struct list l = {.out = &x->whole, .only = x->model};
    struct plan plan;
    struct err e;

    err_clear(&e);
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
    if (l.full) {
        too_large(x);
        return;
    }
    if (l.found) {
        oa_json(x, 200, buf_str(&x->whole));
        return;
    }
    if (!e.kind)
        err_set(&e, ERR_NO_MODEL, "no provider has a model \"%.*s\"",
                STR_ARG(x->model));
    oa_error(x, &e);
}

static void listed(void *arg)
{
    struct oa *x = arg;

    x->listing = NULL;
    oa_route_headers(x, NULL);
    buf_init(&x->whole, LIM_REPLY);
    if (x->model.n)
        reply_one(x);
    else
        reply_list(x);
}

void oa_models(struct oa *x, pbay_str id)
{
    struct listing_job *job;

    x->model = id;
    job = listing_start(x->d->manager, NULL, LISTING_FRESH_MS, listed, x);
    if (job)
        x->listing = job;
}
