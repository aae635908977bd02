/* SPDX-License-Identifier: MIT */
/* Names to targets; the order of the rules is in router.h. */
#include "manager/router.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

static bool able(const struct instance *in, int op)
{
    return (in->ops & PBAY_OP_BIT(op)) != 0;
}

static bool is_loopback(const struct instance *in)
{
    return strcmp(in->cfg->manifest->id, "loopback") == 0;
}

static void add(struct plan *out, struct instance *in, pbay_str model,
                struct arena *a)
{
    if (out->n < PLAN_MAX)
        out->targets[out->n++] = (struct target){in, arena_dup(a, model)};
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

static bool owns(const struct instance *in, struct model_index *models,
                 pbay_str model)
{
    return configured(in, model) || listed(in, models, model) ||
           manifest_model(in->cfg->manifest, model);
}

/* Rule 1: provider/rest. */
static int by_prefix(const struct snapshot *s, int op, pbay_str model,
                     struct arena *a, struct plan *out, struct err *e)
{
    pbay_str rest = model, name = str_cut(&rest, '/');
    struct instance *in = rest.p ? snapshot_find(s, name) : NULL;

    if (!in)
        return 0;
    if (!able(in, op)) {
        err_set(e, ERR_NOT_SUPPORTED, "provider %s has no such operation",
                in->name);
        return -1;
    }
    if (!rest.n && in->cfg->default_model)
        rest = str_c(in->cfg->default_model);
    add(out, in, rest, a);
    out->reason = "named by its provider";
    return 1;
}

/* Rule 3: no name.  rank: keyed providers, then local ones, then loopback. */
static int rank(const struct instance *in)
{
    return is_loopback(in) ? 2 : in->cfg->manifest->local ? 1 : 0;
}

static int by_default(const struct snapshot *s, int op, struct arena *a,
                      struct plan *out)
{
    for (int r = 0; r < 3; r++)
        for (size_t i = 0; i < s->n; i++) {
            struct instance *in = s->instances[i];
            if (rank(in) != r || !able(in, op))
                continue;
            if (!in->cfg->default_model && r != 2)
                continue;
            add(out, in,
                in->cfg->default_model ? str_c(in->cfg->default_model)
                                       : STR_NONE,
                a);
            out->reason = "default of the first provider that has one";
            return 1;
        }
    return 0;
}

static int by_owner(const struct snapshot *s, struct model_index *models,
                    int op, pbay_str model, struct arena *a, struct plan *out)
{
    for (size_t i = 0; i < s->n; i++)
        if (able(s->instances[i], op) && owns(s->instances[i], models, model)) {
            add(out, s->instances[i], model, a);
            out->reason = "first configured provider that has the model";
            return 1;
        }
    return 0;
}

/* Rule 4: nobody knows, and there is one that might. */
static int by_elimination(const struct snapshot *s, struct model_index *models,
                          int op, pbay_str model, struct arena *a,
                          struct plan *out)
{
    struct instance *only = NULL;

    for (size_t i = 0; i < s->n; i++) {
        struct instance *in = s->instances[i];
        if (!able(in, op) || is_loopback(in))
            continue;
        if (only)
            return 0;
        only = in;
    }
    if (!only || model_index_age(models, only->name, 0) >= 0)
        return 0;
    add(out, only, model, a);
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
        snprintf(n->name[at], sizeof(n->name[at]), "%s/%.*s", provider,
                 STR_ARG(id));
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
    err_set(e, ERR_NO_MODEL,
            "no provider has a model \"%.*s\"%s%s%s%s%s%s; write it as "
            "provider/model, or see GET /v1/models",
            STR_ARG(model), n.name[0][0] ? ". The nearest names: " : "",
            n.name[0], n.name[1][0] ? ", " : "", n.name[1],
            n.name[2][0] ? ", " : "", n.name[2]);
    snprintf(e->param, sizeof(e->param), "model");
}

int plan_make(const struct snapshot *s, struct model_index *models, int op,
              pbay_str model, struct arena *a, struct plan *out, struct err *e)
{
    int rc;

    memset(out, 0, sizeof(*out));
    if (!s->n) {
        err_set(e, ERR_UNAVAILABLE,
                "no provider is set up; see `patchbay "
                "provider list`");
        return -1;
    }
    if (!model.n) {
        if (by_default(s, op, a, out))
            return 0;
        err_set(e, ERR_NO_MODEL,
                "the request names no model, and no provider "
                "has a default_model");
        snprintf(e->param, sizeof(e->param), "model");
        return -1;
    }
    rc = by_prefix(s, op, model, a, out, e);
    if (rc == 0)
        rc = by_owner(s, models, op, model, a, out);
    if (rc == 0)
        rc = by_elimination(s, models, op, model, a, out);
    if (rc == 0)
        unknown_model(s, models, model, e);
    return rc == 1 ? 0 : -1;
}
