/* SPDX-License-Identifier: MIT */
/* `config init`: a configuration to begin with, made from the key table, the
 * manifests and what the environment has.  Lines that start with "#name" are
 * settings with their defaults; those with "# " explain. */
#include "config/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#define COLUMNS 78

/* A comment, wrapped. */
static void comment(struct buf *b, int indent, const char *text)
{
    pbay_str rest = str_c(text);
    size_t column = COLUMNS + 1;
    while (rest.n) {
        pbay_str word = str_cut(&rest, ' ');
        if (column + 1 + word.n > COLUMNS) {
            buf_printf(b, "%s%*s#", column > COLUMNS ? "" : "\n", indent, "");
            column = (size_t)indent + 1;
        }
        buf_printf(b, " %.*s", STR_ARG(word));
        column += 1 + word.n;
    }
    buf_addc(b, "\n");
}

/* "#name = default;", or an example where there is none. */
static void setting(struct load *l, struct buf *b, int indent,
                    const struct spec *k)
{
    static const char *const examples[] = {
        [KEY_STRING] = "\"...\"",    [KEY_INT] = "0",
        [KEY_FLOAT] = "0.0",         [KEY_BOOL] = "true",
        [KEY_DURATION] = "\"30s\"",  [KEY_SIZE] = "\"1M\"",
        [KEY_SECRET] = "\"${VAR}\"", [KEY_STRINGS] = "[ \"...\" ]"};
    struct raw raw = raw_default(l, k);
    struct node v;
    buf_printf(b, "%*s#%s = ", indent, "", k->name);
    if (raw.kind != RAW_NONE && value_read(l, k->name, k, &raw, &v))
        node_value_text(b, &v);
    else
        buf_addc(b, examples[k->type]);
    buf_addc(b, ";\n");
}

static void rows(struct load *l, struct buf *b, int indent, const char *section)
{
    for (const struct cfg_key *k = cfg_keys(); k->section; k++) {
        if (strcmp(k->section, section) != 0)
            continue;
        struct spec spec = spec_row(k);
        comment(b, indent, k->doc);
        setting(l, b, indent, &spec);
    }
}

static void sections(struct load *l, struct buf *b)
{
    buf_addc(b, "server: {\n");
    rows(l, b, 4, "server");
    buf_addc(b, "\n    timeouts: {\n");
    rows(l, b, 8, "server.timeouts");
    buf_addc(b, "    };\n\n    # For listeners that speak TLS.\n"
                "    #tls: {\n"
                "    #    certificate = \"/etc/patchbay/tls/chain.pem\";\n"
                "    #    key = \"/etc/patchbay/tls/key.pem\";\n"
                "    #};\n};\n\nlog: {\n");
    rows(l, b, 4, "log");
    buf_addc(b, "};\n\ncache: {\n");
    rows(l, b, 4, "cache");
    buf_addc(b, "};\n\nstructured_output: {\n");
    rows(l, b, 4, "structured_output");
    buf_addc(b, "};\n\nbackends: {\n");
    rows(l, b, 4, "backends");
    buf_addc(b, "};\n\ntext: {\n");
    rows(l, b, 4, "text");
    buf_addc(b, "};\n\n");
    comment(b, 0,
            "Names of your own for models, and chains of targets that stand "
            "in for each other.");
    buf_addc(b, "#routes = (\n"
                "#    { name = \"default\"; strategy = \"fallback\";\n"
                "#      targets = [ \"openai\", \"claude\" ]; }\n#);\n"
                "#aliases = (\n"
                "#    { name = \"fast\"; model = \"openai/gpt-5-mini\"; }\n"
                "#);\n\n");
    comment(b, 0,
            "Who may ask. \"patchbay key new\" makes a key and prints "
            "the line for it. Without any, everybody on this machine "
            "may, and nobody else.");
    buf_addc(b, "#keys = (\n"
                "#    { name = \"ci\"; sha256 = \"...\"; "
                "rights = [ \"chat\" ]; }\n#);\n\n");
}

/* --- providers --- */

static const char *key_variable(const struct manifest *m)
{
    for (size_t i = 0; i < m->n_env; i++)
        if (strcmp(m->env[i].key, "api_key") == 0)
            return m->env[i].var;
    return NULL;
}

static const char *choices(struct load *l, char *const *list)
{
    const char *text = "One of ";
    for (size_t i = 0; list[i]; i++)
        text = load_printf(l, "%s%s\"%s\"", text, i ? ", " : "", list[i]);
    return load_printf(l, "%s.", text);
}

static void own_keys(struct load *l, struct buf *b, const struct manifest *m)
{
    for (size_t i = 0; i < m->n_keys; i++) {
        if (section_is_host_key("provider", m->keys[i].name))
            continue;
        struct spec spec = spec_manifest(&m->keys[i]);
        comment(b, 8, m->keys[i].doc);
        if (m->keys[i].choices && m->keys[i].choices[0])
            comment(b, 8, choices(l, m->keys[i].choices));
        setting(l, b, 8, &spec);
    }
}

/* A provider that the environment has. */
static void found(struct load *l, struct buf *b, const struct cfg_provider *p)
{
    const struct manifest *m = p->manifest;
    const char *key = key_variable(m);
    struct node url = {
        .kind = NODE_VALUE, .type = KEY_STRING, .set = true, .s = p->base_url};
    if (strcmp(p->name, m->id) != 0)
        key = "CUSTOM_PROVIDER_API_KEY";
    comment(b, 4, m->name ? m->name : m->id);
    buf_printf(b, "    %s: {\n", p->name);
    buf_printf(b, "        %stype = \"%s\";\n",
               strcmp(p->name, m->id) == 0 ? "#" : "", m->id);
    if (p->api_key && key)
        buf_printf(b, "        api_key = \"${%s}\";\n", key);
    else if (key)
        buf_printf(b, "        #api_key = \"${%s}\";\n", key);
    if (p->base_url) {
        bool own = m->base_url && strcmp(m->base_url, p->base_url) == 0;
        buf_printf(b, "        %sbase_url = ", own ? "#" : "");
        node_value_text(b, &url);
        buf_addc(b, ";\n");
    }
    own_keys(l, b, m);
    buf_addc(b, "    };\n");
}

/* One that could be. */
static void possible(struct buf *b, const struct manifest *m)
{
    const char *key = key_variable(m);
    comment(b, 4, m->name ? m->name : m->id);
    buf_printf(b, "    #%s: {\n", m->id);
    if (m->local && m->base_url)
        buf_printf(b, "    #    base_url = \"%s\";\n", m->base_url);
    else if (key)
        buf_printf(b, "    #    api_key = \"${%s}\";\n", key);
    if (!m->base_url && m->codec)
        buf_addc(b, "    #    base_url = \"https://host/v1\";\n");
    buf_addc(b, "    #};\n");
}

static void providers(struct load *l, struct buf *b)
{
    buf_addc(b, "providers: {\n");
    for (size_t i = 0; i < l->c->n_providers; i++)
        if (!l->c->providers[i].problem)
            found(l, b, &l->c->providers[i]);
    for (size_t i = 0; i < l->o->n_manifests; i++) {
        const struct manifest *m = l->o->manifests[i];
        bool there = false;
        for (size_t k = 0; k < l->c->n_providers; k++)
            there = there || (l->c->providers[k].manifest == m &&
                              !l->c->providers[k].problem);
        if (!there)
            possible(b, m);
    }
    comment(b, 4,
            "Every provider may also have time-outs, TLS settings, a "
            "proxy, further headers, and limits; see patchbay.conf(5):");
    buf_addc(b, "    #    timeouts: { connect = \"10s\"; total = \"15m\"; "
                "};\n};\n");
}

char *cfg_template(const struct cfg_load_options *o)
{
    struct load l;
    struct buf b;
    if (!load_begin(&l, o, NULL))
        return NULL;
    env_providers(&l);
    buf_init(&b, LIM_CONF_MEMORY);
    comment(&b, 0,
            "Patchbay's configuration; patchbay.conf(5) explains every "
            "key. A line that starts with \"#\" and a name is a "
            "setting with its default: remove the \"#\" to change it. "
            "\"patchbay config check\" reads this file and tells what "
            "is wrong with it.");
    buf_addc(&b, "\n");
    sections(&l, &b);
    comment(&b, 0, "Files of providers.d hold further ones.");
    providers(&l, &b);
    char *text = l.nomem ? NULL : str_dup(buf_str(&b));
    buf_done(&b);
    cfg_free(l.c);
    return text;
}
