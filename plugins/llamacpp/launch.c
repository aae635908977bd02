/* SPDX-License-Identifier: MIT */
/* llamacpp.so: the llama-server for one model.  The host starts and keeps it;
 * here is only what it is to be. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../openai-wire/oai.h"
#include "files.h"
#include "launch.h"
#include "settings.h"

#define WORDS_MAX 128

/* What a description is put together in. */
struct plan {
    const struct launch *l;
    pbay_call *call;
    struct settings s;
    pbay_str model;
    pbay_str words[WORDS_MAX];
    size_t n;
    /* the model's files */
    int found;
    int embeds;
    uint64_t bytes;
    char *file, *projector; /* below the directory */
    char why[512];          /* what is wrong with it */
    int nomem;
};

/* --------------------------------------------------------------- instance */

static pbay_rc refuse(const pbay_host *host, const char *text)
{
    host->log(host, PBAY_LOG_ERROR, (pbay_str){text, strlen(text)});
    return PBAY_FAIL;
}

/* Two names of one key, both set: which one is meant? */
static pbay_rc check_twins(const pbay_host *host, pbay_str config)
{
    static const char *const names[] = {"threads", "gpu_layers"};
    char other[64], text[200];

    for (size_t i = 0; i < 2; i++) {
        snprintf(other, sizeof other, "default_%s", names[i]);
        if (!pbay_json_get(config, names[i]).n ||
            !pbay_json_get(config, other).n)
            continue;
        snprintf(text, sizeof text,
                 "%s and %s are two names of the same key: write one of them",
                 names[i], other);
        return refuse(host, text);
    }
    return PBAY_OK;
}

pbay_rc launch_init(struct launch *l, const pbay_host *host, pbay_str config,
                    const char *dir)
{
    pbay_str program;
    pbay_rc rc = check_twins(host, config);

    *l = (struct launch){.host = host, .dir = dir};
    if (rc != PBAY_OK)
        return rc;
    if (!oai_take_string(config, "server", "llama-server", &program))
        return PBAY_NOMEM;
    l->program = calloc(1, program.n + 1);
    l->config = malloc(config.n + 1);
    if (l->program)
        memcpy(l->program, program.p, program.n);
    if (l->config)
        memcpy(l->config, config.p, config.n);
    l->config_len = config.n;
    free((void *)(uintptr_t)program.p);
    if (!l->program || !l->config) {
        launch_done(l);
        return PBAY_NOMEM;
    }
    if (*l->program && *l->program != '/' && strchr(l->program, '/')) {
        launch_done(l);
        return refuse(host, "server is a path, but not an absolute one: write "
                            "it from / on, or a name that is in PATH");
    }
    return PBAY_OK;
}

void launch_done(struct launch *l)
{
    free(l->program);
    free(l->config);
    l->program = l->config = NULL;
}

/* ------------------------------------------------------------ the program */

/* Is there such a program?  As execvp() looks for it. */
static int is_there(const char *program)
{
    const char *path = getenv("PATH");
    char full[4200];

    if (strchr(program, '/'))
        return access(program, X_OK) == 0;
    for (path = path ? path : "/usr/bin:/bin"; *path;) {
        size_t n = strcspn(path, ":");
        snprintf(full, sizeof full, "%.*s/%s", (int)(n > 4000 ? 4000 : n), path,
                 program);
        if (n && access(full, X_OK) == 0)
            return 1;
        path += n + (path[n] == ':');
    }
    return 0;
}

static pbay_rc no_program(const struct launch *l, pbay_call *call)
{
    char text[512];

    snprintf(text, sizeof text,
             "\"%.200s\" %s: install llama.cpp, or set server to the path of "
             "its llama-server",
             l->program,
             strchr(l->program, '/') ? "is no program that can be run"
                                     : "is not in PATH");
    return pbay_fail(l->host, call, PBAY_E_UPSTREAM, "server", text);
}

pbay_rc launch_health(const struct launch *l, pbay_call *call)
{
    static const char ok[] =
        "{\"ok\":true,\"detail\":\"a server is started when it is needed\"}";
    pbay_event ev = {.size = sizeof ev,
                     .type = PBAY_EV_ITEM,
                     .name = OA("health"),
                     .json = {ok, sizeof ok - 1}};
    char text[1100];

    if (!is_there(l->program))
        return no_program(l, call);
    if (access(l->dir, R_OK | X_OK) < 0) {
        snprintf(text, sizeof text,
                 "models_dir \"%.1000s\" cannot be read by the host", l->dir);
        return pbay_fail(l->host, call, PBAY_E_UPSTREAM, "models_dir", text);
    }
    return l->host->emit(call, &ev) == PBAY_STOPPED ? PBAY_STOPPED : PBAY_OK;
}

/* -------------------------------------------------------------- the model */

static char *copy(struct plan *p, const char *s)
{
    size_t n = strlen(s) + 1;
    char *to = p->l->host->alloc(p->call, n);

    if (to)
        memcpy(to, s, n);
    else
        p->nomem = 1;
    return to;
}

static int on_model(void *arg, const struct model_file *m)
{
    struct plan *p = arg;

    p->found = 1;
    p->bytes = m->bytes;
    p->embeds = m->gguf.pools || strstr(m->gguf.architecture, "bert") != NULL;
    p->file = copy(p, m->file);
    p->projector = m->projector ? copy(p, m->projector) : NULL;
    return 1;
}

static void on_bad(void *arg, const char *file, const char *why)
{
    struct plan *p = arg;

    snprintf(p->why, sizeof p->why, "%.300s: %.200s", file, why);
}

static pbay_rc find_model(struct plan *p)
{
    struct files_sink to = {on_model, on_bad, p};
    char err[1024], name[512];

    if (p->model.n >= sizeof name || memchr(p->model.p, '\0', p->model.n))
        return pbay_fail(p->l->host, p->call, PBAY_E_NOT_FOUND, "model",
                         "no model has such a name");
    memcpy(name, p->model.p, p->model.n);
    name[p->model.n] = '\0';
    if (files_find(p->l->dir, name, &to, err, sizeof err) < 0)
        return pbay_fail(p->l->host, p->call, PBAY_E_UPSTREAM, "models_dir",
                         err);
    if (p->nomem)
        return PBAY_NOMEM;
    if (p->found)
        return PBAY_OK;
    if (*p->why) {
        snprintf(err, sizeof err, "the model \"%.100s\" cannot be used: %s",
                 name, p->why);
        return pbay_fail(p->l->host, p->call, PBAY_E_UPSTREAM, "model", err);
    }
    snprintf(err, sizeof err,
             "models_dir has no model \"%.200s\"; \"patchbay models\" lists "
             "what is there",
             name);
    return pbay_fail(p->l->host, p->call, PBAY_E_NOT_FOUND, "model", err);
}

/* -------------------------------------------------------------- arguments */

static void add(struct plan *p, pbay_str word)
{
    if (p->n == WORDS_MAX)
        settings_fail(&p->s, "extra_args", "there are too many of them");
    else
        p->words[p->n++] = word;
}

static void addc(struct plan *p, const char *word)
{
    add(p, (pbay_str){word, strlen(word)});
}

static void add_pair(struct plan *p, const char *name, const char *value)
{
    if (!*value)
        return;
    addc(p, name);
    addc(p, value);
}

static void add_number(struct plan *p, const char *name, int64_t n)
{
    char text[24];

    snprintf(text, sizeof text, "%lld", (long long)n);
    const char *kept = copy(p, text);
    if (kept)
        add_pair(p, name, kept);
}

static void add_path(struct plan *p, const char *name, const char *file)
{
    char path[8192];

    if ((size_t)snprintf(path, sizeof path, "%s/%s", p->l->dir, file) >=
        sizeof path) {
        settings_fail(&p->s, "models_dir", "the path is too long");
        return;
    }
    const char *kept = copy(p, path);
    if (kept)
        add_pair(p, name, kept);
}

static int begins(pbay_str s, const char *with)
{
    size_t n = strlen(with);

    return s.n >= n && memcmp(s.p, with, n) == 0;
}

/* What we say ourselves, or what everybody could read in a list of
 * processes. */
static void check_extra(struct plan *p, pbay_str word)
{
    static const char *const ours[] = {"-m", "--model", "--host", "--port",
                                       "--api-prefix"};

    if (begins(word, "--api-key"))
        settings_fail(&p->s, "extra_args",
                      "--api-key: the host gives each server a key of its own, "
                      "and arguments can be read by everybody");
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (word.n == strlen(ours[i]) && begins(word, ours[i]))
            settings_fail(&p->s, "extra_args",
                          "-m, --model, --host, --port and --api-prefix are "
                          "set by the provider itself");
}

static void add_extra(struct plan *p)
{
    size_t pos = 0;

    for (;;) {
        pbay_str word = settings_next(&p->s, "extra_args", &pos);
        if (!word.p || p->s.rc != PBAY_OK)
            return;
        check_extra(p, word);
        add(p, word);
    }
}

static const char *const flash[] = {"on", "off", "auto", NULL};
static const char *const cache_types[] = {"f32",  "f16",  "bf16",   "q8_0",
                                          "q4_0", "q4_1", "iq4_nl", "q5_0",
                                          "q5_1", NULL};
static const char *const yes_no[] = {"auto", "on", "off", NULL};

static void arguments(struct plan *p)
{
    struct settings *s = &p->s;
    const char *embeddings = settings_word(s, "embeddings", yes_no);
    int64_t n;

    addc(p, p->l->program);
    add_path(p, "-m", p->file);
    addc(p, "--alias");
    add(p, p->model);
    add_pair(p, "--host", "127.0.0.1");
    add_pair(p, "--port", "${port}");
    if (p->projector)
        add_path(p, "--mmproj", p->projector);
    if ((n = settings_number(s, "threads", 0, 4096, 0)) > 0)
        add_number(p, "-t", n);
    if ((n = settings_number(s, "gpu_layers", -1, 100000, -1)) >= 0)
        add_number(p, "-ngl", n);
    if ((n = settings_number(s, "context_size", 0, INT32_MAX, 0)) > 0)
        add_number(p, "-c", n);
    if ((n = settings_number(s, "slots", 0, 4096, 0)) > 0)
        add_number(p, "-np", n);
    add_pair(p, "-fa", settings_word(s, "flash_attention", flash));
    add_pair(p, "-ctk", settings_word(s, "cache_type_k", cache_types));
    add_pair(p, "-ctv", settings_word(s, "cache_type_v", cache_types));
    if (strcmp(embeddings, "on") == 0 ||
        (p->embeds && strcmp(embeddings, "off") != 0))
        addc(p, "--embeddings");
    add_extra(p);
}

/* -------------------------------------------------------------- variables */

static void variables(struct plan *p, pbay_backend_spec *spec)
{
    size_t pos = 0, n = 1, room = 64;
    pbay_kv *v = p->l->host->alloc(p->call, room * sizeof *v);

    if (!v) {
        p->nomem = 1;
        return;
    }
    v[0] = (pbay_kv){OA("LLAMA_API_KEY"), OA("${key}")};
    for (;;) {
        pbay_str one = settings_next(&p->s, "server_env", &pos);
        const char *eq = one.p ? memchr(one.p, '=', one.n) : NULL;
        if (!one.p || p->s.rc != PBAY_OK)
            break;
        if (!eq || eq == one.p || n == room) {
            settings_fail(&p->s, "server_env",
                          n == room ? "there are too many of them"
                                    : "NAME=value is wanted");
            break;
        }
        size_t k = (size_t)(eq - one.p);
        v[n++] = (pbay_kv){{one.p, k}, {eq + 1, one.n - k - 1}};
    }
    spec->env = v;
    spec->n_env = n;
}

static uint64_t memory_of(struct plan *p)
{
    int64_t said = settings_bytes(&p->s, "memory");
    char path[8192];
    struct stat st;

    if (said > 0)
        return (uint64_t)said;
    if (p->projector &&
        (size_t)snprintf(path, sizeof path, "%s/%s", p->l->dir, p->projector) <
            sizeof path &&
        stat(path, &st) == 0)
        p->bytes += (uint64_t)st.st_size;
    return p->bytes;
}

uint64_t launch_window(const struct launch *l, pbay_str model, uint64_t trained)
{
    pbay_str config = {l->config, l->config_len};
    uint64_t all = (uint64_t)settings_peek(config, model, "context_size");
    uint64_t slots = (uint64_t)settings_peek(config, model, "slots");

    if (slots > 1)
        all /= slots;
    return all && (!trained || all < trained) ? all : trained;
}

/* --------------------------------------------------------------- together */

static pbay_rc describe(struct plan *p, const pbay_request *req,
                        pbay_backend_spec *spec)
{
    pbay_str *words;
    pbay_rc rc;

    p->model = req->model;
    if (!p->model.n)
        return pbay_fail(p->l->host, p->call, PBAY_E_INVALID, "model",
                         "which model's server? Add ?model=NAME to the path, "
                         "or \"model\" to the body");
    rc = find_model(p);
    if (rc != PBAY_OK)
        return rc;
    if (!is_there(p->l->program))
        return no_program(p->l, p->call);
    settings_unknown(&p->s, p->model);
    arguments(p);
    variables(p, spec);
    spec->memory_bytes = memory_of(p);
    spec->ready_ms = settings_ms(&p->s, "start_timeout", 0);
    spec->idle_ms = settings_ms(&p->s, "stop_after", 300000);
    spec->parallel = (uint32_t)settings_number(&p->s, "slots", 0, 4096, 0);
    if (p->s.rc != PBAY_OK)
        return p->s.rc;
    words = p->l->host->alloc(p->call, p->n * sizeof *words);
    if (!words || p->nomem)
        return PBAY_NOMEM;
    memcpy(words, p->words, p->n * sizeof *words);
    spec->argv = words;
    spec->n_argv = p->n;
    spec->key = spec->name = p->model;
    spec->ready_path = OA("/health");
    return PBAY_OK;
}

pbay_rc launch_describe(const struct launch *l, pbay_call *call,
                        const pbay_request *req, pbay_backend_spec *spec)
{
    struct plan *p = l->host->alloc(call, sizeof *p);

    if (!p)
        return PBAY_NOMEM;
    p->l = l;
    p->call = call;
    p->s = (struct settings){.host = l->host,
                             .call = call,
                             .config = {l->config, l->config_len},
                             .model = req->model_config};
    return describe(p, req, spec);
}
