/* SPDX-License-Identifier: MIT */
/* Between the files of the loader.  Control thread, except module_open() and
 * what it calls, which take the loader's lock.
 *
 * char ** parameters named err or why get a malloc'd sentence without the
 * file's name ("is world-writable: ..."), NULL when memory is out. */
#ifndef PB_LOADER_PRIV_H
#define PB_LOADER_PRIV_H

#include "base/str.h"
#include "module/loader.h"
#include "module/manifest_priv.h"

/* --- loader.c --- */

struct loader_state {
    char **dirs; /* NULL-terminated */
    char *vendor_dir, *gen_dir, *self;
    bool any_owner;
};
extern struct loader_state loader;

/* Open strictly, find the entry function, call it and check the table.
 * `phase` is told before each step that may misbehave. */
enum phase {
    PHASE_CONSTRUCTOR,
    PHASE_ENTRY,
    PHASE_TABLE,
    PHASE_DONE
};
struct opened {
    void *handle;
    const pbay_plugin *plugin;
};
/* 0; -ENOEXEC: the dynamic linker refuses it; -EPROTO: it is not what it says.
 * Nothing stays open on failure but a plugin that misbehaved. */
int module_open(const char *path, const struct manifest *note,
                void (*phase)(enum phase), struct opened *out, char **err);

/* --- trust.c --- */

/* Open a module file for reading, if file and directory can only have been
 * written by root or us (unless any_owner).  -1 and *err. */
int trusted_open(const char *path, bool any_owner, struct module_file *file,
                 char **err);
/* May modules be taken from this directory?  0; -ENOENT; else -EPERM or what
 * happened, and *err. */
int trusted_dir(const char *path, bool any_owner, char **err);

/* --- gendir.c --- */

/* Copy what fd holds to a private file, and its hash: GEN/<number>/NAME.so.
 * The path, malloc'd, or NULL and *err. */
char *gen_copy(const char *gen_dir, int fd, unsigned number, const char *name,
               char hash[65], char **err);
/* Remove one copy with its directory / all of this process. */
void gen_remove(const char *copy);
void gen_remove_all(void);

/* --- probe.c --- */

enum probe_result {
    PROBE_OK,
    PROBE_REFUSED,   /* cannot be loaded here and now */
    PROBE_BAD,       /* misbehaves: need not be tried again */
    PROBE_IMPOSSIBLE /* the child could not be started */
};
enum probe_result probe_module(const char *self, const char *path,
                               const struct manifest *note, char **why);

/* --- catalogue.c --- */

/* Decide again which of the modules with one id is used. */
void catalogue_shadow(struct catalogue *c);
void module_refuse(struct module *m, bool passing, char *reason);
void generation_free(struct generation *g);

#endif
