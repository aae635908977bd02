/* SPDX-License-Identifier: MIT */
/* Names to targets; the order of the rules is in router.h. */
#include "manager/router_int.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"

bool plan_able(const struct instance *in, int op)
{
    return (in->ops & PBAY_OP_BIT(op)) != 0;
}

bool plan_is_loopback(const struct instance *in)
{
    return strcmp(in->cfg->manifest->id, "loopback") == 0;
}

void plan_add(struct plan *out, struct instance *in, pbay_str model,
              struct arena *a)
{
    for (size_t i = 0; i < out->n; i++)
        if (out->targets[i].instance == in &&
            str_eq(out->targets[i].model, model))
            return;
    if (out->n < PLAN_MAX)
        out->targets[out->n++] = (struct target){.instance = in,
                                                 .model = arena_dup(a, model),
                                                 .score = SCORE_UNKNOWN};
}

static bool configured(const struct instance *in, pbay_str model)
{
    for (char **m = in->cfg->models; *m; m++)
        if (str_is(model, *m))
            return true;
    return in->cfg->default_model && str_is(model, in->cfg->default_model);
}

/* Ollama's models are "name:tag", and "latest" where no tag is said. */
static bool listed(const struct instance *in, struct model_index *models,
                   pbay_str model)
{
    char full[512];

    if (model_index_has(models, in->name, model))
        return true;
    if (!model.n || memchr(model.p, ':', model.n) ||
        model.n + sizeof(":latest") > sizeof(full))
        return false;
    snprintf(full, sizeof(full), "%.*s:latest", STR_ARG(model));
    return model_index_has(models, in->name, str_c(full));
}

/* known: said by the configuration or the provider's list; otherwise a pattern
 * of its module will do. */
static bool owns(const struct instance *in, struct model_index *models,
                 pbay_str model, bool known)
{
    if (known)
        return configured(in, model) || listed(in, models, model);
    return manifest_model(in->cfg->manifest, model);
}

/* Rule 2: provider/rest. */
static int by_prefix(const struct snapshot *s, int op, pbay_str model,
                     struct arena *a, struct plan *out, struct err *e)
{
    pbay_str rest = model, name = str_cut(&rest, '/');
    struct instance *in = rest.p ? snapshot_find(s, name) : NULL;

    if (!in)
        return 0;
    if (!plan_able(in, op)) {
        err_set(e, ERR_NOT_SUPPORTED, "provider %s has no such operation",
                in->name);
        return -1;
    }
    if (!rest.n && in->cfg->default_model)
        rest = str_c(in->cfg->default_model);
    plan_add(out, in, rest, a);
    out->reason = "named by its provider";
    return 1;
}

static int several(const struct instance *const *owners, size_t n,
                   pbay_str model, struct err *e)
{
    struct buf b;

    buf_init(&b, sizeof(e->message));
    for (size_t i = 0; i < n; i++)
        buf_printf(&b, "%s%s/%.*s", i ? ", " : "", owners[i]->name,
                   STR_ARG(model));
    err_set(e, PBAY_E_INVALID,
            "several providers have a model \"%.*s\", and strict_models is "
            "set: write one of %.*s",
            STR_ARG(str_head(model, 200)), STR_ARG(buf_str(&b)));
    snprintf(e->param, sizeof(e->param), "model");
    buf_done(&b);
    return -1;
}

static int by_owner(const struct snapshot *s, struct model_index *models,
                    int op, pbay_str model, bool known, struct arena *a,
                    struct plan *out, struct err *e)
{
    const struct instance *owners[8];
    size_t n = 0;

    for (size_t i = 0; i < s->n && n < 8; i++) {
        struct instance *in = s->instances[i];
        if (!plan_able(in, op) || !owns(in, models, model, known))
            continue;
        owners[n++] = in;
        if (n == 1) {
            plan_add(out, in, model, a);
            out->reason = known ? "first configured provider that has the model"
                                : "first provider whose models are called so";
        }
        if (!s->cfg->strict_models)
            break;
    }
    return n > 1 ? several(owners, n, model, e) : n == 1;
}

/* Rule 4: a provider's name alone stands for its default model, as in routes. */
static int by_provider(const struct snapshot *s, int op, pbay_str name,
                       struct arena *a, struct plan *out)
{
    struct instance *in = snapshot_find(s, name);

    if (!in || !in->cfg->default_model || !plan_able(in, op))
        return 0;
    plan_add(out, in, str_c(in->cfg->default_model), a);
    out->reason = "a provider's name, for its default model";
    return 1;
}

/* Rule 5: nobody knows, and there is one that might. */
static int by_elimination(const struct snapshot *s, struct model_index *models,
                          int op, pbay_str model, struct arena *a,
                          struct plan *out)
{
    struct instance *only = NULL;

    for (size_t i = 0; i < s->n; i++) {
        struct instance *in = s->instances[i];
        if (!plan_able(in, op) || plan_is_loopback(in))
            continue;
        if (only)
            return 0;
        only = in;
    }
    if (!only || model_index_age(models, only->name, 0) >= 0)
        return 0;
    plan_add(out, only, model, a);
    out->reason = "only provider, its models are not known";
    return 1;
}

/* --- the nearest names --------------------------------------------------- */

struct nearest {
    pbay_str want;
    char name[3][160];
    unsigned far[3];
};

static void consider(struct nearest *n, const char *provider, pbay_str id)
{
    unsigned far = str_distance(n->want, id);
    size_t at = 3;

    if (far > n->want.n / 2 + 2)
        return;
    while (at > 0 && far < n->far[at - 1])
        at--;
    for (size_t i = 2; i > at && i < 3; i--) {
        memcpy(n->name[i], n->name[i - 1], sizeof(n->name[i]));
        n->far[i] = n->far[i - 1];
    }
    if (at < 3) {
        snprintf(n->name[at], sizeof(n->name[at]), "%s%s%.*s", provider,
                 *provider ? "/" : "", STR_ARG(id));
        n->far[at] = far;
    }
}

static void consider_listed(void *arg, const char *provider, pbay_str id,
                            pbay_str json)
{
    (void)json;
    consider(arg, provider, id);
}

static void unknown_model(const struct snapshot *s, struct model_index *models,
                          pbay_str model, struct err *e)
{
    struct nearest n = {.want = model, .far = {999, 999, 999}};

    for (size_t i = 0; i < s->n; i++) {
        model_index_each(models, s->instances[i]->name, consider_listed, &n);
        for (char **m = s->instances[i]->cfg->models; *m; m++)
            if (!model_index_has(models, s->instances[i]->name, str_c(*m)))
                consider(&n, s->instances[i]->name, str_c(*m));
    }
    for (size_t i = 0; i < s->cfg->n_routes; i++)
        consider(&n, "", str_c(s->cfg->routes[i].name));
    err_set(e, ERR_NO_MODEL,
            "no provider has a model \"%.*s\"%s%s%s%s%s%s; write it as "
            "provider/model, or see GET /v1/models",
            STR_ARG(str_head(model, 200)),
            n.name[0][0] ? ". The nearest names: " : "", n.name[0],
            n.name[1][0] ? ", " : "", n.name[1], n.name[2][0] ? ", " : "",
            n.name[2]);
    snprintf(e->param, sizeof(e->param), "model");
}

int plan_name(const struct snapshot *s, struct model_index *models, int op,
              pbay_str model, struct arena *a, struct plan *out, struct err *e)
{
    int rc = by_prefix(s, op, model, a, out, e);

    if (rc == 0)
        rc = by_owner(s, models, op, model, true, a, out, e);
    if (rc == 0)
        rc = by_owner(s, models, op, model, false, a, out, e);
    if (rc == 0)
        rc = by_provider(s, op, model, a, out);
    if (rc == 0)
        rc = by_elimination(s, models, op, model, a, out);
    if (rc == 0)
        unknown_model(s, models, model, e);
    return rc == 1 ? 0 : -1;
}

/* The route of the configuration that is for a task: "task/creative". */
static bool task_route(const struct snapshot *s, const struct ask *q,
                       pbay_str *name)
{
    if (!q->task || q->route.n || (q->model.n && !str_is(q->model, "default")))
        return false;
    for (size_t i = 0; i < s->cfg->n_routes; i++) {
        *name = str_c(s->cfg->routes[i].name);
        if (str_starts(*name, "task/") &&
            str_is(str_n(name->p + 5, name->n - 5), q->task->name))
            return true;
    }
    return false;
}

int plan_first(const struct snapshot *s, struct model_index *models,
               const struct ask *q, struct arena *a, struct plan *out,
               struct err *e)
{
    pbay_str name = q->route.n ? q->route : q->model;
    int rc;

    if (q->task && !task_route(s, q, &name))
        name = q->route.n ? q->route : q->model;
    rc = plan_route(s, models, q, name, a, out, e);

    if (rc != 0)
        return rc == 1 ? 0 : -1;
    if (!q->route.n)
        return plan_name(s, models, q->op, name, a, out, e);
    err_set(e, ERR_NO_MODEL,
            "there is no route \"%.*s\"; see `routes` in patchbay.conf(5)",
            STR_ARG(str_head(name, 200)));
    snprintf(e->param, sizeof(e->param), "x-patchbay-route");
    return -1;
}

int plan_ask(const struct snapshot *s, struct model_index *models,
             const struct ask *q, struct arena *a, struct plan *out,
             struct err *e)
{
    int rc;

    memset(out, 0, sizeof(*out));
    if (!s->n) {
        err_set(e, ERR_UNAVAILABLE,
                "no provider is set up; see `patchbay "
                "provider list`");
        return -1;
    }
    rc = plan_first(s, models, q, a, out, e);
    if (plan_by_models(q) &&
        (rc < 0 || !out->targets[0].instance->cfg->own_models)) {
        memset(out, 0, sizeof(*out)); /* they stand for the model */
        rc = 0;
    }
    if (rc < 0 || plan_fallbacks(s, models, q, a, out, e) < 0 ||
        plan_models(s, models, q, a, out, e) < 0)
        return -1;
    return 0;
}

int plan_make(const struct snapshot *s, struct model_index *models, int op,
              pbay_str model, struct arena *a, struct plan *out, struct err *e)
{
    struct ask q = {.op = op, .model = model};

    return plan_ask(s, models, &q, a, out, e);
}
