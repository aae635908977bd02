/* SPDX-License-Identifier: MIT */
/* Manifests: their JSON text taken apart and checked, member by member. */
#include "module/manifest_priv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

#include <patchbay/plugin.h>

/* Deeper than any known member needs. */
#define MANIFEST_DEPTH 8

static const char *const known_members[] = {
    "abi",     "id",    "version",    "license",   "name", "kind",
    "aliases", "local", "base_url",   "base_urls", "env",  "needs",
    "models",  "keys",  "embeddings", "own",       NULL};

bool mf_fail(char **err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *text = NULL;
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    free(*err);
    *err = n < 0 ? NULL : text;
    return false;
}

bool mf_printable(pbay_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < 0x20 || c == 0x7f)
            return false;
    }
    return true;
}

bool mf_text(struct json_object *o, const char *where, const char *name,
             bool required, char **out, char **err)
{
    struct json_object *v = js_get(o, name);
    if (!v && !required)
        return true;
    if (!v)
        return mf_fail(err, "%s\"%s\" is missing: it is required", where, name);
    pbay_str s = js_str(o, name, STR_NONE);
    if (!s.p || !s.n)
        return mf_fail(err, "%s\"%s\" must be a string that is not empty",
                       where, name);
    if (!mf_printable(s))
        return mf_fail(err, "%s\"%s\" must not hold control characters", where,
                       name);
    *out = str_dup(s);
    return *out ? true : mf_fail(err, "out of memory");
}

bool mf_strings(struct json_object *o, const char *where, const char *name,
                bool (*ok)(pbay_str), const char *form, char ***out, char **err)
{
    struct json_object *v = js_get(o, name);
    if (v && !json_object_is_type(v, json_type_array))
        return mf_fail(err, "%s\"%s\" must be a list of strings", where, name);
    size_t n = v ? json_object_array_length(v) : 0;
    char **list = calloc(n + 1, sizeof *list);
    if (!list)
        return mf_fail(err, "out of memory");
    *out = list;
    for (size_t i = 0; i < n; i++) {
        struct json_object *e = json_object_array_get_idx(v, i);
        pbay_str s = STR_NONE;
        if (json_object_is_type(e, json_type_string))
            s = str_n(json_object_get_string(e),
                      (size_t)json_object_get_string_len(e));
        if (!s.n || !mf_printable(s) || !ok(s))
            return mf_fail(err, "%s\"%s\"[%zu] must be %s", where, name, i,
                           form);
        list[i] = str_dup(s);
        if (!list[i])
            return mf_fail(err, "out of memory");
    }
    return true;
}

void mf_strings_free(char **list)
{
    for (size_t i = 0; list && list[i]; i++)
        free(list[i]);
    free(list);
}

bool mf_only(struct json_object *o, const char *where, const char *const *known,
             char **err)
{
    json_object_object_foreach (o, name, value) {
        (void)value;
        size_t i = 0;
        while (known[i] && strcmp(known[i], name) != 0)
            i++;
        if (known[i])
            continue;
        const char *near = NULL;
        unsigned best = 3;
        for (i = 0; known[i]; i++) {
            unsigned d = str_distance(str_c(name), str_c(known[i]));
            if (d < best) {
                best = d;
                near = known[i];
            }
        }
        pbay_str shown = str_n(name, strnlen(name, 64));
        if (!mf_printable(shown))
            return mf_fail(err, "%sa member's name holds control characters",
                           where);
        return near
                   ? mf_fail(err, "%sunknown member \"%.*s\": is \"%s\" meant?",
                             where, STR_ARG(shown), near)
                   : mf_fail(err, "%sunknown member \"%.*s\": remove it", where,
                             STR_ARG(shown));
    }
    return true;
}

/* First character [a-z], the others [a-z0-9_] or, with `dash`, '-'. */
static bool name_ok(pbay_str s, size_t max, bool dash)
{
    if (!s.n || s.n > max || s.p[0] < 'a' || s.p[0] > 'z')
        return false;
    for (size_t i = 1; i < s.n; i++) {
        char c = s.p[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_' &&
            !(dash && c == '-'))
            return false;
    }
    return true;
}

bool manifest_id_ok(pbay_str s)
{
    return name_ok(s, 32, true);
}

bool manifest_key_name_ok(pbay_str s)
{
    return name_ok(s, 64, false);
}

static bool url_ok(pbay_str s)
{
    if (!str_starts(s, "http://") && !str_starts(s, "https://"))
        return false;
    pbay_str rest = s;
    str_cut(&rest, '/');
    str_cut(&rest, '/');
    if (!rest.n || rest.p[0] == '/')
        return false;
    return !memchr(rest.p, ' ', rest.n) && !memchr(rest.p, '@', rest.n);
}

/* "MAJOR.MINOR" in decimal, each below 65536. */
static bool parse_abi(struct manifest *m, struct json_object *o, char **err)
{
    char *text = NULL;
    if (!mf_text(o, "", "abi", true, &text, err))
        return false;
    pbay_str rest = str_c(text), major = str_cut(&rest, '.');
    uint64_t a = 0, b = 0;
    bool ok = str_u64(major, &a) == 0 && str_u64(rest, &b) == 0 && a < 65536 &&
              b < 65536;
    if (ok) {
        m->abi_major = (unsigned)a;
        m->abi_minor = (unsigned)b;
    } else {
        mf_fail(err,
                "\"abi\" must be \"MAJOR.MINOR\", as in \"%u.%u\"; it is "
                "\"%.20s\"",
                PBAY_ABI_MAJOR, PBAY_ABI_MINOR, text);
    }
    free(text);
    return ok;
}

static bool parse_identity(struct manifest *m, struct json_object *o, bool ours,
                           char **err)
{
    if (!mf_text(o, "", "id", true, &m->id, err))
        return false;
    if (!manifest_id_ok(str_c(m->id)))
        return mf_fail(err,
                       "\"id\" must be a small letter and up to 31 small "
                       "letters, digits, '-' or '_'; it is \"%.40s\"",
                       m->id);
    return mf_text(o, "", "version", ours, &m->version, err);
}

static bool parse_kind(struct manifest *m, struct json_object *o, char **err)
{
    pbay_str kind = js_str(o, "kind", STR_NONE);
    m->codec = str_is(kind, "codec");
    m->native = str_is(kind, "native");
    if (!m->codec && !m->native)
        return mf_fail(err, "\"kind\" must be \"codec\" or \"native\"");
    struct json_object *local = js_get(o, "local");
    if (local && !json_object_is_type(local, json_type_boolean))
        return mf_fail(err, "\"local\" must be true or false");
    m->local = js_bool(o, "local", false);
    return true;
}

static bool parse_urls(struct manifest *m, struct json_object *o, char **err)
{
    if (!mf_text(o, "", "base_url", false, &m->base_url, err))
        return false;
    if (m->base_url && !url_ok(str_c(m->base_url)))
        return mf_fail(err, "\"base_url\" must start with http:// or https:// "
                            "and a host, and hold no user name");
    struct json_object *urls = js_get(o, "base_urls");
    if (!urls)
        return true;
    if (!json_object_is_type(urls, json_type_object))
        return mf_fail(err, "\"base_urls\" must be an object of URLs");
    size_t n = (size_t)json_object_object_length(urls);
    m->urls = calloc(n + 1, sizeof *m->urls);
    if (!m->urls)
        return mf_fail(err, "out of memory");
    json_object_object_foreach (urls, name, value) {
        (void)value;
        if (!manifest_id_ok(str_c(name)))
            return mf_fail(err,
                           "\"base_urls\": a name must be a small letter "
                           "and up to 31 small letters, digits, '-' or '_'");
        struct manifest_url *u = &m->urls[m->n_urls++];
        u->name = str_dup(str_c(name));
        if (!u->name)
            return mf_fail(err, "out of memory");
        if (!mf_text(urls, "\"base_urls\": ", name, true, &u->url, err))
            return false;
        if (!url_ok(str_c(u->url)))
            return mf_fail(err,
                           "\"base_urls\": \"%s\" must start with http:// "
                           "or https:// and a host, and hold no user name",
                           name);
    }
    return true;
}

static bool env_name_ok(pbay_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!(c >= 'A' && c <= 'Z') && c != '_' && !(i && c >= '0' && c <= '9'))
            return false;
    }
    return s.n > 0 && s.n <= 128;
}

static bool parse_env(struct manifest *m, struct json_object *o, char **err)
{
    struct json_object *env = js_get(o, "env");
    if (!env)
        return true;
    if (!json_object_is_type(env, json_type_object))
        return mf_fail(err, "\"env\" must be an object: {\"VARIABLE\": "
                            "\"key\"}");
    m->env = calloc((size_t)json_object_object_length(env) + 1, sizeof *m->env);
    if (!m->env)
        return mf_fail(err, "out of memory");
    json_object_object_foreach (env, name, value) {
        (void)value;
        if (!env_name_ok(str_c(name)))
            return mf_fail(err, "\"env\": a variable's name is made of capital "
                                "letters, digits and '_'");
        struct manifest_env *e = &m->env[m->n_env++];
        e->var = str_dup(str_c(name));
        if (!e->var)
            return mf_fail(err, "out of memory");
        if (!mf_text(env, "\"env\": ", name, true, &e->key, err))
            return false;
        if (!manifest_key_name_ok(str_c(e->key)))
            return mf_fail(err,
                           "\"env\": \"%s\" must name a configuration "
                           "key, such as \"api_key\"",
                           name);
    }
    return true;
}

/* A whole number that is not negative; absent: 0. */
static bool get_count(struct json_object *o, const char *where,
                      const char *name, uint64_t *out, char **err)
{
    struct json_object *v = js_get(o, name);
    int64_t n = v && json_object_is_type(v, json_type_int)
                    ? json_object_get_int64(v)
                    : -1;
    if (v && n < 0)
        return mf_fail(err, "%s\"%s\" must be a whole number", where, name);
    *out = v ? (uint64_t)n : 0;
    return true;
}

/* Those that the host would otherwise read itself. */
static bool own_ok(pbay_str s)
{
    return str_is(s, "models");
}

static bool any_text(pbay_str s)
{
    return s.n <= 128;
}

static bool parse_model(struct manifest_model *model, struct json_object *o,
                        const char *where, char **err)
{
    static const char *const known[] = {"match", "capabilities",
                                        "context_window", "max_output", NULL};
    if (!json_object_is_type(o, json_type_object))
        return mf_fail(err, "%smust be an object with \"match\"", where);
    return mf_only(o, where, known, err) &&
           mf_text(o, where, "match", true, &model->match, err) &&
           mf_strings(o, where, "capabilities", any_text, "a capability's name",
                      &model->capabilities, err) &&
           get_count(o, where, "context_window", &model->context_window, err) &&
           get_count(o, where, "max_output", &model->max_output, err);
}

static bool parse_models(struct manifest *m, struct json_object *o, char **err)
{
    struct json_object *list = js_get(o, "models");
    if (!list)
        return true;
    if (!json_object_is_type(list, json_type_array))
        return mf_fail(err, "\"models\" must be a list of objects");
    size_t n = json_object_array_length(list);
    m->models = calloc(n + 1, sizeof *m->models);
    if (!m->models)
        return mf_fail(err, "out of memory");
    for (size_t i = 0; i < n; i++) {
        char where[40];
        snprintf(where, sizeof where, "\"models\"[%zu]: ", i);
        m->n_models++;
        if (!parse_model(&m->models[i], json_object_array_get_idx(list, i),
                         where, err))
            return false;
    }
    return true;
}

/* {"max_inputs":N,"max_tokens":N} */
static bool parse_embeddings(struct manifest *m, struct json_object *o,
                             char **err)
{
    static const char *const known[] = {"max_inputs", "max_tokens", NULL};
    struct json_object *e = js_get(o, "embeddings");
    int64_t *const to[] = {&m->embed_inputs, &m->embed_tokens};

    if (!e)
        return true;
    if (!json_object_is_type(e, json_type_object))
        return mf_fail(err, "\"embeddings\" must be an object");
    if (!mf_only(e, "\"embeddings\": ", known, err))
        return false;
    for (size_t i = 0; known[i]; i++) {
        *to[i] = js_int(e, known[i], 0);
        if (js_get(e, known[i]) && (*to[i] < 1 || *to[i] > 1000000000))
            return mf_fail(err,
                           "\"embeddings\": \"%s\" must be a whole number "
                           "from 1 to 1000000000",
                           known[i]);
    }
    return true;
}

static bool parse_members(struct manifest *m, struct json_object *o, char **err)
{
    if (!mf_only(o, "", known_members, err) ||
        !mf_text(o, "", "license", true, &m->license, err) ||
        !mf_text(o, "", "name", false, &m->name, err) ||
        !parse_kind(m, o, err) ||
        !mf_strings(o, "", "aliases", manifest_id_ok,
                    "a small letter and up to 31 small letters, digits, '-' "
                    "or '_'",
                    &m->aliases, err) ||
        !mf_strings(o, "", "needs", manifest_key_name_ok,
                    "the name of a configuration key, such as \"api_key\"",
                    &m->needs, err) ||
        !mf_strings(o, "", "own", own_ok, "\"models\"", &m->own, err))
        return false;
    for (size_t i = 0; m->aliases[i]; i++) {
        bool twice = strcmp(m->aliases[i], m->id) == 0;
        for (size_t j = 0; j < i; j++)
            twice = twice || strcmp(m->aliases[i], m->aliases[j]) == 0;
        if (twice)
            return mf_fail(err, "\"aliases\"[%zu]: \"%s\" is there already", i,
                           m->aliases[i]);
    }
    return parse_urls(m, o, err) && parse_env(m, o, err) &&
           parse_models(m, o, err) && parse_embeddings(m, o, err) &&
           mf_keys(m, o, err);
}

static bool parse_object(struct manifest *m, struct json_object *o, char **err)
{
    if (!json_object_is_type(o, json_type_object))
        return mf_fail(err, "the manifest must be a JSON object");
    if (!parse_abi(m, o, err))
        return false;
    bool ours =
        m->abi_major == PBAY_ABI_MAJOR && m->abi_minor == PBAY_ABI_MINOR;
    if (!parse_identity(m, o, ours, err))
        return false;
    if (ours)
        return parse_members(m, o, err);
    m->aliases = calloc(1, sizeof *m->aliases);
    m->needs = calloc(1, sizeof *m->needs);
    m->own = calloc(1, sizeof *m->own);
    return m->aliases && m->needs && m->own ? true : mf_fail(err, "out of memory");
}

struct manifest *manifest_parse(pbay_str json, char **err)
{
    *err = NULL;
    if (json.n > LIM_MANIFEST) {
        mf_fail(err, "the manifest has %zu bytes: at most %zu are allowed",
                json.n, LIM_MANIFEST);
        return NULL;
    }
    struct json_object *o = NULL;
    struct js_error e = {0};
    struct manifest *m = calloc(1, sizeof *m);
    int rc = js_parse(json, MANIFEST_DEPTH, &o, &e);
    if (rc == -EINVAL)
        mf_fail(err, "the manifest is not JSON: %s (line %u, column %u)", e.why,
                e.line, e.column);
    if (m && rc == 0) {
        m->json = str_dup(json);
        m->json_len = json.n;
    }
    bool ok = rc == 0 && m && m->json && parse_object(m, o, err);
    json_object_put(o);
    if (ok)
        return m;
    if (!*err)
        mf_fail(err, "out of memory");
    manifest_free(m);
    return NULL;
}

void manifest_free(struct manifest *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->n_env; i++) {
        free(m->env[i].var);
        free(m->env[i].key);
    }
    for (size_t i = 0; i < m->n_urls; i++) {
        free(m->urls[i].name);
        free(m->urls[i].url);
    }
    for (size_t i = 0; i < m->n_models; i++) {
        free(m->models[i].match);
        mf_strings_free(m->models[i].capabilities);
    }
    mf_keys_free(m);
    mf_strings_free(m->aliases);
    mf_strings_free(m->needs);
    mf_strings_free(m->own);
    free(m->env);
    free(m->urls);
    free(m->models);
    free(m->json);
    free(m->id);
    free(m->version);
    free(m->license);
    free(m->name);
    free(m->base_url);
    free(m);
}

bool manifest_is(const struct manifest *m, pbay_str type)
{
    if (str_is(type, m->id))
        return true;
    for (size_t i = 0; m->aliases[i]; i++)
        if (str_is(type, m->aliases[i]))
            return true;
    return false;
}

bool manifest_owns(const struct manifest *m, const char *member)
{
    for (size_t i = 0; m->own[i]; i++)
        if (strcmp(m->own[i], member) == 0)
            return true;
    return false;
}

const struct manifest_model *manifest_model(const struct manifest *m,
                                            pbay_str model)
{
    for (size_t i = 0; i < m->n_models; i++)
        if (str_glob(model, str_c(m->models[i].match)))
            return &m->models[i];
    return NULL;
}

int manifest_abi_ok(const struct manifest *m, char **err)
{
    *err = NULL;
    /* Before major 1 every minor may change anything. */
    bool ok = m->abi_major == PBAY_ABI_MAJOR &&
              (PBAY_ABI_MAJOR == 0 ? m->abi_minor == PBAY_ABI_MINOR
                                   : m->abi_minor <= PBAY_ABI_MINOR);
    if (ok)
        return 0;
    mf_fail(err,
            "needs ABI %u.%u, host offers %u.%u: rebuild it with this "
            "host's headers",
            m->abi_major, m->abi_minor, PBAY_ABI_MAJOR, PBAY_ABI_MINOR);
    return -ENOTSUP;
}
