/* SPDX-License-Identifier: MIT */
/* The configuration in force: read from files and the environment, checked,
 * with the origin of each value.
 *
 * An immutable snapshot once cfg_load() has returned; shared read-only.  Every
 * key the host knows stands in the key table (cfg_keys), from which `config
 * check`, `config show`, `config init` and the manual page's test are driven;
 * a plugin's own keys come from its manifest.  Nothing is silently ignored: an
 * unknown key is an error with the nearest known one.
 */
#ifndef PB_CONFIG_H
#define PB_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ability.h"
#include "base/log.h"
#include "base/price.h"
#include "http/server.h"
#include "http/transport.h"
#include "module/manifest.h"

/* Where a value came from. */
enum cfg_source {
    CFG_DEFAULT,
    CFG_FILE,
    CFG_ENV,
    CFG_OPTION
};
struct cfg_origin {
    enum cfg_source source;
    const char *name; /* file, variable or option */
    int line;         /* FILE */
};

/* A row of the key table. */
struct cfg_key {
    const char *section; /* "server", "server.tls", "limits", "log", "keys[]",
                          * "provider", "provider.timeouts", ... */
    const char *name;
    enum key_type type;
    const char *def;     /* as text; NULL: none */
    const char *unit;    /* NULL: none */
    const char *choices; /* "a|b|c"; NULL: any */
    double min, max;     /* both 0: no bound */
    const char *doc;     /* one or two sentences */
};
/* The whole table; ends with a row whose section is NULL. */
const struct cfg_key *cfg_keys(void);

enum {
    RIGHT_CHAT = 1,     /* "chat": ask models */
    RIGHT_ROUTES = 2,   /* "routes": choose routes and fallbacks */
    RIGHT_RAW = 4,      /* "raw" */
    RIGHT_MODELS = 8,   /* "models": pull and delete models */
    RIGHT_REPORTS = 16, /* "reports" */
    RIGHT_ADMIN = 32,   /* "admin": everything */
    RIGHT_ALL = 63
};
int right_parse(pbay_str name); /* the bit, or 0 */
const char *right_name(int bit);

/* How often a target is asked for one request; see manager/retry.h. */
struct cfg_retry {
    int64_t max_attempts; /* 1: once */
    int64_t backoff_ms, max_ms;
    double factor;
};

/* What may be asked; 0: no limit.  See manager/limits.h. */
struct cfg_limits {
    int64_t requests, tokens; /* in a minute */
    int64_t concurrent;       /* at once */
};

/* How many inputs one embedding request may have; see manager/embed.h. */
struct cfg_embeddings {
    int64_t max_inputs, max_tokens; /* in force; 0: no bound */
    int64_t concurrent;             /* parts of one request at once */
};

/* A client's key.  Only the SHA-256 of it is kept. */
struct cfg_client_key {
    char *name;
    unsigned char hash[32];
    unsigned rights;
    struct cfg_limits limits;
    struct cfg_origin origin;
};

struct cfg_listen {
    char *addr; /* "127.0.0.1:8080" or "unix:/path" */
    bool tls;
    bool auth_none; /* auth = "none" written for it */
    struct cfg_origin origin;
};

struct cfg_timeouts {
    int64_t connect_ms, first_ms, idle_ms, total_ms;
    int64_t headers_ms; /* 0: first_ms holds */
};

/* Answers shared between identical requests; see manager/cache.h. */
struct cfg_cache {
    bool store;   /* keep answers */
    bool join;    /* let identical requests under way share one */
    bool per_key; /* client keys do not see each other's answers */
    int64_t ttl_ms;
    size_t size, max_entry; /* bytes of all answers kept, of one */
};

/* Answers that a JSON schema was asked for; see manager/guard.h. */
enum cfg_schema_check {
    SCHEMA_CHECK_OFF,
    SCHEMA_CHECK_WARN,
    SCHEMA_CHECK_ERROR,
    SCHEMA_CHECK_REPAIR
};
enum cfg_schema_streams {
    SCHEMA_STREAMS_WARN,
    SCHEMA_STREAMS_ERROR,
    SCHEMA_STREAMS_HOLD
};
struct cfg_structured {
    enum cfg_schema_check check;
    enum cfg_schema_streams streams;
    bool pass_unsupported; /* schemas that cannot be checked */
};

/* Processes that are run for providers; see module/backend.h. */
struct cfg_backends {
    unsigned max_processes;
    uint64_t max_memory; /* 0: no bound */
    size_t max_waiting;
    int64_t wait_ms, stop_ms;
};

/* Summaries and translations; see manager/text_job.h. */
struct cfg_text {
    int64_t window, max_chunks, parallel;
};

/* How a route orders its targets. */
enum cfg_strategy {
    STRATEGY_FALLBACK,         /* as they are written */
    STRATEGY_ROUND_ROBIN,      /* each in turn first */
    STRATEGY_WEIGHTED,         /* each first as often as its weight says */
    STRATEGY_LEAST_CONNECTIONS, /* the one with the fewest calls first */
    STRATEGY_LEAST_TOKENS,      /* ... with most left of its token limit */
    STRATEGY_FASTEST,           /* the faster of two that are drawn by lot */
    STRATEGY_LEAST_COST,        /* the cheapest for the request */
    STRATEGY_CHEAPEST_FREE_FIRST, /* those that cost nothing in turn, then so */
    STRATEGY_CAPABILITY, /* what fits the request and its task best */
    STRATEGY_COMPLEXITY, /* written from small to large; by how hard it is */
    STRATEGY_SPLIT       /* an A/B test: the arm that the request belongs to */
};
/* Who stays in an arm. */
enum cfg_split {
    SPLIT_CONVERSATION,
    SPLIT_USER, /* that the body names */
    SPLIT_KEY,  /* the client's */
    SPLIT_REQUEST
};
/* "conversation" */
const char *cfg_split_name(enum cfg_split by);
#define CFG_ARM_NAME 63
/* "least_cost" */
const char *cfg_strategy_name(enum cfg_strategy s);

#define CFG_ROUTE_NAME    255
#define CFG_ROUTE_TARGETS 16
#define CFG_ROUTE_WEIGHT  1000000
#define CFG_ALIAS_STEPS   16 /* from alias to alias */

/* What has to be so that a target may be taken. */
enum cfg_when_kind {
    WHEN_KEY,    /* the client's key is called so; here and below: "a|b*" */
    WHEN_USER,   /* the user that the body names */
    WHEN_TAG,    /* one of the tags in x-patchbay-tags */
    WHEN_HEADER, /* that header */
    WHEN_OVER,   /* the prompt has more tokens */
    WHEN_UNDER,  /* fewer */
    WHEN_TIME    /* minutes of the day, UTC; from > to: over midnight */
};
struct cfg_term {
    enum cfg_when_kind kind;
    char *name; /* HEADER */
    pbay_str value;
    uint64_t n;
    int from, to;
};
struct cfg_when {
    const char *text; /* as written */
    struct cfg_term *terms;
    size_t n; /* all of them; 0: always */
};

/* A name that leads to targets; an alias leads to one other name. */
struct cfg_route {
    char *name;
    bool alias;
    enum cfg_strategy strategy;
    char **targets;    /* "provider/model" or "provider"; NULL-terminated */
    unsigned *weights; /* one for each target; NULL: all the same */
    struct cfg_when *when; /* the same; NULL: always */
    bool sticky;           /* a conversation stays with its target */
    char **arms; /* SPLIT: a name for each target; else NULL */
    enum cfg_split split_by;
    struct cfg_origin origin;
};

/* What the environment says of the route "default", where none is written. */
struct cfg_default_route {
    const char *primary, *secondary, *local; /* providers; NULL: not said */
    bool no_fallback;
    enum cfg_strategy strategy;
};

/* What models can do whose name fits a pattern. */
struct cfg_able {
    pbay_str model; /* "*" and "?" are wild */
    uint32_t can;   /* ABLE_* */
};

/* How much models hold whose name fits a pattern. */
struct cfg_window {
    pbay_str model; /* as of cfg_able */
    uint64_t tokens;
};

/* One provider instance. */
struct cfg_provider {
    char *name;                      /* unique, [a-z0-9_-]+ */
    char **aliases; /* other names of it; NULL-terminated, never NULL */
    unsigned weight; /* of its targets, in routes that say none */
    char *type;                      /* as written */
    const struct manifest *manifest; /* NULL: module not there; see problem */
    bool enabled;
    char *base_url; /* in force: configured, else the manifest's; no
                     * slash at its end */
    bool url_given; /* somebody has written it: it is not the module's */
    bool loopback;  /* base_url stays on this machine */
    struct secret *api_key;
    char *default_model;
    char **models;    /* configured names; NULL-terminated, never NULL */
    bool own_models;  /* `models` of a request is its, not the host's */
    pbay_kv *headers; /* further headers for every exchange */
    size_t n_headers;
    struct tx_profile tx;
    struct cfg_timeouts timeouts;
    struct cfg_retry retry;
    struct cfg_limits limits, model_limits; /* its own; each model's */
    struct cfg_embeddings embeddings;
    bool rate_headers; /* what they say is left is heeded */
    int64_t check_ms; /* how often it is looked after; 0: never */
    size_t max_reply, max_record, call_memory;
    /* What it costs: rows of its section; else its list's; else, NULL, the
     * price list says nothing of it. */
    const struct price_row *prices;
    size_t n_prices;
    const struct price_vendor *vendor;
    const struct cfg_able *able; /* before what its module says */
    size_t n_able;
    const struct cfg_window *windows; /* before what anybody else says */
    size_t n_windows;
    char *plugin_config; /* JSON for create(): checked, defaults filled in */
    char *model_config;  /* JSON object {"model": {...}}; "{}" if none */
    char *problem;       /* why it is not set up; NULL: fine */
    bool from_env;       /* no file named it */
    struct cfg_origin origin;
};

/* Is that its name or one of its aliases? */
bool cfg_provider_called(const struct cfg_provider *p, pbay_str name);

struct config {
    struct cfg_listen *listen;
    size_t n_listen;
    struct cfg_client_key *keys;
    size_t n_keys;
    struct cfg_provider *providers;
    size_t n_providers;
    char *tls_cert, *tls_key;
    struct http_limits http;
    unsigned loops;       /* 0 in the file: one per processor */
    size_t max_calls;     /* per loop */
    int64_t retry_budget; /* repetitions in a hundred requests */
    bool rescue; /* streams that break are gone on with by other targets */
    size_t max_queue;     /* requests that wait for a place within a limit, */
    int64_t queue_ms;     /* at most so long */
    int64_t refresh_ms;   /* between lists of models */
    size_t max_upload, max_spool; /* raw door: one body, all files */
    struct cfg_cache cache;
    struct cfg_structured structured;
    struct cfg_backends backends;
    struct cfg_text text;
    struct cfg_route *routes; /* and aliases */
    size_t n_routes;
    struct cfg_default_route default_route;
    bool strict_models; /* a name with several owners is an error */
    const struct price_vendor *vendors; /* the price list */
    size_t n_vendors;
    unsigned workers;
    size_t native_queue;
    int64_t drain_ms;
    enum log_level log_level;
    enum log_format log_format;
    char **plugin_dirs;   /* NULL-terminated: further ones */
    char *gen_dir;        /* NULL: chosen by the loader */
    char *control_socket; /* in force */
    char *state_dir;
    char *file;                /* main file read; NULL: none */
    struct cfg_values *values; /* every value with its origin; all
                                * the memory that is pointed to here */
};

/* A problem found while loading. */
struct cfg_issue {
    bool error; /* false: a warning */
    char *file; /* or variable or option; may be NULL */
    int line;
    char *text; /* names key, place and mend */
};
struct cfg_issues {
    struct cfg_issue *v;
    size_t n, errors;
};
void cfg_issues_done(struct cfg_issues *is);

struct cfg_load_options {
    const char *file;          /* --config; NULL: PATCHBAY_CONFIG, else
                                * $XDG_CONFIG_HOME/patchbay/patchbay.conf, else
                                * CONFDIR/patchbay.conf, if they exist */
    const char *const *listen; /* --listen, replaces the file's; NULL-term. */
    const struct manifest *const *manifests; /* known modules */
    size_t n_manifests;
    const char *const *broken; /* ids (file names where there is no manifest)
                                * of modules that are there but refused: their
                                * providers are not set up, which is a warning;
                                * NULL-terminated, or NULL */
    const char *(*env)(const char *name); /* NULL: getenv */
};
/* Always returns a config (with what could be read) unless memory is out;
 * whether it may be used is for issues->errors to say. */
struct config *cfg_load(const struct cfg_load_options *o,
                        struct cfg_issues *issues);
void cfg_free(struct config *c);
/* The directories that modules are looked for in, before manifests are known:
 * PATCHBAY_PLUGIN_PATH, then the file's plugin_dirs, then LOCALPLUGINDIR and
 * PLUGINDIR.  NULL-terminated, malloc'd with its strings. */
char **cfg_plugin_dirs(const struct cfg_load_options *o,
                       struct cfg_issues *issues);
/* Like the above for the control socket: $PATCHBAY_CONTROL, the file's, else
 * RUNDIR/control.sock for root and the service user, else
 * $XDG_RUNTIME_DIR/patchbay/control.sock. malloc'd. */
char *cfg_control_path(const struct cfg_load_options *o);

/* `config show`: every value in force with its origin, secrets masked; text in
 * libconfig's own syntax with comments, or JSON.  malloc'd. */
char *cfg_show(const struct config *c, bool json);
/* `config init`: a commented template with the providers that were found.
 * malloc'd; it passes `config check` as it is. */
char *cfg_template(const struct cfg_load_options *o);
/* Find a client key by the bytes a client sent: constant time over all keys.
 * NULL if none matches. */
const struct cfg_client_key *cfg_find_key(const struct config *c,
                                          pbay_str presented);
/* A new random key "pbk_..." (256 bits) and its hash in hex. */
int cfg_new_key(char key[64], char hash_hex[65]);

#endif
