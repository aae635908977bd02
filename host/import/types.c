/* SPDX-License-Identifier: MIT */
/* What others call a kind of provider, and which module speaks to it. */
#include "import/state.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

/* Names that are none of a module's.  Base URLs as the services publish them;
 * those with one have a file in etc/providers.d, but for Gemini:
 * https://ai.google.dev/gemini-api/docs/openai */
static const struct {
    const char *name, *module, *base_url, *var;
} known[] = {
    {"llama_cpp", "llamacpp", NULL, NULL},
    {"llama.cpp", "llamacpp", NULL, NULL},
    {"llama-server", "llamacpp", NULL, NULL},
    {"openai_compatible", "openai", NULL, NULL},
    {"openai-like", "openai", NULL, NULL},
    {"openai_like", "openai", NULL, NULL},
    {"custom", "openai", NULL, NULL},
    {"vllm", "openai", NULL, NULL},
    {"lmstudio", "openai", NULL, NULL},
    {"lm-studio", "openai", NULL, NULL},
    {"lm_studio", "openai", NULL, NULL},
    {"localai", "openai", NULL, NULL},
    {"groq", "openai", "https://api.groq.com/openai/v1", "GROQ_API_KEY"},
    {"mistral", "openai", "https://api.mistral.ai/v1", "MISTRAL_API_KEY"},
    {"deepseek", "openai", "https://api.deepseek.com", "DEEPSEEK_API_KEY"},
    {"together", "openai", "https://api.together.ai/v1", "TOGETHER_API_KEY"},
    {"xai", "openai", "https://api.x.ai/v1", "XAI_API_KEY"},
    {"huggingface", "openai", "https://router.huggingface.co/v1", "HF_TOKEN"},
    {"gemini", "openai",
     "https://generativelanguage.googleapis.com/v1beta/openai",
     "GEMINI_API_KEY"},
    {"google", "openai",
     "https://generativelanguage.googleapis.com/v1beta/openai",
     "GEMINI_API_KEY"},
};
#define N_KNOWN (sizeof(known) / sizeof(*known))

static const struct manifest *module(const struct im_state *s, const char *type)
{
    char low[64];
    size_t n = 0;

    for (; type[n] && n < sizeof(low) - 1; n++)
        low[n] = (char)tolower((unsigned char)type[n]);
    low[n] = '\0';
    for (size_t i = 0; i < s->o->n_manifests; i++)
        if (manifest_is(s->o->manifests[i], str_c(low)))
            return s->o->manifests[i];
    return NULL;
}

/* The variable that its module reads the key from. */
static const char *key_variable(const struct manifest *m)
{
    for (size_t i = 0; m && i < m->n_env; i++)
        if (!strcmp(m->env[i].key, "api_key"))
            return m->env[i].var;
    return NULL;
}

static void other_variable(struct im_state *s, struct im_provider *p)
{
    char *v = arena_bytes(&s->tree.arena, sizeof(p->name) + 9);
    size_t n = 0;

    if (!v)
        return;
    for (const char *c = p->name; *c; c++)
        v[n++] =
            isalnum((unsigned char)*c) ? (char)toupper((unsigned char)*c) : '_';
    strcpy(v + n, "_API_KEY");
    p->var = v;
}

void im_type(struct im_state *s, struct im_provider *p, const char *type,
             bool has_url)
{
    size_t i = 0;

    p->module = module(s, type);
    p->type = p->module ? p->module->id : type;
    while (!p->module && i < N_KNOWN && strcasecmp(known[i].name, type) != 0)
        i++;
    if (!p->module && i < N_KNOWN) {
        p->module = module(s, known[i].module);
        p->type = known[i].module;
        p->base_url = has_url ? NULL : known[i].base_url;
        p->var = known[i].var;
        if (known[i].base_url)
            im_issue(s, false, p->line,
                     "providers.%s: set up as a server that speaks OpenAI's "
                     "API; what is particular about it stands in the shipped "
                     "providers.d, where there is a file of that name",
                     p->name);
    } else if (!p->module && has_url) {
        /* A name of somebody's own for a server that has an address. */
        p->module = module(s, "openai");
        p->type = "openai";
        im_issue(s, false, p->line,
                 "providers.%s: \"%.40s\" names no module; set up as a server "
                 "that speaks OpenAI's API, which has to be so",
                 p->name, type);
    }
    if (!p->module) {
        p->enabled = false;
        im_issue(s, false, p->line,
                 "providers.%s: there is no module for \"%.40s\" here; it is "
                 "written with enabled = false",
                 p->name, type);
    }
    if (!p->var && p->module && !strcmp(p->module->id, p->name))
        p->var = key_variable(p->module);
    if (!p->var)
        other_variable(s, p);
}
