/* SPDX-License-Identifier: MIT */
/* OpenAI's language: replies that are lists of items: embeddings, moderations,
 * images, models. */
#include <float.h>
#include <stdio.h>
#include <string.h>

#include "oai.h"

static int has_items(pbay_str list)
{
    return pbay_json_type(list) == 'a';
}

pbay_rc oai_item(struct openai *o, struct call *c, const char *name,
                 uint32_t index, pbay_str json)
{
    pbay_event ev = {.type = PBAY_EV_ITEM, .index = index, .json = json};

    ev.name = (pbay_str){name, strlen(name)};
    return oai_wants(c, PBAY_EV_ITEM) ? oai_emit(o, c, &ev) : PBAY_OK;
}

/* --------------------------------------------------------------- embeddings */

static size_t count(pbay_str list)
{
    pbay_str v;
    size_t pos = 0, n = 0;

    while (pbay_json_next(list, &pos, NULL, &v))
        n++;
    return n;
}

static pbay_rc floats(struct openai *o, struct call *c, pbay_event *ev,
                      pbay_str list, float **room, size_t *room_n)
{
    size_t n = count(list), i = 0, pos = 0;
    pbay_str v;

    if (n > *room_n) {
        *room = o->host->alloc(c->call, n * sizeof **room);
        *room_n = *room ? n : 0;
        if (!*room)
            return PBAY_NOMEM;
    }
    while (i < n && pbay_json_next(list, &pos, NULL, &v)) {
        double d;
        if (pbay_json_f64(v, &d) < 0 || d > FLT_MAX || d < -FLT_MAX)
            return oai_error(o, c, PBAY_E_PROTOCOL,
                             "an embedding of the reply has a value that is no "
                             "32 bit number");
        (*room)[i++] = (float)d;
    }
    ev->code = PBAY_VEC_F32;
    ev->text = (pbay_str){(const char *)*room, i * sizeof **room};
    return oai_emit(o, c, ev);
}

static pbay_rc vector(struct openai *o, struct call *c, pbay_str entry,
                      uint32_t place, float **room, size_t *room_n)
{
    pbay_event ev = {.type = PBAY_EV_VECTOR, .choice = place};
    pbay_str v = pbay_json_get(entry, "embedding");
    int64_t index;

    if (pbay_json_i64(pbay_json_get(entry, "index"), &index) == 0 &&
        index >= 0 && index <= UINT32_MAX)
        ev.choice = (uint32_t)index;
    if (pbay_json_type(v) == 'a')
        return floats(o, c, &ev, v, room, room_n);
    if (pbay_json_type(v) != 's')
        return oai_error(o, c, PBAY_E_PROTOCOL,
                         "an entry of the reply has no embedding");
    ev.code = PBAY_VEC_BASE64;
    /* Base64 may have its slashes escaped; nothing else needs it. */
    if (!memchr(v.p, '\\', v.n)) {
        ev.text = (pbay_str){v.p + 1, v.n - 2};
    } else {
        ev.text = pbay_text(o->host, c->call, v);
        if (!ev.text.p)
            return PBAY_NOMEM;
    }
    return oai_emit(o, c, &ev);
}

static pbay_rc embeddings(struct openai *o, struct call *c, pbay_str body)
{
    pbay_str data = pbay_json_get(body, "data"), entry;
    float *room = NULL;
    size_t pos = 0, room_n = 0;
    uint32_t place = 0;
    pbay_rc rc = PBAY_OK;

    if (!has_items(data))
        return oai_error(o, c, PBAY_E_PROTOCOL, "the reply has no embeddings");
    while (rc == PBAY_OK && oai_wants(c, PBAY_EV_VECTOR) &&
           pbay_json_next(data, &pos, NULL, &entry))
        rc = vector(o, c, entry, place++, &room, &room_n);
    return rc;
}

/* ------------------------------------------------------ moderations, images */

static pbay_rc plain_list(struct openai *o, struct call *c, pbay_str list,
                          const char *name, const char *missing)
{
    pbay_str entry;
    size_t pos = 0;
    uint32_t place = 0;
    pbay_rc rc = PBAY_OK;

    if (!has_items(list))
        return oai_error(o, c, PBAY_E_PROTOCOL, missing);
    while (rc == PBAY_OK && pbay_json_next(list, &pos, NULL, &entry))
        rc = oai_item(o, c, name, place++, entry);
    return rc;
}

/* A stream of images: parts are previews, the completed one is the image. */
static pbay_rc image_event(struct openai *o, struct call *c, pbay_str data)
{
    pbay_str type = pbay_json_get(data, "type");

    if (pbay_json_is(type, "image_generation.completed")) {
        pbay_rc rc = oai_item(o, c, "image", c->images++, data);
        return rc == PBAY_OK ? oai_usage(o, c, pbay_json_get(data, "usage"))
                             : rc;
    }
    return PBAY_OK;
}

/* ------------------------------------------------------------------- models */

/* The list under whichever root it stands. */
static pbay_str model_list(pbay_str body)
{
    pbay_str list = pbay_json_get(body, "data");

    if (pbay_json_type(body) == 'a')
        return body;
    return has_items(list) ? list : pbay_json_get(body, "models");
}

static pbay_str first_of(pbay_str object, const char *const *names)
{
    for (; *names; names++) {
        pbay_str v = pbay_json_get(object, *names);
        if (v.n && pbay_json_type(v) != '0')
            return v;
    }
    return (pbay_str){NULL, 0};
}

static pbay_str model_id(pbay_str m)
{
    static const char *const names[] = {"id", "name", "model", NULL};
    pbay_str v = first_of(m, names);

    return pbay_json_type(v) == 's' ? v : (pbay_str){NULL, 0};
}

static void put(pbay_out *w, const char *name, pbay_str value, char type)
{
    if (pbay_json_type(value) != type)
        return;
    pbay_out_cstr(w, ",\"");
    pbay_out_cstr(w, name);
    pbay_out_cstr(w, "\":");
    pbay_out_raw(w, value);
}

/* The canonical item; what the provider calls these things varies. */
pbay_rc oai_model_item(struct openai *o, struct call *c, pbay_str m,
                       uint32_t place, pbay_out *w)
{
    static const char *const window[] = {"context_window", "context_length",
                                         "max_model_len", "max_context_length",
                                         NULL};
    static const char *const meta_window[] = {"n_ctx", "n_ctx_train", NULL};
    static const char *const output[] = {"max_output_tokens",
                                         "max_completion_tokens", NULL};
    static const char *const names[] = {"display_name", "name", NULL};
    pbay_str v;

    w->n = 0;
    pbay_out_cstr(w, "{\"id\":");
    pbay_out_raw(w, model_id(m));
    put(w, "name", first_of(m, names), 's');
    put(w, "created", pbay_json_get(m, "created"), 'n');
    put(w, "owned_by", pbay_json_get(m, "owned_by"), 's');
    v = first_of(m, window);
    if (!v.n)
        v = first_of(pbay_json_get(m, "meta"), meta_window);
    put(w, "context_window", v, 'n');
    v = first_of(m, output);
    if (!v.n)
        v = first_of(pbay_json_get(m, "top_provider"), output);
    put(w, "max_output", v, 'n');
    if (o->hooks && o->hooks->model)
        o->hooks->model(m, w);
    pbay_out_cstr(w, ",\"raw\":");
    pbay_out_raw(w, m);
    pbay_out_cstr(w, "}");
    if (w->failed)
        return PBAY_NOMEM;
    return oai_item(o, c, "model", place, (pbay_str){w->p, w->n});
}

static char lower(char b)
{
    return b >= 'A' && b <= 'Z' ? (char)(b - 'A' + 'a') : b;
}

int oai_contains(pbay_str text, pbay_str search)
{
    for (size_t i = 0; i + search.n <= text.n; i++) {
        size_t k = 0;
        while (k < search.n && lower(text.p[i + k]) == lower(search.p[k]))
            k++;
        if (k == search.n)
            return 1;
    }
    return search.n == 0;
}

/* Compares a JSON string with plain text. */
static int is_model(struct openai *o, struct call *c, pbay_str id)
{
    pbay_str text;

    if (id.n < c->model.n + 2)
        return 0;
    if (id.n == c->model.n + 2)
        return memcmp(id.p + 1, c->model.p, c->model.n) == 0;
    if (!memchr(id.p, '\\', id.n))
        return 0;
    text = pbay_text(o->host, c->call, id);
    return text.n == c->model.n && memcmp(text.p, c->model.p, text.n) == 0;
}

static pbay_rc models(struct openai *o, struct call *c, pbay_str body)
{
    void *with[2] = {o, c};
    pbay_out w = {.grow = oai_grow, .arg = with};
    pbay_str list = model_list(body), m;
    size_t pos = 0;
    uint32_t place = 0;
    pbay_rc rc = PBAY_OK;

    if (!has_items(list))
        return oai_error(o, c, PBAY_E_PROTOCOL, "the reply lists no models");
    while (rc == PBAY_OK && pbay_json_next(list, &pos, NULL, &m)) {
        pbay_str id = model_id(m);
        if (!id.n)
            continue;
        if (c->op == PBAY_OP_SHOW ? !is_model(o, c, id)
                                  : !oai_contains(id, c->search))
            continue;
        rc = oai_model_item(o, c, m, place++, &w);
        if (c->op == PBAY_OP_SHOW)
            break;
    }
    if (rc == PBAY_OK && c->op == PBAY_OP_SHOW && !place)
        return oai_error(o, c, PBAY_E_NOT_FOUND,
                         "the provider's list has no such model");
    return rc;
}

static pbay_rc show(struct openai *o, struct call *c, pbay_str body)
{
    void *with[2] = {o, c};
    pbay_out w = {.grow = oai_grow, .arg = with};

    if (o->lookup_in_list || !model_id(body).n)
        return models(o, c, body);
    return oai_model_item(o, c, body, 0, &w);
}

static pbay_rc health(struct openai *o, struct call *c, pbay_str body)
{
    pbay_str list = model_list(body);
    char text[64];

    if (!has_items(list))
        return oai_error(o, c, PBAY_E_PROTOCOL, "the reply lists no models");
    snprintf(text, sizeof text, "{\"ok\":true,\"detail\":\"%zu models\"}",
             count(list));
    return oai_item(o, c, "health", 0, (pbay_str){text, strlen(text)});
}

/* ---------------------------------------------------------------- the reply */

static pbay_rc read_items(struct openai *o, struct call *c, pbay_str body)
{
    switch (c->op) {
    case PBAY_OP_EMBED:
        return embeddings(o, c, body);
    case PBAY_OP_MODERATE:
        return plain_list(o, c, pbay_json_get(body, "results"), "moderation",
                          "the reply has no moderation results");
    case PBAY_OP_IMAGE:
        return plain_list(o, c, pbay_json_get(body, "data"), "image",
                          "the reply has no images");
    case PBAY_OP_LIST:
        return models(o, c, body);
    case PBAY_OP_SHOW:
        return show(o, c, body);
    default:
        return health(o, c, body);
    }
}

pbay_rc oai_items(struct openai *o, struct call *c, pbay_str body)
{
    int lists = c->op == PBAY_OP_LIST || c->op == PBAY_OP_SHOW ||
                c->op == PBAY_OP_HEALTH;
    pbay_rc rc = PBAY_NOSYS;

    if (o->hooks && o->hooks->items)
        rc = o->hooks->items(o, c, body);
    if (rc != PBAY_NOSYS)
        return rc;
    rc = PBAY_OK;
    if (!lists)
        rc = oai_begin(o, c, pbay_json_get(body, "id"),
                       pbay_json_get(body, "model"));
    if (rc == PBAY_OK)
        rc = oai_content(o, c);
    if (rc == PBAY_OK && c->framing == PBAY_FRAME_SSE)
        return image_event(o, c, body);
    if (rc == PBAY_OK)
        rc = read_items(o, c, body);
    if (rc == PBAY_OK && !lists)
        rc = oai_usage(o, c, pbay_json_get(body, "usage"));
    return rc;
}
