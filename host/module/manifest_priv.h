/* SPDX-License-Identifier: MIT */
/* Between the files that read a manifest: checked members of JSON objects.
 *
 * The bool functions return false with a malloc'd sentence in *err (NULL when
 * even that failed).  `where` starts the sentence: "" or "\"keys\"[2]: ". Trees
 * are borrowed, what goes to an `out` belongs to the manifest. */
#ifndef PB_MANIFEST_PRIV_H
#define PB_MANIFEST_PRIV_H

#include "base/json.h"
#include "base/str.h"
#include "module/manifest.h"

/* Always false; replaces what *err held. */
bool mf_fail(char **err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* No control characters? */
bool mf_printable(pbay_str s);
/* A string that is not empty; absent and not required leaves *out. */
bool mf_text(struct json_object *o, const char *where, const char *name,
             bool required, char **out, char **err);
/* A list of strings each of which passes ok() (`form` says what that is); an
 * absent one gives an empty list. */
bool mf_strings(struct json_object *o, const char *where, const char *name,
                bool (*ok)(pbay_str), const char *form, char ***out,
                char **err);
void mf_strings_free(char **list);
/* Only members of `known`, NULL-terminated. */
bool mf_only(struct json_object *o, const char *where, const char *const *known,
             char **err);

/* The member "keys". */
bool mf_keys(struct manifest *m, struct json_object *o, char **err);
void mf_keys_free(struct manifest *m);

#endif
