/* SPDX-License-Identifier: MIT */
/* The catalogue: which module files there are, and which of them may be used.
 * Nothing of a module is run here. */
#include "config.h"

#include "module/loader_priv.h"

#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"

#define SUFFIX ".so"

void module_refuse(struct module *m, bool passing, char *reason)
{
    free(m->reason);
    m->reason = reason ? reason : strdup("out of memory");
    m->state = MODULE_REFUSED;
    m->passing = passing;
}

/* --- one file --- */

/* "DIR/openai.so" -> "openai" */
static pbay_str stem(const char *path)
{
    const char *slash = strrchr(path, '/');
    pbay_str s = str_c(slash ? slash + 1 : path);
    if (str_ends(s, SUFFIX))
        s.n -= strlen(SUFFIX);
    return s;
}

/* Read and check what can be without running it: the manifest, or NULL and
 * *err. */
static struct manifest *inspect(struct module *m, struct module_file *file,
                                char **err)
{
    int fd = trusted_open(m->path, loader.any_owner, file, err);
    struct manifest *mf = fd < 0 ? NULL : manifest_read(fd, err);
    if (fd >= 0)
        close(fd);
    if (!mf)
        return NULL;
    pbay_str name = stem(m->path);
    char *why = NULL;
    if (manifest_abi_ok(mf, &why) < 0) {
        *err = why;
    } else if (!str_is(name, mf->id)) {
        mf_fail(err,
                "its id is \"%s\", but the file is named \"%.*s" SUFFIX
                "\": rename it to \"%s" SUFFIX "\"",
                mf->id, STR_ARG(name), mf->id);
    } else {
        return mf;
    }
    manifest_free(mf);
    return NULL;
}

static void keep_old(struct catalogue *c, struct manifest *mf)
{
    struct manifest **more =
        mf ? realloc(c->old, (c->n_old + 1) * sizeof *more) : NULL;
    if (!more)
        return; /* lost rather than freed: somebody may hold it */
    c->old = more;
    more[c->n_old++] = mf;
}

static void set_id(struct module *m, pbay_str id)
{
    char *copy = str_dup(id);
    if (!copy)
        return;
    free(m->id);
    m->id = copy;
}

/* A file that is new, or not what it was. */
static void look(struct catalogue *c, struct module *m)
{
    char *err = NULL;
    struct module_file file = {0};
    struct manifest *mf = inspect(m, &file, &err);
    m->file = file;
    m->shadowed = m->passing = m->pending = false;
    if (!mf && m->current) {
        /* What is loaded goes on, with its own manifest. */
        free(m->reason);
        m->reason = err;
        m->state = MODULE_LOADED;
        return;
    }
    keep_old(c, m->manifest);
    m->manifest = mf;
    if (!mf) {
        m->hash[0] = '\0';
        set_id(m, stem(m->path));
        /* Owner and mode can change without the content. */
        module_refuse(m, true, err);
        return;
    }
    free(m->reason);
    m->reason = NULL;
    set_id(m, str_c(mf->id));
    m->pending = m->current != NULL;
    m->state = m->current ? MODULE_LOADED : MODULE_FOUND;
    if (!m->current)
        m->hash[0] = '\0';
}

/* --- the list --- */

static struct module *find_path(struct module **v, size_t n, const char *path)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(v[i]->path, path) == 0)
            return v[i];
    return NULL;
}

static void module_free(struct module *m)
{
    if (!m)
        return;
    free(m->path);
    free(m->id);
    free(m->reason);
    free(m);
}

/* A list that grows as the directories are read. */
struct listing {
    struct module **v;
    size_t n;
};

static struct module *append(struct listing *l, struct module *m)
{
    struct module **more = realloc(l->v, (l->n + 1) * sizeof *more);
    if (!more)
        return NULL;
    l->v = more;
    return l->v[l->n++] = m;
}

static struct module *append_new(struct listing *l, const char *path)
{
    struct module *m = calloc(1, sizeof *m);
    if (m) {
        m->path = strdup(path);
        m->id = str_dup(stem(path));
    }
    if (!m || !m->path || !m->id || !append(l, m)) {
        module_free(m);
        return NULL;
    }
    m->seen = true;
    return m;
}

static bool same_file(const struct module *m)
{
    struct module_file now;
    char *err = NULL;
    int fd = trusted_open(m->path, loader.any_owner, &now, &err);
    free(err);
    if (fd < 0)
        return false;
    close(fd);
    return now.device == m->file.device && now.inode == m->file.inode &&
           now.size == m->file.size && now.changed_s == m->file.changed_s &&
           now.changed_ns == m->file.changed_ns;
}

static int see_file(struct catalogue *c, struct listing *l, const char *path,
                    bool vendor)
{
    if (find_path(l->v, l->n, path))
        return 0; /* a directory that is listed twice */
    struct module *m = find_path(c->modules, c->n, path);
    bool known = m != NULL;
    m = known ? append(l, m) : append_new(l, path);
    if (!m)
        return -ENOMEM;
    m->seen = true;
    m->vendor = vendor;
    if (!known || m->passing || !same_file(m))
        look(c, m);
    return 0;
}

/* Something about a directory that must be seen by whoever asks why a module is
 * not there. */
static int refuse_path(struct catalogue *c, struct listing *l, const char *path,
                       char *reason)
{
    if (find_path(l->v, l->n, path)) {
        free(reason);
        return 0;
    }
    struct module *m = find_path(c->modules, c->n, path);
    m = m ? append(l, m) : append_new(l, path);
    if (!m) {
        free(reason);
        return -ENOMEM;
    }
    m->seen = true;
    if (m->current) {
        free(m->reason);
        m->reason = reason;
    } else {
        keep_old(c, m->manifest);
        m->manifest = NULL;
        module_refuse(m, true, reason);
    }
    return 0;
}

static int is_module(const struct dirent *e)
{
    return e->d_name[0] != '.' && str_ends(str_c(e->d_name), SUFFIX);
}

static int see_entry(struct catalogue *c, struct listing *l, const char *dir,
                     const char *name, const char *dir_problem)
{
    char path[4096], *reason = NULL;
    bool vendor = loader.vendor_dir && strcmp(dir, loader.vendor_dir) == 0;
    if (fs_join(path, sizeof path, dir, name) < 0)
        return 0; /* nothing can open a path that long */
    if (!dir_problem)
        return see_file(c, l, path, vendor);
    mf_fail(&reason, "%s", dir_problem);
    return refuse_path(c, l, path, reason);
}

static int see_dir(struct catalogue *c, struct listing *l, const char *dir)
{
    struct dirent **entries = NULL;
    char *problem = NULL, *reason = NULL;
    int rc = trusted_dir(dir, loader.any_owner, &problem);
    if (rc == -ENOENT)
        return 0;
    int n = scandir(dir, &entries, is_module, alphasort);
    if (n < 0) {
        if (!problem)
            mf_fail(&problem, "cannot be read: %s", strerror(errno));
        return refuse_path(c, l, dir, problem);
    }
    rc = 0;
    for (int i = 0; i < n; i++) {
        if (rc == 0 && i < LIM_MODULES)
            rc = see_entry(c, l, dir, entries[i]->d_name, problem);
        free(entries[i]);
    }
    free(entries);
    free(problem);
    if (rc == 0 && n > LIM_MODULES) {
        mf_fail(&reason,
                "holds %d module files: only the first %d, by name, "
                "are looked at",
                n, LIM_MODULES);
        rc = refuse_path(c, l, dir, reason);
    }
    return rc;
}

/* What was there and is not any more. */
static int see_gone(struct catalogue *c, struct listing *l)
{
    for (size_t i = 0; i < c->n; i++) {
        struct module *m = c->modules[i];
        if (m->seen)
            continue;
        if (!m->current) {
            keep_old(c, m->manifest);
            module_free(m);
            continue;
        }
        free(m->reason);
        m->reason = strdup("the file is gone; what is loaded goes on");
        m->pending = false;
        if (!append(l, m))
            return -ENOMEM;
    }
    return 0;
}

void catalogue_shadow(struct catalogue *c)
{
    for (size_t i = 0; i < c->n; i++) {
        struct module *m = c->modules[i];
        if (m->shadowed) {
            m->shadowed = m->passing = false;
            free(m->reason);
            m->reason = NULL;
            m->state = m->current ? MODULE_LOADED : MODULE_FOUND;
        }
        for (size_t k = 0; k < i && m->state != MODULE_REFUSED; k++) {
            const struct module *first = c->modules[k];
            char *reason = NULL;
            if (first->state == MODULE_REFUSED || strcmp(first->id, m->id) != 0)
                continue;
            mf_fail(&reason,
                    "another module has the id \"%s\" and comes "
                    "first: %s; remove one of them",
                    m->id, first->path);
            module_refuse(m, false, reason);
            m->shadowed = true;
        }
    }
}

int catalogue_scan(struct catalogue *c)
{
    struct listing l = {0};
    int rc = 0;
    for (size_t i = 0; i < c->n; i++)
        c->modules[i]->seen = false;
    for (char **dir = loader.dirs; dir && *dir && rc == 0; dir++)
        rc = see_dir(c, &l, *dir);
    if (rc == 0) {
        rc = see_gone(c, &l);
    } else {
        /* Out of memory: what was known and not seen yet stays known. */
        for (size_t i = 0; i < c->n; i++)
            if (!c->modules[i]->seen)
                append(&l, c->modules[i]);
    }
    free(c->modules);
    c->modules = l.v;
    c->n = l.n;
    catalogue_shadow(c);
    return rc;
}

void catalogue_done(struct catalogue *c)
{
    for (size_t i = 0; i < c->n; i++) {
        manifest_free(c->modules[i]->manifest);
        generation_free(c->modules[i]->current);
        module_free(c->modules[i]);
    }
    for (size_t i = 0; i < c->n_retained; i++)
        generation_free(c->retained[i]);
    for (size_t i = 0; i < c->n_bad; i++)
        free(c->bad[i].reason);
    for (size_t i = 0; i < c->n_old; i++)
        manifest_free(c->old[i]);
    free(c->modules);
    free(c->retained);
    free(c->bad);
    free(c->old);
    *c = (struct catalogue){0};
}

struct module *catalogue_find(struct catalogue *c, pbay_str type)
{
    /* Ids before aliases, loadable before refused. */
    for (int pass = 0; pass < 4; pass++) {
        bool refused = pass >= 2, alias = pass & 1;
        for (size_t i = 0; i < c->n; i++) {
            struct module *m = c->modules[i];
            if ((m->state == MODULE_REFUSED) != refused)
                continue;
            if (alias ? m->manifest && manifest_is(m->manifest, type)
                      : str_is(type, m->id))
                return m;
        }
    }
    return NULL;
}
