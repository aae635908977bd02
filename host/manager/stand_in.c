/* SPDX-License-Identifier: MIT */
/* Models that a request itself names to stand in: `fallbacks`, which are always
 * read here, and `models`, unless they are the first target's own. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "manager/router_int.h"
#include <patchbay/json.h>

/* What one name leads to, behind what is there.  0, or -1 with *e. */
static int add(const struct snapshot *s, struct model_index *models,
               const struct ask *q, pbay_str name, struct arena *a,
               struct plan *out, struct err *e)
{
    struct instance *in = snapshot_find(s, name);
    const struct plan before = {.n = out->n,
                                .route = out->route,
                                .reason = out->reason,
                                .complexity = out->complexity,
                                .strategy = out->strategy,
                                .arm = out->arm,
                                .split_by = out->split_by};
    struct ask next = *q;
    int rc = 0;

    next.model = name;
    next.route = next.models = STR_NONE;
    next.n_fallbacks = 0;
    /* As in a route: a provider stands for its default model. */
    if (in && in->cfg->default_model && plan_able(in, q->op))
        plan_add(out, in, str_c(in->cfg->default_model), a);
    else
        rc = plan_first(s, models, &next, a, out, e);
    if (before.n) { /* the first name says what the plan is */
        out->route = before.route;
        out->reason = before.reason;
        out->complexity = before.complexity;
        out->strategy = before.strategy;
        out->arm = before.arm;
        out->split_by = before.split_by;
    } else if (rc == 0 && !out->reason) {
        out->reason = "named by the request";
    }
    return rc;
}

int plan_fallbacks(const struct snapshot *s, struct model_index *models,
                   const struct ask *q, struct arena *a, struct plan *out,
                   struct err *e)
{
    for (size_t i = 0; i < q->n_fallbacks; i++)
        if (add(s, models, q, q->fallbacks[i], a, out, e) < 0) {
            snprintf(e->param, sizeof(e->param), "fallbacks[%zu]", i);
            return -1;
        }
    return 0;
}

static bool is_null(pbay_str json)
{
    return !json.p || pbay_json_type(json) == '0';
}

bool plan_by_models(const struct ask *q)
{
    size_t pos = 0;
    pbay_str v;

    return !q->model.n && !q->route.n && !q->task &&
           pbay_json_type(q->models) == 'a' &&
           pbay_json_next(q->models, &pos, NULL, &v) > 0;
}

/* 0, or -1 with *e. */
static int read_name(pbay_str json, struct arena *a, pbay_str *name)
{
    char *p = pbay_json_type(json) == 's' ? arena_bytes(a, json.n + 1) : NULL;
    int64_t n = p ? pbay_json_unescape(json, p, json.n) : -1;

    *name = n > 0 ? str_n(p, (size_t)n) : STR_NONE;
    return n > 0 ? 0 : -1;
}

void plan_no_choice(struct err *e, pbay_str key, const char *what)
{
    err_set(e, ERR_CLIENT_RIGHT,
            "the key \"%.*s\" lacks the right \"routes\", which %s needs: add "
            "it to the key's rights, or leave that out",
            STR_ARG(key), what);
}

static int may(const struct ask *q, struct err *e)
{
    if (!q->no_choice)
        return 0;
    plan_no_choice(e, q->way ? q->way->key : STR_NONE, "\"models\"");
    snprintf(e->param, sizeof(e->param), "models");
    return -1;
}

int plan_models(const struct snapshot *s, struct model_index *models,
                const struct ask *q, struct arena *a, struct plan *out,
                struct err *e)
{
    size_t pos = 0, n = 0;
    pbay_str v, name;

    if (is_null(q->models) ||
        (out->n && out->targets[0].instance->cfg->own_models))
        return 0;
    out->took_models = true;
    if (pbay_json_type(q->models) != 'a')
        goto bad;
    for (; pbay_json_next(q->models, &pos, NULL, &v) > 0; n++) {
        if (n == ASK_NAMES || read_name(v, a, &name) < 0)
            goto bad;
        if (may(q, e) < 0)
            return -1;
        if (add(s, models, q, name, a, out, e) < 0) {
            snprintf(e->param, sizeof(e->param), "models[%zu]", n);
            return -1;
        }
    }
    return 0;
bad:
    err_set(e, PBAY_E_INVALID,
            "\"models\" must be a list of up to %d models' names: of those "
            "that may answer where the first one cannot",
            ASK_NAMES);
    snprintf(e->param, sizeof(e->param), "models");
    snprintf(e->code, sizeof(e->code), "invalid_type");
    return -1;
}
