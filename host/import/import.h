/* SPDX-License-Identifier: MIT */
/* Configurations of other programs, read and written in this host's form.
 *
 * Known forms, in JSON or YAML:
 *
 *   {"providers": [{"name": .., "type": .., "api_key": ..}, ..],
 *    "manager": {"fallback_enabled": .., "load_balancing": ..}}
 *   {"openai": {"api_key": "${OPENAI_API_KEY}", "timeout": 300},
 *    "llama-cpp": {"models_dir": .., "default_threads": ..}}
 *   providers: NAME: {type, api_key, base_url, models, rate_limit, retry}
 *   strategies: NAME: {provider, model, fallback_providers}
 *
 * What a key of theirs becomes stands in provider.c and routes.c.  A key that
 * is not known, or whose value cannot be kept, is an issue with its line and a
 * comment in the text: nothing is lost unseen.  Secrets that stand in the input
 * in clear are never part of an issue or a comment.
 *
 * Pure: no file is read or written.  One thread. */
#ifndef PB_IMPORT_H
#define PB_IMPORT_H

#include "base/buf.h"
#include "config/config.h"

enum import_format {
    IMPORT_JSON,
    IMPORT_YAML
};

struct import_options {
    enum import_format format;
    const char *name; /* of the input, for issues and the first line */
    const struct manifest *const *manifests; /* known modules */
    size_t n_manifests;
    /* true: keys in clear are left to files (import.keys), and what else is
     * secret stays in the text, which is then one to be kept private.  false:
     * the text has references to variables in place of all of them. */
    bool keep_secrets;
};

/* A provider's key that stood in the input in clear. */
struct import_key {
    char *file; /* its name, beside the configuration's own */
    char *value;
    int line;
};

struct import {
    struct buf text;
    struct cfg_issues issues; /* errors: there is no text */
    struct import_key *keys;
    size_t n_keys;
};

/* By the name's ending, else by the first character. */
enum import_format import_format_of(const char *name, pbay_str text);
/* 0; -EINVAL: out->issues says why; -ENOMEM.  import_done() in any case. */
int import_read(const struct import_options *o, pbay_str text,
                struct import *out);
void import_done(struct import *i);

#endif
