/* SPDX-License-Identifier: MIT */
/* A plugin's manifest: what it says about itself before any of its code runs.
 * Format: sdk/include/patchbay/plugin.h.  Immutable once made; owned by whoever
 * called manifest_parse/manifest_read. */
#ifndef PB_MANIFEST_H
#define PB_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <patchbay/types.h>

enum key_type {
    KEY_STRING,
    KEY_INT,
    KEY_FLOAT,
    KEY_BOOL,
    KEY_DURATION, /* "30s", "500ms", "5m", or a number of seconds */
    KEY_SIZE,     /* "64K", "10M", "1G", or a number of bytes */
    KEY_SECRET,   /* a string that is never shown */
    KEY_STRINGS   /* a list of strings */
};
const char *key_type_name(enum key_type t);

struct manifest_key {
    char *name, *unit, *doc;
    enum key_type type;
    char *def; /* default as JSON text; NULL: none */
    bool has_min, has_max;
    double min, max; /* DURATION: milliseconds; SIZE: bytes */
    char **choices;  /* NULL-terminated; NULL: any */
};
struct manifest_env {
    char *var, *key;
};
struct manifest_url {
    char *name, *url;
};
struct manifest_model {
    char *match;
    char **capabilities;                 /* NULL-terminated */
    uint64_t context_window, max_output; /* 0: unknown */
};

struct manifest {
    char *json; /* the whole text */
    size_t json_len;
    unsigned abi_major, abi_minor;
    char *id, *version, *license, *name, *base_url;
    bool codec, native, local;
    char **aliases; /* NULL-terminated, never NULL */
    char **needs;
    char **own; /* the same: members of requests that are its own */
    struct manifest_env *env;
    size_t n_env;
    struct manifest_url *urls;
    size_t n_urls;
    struct manifest_model *models;
    size_t n_models;
    int64_t embed_inputs, embed_tokens; /* of one request; 0: no bound */
    struct manifest_key *keys;
    size_t n_keys;
};

/* NULL and a malloc'd sentence in *err that names member and mend.  A manifest
 * of another ABI is read as far as id and version, so that manifest_abi_ok()
 * can refuse it by name; of its other members nothing is known. */
struct manifest *manifest_parse(pbay_str json, char **err);
/* From the ELF note of a file, without loading it: checks that it is a shared
 * object of this machine's class, byte order and architecture.  Every offset
 * is checked against the file's size.  fd's position is not used. */
struct manifest *manifest_read(int fd, char **err);
/* Is it an id or alias, a configuration key's name? */
bool manifest_id_ok(pbay_str s);
bool manifest_key_name_ok(pbay_str s);
void manifest_free(struct manifest *m);

/* Is `type` the id or one of the aliases? */
bool manifest_is(const struct manifest *m, pbay_str type);
const struct manifest_key *manifest_key(const struct manifest *m,
                                        pbay_str name);
/* Does it say of a request's member that it is its own? */
bool manifest_owns(const struct manifest *m, const char *member);
/* First pattern that matches the model's name; NULL if none does. */
const struct manifest_model *manifest_model(const struct manifest *m,
                                            pbay_str model);
/* May a plugin of this manifest run here?  0, or -ENOTSUP with both values in
 * *err: "needs ABI 2.0, host offers 0.1". */
int manifest_abi_ok(const struct manifest *m, char **err);

#endif
