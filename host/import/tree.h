/* SPDX-License-Identifier: MIT */
/* A configuration of unknown form as a tree: where each value stands, and
 * whether anybody has made something of it.  JSON and YAML give the same tree.
 *
 * Bounded: TREE_NODES values, aliases expanded, TREE_DEPTH deep.  One thread.
 */
#ifndef PB_IMPORT_TREE_H
#define PB_IMPORT_TREE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/str.h"

#define TREE_NODES   50000
#define TREE_DEPTH   32
#define TREE_MEMBERS 1000 /* of one map */

enum tree_kind {
    TREE_NULL,
    TREE_SCALAR,
    TREE_LIST,
    TREE_MAP
};

struct tree_node {
    enum tree_kind kind;
    bool quoted; /* a text, whatever it looks like */
    bool used;
    bool aliased; /* what it has stands elsewhere as well */
    int line;
    int members;   /* of a map */
    pbay_str key;  /* of a member */
    pbay_str text; /* of a scalar; ends with a NUL */
    struct tree_node *first, *last, *next;
};

struct tree {
    struct arena arena; /* all of it */
    size_t nodes;
    struct tree_node *root;
    int line;      /* of what is wrong */
    char why[160]; /* never with a value in it */
};

/* 0 or -1 with line and why.  tree_done() in any case. */
int tree_read_json(struct tree *t, pbay_str text);
int tree_read_yaml(struct tree *t, pbay_str text); /* yaml.c */
void tree_done(struct tree *t);

/* --- making one --- */
int tree_fail(struct tree *t, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* NULL after tree_fail(). */
struct tree_node *tree_node(struct tree *t, enum tree_kind kind, int line);
/* 0, or -1 after tree_fail(). */
int tree_append(struct tree *t, struct tree_node *to, struct tree_node *n);

/* --- looking at one; NULL is fine everywhere --- */
/* The member, not marked. */
struct tree_node *tree_peek(const struct tree_node *map, const char *name);
/* The same, marked as used; the first of several names ("a|b|c"). */
struct tree_node *tree_take(struct tree_node *map, const char *names);
/* A scalar's text, else NULL. */
const char *tree_text(const struct tree_node *n);
/* A number or a word without quotes would do, a quoted one too. */
bool tree_bool(const struct tree_node *n, bool *out);
/* The node and all below. */
void tree_use(struct tree_node *n);

#endif
