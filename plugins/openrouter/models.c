/* SPDX-License-Identifier: MIT */
/* openrouter.so: the list of models: prices, abilities, search and order. */
#include <stdlib.h>
#include <string.h>

#include "openrouter.h"

enum {
    SORT_NONE,
    SORT_PRICE,
    SORT_CONTEXT,
    SORT_CREATED,
    SORT_NAME
};

/* What a LIST asks for; in call.more. */
struct wish {
    pbay_str search;
    uint32_t caps;
    int free, sort;
};

/* ---------------------------------------------------------------- abilities */

#define LONG_CONTEXT 128000 /* tokens */

static const char *const cap_names[] = {"text",          "chat",
                                        "code",          "translation",
                                        "summarisation", "embeddings",
                                        "vision",        "image_generation",
                                        "tools",         "structured_output",
                                        "reasoning",     "long_context"};
#define CAPS (sizeof cap_names / sizeof *cap_names)
enum {
    CAP_WRITES = 0x1f,
    CAP_EMBEDS = 1 << 5,
    CAP_SEES = 1 << 6,
    CAP_DRAWS = 1 << 7,
    CAP_TOOLS = 1 << 8,
    CAP_SCHEMA = 1 << 9,
    CAP_REASONS = 1 << 10,
    CAP_LONG = 1 << 11
};

struct sign {
    const char *word;
    uint32_t cap;
};

static uint32_t signs(pbay_str list, const struct sign *s, size_t n)
{
    pbay_str v;
    size_t pos = 0;
    uint32_t caps = 0;

    if (pbay_json_type(list) != 'a')
        return 0;
    while (pbay_json_next(list, &pos, NULL, &v))
        for (size_t i = 0; i < n; i++)
            if (pbay_json_is(v, s[i].word))
                caps |= s[i].cap;
    return caps;
}

static uint32_t caps_of(pbay_str model)
{
    static const struct sign in[] = {{"image", CAP_SEES}};
    static const struct sign out[] = {
        {"text", CAP_WRITES}, {"image", CAP_DRAWS}, {"embeddings", CAP_EMBEDS}};
    static const struct sign knows[] = {{"tools", CAP_TOOLS},
                                        {"structured_outputs", CAP_SCHEMA},
                                        {"response_format", CAP_SCHEMA},
                                        {"reasoning", CAP_REASONS},
                                        {"include_reasoning", CAP_REASONS}};
    pbay_str form = pbay_json_get(model, "architecture");
    int64_t context;
    uint32_t caps;

    caps = signs(pbay_json_get(form, "input_modalities"), in, 1) |
           signs(pbay_json_get(form, "output_modalities"), out, 3) |
           signs(pbay_json_get(model, "supported_parameters"), knows, 5);
    if (pbay_json_i64(pbay_json_get(model, "context_length"), &context) == 0 &&
        context >= LONG_CONTEXT)
        caps |= CAP_LONG;
    return caps;
}

static uint32_t cap_named(pbay_str word)
{
    for (size_t i = 0; i < CAPS; i++)
        if (pbay_json_is(word, cap_names[i]))
            return UINT32_C(1) << i;
    return 0;
}

/* ------------------------------------------------------------------- prices */

/* Ours, and OpenRouter's name for it.  The first six are for a token, the rest
 * for whatever OpenRouter counts. */
static const struct {
    const char *name, *theirs;
} prices[] = {
    {"input", "prompt"},
    {"output", "completion"},
    {"cache_read", "input_cache_read"},
    {"cache_write", "input_cache_write"},
    {"cache_write_long", "input_cache_write_1h"},
    {"reasoning", "internal_reasoning"},
    {"request", "request"},
    {"image", "image"},
    {"image_token", "image_token"},
    {"image_output", "image_output"},
    {"audio", "audio"},
    {"audio_output", "audio_output"},
    {"input_audio_cache", "input_audio_cache"},
    {"web_search", "web_search"},
};

static void put_prices(pbay_out *w, pbay_str pricing)
{
    pbay_str v;
    size_t pos = 0;
    int variable = 0;

    pbay_out_cstr(w, ",\"prices\":{\"currency\":\"USD\",\"unit\":\"nano\"");
    for (size_t i = 0; i < sizeof prices / sizeof *prices; i++) {
        size_t before;
        v = pbay_json_get(pricing, prices[i].theirs);
        if (!v.n || pbay_json_type(v) == '0')
            continue;
        before = w->n;
        pbay_out_cstr(w, ",\"");
        pbay_out_cstr(w, prices[i].name);
        pbay_out_cstr(w, "\":");
        if (or_put_nano(w, v))
            continue;
        w->n = before; /* "-1": it depends */
        variable = 1;
    }
    if (variable)
        pbay_out_cstr(w, ",\"variable\":true");
    v = pbay_json_get(pricing, "overrides");
    if (pbay_json_type(v) == 'a' && pbay_json_next(v, &pos, NULL, &v))
        pbay_out_cstr(w, ",\"overrides\":true");
    pbay_out_cstr(w, "}");
}

void or_model(pbay_str model, pbay_out *w)
{
    pbay_str pricing = pbay_json_get(model, "pricing");
    uint32_t caps = caps_of(model);
    int any = 0;

    if (caps) {
        pbay_out_cstr(w, ",\"capabilities\":[");
        for (size_t i = 0; i < CAPS; i++)
            if (caps & UINT32_C(1) << i) {
                pbay_out_cstr(w, any ? ",\"" : "\"");
                pbay_out_cstr(w, cap_names[i]);
                pbay_out_cstr(w, "\"");
                any = 1;
            }
        pbay_out_cstr(w, "]");
    }
    if (pbay_json_type(pricing) == 'o')
        put_prices(w, pricing);
}

/* ------------------------------------------------------------------ request */

static pbay_rc refuse(const struct openai *o, struct call *c, const char *param,
                      const char *why)
{
    c->failed = 1;
    return pbay_fail(o->host, c->call, PBAY_E_INVALID, param, why);
}

static pbay_rc read_caps(const struct openai *o, struct call *c, pbay_str v,
                         struct wish *to)
{
    static const char why[] =
        "it must be one or a list of text, chat, code, translation, "
        "summarisation, embeddings, vision, image_generation, tools, "
        "structured_output, reasoning, long_context";
    pbay_str word;
    size_t pos = 0;

    if (pbay_json_type(v) == 's') {
        to->caps = cap_named(v);
        return to->caps ? PBAY_OK : refuse(o, c, "capability", why);
    }
    if (pbay_json_type(v) != 'a')
        return refuse(o, c, "capability", why);
    while (pbay_json_next(v, &pos, NULL, &word)) {
        uint32_t cap = cap_named(word);
        if (!cap)
            return refuse(o, c, "capability", why);
        to->caps |= cap;
    }
    return PBAY_OK;
}

pbay_rc or_build_list(struct openai *o, struct call *c, const pbay_request *req,
                      pbay_exchange *x)
{
    static const char *const orders[] = {"price", "context", "created", "name"};
    struct wish *wish = o->host->alloc(c->call, sizeof *wish);
    pbay_str v;

    if (!wish)
        return PBAY_NOMEM;
    c->more = wish;
    v = pbay_json_find(req->members, req->n_members, "search");
    if (v.n && pbay_json_type(v) != 's')
        return refuse(o, c, "search", "it must be a string");
    wish->search = pbay_text(o->host, c->call, v);
    v = pbay_json_find(req->members, req->n_members, "free");
    if (v.n && pbay_json_type(v) != 'b')
        return refuse(o, c, "free", "it must be true or false");
    wish->free = pbay_json_true(v);
    v = pbay_json_find(req->members, req->n_members, "sort");
    for (int i = 0; v.n && i < 4; i++)
        if (pbay_json_is(v, orders[i]))
            wish->sort = i + 1;
    if (v.n && !wish->sort)
        return refuse(o, c, "sort",
                      "it must be price, context, created or name");
    v = pbay_json_find(req->members, req->n_members, "capability");
    if (v.n && read_caps(o, c, v, wish) != PBAY_OK)
        return PBAY_FAIL;
    oai_get(x, o->models_path);
    return PBAY_OK;
}

/* -------------------------------------------------------------------- reply */

/* Is it in the id, the name or the description? */
static int says(pbay_str model, pbay_str word)
{
    return oai_contains(pbay_json_get(model, "id"), word) ||
           oai_contains(pbay_json_get(model, "name"), word) ||
           oai_contains(pbay_json_get(model, "description"), word);
}

/* Every word that is searched for, wherever. */
static int found(pbay_str model, pbay_str search)
{
    size_t i = 0, from;

    while (i < search.n) {
        while (i < search.n && search.p[i] == ' ')
            i++;
        from = i;
        while (i < search.n && search.p[i] != ' ')
            i++;
        if (i > from && !says(model, (pbay_str){search.p + from, i - from}))
            return 0;
    }
    return 1;
}

static int is_free(pbay_str model)
{
    pbay_str p = pbay_json_get(model, "pricing");
    pbay_str request = pbay_json_get(p, "request");

    return or_amount(pbay_json_get(p, "prompt")) == 0 &&
           or_amount(pbay_json_get(p, "completion")) == 0 &&
           (!request.n || or_amount(request) == 0);
}

struct row {
    pbay_str model, id;
    double first, second; /* ascending */
    size_t place;
};

static double number(pbay_str model, const char *name)
{
    double d;

    return pbay_json_f64(pbay_json_get(model, name), &d) < 0 ? -1 : d;
}

/* Prices that depend come last. */
static double price(pbay_str model, const char *name)
{
    double v = or_amount(pbay_json_get(pbay_json_get(model, "pricing"), name));

    return v < 0 ? 1e30 : v;
}

static struct row row_of(pbay_str model, int sort, size_t place)
{
    struct row r = {
        .model = model, .id = pbay_json_get(model, "id"), .place = place};

    if (sort == SORT_PRICE) {
        r.first = price(model, "prompt");
        r.second = price(model, "completion");
    } else if (sort == SORT_CONTEXT) {
        r.first = -number(model, "context_length");
    } else if (sort == SORT_CREATED) {
        r.first = -number(model, "created");
    }
    return r;
}

static int by_figures(const void *x, const void *y)
{
    const struct row *a = x, *b = y;

    if (a->first < b->first || a->first > b->first)
        return a->first < b->first ? -1 : 1;
    if (a->second < b->second || a->second > b->second)
        return a->second < b->second ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

static int by_name(const void *x, const void *y)
{
    const struct row *a = x, *b = y;
    size_t n = a->id.n < b->id.n ? a->id.n : b->id.n;
    int d = n ? memcmp(a->id.p, b->id.p, n) : 0;

    if (d)
        return d;
    if (a->id.n != b->id.n)
        return a->id.n < b->id.n ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

/* The models wished for; NULL when memory is out. */
static struct row *choose(const struct openai *o, struct call *c, pbay_str list,
                          const struct wish *wish, size_t *n)
{
    struct row *rows;
    pbay_str m;
    size_t pos = 0, room = 0;

    while (pbay_json_next(list, &pos, NULL, &m))
        room++;
    rows = o->host->alloc(c->call, (room + 1) * sizeof *rows);
    for (pos = *n = 0; rows && pbay_json_next(list, &pos, NULL, &m);) {
        if (pbay_json_type(pbay_json_get(m, "id")) != 's' ||
            !found(m, wish->search) || (wish->free && !is_free(m)) ||
            (caps_of(m) & wish->caps) != wish->caps)
            continue;
        rows[*n] = row_of(m, wish->sort, *n);
        ++*n;
    }
    return rows;
}

pbay_rc or_list(struct openai *o, struct call *c, pbay_str body)
{
    const struct wish *wish = c->more;
    void *with[2] = {o, c};
    pbay_out w = {.grow = oai_grow, .arg = with};
    pbay_str list = pbay_json_get(body, "data");
    struct row *rows;
    size_t n;
    pbay_rc rc = PBAY_OK;

    if (pbay_json_type(list) != 'a')
        return oai_error(o, c, PBAY_E_PROTOCOL, "the reply lists no models");
    rows = choose(o, c, list, wish, &n);
    if (!rows)
        return PBAY_NOMEM;
    if (wish->sort)
        qsort(rows, n, sizeof *rows,
              wish->sort == SORT_NAME ? by_name : by_figures);
    for (size_t i = 0; i < n && rc == PBAY_OK; i++)
        rc = oai_model_item(o, c, rows[i].model, (uint32_t)i, &w);
    return rc;
}
