/* SPDX-License-Identifier: MIT */
/* How well a model fits a request; see suit.h. */
#include "manager/suit.h"

#include <string.h>

#include "base/str.h"
#include <patchbay/json.h>

static bool by_config(const struct instance *in, pbay_str model,
                      struct suit *out)
{
    const struct cfg_able *a = in->cfg->able;

    for (size_t i = 0; i < in->cfg->n_able; i++)
        if (str_glob(model, a[i].model)) {
            out->can = a[i].can;
            return true;
        }
    return false;
}

static bool by_list(pbay_str json, struct suit *out)
{
    pbay_str list = pbay_json_get(json, "capabilities"), v;
    size_t pos = 0;

    if (pbay_json_type(list) != 'a')
        return false;
    while (pbay_json_next(list, &pos, NULL, &v) > 0)
        if (pbay_json_type(v) == 's' && v.n >= 2)
            out->can |= ability_named(str_n(v.p + 1, v.n - 2));
    return true;
}

static bool by_manifest(const struct manifest_model *m, struct suit *out)
{
    if (!m || !m->capabilities)
        return false;
    for (char **c = m->capabilities; *c; c++)
        out->can |= ability_named(str_c(*c));
    return out->can != 0;
}

static bool window_set(const struct instance *in, pbay_str model,
                       struct suit *out)
{
    const struct cfg_window *w = in->cfg->windows;

    for (size_t i = 0; i < in->cfg->n_windows; i++)
        if (str_glob(model, w[i].model)) {
            out->window = w[i].tokens;
            out->set = true;
            return true;
        }
    return false;
}

static void take_window(const struct instance *in, pbay_str model,
                        pbay_str json, struct suit *out)
{
    const struct manifest_model *m;
    int64_t window;

    if (window_set(in, model, out))
        return;
    out->loose = in->cfg->manifest->local;
    if (json.n &&
        pbay_json_i64(pbay_json_get(json, "context_window"), &window) == 0 &&
        window > 0) {
        out->window = (uint64_t)window;
        return;
    }
    m = manifest_model(in->cfg->manifest, model);
    out->window = m ? m->context_window : 0;
}

void suit_from(const struct instance *in, pbay_str model, pbay_str json,
               struct suit *out)
{
    const struct manifest_model *m = manifest_model(in->cfg->manifest, model);

    *out = (struct suit){0};
    out->known = by_config(in, model, out) || (json.n && by_list(json, out)) ||
                 by_manifest(m, out);
    take_window(in, model, json, out);
    if (out->window >= ABILITY_LONG)
        out->can |= ABLE_LONG;
}

struct look {
    const struct instance *in;
    struct suit *out;
    bool there;
};

static void look(void *arg, const char *provider, pbay_str id, pbay_str json)
{
    struct look *l = arg;

    (void)provider;
    suit_from(l->in, id, json, l->out);
    l->there = true;
}

void suit_of(const struct instance *in, struct model_index *mi, pbay_str model,
             struct suit *out)
{
    struct look l = {.in = in, .out = out};

    if (mi)
        model_index_one(mi, in->name, model, look, &l);
    if (!l.there)
        suit_from(in, model, STR_NONE, out);
}

static void look_window(void *arg, const char *provider, pbay_str id,
                        pbay_str json)
{
    struct look *l = arg;

    (void)provider;
    take_window(l->in, id, json, l->out);
    l->there = true;
}

void suit_window(const struct instance *in, struct model_index *mi,
                 pbay_str model, struct suit *out)
{
    struct look l = {.in = in, .out = out};

    *out = (struct suit){0};
    if (mi && !window_set(in, model, out))
        model_index_one(mi, in->name, model, look_window, &l);
    if (!l.there && !out->set)
        take_window(in, model, STR_NONE, out);
}

static uint32_t needs(struct want *w, const struct task *task)
{
    return want_needs(w) | (task ? task->needs : 0);
}

/* Does the prompt with its answer not fit? */
static bool too_small(const struct suit *s, struct want *w)
{
    return s->window && want_input(w) + want_output(w) > s->window;
}

uint32_t suit_lacks(const struct suit *s, struct want *w,
                    const struct task *task)
{
    uint32_t lacks = s->known ? needs(w, task) & ~s->can : 0;

    if (too_small(s, w))
        return lacks | ABLE_LONG;
    /* Whose window is known, and large enough, has no other lack of it. */
    return s->window ? lacks & ~(uint32_t)ABLE_LONG : lacks;
}

static bool preferred(const struct instance *in, pbay_str model,
                      const struct task *task)
{
    const struct price_vendor *v = in->cfg->vendor;
    const char *who = task->prefers;

    return strcmp(in->name, who) == 0 || (v && str_is(v->name, task->vendor)) ||
           (!in->cfg->url_given && strcmp(in->cfg->manifest->id, who) == 0) ||
           str_starts(model, who);
}

static int64_t count(uint32_t bits)
{
    int64_t n = 0;

    for (; bits; bits &= bits - 1)
        n++;
    return n;
}

int64_t suit_unfit(const struct instance *in, struct model_index *mi,
                   pbay_str model, struct want *w, const struct task *task)
{
    struct suit s;
    int64_t unfit;

    suit_of(in, mi, model, &s);
    unfit = 100 * count(suit_lacks(&s, w, task));
    if (!s.known)
        unfit += 10 * count(needs(w, task) & ~s.can);
    return unfit + (task && task->prefers && !preferred(in, model, task));
}
