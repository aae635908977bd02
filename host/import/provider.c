/* SPDX-License-Identifier: MIT */
/* A provider of the input, as a group of `providers`.  What becomes of its
 * members (several names for one thing: the first that is there):
 *
 *   name, id                        the group's name, in small letters
 *   type, provider, kind            type; without it the name, or "openai"
 *                                   where there is a base_url
 *   enabled; disabled               enabled
 *   priority, weight                 the order and the weights of the route
 *                                   "default", see routes.c
 *   api_key, apiKey, key            api_key or api_key_file, see import.h
 *   api_key_env, api_key_env_var    api_key = "${THAT:-}"
 *   base_url, baseUrl, base_uri, api_base, endpoint, url, host
 *                                   base_url
 *   default_model, model            default_model; without it the first of
 *                                   models
 *   models, a list of names or of {name} or {id}, or a map by names
 *                                   models
 *   timeout (seconds, or "30s"), request_timeout, timeout_seconds; timeout_ms
 *                                   timeouts.total
 *   timeouts: {connect, headers, first_token, idle, total}
 *   retry: {max_attempts, backoff_factor, backoff, max_backoff}
 *   max_attempts; max_retries, retry_attempts (one less)
 *                                   retry.max_attempts
 *   rate_limit, rate_limits, limits: {requests_per_minute (rpm),
 *   tokens_per_minute (tpm), concurrent (max_concurrent, concurrent_requests)}
 *                                   limits
 *   headers, default_headers, extra_headers
 *                                   headers
 *   config, settings, options, a map: as if its members stood in the provider
 *   any other key of a provider in patchbay.conf(5), and any that its module
 *   declares: the same
 *
 * null and empty texts say nothing; all else is an issue. */
#include "import/state.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <strings.h>

#include "config/parts.h"

static struct tree_node *take(struct im_provider *p, const char *names)
{
    struct tree_node *n = tree_take(p->node, names);

    return n ? n : tree_take(p->inner, names);
}

static struct im_key key_of(const struct cfg_key *row)
{
    return (struct im_key){.name = row->name,
                           .type = row->type,
                           .min = row->min,
                           .max = row->max,
                           .choices = row->choices};
}

static struct im_key key_of_module(const struct manifest_key *k)
{
    return (struct im_key){.name = k->name,
                           .type = k->type,
                           .min = k->has_min ? k->min : 0,
                           .max = k->has_max ? k->max : 0,
                           .choice_list = k->choices};
}

/* --- what has to be known of all ----------------------------------------- */

static void make_name(struct im_state *s, struct im_provider *p)
{
    size_t n = 0;
    unsigned again = 2;
    char base[56];

    if (p->given.n && !isalpha((unsigned char)p->given.p[0]))
        base[n++] = 'p';
    for (size_t i = 0; i < p->given.n && n < sizeof(base) - 1; i++) {
        unsigned char c = (unsigned char)p->given.p[i];
        base[n++] = isalnum(c) && c < 128 ? (char)tolower(c)
                    : c == '_'            ? '_'
                                          : '-';
    }
    base[n] = '\0';
    snprintf(p->name, sizeof(p->name), "%s", n ? base : "provider");
    for (size_t i = 0; i < s->n_providers; i++)
        if (&s->providers[i] != p && !strcmp(s->providers[i].name, p->name)) {
            snprintf(p->name, sizeof(p->name), "%s-%u", n ? base : "provider",
                     again++);
            i = (size_t)-1; /* from the beginning */
        }
    if (!str_is(p->given, p->name))
        im_issue(s, false, p->line,
                 "provider \"%.60s\": it is called \"%s\" here, in the names "
                 "of its models as well",
                 p->given.n ? p->given.p : "", p->name);
}

static const char *first_model(struct tree_node *models)
{
    struct tree_node *m = models ? models->first : NULL;

    if (models && models->kind == TREE_SCALAR)
        return tree_text(models);
    if (models && models->kind == TREE_MAP)
        return m ? m->key.p : NULL;
    if (m && m->kind == TREE_MAP)
        m = tree_peek(m, tree_peek(m, "name") ? "name" : "id");
    return tree_text(m);
}

/* 0 to CFG_ROUTE_WEIGHT. */
static int small_number(struct im_state *s, struct im_provider *p,
                        const char *name, int none)
{
    struct tree_node *n = take(p, name);
    uint64_t v;

    if (!n || n->kind == TREE_NULL)
        return none;
    if (tree_text(n) && !str_u64(str_c(tree_text(n)), &v) &&
        v <= CFG_ROUTE_WEIGHT)
        return (int)v;
    im_issue(s, false, n->line,
             "providers.%s.%s: a whole number of 0 to %d is wanted; left out",
             p->name, name, CFG_ROUTE_WEIGHT);
    return none;
}

void im_provider_prepare(struct im_state *s, struct im_provider *p)
{
    static const char *const inner[] = {"config", "settings", "options"};
    struct tree_node *n;
    const char *type;
    bool off = false, has_url;

    for (size_t i = 0; i < 3 && !p->inner; i++) {
        p->inner = tree_peek(p->node, inner[i]);
        if (p->inner && p->inner->kind != TREE_MAP)
            p->inner = NULL;
    }
    if (p->inner)
        p->inner->used = true;
    p->enabled = true;
    n = take(p, "enabled");
    if (n && n->kind != TREE_NULL && !tree_bool(n, &p->enabled))
        im_issue(s, false, n->line,
                 "provider \"%.60s\": enabled: true or false is wanted; taken "
                 "as true",
                 p->given.n ? p->given.p : "");
    n = take(p, "disabled");
    if (n && n->kind != TREE_NULL && !tree_bool(n, &off))
        im_issue(s, false, n->line,
                 "provider \"%.60s\": disabled: true or false is wanted; taken "
                 "as false",
                 p->given.n ? p->given.p : "");
    if (off)
        p->enabled = false;
    make_name(s, p);
    has_url = tree_peek(p->node, "base_url") ||
              tree_peek(p->inner, "base_url") ||
              tree_peek(p->node, "baseUrl") || tree_peek(p->node, "api_base") ||
              tree_peek(p->node, "endpoint") || tree_peek(p->node, "url");
    p->priority = small_number(s, p, "priority", INT_MAX);
    p->weight = small_number(s, p, "weight", -1);
    n = take(p, "type|provider|kind");
    type = tree_text(n);
    im_type(s, p, type && *type ? type : p->name, has_url);
    n = take(p, "default_model|model");
    p->model = tree_text(n);
    if (n && n->kind != TREE_NULL && !p->model)
        im_issue(s, false, n->line,
                 "providers.%s.%s: a model's name is wanted; left out", p->name,
                 n->key.p);
    if (!p->model || !*p->model) {
        n = tree_peek(p->node, "models");
        p->model = first_model(n ? n : tree_peek(p->inner, "models"));
    }
    if (p->model && strlen(p->model) > 255)
        im_issue(s, false, p->line,
                 "providers.%s.default_model: no model's name is that long; "
                 "left out",
                 p->name);
    if (p->model && (!*p->model || strlen(p->model) > 255))
        p->model = NULL;
}

/* --- writing ------------------------------------------------------------- */

static void put_base_url(struct im_state *s, struct im_provider *p)
{
    struct tree_node *n =
        take(p, "base_url|baseUrl|base_uri|api_base|endpoint|url|host");
    const char *url = n ? tree_text(n) : p->base_url;

    if (!n && !url)
        return;
    if (n && n->kind == TREE_NULL)
        return;
    /* What stands in a URL beside the address may be a secret. */
    if (!url ||
        (strncasecmp(url, "http://", 7) && strncasecmp(url, "https://", 8) &&
         strncmp(url, "${", 2)) ||
        strpbrk(url, "@?# \t\n\r") || strlen(url) > 2000) {
        im_issue(s, false, n ? n->line : p->line,
                 "providers.%s.base_url: an http or https URL without user "
                 "name, query and fragment is wanted; left out",
                 p->name);
        return;
    }
    buf_addc(s->b, "        base_url = ");
    im_string(s->b, url);
    buf_addc(s->b, ";\n");
}

static void put_key(struct im_state *s, struct im_provider *p)
{
    struct im_key file_key = {.name = "api_key_file", .type = KEY_STRING};
    struct tree_node *n = take(p, "api_key|apiKey|key"), *env, *file;
    const char *var;
    char label[96];

    env = take(p, "api_key_env|api_key_env_var|env_key");
    var = tree_text(env);
    if (var && im_is_variable(var)) {
        if (!tree_text(n))
            buf_printf(s->b, "        api_key = \"${%s:-}\";\n", var);
        else
            im_issue(s, false, env->line, "providers.%s: api_key wins over %s",
                     p->name, env->key.p);
    } else if (var && *var) {
        im_issue(s, false, env->line,
                 "providers.%s.%s: the name of a variable is wanted; left out",
                 p->name, env->key.p);
    }
    file = take(p, "api_key_file");
    snprintf(label, sizeof(label), "providers.%s", p->name);
    if (!file || tree_text(n) || (var && *var))
        im_api_key(s, p, n);
    else
        im_setting(s, 8, label, &file_key, file, p->var);
    if (file && (tree_text(n) || (var && *var)))
        im_issue(s, false, file->line, "%s: api_key wins over api_key_file",
                 label);
}

/* Names, {name}, {id}, or names with what is said of them. */
static void put_models(struct im_state *s, struct im_provider *p)
{
    struct tree_node *n = take(p, "models"), *name;
    const char *sep = "";
    char label[128];

    if (!n || n->kind == TREE_NULL || (n->kind != TREE_SCALAR && !n->first))
        return;
    buf_addc(s->b, "        models = [");
    for (struct tree_node *m = n->kind == TREE_SCALAR ? n : n->first; m;
         m = n->kind == TREE_SCALAR ? NULL : m->next) {
        const char *text = tree_text(m);
        if (n->kind == TREE_MAP) {
            text = m->key.p;
            m->used = true;
        } else if (m->kind == TREE_MAP) {
            m->used = true;
            name = tree_take(m, "name|id|model");
            text = tree_text(name);
        }
        snprintf(label, sizeof(label), "providers.%s.models", p->name);
        if (m->kind == TREE_MAP)
            im_unused(s, label, m);
        if (!text || !*text || strpbrk(text, "\n\r\t")) {
            im_issue(s, false, m->line,
                     "%s: a model's name is wanted; left out", label);
            continue;
        }
        m->used = true;
        buf_printf(s->b, "%s ", sep);
        im_string(s->b, text);
        sep = ",";
    }
    buf_addc(s->b, " ];\n");
}

/* Those that have been written by now. */
static bool is_written(const char *name)
{
    static const char *const done[] = {
        "type",         "enabled",       "base_url", "api_key",
        "api_key_file", "default_model", "models"};

    for (size_t i = 0; i < sizeof(done) / sizeof(*done); i++)
        if (!strcmp(done[i], name))
            return true;
    return false;
}

/* NAME_KEY, for a secret of this provider. */
static void own_variable(const struct im_provider *p, const char *key,
                         char var[128])
{
    snprintf(var, 128, "%s_%s", p->name, key);
    for (; *var; var++)
        *var = isalnum((unsigned char)*var) ? (char)toupper((unsigned char)*var)
                                            : '_';
}

/* Keys that are the same here: those of the host, then the module's. */
static void put_same(struct im_state *s, struct im_provider *p,
                     const char *label)
{
    char var[128];

    for (const struct cfg_key *k = cfg_keys(); k->section; k++) {
        struct im_key key = key_of(k);
        own_variable(p, k->name, var);
        if (!strcmp(k->section, "provider") && !is_written(k->name))
            im_setting(s, 8, label, &key, take(p, k->name), var);
    }
    for (size_t i = 0; p->module && i < p->module->n_keys; i++) {
        const struct manifest_key *k = &p->module->keys[i];
        struct im_key key = key_of_module(k);
        own_variable(p, k->name, var);
        if (!section_is_host_key("provider", k->name))
            im_setting(s, 8, label, &key, take(p, k->name), var);
    }
}

/* Members of one of our groups: by its name, or the others' names. */
struct same_as {
    const char *name, *others;
};
static const struct same_as group_names[] = {
    {"max_attempts", "max_attempts|attempts"},
    {"backoff_factor", "backoff_factor|multiplier"},
    {"backoff", "backoff|initial_delay|delay"},
    {"max_backoff", "max_backoff|max_delay"},
    {"requests_per_minute", "requests_per_minute|rpm"},
    {"tokens_per_minute", "tokens_per_minute|tpm"},
    {"concurrent", "concurrent|max_concurrent|concurrent_requests"},
};

static const char *others(const char *name)
{
    for (size_t i = 0; i < sizeof(group_names) / sizeof(*group_names); i++)
        if (!strcmp(group_names[i].name, name))
            return group_names[i].others;
    return name;
}

/* One of our groups from a map, one key of it perhaps from elsewhere. */
static void put_group(struct im_state *s, struct im_provider *p,
                      const char *group, struct tree_node *map,
                      const char *name, struct tree_node *one, int add)
{
    char rows[64], label[96], text[24];
    size_t before = s->b->n;
    bool any = false;

    snprintf(rows, sizeof(rows), "provider.%s", group);
    snprintf(label, sizeof(label), "providers.%s.%s", p->name, group);
    if (map && map->kind != TREE_MAP && map->kind != TREE_NULL)
        im_issue(s, false, map->line, "%s: a map is wanted; left out", label);
    buf_printf(s->b, "        %s: {\n", group);
    for (const struct cfg_key *k = cfg_keys(); k->section; k++) {
        struct im_key key = key_of(k);
        struct tree_node *n = strcmp(k->section, rows) == 0
                                  ? tree_take(map, others(k->name))
                                  : NULL;
        struct tree_node sum;
        uint64_t v = 0;
        if (!n && one && !strcmp(k->section, rows) && !strcmp(k->name, name)) {
            n = one;
            one = NULL;
            if (add && tree_text(n) && !str_u64(str_c(tree_text(n)), &v) &&
                v < 1000) {
                snprintf(text, sizeof(text), "%u", (unsigned)v + (unsigned)add);
                sum = *n;
                sum.text = str_c(text);
                n = &sum;
            }
        }
        any |= im_setting(s, 12, label, &key, n, "SECRET");
    }
    buf_addc(s->b, "        };\n");
    if (!any)
        s->b->n = before;
    if (one && one->kind != TREE_NULL)
        im_issue(s, false, one->line, "%s: %s wins over \"%s\"", label, name,
                 one->key.p);
    im_unused(s, label, map);
}

/* The provider's own, else what holds for all. */
static struct tree_node *own_or(struct im_provider *p, struct tree_node *common,
                                const char *names)
{
    struct tree_node *n = take(p, names), *all = tree_take(common, names);

    return n ? n : all;
}

static void put_groups(struct im_state *s, struct im_provider *p,
                       struct tree_node *common)
{
    struct tree_node *one =
        own_or(p, common, "timeout|request_timeout|timeout_seconds");
    struct tree_node *map = take(p, "timeouts"), ms;
    char text[40];
    int add = 0;

    if (one && one->kind == TREE_MAP && !map) {
        map = one;
        one = NULL;
    }
    if (!one && (one = own_or(p, common, "timeout_ms")) != NULL &&
        tree_text(one)) {
        ms = *one;
        snprintf(text, sizeof(text), "%.30sms", tree_text(one));
        ms.text = str_c(text);
        one = &ms;
    }
    put_group(s, p, "timeouts", map, "total", one, 0);
    one = own_or(p, common, "max_attempts");
    if (!one && (one = own_or(p, common, "max_retries|retry_attempts")) != NULL)
        add = 1;
    put_group(s, p, "retry", own_or(p, common, "retry|retry_policy"),
              "max_attempts", one, add);
    put_group(s, p, "limits", take(p, "rate_limit|rate_limits|limits"), "",
              NULL, 0);
    put_group(s, p, "model_limits", take(p, "model_limits"), "", NULL, 0);
    put_group(s, p, "tls", take(p, "tls"), "", NULL, 0);
}

/* A name that a header can have and libconfig can read, once. */
static bool header_ok(const struct tree_node *map, const struct tree_node *n)
{
    size_t len = strlen(n->key.p);

    if (!len || len > 64 || !isalpha((unsigned char)n->key.p[0]) ||
        strspn(n->key.p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                         "0123456789-_") != len)
        return false;
    for (const struct tree_node *m = map->first; m != n; m = m->next)
        if (str_ieq(m->key, n->key))
            return false;
    return true;
}

static void put_headers(struct im_state *s, struct im_provider *p)
{
    struct tree_node *map = take(p, "headers|default_headers|extra_headers");
    size_t before = s->b->n;
    bool any = false;
    char label[96];

    if (!map || map->kind != TREE_MAP) {
        if (map && map->kind != TREE_NULL)
            im_issue(s, false, map->line,
                     "providers.%s.headers: a map is wanted; left out",
                     p->name);
        return;
    }
    snprintf(label, sizeof(label), "providers.%s.headers", p->name);
    buf_addc(s->b, "        headers: {\n");
    for (struct tree_node *n = map->first; n; n = n->next) {
        struct im_key k = {.name = n->key.p, .type = KEY_STRING};
        const char *why = header_refused(k.name);
        n->used = true;
        if (why)
            im_issue(s, false, n->line, "%s.%.64s: left out: %s", label, k.name,
                     why);
        else if (!header_ok(map, n))
            im_issue(s, false, n->line,
                     "%s: no header that a configuration can name; left out",
                     label);
        else
            any |= im_setting(s, 12, label, &k, n, p->var);
    }
    buf_addc(s->b, "        };\n");
    if (!any)
        s->b->n = before;
}

void im_provider(struct im_state *s, struct im_provider *p,
                 struct tree_node *common)
{
    char label[96];

    snprintf(label, sizeof(label), "providers.%s", p->name);
    buf_printf(s->b, "    %s: {\n", p->name);
    if (!p->module || strcmp(p->module->id, p->name) != 0) {
        buf_addc(s->b, "        type = ");
        im_string(s->b, p->type);
        buf_addc(s->b, ";\n");
    }
    if (!p->enabled)
        buf_addc(s->b, "        enabled = false;\n");
    put_base_url(s, p);
    put_key(s, p);
    if (p->model) {
        buf_addc(s->b, "        default_model = ");
        im_string(s->b, p->model);
        buf_addc(s->b, ";\n");
    }
    put_models(s, p);
    put_same(s, p, label);
    put_groups(s, p, common);
    put_headers(s, p);
    buf_addc(s->b, "    };\n");
    im_unused(s, label, p->node);
}
