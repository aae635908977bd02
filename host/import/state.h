/* SPDX-License-Identifier: MIT */
/* The inside of an import, for the files of import/ only. */
#ifndef PB_IMPORT_STATE_H
#define PB_IMPORT_STATE_H

#include "import/import.h"
#include "import/tree.h"

/* A provider that the input has. */
struct im_provider {
    pbay_str given;          /* its name there */
    char name[64];           /* its name here */
    struct tree_node *node;  /* NULL: a name alone */
    struct tree_node *inner; /* a map in it that holds some of its members */
    int line;
    const struct manifest *module; /* NULL: there is none */
    const char *type;              /* for the text */
    const char *base_url;          /* of a well-known service; NULL */
    const char *var;               /* that may hold its key */
    const char *model;             /* its default; NULL: none */
    int priority;                  /* the lowest first; INT_MAX: not said */
    int weight;                    /* -1: not said */
    bool enabled;
};

struct im_state {
    const struct import_options *o;
    struct import *out;
    struct buf *b; /* out->text */
    struct tree tree;
    struct im_provider *providers;
    size_t n_providers;
    bool nomem;
};

/* import.c: an issue; its words must not hold a value that may be secret. */
void im_issue(struct im_state *s, bool error, int line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Everything in the node that nobody has made something of. */
void im_unused(struct im_state *s, const char *label,
               const struct tree_node *n);
/* By its name there or here; NULL: none. */
struct im_provider *im_find(struct im_state *s, const char *name);

/* types.c: module, base URL and variable, from what the input calls it. */
void im_type(struct im_state *s, struct im_provider *p, const char *type,
             bool has_url);

/* setting.c */
struct im_key {
    const char *name;
    enum key_type type;
    double min, max;          /* both 0: none; durations in ms */
    const char *choices;      /* "a|b", NULL: any */
    char *const *choice_list; /* a manifest's; NULL: any */
};
/* A string in the configuration's form: ${NAME} stays a reference. */
void im_string(struct buf *b, const char *text);
/* "name = value;" in a line of its own; false after an issue: it cannot be
 * kept.  label: "providers.openai"; secrets are written as options say, `var`
 * is the variable that stands for one. */
bool im_setting(struct im_state *s, int indent, const char *label,
                const struct im_key *k, struct tree_node *n, const char *var);
/* The provider's own key. */
void im_api_key(struct im_state *s, const struct im_provider *p,
                struct tree_node *n);
/* Does a program that reads this node's text get a secret?  false: it is a
 * reference, or there is none. */
bool im_is_clear(const char *text);
/* Is it a name that a variable of ours can have? */
bool im_is_variable(const char *text);

/* provider.c: its group. */
void im_provider(struct im_state *s, struct im_provider *p,
                 struct tree_node *common);
/* What has to be known of all before one is written. */
void im_provider_prepare(struct im_state *s, struct im_provider *p);

/* routes.c: the section routes, from strategies and a manager's settings
 * (either may be NULL). */
void im_routes(struct im_state *s, struct tree_node *strategies,
               struct tree_node *manager);

#endif
