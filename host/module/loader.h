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
    MODULE_FOUND, /* manifest read, not loaded */
    MODULE_LOADED,
    MODULE_REFUSED /* see reason */
};

/* One loaded copy of a module file. */
struct generation {
    unsigned number; /* 1.. over the life of the process */
    char *path;      /* of the private copy */
    char *source;    /* where it came from */
    char hash[65];   /* SHA-256 of the file, hex */
    struct manifest *manifest;
    const pbay_plugin *plugin;
    void *handle;               /* the loader's */
    unsigned refs;              /* control thread */
    struct module_times *times; /* [LIM_LOOPS + 1], last: native workers */
};

/* What tells one state of a file from another without reading it. */
struct module_file {
    uint64_t device, inode, size;
    int64_t changed_s, changed_ns;
};

/* One module file in the catalogue. */
struct module {
    char *path, *id; /* id: from the manifest, else the file's name */
    enum module_state state;
    char *reason; /* REFUSED: a sentence with the mend; LOADED: what
                   * became of a newer file, NULL if nothing */
    /* NULL if it could not be read; lives as long as the catalogue, for
     * configurations made of it. */
    struct manifest *manifest;
    struct generation *current; /* NULL until loaded */
    bool vendor;                /* from the directory we were installed with */
    char hash[65];              /* once its content has been read, else "" */
    /* the loader's own */
    struct module_file file;
    bool pending;  /* LOADED, and the file is a newer one */
    bool shadowed; /* REFUSED because another has its id */
    bool passing;  /* REFUSED for what may be different next time */
    bool seen;     /* by the scan under way */
};

/* A content that has misbehaved, so that it is not tried again. */
struct bad_content {
    char hash[65];
    char *reason;
};
/* How many are remembered; then the oldest is forgotten and merely probed
 * again. */
#define BAD_CONTENTS 256

/* All zero at first. */
struct catalogue {
    struct module **modules; /* by directory, then by name */
    size_t n;
    struct generation **retained; /* no instance left, mapping kept */
    size_t n_retained;
    struct bad_content *bad;
    size_t n_bad;
    struct manifest **old; /* of files that were replaced or removed */
    size_t n_old;
};

struct loader_options {
    const char *const *dirs; /* NULL-terminated, in order: first id wins */
    const char *vendor_dir;
    const char *gen_dir;  /* for private copies; NULL: made in RUNDIR,
                           * STATEDIR, XDG_RUNTIME_DIR, TMPDIR or /tmp,
                           * the first where it can be */
    const char *self;     /* program to exec for probes; NULL: no probe */
    bool allow_any_owner; /* tests and build trees: skip ownership */
};

/* Once, before anything else here; 0 or negative errno and *err.  The options
 * are copied. */
int loader_init(const struct loader_options *o, char **err);
/* The directory for private copies, when the configuration is known later than
 * the modules.  Nothing changes once a module has been loaded. */
int loader_set_gen_dir(const char *dir);
/* Removes private copies; loaded modules stay mapped. */
void loader_done(void);

/* Look at the directories: manifests only, nothing is run.  A missing directory
 * is no error.  Called again: new, changed and removed files are noticed; what
 * was refused for a reason that may have gone is found anew. */
int catalogue_scan(struct catalogue *c);
void catalogue_done(struct catalogue *c);
/* By id or alias; a loadable one before a refused one. */
struct module *catalogue_find(struct catalogue *c, pbay_str type);
/* Load it if it is not, or if its file is a newer one; the generation, or NULL
 * with module->reason set.  When a newer file fails, the loaded one stays. */
struct generation *module_load(struct catalogue *c, struct module *m);

struct generation *generation_ref(struct generation *g);
/* At zero, once it is not a module's current one: retained (LIM_GENERATIONS),
 * or closed if it may be unloaded. */
void generation_unref(struct catalogue *c, struct generation *g);

/* The child's side of a probe: load `path`, check, print the manifest from the
 * table on stdout; the exit status.  `patchbay --probe-module PATH`. */
int loader_probe_main(const char *path);

#endif
