/* SPDX-License-Identifier: MIT */
/* Provider instances: those that the files name, each from its section. */
#include "config/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct manifest *provider_module(struct load *l, pbay_str type)
{
    for (size_t i = 0; i < l->o->n_manifests; i++)
        if (manifest_is(l->o->manifests[i], type))
            return l->o->manifests[i];
    return NULL;
}

bool provider_name_ok(const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < n; i++)
        if (!((name[i] >= 'a' && name[i] <= 'z') ||
              (name[i] >= '0' && name[i] <= '9') || name[i] == '-' ||
              name[i] == '_'))
            return false;
    return n >= 1 && n <= 63;
}

static void provider_problem(struct cfg_provider *p, char *text)
{
    if (!p->problem)
        p->problem = text;
}

/* "openai, loopback", and the nearest to what was written. */
static char *installed(struct load *l, const char *type)
{
    struct nearest near = {.wanted = str_c(type)};
    char *list = load_dup(l, STR(""));
    for (size_t i = 0; i < l->o->n_manifests; i++) {
        const struct manifest *m = l->o->manifests[i];
        list = load_printf(l, "%s%s%s", list, i ? ", " : "", m->id);
        nearest_offer(&near, m->id);
        for (size_t k = 0; m->aliases[k]; k++)
            nearest_offer(&near, m->aliases[k]);
    }
    char hint[96];
    return load_printf(l, "(installed: %s)%s%s", *list ? list : "none",
                       *list ? ""
                             : "; PATCHBAY_PLUGIN_PATH names further "
                               "directories with modules",
                       nearest_hint(&near, hint, sizeof hint));
}

/* A file of that name is there, but its manifest could not be read: that must
 * not keep the other providers from working. */
static bool is_broken(struct load *l, const char *type)
{
    for (size_t i = 0; l->o->broken && l->o->broken[i]; i++)
        if (strcmp(l->o->broken[i], type) == 0)
            return true;
    return false;
}

static void no_module(const struct section *s, struct cfg_provider *p)
{
    struct load *l = s->l;
    if (is_broken(l, p->type)) {
        provider_problem(p, load_printf(l,
                                        "its module \"%s\" cannot be used: "
                                        "\"patchbay plugins\" says why",
                                        p->type));
        section_issue(s, false, "type", "%s; the provider is not set up",
                      p->problem);
        return;
    }
    const char *why = "there is no module";
    if (env_known_type(str_c(p->type)))
        why = "no module is installed for type";
    provider_problem(p, load_printf(l, "%s \"%.64s\" %s", why, p->type,
                                    installed(l, p->type)));
    section_issue(s, p->enabled, "type", "%s", p->problem);
}

/* --- base URL --- */

static void read_base_url(const struct section *s, struct cfg_provider *p)
{
    struct load *l = s->l;
    struct raw raw = section_raw(s, "base_url");
    const char *url = section_string(s, "base_url");
    char why[192];
    p->url_given = url != NULL;
    if (url && raw.origin.source == CFG_ENV && p->manifest)
        url = url_complete(l, url, p->manifest);
    if (!url && p->manifest)
        url = p->manifest->base_url;
    /* Whatever is wrong with it may be a key in it: not shown as it is. */
    p->base_url = NULL;
    if (url) {
        p->base_url = url_base(l, url, why, sizeof why, &p->loopback);
        if (!p->base_url) {
            section_issue(s, true, "base_url", "%s", why);
            provider_problem(p, load_dup(l, STR("its base_url cannot be "
                                                "used")));
        }
    }
    node_set_string(l, s->node, "base_url", p->base_url,
                    raw.kind == RAW_NONE ? NULL : &raw.origin);
}

/* --- is it complete? --- */

/* "api_key or base_url", with the variables that would do. */
static char *needs_text(struct load *l, const struct manifest *m)
{
    char *text = load_dup(l, STR(""));
    for (size_t i = 0; m->needs[i]; i++) {
        text = load_printf(l, "%s%s%s", text, i ? " or " : "", m->needs[i]);
        for (size_t k = 0; k < m->n_env; k++)
            if (strcmp(m->env[k].key, m->needs[i]) == 0) {
                text = load_printf(l, "%s (%s)", text, m->env[k].var);
                break;
            }
    }
    return text;
}

static bool has(const struct section *s, const struct cfg_provider *p,
                const char *key)
{
    if (strcmp(key, "api_key") == 0)
        return p->api_key != NULL;
    return section_raw(s, key).kind != RAW_NONE;
}

static void check_complete(const struct section *s, struct cfg_provider *p)
{
    const struct manifest *m = p->manifest;
    struct load *l = s->l;
    if (!m || !p->enabled || p->problem)
        return;
    /* `needs` is about what the environment sets up; somebody who names a
     * provider that runs on this machine means its usual place. */
    bool complete =
        !m->needs[0] || (m->local && m->base_url) || has(s, p, "base_url");
    for (size_t i = 0; m->needs[i]; i++)
        complete = complete || has(s, p, m->needs[i]);
    if (!complete)
        provider_problem(p, load_printf(l, "it lacks %s", needs_text(l, m)));
    else if (m->codec && !p->base_url)
        provider_problem(p, load_dup(l, STR("it lacks base_url, and its "
                                            "module has none of its own")));
    if (p->problem)
        section_issue(s, false, "", "the provider is not set up: %s",
                      p->problem);
}

static void warn_clear_text(const struct section *s, struct cfg_provider *p)
{
    if (p->enabled && p->api_key && p->base_url && !p->loopback &&
        !p->tx.unix_socket && str_ieq(str_n(p->base_url, 5), STR("http:")))
        section_issue(s, false, "base_url",
                      "api_key crosses the network in "
                      "clear: use https:// if the server can");
}

static void read_models_field(const struct section *s, struct cfg_provider *p)
{
    const char *word = section_string(s, "models_field");
    p->own_models = word && strcmp(word, "auto") != 0
                        ? strcmp(word, "own") == 0
                        : p->manifest && manifest_owns(p->manifest, "models");
}

/* On this machine or without a key: nobody sends a bill for looking after it.
 */
static bool of_ones_own(const struct cfg_provider *p)
{
    return !p->api_key || (p->manifest && p->manifest->local && p->loopback);
}

static void read_models(const struct section *s, struct cfg_provider *p)
{
    p->default_model = section_string(s, "default_model");
    if (p->default_model && !*p->default_model)
        section_issue(s, true, "default_model",
                      "it is empty: write a model "
                      "or leave the key out");
    p->models = section_list(s, "models");
    read_models_field(s, p);
    p->check_ms = section_value(s, "check_interval")->set
                      ? section_int(s, "check_interval")
                  : of_ones_own(p) ? 60000
                                   : 0;
    p->max_reply = (size_t)section_int(s, "max_reply");
    p->max_record = (size_t)section_int(s, "max_record");
    p->call_memory = (size_t)section_int(s, "call_memory");
}

/* --- one provider --- */

static bool fill_by_env(struct load *l, const struct section *s,
                        const struct cfg_provider *p)
{
    /* Only one that goes by the module's name: another instance of it may be
     * somebody else's server, which must not get this key. */
    return s->doc && p->manifest && p->enabled && l->env_mode != ENV_OFF &&
           manifest_is(p->manifest, str_c(p->name));
}

static void read_provider(struct section *s, struct cfg_provider *p,
                          const struct provider_src *src)
{
    struct load *l = s->l;
    p->enabled = section_bool(s, "enabled");
    l->lenient = !p->enabled;
    p->type = section_string(s, "type");
    if (!p->type) {
        p->type = load_dup(l, str_c(src->type ? src->type : src->name));
        node_set_string(l, s->node, "type", p->type, NULL);
    }
    p->manifest = provider_module(l, str_c(p->type));
    if (!p->manifest)
        no_module(s, p);
    else
        section_check_names(s, p->manifest);
    if (fill_by_env(l, s, p))
        s->env = env_overlay(l, p->manifest, &s->n_env);
    provider_secret(s, p);
    read_base_url(s, p);
    provider_reach(s, p);
    provider_names(s, p);
    p->weight = (unsigned)section_int(s, "weight");
    read_models(s, p);
    provider_prices(s, p);
    provider_able(s, p);
    provider_windows(s, p);
    provider_own(s, p);
    check_complete(s, p);
    warn_clear_text(s, p);
    if (!p->enabled)
        provider_problem(p, load_dup(l, STR("enabled = false")));
    l->lenient = false;
    s->node->problem = p->problem;
}

static bool room_for_provider(struct load *l)
{
    struct config *c = l->c;
    struct cfg_provider *v =
        load_grow(l, c->providers, c->n_providers, sizeof *v);
    if (v)
        c->providers = v;
    return v != NULL;
}

void provider_add(struct load *l, const struct provider_src *src)
{
    struct config *c = l->c;
    if (c->n_providers == LIM_PROVIDERS) {
        load_issue_at(l, true, &src->origin,
                      "providers.%s: more than %d "
                      "providers",
                      src->name, LIM_PROVIDERS);
        return;
    }
    if (!room_for_provider(l))
        return;
    struct cfg_provider *p = &c->providers[c->n_providers++];
    *p = (struct cfg_provider){.name = load_dup(l, str_c(src->name)),
                               .from_env = !src->doc,
                               .origin = src->origin};
    struct section s = {.l = l,
                        .rows = "provider",
                        .doc = src->doc,
                        .set = src->set,
                        .env = src->env,
                        .n_env = src->n_env,
                        .label = load_printf(l, "providers.%s", src->name)};
    s.node = node_add(l, l->providers, NODE_GROUP, src->name, &src->origin);
    read_provider(&s, p, src);
}

/* --- the files --- */

static void add_from_file(struct load *l, const struct doc *d,
                          const config_setting_t *set)
{
    const char *name = config_setting_name(set);
    struct raw raw = raw_setting(d, set);
    const struct cfg_origin *at = &raw.origin;
    if (raw.kind != RAW_GROUP) {
        load_issue_at(l, true, at,
                      "providers.%s: a group is wanted: %s: { "
                      "... }",
                      name, name);
        return;
    }
    if (!provider_name_ok(name)) {
        load_issue_at(l, true, at,
                      "providers.%.64s: the name of a provider "
                      "is 1 to 63 small letters, digits, \"-\" and \"_\"",
                      name);
        return;
    }
    for (size_t i = 0; i < l->c->n_providers; i++) {
        const struct cfg_provider *p = &l->c->providers[i];
        if (strcmp(p->name, name) == 0) {
            load_issue_at(l, true, at,
                          "providers.%s: this provider stands in "
                          "%s:%d as well: remove one or give it another name",
                          name, p->origin.name, p->origin.line);
            return;
        }
    }
    struct provider_src src = {
        .name = name, .doc = d, .set = set, .origin = raw.origin};
    provider_add(l, &src);
}

static void add_from_doc(struct load *l, const struct doc *d)
{
    const config_setting_t *set =
        config_setting_get_member(config_root_setting(&d->conf), "providers");
    if (!set)
        return;
    if (!config_setting_is_group(set)) {
        load_issue(l, true, d->path, config_setting_source_line(set),
                   "providers: a group of groups is wanted: providers: { "
                   "openai: { ... }; };");
        return;
    }
    for (int i = 0; i < config_setting_length(set); i++)
        add_from_file(l, d, config_setting_get_elem(set, (unsigned)i));
}

void read_providers(struct load *l)
{
    bool broken = false;
    for (size_t i = 0; i < l->n_docs; i++) {
        if (l->docs[i]->parsed)
            add_from_doc(l, l->docs[i]);
        else
            broken = true;
    }
    /* What a file that cannot be read says about providers is not known: then
     * the environment does not decide for it. */
    if (l->env_mode == ENV_ADD ||
        (l->env_mode == ENV_FILL && !l->c->n_providers && !broken))
        env_providers(l);
    check_provider_names(l);
}
