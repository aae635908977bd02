/* SPDX-License-Identifier: MIT */
/* A host inside the command's own process: a thread that is the control thread
 * of a host without listeners and serves the other end of a socket pair.  Main
 * thread. */
#ifndef PB_OWN_H
#define PB_OWN_H

#include <stdbool.h>

#include "cli/client.h"

struct own_host;

/* Start one; returns when it is ready to be talked to, with our end in *fd
 * (the caller's).  NULL and *e: it could not be started.  config may be NULL;
 * all strings must outlive the host. */
struct own_host *own_start(const char *config, const char *self, int log_level,
                           int *fd, struct client_error *e);
/* After *fd has been closed: wait until the host is down (LIM_CLI_END_MS at
 * most).  NULL is fine. */
void own_stop(struct own_host *o);
/* Is a thread still running that would not end?  Then the process must leave by
 * _exit(). */
bool own_left_behind(void);

#endif
