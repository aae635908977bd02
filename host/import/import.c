/* SPDX-License-Identifier: MIT */
/* The whole of an import: form, providers, routes, and what is left over. */
#include "import/state.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/limits.h"
#include "config/parts.h"

/* --- issues -------------------------------------------------------------- */

void im_issue(struct im_state *s, bool error, int line, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    issue_add(&s->out->issues, error, s->o->name, line, fmt, ap);
    va_end(ap);
}

void im_unused(struct im_state *s, const char *label, const struct tree_node *n)
{
    int i = 0;

    for (struct tree_node *m = n ? n->first : NULL; m; m = m->next, i++) {
        char name[160];
        if (m->key.n)
            snprintf(name, sizeof(name), "%.80s%s%.64s", label,
                     *label ? "." : "", m->key.p);
        else
            snprintf(name, sizeof(name), "%.80s[%d]", label, i);
        if (!m->used && !m->aliased)
            im_issue(s, false, m->line,
                     "%s: there is no such setting here; left out", name);
        else if (m->used)
            im_unused(s, name, m);
        tree_use(m); /* told once */
    }
}

/* --- providers ----------------------------------------------------------- */

struct im_provider *im_find(struct im_state *s, const char *name)
{
    for (size_t i = 0; i < s->n_providers; i++)
        if (str_is(s->providers[i].given, name))
            return &s->providers[i];
    for (size_t i = 0; i < s->n_providers; i++)
        if (!strcasecmp(s->providers[i].name, name))
            return &s->providers[i];
    return NULL;
}

static void add_provider(struct im_state *s, pbay_str name, struct tree_node *n)
{
    if (s->n_providers == LIM_PROVIDERS) {
        im_issue(s, true, n->line, "more than %d providers", LIM_PROVIDERS);
        return;
    }
    n->used = true;
    s->providers[s->n_providers++] = (struct im_provider){
        .given = name, .line = n->line, .node = n->kind == TREE_MAP ? n : NULL};
}

/* One of a list: a group with a name in it, or a name alone. */
static void listed(struct im_state *s, struct tree_node *n)
{
    struct tree_node *name = n;

    if (n->kind == TREE_MAP)
        name = tree_take(n, "name|id");
    if (!name && n->kind == TREE_MAP) {
        name = tree_peek(n, "type");
        name = name ? name : tree_peek(n, "provider");
    }
    if (tree_text(name) && *tree_text(name))
        add_provider(s, name->text, n);
    else
        im_issue(s, true, n->line,
                 "providers: one has neither a name nor a type: add \"name\"");
}

static void take_providers(struct im_state *s, struct tree_node *list)
{
    for (struct tree_node *n = list->first; n; n = n->next)
        if (list->kind == TREE_LIST)
            listed(s, n);
        else if (n->kind == TREE_MAP || n->kind == TREE_NULL)
            add_provider(s, n->key, n);
        else
            im_issue(s, true, n->line, "providers.%.60s: a map is wanted",
                     n->key.p);
}

/* Without "providers" the members of the root are providers, those that are
 * maps and not known as something else. */
static void take_roots(struct im_state *s, struct tree_node *root)
{
    for (struct tree_node *n = root->first; n; n = n->next)
        if (n->kind == TREE_MAP && !n->used)
            add_provider(s, n->key, n);
}

/* --- the text ------------------------------------------------------------ */

/* What was not carried over stands in the file, too. */
static void put_notes(struct im_state *s)
{
    const struct cfg_issues *is = &s->out->issues;

    if (is->n)
        buf_addc(s->b, "\n# Not the same as there, by line:\n");
    for (size_t i = 0; i < is->n; i++)
        buf_printf(s->b, "#   %d: %s\n", is->v[i].line, is->v[i].text);
}

static void put_head(struct im_state *s)
{
    buf_addc(s->b, "# Made by `patchbay config import` from ");
    for (const char *c = s->o->name; *c; c++)
        buf_printf(s->b, "%c",
                   (unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c);
    buf_addc(s->b, "; see patchbay.conf(5).\n\nproviders: {\n");
}

static void convert(struct im_state *s)
{
    struct tree_node *root = s->tree.root, *list, *manager, *strategies;
    struct tree_node *common;

    root->used = true;
    list = tree_take(root, "providers|llm_providers");
    strategies = tree_take(root, "strategies|routes");
    manager = tree_take(root, "manager|llm_manager|routing");
    /* A manager's settings may stand at the top as well. */
    manager = manager && manager->kind == TREE_MAP ? manager : root;
    if (list && (list->kind == TREE_LIST || list->kind == TREE_MAP))
        take_providers(s, list);
    else if (!list)
        take_roots(s, root);
    if (!s->n_providers && !s->out->issues.errors)
        im_issue(s, true, list ? list->line : 1,
                 "no provider is to be found; a list or a map \"providers\" is "
                 "wanted, or providers by their names");
    if (s->out->issues.errors)
        return;
    common = manager == root && !list ? NULL : manager;
    for (size_t i = 0; i < s->n_providers; i++)
        im_provider_prepare(s, &s->providers[i]);
    put_head(s);
    for (size_t i = 0; i < s->n_providers; i++)
        im_provider(s, &s->providers[i], common);
    buf_addc(s->b, "};\n");
    im_routes(s, strategies, manager);
    im_unused(s, "", root);
    put_notes(s);
}

enum import_format import_format_of(const char *name, pbay_str text)
{
    size_t i = 0;

    if (str_ends(str_c(name), ".json"))
        return IMPORT_JSON;
    if (str_ends(str_c(name), ".yaml") || str_ends(str_c(name), ".yml"))
        return IMPORT_YAML;
    while (i < text.n && strchr(" \t\r\n", text.p[i]))
        i++;
    return i < text.n && (text.p[i] == '{' || text.p[i] == '[') ? IMPORT_JSON
                                                                : IMPORT_YAML;
}

static int read_tree(struct im_state *s, pbay_str text)
{
    int rc = s->o->format == IMPORT_JSON ? tree_read_json(&s->tree, text)
                                         : tree_read_yaml(&s->tree, text);

    if (rc < 0)
        im_issue(s, true, s->tree.line, "%s", s->tree.why);
    else if (s->tree.root->kind != TREE_MAP)
        im_issue(s, true, s->tree.root->line,
                 "a map is wanted: \"providers\" and what they are");
    return s->out->issues.errors ? -EINVAL : 0;
}

int import_read(const struct import_options *o, pbay_str text,
                struct import *out)
{
    struct im_state s = {.o = o, .out = out, .b = &out->text};
    int rc;

    *out = (struct import){.n_keys = 0};
    /* More than can be read again, so that it is seen; see im_string(). */
    buf_init(&out->text, LIM_CONF_FILE * 8);
    s.providers = calloc(LIM_PROVIDERS, sizeof(*s.providers));
    if (!s.providers)
        return -ENOMEM;
    if (text.n >= 3 && !memcmp(text.p, "\xef\xbb\xbf", 3))
        text = str_n(text.p + 3, text.n - 3);
    rc = read_tree(&s, text);
    if (rc == 0) {
        convert(&s);
        rc = out->issues.errors ? -EINVAL : s.nomem ? -ENOMEM : 0;
    }
    if (rc == 0 && out->text.n > LIM_CONF_FILE) {
        im_issue(&s, true, 0, "more than a configuration can hold");
        rc = -EINVAL;
    }
    tree_done(&s.tree);
    free(s.providers);
    return rc;
}

void import_done(struct import *i)
{
    for (size_t k = 0; k < i->n_keys; k++) {
        if (i->keys[k].value)
            explicit_bzero(i->keys[k].value, strlen(i->keys[k].value));
        free(i->keys[k].value);
        free(i->keys[k].file);
    }
    free(i->keys);
    cfg_issues_done(&i->issues);
    if (i->text.p)
        explicit_bzero(i->text.p, i->text.room);
    buf_done(&i->text);
    *i = (struct import){.n_keys = 0};
}
