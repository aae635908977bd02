/* SPDX-License-Identifier: MIT */
/* Which models are wished for, and in what order. */
#include "manager/model_find.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/str.h"
#include "manager/pricing.h"
#include "manager/suit.h"
#include <patchbay/json.h>

/* --- reading a wish ------------------------------------------------------ */

static int bad(struct err *e, pbay_str name, const char *why)
{
    err_set(e, PBAY_E_INVALID, "%.*s must be %s", STR_ARG(name), why);
    snprintf(e->param, sizeof(e->param), "%.*s", STR_ARG(name));
    return -1;
}

static int set_sort(struct model_wish *w, pbay_str name, pbay_str value,
                    struct err *e)
{
    static const char *const words[] = {"", "price", "context", "created",
                                        "name"};

    for (size_t i = 1; i < sizeof(words) / sizeof(*words); i++)
        if (str_is(value, words[i])) {
            w->sort = (enum model_sort)i;
            return 0;
        }
    return bad(e, name, "price, context, created or name");
}

static int set_caps(struct model_wish *w, pbay_str name, pbay_str value,
                    struct err *e)
{
    char why[256];

    snprintf(why, sizeof(why), "a capability: %s", ability_words);
    while (value.p) {
        uint32_t bit = ability_named(str_trim(str_cut(&value, ',')));
        if (!bit)
            return bad(e, name, why);
        w->caps |= bit;
    }
    return 0;
}

int model_wish_set(struct model_wish *w, pbay_str name, pbay_str value,
                   struct err *e)
{
    if (str_is(name, "search")) {
        w->search = value;
    } else if (str_is(name, "provider")) {
        w->provider = value;
    } else if (str_is(name, "free")) {
        w->free = str_is(value, "true") || str_is(value, "1");
        if (!w->free && !str_is(value, "false") && !str_is(value, "0"))
            return bad(e, name, "true or false");
    } else if (str_is(name, "sort")) {
        return set_sort(w, name, value, e);
    } else if (str_is(name, "capability")) {
        return set_caps(w, name, value, e);
    } else {
        return 1;
    }
    return 0;
}

/* --- does a model fit? --------------------------------------------------- */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool contains(pbay_str text, pbay_str search)
{
    for (size_t i = 0; i + search.n <= text.n; i++) {
        size_t k = 0;
        while (k < search.n && lower(text.p[i + k]) == lower(search.p[k]))
            k++;
        if (k == search.n)
            return true;
    }
    return search.n == 0;
}

/* p NULL: nobody knows its price. */
static bool is_free(const struct price *p)
{
    return p && p->input == 0 && p->output == 0 && p->request <= 0;
}

static bool fits(const struct model_wish *w, pbay_str id, pbay_str json,
                 const struct price *p, const struct suit *suit)
{
    if (w->search.n && !contains(id, w->search) &&
        !contains(pbay_json_get(json, "name"), w->search))
        return false;
    if ((w->id.n && !str_eq(w->id, id)) || (w->free && !is_free(p)))
        return false;
    return (w->caps & ~suit->can) == 0;
}

/* --- gathering ----------------------------------------------------------- */

struct gather {
    const struct model_wish *w;
    struct arena *a;
    struct model_row *rows;
    size_t n, room;
    const struct instance *in;
    int64_t wall_ms;
    bool failed;
};

static int64_t number(pbay_str json, const char *name)
{
    int64_t v;

    return pbay_json_i64(pbay_json_get(json, name), &v) < 0 ? -1 : v;
}

/* What it is ordered by, ascending; what is not known comes last. */
static int64_t key_of(const struct gather *g, pbay_str json,
                      const struct price *p, const struct suit *suit)
{
    int64_t v = -1;

    switch (g->w->sort) {
    case MODEL_SORT_BEST:
        return suit->window ? -(int64_t)suit->window : INT64_MAX;
    case MODEL_SORT_PRICE:
        return !p || p->input < 0 ? INT64_MAX
                                  : p->input + (p->output < 0 ? 0 : p->output);
    case MODEL_SORT_CONTEXT:
        v = suit->set ? (int64_t)suit->window : number(json, "context_window");
        break;
    case MODEL_SORT_CREATED:
        v = number(json, "created");
        break;
    default:
        return 0;
    }
    return v < 0 ? INT64_MAX : -v;
}

static bool grow(struct gather *g)
{
    size_t room = g->room ? g->room * 2 : 64;
    struct model_row *rows = arena_alloc(g->a, room * sizeof(*rows));

    if (!rows)
        return false;
    if (g->n)
        memcpy(rows, g->rows, g->n * sizeof(*rows));
    g->rows = rows;
    g->room = room;
    return true;
}

/* The item with these prices in place of its own, with the window that the
 * configuration gives it, and with what the model can do where it says nothing of
 * it; NULL: as it is. */
static pbay_str completed(struct arena *a, pbay_str json,
                          const struct pricing *p, const struct suit *suit)
{
    pbay_str key, value, out;
    const char *sep = "";
    size_t pos = 0;
    struct buf b;
    int rc;

    buf_init(&b, json.n + LIM_KIB(4));
    rc = buf_addc(&b, "{");
    while (pbay_json_next(json, &pos, &key, &value) > 0) {
        if ((p && str_is(key, "prices")) ||
            (suit && suit->set && str_is(key, "context_window")))
            continue;
        rc |= buf_printf(&b, "%s\"%.*s\":", sep, STR_ARG(key));
        rc |= buf_add(&b, value);
        sep = ",";
    }
    if (p) {
        rc |= buf_addc(&b, sep);
        rc |= pricing_put(&b, p);
        sep = ",";
    }
    if (suit && suit->set) {
        rc |= buf_printf(&b, "%s\"context_window\":%llu", sep,
                         (unsigned long long)suit->window);
        sep = ",";
    }
    if (suit && suit->known && !pbay_json_get(json, "capabilities").n) {
        rc |= buf_printf(&b, "%s\"capabilities\":[", sep);
        for (uint32_t can = suit->can; can; can &= can - 1)
            rc |= buf_printf(&b, "%s\"%s\"", can == suit->can ? "" : ",",
                             ability_word(can));
        rc |= buf_addc(&b, "]");
    }
    rc |= buf_addc(&b, "}");
    out = rc < 0 ? STR_NONE : arena_dup(a, buf_str(&b));
    buf_done(&b);
    return out;
}

static void each(void *arg, const char *provider, pbay_str id, pbay_str json)
{
    struct gather *g = arg;
    struct model_row r = {.provider = provider};
    struct pricing p;
    bool known = pricing_from(g->in, id, json, 0, g->wall_ms, &p);
    const struct price *price = known ? &p.price : NULL;
    /* What it says of prices itself may be more than we know of. */
    const struct pricing *put_price =
        known && strcmp(p.source, "provider") != 0 ? &p : NULL;
    const struct suit *put_suit = NULL;
    struct suit suit;

    suit_from(g->in, id, json, &suit);
    if (g->failed || !fits(g->w, id, json, price, &suit))
        return;
    if (suit.set ||
        (suit.known && !pbay_json_get(json, "capabilities").n))
        put_suit = &suit;
    r.id = arena_dup(g->a, id);
    r.json = put_price || put_suit ? completed(g->a, json, put_price, put_suit)
                                   : arena_dup(g->a, json);
    r.key = key_of(g, json, price, &suit);
    if (!r.json.p || (id.n && !r.id.p) || (g->n == g->room && !grow(g)))
        g->failed = true;
    else
        g->rows[g->n++] = r;
}

static int by_key(const void *x, const void *y)
{
    const struct model_row *a = x, *b = y;

    return a->key < b->key ? -1 : a->key > b->key;
}

static int by_name(const void *x, const void *y)
{
    const struct model_row *a = x, *b = y;
    size_t n = a->id.n < b->id.n ? a->id.n : b->id.n;
    int d = n ? memcmp(a->id.p, b->id.p, n) : 0;

    if (d == 0 && a->id.n != b->id.n)
        d = a->id.n < b->id.n ? -1 : 1;
    return d ? d : strcmp(a->provider, b->provider);
}

static int by_key_name(const void *x, const void *y)
{
    int d = by_key(x, y);

    return d ? d : by_name(x, y);
}

int model_find(const struct snapshot *s, struct model_index *mi,
               const struct model_wish *w, struct arena *a,
               struct model_row **rows, size_t *n)
{
    struct model_wish best = *w;
    struct gather g = {
        .w = &best, .a = a, .wall_ms = (int64_t)time(NULL) * 1000};

    if (w->caps && w->sort == MODEL_SORT_NONE)
        best.sort = MODEL_SORT_BEST;
    for (size_t i = 0; i < s->n; i++) {
        const struct instance *in = s->instances[i];
        if (w->provider.n && !str_is(w->provider, in->name))
            continue;
        g.in = in;
        /* The index lends its own copy of the name: keep the snapshot's. */
        size_t first = g.n;
        model_index_each(mi, in->name, each, &g);
        for (size_t j = first; j < g.n; j++)
            g.rows[j].provider = in->name;
        for (char **m = in->cfg->models; *m; m++)
            if (!model_index_has(mi, in->name, str_c(*m)))
                each(&g, in->name, str_c(*m), STR("{}"));
    }
    if (g.n && best.sort != MODEL_SORT_NONE)
        qsort(g.rows, g.n, sizeof(*g.rows),
              best.sort == MODEL_SORT_NAME ? by_name : by_key_name);
    *rows = g.rows;
    *n = g.n;
    return g.failed ? -1 : 0;
}
