/* SPDX-License-Identifier: MIT */
/* Reading a JSON text into a tree in one pass. */
#include "text/value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "text/number.h"
#include <patchbay/json.h>

/* Children of the containers that are still open lie on one stack. */
struct reader {
    const char *p, *end;
    struct arena *a;
    struct jmember *stack;
    size_t top, room, left;
};

static int value(struct reader *r, struct jv *v);

static void space(struct reader *r)
{
    while (r->p < r->end &&
           (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r'))
        r->p++;
}

static int string(struct reader *r, pbay_str *out)
{
    const char *from = r->p++;
    bool plain = true;
    int64_t n;
    char *to;

    while (*r->p != '"') {
        if (*r->p == '\\') {
            plain = false;
            r->p++;
        }
        r->p++;
    }
    r->p++;
    *out = str_n(from + 1, (size_t)(r->p - from) - 2);
    if (plain)
        return 0;
    to = arena_bytes(r->a, (size_t)(r->p - from));
    n = to ? pbay_json_unescape(str_n(from, (size_t)(r->p - from)), to,
                                (size_t)(r->p - from))
           : -1;
    *out = str_n(to, n < 0 ? 0 : (size_t)n);
    return n < 0 ? -ENOMEM : 0;
}

static int push(struct reader *r, const struct jmember *m)
{
    if (r->top == r->room) {
        size_t room = r->room ? r->room * 2 : 64;
        void *p = realloc(r->stack, room * sizeof(*r->stack));
        if (!p)
            return -ENOMEM;
        r->stack = p;
        r->room = room;
    }
    r->stack[r->top++] = *m;
    return 0;
}

static int by_key(const void *a, const void *b)
{
    const struct jmember *x = a, *y = b;
    size_t n = x->key.n < y->key.n ? x->key.n : y->key.n;
    int c = n ? memcmp(x->key.p, y->key.p, n) : 0;

    return c ? c : (x->key.n > y->key.n) - (x->key.n < y->key.n);
}

static int settle(struct reader *r, size_t from, struct jv *v)
{
    v->n = r->top - from;
    v->at = arena_alloc(r->a, v->n * sizeof(*v->at));
    if (!v->at)
        return -ENOMEM;
    if (v->n)
        memcpy(v->at, r->stack + from, v->n * sizeof(*v->at));
    r->top = from;
    if (v->type != 'o')
        return 0;
    qsort(v->at, v->n, sizeof(*v->at), by_key);
    for (size_t i = 1; i < v->n; i++)
        if (str_eq(v->at[i - 1].key, v->at[i].key))
            return -EEXIST;
    return 0;
}

static int container(struct reader *r, struct jv *v)
{
    char close = v->type == 'o' ? '}' : ']';
    size_t from = r->top;
    int rc;

    r->p++;
    for (space(r); *r->p != close; space(r)) {
        struct jmember m = {.key = STR_NONE};
        if (*r->p == ',')
            r->p++;
        space(r);
        if (v->type == 'o') {
            rc = string(r, &m.key);
            if (rc < 0)
                return rc;
            space(r);
            r->p++; /* the colon */
            space(r);
        }
        rc = value(r, &m.v);
        if (rc == 0)
            rc = push(r, &m);
        if (rc < 0)
            return rc;
    }
    r->p++;
    return settle(r, from, v);
}

static int value(struct reader *r, struct jv *v)
{
    const char *from = r->p;
    int rc = 0;

    *v = (struct jv){.type = pbay_json_type(str_n(r->p, 1))};
    if (!r->left--)
        return -E2BIG;
    if (v->type == 's')
        return string(r, &v->text);
    if (v->type == 'o' || v->type == 'a')
        rc = container(r, v);
    else
        while (r->p < r->end && !strchr(",]} \t\r\n", *r->p))
            r->p++;
    v->text = str_n(from, (size_t)(r->p - from));
    return rc;
}

int jv_read(pbay_str text, size_t max_values, struct arena *a, struct jv *out)
{
    struct reader r = {.a = a, .left = max_values};
    int rc;

    if (!text.n || pbay_json_check(text, NULL) < 0)
        return -EINVAL;
    r.p = text.p;
    r.end = text.p + text.n;
    space(&r);
    rc = value(&r, out);
    free(r.stack);
    return rc;
}

const struct jv *jv_get(const struct jv *v, pbay_str key)
{
    struct jmember want = {.key = key};
    struct jmember *m = v->type == 'o' && v->n ? bsearch(&want, v->at, v->n,
                                                         sizeof(*v->at), by_key)
                                               : NULL;

    return m ? &m->v : NULL;
}

static int compare_text(pbay_str a, pbay_str b)
{
    struct jmember x = {.key = a}, y = {.key = b};

    return by_key(&x, &y);
}

int jv_compare(const struct jv *a, const struct jv *b)
{
    int c = (a->type > b->type) - (a->type < b->type);

    if (c || a->type == '0')
        return c;
    if (a->type == 'n') {
        struct num x = num_read(a->text), y = num_read(b->text);
        return num_compare(&x, &y);
    }
    if (a->type != 'o' && a->type != 'a')
        return compare_text(a->text, b->text);
    c = (a->n > b->n) - (a->n < b->n);
    for (size_t i = 0; !c && i < a->n; i++) {
        c = compare_text(a->at[i].key, b->at[i].key);
        if (!c)
            c = jv_compare(&a->at[i].v, &b->at[i].v);
    }
    return c;
}
