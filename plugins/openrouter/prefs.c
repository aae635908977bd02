/* SPDX-License-Identifier: MIT */
/* openrouter.so: the routing preferences of an instance, put into requests that
 * do not say otherwise, and the headers that name the application. */
#include <stdlib.h>
#include <string.h>

#include "openrouter.h"

/* ------------------------------------------------------------ configuration */

static char *heap(void *arg, char *old, size_t n, size_t room)
{
    (void)arg;
    (void)n;
    return realloc(old, room);
}

static int is_empty(pbay_str value)
{
    pbay_str v;
    size_t pos = 0;

    return !value.n || (pbay_json_type(value) == 'a' &&
                        !pbay_json_next(value, &pos, NULL, &v));
}

/* Where a piece of r->text lies; the text still moves. */
struct piece {
    size_t at, n;
};

static void put_piece(pbay_out *w, struct piece *p, pbay_str bytes)
{
    p->at = w->n;
    p->n = bytes.n;
    pbay_out_raw(w, bytes);
}

/* max_price_*, as one member. */
static void put_max_price(pbay_out *w, struct piece *p, pbay_str config)
{
    static const char *const names[] = {"prompt", "completion", "request",
                                        "image", "audio"};
    int any = 0;

    p->at = w->n;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char key[32] = "max_price_";
        pbay_str v = pbay_json_get(config, strcat(key, names[i]));
        if (pbay_json_type(v) != 'n')
            continue;
        pbay_out_cstr(w, any ? ",\"" : "{\"");
        pbay_out_cstr(w, names[i]);
        pbay_out_cstr(w, "\":");
        pbay_out_raw(w, v);
        any = 1;
    }
    if (any)
        pbay_out_cstr(w, "}");
    p->n = w->n - p->at;
}

/* A string's text, appended. */
static void put_text(pbay_out *w, pbay_str value)
{
    char buf[256];
    size_t pos = 0, n;

    while ((n = pbay_json_unescape_part(value, &pos, buf, sizeof buf)) > 0)
        pbay_out_raw(w, (pbay_str){buf, n});
}

static int category_is_fine(pbay_str value)
{
    if (pbay_json_type(value) != 's' || value.n < 3)
        return 0;
    for (size_t i = 1; i + 1 < value.n; i++) {
        char b = value.p[i];
        if (!((b >= 'a' && b <= 'z') || (b >= '0' && b <= '9') || b == '-'))
            return 0;
    }
    return 1;
}

/* "a,b"; PBAY_FAIL if OpenRouter would not have them. */
static pbay_rc put_categories(const pbay_host *host, pbay_out *w,
                              struct piece *p, pbay_str list)
{
    pbay_str v;
    size_t pos = 0;
    unsigned n = 0;
    int fine = 1;

    p->at = w->n;
    while (pbay_json_next(list, &pos, NULL, &v)) {
        if (n++)
            pbay_out_cstr(w, ",");
        put_text(w, v);
        fine &= category_is_fine(v);
    }
    p->n = w->n - p->at;
    if (fine && n <= 2)
        return PBAY_OK;
    host->log(host, PBAY_LOG_ERROR,
              OA("categories must be at most two, each in lower case with "
                 "hyphens, such as \"cli-agent\""));
    return PBAY_FAIL;
}

static const char *const pref_names[] = {"order",
                                         "only",
                                         "ignore",
                                         "quantizations",
                                         "allow_fallbacks",
                                         "require_parameters",
                                         "zdr",
                                         "data_collection",
                                         "sort"};
#define NAMES (sizeof pref_names / sizeof *pref_names)

pbay_rc or_configure(struct openrouter *r, pbay_str config)
{
    pbay_out w = {.grow = heap};
    struct piece prefs[NAMES + 1], referer, title, categories;
    pbay_str named = pbay_json_get(config, "client_attribution");
    pbay_rc rc;

    for (size_t i = 0; i < NAMES; i++) {
        pbay_str v = pbay_json_get(config, pref_names[i]);
        put_piece(&w, &prefs[i], is_empty(v) ? OA("") : v);
    }
    put_max_price(&w, &prefs[NAMES], config);
    referer.at = w.n;
    put_text(&w, pbay_json_get(config, "referer"));
    referer.n = w.n - referer.at;
    title.at = w.n;
    put_text(&w, pbay_json_get(config, "title"));
    title.n = w.n - title.at;
    rc = put_categories(r->oai.host, &w, &categories,
                        pbay_json_get(config, "categories"));
    r->text = w.p;
    if (w.failed)
        return PBAY_NOMEM;
    if (rc != PBAY_OK)
        return rc;
    for (size_t i = 0; i <= NAMES; i++)
        if (prefs[i].n) {
            const char *name = i < NAMES ? pref_names[i] : "max_price";
            r->prefs[r->n_prefs++] = (pbay_kv){{name, strlen(name)},
                                               {w.p + prefs[i].at, prefs[i].n}};
        }
    r->client_named = pbay_json_type(named) != 'b' || pbay_json_true(named);
    r->referer = (pbay_str){w.p ? w.p + referer.at : NULL, referer.n};
    r->title = (pbay_str){w.p ? w.p + title.at : NULL, title.n};
    r->categories = (pbay_str){w.p ? w.p + categories.at : NULL, categories.n};
    if (oai_bad_header(r->oai.host, "referer", r->referer) ||
        oai_bad_header(r->oai.host, "title", r->title))
        return PBAY_FAIL;
    return PBAY_OK;
}

/* ----------------------------------------------------------------- requests */

/* The client's preferences, and ours where it has none. */
static pbay_rc merge(const struct openrouter *r, pbay_out *w, pbay_str theirs,
                     size_t *added)
{
    pbay_str key, value;
    size_t pos = 0;
    int any = 0;

    pbay_out_cstr(w, "{");
    while (pbay_json_next(theirs, &pos, &key, &value)) {
        pbay_out_cstr(w, any ? ",\"" : "\"");
        pbay_out_raw(w, key);
        pbay_out_cstr(w, "\":");
        pbay_out_raw(w, value);
        any = 1;
    }
    for (size_t i = 0; i < r->n_prefs; i++) {
        if (pbay_json_get(theirs, r->prefs[i].k.p).n)
            continue;
        pbay_out_cstr(w, any ? ",\"" : "\"");
        pbay_out_raw(w, r->prefs[i].k);
        pbay_out_cstr(w, "\":");
        pbay_out_raw(w, r->prefs[i].v);
        any = 1;
        ++*added;
    }
    pbay_out_cstr(w, "}");
    return w->failed ? PBAY_NOMEM : PBAY_OK;
}

pbay_rc or_edits(struct openai *o, struct call *c, const pbay_request *req,
                 struct edits *e)
{
    const struct openrouter *r = (const struct openrouter *)(const void *)o;
    pbay_str theirs = pbay_json_find(req->members, req->n_members, "provider");
    void *with[2] = {o, c};
    pbay_out w = {.grow = oai_grow, .arg = with};
    char type = pbay_json_type(theirs);
    size_t added = 0;

    c->model = req->model;
    /* What is no object OpenRouter will complain of better than we could. */
    if (!r->n_prefs || (type && type != 'o' && type != '0'))
        return PBAY_OK;
    if (merge(r, &w, theirs, &added) != PBAY_OK)
        return PBAY_NOMEM;
    if (added)
        oai_edit(e, OA("provider"), (pbay_str){w.p, w.n});
    return PBAY_OK;
}

size_t or_headers(const struct openai *o, const pbay_request *req, pbay_kv *h)
{
    const struct openrouter *r = (const struct openrouter *)(const void *)o;
    static const pbay_str names[] = {PBAY_LIT("HTTP-Referer"),
                                     PBAY_LIT("X-Title"),
                                     PBAY_LIT("X-OpenRouter-Title")};
    static const char *const lower[] = {"http-referer", "x-title",
                                        "x-openrouter-title"};
    int raw = req->op == PBAY_OP_RAW, named = 0;
    size_t n = 0;
    size_t theirs = raw || (req->flags & PBAY_RQ_PASS) ? req->n_headers : 0;

    /* A client that names itself is the application.  (At the raw door its
     * headers go up with all others.) */
    for (size_t i = 0; i < 3 && (raw || r->client_named); i++) {
        pbay_str v = pbay_header(req->headers, req->n_headers, lower[i]);
        named |= v.n > 0;
        if (v.n && !raw)
            h[n++] = (pbay_kv){names[i], v};
    }
    if (r->referer.n && !named)
        h[n++] = (pbay_kv){OA("HTTP-Referer"), r->referer};
    if (r->title.n && !named)
        h[n++] = (pbay_kv){OA("X-OpenRouter-Title"), r->title};
    if (r->categories.n &&
        !pbay_header(req->headers, theirs, "x-openrouter-categories").n)
        h[n++] = (pbay_kv){OA("X-OpenRouter-Categories"), r->categories};
    return n;
}
