/* SPDX-License-Identifier: MIT */
/* Reading the files: the main one and the fragments in providers.d. */
#include "config/parts.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"

/* libconfig's own words for what scan_text() leaves to it. */
static void libconfig_issue(struct load *l, const struct doc *d)
{
    const char *text = config_error_text(&d->conf);
    const char *why = text ? text : "cannot be read";
    if (strcmp(why, "duplicate setting name") == 0)
        why = "this name is written twice in the same group: remove one";
    else if (strcmp(why, "mismatched element type in array") == 0)
        why = "the elements of an array [...] are all of one type; a list "
              "(...) may mix them";
    load_issue(l, true, d->path, config_error_line(&d->conf), "%s", why);
}

static void parse(struct load *l, struct doc *d, pbay_str text)
{
    struct scan_error e;
    char *clean = scan_text(text, &e);
    if (!clean) {
        if (e.line)
            load_issue(l, true, d->path, e.line, "%s", e.why);
        else
            l->nomem = true;
        return;
    }
    d->parsed = config_read_string(&d->conf, clean) == CONFIG_TRUE;
    if (!d->parsed)
        libconfig_issue(l, d);
    explicit_bzero(clean, strlen(clean));
    free(clean);
}

static const char *read_problem(int rc)
{
    if (rc == -EFBIG)
        return "larger than a configuration may be";
    return strerror(-rc);
}

/* The new doc, also if it could not be read; NULL: memory is out. */
static struct doc *doc_read(struct load *l, const char *path)
{
    struct doc *d = load_alloc(l, sizeof *d);
    struct doc **list = load_grow(l, l->docs, l->n_docs, sizeof *list);
    if (!d || !list)
        return NULL;
    l->docs = list;
    list[l->n_docs++] = d;
    d->path = path;
    d->dir = path_dir_of(l, path);
    config_init(&d->conf);
    if (strcmp(path, "/dev/null") == 0) {
        d->parsed = true; /* the usual way to say: no file at all */
        return d;
    }
    char *data = NULL;
    size_t n = 0;
    int rc = fs_read(path, LIM_CONF_FILE, &data, &n);
    if (rc) {
        load_issue(l, true, path, 0, "cannot read this file: %s",
                   read_problem(rc));
        return d;
    }
    struct stat st;
    d->exposed =
        stat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & S_IROTH);
    parse(l, d, str_n(data, n));
    explicit_bzero(data, n);
    free(data);
    return d;
}

void main_read(struct load *l)
{
    bool must;
    const char *path = path_main(l, &must);
    if (!path)
        return;
    l->main = doc_read(l, path);
    l->c->file = load_dup(l, str_c(path));
}

/* --- fragments --- */

static int is_fragment(const struct dirent *e)
{
    pbay_str name = str_c(e->d_name);
    return name.n > 5 && name.p[0] != '.' && str_ends(name, ".conf");
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* A fragment holds providers and nothing else. */
static void check_fragment(struct load *l, const struct doc *d)
{
    if (!d->parsed)
        return;
    const config_setting_t *root = config_root_setting(&d->conf);
    for (int i = 0; i < config_setting_length(root); i++) {
        const config_setting_t *s = config_setting_get_elem(root, (unsigned)i);
        const char *name = config_setting_name(s), *why;
        if (strcmp(name, "providers") == 0)
            continue;
        why = config_setting_is_group(s) && !is_top_section(name)
                  ? load_printf(l,
                                "a provider stands within providers: { %s: "
                                "{ ... }; };",
                                name)
                  : "a file of providers.d holds providers: { ... } only; "
                    "everything else belongs into the main file";
        load_issue(l, true, d->path, config_setting_source_line(s), "%s: %s",
                   name, why);
    }
}

void files_read(struct load *l)
{
    main_read(l);
    if (!l->main || strcmp(l->main->path, "/dev/null") == 0)
        return;
    const char *dir = path_resolve(l, l->main->dir, "providers.d");
    struct dirent **names = NULL;
    int n = scandir(dir, &names, is_fragment, by_name);
    if (n < 0 && errno != ENOENT)
        load_issue(l, true, dir, 0, "cannot read this directory: %s",
                   strerror(errno));
    for (int i = 0; i < n; i++) {
        if (i == LIM_CONF_FRAGMENTS)
            load_issue(l, true, dir, 0, "more than %d files",
                       LIM_CONF_FRAGMENTS);
        if (i < LIM_CONF_FRAGMENTS) {
            struct doc *d =
                doc_read(l, load_printf(l, "%s/%s", dir, names[i]->d_name));
            if (d)
                check_fragment(l, d);
        }
        free(names[i]);
    }
    free(names);
}
