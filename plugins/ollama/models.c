/* SPDX-License-Identifier: MIT */
/* ollama.so: models, from the list (/api/tags) and from their own pages
 * (/api/show), which know the context length where the list does not. */
#include <string.h>

#include "ollama.h"

#define LONG_CONTEXT                                        \
    100000 /* tokens from which on a context counts as long \
            */

/* ----------------------------------------------------------------- the parts
 */

static int number2(const char *p, int64_t *out)
{
    if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
        return 0;
    *out = (p[0] - '0') * 10 + (p[1] - '0');
    return 1;
}

/* Days since 1970-01-01; years are counted from March, so that the leap day
 * comes last. */
static int64_t days(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month > 2 ? year : year - 1;
    int64_t m = month > 2 ? month - 3 : month + 9;

    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 -
           719468;
}

/* "2026-11-20T10:00:00.123456789+01:00" in seconds since 1970; 0 if it is no
 * such time. */
static int64_t seconds(pbay_str value)
{
    static const int at[7] = {0, 2, 5, 8, 11, 14, 17};
    int64_t f[7], zone = 0, h, m;
    const char *p, *end;

    if (pbay_json_type(value) != 's' || value.n < 22)
        return 0;
    p = value.p + 1;
    end = value.p + value.n - 1;
    for (int i = 0; i < 7; i++)
        if (!number2(p + at[i], &f[i]))
            return 0;
    for (p += 19; p < end && (*p == '.' || (*p >= '0' && *p <= '9')); p++)
        ;
    if (end - p == 6 && (*p == '+' || *p == '-') && number2(p + 1, &h) &&
        number2(p + 4, &m))
        zone = (*p == '-' ? -1 : 1) * (h * 3600 + m * 60);
    else if (end - p != 1 || *p != 'Z')
        return 0;
    if (f[2] < 1 || f[2] > 12 || f[3] < 1 || f[3] > 31)
        return 0;
    return days(f[0] * 100 + f[1], f[2], f[3]) * 86400 + f[4] * 3600 +
           f[5] * 60 + f[6] - zone;
}

/* The model's own maximum: "<architecture>.context_length". */
static int64_t trained_context(pbay_str info)
{
    static const char tail[] = ".context_length";
    pbay_str arch = pbay_json_get(info, "general.architecture"), key, value;
    size_t pos = 0, n = sizeof tail - 1;
    int64_t v;

    if (pbay_json_type(arch) != 's')
        return 0;
    while (pbay_json_next(info, &pos, &key, &value))
        if (key.n == arch.n - 2 + n &&
            memcmp(key.p, arch.p + 1, arch.n - 2) == 0 &&
            memcmp(key.p + arch.n - 2, tail, n) == 0 &&
            pbay_json_i64(value, &v) == 0 && v > 0)
            return v;
    return 0;
}

static int64_t listed_context(pbay_str item)
{
    int64_t v;

    if (pbay_json_i64(
            pbay_json_get(pbay_json_get(item, "details"), "context_length"),
            &v) == 0 &&
        v > 0)
        return v;
    return 0;
}

static void put_words(pbay_out *w, const char *words, int *any)
{
    if (*any)
        pbay_out_cstr(w, ",");
    pbay_out_cstr(w, words);
    *any = 1;
}

/* Ollama's words for what a model can do, in ours. */
static void put_capabilities(pbay_out *w, pbay_str list, int64_t window)
{
    static const struct {
        const char *theirs, *ours;
    } words[] = {
        {"completion", "\"text\",\"chat\",\"code\",\"translation\","
                       "\"summarisation\",\"structured_output\""},
        {"tools", "\"tools\""},
        {"vision", "\"vision\""},
        {"thinking", "\"reasoning\""},
        {"embedding", "\"embeddings\""},
    };
    int any = 0;

    if (pbay_json_type(list) != 'a')
        return;
    pbay_out_cstr(w, ",\"capabilities\":[");
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        pbay_str v;
        size_t pos = 0;
        while (pbay_json_next(list, &pos, NULL, &v))
            if (pbay_json_is(v, words[i].theirs)) {
                put_words(w, words[i].ours, &any);
                break;
            }
    }
    if (window >= LONG_CONTEXT)
        put_words(w, "\"long_context\"", &any);
    pbay_out_cstr(w, "]");
}

/* ----------------------------------------------------------------- the whole
 */

struct model {
    pbay_str id; /* as JSON */
    pbay_str modified, capabilities, raw;
    int64_t window; /* the model's maximum, 0: unknown */
    uint32_t place;
};

static pbay_rc emit_model(struct ollama *o, struct call *c,
                          const struct model *m)
{
    void *with[2] = {o, c};
    pbay_out w = {.grow = ol_grow, .arg = with};
    int64_t window = m->window, created = seconds(m->modified);

    if (!ol_wants(c, PBAY_EV_ITEM))
        return PBAY_OK;
    /* It runs with what is configured, if that is less. */
    if (c->num_ctx && (!window || c->num_ctx < window))
        window = c->num_ctx;
    pbay_out_cstr(&w, "{\"id\":");
    pbay_out_raw(&w, m->id);
    if (created > 0) {
        pbay_out_cstr(&w, ",\"created\":");
        pbay_out_i64(&w, created);
    }
    if (window) {
        pbay_out_cstr(&w, ",\"context_window\":");
        pbay_out_i64(&w, window);
    }
    put_capabilities(&w, m->capabilities, window);
    pbay_out_cstr(&w, ",\"raw\":");
    pbay_out_raw(&w, m->raw);
    pbay_out_cstr(&w, "}");
    if (w.failed)
        return PBAY_NOMEM;
    return ol_item(o, c, "model", m->place, (pbay_str){w.p, w.n});
}

static pbay_str listed_name(pbay_str item)
{
    pbay_str v = pbay_json_get(item, "name");

    return ol_filled(v) ? v : pbay_json_get(item, "model");
}

static pbay_rc from_list(struct ollama *o, struct call *c, pbay_str item,
                         uint32_t place)
{
    struct model m = {
        .id = listed_name(item),
        .modified = pbay_json_get(item, "modified_at"),
        .capabilities = pbay_json_get(item, "capabilities"),
        .raw = item,
        .window = listed_context(item),
        .place = place,
    };

    return emit_model(o, c, &m);
}

pbay_rc ol_plain_model(struct ollama *o, struct call *c)
{
    const struct pending *p = &c->pending[c->at];

    return from_list(o, c, p->item, p->place);
}

pbay_rc ol_show(struct ollama *o, struct call *c, pbay_str body)
{
    void *with[2] = {o, c};
    pbay_out id = {.grow = ol_grow, .arg = with};
    struct model m = {.raw = body};
    const struct pending *p = NULL;

    if (c->op == PBAY_OP_LIST)
        p = &c->pending[c->at];
    if (pbay_json_type(pbay_json_get(body, "details")) != 'o')
        return ol_error(o, c, PBAY_E_PROTOCOL,
                        "the reply describes no model: it has no details");
    m.modified = pbay_json_get(body, "modified_at");
    m.capabilities = pbay_json_get(body, "capabilities");
    m.window = trained_context(pbay_json_get(body, "model_info"));
    if (!m.window)
        m.window = listed_context(body);
    if (p) {
        m.id = listed_name(p->item);
        m.raw = p->item;
        m.place = p->place;
        if (!ol_filled(m.modified))
            m.modified = pbay_json_get(p->item, "modified_at");
    } else {
        pbay_out_string(&id, c->model);
        if (id.failed)
            return PBAY_NOMEM;
        m.id = (pbay_str){id.p, id.n};
    }
    return emit_model(o, c, &m);
}

/* ------------------------------------------------------------------ the list
 */

static char lower(char b)
{
    return b >= 'A' && b <= 'Z' ? (char)(b - 'A' + 'a') : b;
}

/* Is the searched text in the name, whatever the case? */
static int matches(pbay_str name, pbay_str search)
{
    for (size_t i = 0; i + search.n <= name.n; i++) {
        size_t k = 0;
        while (k < search.n && lower(name.p[i + k]) == lower(search.p[k]))
            k++;
        if (k == search.n)
            return 1;
    }
    return search.n == 0;
}

/* Does the list say more than "completion"? It does not know what only the
 * model's own file tells (a template that takes tools, pooling for embeddings):
 * 0.33.0 lists both as plain completion, and shows them as what they are. */
static int says_enough(pbay_str item)
{
    pbay_str list = pbay_json_get(item, "capabilities"), what;
    size_t pos = 0;

    if (!listed_context(item) || pbay_json_type(list) != 'a')
        return 0;
    while (pbay_json_next(list, &pos, NULL, &what))
        if (!pbay_json_is(what, "completion"))
            return 1;
    return 0;
}

/* Models of the cloud may not be asked for without an account. */
static int needs_details(const struct ollama *o, pbay_str item)
{
    return !o->no_details && !ol_filled(pbay_json_get(item, "remote_host")) &&
           !ol_filled(pbay_json_get(item, "remote_model")) &&
           !says_enough(item);
}

/* Remember a model for an exchange of its own; 0: there is no room. */
static int defer(struct ollama *o, struct call *c, pbay_str item,
                 uint32_t place)
{
    struct pending *p;
    char *copy;

    if (c->n_pending == OL_DETAILS)
        return 0;
    if (!c->pending)
        c->pending = o->host->alloc(c->call, OL_DETAILS * sizeof *c->pending);
    copy = c->pending ? o->host->alloc(c->call, item.n) : NULL;
    if (!copy)
        return 0;
    memcpy(copy, item.p, item.n);
    p = &c->pending[c->n_pending];
    p->item = (pbay_str){copy, item.n};
    p->place = place;
    p->name = pbay_text(o->host, c->call, listed_name(p->item));
    if (!p->name.n)
        return 0;
    c->n_pending++;
    return 1;
}

pbay_rc ol_tags(struct ollama *o, struct call *c, pbay_str body)
{
    pbay_str list = pbay_json_get(body, "models"), item;
    size_t pos = 0;
    uint32_t place = 0;
    pbay_rc rc = PBAY_OK;

    if (pbay_json_type(list) == '0') /* a server without models */
        return PBAY_OK;
    if (pbay_json_type(list) != 'a')
        return ol_error(o, c, PBAY_E_PROTOCOL, "the reply lists no models");
    while (rc == PBAY_OK && pbay_json_next(list, &pos, NULL, &item)) {
        pbay_str name = listed_name(item);
        if (!ol_filled(name) || !matches(name, c->search))
            continue;
        if (!needs_details(o, item) || !defer(o, c, item, place))
            rc = from_list(o, c, item, place);
        place++;
    }
    return rc;
}

/* ------------------------------------------------------------ what is in memory
 */

static void put(pbay_out *w, const char *name, pbay_str value, char type)
{
    if (pbay_json_type(value) != type)
        return;
    pbay_out_cstr(w, ",\"");
    pbay_out_cstr(w, name);
    pbay_out_cstr(w, "\":");
    pbay_out_raw(w, value);
}

pbay_rc ol_running(struct ollama *o, struct call *c, pbay_str body)
{
    pbay_str list = pbay_json_get(body, "models"), item;
    size_t pos = 0;
    uint32_t place = 0;
    pbay_rc rc = PBAY_OK;

    if (pbay_json_type(list) == '0')
        return PBAY_OK;
    if (pbay_json_type(list) != 'a')
        return ol_error(o, c, PBAY_E_PROTOCOL,
                        "the reply lists no running models");
    while (rc == PBAY_OK && pbay_json_next(list, &pos, NULL, &item)) {
        void *with[2] = {o, c};
        pbay_out w = {.grow = ol_grow, .arg = with};
        pbay_str name = listed_name(item);
        if (!ol_filled(name))
            continue;
        pbay_out_cstr(&w, "{\"model\":");
        pbay_out_raw(&w, name);
        put(&w, "size", pbay_json_get(item, "size"), 'n');
        put(&w, "vram", pbay_json_get(item, "size_vram"), 'n');
        put(&w, "context_window", pbay_json_get(item, "context_length"), 'n');
        put(&w, "expires", pbay_json_get(item, "expires_at"), 's');
        put(&w, "raw", item, 'o');
        pbay_out_cstr(&w, "}");
        rc = w.failed ? PBAY_NOMEM
                      : ol_item(o, c, "running", place++,
                                (pbay_str){w.p, w.n});
    }
    return rc;
}
