/* SPDX-License-Identifier: MIT */
/* llamacpp.so: settings of one model's server.  The instance's have been
 * checked by the host against the manifest; those of model_config are free
 * text, and are checked here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <patchbay/json.h>
#include <patchbay/wire.h>

#include "settings.h"

void settings_fail(struct settings *s, const char *name, const char *what)
{
    char text[320];

    if (s->rc != PBAY_OK)
        return;
    snprintf(text, sizeof text, "%s: %s", name, what);
    pbay_fail(s->host, s->call, PBAY_E_INVALID, name, text);
    s->rc = PBAY_FAIL;
}

static int set(pbay_str v)
{
    return v.n && pbay_json_type(v) != '0';
}

/* The model's own, else the instance's; default_NAME is another name of it. */
static pbay_str find(const struct settings *s, const char *name, int *own)
{
    char other[64];
    pbay_str v = pbay_json_get(s->model, name);

    *own = set(v);
    if (*own)
        return v;
    v = pbay_json_get(s->config, name);
    if (set(v))
        return v;
    snprintf(other, sizeof other, "default_%s", name);
    return pbay_json_get(s->config, other);
}

int64_t settings_number(struct settings *s, const char *name, int64_t min,
                        int64_t max, int64_t dflt)
{
    char text[96];
    int own;
    pbay_str v = find(s, name, &own);
    int64_t n;

    if (!set(v))
        return dflt;
    if (pbay_json_i64(v, &n) == 0 && n >= min && n <= max)
        return n;
    snprintf(text, sizeof text, "a whole number from %lld to %lld is wanted",
             (long long)min, (long long)max);
    settings_fail(s, name, text);
    return dflt;
}

int64_t settings_peek(pbay_str config, pbay_str model, const char *name)
{
    const struct settings s = {.config = config, .model = model};
    int own;
    int64_t n;

    return pbay_json_i64(find(&s, name, &own), &n) == 0 && n > 0 ? n : 0;
}

const char *settings_word(struct settings *s, const char *name,
                          const char *const *words)
{
    char text[200];
    size_t n = 0;
    int own;
    pbay_str v = find(s, name, &own);

    if (!set(v) || pbay_json_is(v, ""))
        return "";
    n = (size_t)snprintf(text, sizeof text, "one of these is wanted:");
    for (; *words; words++) {
        if (pbay_json_is(v, *words))
            return *words;
        if (n < sizeof text)
            n += (size_t)snprintf(text + n, sizeof text - n, " \"%s\"", *words);
    }
    settings_fail(s, name, text);
    return "";
}

int settings_span(const char *text, const char *const *names,
                  const int64_t *units, int64_t *out)
{
    char *end;
    double v = strtod(text, &end);

    if (end == text || !(v >= 0) || v > 1e15)
        return -1;
    while (*end == ' ')
        end++;
    for (size_t i = 0; names[i]; i++)
        if (strcmp(end, names[i]) == 0) {
            v *= (double)units[i];
            if (v > 9e18)
                return -1;
            *out = (int64_t)v;
            return 0;
        }
    return -1;
}

/* A quantity of the model's own, as text or as a bare number. */
static int span_of(pbay_str v, const char *const *names, const int64_t *units,
                   int64_t *out)
{
    char text[64];
    int64_t n;

    if (pbay_json_type(v) == 'n') {
        if (v.n >= sizeof text)
            return -1;
        memcpy(text, v.p, v.n);
        text[v.n] = '\0';
    } else {
        if (pbay_json_type(v) != 's' || v.n > sizeof text)
            return -1;
        n = pbay_json_unescape(v, text, sizeof text);
        if (n < 0 || n >= (int64_t)sizeof text)
            return -1;
        text[n] = '\0';
    }
    return settings_span(text, names, units, out);
}

int64_t settings_ms(struct settings *s, const char *name, int64_t dflt)
{
    static const char *const names[] = {"", "ms", "s", "m", "h", "d", NULL};
    static const int64_t units[] = {1000, 1, 1000, 60000, 3600000, 86400000};
    int own;
    pbay_str v = find(s, name, &own);
    int64_t n;

    if (!set(v))
        return dflt;
    if (!own && pbay_json_i64(v, &n) == 0)
        return n;
    if (span_of(v, names, units, &n) == 0)
        return n;
    settings_fail(s, name, "a time is wanted, as in \"90s\" or \"5m\"");
    return dflt;
}

int64_t settings_bytes(struct settings *s, const char *name)
{
    static const char *const names[] = {"", "K", "M", "G", "T", NULL};
    static const int64_t units[] = {1, 1 << 10, 1 << 20, 1 << 30,
                                    INT64_C(1) << 40};
    int own;
    pbay_str v = find(s, name, &own);
    int64_t n;

    if (!set(v))
        return 0;
    if (!own && pbay_json_i64(v, &n) == 0)
        return n;
    if (span_of(v, names, units, &n) == 0)
        return n;
    settings_fail(s, name, "a size is wanted, as in \"900M\" or \"8G\"");
    return 0;
}

pbay_str settings_next(struct settings *s, const char *name, size_t *pos)
{
    static const pbay_str none = {NULL, 0};
    /* The place in the model's list, and that we are there, in one number. */
    const size_t model = (size_t)1 << 62;
    pbay_str list = pbay_json_get(s->config, name), v;

    if (!(*pos & model)) {
        if (pbay_json_next(list, pos, NULL, &v) > 0)
            return pbay_text(s->host, s->call, v);
        *pos = model;
    }
    list = pbay_json_get(s->model, name);
    size_t at = *pos & ~model;
    if (set(list) && pbay_json_type(list) != 'a') {
        settings_fail(s, name, "a list of strings is wanted: [ \"--flag\" ]");
        return none;
    }
    if (pbay_json_next(list, &at, NULL, &v) <= 0)
        return none;
    *pos = at | model;
    if (pbay_json_type(v) != 's') {
        settings_fail(s, name, "its elements are to be strings");
        return none;
    }
    return pbay_text(s->host, s->call, v);
}

void settings_unknown(struct settings *s, pbay_str model)
{
    static const char *const known[] = {
        "model",         "threads",         "gpu_layers",
        "context_size",  "slots",           "cache_type_k",
        "cache_type_v",  "flash_attention", "embeddings",
        "extra_args",    "server_env",      "memory",
        "start_timeout", "stop_after",      NULL};
    char text[400];
    pbay_str key, value;
    size_t pos = 0;

    while (pbay_json_next(s->model, &pos, &key, &value) > 0) {
        const char *const *k = known;
        while (*k && !(strlen(*k) == key.n && !memcmp(*k, key.p, key.n)))
            k++;
        if (*k)
            continue;
        snprintf(text, sizeof text,
                 "model_config of \"%.*s\": llama-server is not told of the "
                 "key \"%.*s\"",
                 (int)(model.n > 100 ? 100 : model.n), model.p,
                 (int)(key.n > 100 ? 100 : key.n), key.p);
        s->host->log(s->host, PBAY_LOG_WARN, (pbay_str){text, strlen(text)});
    }
}
