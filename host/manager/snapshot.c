/* SPDX-License-Identifier: MIT */
/* Making provider instances of a configuration, and taking them down again. */
#include "manager/snapshot.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "manager/allowance.h"
#include "manager/attempt.h"

static char *say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static char *say(const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return strdup(text);
}

/* An extension's table, if it is as large as the part we rely on. */
static const void *extension(const struct instance *in, const char *id,
                             size_t least)
{
    const pbay_plugin *p = in->gen->plugin;
    const void *table = p->extension(in->inst, str_c(id));
    uint32_t size;

    if (!table)
        return NULL;
    memcpy(&size, table, sizeof(size));
    return size >= least ? table : NULL;
}

static char *take_extensions(struct instance *in)
{
    in->codec = extension(in, PBAY_EXT_CODEC, sizeof(pbay_codec));
    in->native =
        extension(in, PBAY_EXT_NATIVE,
                  offsetof(pbay_native, run) + sizeof(in->native->run));
    if (!in->cfg->url_given)
        in->backend = extension(in, PBAY_EXT_BACKEND, sizeof(pbay_backend));
    if (in->backend && !in->backend->describe)
        return say("its backend table lacks describe");
    if (in->backend)
        in->ops |= PBAY_OP_BIT(PBAY_OP_PS); /* the host knows what runs */
    if (in->codec) {
        if (!in->codec->build || !in->codec->feed)
            return say("its codec table lacks build or feed");
        if (in->codec->state_size > LIM_STATE)
            return say("its codec wants %u bytes of state; at most %zu are "
                       "allowed",
                       (unsigned)in->codec->state_size, LIM_STATE);
        in->ops |= in->codec->ops;
    }
    if (in->native) {
        if (!in->native->run)
            return say("its native table lacks run");
        in->ops |= in->native->ops;
        in->gate.max = in->native->max_parallel;
    }
    if (!in->ops)
        return say("it offers neither a codec nor a native provider of this "
                   "host's revision");
    return NULL;
}

static void instance_free(struct instance *in, struct catalogue *modules)
{
    if (!in)
        return;
    if (in->gen)
        generation_unref(modules, in->gen);
    allowances_free(in->left);
    free(in->name);
    free(in);
}

/* NULL and *why on failure. */
static struct instance *instance_new(const struct cfg_provider *cfg,
                                     struct catalogue *modules, char **why)
{
    struct module *mod = catalogue_find(modules, str_c(cfg->manifest->id));
    struct generation *gen = mod ? module_load(modules, mod) : NULL;
    struct instance *in;

    if (!gen) {
        *why = say("its module %s cannot be loaded: %s", cfg->manifest->id,
                   mod && mod->reason ? mod->reason : "not found");
        return NULL;
    }
    in = calloc(1, sizeof(*in));
    if (!in || !(in->name = strdup(cfg->name)) ||
        !(in->stats = stats_of(cfg->name)) || !(in->left = allowances_new())) {
        instance_free(in, modules);
        *why = say("out of memory");
        return NULL;
    }
    in->cfg = cfg;
    in->gen = generation_ref(gen);
    attempt_host_table(&in->host, in);
    if (gen->plugin->create(&in->host, str_c(cfg->plugin_config), &in->inst) <
        0) {
        *why = say("its module refused the configuration (see the log)");
        instance_free(in, modules);
        return NULL;
    }
    *why = take_extensions(in);
    if (*why) {
        gen->plugin->destroy(in->inst);
        instance_free(in, modules);
        return NULL;
    }
    return in;
}

static void note_failed(struct snapshot *s, const struct cfg_provider *cfg,
                        char *why)
{
    log_line(LOG_ERROR, "host", "a provider is not set up",
             log_cstr("provider", cfg->name), log_cstr("reason", why), LOG_END);
    s->failed[s->n_failed].cfg = cfg;
    s->failed[s->n_failed++].why = why;
}

struct snapshot *snapshot_new(struct config *cfg, struct catalogue *modules)
{
    static unsigned serial;
    struct snapshot *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->serial = ++serial;
    s->cfg = cfg;
    s->instances = calloc(cfg->n_providers + 1, sizeof(struct instance *));
    s->failed = calloc(cfg->n_providers + 1, sizeof(*s->failed));
    if (!s->instances || !s->failed) {
        free(s->instances);
        free(s->failed);
        free(s);
        return NULL;
    }
    for (size_t i = 0; i < cfg->n_providers; i++) {
        const struct cfg_provider *p = &cfg->providers[i];
        struct instance *in = NULL;
        char *why = NULL;

        if (!p->enabled)
            continue;
        if (p->problem || !p->manifest)
            why = say("%s", p->problem ? p->problem : "no such module");
        else
            in = instance_new(p, modules, &why);
        if (in)
            s->instances[s->n++] = in;
        else
            note_failed(s, p, why);
    }
    return s;
}

void snapshot_free(struct snapshot *s, struct catalogue *modules)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n; i++) {
        struct instance *in = s->instances[i];
        in->gen->plugin->destroy(in->inst);
        instance_free(in, modules);
    }
    for (size_t i = 0; i < s->n_failed; i++)
        free(s->failed[i].why);
    free(s->instances);
    free(s->failed);
    cfg_free(s->cfg);
    free(s);
}

/* Names first: they are what is asked for most. */
struct instance *snapshot_find(const struct snapshot *s, pbay_str name)
{
    for (size_t i = 0; i < s->n; i++)
        if (str_is(name, s->instances[i]->name))
            return s->instances[i];
    for (size_t i = 0; i < s->n; i++)
        if (cfg_provider_called(s->instances[i]->cfg, name))
            return s->instances[i];
    return NULL;
}

bool instance_speaks(const struct instance *in, pbay_str dialect)
{
    const pbay_codec *c = in->codec;
    pbay_str rest = c && PBAY_HAS(c, dialects) ? c->dialects : STR_NONE;

    while (dialect.n && rest.p)
        if (str_eq(str_cut(&rest, ' '), dialect))
            return true;
    return false;
}
