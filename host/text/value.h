/* SPDX-License-Identifier: MIT */
/* A JSON value as a small tree in an arena, for what is looked at more than
 * once: schemas and the answers that they are for.  Numbers stay text, so that
 * none is rounded; members are sorted by name.  Borrowed text must stay. */
#ifndef PB_TEXT_VALUE_H
#define PB_TEXT_VALUE_H

#include <stdbool.h>

#include "base/arena.h"

struct jmember;

struct jv {
    char type;          /* as pbay_json_type() */
    void *tag;          /* of whoever works on the tree */
    pbay_str text;      /* string: unescaped; otherwise as it was written */
    size_t n;           /* items, members */
    struct jmember *at; /* without keys in an array */
};

struct jmember {
    pbay_str key; /* unescaped */
    struct jv v;
};

/* 0; -EINVAL: not JSON; -EEXIST: a member occurs twice in an object; -E2BIG:
 * more than max_values values; -ENOMEM. */
int jv_read(pbay_str text, size_t max_values, struct arena *a, struct jv *out);
/* A member; NULL if there is none, or v is no object. */
const struct jv *jv_get(const struct jv *v, pbay_str key);
/* An order of all values; 0: they are equal as JSON Schema has it (1 is 1.0,
 * members in any order). */
int jv_compare(const struct jv *a, const struct jv *b);

#endif
