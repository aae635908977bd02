/* SPDX-License-Identifier: MIT */
/* The backend extension: a process that the host runs for a codec plugin.
 *
 * The plugin describes the process; the host starts it when a call needs it,
 * waits until it is ready, sends the exchanges of the calls there, shares it
 * between calls whose key is equal, starts it again with backoff when it dies,
 * stops it when it is idle or when another one needs the room (section
 * `backends` of the configuration), and takes it down with itself, also when
 * the host is killed.  A plugin never forks.
 *
 * What the process gets: the arguments as they are, no shell; nothing of the
 * host's environment but PATH, HOME, USER, TMPDIR, LD_LIBRARY_PATH,
 * XDG_CACHE_HOME and TZ, so no keys; no descriptor but /dev/null as standard
 * input and a pipe for what it prints, which goes to the host's log at level
 * debug, the last lines also into the error when it could not be started; "/"
 * as its directory; a session and a process group of its own, which is killed
 * as a whole.
 *
 * An instance for which somebody has configured base_url has its server
 * elsewhere: describe() is not called for it, and its exchanges go there.  The
 * table that pbay_host.extension() gives for PBAY_HOST_BACKENDS tells the
 * plugin which it is, in create().  A host without that table runs nothing.
 */
#ifndef PATCHBAY_BACKEND_H
#define PATCHBAY_BACKEND_H

#include <patchbay/request.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PBAY_EXT_BACKEND   "patchbay.backend/1"
#define PBAY_HOST_BACKENDS "patchbay.host.backends/1"

/* pbay_host_backends.flags */
enum {
    /* base_url is configured for this instance: describe() is not called. */
    PBAY_BACKENDS_HAS_URL = 1
};

typedef struct pbay_host_backends {
    uint32_t size, flags;
} pbay_host_backends;

/* Zeroed by the host, which sets size.  Lists and texts: request lifetime. */
typedef struct pbay_backend_spec {
    uint32_t size;
    uint32_t parallel; /* calls it serves at once, others wait; 0: not limited
                        * here */
    pbay_str key;      /* calls of an instance with equal keys share a process;
                        * if its arguments or variables are then other than
                        * those of the one that runs (the configuration has
                        * changed), that one ends when its calls have, and a
                        * new one is started */
    /* argv[0] is looked up in PATH.  "${port}" anywhere is replaced by a free
     * port of 127.0.0.1, where the exchanges go.  Everybody on the machine can
     * read arguments: nothing secret belongs here. */
    const pbay_str *argv;
    size_t n_argv;
    /* Added to its environment.  "${port}" as above; "${key}" in a value is
     * replaced by a key that the host makes for this one process: the exchange
     * then carries it in the place of api_key, if it names an auth scheme. */
    const pbay_kv *env;
    size_t n_env;
    pbay_str ready_path;   /* GET here, without a key, answers 200 when it is
                            * ready */
    int64_t ready_ms;      /* give up when not ready by then; 0: the host's
                            * own idea of that */
    int64_t idle_ms;       /* stop it after so long without a call; 0: never */
    uint64_t memory_bytes; /* an estimate of what it will need; 0: unknown */
    pbay_str name;         /* what people call it, in lists and errors: the
                            * model it serves; empty: the key */
} pbay_backend_spec;

typedef struct pbay_backend {
    uint32_t size, reserved;
    uint64_t ops; /* PBAY_OP_BIT() of the codec's operations that need it */
    /* [call], on a worker thread: may read files.  Called before build(), and
     * again for each call until the process is ready; from then on the host may
     * remember the answer for the same model and operation, as long as the
     * process and the configuration stay.  The request has neither headers nor
     * body.  The model of a RAW call is what `model` in its query says, or
     * "model" in a JSON body of at most 64 KiB; else it is empty.  PBAY_OK,
     * PBAY_NOSYS, or PBAY_FAIL after an ERROR event (no such model, say).
     * Other events: none but WARNING. */
    pbay_rc (*describe)(void *inst, pbay_call *call, const pbay_request *req,
                        pbay_backend_spec *spec);
} pbay_backend;

PBAY_ASSERT(offsetof(pbay_backend, ops) == 8, "no hole");

#ifdef __cplusplus
}
#endif
#endif
