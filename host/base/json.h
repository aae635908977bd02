/* SPDX-License-Identifier: MIT */
/* Trees of JSON by json-c, for what is small or must be taken apart: control
 * requests, manifests, configuration.  The hot path reads in place instead, see
 * <patchbay/json.h>.
 *
 * A tree belongs to whoever parsed it (json_object_put()); members that are
 * handed out are borrowed.  A tree belongs to one thread at a time. */
#ifndef PB_JSON_H
#define PB_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>
#include <patchbay/types.h>

/* Where and why a text is not JSON. */
struct js_error {
    size_t at;             /* byte offset */
    unsigned line, column; /* from 1; the column counts bytes */
    char why[96];          /* "unexpected character", without the place */
};

/* Exactly one strict JSON value, nested at most `depth` deep.  The value JSON
 * null gives *out = NULL.  0; -EINVAL with *e filled in (e may be NULL);
 * -ENOMEM. */
int js_parse(pbay_str text, unsigned depth, struct json_object **out,
             struct js_error *e);

/* The member of an object; NULL if o is not an object (or NULL), if there is no
 * such member, or if it is null. */
struct json_object *js_get(struct json_object *o, const char *name);
/* The member if it is of that type, else the default. */
pbay_str js_str(struct json_object *o, const char *name, pbay_str dflt);
const char *js_cstr(struct json_object *o, const char *name, const char *dflt);
int64_t js_int(struct json_object *o, const char *name, int64_t dflt);
bool js_bool(struct json_object *o, const char *name, bool dflt);
/* The member if it is of that json-c type, else NULL. */
struct json_object *js_typed(struct json_object *o, const char *name,
                             enum json_type type);

/* Set a member.  Numbers and text are copied, and what is not UTF-8 becomes
 * U+FFFD; js_add() takes v over, also when it fails.  -ENOMEM, or -EMSGSIZE for
 * text beyond 2 GiB, leaves o as it was. */
int js_add(struct json_object *o, const char *name, struct json_object *v);
int js_add_str(struct json_object *o, const char *name, pbay_str v);
int js_add_int(struct json_object *o, const char *name, int64_t v);
int js_add_bool(struct json_object *o, const char *name, bool v);

/* o as text without white space; valid until o changes or goes. */
pbay_str js_text(struct json_object *o);

#endif
