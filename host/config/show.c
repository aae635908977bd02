/* SPDX-License-Identifier: MIT */
/* The values in force as a tree, and `config show`: as libconfig text with the
 * origin of each in a comment, or as JSON.  Secrets are "***", whole. */
#include "config/parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

struct node *node_add(struct load *l, struct node *parent, enum node_kind kind,
                      const char *name, const struct cfg_origin *origin)
{
    struct node *n = load_alloc(l, sizeof *n);
    if (!n) {
        /* Nobody will see the tree; it only has to be safe to add to. */
        l->spare = (struct node){.kind = kind};
        return &l->spare;
    }
    n->kind = kind;
    n->name = name ? load_dup(l, str_c(name)) : NULL;
    if (origin)
        n->origin = *origin;
    if (parent && parent->last)
        parent->last = parent->last->next = n;
    else if (parent)
        parent->first = parent->last = n;
    return n;
}

const struct node *node_add_value(struct load *l, struct node *parent,
                                  const struct node *value)
{
    struct node *n =
        node_add(l, parent, NODE_VALUE, value->name, &value->origin);
    const char *name = n->name;
    struct node *next = n->next;
    *n = *value;
    n->name = name;
    n->next = next;
    if (value->secret)
        n->s = NULL; /* that it is set is all the tree knows */
    return n;
}

void node_set_string(struct load *l, struct node *parent, const char *name,
                     const char *value, const struct cfg_origin *origin)
{
    struct node *n = NULL;
    for (struct node *m = parent->first; m && !n; m = m->next)
        if (m->name && strcmp(m->name, name) == 0)
            n = m;
    if (!n)
        n = node_add(l, parent, NODE_VALUE, name, origin);
    n->type = KEY_STRING;
    n->set = value != NULL;
    n->s = value ? load_dup(l, str_c(value)) : NULL;
    n->origin = origin ? *origin : (struct cfg_origin){CFG_DEFAULT, NULL, 0};
}

/* --- values --- */

/* A string in libconfig's syntax; "${" is kept from being filled in again. */
static void conf_string(struct buf *b, const char *s)
{
    buf_addc(b, "\"");
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            buf_printf(b, "\\%c", c);
        else if (c == '$' && s[1] == '{')
            buf_addc(b, "$$");
        else if (c < 0x20 || c == 0x7f)
            buf_printf(b, "\\x%02x", c);
        else
            buf_add(b, str_n(s, 1));
    }
    buf_addc(b, "\"");
}

static void any_string(struct buf *b, const char *s, bool json)
{
    if (json)
        buf_json(b, str_c(s));
    else
        conf_string(b, s);
}

/* With a point whatever the locale has, so that it reads back as a float. */
static void number(struct buf *b, double f)
{
    char text[40];
    snprintf(text, sizeof text, "%.17g", f);
    char *comma = strchr(text, ',');
    if (comma)
        *comma = '.';
    if (!strpbrk(text, ".e"))
        strcat(text, ".0");
    buf_addc(b, text);
}

static void value_text(struct buf *b, const struct node *n, bool json)
{
    char amount[32];
    switch (n->type) {
    case KEY_STRING:
        any_string(b, n->s, json);
        break;
    case KEY_SECRET:
        buf_addc(b, "\"***\"");
        break;
    case KEY_INT:
        buf_printf(b, "%" PRId64 "%s", n->i,
                   !json && (n->i > INT32_MAX || n->i < INT32_MIN) ? "L" : "");
        break;
    case KEY_FLOAT:
        number(b, n->f);
        break;
    case KEY_BOOL:
        buf_addc(b, n->b ? "true" : "false");
        break;
    case KEY_DURATION:
        any_string(b, cfg_duration_text(n->i, amount), json);
        break;
    case KEY_SIZE:
        any_string(b, cfg_size_text(n->i, amount), json);
        break;
    case KEY_STRINGS:
        buf_addc(b, "[");
        for (size_t i = 0; n->list[i]; i++) {
            buf_addc(b, !i ? "" : json ? "," : ", ");
            any_string(b, n->list[i], json);
        }
        buf_addc(b, "]");
        break;
    }
}

void node_value_text(struct buf *b, const struct node *n)
{
    value_text(b, n, false);
}

/* --- text --- */

static const char *source_name(enum cfg_source s)
{
    static const char *const names[] = {[CFG_DEFAULT] = "default",
                                        [CFG_FILE] = "file",
                                        [CFG_ENV] = "environment",
                                        [CFG_OPTION] = "option"};
    return names[s];
}

static void origin_text(struct buf *b, const struct cfg_origin *o)
{
    buf_addc(b, " # ");
    if (o->source != CFG_FILE)
        buf_printf(b, "%s%s", source_name(o->source), o->name ? " " : "");
    for (const char *p = o->name ? o->name : ""; *p; p++)
        buf_add(b, (unsigned char)*p < 0x20 ? STR("?") : str_n(p, 1));
    if (o->source == CFG_FILE)
        buf_printf(b, ":%d", o->line);
    buf_addc(b, "\n");
}

static void node_text(struct buf *b, const struct node *n, int depth)
{
    int indent = depth * 4;
    if (n->kind == NODE_VALUE && !n->set) {
        buf_printf(b, "%*s# %s: not set\n", indent, "", n->name);
        return;
    }
    buf_printf(b, "%*s", indent, "");
    if (n->name)
        buf_printf(b, "%s%s", n->name, n->kind == NODE_GROUP ? ": " : " = ");
    if (n->kind == NODE_VALUE) {
        value_text(b, n, false);
        if (n->name) {
            buf_addc(b, ";");
            origin_text(b, &n->origin);
        }
        return;
    }
    bool list = n->kind == NODE_LIST;
    buf_addc(b, list ? "(" : "{");
    if (n->origin.source != CFG_DEFAULT)
        origin_text(b, &n->origin);
    else
        buf_addc(b, "\n");
    if (n->problem)
        buf_printf(b, "%*s# NOT SET UP: %s\n", indent + 4, "", n->problem);
    for (const struct node *m = n->first; m; m = m->next) {
        node_text(b, m, depth + 1);
        if (list)
            buf_addc(b, m->next ? ",\n" : "\n");
    }
    buf_printf(b, "%*s%s", indent, "", list ? ")" : "}");
    if (n->name)
        buf_addc(b, ";\n");
}

/* --- JSON --- */

static void origin_json(struct buf *b, const struct cfg_origin *o)
{
    buf_printf(b, ",\"origin\":{\"source\":\"%s\"", source_name(o->source));
    if (o->name) {
        buf_addc(b, ",\"name\":");
        buf_json(b, str_c(o->name));
    }
    if (o->line)
        buf_printf(b, ",\"line\":%d", o->line);
    buf_addc(b, "}");
}

/* plain: the values alone. */
static void node_json(struct buf *b, const struct node *n, bool plain)
{
    if (n->kind == NODE_VALUE) {
        buf_addc(b, plain ? "" : "{\"value\":");
        if (n->set)
            value_text(b, n, true);
        else
            buf_addc(b, "null");
        if (!plain) {
            origin_json(b, &n->origin);
            buf_addc(b, "}");
        }
        return;
    }
    bool list = n->kind == NODE_LIST;
    buf_addc(b, list ? "[" : "{");
    if (n->problem && !plain) {
        buf_addc(b, "\"problem\":");
        buf_json(b, str_c(n->problem));
        buf_addc(b, n->first ? "," : "");
    }
    for (const struct node *m = n->first; m; m = m->next) {
        if (!list) {
            buf_json(b, str_c(m->name));
            buf_addc(b, ":");
        }
        node_json(b, m, plain);
        buf_addc(b, m->next ? "," : "");
    }
    buf_addc(b, list ? "]" : "}");
}

void node_plain_json(struct buf *b, const struct node *n)
{
    node_json(b, n, true);
}

char *cfg_show(const struct config *c, bool json)
{
    struct buf b;
    /* At most four bytes for one of the arena's, and indentation. */
    buf_init(&b, 8 * LIM_CONF_MEMORY);
    if (json) {
        node_json(&b, c->values->root, false);
        buf_addc(&b, "\n");
    } else {
        for (const struct node *n = c->values->root->first; n; n = n->next)
            node_text(&b, n, 0);
    }
    char *text = str_dup(buf_str(&b));
    buf_done(&b);
    return text;
}
