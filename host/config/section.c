/* SPDX-License-Identifier: MIT */
/* A group of settings: its values by the rows of the table, and the names that
 * have no business in it. */
#include "config/parts.h"

#include <stdio.h>
#include <string.h>

static const struct cfg_key *row(const char *section, const char *name)
{
    for (const struct cfg_key *k = cfg_keys(); k->section; k++)
        if (strcmp(k->section, section) == 0 && strcmp(k->name, name) == 0)
            return k;
    return NULL;
}

/* Does the table have a section SECTION.NAME, or SECTION.NAME[]? */
static bool is_sub(const char *section, const char *name)
{
    size_t n = strlen(section), m = strlen(name);
    for (const struct cfg_key *k = cfg_keys(); k->section; k++) {
        const char *s = k->section;
        if (strncmp(s, section, n) == 0 && s[n] == '.' &&
            strncmp(s + n + 1, name, m) == 0 &&
            (!s[n + 1 + m] || strcmp(s + n + 1 + m, "[]") == 0))
            return true;
    }
    return false;
}

/* "server.tls" from "server" and "tls". */
static char *under(struct load *l, const char *outer, const char *name)
{
    return *outer ? load_printf(l, "%s.%s", outer, name)
                  : load_dup(l, str_c(name));
}

struct section section_sub(const struct section *s, const char *name)
{
    struct load *l = s->l;
    struct section sub = {.l = l,
                          .rows = under(l, s->rows, name),
                          .label = under(l, s->label, name),
                          .doc = s->doc};
    struct raw raw = section_raw(s, name);
    if (raw.kind == RAW_GROUP) {
        sub.set = raw.set;
    } else if (raw.kind != RAW_NONE) {
        char found[80];
        section_issue(s, true, name,
                      "%s was found, a group is wanted: "
                      "%s: { ... }",
                      raw_found(&raw, true, found, sizeof found), name);
    }
    sub.node =
        node_add(l, s->node, NODE_GROUP, name, sub.set ? &raw.origin : NULL);
    return sub;
}

struct section section_root(struct load *l, const struct doc *d,
                            const config_setting_t *root)
{
    return (struct section){.l = l,
                            .rows = "",
                            .label = "",
                            .doc = d,
                            .set = root,
                            .node = &l->spare};
}

struct section section_main(struct load *l, const struct doc *d,
                            const config_setting_t *root, const char *name,
                            struct node *node)
{
    struct section top = section_root(l, d, root);
    struct section s = section_sub(&top, name);

    s.node = node;
    section_check_names(&s, NULL);
    return s;
}

struct raw section_raw(const struct section *s, const char *name)
{
    const config_setting_t *m =
        s->set ? config_setting_get_member(s->set, name) : NULL;
    if (m)
        return raw_setting(s->doc, m);
    for (size_t i = 0; i < s->n_env; i++)
        if (strcmp(s->env[i].name, name) == 0)
            return (struct raw){.kind = RAW_STRING,
                                .s = s->env[i].value,
                                .literal = true,
                                .origin = {CFG_ENV, s->env[i].var, 0}};
    return (struct raw){.kind = RAW_NONE};
}

struct cfg_origin section_origin(const struct section *s, const char *name)
{
    struct raw raw = section_raw(s, name);
    if (raw.kind != RAW_NONE)
        return raw.origin;
    if (s->set)
        return (struct cfg_origin){CFG_FILE, s->doc->path,
                                   config_setting_source_line(s->set)};
    return (struct cfg_origin){CFG_DEFAULT, NULL, 0};
}

void section_issue(const struct section *s, bool error, const char *name,
                   const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    struct cfg_origin at = section_origin(s, name);
    load_issue_at(s->l, error, &at, "%s%s%s: %s", s->label,
                  *s->label && *name ? "." : "", name, text);
}

/* --- values --- */

const struct node *section_value_as(const struct section *s,
                                    const struct spec *k)
{
    struct load *l = s->l;
    char *label = under(l, s->label, k->name);
    struct raw raw = section_raw(s, k->name);
    struct node v;
    bool read = raw.kind != RAW_NONE && value_read(l, label, k, &raw, &v);
    if (!read) {
        raw = raw_default(l, k);
        read = raw.kind != RAW_NONE && value_read(l, label, k, &raw, &v);
    }
    if (!read)
        v = (struct node){.kind = NODE_VALUE,
                          .name = k->name,
                          .type = k->type,
                          .secret = k->type == KEY_SECRET};
    const struct node *shown = node_add_value(l, s->node, &v);
    struct node *copy = v.secret ? load_alloc(l, sizeof *copy) : NULL;
    if (!copy)
        return shown;
    *copy = v;
    return copy;
}

const struct node *section_value(const struct section *s, const char *name)
{
    static const struct node none = {.kind = NODE_VALUE};
    const struct cfg_key *k = row(s->rows, name);
    if (!k) /* only a mistake in this program can ask for it */
        return &none;
    struct spec spec = spec_row(k);
    return section_value_as(s, &spec);
}

char *section_string(const struct section *s, const char *name)
{
    const struct node *v = section_value(s, name);
    return v->s ? load_dup(s->l, str_c(v->s)) : NULL;
}

char *section_path(const struct section *s, const char *name)
{
    const struct node *v = section_value(s, name);
    if (!v->s)
        return NULL;
    if (!*v->s) {
        section_issue(s, true, name,
                      "it is empty: write a path, or leave the "
                      "key out");
        return NULL;
    }
    return path_resolve(s->l, s->doc ? s->doc->dir : NULL, v->s);
}

int64_t section_int(const struct section *s, const char *name)
{
    return section_value(s, name)->i;
}

bool section_bool(const struct section *s, const char *name)
{
    return section_value(s, name)->b;
}

char **section_list(const struct section *s, const char *name)
{
    static char *none[1];
    const struct node *v = section_value(s, name);
    return v->list ? v->list : none;
}

/* --- names --- */

const char *key_belongs(struct load *l, const char *name)
{
    for (const struct cfg_key *k = cfg_keys(); k->section; k++)
        if (strcmp(k->name, name) == 0)
            return load_printf(l, "; it belongs into \"%s\"", k->section);
    return "";
}

static void unknown_name(const struct section *s, const struct manifest *m,
                         const char *name)
{
    struct nearest near = {.wanted = str_c(name)};
    const char *prefix = s->rows;
    size_t n = strlen(prefix);
    for (const struct cfg_key *k = cfg_keys(); k->section; k++) {
        if (strcmp(k->section, prefix) == 0 && strcmp(k->name, "*") != 0)
            nearest_offer(&near, k->name);
        else if (strncmp(k->section, prefix, n) == 0 && k->section[n] == '.')
            nearest_offer(
                &near,
                load_dup(s->l, str_n(k->section + n + 1,
                                     strcspn(k->section + n + 1, ".["))));
    }
    for (size_t i = 0; m && i < m->n_keys; i++)
        nearest_offer(&near, m->keys[i].name);
    char hint[96];
    section_issue(s, true, name, "there is no such key%s",
                  near.name ? nearest_hint(&near, hint, sizeof hint)
                            : key_belongs(s->l, name));
}

void section_check_names(const struct section *s, const struct manifest *m)
{
    if (!s->set || row(s->rows, "*"))
        return;
    for (int i = 0; i < config_setting_length(s->set); i++) {
        const char *name =
            config_setting_name(config_setting_get_elem(s->set, (unsigned)i));
        if (!row(s->rows, name) && !is_sub(s->rows, name) &&
            !(m && manifest_key(m, str_c(name))))
            unknown_name(s, m, name);
    }
}

bool section_is_host_key(const char *section, const char *name)
{
    return row(section, name) || is_sub(section, name);
}
