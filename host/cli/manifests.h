/* SPDX-License-Identifier: MIT */
/* The modules at hand and their manifests, for what needs the configuration but
 * no host: nothing of a module is run, unless module_load() is called.  Main
 * thread. */
#ifndef PB_MANIFESTS_H
#define PB_MANIFESTS_H

#include "cli/cli.h"
#include "config/config.h"
#include "module/loader.h"

struct manifests {
    struct catalogue modules;
    const struct manifest **list;
    const char **broken; /* ids of those that are refused */
    size_t n;
};

/* Fills the manifests in *load, too.  0, or a status (told). */
int manifests_open(struct cli *cli, struct manifests *m,
                   struct cfg_load_options *load);
void manifests_close(struct manifests *m);

#endif
