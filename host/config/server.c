/* SPDX-License-Identifier: MIT */
/* The sections `server`, `log` and `cache`. */
#include "config/parts.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

/* The processors we may run on, not those the machine has. */
static unsigned processors(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return (unsigned)CPU_COUNT(&set);
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (unsigned)n : 1;
}

void path_check_readable(const struct section *s, const char *name,
                         const char *path)
{
    if (!path || access(path, R_OK) == 0)
        return;
    /* `config check` may be run by somebody who cannot read the key. */
    section_issue(s, errno != EACCES, name, "cannot read %s: %s", path,
                  strerror(errno));
}

static void read_timeouts(struct load *l, const struct section *server)
{
    struct section s = section_sub(server, "timeouts");
    struct http_limits *h = &l->c->http;
    section_check_names(&s, NULL);
    h->idle_ms = section_int(&s, "idle");
    h->head_ms = section_int(&s, "head");
    h->body_ms = section_int(&s, "body");
    h->write_ms = section_int(&s, "write");
}

static void read_tls(struct load *l, const struct section *server)
{
    struct section s = section_sub(server, "tls");
    section_check_names(&s, NULL);
    l->c->tls_cert = section_path(&s, "certificate");
    l->c->tls_key = section_path(&s, "key");
    if (!l->c->tls_cert != !l->c->tls_key)
        section_issue(&s, true, l->c->tls_cert ? "certificate" : "key",
                      "certificate and key are needed, both");
    path_check_readable(&s, "certificate", l->c->tls_cert);
    path_check_readable(&s, "key", l->c->tls_key);
}

char **plugin_dirs(const struct section *server)
{
    char **dirs = section_list(server, "plugin_dirs");
    for (size_t i = 0; dirs[i]; i++)
        dirs[i] = path_resolve(server->l, server->doc ? server->doc->dir : NULL,
                               dirs[i]);
    return dirs;
}

static bool rescues(const struct section *s)
{
    const char *v = section_string(s, "midstream");

    return !v || strcmp(v, "error") != 0;
}

static void read_sizes(struct load *l, const struct section *s)
{
    struct config *c = l->c;
    c->http.head = (size_t)section_int(s, "max_head");
    c->http.body = (size_t)section_int(s, "max_body");
    c->max_upload = (size_t)section_int(s, "max_upload");
    c->max_spool = (size_t)section_int(s, "max_spool");
    c->http.conns = (size_t)section_int(s, "max_connections");
    c->max_calls = (size_t)section_int(s, "max_calls");
    c->retry_budget = section_int(s, "retry_budget");
    c->rescue = rescues(s);
    c->max_queue = (size_t)section_int(s, "max_queue");
    c->queue_ms = section_int(s, "max_queue_wait");
    c->refresh_ms = section_int(s, "refresh_models");
    c->loops = (unsigned)section_int(s, "loops");
    if (!c->loops)
        c->loops = processors() < LIM_LOOPS ? processors() : LIM_LOOPS;
    c->workers = (unsigned)section_int(s, "workers");
    c->native_queue = (size_t)section_int(s, "native_queue");
    c->drain_ms = section_int(s, "drain");
}

static void read_paths(struct load *l, const struct section *s)
{
    struct config *c = l->c;
    const char *configured = section_path(s, "control_socket");
    c->control_socket = path_control(l, configured);
    struct cfg_origin at = section_origin(s, "control_socket");
    if (load_env(l, "PATCHBAY_CONTROL"))
        at = (struct cfg_origin){CFG_ENV, "PATCHBAY_CONTROL", 0};
    else if (!configured)
        at = (struct cfg_origin){CFG_DEFAULT, NULL, 0};
    node_set_string(l, s->node, "control_socket", c->control_socket, &at);
    configured = section_path(s, "state_dir");
    c->state_dir = path_state(l, configured);
    at = section_origin(s, "state_dir");
    if (!configured)
        at = (struct cfg_origin){CFG_DEFAULT, NULL, 0};
    node_set_string(l, s->node, "state_dir", c->state_dir, &at);
    c->plugin_dirs = plugin_dirs(s);
    c->gen_dir = section_path(s, "generation_dir");
}

static enum env_mode environment(const struct section *s)
{
    const char *mode = section_string(s, "environment");
    if (mode && strcmp(mode, "add") == 0)
        return ENV_ADD;
    return mode && strcmp(mode, "off") == 0 ? ENV_OFF : ENV_FILL;
}

static const char *const sections[] = {
    "server", "log",     "cache", "structured_output", "backends", "text",
    "routes", "aliases", "keys",  "providers",         NULL};

bool is_top_section(const char *name)
{
    for (size_t k = 0; sections[k]; k++)
        if (strcmp(sections[k], name) == 0)
            return true;
    return false;
}

static void unknown_section(const struct section *root, const char *name)
{
    struct load *l = root->l;
    struct nearest near = {.wanted = str_c(name)};
    char text[96];
    const char *hint = key_belongs(l, name);
    for (size_t k = 0; sections[k]; k++)
        nearest_offer(&near, sections[k]);
    if (near.name)
        hint = nearest_hint(&near, text, sizeof text);
    else if (!*hint && section_raw(root, name).kind == RAW_GROUP)
        hint = load_printf(l,
                           "; a provider stands within providers: { %s: { "
                           "... }; };",
                           name);
    section_issue(root, true, name,
                  "there is no such section (server, log, cache, "
                  "structured_output, backends, text, routes, aliases, keys, "
                  "providers)%s",
                  hint);
}

/* The top of the main file: everything that is no section. */
static void check_top(const struct section *root)
{
    if (!root->set)
        return;
    for (int i = 0; i < config_setting_length(root->set); i++) {
        const char *name = config_setting_name(
            config_setting_get_elem(root->set, (unsigned)i));
        if (!is_top_section(name))
            unknown_section(root, name);
    }
}

void read_server(struct load *l, const struct doc *d,
                 const config_setting_t *root)
{
    struct section top = section_root(l, d, root);
    check_top(&top);
    struct section s = section_main(l, d, root, "server", l->server);
    read_timeouts(l, &s);
    read_tls(l, &s);
    read_listen(l, &s);
    l->env_mode = environment(&s);
    l->c->strict_models = section_bool(&s, "strict_models");
    read_sizes(l, &s);
    read_paths(l, &s);
    read_price_list(&s);
}

void read_log(struct load *l, const struct doc *d, const config_setting_t *root)
{
    struct section s = section_main(l, d, root, "log", l->log);
    const char *level = section_string(&s, "level");
    const char *format = section_string(&s, "format");
    l->c->log_level = LOG_INFO;
    if (level)
        log_level_parse(str_c(level), &l->c->log_level);
    l->c->log_format =
        format && strcmp(format, "json") == 0 ? LOG_JSON : LOG_TEXT;
}

void read_cache(struct load *l, const struct doc *d,
                const config_setting_t *root)
{
    struct section s = section_main(l, d, root, "cache", l->cache);
    struct cfg_cache *c = &l->c->cache;
    c->store = section_bool(&s, "enabled");
    c->join = section_bool(&s, "coalesce");
    c->per_key = section_bool(&s, "per_key");
    c->ttl_ms = section_int(&s, "ttl");
    c->size = (size_t)section_int(&s, "max_size");
    c->max_entry = (size_t)section_int(&s, "max_entry");
}
