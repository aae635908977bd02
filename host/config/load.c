/* SPDX-License-Identifier: MIT */
/* One load from beginning to end, and the config's memory. */
#include "config/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

void load_issue(struct load *l, bool error, const char *file, int line,
                const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    issue_add(l->issues, error, file, line, fmt, ap);
    va_end(ap);
}

void load_issue_at(struct load *l, bool error, const struct cfg_origin *at,
                   const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    issue_add(l->issues, error, at->name, at->line, fmt, ap);
    va_end(ap);
}

const char *load_env(struct load *l, const char *name)
{
    const char *v = l->o->env ? l->o->env(name) : getenv(name);
    return v && *v ? v : NULL;
}

void *load_alloc(struct load *l, size_t n)
{
    void *p = arena_alloc(l->arena, n);
    if (!p)
        l->nomem = true;
    return p;
}

/* What is handed out instead of text for which there is no memory. */
static char no_text[1];

char *load_dup(struct load *l, pbay_str s)
{
    char *p = arena_bytes(l->arena, s.n + 1);
    if (!p) {
        l->nomem = true;
        return no_text;
    }
    if (s.n)
        memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return p;
}

char *load_printf(struct load *l, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *text = NULL;
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n < 0) {
        l->nomem = true;
        return no_text;
    }
    char *p = load_dup(l, str_n(text, (size_t)n));
    free(text);
    return p;
}

void *load_grow(struct load *l, void *v, size_t n, size_t size)
{
    if (n && (n & (n - 1)))
        return v; /* room up to the next power of two */
    void *more = load_alloc(l, (n ? 2 * n : 1) * size);
    if (more && n)
        memcpy(more, v, n * size);
    return more;
}

struct secret *load_secret(struct load *l, pbay_str bytes, bool keep)
{
    struct cfg_values *v = l->values;
    if (keep) {
        struct secret **list =
            load_grow(l, v->secrets, v->n_secrets, sizeof *list);
        if (!list)
            return NULL;
        v->secrets = list;
    }
    struct secret *s = secret_new(bytes);
    if (!s)
        l->nomem = true;
    else if (keep)
        v->secrets[v->n_secrets++] = s;
    return s;
}

bool load_begin(struct load *l, const struct cfg_load_options *o,
                struct cfg_issues *is)
{
    *l = (struct load){.o = o, .issues = is};
    struct config *c = calloc(1, sizeof *c);
    struct cfg_values *v = calloc(1, sizeof *v);
    if (!c || !v) {
        free(c);
        free(v);
        return false;
    }
    arena_init(&v->arena, LIM_CONF_MEMORY);
    c->values = v;
    l->c = c;
    l->values = v;
    l->arena = &v->arena;
    v->root = node_add(l, NULL, NODE_GROUP, NULL, NULL);
    l->server = node_add(l, v->root, NODE_GROUP, "server", NULL);
    l->log = node_add(l, v->root, NODE_GROUP, "log", NULL);
    l->cache = node_add(l, v->root, NODE_GROUP, "cache", NULL);
    l->structured =
        node_add(l, v->root, NODE_GROUP, "structured_output", NULL);
    l->backends = node_add(l, v->root, NODE_GROUP, "backends", NULL);
    l->text = node_add(l, v->root, NODE_GROUP, "text", NULL);
    l->routes = node_add(l, v->root, NODE_LIST, "routes", NULL);
    l->aliases = node_add(l, v->root, NODE_LIST, "aliases", NULL);
    l->keys = node_add(l, v->root, NODE_LIST, "keys", NULL);
    l->providers = node_add(l, v->root, NODE_GROUP, "providers", NULL);
    return true;
}

void load_docs_done(struct load *l)
{
    for (size_t i = 0; i < l->n_docs; i++)
        config_destroy(&l->docs[i]->conf);
    l->n_docs = 0;
}

static void free_provider(struct cfg_provider *p)
{
    secret_free(p->api_key);
    /* A module's own secrets are in there as text. */
    if (p->plugin_config)
        explicit_bzero(p->plugin_config, strlen(p->plugin_config));
}

void cfg_free(struct config *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n_providers; i++)
        free_provider(&c->providers[i]);
    struct cfg_values *v = c->values;
    for (size_t i = 0; i < v->n_secrets; i++)
        secret_free(v->secrets[i]);
    arena_done(&v->arena);
    free(v);
    free(c);
}

/* As somebody reads who goes through the files from top to bottom. */
static void sort_issues(struct load *l)
{
    const char **files = load_alloc(l, (l->n_docs + 1) * sizeof *files);
    if (!files)
        return;
    for (size_t i = 0; i < l->n_docs; i++)
        files[i] = l->docs[i]->path;
    issues_sort(l->issues, files, l->n_docs);
}

struct config *load_run(struct load *l)
{
    files_read(l);
    /* The main file, if there is one, comes first. */
    const struct doc *d = l->main;
    const config_setting_t *root =
        d && d->parsed ? config_root_setting(&d->conf) : NULL;
    read_keys(l, d, root);
    read_server(l, d, root);
    read_log(l, d, root);
    read_cache(l, d, root);
    read_structured(l, d, root);
    read_backends(l, d, root);
    read_texts(l, d, root);
    read_providers(l);
    read_routes(l, d, root);
    sort_issues(l);
    load_docs_done(l);
    if (!l->nomem)
        return l->c;
    load_issue(l, true, l->c->file, 0,
               "this configuration takes more than %zu MiB of memory, or "
               "there is none left",
               LIM_CONF_MEMORY >> 20);
    cfg_free(l->c);
    return NULL;
}

struct config *cfg_load(const struct cfg_load_options *o,
                        struct cfg_issues *issues)
{
    struct load l;
    return load_begin(&l, o, issues) ? load_run(&l) : NULL;
}
