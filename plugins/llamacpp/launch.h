/* SPDX-License-Identifier: MIT */
/* llama-server as a process that the host starts: which program, with which
 * arguments, for which of the models in models_dir. */
#ifndef PBAY_LLAMACPP_LAUNCH_H
#define PBAY_LLAMACPP_LAUNCH_H

#include <patchbay/backend.h>
#include <patchbay/provider.h>

struct launch {
    const pbay_host *host;
    const char *dir; /* models_dir */
    char *program;   /* the key server */
    char *config;    /* the instance's, as create() got it */
    size_t config_len;
};

/* PBAY_FAIL after a line in the log. */
pbay_rc launch_init(struct launch *l, const pbay_host *host, pbay_str config,
                    const char *dir);
void launch_done(struct launch *l);

/* pbay_backend.describe */
pbay_rc launch_describe(const struct launch *l, pbay_call *call,
                        const pbay_request *req, pbay_backend_spec *spec);
/* What a request has of the context window with these settings; trained: what
 * the model was trained with.  model: its model_config. */
uint64_t launch_window(const struct launch *l, pbay_str model,
                       uint64_t trained);
/* HEALTH: could a server be started?  On a worker. */
pbay_rc launch_health(const struct launch *l, pbay_call *call);

#endif
