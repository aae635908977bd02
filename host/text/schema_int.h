/* SPDX-License-Identifier: MIT */
/* A compiled schema, for schema_compile.c, schema_ref.c and schema_check.c
 * only. */
#ifndef PB_TEXT_SCHEMA_INT_H
#define PB_TEXT_SCHEMA_INT_H

#include "text/number.h"
#include "text/regex.h"
#include "text/schema.h"
#include "text/value.h"

struct node;

struct node_list {
    const struct node **at;
    size_t n;
};

/* `keys`: the object of the schema that they stand in, in the same order. */
struct node_map {
    const struct jv *keys;
    const struct node **at;
};

struct pattern_map {
    struct regex **re;
    const struct node **at;
    size_t n;
};

#define TYPE_NULL    1u
#define TYPE_BOOL    2u
#define TYPE_OBJECT  4u
#define TYPE_ARRAY   8u
#define TYPE_NUMBER  16u
#define TYPE_STRING  32u
#define TYPE_INTEGER 64u

/* One schema.  What is absent is zero. */
struct node {
    const struct jv *from;
    bool always, never; /* true, false */
    bool seen, under;   /* while loops are looked for */
    unsigned chain;     /* its longest, 0: not known */

    unsigned types;
    const struct jv *one_of_these, *constant; /* enum, const */
    const struct jv *minimum, *maximum, *above, *below, *multiple;
    const struct jv *min_length, *max_length, *min_items, *max_items,
        *min_props, *max_props, *min_contains, *max_contains;
    struct regex *pattern;
    const struct node *items, *contains, *names, *others, *not, *when, *then,
        *otherwise, *ref;
    struct node_list prefix, all, any, one, anchors;
    struct node_map properties, dependent_schemas, definitions, old_definitions;
    struct pattern_map patterns;
    const struct jv *required, *dependent_required, *unique;

    const struct jv *ref_text, *anchor;
    struct node *next; /* in the order of making */
};

struct schema {
    struct node *root;
};

/* Of all patterns, and of all references by $anchor: what an event loop can do
 * meanwhile. */
#define SCHEMA_REGEX_WORK  100000
#define SCHEMA_ANCHOR_WORK 2000000

/* A schema while it is made. */
struct making {
    struct arena *a;
    const struct jv *top;
    pbay_str id; /* of the whole, may be empty */
    struct node *first, **last;
    size_t n;
    size_t regex_work, anchor_work; /* left */
    char *why;
    size_t room;
    bool failed;
};

/* --- schema_compile.c --- */
/* The node of a schema, made if there is none; NULL: m has failed. */
struct node *schema_node(struct making *m, const struct jv *v);
/* The text in printf form, and where. */
void schema_fail(struct making *m, const struct jv *where, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* --- schema_ref.c --- */
/* Fill in all references, then look for those that lead nowhere but back. */
void schema_link(struct making *m);

#endif
