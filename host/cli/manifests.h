/* SPDX-License-Identifier: MIT */
/* The manifests of the modules at hand, for what needs the configuration but no
 * host: nothing of a module is run.  Main thread. */
#ifndef PB_MANIFESTS_H
#define PB_MANIFESTS_H

#include "cli/cli.h"
#include "config/config.h"
#include "module/loader.h"

struct manifests {
    struct catalogue modules;
    const struct manifest **list;
    size_t n;
};

/* Fills the manifests in *load, too.  0, or a status (told). */
int manifests_open(struct cli *cli, struct manifests *m,
                   struct cfg_load_options *load);
void manifests_close(struct manifests *m);

#endif
