/* SPDX-License-Identifier: MIT */
/* A plugin's description of a process, checked and copied. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "module/backend_int.h"

static void free_list(char **v)
{
    for (size_t i = 0; v && v[i]; i++)
        free(v[i]);
    free(v);
}

void be_free(struct backend *b)
{
    if (!b)
        return;
    free(b->provider);
    free(b->name);
    free(b->key);
    free_list(b->argv);
    free_list(b->env);
    free(b->ready_path);
    free(b->why);
    for (unsigned i = 0; i < b->n_asked; i++)
        free(b->asked[i].model);
    be_place_unref(b->place);
    free(b);
}

static int bad(struct err *e, const struct backend_ask *ask, const char *what)
{
    err_set(e, ERR_INTERNAL, "%s: its plugin describes a process %s",
            ask->provider, what);
    return -1;
}

static bool holds_nul(pbay_str s)
{
    return s.n && memchr(s.p, '\0', s.n) != NULL;
}

/* A name that stands for what only the child may know must not get among the
 * arguments, which everybody on the machine can read. */
static bool holds_key(pbay_str s)
{
    return s.n && memmem(s.p, s.n, "${key}", 6) != NULL;
}

static int check_lists(const struct backend_ask *ask,
                       const pbay_backend_spec *s, struct err *e)
{
    size_t bytes = 0;

    if (!s->n_argv || !s->argv[0].n)
        return bad(e, ask, "without a program");
    if (s->n_argv > LIM_BACKEND_ARGS || s->n_env > LIM_BACKEND_ARGS)
        return bad(e, ask, "with too many arguments");
    for (size_t i = 0; i < s->n_argv; i++) {
        if (holds_nul(s->argv[i]))
            return bad(e, ask, "with a NUL in an argument");
        if (holds_key(s->argv[i]))
            return bad(e, ask, "with its key among the arguments");
        bytes += s->argv[i].n;
    }
    for (size_t i = 0; i < s->n_env; i++) {
        pbay_str k = s->env[i].k;
        if (!k.n || memchr(k.p, '=', k.n) || holds_nul(k) ||
            holds_nul(s->env[i].v))
            return bad(e, ask, "with a variable that can be none");
        bytes += k.n + s->env[i].v.n;
    }
    if (bytes > LIM_BACKEND_TEXT)
        return bad(e, ask, "with too long arguments");
    return 0;
}

static int check(const struct backend_ask *ask, const pbay_backend_spec *s,
                 struct err *e)
{
    if (!PBAY_HAS(s, memory_bytes))
        return bad(e, ask, "in a form this host does not know");
    if (check_lists(ask, s, e) < 0)
        return -1;
    if (!s->key.n || s->key.n > 1024 || holds_nul(s->key) || holds_nul(s->name))
        return bad(e, ask, "without a key, or with one that can be none");
    if (!s->ready_path.n || s->ready_path.p[0] != '/' || s->ready_path.n > 1024)
        return bad(e, ask, "without a path that tells when it is ready");
    for (size_t i = 0; i < s->ready_path.n; i++)
        if ((unsigned char)s->ready_path.p[i] <= ' ' ||
            (unsigned char)s->ready_path.p[i] >= 127)
            return bad(e, ask, "with a path that is not well-formed");
    return 0;
}

static char **copy_argv(const pbay_backend_spec *s)
{
    char **v = calloc(s->n_argv + 1, sizeof(*v));

    for (size_t i = 0; v && i < s->n_argv; i++) {
        v[i] = str_dup(s->argv[i]);
        if (!v[i]) {
            free_list(v);
            return NULL;
        }
    }
    return v;
}

static char **copy_env(const pbay_backend_spec *s)
{
    char **v = calloc(s->n_env + 1, sizeof(*v));

    for (size_t i = 0; v && i < s->n_env; i++)
        if (asprintf(&v[i], "%.*s=%.*s", STR_ARG(s->env[i].k),
                     STR_ARG(s->env[i].v)) < 0) {
            v[i] = NULL;
            free_list(v);
            return NULL;
        }
    return v;
}

struct backend *be_described(const struct backend_ask *ask,
                             const pbay_backend_spec *s, struct err *e)
{
    struct backend *b;

    if (check(ask, s, e) < 0)
        return NULL;
    b = calloc(1, sizeof(*b));
    if (b) {
        b->provider = strdup(ask->provider);
        b->name = str_dup(str_head(s->name.n ? s->name : s->key, 256));
        b->key = str_dup(s->key);
        b->argv = copy_argv(s);
        b->env = copy_env(s);
        b->ready_path = str_dup(s->ready_path);
        b->ready_ms = s->ready_ms > 0 ? s->ready_ms : LIM_BACKEND_READY_MS;
        b->idle_ms = s->idle_ms > 0 ? s->idle_ms : 0;
        b->memory = s->memory_bytes;
        b->parallel = s->parallel;
        b->last = &b->first;
    }
    if (b && b->provider && b->name && b->key && b->argv && b->env &&
        b->ready_path)
        return b;
    be_free(b);
    err_set(e, ERR_INTERNAL, "out of memory");
    return NULL;
}

static bool same_list(char *const *a, char *const *b)
{
    while (*a && *b && strcmp(*a, *b) == 0) {
        a++;
        b++;
    }
    return !*a && !*b;
}

/* How long it may idle, or take to be ready, is no reason to start it anew. */
bool be_same(const struct backend *a, const struct backend *b)
{
    return same_list(a->argv, b->argv) && same_list(a->env, b->env) &&
           strcmp(a->ready_path, b->ready_path) == 0;
}
