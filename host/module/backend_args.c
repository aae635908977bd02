/* SPDX-License-Identifier: MIT */
/* The arguments and the environment that a process gets. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "module/backend_int.h"

/* Nothing of ours but what programs need to find their files: no keys. */
static bool add_usual(char **v, size_t *n)
{
    static const char *const names[] = {
        "PATH",           "HOME", "USER", "TMPDIR", "LD_LIBRARY_PATH",
        "XDG_CACHE_HOME", "TZ"};

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        const char *value = getenv(names[i]);
        if (value && asprintf(&v[*n], "%s=%s", names[i], value) >= 0)
            (*n)++;
    }
    v[*n] = strdup("LC_ALL=C.UTF-8");
    return v[*n] && ++*n;
}

/* ${port}, and where it may be, ${key}. */
static char *filled(const char *text, int port, const struct secret *key)
{
    struct buf b;
    char number[16], *out = NULL;
    int rc = 0;

    buf_init(&b, LIM_BACKEND_TEXT + LIM_KIB(4));
    snprintf(number, sizeof(number), "%d", port);
    while (*text && rc == 0) {
        if (strncmp(text, "${port}", 7) == 0) {
            rc = buf_addc(&b, number);
            text += 7;
        } else if (key && strncmp(text, "${key}", 6) == 0) {
            rc = buf_add(&b, secret_expose(key));
            text += 6;
        } else {
            rc = buf_add(&b, str_n(text++, 1));
        }
    }
    if (rc == 0)
        out = str_dup(buf_str(&b));
    if (b.p)
        explicit_bzero(b.p, b.room);
    buf_done(&b);
    return out;
}

void be_free_words(char **v)
{
    for (size_t i = 0; v && v[i]; i++) {
        explicit_bzero(v[i], strlen(v[i]));
        free(v[i]);
    }
    free(v);
}

char **be_env(const struct backend *o, int port, const struct secret *key,
              bool *uses_key)
{
    size_t more = 0, n = 0;

    while (o->env[more])
        more++;
    char **v = calloc(more + 16, sizeof(*v));
    if (!v || !add_usual(v, &n))
        goto fail;
    for (size_t i = 0; i < more; i++) {
        /* The plugin's own stands in the place of ours. */
        size_t name = (size_t)(strchr(o->env[i], '=') - o->env[i]) + 1, at = 0;
        while (at < n && strncmp(v[at], o->env[i], name) != 0)
            at++;
        if (at < n)
            free(v[at]);
        v[at] = filled(o->env[i], port, key);
        if (!v[at])
            goto fail;
        n += at == n;
        *uses_key = *uses_key || strstr(o->env[i], "${key}");
    }
    return v;
fail:
    be_free_words(v);
    return NULL;
}

char **be_argv(const struct backend *o, int64_t stop_ms, int port)
{
    size_t n = 0;

    while (o->argv[n])
        n++;
    char **v = calloc(n + 4, sizeof(*v));
    if (!v)
        return NULL;
    v[0] = strdup("patchbay");
    v[1] = strdup("--run-backend");
    if (asprintf(&v[2], "%lld", (long long)stop_ms) < 0)
        v[2] = NULL;
    bool ok = v[0] && v[1] && v[2];
    for (size_t i = 0; ok && i < n; i++)
        ok = (v[3 + i] = filled(o->argv[i], port, NULL)) != NULL;
    if (ok)
        return v;
    be_free_words(v);
    return NULL;
}
