/* SPDX-License-Identifier: MIT */
/* The tree, and reading JSON into it. */
#include "import/tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "base/limits.h"
#include <patchbay/json.h>

int tree_fail(struct tree *t, int line, const char *fmt, ...)
{
    va_list ap;

    if (t->why[0])
        return -1; /* the first reason is the one */
    va_start(ap, fmt);
    vsnprintf(t->why, sizeof(t->why), fmt, ap);
    va_end(ap);
    t->line = line;
    return -1;
}

struct tree_node *tree_node(struct tree *t, enum tree_kind kind, int line)
{
    struct tree_node *n = NULL;

    if (t->nodes >= TREE_NODES) {
        tree_fail(t, line, "more than %d values, aliases expanded", TREE_NODES);
        return NULL;
    }
    n = arena_alloc(&t->arena, sizeof(*n));
    if (!n) {
        tree_fail(t, line, "more text than an import takes, aliases expanded");
        return NULL;
    }
    t->nodes++;
    n->kind = kind;
    n->line = line;
    return n;
}

int tree_append(struct tree *t, struct tree_node *to, struct tree_node *n)
{
    if (to->kind == TREE_MAP && ++to->members > TREE_MEMBERS)
        return tree_fail(t, n->line, "more than %d members of one map",
                         TREE_MEMBERS);
    if (to->last)
        to->last->next = n;
    else
        to->first = n;
    to->last = n;
    return 0;
}

void tree_done(struct tree *t)
{
    arena_done(&t->arena);
}

/* --- JSON ---------------------------------------------------------------- */

struct reader {
    struct tree *t;
    pbay_str text;
    const char *at; /* up to here lines have been counted */
    int line;
};

/* Values come in the order of the text. */
static int line_at(struct reader *r, const char *p)
{
    for (; r->at < p; r->at++)
        r->line += *r->at == '\n';
    return r->line;
}

static pbay_str unescape(struct reader *r, pbay_str s)
{
    char *p = arena_bytes(&r->t->arena, s.n + 1);
    int64_t n = p ? pbay_json_unescape(s, p, s.n) : -1;

    if (n < 0) {
        tree_fail(r->t, r->line, "a text cannot be read");
        return STR_NONE;
    }
    p[n] = '\0';
    if (strlen(p) != (size_t)n)
        tree_fail(r->t, r->line, "a text has a NUL in it");
    return str_n(p, (size_t)n);
}

static struct tree_node *read_value(struct reader *r, pbay_str v, int depth);

static int read_members(struct reader *r, struct tree_node *n, pbay_str v,
                        int depth)
{
    size_t pos = 0;
    pbay_str key = STR_NONE, value;

    while (pbay_json_next(v, &pos, &key, &value) > 0) {
        int line = line_at(r, value.p);
        /* The scanner gives the key without its quotes. */
        pbay_str name = n->kind == TREE_MAP
                            ? unescape(r, str_n(key.p - 1, key.n + 2))
                            : STR_NONE;
        struct tree_node *m;

        if (n->kind == TREE_MAP)
            for (m = n->first; m; m = m->next)
                if (str_eq(m->key, name))
                    return tree_fail(r->t, line,
                                     "\"%.40s\" stands there twice, in line %d "
                                     "as well",
                                     name.n ? name.p : "", m->line);
        m = read_value(r, value, depth + 1);
        if (!m)
            return -1;
        m->line = line;
        m->key = name;
        if (tree_append(r->t, n, m) < 0)
            return -1;
    }
    return r->t->why[0] ? -1 : 0;
}

static struct tree_node *read_value(struct reader *r, pbay_str v, int depth)
{
    char type = pbay_json_type(v);
    enum tree_kind kind = type == 'o'   ? TREE_MAP
                          : type == 'a' ? TREE_LIST
                          : type == '0' ? TREE_NULL
                                        : TREE_SCALAR;
    struct tree_node *n = tree_node(r->t, kind, line_at(r, v.p));

    if (!n)
        return NULL;
    if (depth > TREE_DEPTH) {
        tree_fail(r->t, n->line, "nested more than %d deep", TREE_DEPTH);
        return NULL;
    }
    if (kind == TREE_SCALAR) {
        n->quoted = type == 's';
        n->text = n->quoted ? unescape(r, v) : arena_dup(&r->t->arena, v);
        if (!n->text.p && !r->t->why[0])
            tree_fail(r->t, n->line, "more text than an import takes");
    } else if (kind != TREE_NULL && read_members(r, n, v, depth) < 0) {
        return NULL;
    }
    return r->t->why[0] ? NULL : n;
}

int tree_read_json(struct tree *t, pbay_str text)
{
    struct reader r = {.t = t, .text = text, .at = text.p, .line = 1};
    size_t at = 0;
    int rc = pbay_json_check(text, &at);

    arena_init(&t->arena, LIM_CONF_MEMORY);
    if (rc < 0)
        return tree_fail(t, line_at(&r, text.p + at), "it is no JSON: %s",
                         rc == PBAY_JSON_UTF8   ? "not UTF-8"
                         : rc == PBAY_JSON_DEEP ? "nested too deeply"
                                                : "unexpected text");
    text = str_trim(text);
    while (text.n && strchr(" \t\r\n", text.p[0]))
        text = str_n(text.p + 1, text.n - 1);
    t->root = read_value(&r, text, 0);
    return t->root ? 0 : -1;
}

/* --- looking ------------------------------------------------------------- */

struct tree_node *tree_peek(const struct tree_node *map, const char *name)
{
    struct tree_node *n = map && map->kind == TREE_MAP ? map->first : NULL;

    while (n && !str_is(n->key, name))
        n = n->next;
    return n;
}

struct tree_node *tree_take(struct tree_node *map, const char *names)
{
    pbay_str rest = str_c(names);

    while (rest.n) {
        pbay_str name = str_cut(&rest, '|');
        struct tree_node *n = map && map->kind == TREE_MAP ? map->first : NULL;
        for (; n; n = n->next)
            if (str_eq(n->key, name)) {
                n->used = true;
                return n;
            }
    }
    return NULL;
}

const char *tree_text(const struct tree_node *n)
{
    return n && n->kind == TREE_SCALAR ? n->text.p : NULL;
}

bool tree_bool(const struct tree_node *n, bool *out)
{
    static const char *const words[] = {"true",  "yes", "on",  "1",
                                        "false", "no",  "off", "0"};
    const char *s = tree_text(n);

    for (size_t i = 0; s && i < 8; i++)
        if (strcasecmp(s, words[i]) == 0) {
            *out = i < 4;
            return true;
        }
    return false;
}

void tree_use(struct tree_node *n)
{
    if (!n)
        return;
    n->used = true;
    for (struct tree_node *m = n->first; m; m = m->next)
        tree_use(m);
}
