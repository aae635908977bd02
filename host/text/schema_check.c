/* SPDX-License-Identifier: MIT */
/* Checking a value against a compiled schema. */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "text/schema_int.h"

/* Where the value under the check stands. */
struct place {
    const struct place *in;
    pbay_str name;
    size_t i; /* without a name */
};

struct check {
    struct buf *faults;
    unsigned told, quiet; /* quiet: inside an alternative */
    unsigned depth;
    uint64_t steps; /* left */
    bool gave_up;
};

static bool conforms(struct check *c, const struct node *n, const struct jv *v,
                     const struct place *at);

/* --- what is wrong ------------------------------------------------------- */

static void put_place(struct buf *b, const struct place *at)
{
    if (!at->in)
        return;
    put_place(b, at->in);
    if (at->name.p)
        buf_printf(b, "/%.*s", STR_ARG(str_head(at->name, 100)));
    else
        buf_printf(b, "/%zu", at->i);
}

/* Always false. */
__attribute__((format(printf, 3, 4))) static bool
fault(struct check *c, const struct place *at, const char *fmt, ...)
{
    va_list ap;

    if (c->quiet || c->gave_up || c->told++ >= SCHEMA_FAULTS)
        return false;
    put_place(c->faults, at);
    buf_addc(c->faults, at->in ? ": " : "the whole answer: ");
    va_start(ap, fmt);
    buf_vprintf(c->faults, fmt, ap);
    va_end(ap);
    buf_addc(c->faults, "\n");
    return false;
}

static bool spend(struct check *c, uint64_t steps)
{
    if (c->steps < steps)
        c->gave_up = true;
    else
        c->steps -= steps;
    return !c->gave_up;
}

/* Besides the steps that are counted one by one: what goes through a text costs
 * by its length, for a schema can have the same one looked at again and again.
 */
static bool spend_text(struct check *c, size_t n)
{
    return spend(c, 1 + n / 64);
}

/* Without a word about why not. */
static bool would(struct check *c, const struct node *n, const struct jv *v,
                  const struct place *at)
{
    bool yes;

    c->quiet++;
    yes = conforms(c, n, v, at);
    c->quiet--;
    return yes;
}

/* --- any value ----------------------------------------------------------- */

static unsigned type_of(const struct jv *v)
{
    struct num x;

    switch (v->type) {
    case '0':
        return TYPE_NULL;
    case 'b':
        return TYPE_BOOL;
    case 'o':
        return TYPE_OBJECT;
    case 'a':
        return TYPE_ARRAY;
    case 's':
        return TYPE_STRING;
    default:
        x = num_read(v->text);
        return TYPE_NUMBER | (num_is_whole(&x) ? TYPE_INTEGER : 0);
    }
}

static bool type_fault(struct check *c, unsigned want, const struct place *at)
{
    static const char *const names[] = {"null",   "boolean", "object", "array",
                                        "number", "string",  "integer"};
    char list[80] = "";

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (want & (1u << i))
            snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s",
                     list[0] ? " or " : "", names[i]);
    return fault(c, at, "must be of the type %s", list);
}

/* No comparison goes further than the shorter one. */
static bool equal(struct check *c, const struct jv *a, const struct jv *b)
{
    size_t n = a->text.n < b->text.n ? a->text.n : b->text.n;

    return spend_text(c, n) && jv_compare(a, b) == 0;
}

static bool check_values(struct check *c, const struct node *n,
                         const struct jv *v, const struct place *at)
{
    const struct jv *e = n->one_of_these;
    bool found = !e;

    /* All that is asked of a number goes by its digits. */
    if (v->type == 'n' && !spend(c, v->text.n / 16))
        return false;
    if (n->types && !(n->types & type_of(v)))
        return type_fault(c, n->types, at);
    for (size_t i = 0; e && i < e->n && !found && !c->gave_up; i++)
        found = equal(c, &e->at[i].v, v);
    if (!found)
        return fault(c, at, "must be one of %.*s",
                     STR_ARG(str_head(e->text, 300)));
    if (n->constant && !equal(c, n->constant, v)) {
        const char *quote = n->constant->type == 's' ? "\"" : "";
        return fault(c, at, "must be %s%.*s%s", quote,
                     STR_ARG(str_head(n->constant->text, 300)), quote);
    }
    return true;
}

static bool check_number(struct check *c, const struct node *n,
                         const struct jv *v, const struct place *at)
{
    const struct {
        const struct jv *limit;
        const char *says;
        int from, to; /* what the comparison may give */
    } rules[] = {{n->minimum, "at least", 0, 1},
                 {n->maximum, "at most", -1, 0},
                 {n->above, "above", 1, 1},
                 {n->below, "below", -1, -1}};
    struct num x = num_read(v->text), y;

    for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
        int is;
        if (!rules[i].limit)
            continue;
        if (!spend(c, (v->text.n + rules[i].limit->text.n) / 16))
            return false;
        y = num_read(rules[i].limit->text);
        is = num_compare(&x, &y);
        if (is < rules[i].from || is > rules[i].to)
            return fault(c, at, "must be %s %.*s", rules[i].says,
                         STR_ARG(str_head(rules[i].limit->text, 40)));
    }
    /* A division for each digit. */
    if (!n->multiple || !spend(c, v->text.n + n->multiple->text.n / 16))
        return !n->multiple;
    y = num_read(n->multiple->text);
    return num_is_multiple(&x, &y) ||
           fault(c, at, "must be a multiple of %.*s",
                 STR_ARG(str_head(n->multiple->text, 40)));
}

/* Is a number of things within the bounds, which may be NULL? */
static bool counted(struct check *c, size_t is, const struct jv *min,
                    const struct jv *max, const char *what,
                    const struct place *at)
{
    uint64_t from = 0, to = UINT64_MAX;
    struct num x;

    if (!spend(c, ((min ? min->text.n : 0) + (max ? max->text.n : 0)) / 16))
        return false;
    if (min) {
        x = num_read(min->text);
        num_count(&x, &from);
    }
    if (max) {
        x = num_read(max->text);
        num_count(&x, &to);
    }
    if (is < from)
        return fault(c, at, "must have at least %llu %s, and has %zu",
                     (unsigned long long)from, what, is);
    if (is > to)
        return fault(c, at, "must have at most %llu %s, and has %zu",
                     (unsigned long long)to, what, is);
    return true;
}

static size_t characters(pbay_str s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

static bool matches(struct check *c, struct regex *re, pbay_str text)
{
    int rc = spend(c, 1) ? regex_match(re, text, &c->steps) : -1;

    if (rc < 0)
        c->gave_up = true;
    return rc > 0;
}

static bool check_string(struct check *c, const struct node *n,
                         const struct jv *v, const struct place *at)
{
    const struct jv *p;

    if ((n->min_length || n->max_length) &&
        !(spend_text(c, v->text.n) &&
          counted(c, characters(v->text), n->min_length, n->max_length,
                  "characters", at)))
        return false;
    if (!n->pattern || matches(c, n->pattern, v->text))
        return true;
    p = jv_get(n->from, STR("pattern"));
    return fault(c, at, "must match the pattern %.*s",
                 STR_ARG(str_head(p->text, 200)));
}

/* --- arrays -------------------------------------------------------------- */

static int order(const void *a, const void *b)
{
    const struct jv *const *x = a, *const *y = b;

    return jv_compare(*x, *y);
}

static bool check_unique(struct check *c, const struct jv *v,
                         const struct place *at)
{
    const struct jv **sorted;
    size_t rounds = 1;
    bool good = true;

    while ((size_t)1 << rounds < v->n)
        rounds++;
    if (!spend(c, 4 * v->n + v->text.n / 128 * rounds))
        return false;
    sorted = calloc(v->n + 1, sizeof(struct jv *));
    if (!sorted) {
        c->gave_up = true;
        return false;
    }
    for (size_t i = 0; i < v->n; i++)
        sorted[i] = &v->at[i].v;
    qsort(sorted, v->n, sizeof(*sorted), order);
    for (size_t i = 1; i < v->n && good; i++)
        good = jv_compare(sorted[i - 1], sorted[i]) != 0;
    free(sorted);
    return good || fault(c, at, "must not have an item twice");
}

static bool check_contains(struct check *c, const struct node *n,
                           const struct jv *v, const struct place *at)
{
    static const struct jv once = {.type = 'n', .text = {"1", 1}};
    size_t found = 0;

    for (size_t i = 0; i < v->n; i++) {
        struct place in = {.in = at, .i = i};
        found += would(c, n->contains, &v->at[i].v, &in);
    }
    return counted(c, found, n->min_contains ? n->min_contains : &once,
                   n->max_contains, "items that \"contains\" describes", at);
}

static bool check_array(struct check *c, const struct node *n,
                        const struct jv *v, const struct place *at)
{
    bool good = counted(c, v->n, n->min_items, n->max_items, "items", at);

    for (size_t i = 0; i < v->n && !c->gave_up; i++) {
        const struct node *s = i < n->prefix.n ? n->prefix.at[i] : n->items;
        struct place in = {.in = at, .i = i};
        if (s && !conforms(c, s, &v->at[i].v, &in))
            good = false;
    }
    if (n->unique && !check_unique(c, v, at))
        good = false;
    if (n->contains && !check_contains(c, n, v, at))
        good = false;
    return good;
}

/* --- objects ------------------------------------------------------------- */

static bool all_there(struct check *c, const struct jv *names,
                      const struct jv *v, const struct place *at)
{
    bool good = true;

    for (size_t i = 0; i < names->n && spend_text(c, names->at[i].v.text.n);
         i++)
        if (!jv_get(v, names->at[i].v.text))
            good = fault(c, at, "lacks the member \"%.*s\"",
                         STR_ARG(str_head(names->at[i].v.text, 100)));
    return good;
}

/* Where a name stands among the keys of a map; NULL without a map or it. */
static const struct node *by_name(const struct node_map *m, pbay_str name)
{
    const struct jv *v = m->keys ? jv_get(m->keys, name) : NULL;
    const struct jmember *member;

    if (!v)
        return NULL;
    member =
        (const struct jmember *)(const void *)((const char *)v -
                                               offsetof(struct jmember, v));
    return m->at[member - m->keys->at];
}

static bool check_member(struct check *c, const struct node *n,
                         const struct jmember *m, const struct place *at)
{
    const struct node *s = by_name(&n->properties, m->key);
    struct place in = {.in = at, .name = m->key};
    struct jv name = {.type = 's', .text = m->key};
    bool known = s != NULL, good = true;

    if (!in.name.p)
        in.name = STR("");
    if (!spend(c, m->key.n / 64))
        return false;
    if (s && !conforms(c, s, &m->v, &in))
        good = false;
    for (size_t i = 0; i < n->patterns.n && !c->gave_up; i++) {
        if (!matches(c, n->patterns.re[i], m->key))
            continue;
        known = true;
        if (!conforms(c, n->patterns.at[i], &m->v, &in))
            good = false;
    }
    if (!known && n->others && n->others->never)
        good = fault(c, at, "must not have a member \"%.*s\"",
                     STR_ARG(str_head(m->key, 100)));
    else if (!known && n->others && !conforms(c, n->others, &m->v, &in))
        good = false;
    if (n->names && !would(c, n->names, &name, &in))
        good = fault(c, at,
                     "has a member of a name that is not allowed: "
                     "\"%.*s\"",
                     STR_ARG(str_head(m->key, 100)));
    return good;
}

static bool check_object(struct check *c, const struct node *n,
                         const struct jv *v, const struct place *at)
{
    bool good = counted(c, v->n, n->min_props, n->max_props, "members", at);
    const struct jv *needs = n->dependent_required;
    const struct node_map *deps = &n->dependent_schemas;

    if (n->required && !all_there(c, n->required, v, at))
        good = false;
    for (size_t i = 0; i < v->n && !c->gave_up; i++)
        if (!check_member(c, n, &v->at[i], at))
            good = false;
    for (size_t i = 0; needs && i < needs->n && spend(c, 1); i++)
        if (jv_get(v, needs->at[i].key) &&
            !all_there(c, &needs->at[i].v, v, at))
            good = false;
    for (size_t i = 0; deps->keys && i < deps->keys->n && spend(c, 1); i++)
        if (jv_get(v, deps->keys->at[i].key) &&
            !conforms(c, deps->at[i], v, at))
            good = false;
    return good;
}

/* --- schemas of the same value ------------------------------------------- */

static bool check_any(struct check *c, const struct node_list *l,
                      const struct jv *v, const struct place *at)
{
    if (l->n == 1)
        return conforms(c, l->at[0], v, at);
    for (size_t i = 0; i < l->n; i++)
        if (would(c, l->at[i], v, at))
            return true;
    return !l->n ||
           fault(c, at, "fits none of the %zu alternatives of \"anyOf\"", l->n);
}

static bool check_one(struct check *c, const struct node_list *l,
                      const struct jv *v, const struct place *at)
{
    size_t found = 0;

    for (size_t i = 0; i < l->n; i++)
        found += would(c, l->at[i], v, at);
    return !l->n || found == 1 ||
           fault(c, at, "fits %zu of the %zu alternatives of \"oneOf\"", found,
                 l->n);
}

static bool check_same(struct check *c, const struct node *n,
                       const struct jv *v, const struct place *at)
{
    bool good = !n->ref || conforms(c, n->ref, v, at);
    const struct node *then = NULL;

    for (size_t i = 0; i < n->all.n; i++)
        if (!conforms(c, n->all.at[i], v, at))
            good = false;
    if (!check_any(c, &n->any, v, at) || !check_one(c, &n->one, v, at))
        good = false;
    if (n->not &&would(c, n->not, v, at))
        good = fault(c, at, "must not be what \"not\" describes");
    if (n->when)
        then = would(c, n->when, v, at) ? n->then : n->otherwise;
    if (then && !conforms(c, then, v, at))
        good = false;
    return good;
}

static bool by_type(struct check *c, const struct node *n, const struct jv *v,
                    const struct place *at)
{
    switch (v->type) {
    case 'n':
        return check_number(c, n, v, at);
    case 's':
        return check_string(c, n, v, at);
    case 'a':
        return check_array(c, n, v, at);
    case 'o':
        return check_object(c, n, v, at);
    default:
        return true;
    }
}

static bool conforms(struct check *c, const struct node *n, const struct jv *v,
                     const struct place *at)
{
    bool good;

    if (n->always)
        return true;
    if (n->never)
        return fault(c, at, "must not be there");
    if (c->depth == SCHEMA_DEPTH)
        c->gave_up = true;
    if (!spend(c, 1))
        return false;
    c->depth++;
    good = check_values(c, n, v, at) && by_type(c, n, v, at);
    if (!check_same(c, n, v, at))
        good = false;
    c->depth--;
    return good && !c->gave_up;
}

enum schema_result schema_check(const struct schema *s, pbay_str text,
                                struct buf *faults)
{
    struct check c = {.faults = faults, .steps = SCHEMA_STEPS};
    struct place top = {.in = NULL};
    struct arena a;
    struct jv v;
    bool good;
    int rc;

    arena_init(&a, SIZE_MAX / 4); /* the sizes of the text bound it */
    rc = text.n > SCHEMA_VALUE ? -E2BIG : jv_read(text, SCHEMA_VALUES, &a, &v);
    if (rc == -EINVAL || rc == -EEXIST)
        fault(&c, &top, "%s",
              rc == -EINVAL ? "is not JSON"
                            : "has a member of the same name twice");
    good = rc == 0 && conforms(&c, s->root, &v, &top);
    arena_done(&a);
    if (rc == -E2BIG || rc == -ENOMEM || c.gave_up)
        return SCHEMA_UNKNOWN;
    return good ? SCHEMA_VALID : SCHEMA_INVALID;
}
