/* SPDX-License-Identifier: MIT */
/* References within a schema: where they lead, and whether anywhere at all. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "text/schema_int.h"

static int nibble(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Without %XX.  {NULL,0}: no memory, or they are wrong. */
static pbay_str decoded(struct making *m, pbay_str s)
{
    char *to = arena_bytes(m->a, s.n + 1);
    size_t n = 0;

    for (size_t i = 0; to && i < s.n; i++) {
        if (s.p[i] != '%') {
            to[n++] = s.p[i];
            continue;
        }
        if (i + 2 >= s.n || nibble(s.p[i + 1]) < 0 || nibble(s.p[i + 2]) < 0)
            return STR_NONE;
        to[n++] = (char)(nibble(s.p[i + 1]) << 4 | nibble(s.p[i + 2]));
        i += 2;
    }
    return str_n(to, n);
}

/* ~1 is a slash, ~0 a tilde; in place. */
static pbay_str unescaped(pbay_str part, char *to)
{
    size_t n = 0;

    for (size_t i = 0; i < part.n; i++) {
        bool two = part.p[i] == '~' && i + 1 < part.n &&
                   (part.p[i + 1] == '0' || part.p[i + 1] == '1');
        to[n++] = !two ? part.p[i] : part.p[i + 1] == '0' ? '~' : '/';
        i += two;
    }
    return str_n(to, n);
}

static const struct jv *step(const struct jv *v, pbay_str name)
{
    uint64_t i;

    if (v->type == 'o')
        return jv_get(v, name);
    if (v->type != 'a' || str_u64(name, &i) < 0 || i >= v->n ||
        (name.n > 1 && *name.p == '0'))
        return NULL;
    return &v->at[i].v;
}

static const struct jv *by_pointer(struct making *m, pbay_str path)
{
    const struct jv *v = m->top;
    char *room = arena_bytes(m->a, path.n + 1);

    if (!room)
        return NULL;
    path = str_n(path.p + 1, path.n - 1); /* the first slash */
    for (bool more = true; more && v;) {
        pbay_str part = str_cut(&path, '/');
        more = path.p != NULL;
        v = step(v, unescaped(part, room));
    }
    return v;
}

/* NULL: none, or m has failed. */
static const struct jv *by_anchor(struct making *m, const struct jv *ref,
                                  pbay_str name)
{
    for (const struct node *n = m->first; n; n = n->next) {
        if (!m->anchor_work--) {
            schema_fail(m, ref,
                        "too many \"$ref\" go by \"$anchor\"; write "
                        "them as \"#/...\"");
            return NULL;
        }
        if (n->anchor && str_eq(n->anchor->text, name))
            return n->from;
    }
    return NULL;
}

static void resolve(struct making *m, struct node *n)
{
    pbay_str ref = n->ref_text->text, base = ref, fragment = STR_NONE;
    const char *mark = ref.n ? memchr(ref.p, '#', ref.n) : NULL;
    const struct jv *to = NULL;

    if (mark) {
        base = str_n(ref.p, (size_t)(mark - ref.p));
        fragment = decoded(m, str_n(mark + 1, ref.n - base.n - 1));
        if (!fragment.p) {
            schema_fail(m, n->ref_text, "\"$ref\" has a wrong %% in it");
            return;
        }
    }
    if (base.n && !(m->id.n && str_eq(base, m->id))) {
        schema_fail(m, n->ref_text,
                    "the keyword \"$ref\" is supported within the schema "
                    "only, as \"#/...\"; \"%.*s\" leads out of it",
                    (int)(ref.n < 80 ? ref.n : 80), ref.p);
        return;
    }
    to = !fragment.n          ? m->top
         : *fragment.p == '/' ? by_pointer(m, fragment)
                              : by_anchor(m, n->ref_text, fragment);
    if (!to)
        schema_fail(m, n->ref_text, "there is nothing at \"$ref\": \"%.*s\"",
                    (int)(ref.n < 80 ? ref.n : 80), ref.n ? ref.p : "");
    else
        n->ref = schema_node(m, to);
}

/* --- loops --------------------------------------------------------------- */

/* The longest way through schemas that are all asked about the same value. */
static unsigned chain(struct making *m, struct node *n, unsigned depth);

static void one(struct making *m, const struct node *to, unsigned depth,
                unsigned *most)
{
    unsigned n = to && !m->failed
                     ? chain(m, (struct node *)(uintptr_t)to, depth + 1)
                     : 0;

    if (n > *most)
        *most = n;
}

static void several(struct making *m, const struct node_list *l, unsigned depth,
                    unsigned *most)
{
    for (size_t i = 0; i < l->n; i++)
        one(m, l->at[i], depth, most);
}

static unsigned chain(struct making *m, struct node *n, unsigned depth)
{
    unsigned most = 0;

    if (n->under) {
        schema_fail(m, n->from,
                    "a schema refers to itself for the same value, which has "
                    "no end");
        return 0;
    }
    if (depth > SCHEMA_CHAIN || n->chain + depth > SCHEMA_CHAIN) {
        schema_fail(m, n->from,
                    "more than %d references and alternatives lie within each "
                    "other",
                    SCHEMA_CHAIN);
        return 0;
    }
    if (n->seen)
        return n->chain;
    n->under = true;
    one(m, n->ref, depth, &most);
    one(m, n->not, depth, &most);
    one(m, n->when, depth, &most);
    one(m, n->then, depth, &most);
    one(m, n->otherwise, depth, &most);
    several(m, &n->all, depth, &most);
    several(m, &n->any, depth, &most);
    several(m, &n->one, depth, &most);
    for (size_t i = 0;
         n->dependent_schemas.keys && i < n->dependent_schemas.keys->n; i++)
        one(m, n->dependent_schemas.at[i], depth, &most);
    n->under = false;
    n->seen = true;
    n->chain = most + 1;
    return n->chain;
}

void schema_link(struct making *m)
{
    /* What a reference leads to may have references, which come last. */
    for (struct node *n = m->first; n && !m->failed; n = n->next)
        if (n->ref_text)
            resolve(m, n);
    for (struct node *n = m->first; n && !m->failed; n = n->next)
        chain(m, n, 0);
}
