/* SPDX-License-Identifier: MIT */
/* Every bound of the host that is not a configuration key, and the defaults of
 * those that are, in one place.  Bytes and milliseconds. */
#ifndef PB_LIMITS_H
#define PB_LIMITS_H

#define LIM_KIB(n) ((size_t)(n) << 10)
#define LIM_MIB(n) ((size_t)(n) << 20)

/* HTTP server; the configuration section `server` can change those marked *. */
#define LIM_HTTP_HEAD LIM_KIB(64)      /* * request line and headers */
#define LIM_HTTP_HEADERS 128           /* header lines */
#define LIM_HTTP_URI LIM_KIB(8)
#define LIM_HTTP_BODY LIM_MIB(64)      /* * request body */
#define LIM_UPLOAD LIM_MIB(512)        /* * body for the raw door, in a file */
#define LIM_SPOOL LIM_MIB(2048)        /* * all such files */
#define LIM_SPOOL_MEMORY LIM_KIB(256)  /* of such a body before there is a file */
#define LIM_HTTP_CONNS 10000           /* * open connections, all loops */
#define LIM_HTTP_CHUNK_EXT 1024        /* bytes of extensions on one chunk */
#define LIM_HTTP_TRAILERS LIM_KIB(8)
#define LIM_HTTP_LOOKAHEAD LIM_KIB(16) /* read while a request is answered */
#define LIM_HTTP_IDLE_MS 75000         /* * keep-alive without a request */
#define LIM_HTTP_HEAD_MS 15000         /* * first byte to end of headers */
#define LIM_HTTP_BODY_MS 60000         /* * without a byte of the body */
#define LIM_HTTP_WRITE_MS 120000       /* * client takes nothing */
#define LIM_HTTP_LINGER_MS 2000        /* lingering close */
#define LIM_HTTP_LINGER LIM_MIB(8)     /* bytes thrown away while lingering */
#define LIM_OUT_HIGH LIM_KIB(64)       /* pause upstream above this much */
#define LIM_OUT_LOW LIM_KIB(16)        /* resume below */
#define LIM_OUT_MAX LIM_MIB(32)        /* backlog of a source that ignores it */
#define LIM_HTTP_ARENA LIM_MIB(128)    /* a request's memory beside its body */
#define LIM_HTTP_TURNED_AWAY 64        /* connections over the cap that get a 503;
                                        * further ones wait unaccepted */
#define LIM_HTTP_ACCEPT_MS 50          /* pause when descriptors run out */

/* Calls */
#define LIM_CALL_ARENA LIM_MIB(8)      /* * plugin memory for one attempt */
#define LIM_CALL_KEPT LIM_MIB(20)      /* of a request and its report, beside
                                        * the body */
#define LIM_STATE LIM_KIB(64)          /* codec state */
#define LIM_REPLY LIM_MIB(64)          /* * a reply held whole */
#define LIM_RECORD LIM_MIB(16)         /* * one SSE event or NDJSON line */
#define LIM_ERROR_BODY LIM_KIB(64)     /* of a non-2xx reply */
#define LIM_REPLY_HEAD LIM_KIB(64)     /* upstream's headers */
#define LIM_PRELUDE LIM_KIB(16)        /* held before the first content */
#define LIM_PRELUDE_MS 15000           /* then the head goes out anyway */
#define LIM_TRAILING_MS 1000           /* read on after END for the usage */
#define LIM_EXCHANGES 16               /* that a codec makes of one attempt */
#define LIM_MEMBERS 256                /* top-level members of a body */
#define LIM_CALLS 4096                 /* * calls under way, one loop */

/* Upstream; the `timeouts` of a provider change those marked *. */
#define LIM_CONNECT_MS 10000           /* * name lookup, TCP and TLS */
#define LIM_FIRST_MS 120000            /* * to the first byte of the answer */
#define LIM_UP_IDLE_MS 120000          /* * between two pieces of it */
#define LIM_TOTAL_MS 900000            /* * whole call */
#define LIM_UP_CONNS LIM_CALLS         /* open connections, one loop; with fewer
                                        * than calls, curl looks through all of
                                        * them with each call that ends */
#define LIM_RESOLVE_TTL_MS 60000
#define LIM_RESOLVE_CACHE 1024
#define LIM_RESOLVE_THREADS 2

/* Native providers */
#define LIM_WORKERS 64                 /* * threads */
#define LIM_NATIVE_QUEUE 1024          /* * waiting calls */
#define LIM_NATIVE_EVENTS LIM_KIB(64)  /* bytes of events not yet rendered */

/* Modules */
#define LIM_MANIFEST LIM_KIB(64)
#define LIM_MODULE_FILE LIM_MIB(256)
#define LIM_MODULES 64                 /* files looked at in one directory */
#define LIM_GENERATIONS 64             /* retained mappings */
#define LIM_PROBE_MS 5000
#define LIM_CALLBACK_US 50000          /* a codec callback longer than this is
                                        * named in the log */
/* Processes that the host runs for plugins; the section `backends` can change
 * those marked * */
#define LIM_BACKENDS 256               /* that are remembered */
#define LIM_BACKEND_PROCESSES 4        /* * at once */
#define LIM_BACKEND_WAITING 256        /* * calls that wait for one */
#define LIM_BACKEND_WAIT_MS 600000     /* * at most so long */
#define LIM_BACKEND_STOP_MS 10000      /* * from SIGTERM to SIGKILL */
#define LIM_BACKEND_READY_MS 300000    /* where its plugin does not say */
#define LIM_BACKEND_TURN_MS 10000      /* the others' calls go on that long when
                                        * one waits for their room */
#define LIM_BACKEND_PAUSE_MS 500       /* after a failure, doubling */
#define LIM_BACKEND_PAUSE_MAX_MS 60000
#define LIM_BACKEND_ARGS 256           /* arguments, and variables */
#define LIM_BACKEND_TEXT LIM_KIB(64)   /* of all of them */
#define LIM_BACKEND_LINE 512           /* a line of its log */
#define LIM_BACKEND_TAIL 700           /* its last lines, for errors */

/* Control socket */
#define LIM_CTL_LINE LIM_MIB(64)
#define LIM_CTL_CONNS 64

/* Configuration */
#define LIM_CONF_FILE LIM_MIB(4)
#define LIM_SECRET LIM_KIB(64)
#define LIM_PROVIDERS 256
#define LIM_KEYS 4096
#define LIM_ROUTES 1024             /* routes, and as many aliases */
#define LIM_METERS 16384            /* counters of limits: keys, providers,
                                     * models */
#define LIM_CONF_MEMORY LIM_MIB(64) /* all of one configuration */
#define LIM_CONF_DEPTH 32           /* brackets within brackets */
#define LIM_CONF_STRING LIM_MIB(1)  /* one string with ${...} filled in */
#define LIM_CONF_NAMES 1024         /* settings in one group: libconfig looks
                                     * for each among all of them */
#define LIM_CONF_ELEMENTS 8192      /* of one list */
#define LIM_CONF_FRAGMENTS 1024     /* files in providers.d */
#define LIM_CONF_URL 2048           /* a base URL or a proxy */
#define LIM_CONF_HEADERS 64         /* further headers of a provider */
#define LIM_CONF_MODELS 1024        /* with a configuration of their own */
#define LIM_CONF_ISSUES 1000        /* told about one configuration */
#define LIM_LISTEN 64               /* listeners */

/* Command line */
#define LIM_CLI_OUT LIM_KIB(32)        /* gathered before a write */
#define LIM_CLI_INPUT LIM_MIB(32)      /* standard input, all arguments */
#define LIM_CLI_IMAGE LIM_MIB(20)      /* one image file */
#define LIM_CLI_ANSWER LIM_MIB(64)     /* an answer held whole */
#define LIM_CLI_HISTORY 1000           /* lines of a conversation's history */
#define LIM_CLI_HISTORY_FILE LIM_MIB(16)
#define LIM_BATCH_LINE LIM_MIB(64)     /* a line of a batch's files */
#define LIM_BATCH_LINES 1000000        /* of its input */
#define LIM_BATCH_HTTP 1000            /* requests in one POST /v1/batch */
#define LIM_CLI_CANCEL_MS 2000         /* a cancelled answer ends within */
#define LIM_CLI_END_MS 5000            /* our own host ends within */

/* Log */
#define LIM_LOG_LINE LIM_KIB(4)
#define LIM_LOG_QUEUE LIM_MIB(1)

#define LIM_DRAIN_MS 30000             /* * SIGTERM waits for calls this long */
#define LIM_LOOPS 64

#endif
