/* SPDX-License-Identifier: MIT */
/* The backend extension: a process that the host runs for a codec plugin.
 *
 * The plugin describes the process; the host starts it, waits until it is
 * ready, shares it between calls whose key is equal, restarts it with backoff,
 * stops it when idle, and takes it down with itself.  A plugin never forks.
 *
 * Hosts of ABI 0.1 run no processes yet: they read the table and do not call
 * describe().
 */
#ifndef PATCHBAY_BACKEND_H
#define PATCHBAY_BACKEND_H

#include <patchbay/request.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PBAY_EXT_BACKEND "patchbay.backend/1"

typedef struct pbay_backend_spec {
    uint32_t size;
    uint32_t parallel; /* calls it serves at once; 0: not limited here */
    pbay_str key;      /* calls with equal keys share a process */
    const pbay_str *argv; /* argv[0] is looked up in PATH; "${port}" anywhere is
                           * replaced by a free port of 127.0.0.1, which also
                           * becomes the exchange's base URL */
    size_t n_argv;
    const pbay_kv *env; /* added to a minimal environment */
    size_t n_env;
    pbay_str ready_path;   /* GET here answers 200 when it is ready */
    int64_t ready_ms;      /* give up when not ready by then */
    int64_t idle_ms;       /* stop it after so long without a call; 0: never */
    uint64_t memory_bytes; /* an estimate of what it will need; 0: unknown */
} pbay_backend_spec;

typedef struct pbay_backend {
    uint32_t size, reserved;
    /* [call], on a worker thread: may read files.  Called before build(). */
    pbay_rc (*describe)(void *inst, pbay_call *call, const pbay_request *req,
                        pbay_backend_spec *spec);
} pbay_backend;

#ifdef __cplusplus
}
#endif
#endif
