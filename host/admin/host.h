/* SPDX-License-Identifier: MIT */
/* The host as a whole: configuration, modules, loops, listeners, control
 * socket, put together, started, reloaded, drained and taken down in one place.
 *
 * The thread that calls host_new() is the control thread; its own loop (id =
 * number of workers) also runs calls that come by the control socket.
 */
#ifndef PB_HOST_H
#define PB_HOST_H

#include <stdbool.h>

#include "config/config.h"
#include "manager/call.h"

struct host;

struct host_options {
    struct cfg_load_options cfg; /* manifests are filled in by the host */
    bool serve;       /* false: no listeners, no worker loops, no socket file:
                       * for the command line without a running host */
    int control_fd;   /* >= 0: serve this connected socket; else -1 */
    const char *self; /* this program's path, for module probes */
    int log_level;    /* an enum log_level that overrides the configured one,
                       * also after a reload; 0: as configured */
};

/* NULL: the reasons have been logged (serve) or are in *err (malloc'd); errno
 * is EINVAL if the configuration is to blame. */
struct host *host_new(const struct host_options *o, char **err);
/* Run until SIGTERM/SIGINT has drained it (a second one ends it), or, without
 * serve, until control_fd is closed.  Exit status. */
int host_run(struct host *h);
void host_free(struct host *h);

#endif
