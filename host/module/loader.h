/* SPDX-License-Identifier: MIT */
/* Finding, checking and loading provider modules.  loader.c is the only file
 * that calls libltdl.
 *
 * Order for a file: ownership and mode -> ELF note -> ABI -> private copy
 * GEN/<n>/NAME.so -> probe in a child process -> strict dlopen (RTLD_NOW |
 * RTLD_LOCAL, own libltdl loader that keeps dlerror's text) -> entry -> table
 * checked -> ready.  What fails stays in the catalogue with its reason
 * (quarantine, remembered by content hash) and never keeps others from loading.
 *
 * The catalogue belongs to the control thread.  A generation is reference
 * counted by the instances made of it.
 */
#ifndef PB_LOADER_H
#define PB_LOADER_H

#include "module/manifest.h"
#include "module/times.h"
#include <patchbay/provider.h>

enum module_state {
    MODULE_FOUND,       /* manifest read, not loaded */
    MODULE_LOADED,
    MODULE_REFUSED      /* see reason */
};

/* One loaded copy of a module file. */
struct generation {
    unsigned number;           /* 1.. over the life of the process */
    char *path;                /* of the private copy; NULL for preloaded */
    char *source;              /* where it came from */
    char hash[65];             /* SHA-256 of the file, hex */
    struct manifest *manifest;
    const pbay_plugin *plugin;
    void *handle;              /* the loader's */
    unsigned refs;             /* control thread */
    struct module_times *times; /* [LIM_LOOPS + 1], last: native workers */
};

/* One module file in the catalogue. */
struct module {
    char *path, *id;           /* id: from the manifest, else the file's name */
    enum module_state state;
    char *reason;              /* REFUSED: a sentence with the mend */
    struct manifest *manifest; /* NULL if it could not be read */
    struct generation *current; /* NULL until loaded */
    bool vendor;               /* from the directory we were installed with */
    char hash[65];
};

struct catalogue {
    struct module **modules;
    size_t n;
    struct generation **retained; /* no instance left, mapping kept */
    size_t n_retained;
};

struct loader_options {
    const char *const *dirs;   /* NULL-terminated, in order: first id wins */
    const char *vendor_dir;
    const char *gen_dir;       /* for private copies; NULL: made under
                                * RUNDIR, XDG_RUNTIME_DIR or TMPDIR */
    const char *self;          /* program to exec for probes; NULL: no probe */
    bool allow_any_owner;      /* tests and build trees: skip ownership */
};

/* Once, before anything else here; 0 or negative errno and *err.  The options
 * are copied. */
int loader_init(const struct loader_options *o, char **err);
/* Removes private copies; loaded modules stay mapped. */
void loader_done(void);

/* Look at the directories: manifests only, nothing is run.  A missing directory
 * is no error.  Called again: new and changed files are noticed. */
int catalogue_scan(struct catalogue *c);
void catalogue_done(struct catalogue *c);
/* By id or alias; a loadable one before a refused one. */
struct module *catalogue_find(struct catalogue *c, pbay_str type);
/* Load it if it is not; the generation, or NULL with module->reason set. */
struct generation *module_load(struct catalogue *c, struct module *m);

struct generation *generation_ref(struct generation *g);
/* At zero: retained (LIM_GENERATIONS), or closed if it may be unloaded. */
void generation_unref(struct catalogue *c, struct generation *g);

/* The child's side of a probe: load `path`, check, print the manifest from the
 * table on stdout; the exit status.  `patchbay --probe-module PATH`. */
int loader_probe_main(const char *path);

#endif
