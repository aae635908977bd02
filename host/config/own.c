/* SPDX-License-Identifier: MIT */
/* What a provider's section says to its module: the module's own keys and the
 * configuration of single models, both as JSON. */
#include "config/parts.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

/* --- the module's own keys --- */

/* In the units that create() is promised. */
static void own_json(struct buf *b, const struct node *v)
{
    switch (v->type) {
    case KEY_DURATION:
    case KEY_SIZE:
        buf_printf(b, "%" PRId64, v->i);
        break;
    case KEY_SECRET:
        buf_json(b, str_c(v->s));
        break;
    default:
        node_plain_json(b, v);
    }
}

static void keep_secret(struct load *l, const struct node *v)
{
    if (v->type == KEY_SECRET && v->s && *v->s)
        load_secret(l, str_c(v->s), true);
}

static void read_own_keys(const struct section *s, struct cfg_provider *p,
                          struct buf *b)
{
    const struct manifest *m = p->manifest;
    bool first = true;
    for (size_t i = 0; m && i < m->n_keys; i++) {
        const char *name = m->keys[i].name;
        if (section_is_host_key("provider", name)) {
            section_issue(s, false, name,
                          "the module \"%s\" declares this "
                          "key, which is the host's own: the module does not "
                          "get it",
                          m->id);
            continue;
        }
        struct spec spec = spec_manifest(&m->keys[i]);
        const struct node *v = section_value_as(s, &spec);
        if (!v->set || (v->type == KEY_SECRET && !v->s))
            continue;
        keep_secret(s->l, v);
        buf_addc(b, first ? "" : ",");
        first = false;
        buf_json(b, str_c(name));
        buf_addc(b, ":");
        own_json(b, v);
    }
}

/* --- single models --- */

static void copy_setting(const struct section *s, struct node *parent,
                         const config_setting_t *set, const char *label);

static void copy_members(const struct section *s, struct node *to,
                         const config_setting_t *set, const char *label)
{
    for (int i = 0; i < config_setting_length(set); i++) {
        const config_setting_t *m = config_setting_get_elem(set, (unsigned)i);
        const char *name = config_setting_name(m);
        copy_setting(s, to, m,
                     name ? load_printf(s->l, "%s.%s", label, name)
                          : load_printf(s->l, "%s[%d]", label, i));
    }
}

/* A setting of whatever type, as it is. */
static void copy_setting(const struct section *s, struct node *parent,
                         const config_setting_t *set, const char *label)
{
    static const enum key_type types[] = {[RAW_STRING] = KEY_STRING,
                                          [RAW_INT] = KEY_INT,
                                          [RAW_FLOAT] = KEY_FLOAT,
                                          [RAW_BOOL] = KEY_BOOL};
    struct raw raw = raw_setting(s->doc, set);
    const char *name = config_setting_name(set);
    if (raw.kind == RAW_GROUP || raw.kind == RAW_LIST) {
        struct node *n = node_add(
            s->l, parent, raw.kind == RAW_GROUP ? NODE_GROUP : NODE_LIST, name,
            &raw.origin);
        copy_members(s, n, set, label);
        return;
    }
    const struct spec spec = {
        .name = name, .type = types[raw.kind], .any_text = true};
    struct node v;
    if (value_read(s->l, label, &spec, &raw, &v))
        node_add_value(s->l, parent, &v);
}

/* {"model": {...}, ...}; what is wrong is left out. */
static void add_model(const struct section *outer, struct node *list,
                      const config_setting_t *set, int i, struct buf *b,
                      struct node *seen)
{
    struct load *l = outer->l;
    struct raw raw = raw_setting(outer->doc, set);
    struct section s = {
        .l = l,
        .rows = "provider.model_config[]",
        .doc = outer->doc,
        .set = set,
        .node = &l->spare,
        .label = load_printf(l, "%s.model_config[%d]", outer->label, i)};
    if (raw.kind != RAW_GROUP) {
        load_issue_at(l, true, &raw.origin,
                      "%s: a group is wanted: { model = "
                      "\"NAME\"; ... }",
                      s.label);
        return;
    }
    const char *model = section_string(&s, "model");
    if (!model || !*model) {
        if (model || section_raw(&s, "model").kind == RAW_NONE)
            section_issue(&s, true, "model",
                          "it is missing: the name of the "
                          "model that this is for");
        return;
    }
    for (const struct node *o = seen->first; o; o = o->next)
        if (strcmp(o->name, model) == 0) {
            section_issue(&s, true, "model", "\"%.64s\" stands here twice",
                          model);
            return;
        }
    struct node *shown = node_add(l, list, NODE_GROUP, NULL, &raw.origin);
    copy_members(&s, shown, set, s.label);
    node_add(l, seen, NODE_VALUE, model, NULL);
    buf_addc(b, b->n > 1 ? "," : "");
    buf_json(b, str_c(model));
    buf_addc(b, ":");
    node_plain_json(b, shown);
}

static void read_model_config(const struct section *s, struct buf *b)
{
    struct raw raw = section_raw(s, "model_config");
    if (raw.kind == RAW_NONE)
        return;
    if (raw.kind != RAW_LIST || !raw.set) {
        section_issue(s, true, "model_config",
                      "a list of groups is wanted: "
                      "model_config = ( { model = \"NAME\"; ... } );");
        return;
    }
    struct node *list =
        node_add(s->l, s->node, NODE_LIST, "model_config", &raw.origin);
    struct node seen = {.kind = NODE_GROUP};
    int n = config_setting_length(raw.set);
    if (n > LIM_CONF_MODELS) {
        section_issue(s, true, "model_config", "more than %d models",
                      LIM_CONF_MODELS);
        n = LIM_CONF_MODELS;
    }
    for (int i = 0; i < n; i++)
        add_model(s, list, config_setting_get_elem(raw.set, (unsigned)i), i, b,
                  &seen);
}

/* The text of a buffer in the arena; nothing of it stays behind. */
static char *finish(struct load *l, struct buf *b)
{
    int rc = buf_addc(b, "}");
    if (rc)
        l->nomem = true;
    char *text = load_dup(l, rc ? STR("{}") : buf_str(b));
    if (b->p)
        explicit_bzero(b->p, b->room);
    buf_done(b);
    return text;
}

void provider_own(const struct section *s, struct cfg_provider *p)
{
    struct buf b;
    buf_init(&b, LIM_CONF_MEMORY);
    buf_addc(&b, "{");
    read_own_keys(s, p, &b);
    p->plugin_config = finish(s->l, &b);
    buf_init(&b, LIM_CONF_MEMORY);
    buf_addc(&b, "{");
    read_model_config(s, &b);
    p->model_config = finish(s->l, &b);
}
