/* SPDX-License-Identifier: MIT */
/* Between the files of host/config: one load under way, the files it read,
 * sections of them, and values on their way into a config.
 *
 * Everything that a load hands out lives in the config's arena.  When memory is
 * out `nomem` is set and harmless values are handed out, so that only
 * cfg_load() has to look.  One thread.
 */
#ifndef PB_CONFIG_PARTS_H
#define PB_CONFIG_PARTS_H

#include <libconfig.h>
#include <stdarg.h>

#include "base/arena.h"
#include "base/limits.h"
#include "base/str.h"
#include "config/config.h"

/* --- issues.c --- */

void issue_add(struct cfg_issues *is, bool error, const char *file, int line,
               const char *fmt, va_list ap)
    __attribute__((format(printf, 5, 0)));
/* In the order of files[] and their lines; what belongs to none comes last. */
void issues_sort(struct cfg_issues *is, const char *const *files, size_t n);
/* The key that was probably meant, "" if none is near; from a list that the
 * caller offers one by one. */
struct nearest {
    pbay_str wanted;
    const char *name;
    unsigned far;
};
void nearest_offer(struct nearest *n, const char *name);
/* "; did you mean NAME?" or "" in dst. */
const char *nearest_hint(const struct nearest *n, char *dst, size_t room);

/* --- units.c: -EINVAL: not of that form; -ERANGE --- */

int cfg_duration(pbay_str s, int64_t *ms);
int cfg_size(pbay_str s, int64_t *bytes);
/* The shortest form that reads back as the same. */
const char *cfg_duration_text(int64_t ms, char dst[32]);
const char *cfg_size_text(int64_t bytes, char dst[32]);

/* --- scan.c --- */

struct scan_error {
    int line;
    char why[160];
};
/* Look the text of a file over before libconfig does: what that would take
 * silently (unterminated comments, numbers that do not fit, unknown escapes) or
 * explain badly is refused with the line.  A malloc'd text for libconfig, line
 * for line the same; NULL and *e (line 0: memory is out). */
char *scan_text(pbay_str in, struct scan_error *e);
/* Length of the UTF-8 character at t.p[i], i < t.n; 0: it is none. */
size_t utf8_step(pbay_str t, size_t i);

/* --- show.c: the values in force, as a tree --- */

enum node_kind {
    NODE_GROUP,
    NODE_LIST,
    NODE_VALUE
};
struct node {
    enum node_kind kind;
    const char *name; /* NULL: an element of a list */
    struct node *first, *last, *next;
    struct cfg_origin origin; /* GROUP: where it was opened */
    const char *problem;      /* GROUP of a provider that is not set up */
    /* VALUE */
    enum key_type type;
    bool set, secret;
    const char *s; /* STRING */
    int64_t i;     /* INT, DURATION in ms, SIZE in bytes */
    double f;
    bool b;
    char **list;
};

/* --- a load --- */

enum env_mode {
    ENV_FILL,
    ENV_ADD,
    ENV_OFF
};

struct doc {
    const char *path, *dir;
    config_t conf;
    bool parsed;  /* else it has nothing in it */
    bool exposed; /* others on this machine may read the file */
    bool warned;
};

struct cfg_values {
    struct arena arena;
    struct node *root;
    struct secret **secrets; /* those that are no member of the config */
    size_t n_secrets;
};

struct load {
    const struct cfg_load_options *o;
    struct cfg_issues *issues; /* NULL: nobody wants to know */
    struct config *c;
    struct arena *arena;
    struct cfg_values *values;
    struct doc **docs; /* the main file first, if there is one */
    size_t n_docs;
    const struct doc *main;
    struct node *server, *log, *cache, *structured, *backends, *text, *routes,
        *aliases, *keys, *providers, spare;
    enum env_mode env_mode;
    bool nomem;
    bool lenient; /* an unset ${VAR} is a warning (disabled provider) */
};

/* load.c */
void load_issue(struct load *l, bool error, const char *file, int line,
                const char *fmt, ...) __attribute__((format(printf, 5, 6)));
void load_issue_at(struct load *l, bool error, const struct cfg_origin *at,
                   const char *fmt, ...) __attribute__((format(printf, 4, 5)));
const char *load_env(struct load *l, const char *name); /* NULL: unset, empty */
/* Zeroed; NULL (and nomem) when memory is out.  The texts are never NULL. */
void *load_alloc(struct load *l, size_t n);
/* Room for one element more behind the n of an array; NULL: as above. */
void *load_grow(struct load *l, void *v, size_t n, size_t size);
char *load_dup(struct load *l, pbay_str s);
char *load_printf(struct load *l, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Kept: the config frees it, not the caller.  NULL: memory is out. */
struct secret *load_secret(struct load *l, pbay_str bytes, bool keep);
/* The load that load_begin() has set up; NULL: memory is out. */
struct config *load_run(struct load *l);
/* For a config that is not loaded whole: set up, tear down. */
bool load_begin(struct load *l, const struct cfg_load_options *o,
                struct cfg_issues *is);
void load_docs_done(struct load *l);

/* paths.c */
/* The main file to read; NULL: none.  *must: it was asked for by name, so that
 * it has to be there. */
const char *path_main(struct load *l, bool *must);
const char *path_dir_of(struct load *l, const char *path);
/* `path` as written in a file of `dir`; dir NULL: the working directory. */
char *path_resolve(struct load *l, const char *dir, const char *path);
char *path_control(struct load *l, const char *configured);
char *path_state(struct load *l, const char *configured);

/* file.c: the main file alone, or with providers.d beside it, into l->docs */
void main_read(struct load *l);
void files_read(struct load *l);

/* expand.c: ${VAR}; NULL and a sentence in why[] */
char *expand(struct load *l, const char *in, char *why, size_t room);

/* --- value.c --- */

/* What a value has to be: a row of the table or a key of a manifest. */
struct spec {
    const char *name;
    enum key_type type;
    bool any_text;       /* line ends and the like may be part of it */
    const char *choices; /* "a|b|c" */
    char *const *list;   /* or one by one */
    bool has_min, has_max;
    double min, max;
    const char *def;  /* of the table: plain text */
    const char *json; /* of a manifest: JSON */
};
struct spec spec_row(const struct cfg_key *k);
struct spec spec_manifest(const struct manifest_key *k);

enum raw_kind {
    RAW_NONE,
    RAW_STRING,
    RAW_INT,
    RAW_FLOAT,
    RAW_BOOL,
    RAW_LIST,
    RAW_GROUP
};
/* A setting before it is checked. */
struct raw {
    enum raw_kind kind;
    const char *s; /* as written */
    int64_t i;
    double f;
    bool b;
    bool literal; /* ${...} is not for us (environment, defaults) */
    const config_setting_t *set; /* LIST, GROUP of a file */
    char **list;                 /* LIST that is not of a file */
    struct cfg_origin origin;
};
struct raw raw_setting(const struct doc *d, const config_setting_t *s);
struct raw raw_default(struct load *l, const struct spec *k);
/* Checked against the spec, into a node (name and origin set too); false and
 * an issue that starts with `label`. */
bool value_read(struct load *l, const char *label, const struct spec *k,
                const struct raw *raw, struct node *out);
/* "a number", "the string ...", without what may be secret. */
const char *raw_found(const struct raw *r, bool secret, char *dst, size_t room);
/* UTF-8, and unless `any` without control characters? */
bool text_is_clean(const char *s, bool any);

/* --- section.c --- */

struct overlay { /* a value of the environment beside the file's */
    const char *name, *value, *var;
};
struct section {
    struct load *l;
    const char *rows;            /* section of the table */
    const char *label;           /* for messages: "providers.openai.tls" */
    const struct doc *doc;       /* NULL: from no file */
    const config_setting_t *set; /* NULL: not written */
    const struct overlay *env;
    size_t n_env;
    struct node *node; /* where the values are shown */
};
/* A member group; one that is not written is fine. */
struct section section_sub(const struct section *s, const char *name);
/* A file's top. */
struct section section_root(struct load *l, const struct doc *d,
                            const config_setting_t *root);
/* A group of it whose values are shown at `node`; unknown members are issues. */
struct section section_main(struct load *l, const struct doc *d,
                            const config_setting_t *root, const char *name,
                            struct node *node);
/* Unknown members are issues; `m` may know more. */
void section_check_names(const struct section *s, const struct manifest *m);
/* "; it belongs into \"server\"", or "" if no section has that key. */
const char *key_belongs(struct load *l, const char *name);
/* Is that name the host's own in this section of the table? */
bool section_is_host_key(const char *section, const char *name);
struct raw section_raw(const struct section *s, const char *name);
/* By a row of the table; the value in force is added to the tree. */
const struct node *section_value(const struct section *s, const char *name);
const struct node *section_value_as(const struct section *s,
                                    const struct spec *k);
char *section_string(const struct section *s, const char *name); /* or NULL */
char *section_path(const struct section *s, const char *name);
int64_t section_int(const struct section *s, const char *name);
bool section_bool(const struct section *s, const char *name);
char **section_list(const struct section *s, const char *name); /* not NULL */
/* Issue about a member: at its place if it is written, else the section's. */
void section_issue(const struct section *s, bool error, const char *name,
                   const char *fmt, ...) __attribute__((format(printf, 4, 5)));
struct cfg_origin section_origin(const struct section *s, const char *name);

/* show.c */
struct buf;
void node_plain_json(struct buf *b, const struct node *n);
void node_value_text(struct buf *b, const struct node *n); /* libconfig's */
/* Never NULL.  node_add_value() copies; secrets are not kept. */
struct node *node_add(struct load *l, struct node *parent, enum node_kind kind,
                      const char *name, const struct cfg_origin *origin);
const struct node *node_add_value(struct load *l, struct node *parent,
                                  const struct node *value);
/* A value that was worked out, not read. */
void node_set_string(struct load *l, struct node *parent, const char *name,
                     const char *value, const struct cfg_origin *origin);

/* server.c */
void read_server(struct load *l, const struct doc *d,
                 const config_setting_t *root);
void read_cache(struct load *l, const struct doc *d,
                const config_setting_t *root);
/* structured.c */
void read_structured(struct load *l, const struct doc *d,
                     const config_setting_t *root);
/* prices.c */
void read_price_list(const struct section *server);
void provider_prices(const struct section *s, struct cfg_provider *p);
/* when.c */
void route_when(const struct section *s, struct cfg_route *r);
/* provider_names.c: aliases; whether all of all providers differ; whose the
 * "name" or "name/model" is, NULL: nobody's */
void provider_names(const struct section *s, struct cfg_provider *p);
void check_provider_names(struct load *l);
const struct cfg_provider *provider_called(const struct config *c,
                                           const char *target);
/* split.c: what a route of strategy split has, and others may not have */
void route_split(const struct section *s, struct cfg_route *r);
/* ... when the providers are known */
void check_split(struct load *l, const struct cfg_route *r);
/* able.c */
void provider_able(const struct section *s, struct cfg_provider *p);

/* windows.c */
void provider_windows(const struct section *s, struct cfg_provider *p);
/* backends.c */
void read_backends(struct load *l, const struct doc *d,
                   const config_setting_t *root);
void read_texts(struct load *l, const struct doc *d,
               const config_setting_t *root);
void read_routes(struct load *l, const struct doc *d,
                 const config_setting_t *root); /* after the providers */
void read_log(struct load *l, const struct doc *d,
              const config_setting_t *root);
bool is_top_section(const char *name); /* "server", "log", ... */
/* An issue about the key if the file cannot be read; NULL is fine. */
void path_check_readable(const struct section *s, const char *name,
                         const char *path);
char **plugin_dirs(const struct section *server); /* absolute */
/* listen.c: after the client keys are known */
void read_listen(struct load *l, const struct section *server);
/* limits.c: the group `name` */
void read_limits(const struct section *s, const char *name,
                 struct cfg_limits *to);
/* client_key.c */
void read_keys(struct load *l, const struct doc *d,
               const config_setting_t *root);

/* provider.c */
void read_providers(struct load *l);
struct provider_src { /* where a provider comes from */
    const char *name;
    const struct doc *doc; /* NULL: the environment */
    const config_setting_t *set;
    const struct overlay *env;
    size_t n_env;
    const char *type; /* of the environment; NULL: as written */
    struct cfg_origin origin;
};
void provider_add(struct load *l, const struct provider_src *src);
const struct manifest *provider_module(struct load *l, pbay_str type);
bool provider_name_ok(const char *name);
/* secret.c: api_key or api_key_file */
void provider_secret(const struct section *s, struct cfg_provider *p);
/* reach.c: tls, proxy, headers, time-outs */
void provider_reach(const struct section *s, struct cfg_provider *p);
/* Why a further header of this name is refused; NULL: it is not. */
const char *header_refused(const char *name);
/* own.c: the module's own keys and model_config, as JSON */
void provider_own(const struct section *s, struct cfg_provider *p);

/* env.c */
/* What the environment says for a module, by its manifest's table. */
const struct overlay *env_overlay(struct load *l, const struct manifest *m,
                                  size_t *n);
/* Providers that no file names. */
void env_providers(struct load *l);
/* "ANTHROPIC_API_KEY" for "claude"; NULL: not a type we have heard of. */
const char *env_known_type(pbay_str type);

/* url.c */
/* A base URL made whole: NULL and a reason in why[].  *loopback: does it stay
 * on this machine? */
char *url_base(struct load *l, const char *in, char *why, size_t room,
               bool *loopback);
/* What people put into OLLAMA_HOST and its like: scheme, host or port may be
 * missing, and the host may be one to listen on. */
char *url_complete(struct load *l, const char *in, const struct manifest *m);
/* "http://user:pw@host:1" into URL and credentials. */
char *url_proxy(struct load *l, const char *in, char **auth, char *why,
                size_t room);
/* The proxy that the environment names for a base URL; NULL: none. */
const char *url_env_proxy(struct load *l, const char *base, const char **var);

#endif
