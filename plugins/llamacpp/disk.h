/* SPDX-License-Identifier: MIT */
/* The list of models by the files in models_dir: the native side of an instance
 * that has one. */
#ifndef PBAY_LLAMACPP_DISK_H
#define PBAY_LLAMACPP_DISK_H

#include <patchbay/provider.h>

struct disk {
    const pbay_host *host;
    char *dir; /* NULL: there is none */
};

/* Reads the key models_dir.  PBAY_FAIL after a line in the log. */
pbay_rc disk_init(struct disk *d, const pbay_host *host, pbay_str config);
void disk_done(struct disk *d);

struct launch;

/* LIST, on a worker thread.  launch: how servers are started for them; NULL:
 * they are not. */
pbay_rc disk_list(const struct disk *d, const struct launch *launch,
                  pbay_call *call, const pbay_request *req);
/* SHOW, likewise. */
pbay_rc disk_show(const struct disk *d, const struct launch *launch,
                  pbay_call *call, const pbay_request *req);

#endif
