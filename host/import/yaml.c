/* SPDX-License-Identifier: MIT */
/* YAML into the tree, by libyaml's events: one document, aliases and merge keys
 * expanded within the tree's bounds. */
#include "import/tree.h"

#include <stdlib.h>
#include <yaml.h>

#include "base/limits.h"

#define ANCHORS 1000

struct anchor {
    pbay_str name;
    struct tree_node *node;
    bool open; /* an alias inside of what it stands for */
};

struct reader {
    struct tree *t;
    yaml_parser_t parser;
    struct anchor *anchors;
    size_t n_anchors;
};

static int line_of(const yaml_event_t *ev)
{
    return (int)ev->start_mark.line + 1;
}

static int next(struct reader *r, yaml_event_t *ev)
{
    if (yaml_parser_parse(&r->parser, ev))
        return 0;
    return tree_fail(
        r->t,
        (int)(r->parser.problem_mark.line ? r->parser.problem_mark.line
                                          : r->parser.mark.line) +
            1,
        "it is no YAML: %s",
        r->parser.problem ? r->parser.problem : "it cannot be read");
}

/* --- anchors and aliases --- */

static struct anchor *find_anchor(struct reader *r, const char *name)
{
    /* A later one of the same name counts. */
    for (size_t i = r->n_anchors; i-- > 0;)
        if (str_is(r->anchors[i].name, name))
            return &r->anchors[i];
    return NULL;
}

/* The index, SIZE_MAX: none, or -1 in *rc. */
static size_t set_anchor(struct reader *r, const yaml_char_t *name,
                         struct tree_node *n, int *rc)
{
    struct anchor *v;

    if (!name)
        return SIZE_MAX;
    if (r->n_anchors == ANCHORS) {
        *rc = tree_fail(r->t, n->line, "more than %d anchors", ANCHORS);
        return SIZE_MAX;
    }
    v = realloc(r->anchors, (r->n_anchors + 1) * sizeof(*v));
    if (!v) {
        *rc = tree_fail(r->t, n->line, "out of memory");
        return SIZE_MAX;
    }
    r->anchors = v;
    v[r->n_anchors] = (struct anchor){
        arena_dup(&r->t->arena, str_c((const char *)name)), n, true};
    return r->n_anchors++;
}

static struct tree_node *copy(struct tree *t, const struct tree_node *from,
                              int depth)
{
    struct tree_node *n;

    if (depth > TREE_DEPTH) {
        tree_fail(t, from->line, "nested more than %d deep", TREE_DEPTH);
        return NULL;
    }
    n = tree_node(t, from->kind, from->line);
    if (!n)
        return NULL;
    n->quoted = from->quoted;
    n->text = from->text;
    n->key = from->key;
    for (const struct tree_node *m = from->first; m; m = m->next) {
        struct tree_node *c = copy(t, m, depth + 1);
        if (!c || tree_append(t, n, c) < 0)
            return NULL;
    }
    return n;
}

static struct tree_node *alias(struct reader *r, const yaml_event_t *ev,
                               int depth)
{
    const char *name = (const char *)ev->data.alias.anchor;
    struct anchor *a = find_anchor(r, name);

    if (!a) {
        /* Its name may be a password that begins so. */
        tree_fail(r->t, line_of(ev),
                  "an alias (*NAME) stands for nothing; a text that begins "
                  "with * wants quotes");
        return NULL;
    }
    if (a->open) {
        tree_fail(r->t, line_of(ev), "the alias *%.40s stands for itself",
                  name);
        return NULL;
    }
    a->node->aliased = true;
    return copy(r->t, a->node, depth);
}

/* --- values --- */

/* Those that change nothing here: what a value is, is for who reads it. */
static int check_tag(struct reader *r, const yaml_char_t *tag, int line,
                     bool empty)
{
    static const char *const fine[] = {"str",  "int", "float", "bool",
                                       "null", "map", "seq"};
    const char *s = (const char *)tag;

    if (!s || !strcmp(s, "!"))
        return 0;
    for (size_t i = 0; i < sizeof(fine) / sizeof(*fine); i++)
        if (!strncmp(s, "tag:yaml.org,2002:", 18) && !strcmp(s + 18, fine[i]))
            return 0;
    if (empty) /* it may be a password that begins so */
        return tree_fail(r->t, line,
                         "a tag (!NAME) has nothing behind it; a text that "
                         "begins with ! wants quotes");
    return tree_fail(r->t, line, "the tag %.40s is not known here", s);
}

static struct tree_node *scalar(struct reader *r, const yaml_event_t *ev)
{
    const char *s = (const char *)ev->data.scalar.value;
    size_t len = ev->data.scalar.length;
    bool plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    bool none = plain && (!len || !strcmp(s, "~") || !strcmp(s, "null") ||
                          !strcmp(s, "Null") || !strcmp(s, "NULL"));
    struct tree_node *n;

    if (check_tag(r, ev->data.scalar.tag, line_of(ev), plain && !len) < 0)
        return NULL;
    if (plain && !len && ev->data.scalar.anchor) {
        tree_fail(r->t, line_of(ev),
                  "an anchor (&NAME) has nothing behind it; a text that begins "
                  "with & wants quotes");
        return NULL;
    }
    if (memchr(s, '\0', len)) {
        tree_fail(r->t, line_of(ev), "a text has a NUL in it");
        return NULL;
    }
    n = tree_node(r->t, none ? TREE_NULL : TREE_SCALAR, line_of(ev));
    if (!n)
        return NULL;
    n->quoted = !plain;
    n->text = arena_dup(&r->t->arena, str_n(s, len));
    if (!n->text.p) {
        tree_fail(r->t, n->line, "more text than an import takes");
        return NULL;
    }
    return n;
}

static struct tree_node *value(struct reader *r, yaml_event_t *ev, int depth);

/* "<<": the members of another map, unless they are there already. */
static int merge(struct reader *r, struct tree_node *map,
                 const struct tree_node *from, int depth)
{
    if (from->kind == TREE_LIST) {
        for (const struct tree_node *m = from->first; m; m = m->next)
            if (m->kind != TREE_MAP || merge(r, map, m, depth) < 0)
                return tree_fail(r->t, m->line, "\"<<\" wants maps");
        return 0;
    }
    if (from->kind != TREE_MAP)
        return tree_fail(r->t, from->line, "\"<<\" wants a map");
    for (const struct tree_node *m = from->first; m; m = m->next) {
        const struct tree_node *is = map->first;
        struct tree_node *c;
        while (is && !str_eq(is->key, m->key))
            is = is->next;
        if (is)
            continue;
        c = copy(r->t, m, depth);
        if (!c || tree_append(r->t, map, c) < 0)
            return -1;
    }
    return 0;
}

static int member(struct reader *r, struct tree_node *map,
                  struct tree_node *merged, const yaml_event_t *key, int depth)
{
    yaml_event_t ev;
    struct tree_node *n;
    pbay_str name;
    bool merges;

    if (key->type != YAML_SCALAR_EVENT)
        return tree_fail(r->t, line_of(key), "a key has to be a plain text");
    name = str_n((const char *)key->data.scalar.value, key->data.scalar.length);
    merges =
        str_is(name, "<<") && key->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (memchr(name.p, '\0', name.n))
        return tree_fail(r->t, line_of(key), "a key has a NUL in it");
    for (n = map->first; n; n = n->next)
        if (str_eq(n->key, name))
            return tree_fail(r->t, line_of(key),
                             "\"%.40s\" stands there twice, in line %d as well",
                             name.p, n->line);
    name = arena_dup(&r->t->arena, name);
    if (!name.p)
        return tree_fail(r->t, line_of(key), "more text than an import takes");
    if (next(r, &ev) < 0)
        return -1;
    n = value(r, &ev, depth + 1);
    yaml_event_delete(&ev);
    if (!n)
        return -1;
    n->line = line_of(key);
    n->key = name;
    return tree_append(r->t, merges ? merged : map, n);
}

static int members(struct reader *r, struct tree_node *n, int depth)
{
    struct tree_node merged = {.kind = TREE_MAP};
    yaml_event_t ev;
    int rc = 0;

    for (;;) {
        struct tree_node *m;
        if (next(r, &ev) < 0)
            return -1;
        if (ev.type == YAML_MAPPING_END_EVENT ||
            ev.type == YAML_SEQUENCE_END_EVENT)
            break;
        if (n->kind == TREE_MAP) {
            rc = member(r, n, &merged, &ev, depth);
        } else {
            m = value(r, &ev, depth + 1);
            rc = m ? tree_append(r->t, n, m) : -1;
        }
        yaml_event_delete(&ev);
        if (rc < 0)
            return -1;
    }
    yaml_event_delete(&ev);
    /* A map's own members win over merged ones, wherever "<<" stands. */
    for (struct tree_node *m = merged.first; m && rc == 0; m = m->next)
        rc = merge(r, n, m, depth);
    return rc;
}

static struct tree_node *collection(struct reader *r, const yaml_event_t *ev,
                                    int depth)
{
    bool map = ev->type == YAML_MAPPING_START_EVENT;
    const yaml_char_t *name =
        map ? ev->data.mapping_start.anchor : ev->data.sequence_start.anchor;
    const yaml_char_t *tag =
        map ? ev->data.mapping_start.tag : ev->data.sequence_start.tag;
    struct tree_node *n;
    size_t at;
    int rc = 0;

    if (check_tag(r, tag, line_of(ev), false) < 0)
        return NULL;
    if (depth > TREE_DEPTH) {
        tree_fail(r->t, line_of(ev), "nested more than %d deep", TREE_DEPTH);
        return NULL;
    }
    n = tree_node(r->t, map ? TREE_MAP : TREE_LIST, line_of(ev));
    if (!n)
        return NULL;
    at = set_anchor(r, name, n, &rc);
    if (rc == 0)
        rc = members(r, n, depth);
    if (rc == 0 && at != SIZE_MAX)
        r->anchors[at].open = false;
    return rc == 0 ? n : NULL;
}

static struct tree_node *value(struct reader *r, yaml_event_t *ev, int depth)
{
    struct tree_node *n;
    size_t at;
    int rc = 0;

    switch (ev->type) {
    case YAML_ALIAS_EVENT:
        return alias(r, ev, depth);
    case YAML_SCALAR_EVENT:
        n = scalar(r, ev);
        at = n ? set_anchor(r, ev->data.scalar.anchor, n, &rc) : SIZE_MAX;
        if (at != SIZE_MAX)
            r->anchors[at].open = false;
        return rc == 0 ? n : NULL;
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        return collection(r, ev, depth);
    default:
        tree_fail(r->t, line_of(ev), "a value is missing");
        return NULL;
    }
}

/* Stream and document around the one value. */
static int document(struct reader *r)
{
    bool root = false;
    yaml_event_t ev;
    int rc = 0, last = 0;

    while (rc == 0 && last != YAML_STREAM_END_EVENT) {
        if (next(r, &ev) < 0)
            return -1;
        last = ev.type;
        if (last == YAML_DOCUMENT_START_EVENT && root) {
            rc = tree_fail(r->t, line_of(&ev),
                           "a second document begins; one is wanted");
        } else if (last == YAML_SCALAR_EVENT || last == YAML_ALIAS_EVENT ||
                   last == YAML_SEQUENCE_START_EVENT ||
                   last == YAML_MAPPING_START_EVENT) {
            r->t->root = value(r, &ev, 0);
            root = true;
            rc = r->t->root ? 0 : -1;
        }
        yaml_event_delete(&ev);
    }
    if (rc == 0 && !root)
        rc = tree_fail(r->t, 1, "it is empty");
    return rc;
}

int tree_read_yaml(struct tree *t, pbay_str text)
{
    struct reader r = {.t = t};
    int rc;

    arena_init(&t->arena, LIM_CONF_MEMORY);
    if (!yaml_parser_initialize(&r.parser))
        return tree_fail(t, 0, "out of memory");
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text.p,
                                 text.n);
    rc = document(&r);
    yaml_parser_delete(&r.parser);
    free(r.anchors);
    return rc;
}
