/* SPDX-License-Identifier: MIT */
/* llamacpp.so: the list of models, and one of them with its properties.  The
 * context window is the one that a request has (`n_ctx`, of one slot) where
 * the model is loaded, else the one that it was trained with. */
#include <stdio.h>
#include <string.h>

#include "llama.h"

static const char common[] =
    "\"text\",\"chat\",\"code\",\"translation\",\"summarisation\",\"tools\","
    "\"structured_output\"";

static int64_t whole(pbay_str object, const char *name)
{
    int64_t v;

    return pbay_json_i64(pbay_json_get(object, name), &v) == 0 && v > 0 ? v : 0;
}

static int64_t window_of(pbay_str entry)
{
    pbay_str meta = pbay_json_get(entry, "meta");
    int64_t v = whole(meta, "n_ctx");

    if (!v)
        v = whole(meta, "n_ctx_train");
    return v ? v : whole(entry, "context_length");
}

static int has_word(pbay_str list, const char *word)
{
    pbay_str v;
    size_t pos = 0;

    while (pbay_json_next(list, &pos, NULL, &v))
        if (pbay_json_is(v, word))
            return 1;
    return 0;
}

static int takes_images(pbay_str entry)
{
    return has_word(
        pbay_json_get(pbay_json_get(entry, "architecture"), "input_modalities"),
        "image");
}

/* ---------------------------------------------------------------------- raw */

static void copy_members(pbay_out *w, pbay_str object,
                         const char *const *without, int any)
{
    pbay_str key, value;
    size_t pos = 0;

    while (pbay_json_next(object, &pos, &key, &value)) {
        const char *const *o = without;
        while (*o && !(strlen(*o) == key.n && !memcmp(*o, key.p, key.n)))
            o++;
        if (*o)
            continue;
        pbay_out_cstr(w, any++ ? ",\"" : "\"");
        pbay_out_raw(w, key);
        pbay_out_cstr(w, "\":");
        pbay_out_raw(w, value);
    }
}

/* The entry as it is, but for the command line in a router's `status`: that may
 * have keys in it. */
static void put_entry(pbay_out *w, pbay_str entry)
{
    static const char *const outer[] = {"status", NULL};
    static const char *const inner[] = {"args", "preset", NULL};
    pbay_str status = pbay_json_get(entry, "status");

    pbay_out_cstr(w, "{");
    if (pbay_json_type(status) == 'o') {
        pbay_out_cstr(w, "\"status\":{");
        copy_members(w, status, inner, 0);
        pbay_out_cstr(w, "}");
    }
    copy_members(w, entry, outer, pbay_json_type(status) == 'o');
    pbay_out_cstr(w, "}");
}

/* ---------------------------------------------------------------- one model */

static void put_if(pbay_out *w, const char *name, pbay_str value, char type)
{
    if (pbay_json_type(value) != type)
        return;
    pbay_out_cstr(w, ",\"");
    pbay_out_cstr(w, name);
    pbay_out_cstr(w, "\":");
    pbay_out_raw(w, value);
}

/* The canonical item up to its `raw`. */
static void put_model(pbay_out *w, pbay_str entry, int64_t window, int sees)
{
    pbay_out_cstr(w, "{\"id\":");
    pbay_out_raw(w, pbay_json_get(entry, "id"));
    put_if(w, "created", pbay_json_get(entry, "created"), 'n');
    put_if(w, "owned_by", pbay_json_get(entry, "owned_by"), 's');
    if (window) {
        pbay_out_cstr(w, ",\"context_window\":");
        pbay_out_i64(w, window);
    }
    pbay_out_cstr(w, ",\"capabilities\":[");
    pbay_out_cstr(w, common);
    if (sees)
        pbay_out_cstr(w, ",\"vision\"");
    pbay_out_cstr(w, "],\"raw\":");
}

static pbay_rc emit_entry(struct llama *l, struct ask *a, pbay_out *w,
                          pbay_str entry, uint32_t place)
{
    w->n = 0;
    put_model(w, entry, window_of(entry), takes_images(entry));
    put_entry(w, entry);
    pbay_out_cstr(w, "}");
    if (w->failed)
        return PBAY_NOMEM;
    return oai_item(&l->oai, &a->c, "model", place, (pbay_str){w->p, w->n});
}

/* --------------------------------------------------------------------- list */

static pbay_rc list(struct llama *l, struct ask *a, pbay_str data)
{
    void *with[2] = {l, a};
    pbay_out w = {.grow = oai_grow, .arg = with};
    pbay_str entry;
    size_t pos = 0;
    uint32_t place = 0;
    pbay_rc rc = PBAY_OK;

    while (rc == PBAY_OK && pbay_json_next(data, &pos, NULL, &entry)) {
        pbay_str id = pbay_json_get(entry, "id");
        if (pbay_json_type(id) == 's' && oai_contains(id, a->c.search))
            rc = emit_entry(l, a, &w, entry, place++);
    }
    return rc;
}

/* ----------------------------------------------------------------------- ps */

/* A router says of each what becomes of it; what a server of one model lists is
 * in memory. */
static int runs(pbay_str entry)
{
    pbay_str state = pbay_json_get(pbay_json_get(entry, "status"), "value");

    return !state.n || pbay_json_is(state, "loaded") ||
           pbay_json_is(state, "loading") || pbay_json_is(state, "sleeping");
}

static pbay_rc running(struct llama *l, struct ask *a, pbay_str data)
{
    void *with[2] = {l, a};
    pbay_out w = {.grow = oai_grow, .arg = with};
    pbay_str entry;
    size_t pos = 0;
    uint32_t place = 0;
    pbay_rc rc = PBAY_OK;

    while (rc == PBAY_OK && pbay_json_next(data, &pos, NULL, &entry)) {
        pbay_str id = pbay_json_get(entry, "id");
        int64_t size = whole(pbay_json_get(entry, "meta"), "size");
        if (pbay_json_type(id) != 's' || !runs(entry))
            continue;
        w.n = 0;
        pbay_out_cstr(&w, "{\"model\":");
        pbay_out_raw(&w, id);
        if (size) {
            pbay_out_cstr(&w, ",\"size\":");
            pbay_out_i64(&w, size);
        }
        if (window_of(entry)) {
            pbay_out_cstr(&w, ",\"context_window\":");
            pbay_out_i64(&w, window_of(entry));
        }
        pbay_out_cstr(&w, ",\"raw\":");
        put_entry(&w, entry);
        pbay_out_cstr(&w, "}");
        rc = w.failed ? PBAY_NOMEM
                      : oai_item(&l->oai, &a->c, "running", place++,
                                 (pbay_str){w.p, w.n});
    }
    return rc;
}

/* --------------------------------------------------------------------- show */

/* Is this the name of the entry, or another name of it? */
static int named(struct llama *l, struct ask *a, pbay_str name)
{
    pbay_str text = name;

    if (pbay_json_type(name) != 's' || name.n < a->model.n + 2)
        return 0;
    if (memchr(name.p, '\\', name.n))
        text = pbay_text(l->oai.host, a->c.call, name);
    else
        text = (pbay_str){name.p + 1, name.n - 2};
    return text.n == a->model.n && !memcmp(text.p, a->model.p, text.n);
}

static int is_entry(struct llama *l, struct ask *a, pbay_str entry)
{
    pbay_str v;
    size_t pos = 0;

    if (named(l, a, pbay_json_get(entry, "id")))
        return 1;
    while (pbay_json_next(pbay_json_get(entry, "aliases"), &pos, NULL, &v))
        if (named(l, a, v))
            return 1;
    return 0;
}

/* The first reply: which entry, and is there a process to ask for more? */
static pbay_rc show_entry(struct llama *l, struct ask *a, pbay_str data)
{
    void *with[2] = {l, a};
    pbay_out w = {.grow = oai_grow, .arg = with};
    pbay_str entry, state;
    size_t pos = 0;

    while (pbay_json_next(data, &pos, NULL, &entry))
        if (is_entry(l, a, entry))
            break;
    if (!entry.n || !is_entry(l, a, entry)) {
        a->c.failed = 1;
        return pbay_fail(l->oai.host, a->c.call, PBAY_E_NOT_FOUND, "model",
                         "llama-server's list has no such model");
    }
    state = pbay_json_get(pbay_json_get(entry, "status"), "value");
    if (state.n && !pbay_json_is(state, "loaded") &&
        !pbay_json_is(state, "sleeping"))
        return emit_entry(l, a, &w, entry, 0);
    a->entry = ll_copy(l, a, entry);
    a->window = window_of(entry);
    a->sees = takes_images(entry);
    a->more = 1;
    return a->entry.n ? PBAY_OK : PBAY_NOMEM;
}

/* How many there are and how many work: what they work on is nobody's
 * business. */
static void put_slots(pbay_out *w, pbay_str slots)
{
    pbay_str v;
    size_t pos = 0;
    int64_t n = 0, busy = 0;

    while (pbay_json_next(slots, &pos, NULL, &v)) {
        n++;
        busy += pbay_json_true(pbay_json_get(v, "is_processing"));
    }
    pbay_out_cstr(w, ",\"slots\":{\"total\":");
    pbay_out_i64(w, n);
    pbay_out_cstr(w, ",\"busy\":");
    pbay_out_i64(w, busy);
    pbay_out_cstr(w, "}");
}

static pbay_rc shown(struct llama *l, struct ask *a, pbay_str slots)
{
    void *with[2] = {l, a};
    pbay_out w = {.grow = oai_grow, .arg = with};

    put_model(&w, a->entry, a->window, a->sees);
    pbay_out_cstr(&w, "{\"model\":");
    put_entry(&w, a->entry);
    pbay_out_cstr(&w, ",\"props\":");
    pbay_out_raw(&w, a->props);
    if (slots.n)
        put_slots(&w, slots);
    pbay_out_cstr(&w, "}}");
    if (w.failed)
        return PBAY_NOMEM;
    return oai_item(&l->oai, &a->c, "model", 0, (pbay_str){w.p, w.n});
}

/* The second reply: what the running model can. */
static pbay_rc show_props(struct llama *l, struct ask *a, pbay_str props)
{
    static const pbay_str none = {NULL, 0};
    pbay_str settings = pbay_json_get(props, "default_generation_settings");
    int64_t window = whole(settings, "n_ctx");

    if (pbay_json_type(settings) != 'o')
        return oai_error(&l->oai, &a->c, PBAY_E_PROTOCOL,
                         "the reply has no properties of a model");
    if (window)
        a->window = window;
    a->sees |= pbay_json_true(
        pbay_json_get(pbay_json_get(props, "modalities"), "vision"));
    a->props = ll_copy(l, a, props);
    if (!a->props.n)
        return PBAY_NOMEM;
    if (!pbay_json_true(pbay_json_get(props, "endpoint_slots")))
        return shown(l, a, none);
    a->more = 1;
    return PBAY_OK;
}

pbay_rc ll_models(struct llama *l, struct ask *a, pbay_str body)
{
    pbay_str data = pbay_json_get(body, "data");

    if (a->props.n)
        return pbay_json_type(body) == 'a'
                   ? shown(l, a, body)
                   : oai_error(&l->oai, &a->c, PBAY_E_PROTOCOL,
                               "the reply is no list of slots");
    if (a->entry.n)
        return show_props(l, a, body);
    if (pbay_json_type(data) != 'a')
        return oai_error(&l->oai, &a->c, PBAY_E_PROTOCOL,
                         "the reply lists no models");
    return a->op == PBAY_OP_SHOW ? show_entry(l, a, data)
           : a->op == PBAY_OP_PS ? running(l, a, data)
                                 : list(l, a, data);
}
