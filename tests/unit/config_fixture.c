/* SPDX-License-Identifier: MIT */
/* For the tests of host/config: see config_fixture.h. */
#include "config_fixture.h"

#include <string.h>
#include <sys/stat.h>

struct fx fx;

#define HEAD "{\"abi\":\"0.1\",\"version\":\"1.0\",\"license\":\"MIT\","

static const char *const manifests[] = {
    HEAD "\"id\":\"openai\",\"name\":\"OpenAI\",\"kind\":\"codec\","
         "\"base_url\":\"https://api.openai.com/v1\","
         "\"env\":{\"OPENAI_API_KEY\":\"api_key\",\"OPENAI_BASE_URL\":"
         "\"base_url\",\"OPENAI_ORG_ID\":\"organization\","
         "\"OPENAI_TRIES\":\"tries\"},"
         "\"needs\":[\"api_key\",\"base_url\"],\"keys\":["
         "{\"name\":\"organization\",\"type\":\"string\",\"doc\":\"Who.\"},"
         "{\"name\":\"tries\",\"type\":\"int\",\"default\":2,\"min\":0,"
         "\"max\":9,\"doc\":\"Tries.\"},"
         "{\"name\":\"ratio\",\"type\":\"float\",\"default\":0.5,\"doc\":"
         "\"Ratio.\"},"
         "{\"name\":\"quiet\",\"type\":\"bool\",\"default\":false,\"doc\":"
         "\"Quiet.\"},"
         "{\"name\":\"pause\",\"type\":\"duration\",\"default\":\"1.5s\","
         "\"min\":10,\"doc\":\"Pause.\"},"
         "{\"name\":\"chunk\",\"type\":\"size\",\"default\":\"4K\",\"doc\":"
         "\"Chunk.\"},"
         "{\"name\":\"style\",\"type\":\"string\",\"choices\":[\"plain\","
         "\"fancy\"],\"default\":\"plain\",\"doc\":\"Style.\"},"
         "{\"name\":\"tags\",\"type\":\"strings\",\"default\":[\"a\",\"b\"],"
         "\"doc\":\"Tags.\"},"
         "{\"name\":\"pin\",\"type\":\"secret\",\"doc\":\"Pin.\"}]}",
    HEAD "\"id\":\"loopback\",\"kind\":\"native\",\"local\":true,"
         "\"needs\":[],\"aliases\":[\"echo\"]}",
    HEAD "\"id\":\"ollama\",\"kind\":\"codec\",\"local\":true,"
         "\"base_url\":\"http://127.0.0.1:11434\",\"env\":{\"OLLAMA_HOST\":"
         "\"base_url\",\"OLLAMA_URL\":\"base_url\"},"
         "\"needs\":[\"base_url\"]}"};
#define N_MANIFESTS (sizeof manifests / sizeof *manifests)

static struct manifest *parsed[N_MANIFESTS];
static const struct manifest *list[N_MANIFESTS];

/* --- the environment --- */

static struct {
    char name[64], value[2048];
} env[32];
static size_t n_env;

void fx_env(const char *name, const char *value)
{
    size_t i = 0;
    while (i < n_env && strcmp(env[i].name, name) != 0)
        i++;
    if (!value) {
        if (i < n_env)
            env[i] = env[--n_env];
        return;
    }
    ck_assert_uint_lt(i, sizeof env / sizeof *env);
    snprintf(env[i].name, sizeof env[i].name, "%s", name);
    snprintf(env[i].value, sizeof env[i].value, "%s", value);
    if (i == n_env)
        n_env++;
}

static const char *get_env(const char *name)
{
    for (size_t i = 0; i < n_env; i++)
        if (strcmp(env[i].name, name) == 0)
            return env[i].value;
    return NULL;
}

/* --- files --- */

const char *fx_path(const char *name)
{
    static char path[4][256];
    static unsigned turn;
    char *p = path[turn++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", fx.dir, name);
    return p;
}

const char *fx_file(const char *name, const char *text)
{
    char dir[256];
    const char *path = fx_path(name);
    snprintf(dir, sizeof dir, "%s", path);
    *strrchr(dir, '/') = '\0';
    ck_assert_int_eq(fs_mkdirs(dir, 0700), 0);
    ck_assert_int_eq(fs_write_atomic(path, str_c(text), 0600), 0);
    return path;
}

/* --- loading --- */

static void forget(void)
{
    cfg_free(fx.c);
    fx.c = NULL;
    cfg_issues_done(&fx.issues);
}

void fx_setup(void)
{
    memset(&fx, 0, sizeof fx);
    n_env = 0;
    unit_tmpdir(fx.dir);
    for (size_t i = 0; i < N_MANIFESTS; i++) {
        char *err = NULL;
        list[i] = parsed[i] = manifest_parse(str_c(manifests[i]), &err);
        ck_assert_msg(parsed[i] != NULL, "%s", err);
    }
    fx.o = (struct cfg_load_options){
        .manifests = list, .n_manifests = N_MANIFESTS, .env = get_env};
    fx_env("XDG_CONFIG_HOME", fx_path("nothing-there"));
}

void fx_teardown(void)
{
    forget();
    for (size_t i = 0; i < N_MANIFESTS; i++)
        manifest_free(parsed[i]);
    fs_rmtree(fx.dir);
}

struct config *fx_load(const char *text)
{
    static char path[256];
    forget();
    if (text)
        snprintf(path, sizeof path, "%s", fx_file("patchbay.conf", text));
    fx.o.file = text ? path : "/dev/null";
    fx.c = cfg_load(&fx.o, &fx.issues);
    ck_assert_ptr_nonnull(fx.c);
    return fx.c;
}

struct config *fx_load_clean(const char *text)
{
    fx_load(text);
    if (fx.issues.n)
        fx_print_issues();
    ck_assert_uint_eq(fx.issues.n, 0);
    return fx.c;
}

const struct cfg_provider *fx_provider(const char *name)
{
    for (size_t i = 0; i < fx.c->n_providers; i++)
        if (strcmp(fx.c->providers[i].name, name) == 0)
            return &fx.c->providers[i];
    return NULL;
}

/* --- issues --- */

void fx_print_issues(void)
{
    for (size_t i = 0; i < fx.issues.n; i++) {
        const struct cfg_issue *is = &fx.issues.v[i];
        printf("  %s:%d: %s: %s\n", is->file ? is->file : "-", is->line,
               is->error ? "error" : "warning", is->text);
    }
    fflush(stdout); /* a failed assertion ends the process at once */
}

static bool says(const struct cfg_issue *is, const char *text)
{
    pbay_str rest = str_c(text);
    char part[256];
    while (rest.n) {
        pbay_str p = str_cut(&rest, '|');
        snprintf(part, sizeof part, "%.*s", STR_ARG(p));
        if (!strstr(is->text, part))
            return false;
    }
    return true;
}

void fx_has(bool error, const char *file, int line, const char *text)
{
    for (size_t i = 0; i < fx.issues.n; i++) {
        const struct cfg_issue *is = &fx.issues.v[i];
        if (is->error == error && (line < 0 || is->line == line) &&
            (!file || (is->file && str_ends(str_c(is->file), file))) &&
            says(is, text))
            return;
    }
    printf("issues:\n");
    fx_print_issues();
    ck_abort_msg("no %s at %s:%d with \"%s\"", error ? "error" : "warning",
                 file ? file : "*", line, text);
}

void fx_count(size_t errors, size_t warnings)
{
    if (fx.issues.errors != errors || fx.issues.n - errors != warnings)
        fx_print_issues();
    ck_assert_uint_eq(fx.issues.errors, errors);
    ck_assert_uint_eq(fx.issues.n - fx.issues.errors, warnings);
}

void fx_wrong(const char *text, int line, const char *error)
{
    fx_load(text);
    fx_error(line, error);
    if (fx.issues.errors != 1) {
        fx_print_issues();
        ck_abort_msg("one error was expected for:\n%s", text);
    }
}

void fx_not_said(const char *text)
{
    for (size_t i = 0; i < fx.issues.n; i++)
        if (strstr(fx.issues.v[i].text, text))
            ck_abort_msg("said: %s", fx.issues.v[i].text);
}
