/* SPDX-License-Identifier: MIT */
/* Providers that the environment describes, through the manifests' tables. */
#include "config/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Variables that people have set for these types, whether or not their module
 * is here to say so. */
static const struct {
    const char *type, *alias, *vars[4];
} known[] = {
    {"openai", NULL, {"OPENAI_API_KEY", "OPENAI_BASE_URL"}},
    {"claude", "anthropic", {"ANTHROPIC_API_KEY"}},
    {"openrouter", NULL, {"OPENROUTER_API_KEY"}},
    {"ollama", NULL, {"OLLAMA_HOST", "OLLAMA_URL", "OLLAMA_BASE_URL"}},
    {"llamacpp", "llama-cpp", {"LLAMACPP_URL", "LLAMACPP_MODELS_DIR"}},
};
#define N_KNOWN (sizeof known / sizeof *known)

#define CUSTOM "CUSTOM_PROVIDER_"

const char *env_known_type(pbay_str type)
{
    for (size_t i = 0; i < N_KNOWN; i++)
        if (str_is(type, known[i].type) ||
            (known[i].alias && str_is(type, known[i].alias)))
            return known[i].vars[0];
    return NULL;
}

static struct overlay *find(struct overlay *v, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(v[i].name, key) == 0)
            return &v[i];
    return NULL;
}

const struct overlay *env_overlay(struct load *l, const struct manifest *m,
                                  size_t *n)
{
    struct overlay *v = load_alloc(l, (m->n_env + 1) * sizeof *v);
    *n = 0;
    for (size_t i = 0; v && i < m->n_env; i++) {
        const char *var = m->env[i].var, *value = load_env(l, var);
        if (!value || strncmp(var, CUSTOM, strlen(CUSTOM)) == 0)
            continue;
        struct overlay *old = find(v, *n, m->env[i].key);
        if (!old) {
            v[(*n)++] = (struct overlay){load_dup(l, str_c(m->env[i].key)),
                                         load_dup(l, str_c(value)),
                                         load_dup(l, str_c(var))};
        } else if (strcmp(old->value, value) != 0) {
            load_issue(l, false, var, 0,
                       "%s and %s say different things: %s "
                       "is used",
                       old->var, var, old->var);
        }
    }
    return v;
}

static bool taken(const struct load *l, const char *name)
{
    for (size_t i = 0; i < l->c->n_providers; i++)
        if (strcmp(l->c->providers[i].name, name) == 0)
            return true;
    return false;
}

static bool complete(const struct manifest *m, struct overlay *v, size_t n)
{
    for (size_t i = 0; m->needs[i]; i++)
        if (find(v, n, m->needs[i]))
            return true;
    return !m->needs[0];
}

static void add_module(struct load *l, const struct manifest *m)
{
    size_t n;
    const struct overlay *v = env_overlay(l, m, &n);
    struct overlay *own = load_alloc(l, (n + 1) * sizeof *own);
    if (!v || !own || taken(l, m->id))
        return;
    memcpy(own, v, n * sizeof *v);
    if (!complete(m, own, n))
        return;
    struct provider_src src = {
        .name = m->id, .env = v, .n_env = n, .type = m->id};
    if (n)
        src.origin = (struct cfg_origin){CFG_ENV, v[0].var, 0};
    provider_add(l, &src);
}

/* A variable that nothing here can use. */
static void warn_missing(struct load *l)
{
    for (size_t i = 0; i < N_KNOWN; i++) {
        const char *set = NULL;
        for (size_t k = 0; known[i].vars[k] && !set; k++)
            if (load_env(l, known[i].vars[k]))
                set = known[i].vars[k];
        if (set && !provider_module(l, str_c(known[i].type)) &&
            !(known[i].alias && provider_module(l, str_c(known[i].alias))))
            load_issue(l, false, set, 0,
                       "%s is set, but no module \"%s\" is "
                       "installed: it is not used (\"patchbay plugins\" lists "
                       "what there is)",
                       set, known[i].type);
    }
}

/* "My Server 2" -> "my-server-2" */
static char *make_name(struct load *l, const char *in)
{
    char name[64];
    size_t n = 0;
    for (; *in && n < sizeof name - 1; in++) {
        char c = *in >= 'A' && *in <= 'Z' ? (char)(*in + 32) : *in;
        bool good =
            (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
        if (good)
            name[n++] = c;
        else if (n && name[n - 1] != '-')
            name[n++] = '-';
    }
    while (n && name[n - 1] == '-')
        n--;
    return n && name[0] >= 'a' && name[0] <= 'z'
               ? load_dup(l, str_n(name, n))
               : load_printf(l, "custom%s%.*s", n ? "-" : "", (int)n, name);
}

/* CUSTOM_PROVIDER_*: one more server that speaks OpenAI's API. */
static void add_custom(struct load *l)
{
    static const char var_name[] = CUSTOM "NAME", var_key[] = CUSTOM "API_KEY",
                      var_url[] = CUSTOM "BASE_URL",
                      var_model[] = CUSTOM "DEFAULT_MODEL";
    const char *name = load_env(l, var_name), *key = load_env(l, var_key),
               *url = load_env(l, var_url), *model = load_env(l, var_model);
    if (!name && !key && !url && !model)
        return;
    if (!url) {
        const char *set = name ? var_name : key ? var_key : var_model;
        load_issue(l, true, set, 0,
                   "%s is set, but %s is not: set it to the "
                   "address of that server's API, as in \"https://host/v1\"",
                   set, var_url);
        return;
    }
    if (!provider_module(l, STR("openai"))) {
        load_issue(l, false, var_url, 0,
                   "%s is set, but no module \"openai\" "
                   "is installed: it is not used",
                   var_url);
        return;
    }
    name = make_name(l, name ? name : "custom");
    if (taken(l, name)) {
        if (l->env_mode != ENV_ADD)
            load_issue(l, true, var_name, 0,
                       "%s: there is another provider "
                       "\"%s\": choose another name",
                       var_name, name);
        return; /* a file wins */
    }
    struct overlay v[] = {{"base_url", url, var_url},
                          {"api_key", key, var_key},
                          {"default_model", model, var_model}};
    struct overlay *own = load_alloc(l, sizeof v);
    if (!own)
        return;
    size_t n = 0;
    for (size_t i = 0; i < sizeof v / sizeof *v; i++)
        if (v[i].value)
            own[n++] = v[i];
    struct provider_src src = {.name = name,
                               .env = own,
                               .n_env = n,
                               .type = "openai",
                               .origin = {CFG_ENV, var_url, 0}};
    provider_add(l, &src);
}

void env_providers(struct load *l)
{
    for (size_t i = 0; i < l->o->n_manifests; i++)
        add_module(l, l->o->manifests[i]);
    add_custom(l);
    warn_missing(l);
}
