/* SPDX-License-Identifier: MIT */
/* From files, environment and module directories to a snapshot. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/host_int.h"
#include "base/str.h"

/* The manifests of modules that can be used, for the configuration to know. */
static const struct manifest **manifests(const struct catalogue *c, size_t *n)
{
    const struct manifest **v = calloc(c->n + 1, sizeof(*v));

    *n = 0;
    for (size_t i = 0; v && i < c->n; i++)
        if (c->modules[i]->manifest && c->modules[i]->state != MODULE_REFUSED)
            v[(*n)++] = c->modules[i]->manifest;
    return v;
}

/* The ones that are there but cannot be used: a provider of theirs is not set
 * up, but the rest goes on. */
static const char **broken(const struct catalogue *c)
{
    const char **v = calloc(c->n + 1, sizeof(*v));
    size_t n = 0;

    for (size_t i = 0; v && i < c->n; i++)
        if (c->modules[i]->state == MODULE_REFUSED && c->modules[i]->id)
            v[n++] = c->modules[i]->id;
    return v;
}

static char *issue_text(const struct cfg_issue *is)
{
    char *s = NULL;
    int n;

    if (is->file && is->line)
        n = asprintf(&s, "%s:%d: %s", is->file, is->line, is->text);
    else if (is->file)
        n = asprintf(&s, "%s: %s", is->file, is->text);
    else
        n = asprintf(&s, "%s", is->text);
    return n < 0 ? NULL : s;
}

/* All errors joined by newlines; warnings to the log or the list. */
static char *sort_issues(const struct cfg_issues *is, char ***warnings)
{
    char *errors = NULL, *joined;
    size_t n = 0;

    if (warnings)
        *warnings = calloc(is->n + 1, sizeof(**warnings));
    for (size_t i = 0; i < is->n; i++) {
        char *text = issue_text(&is->v[i]);
        if (!text)
            continue;
        if (!is->v[i].error) {
            log_line(LOG_WARN, "config", text, LOG_END);
            if (warnings && *warnings) {
                (*warnings)[n++] = text;
                continue;
            }
        } else if (asprintf(&joined, "%s%s%s", errors ? errors : "",
                            errors ? "\n" : "", text) >= 0) {
            free(errors);
            errors = joined;
        }
        free(text);
    }
    return errors;
}

static void log_refused(const struct catalogue *c)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct module *m = c->modules[i];
        if (m->state != MODULE_REFUSED)
            continue;
        /* Shadowing is how an operator puts another in front of ours. */
        log_line(m->shadowed ? LOG_INFO : LOG_WARN, "module",
                 m->shadowed ? "a module file is passed over"
                             : "a module file is refused",
                 log_cstr("file", m->path), log_cstr("reason", m->reason),
                 LOG_END);
    }
}

struct snapshot *host_load(struct host *h, char ***warnings, char **err)
{
    struct cfg_load_options o = h->options.cfg;
    const struct manifest **v;
    const char **refused;
    struct cfg_issues issues = {0};
    struct config *cfg;
    struct snapshot *s;

    catalogue_scan(&h->modules);
    v = manifests(&h->modules, &o.n_manifests);
    refused = broken(&h->modules);
    o.manifests = v;
    o.broken = refused;
    cfg = v && refused ? cfg_load(&o, &issues) : NULL;
    free(v);
    free(refused);
    if (cfg && !issues.errors) {
        /* Before the first line that the configuration may want otherwise. */
        log_set_level(h->options.log_level
                          ? (enum log_level)h->options.log_level
                          : cfg->log_level);
        log_set_format(cfg->log_format);
    }
    log_refused(&h->modules);
    *err = sort_issues(&issues, warnings);
    cfg_issues_done(&issues);
    if (!cfg || *err) {
        if (!*err)
            *err = strdup("out of memory");
        cfg_free(cfg);
        errno = EINVAL;
        return NULL;
    }
    loader_set_gen_dir(cfg->gen_dir);
    s = snapshot_new(cfg, &h->modules);
    if (!s) {
        cfg_free(cfg);
        *err = strdup("out of memory");
        errno = ENOMEM;
    }
    return s;
}
