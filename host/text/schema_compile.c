/* SPDX-License-Identifier: MIT */
/* From a schema's text to nodes: every keyword in its place, checked. */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "text/schema_int.h"

enum kind {
    K_NOTE,     /* an annotation: any value */
    K_TYPE,     /* a name, or a list of them */
    K_ENUM,     /* a list */
    K_ANY,      /* any value */
    K_NUMBER,   /* a number */
    K_DIVISOR,  /* one above 0 */
    K_COUNT,    /* a whole one from 0 */
    K_PATTERN,  /* a regular expression */
    K_SCHEMA,   /* a schema */
    K_LIST,     /* schemas, one at least */
    K_MAP,      /* names with schemas */
    K_PATTERNS, /* regular expressions with schemas */
    K_NAMES,    /* a list of different names */
    K_NEEDS,    /* names with lists of names */
    K_FLAG,     /* true or false */
    K_REF,
    K_ID,
    K_ANCHOR,
    K_DRAFT
};

#define AT(member) offsetof(struct node, member)

static const struct keyword {
    const char *name;
    enum kind kind;
    size_t at;
} keywords[] = {
    {"$anchor", K_ANCHOR, 0},
    {"$comment", K_NOTE, 0},
    {"$defs", K_MAP, AT(definitions)},
    {"$id", K_ID, 0},
    {"$ref", K_REF, AT(ref_text)},
    {"$schema", K_DRAFT, 0},
    {"additionalProperties", K_SCHEMA, AT(others)},
    {"allOf", K_LIST, AT(all)},
    {"anyOf", K_LIST, AT(any)},
    {"const", K_ANY, AT(constant)},
    {"contains", K_SCHEMA, AT(contains)},
    {"contentEncoding", K_NOTE, 0},
    {"contentMediaType", K_NOTE, 0},
    {"contentSchema", K_NOTE, 0},
    {"default", K_NOTE, 0},
    {"definitions", K_MAP, AT(old_definitions)},
    {"dependentRequired", K_NEEDS, AT(dependent_required)},
    {"dependentSchemas", K_MAP, AT(dependent_schemas)},
    {"deprecated", K_NOTE, 0},
    {"description", K_NOTE, 0},
    {"else", K_SCHEMA, AT(otherwise)},
    {"enum", K_ENUM, AT(one_of_these)},
    {"examples", K_NOTE, 0},
    {"exclusiveMaximum", K_NUMBER, AT(below)},
    {"exclusiveMinimum", K_NUMBER, AT(above)},
    {"format", K_NOTE, 0},
    {"if", K_SCHEMA, AT(when)},
    {"items", K_SCHEMA, AT(items)},
    {"maxContains", K_COUNT, AT(max_contains)},
    {"maxItems", K_COUNT, AT(max_items)},
    {"maxLength", K_COUNT, AT(max_length)},
    {"maxProperties", K_COUNT, AT(max_props)},
    {"maximum", K_NUMBER, AT(maximum)},
    {"minContains", K_COUNT, AT(min_contains)},
    {"minItems", K_COUNT, AT(min_items)},
    {"minLength", K_COUNT, AT(min_length)},
    {"minProperties", K_COUNT, AT(min_props)},
    {"minimum", K_NUMBER, AT(minimum)},
    {"multipleOf", K_DIVISOR, AT(multiple)},
    {"not", K_SCHEMA, AT(not )},
    {"oneOf", K_LIST, AT(one)},
    {"pattern", K_PATTERN, AT(pattern)},
    {"patternProperties", K_PATTERNS, AT(patterns)},
    {"prefixItems", K_LIST, AT(prefix)},
    {"properties", K_MAP, AT(properties)},
    {"propertyNames", K_SCHEMA, AT(names)},
    {"readOnly", K_NOTE, 0},
    {"required", K_NAMES, AT(required)},
    {"then", K_SCHEMA, AT(then)},
    {"title", K_NOTE, 0},
    {"type", K_TYPE, AT(types)},
    {"uniqueItems", K_FLAG, AT(unique)},
    {"writeOnly", K_NOTE, 0},
};

#define N_KEYWORDS (sizeof(keywords) / sizeof(*keywords))

const char *schema_keyword(size_t i)
{
    return i < N_KEYWORDS ? keywords[i].name : NULL;
}

/* --- what is wrong ------------------------------------------------------- */

/* The way from `v` to `target` as a JSON pointer, backwards into the buffer's
 * end.  Where it begins, or NULL: not in here. */
static char *way(const struct jv *v, const struct jv *target, char *start,
                 char *end)
{
    if (v == target)
        return end;
    for (size_t i = 0; i < v->n; i++) {
        char *at = way(&v->at[i].v, target, start, end), name[80];
        size_t n;
        if (!at)
            continue;
        if (v->type == 'o')
            snprintf(name, sizeof(name), "/%.*s",
                     (int)(v->at[i].key.n < 64 ? v->at[i].key.n : 64),
                     v->at[i].key.n ? v->at[i].key.p : "");
        else
            snprintf(name, sizeof(name), "/%zu", i);
        n = strlen(name);
        if ((size_t)(at - start) < n)
            return at;
        return memcpy(at - n, name, n);
    }
    return NULL;
}

void schema_fail(struct making *m, const struct jv *where, const char *fmt, ...)
{
    char path[400], text[300], *at;
    va_list ap;

    if (m->failed)
        return;
    m->failed = true;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    path[sizeof(path) - 1] = '\0';
    at = way(m->top, where, path, path + sizeof(path) - 1);
    snprintf(m->why, m->room, "%s (at %s)", text,
             at && *at ? at : "the top of the schema");
}

static void no_memory(struct making *m)
{
    schema_fail(m, m->top, "the schema takes more memory than is allowed");
}

/* --- keywords ------------------------------------------------------------ */

static unsigned type_bit(const struct jv *v)
{
    static const struct {
        const char *name;
        unsigned bit;
    } types[] = {{"null", TYPE_NULL},      {"boolean", TYPE_BOOL},
                 {"object", TYPE_OBJECT},  {"array", TYPE_ARRAY},
                 {"number", TYPE_NUMBER},  {"string", TYPE_STRING},
                 {"integer", TYPE_INTEGER}};
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        if (v->type == 's' && str_is(v->text, types[i].name))
            return types[i].bit;
    return 0;
}

static void set_types(struct making *m, unsigned *to, const struct jv *v)
{
    *to = type_bit(v);
    if (v->type == 'a' && v->n) {
        for (size_t i = 0; i < v->n; i++) {
            unsigned bit = type_bit(&v->at[i].v);
            if (!bit)
                schema_fail(m, &v->at[i].v,
                            "\"type\" names no type of JSON Schema");
            *to |= bit;
        }
    } else if (!*to) {
        schema_fail(m, v,
                    "\"type\" must be the name of a type, or a list of some");
    }
}

static struct regex *regex_of(struct making *m, const struct jv *where,
                              pbay_str text)
{
    const char *why;
    struct regex *r = regex_compile(text, m->a, &m->regex_work, &why);

    if (!r)
        schema_fail(m, where, "the pattern \"%.*s\" cannot be used: %s",
                    (int)(text.n < 80 ? text.n : 80), text.n ? text.p : "",
                    why);
    return r;
}

static void set_list(struct making *m, const char *name, struct node_list *to,
                     const struct jv *v)
{
    if (v->type != 'a' || !v->n) {
        schema_fail(m, v, "\"%s\" must be a list of schemas, not an empty one",
                    name);
        return;
    }
    to->at = arena_alloc(m->a, v->n * sizeof(struct node *));
    if (!to->at) {
        no_memory(m);
        return;
    }
    for (to->n = 0; to->n < v->n && !m->failed; to->n++)
        to->at[to->n] = schema_node(m, &v->at[to->n].v);
}

static void set_map(struct making *m, const char *name, struct node_map *to,
                    const struct jv *v)
{
    if (v->type != 'o') {
        schema_fail(m, v, "\"%s\" must be an object of schemas", name);
        return;
    }
    to->at = arena_alloc(m->a, v->n * sizeof(struct node *));
    if (!to->at)
        no_memory(m);
    for (size_t i = 0; i < v->n && !m->failed; i++)
        to->at[i] = schema_node(m, &v->at[i].v);
    to->keys = v;
}

static void set_patterns(struct making *m, struct pattern_map *to,
                         const struct jv *v)
{
    struct node_map map = {.keys = NULL};

    set_map(m, "patternProperties", &map, v);
    if (m->failed)
        return;
    to->at = map.at;
    to->re = arena_alloc(m->a, v->n * sizeof(struct regex *));
    if (!to->re)
        no_memory(m);
    for (to->n = 0; to->n < v->n && !m->failed; to->n++)
        to->re[to->n] = regex_of(m, v, v->at[to->n].key);
}

static bool are_names(const struct jv *v)
{
    if (v->type != 'a')
        return false;
    for (size_t i = 0; i < v->n; i++)
        if (v->at[i].v.type != 's')
            return false;
    return true;
}

static void set_needs(struct making *m, const struct jv **to,
                      const struct jv *v)
{
    bool good = v->type == 'o';

    for (size_t i = 0; good && i < v->n; i++)
        good = are_names(&v->at[i].v);
    if (!good)
        schema_fail(m, v,
                    "\"dependentRequired\" must be an object of lists of "
                    "names");
    *to = v;
}

static void set_number(struct making *m, const struct keyword *k,
                       const struct jv **to, const struct jv *v)
{
    struct num x = {.e = 0};
    uint64_t count;

    if (v->type != 'n') {
        schema_fail(m, v, "\"%s\" must be a number", k->name);
        return;
    }
    x = num_read(v->text);
    if (k->kind == K_COUNT && num_count(&x, &count) < 0)
        schema_fail(m, v, "\"%s\" must be a whole number from 0 to 2^53",
                    k->name);
    if (k->kind == K_DIVISOR && !num_may_divide(&x))
        schema_fail(m, v,
                    "\"%s\" must be above 0, with %d significant digits at "
                    "most",
                    k->name, NUM_DIVISOR);
    *to = v;
}

/* The drafts that have these keywords with this meaning. */
static void check_draft(struct making *m, const struct jv *v)
{
    static const char *const drafts[] = {
        "https://json-schema.org/draft/2020-12/schema",
        "https://json-schema.org/draft/2020-12/schema#",
        "https://json-schema.org/draft/2019-09/schema",
        "https://json-schema.org/draft/2019-09/schema#",
        "http://json-schema.org/draft-07/schema",
        "http://json-schema.org/draft-07/schema#",
        "http://json-schema.org/schema#"};
    for (size_t i = 0; i < sizeof(drafts) / sizeof(*drafts); i++)
        if (v->type == 's' && str_is(v->text, drafts[i]))
            return;
    schema_fail(m, v,
                "\"$schema\" names no draft that is known here (2020-12; "
                "2019-09 and draft-07 are read like it)");
}

static void check_id(struct making *m, const struct node *n, const struct jv *v)
{
    if (v->type != 's' || (v->n && memchr(v->text.p, '#', v->text.n)))
        schema_fail(m, v, "\"$id\" must be a URL without a fragment");
    else if (n->from != m->top)
        schema_fail(m, v,
                    "the keyword \"$id\" is not supported below the top of a "
                    "schema");
    else
        m->id = v->text;
}

static void set(struct making *m, struct node *n, const struct keyword *k,
                const struct jv *v)
{
    void *to = (char *)n + k->at;
    const struct jv **value = to;

    switch (k->kind) {
    case K_NOTE:
        break;
    case K_TYPE:
        set_types(m, to, v);
        break;
    case K_ENUM:
        if (v->type != 'a')
            schema_fail(m, v, "\"%s\" must be a list", k->name);
        *value = v;
        break;
    case K_ANY:
        *value = v;
        break;
    case K_NUMBER:
    case K_DIVISOR:
    case K_COUNT:
        set_number(m, k, value, v);
        break;
    case K_PATTERN:
        if (v->type == 's')
            *(struct regex **)to = regex_of(m, v, v->text);
        else
            schema_fail(m, v, "\"%s\" must be a text", k->name);
        break;
    case K_SCHEMA:
        if (v->type == 'a' && k->at == AT(items))
            schema_fail(m, v,
                        "\"items\" as a list is not supported; write "
                        "\"prefixItems\"");
        *(struct node **)to = schema_node(m, v);
        break;
    case K_LIST:
        set_list(m, k->name, to, v);
        break;
    case K_MAP:
        set_map(m, k->name, to, v);
        break;
    case K_PATTERNS:
        set_patterns(m, to, v);
        break;
    case K_NAMES:
        if (!are_names(v))
            schema_fail(m, v, "\"%s\" must be a list of names", k->name);
        *value = v;
        break;
    case K_NEEDS:
        set_needs(m, value, v);
        break;
    case K_FLAG:
        if (v->type != 'b')
            schema_fail(m, v, "\"%s\" must be true or false", k->name);
        *value = v->type == 'b' && v->text.n == 4 ? v : NULL;
        break;
    case K_REF:
        if (v->type != 's')
            schema_fail(m, v, "\"%s\" must be a text", k->name);
        *value = v;
        break;
    case K_ID:
        check_id(m, n, v);
        break;
    case K_ANCHOR:
        if (v->type != 's')
            schema_fail(m, v, "\"%s\" must be a text", k->name);
        n->anchor = v;
        break;
    case K_DRAFT:
        check_draft(m, v);
    }
}

static void keyword(struct making *m, struct node *n, const struct jmember *at)
{
    for (size_t i = 0; i < N_KEYWORDS; i++)
        if (str_is(at->key, keywords[i].name)) {
            set(m, n, &keywords[i], &at->v);
            return;
        }
    if (!str_starts(at->key, "x-"))
        schema_fail(m, &at->v, "the keyword \"%.*s\" is not supported",
                    (int)(at->key.n < 80 ? at->key.n : 80),
                    at->key.n ? at->key.p : "");
}

struct node *schema_node(struct making *m, const struct jv *v)
{
    struct node *n = v->tag;

    if (m->failed || n)
        return m->failed ? NULL : n;
    if (v->type != 'o' && v->type != 'b') {
        schema_fail(m, v, "a schema must be an object, true or false");
        return NULL;
    }
    n = arena_alloc(m->a, sizeof(*n));
    if (!n || m->n++ == SCHEMA_NODES) {
        no_memory(m);
        return NULL;
    }
    /* The tree is ours while it is made. */
    ((struct jv *)(uintptr_t)v)->tag = n;
    n->from = v;
    n->always = v->type == 'b' && v->text.n == 4;
    n->never = v->type == 'b' && !n->always;
    *m->last = n;
    m->last = &n->next;
    for (size_t i = 0; i < v->n && !m->failed; i++)
        keyword(m, n, &v->at[i]);
    return m->failed ? NULL : n;
}

int schema_compile(pbay_str text, struct arena *a, struct schema **out,
                   char *why, size_t room)
{
    struct schema *s = arena_alloc(a, sizeof(*s));
    struct jv *top = arena_alloc(a, sizeof(*top));
    struct making m = {.a = a,
                       .top = top,
                       .why = why,
                       .room = room,
                       .regex_work = SCHEMA_REGEX_WORK,
                       .anchor_work = SCHEMA_ANCHOR_WORK};
    int rc = !s || !top ? -ENOMEM : -E2BIG;

    m.last = &m.first;
    if (rc == -E2BIG && text.n <= SCHEMA_BYTES)
        rc = jv_read(text, SCHEMA_BYTES, a, top);
    if (rc < 0) {
        snprintf(why, room, "%s",
                 rc == -EINVAL   ? "the schema is not JSON"
                 : rc == -EEXIST ? "an object of the schema has a member twice"
                 : rc == -E2BIG  ? "the schema is larger than 256 KiB"
                                 : "there is no memory for the schema");
        return -1;
    }
    s->root = schema_node(&m, top);
    schema_link(&m);
    *out = s;
    return m.failed ? -1 : 0;
}
