/* SPDX-License-Identifier: MIT */
/* claude.so: replies that are no messages: models, counts, health. */
#include <stdio.h>
#include <string.h>

#include "claude.h"

static pbay_rc item(struct claude *o, struct call *c, const char *name,
                    uint32_t index, pbay_str json)
{
    pbay_event ev = {.type = PBAY_EV_ITEM, .index = index, .json = json};

    ev.name = (pbay_str){name, strlen(name)};
    return cl_wants(c, PBAY_EV_ITEM) ? cl_emit(o, c, &ev) : PBAY_OK;
}

/* ------------------------------------------------------------------- models */

static void put(pbay_out *w, const char *name, pbay_str value, char type)
{
    if (pbay_json_type(value) != type)
        return;
    pbay_out_cstr(w, ",\"");
    pbay_out_cstr(w, name);
    pbay_out_cstr(w, "\":");
    pbay_out_raw(w, value);
}

/* A capability is true, or an object that says whether it is there. */
static int has(pbay_str all, const char *name)
{
    pbay_str v = pbay_json_get(all, name), said = pbay_json_get(v, "supported");
    size_t pos = 0;

    if (pbay_json_type(v) != 'o')
        return pbay_json_true(v);
    return said.n ? pbay_json_true(said) : pbay_json_next(v, &pos, NULL, &said);
}

static void put_capabilities(pbay_out *w, pbay_str model)
{
    static const char *const names[][2] = {
        {"image_input", "vision"}, {"structured_outputs", "structured_output"}};
    pbay_str all = pbay_json_get(model, "capabilities");
    int64_t window;

    if (pbay_json_type(all) != 'o')
        return;
    pbay_out_cstr(w, ",\"capabilities\":[\"text\",\"chat\",\"code\","
                     "\"translation\",\"summarisation\",\"tools\"");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (has(all, names[i][0])) {
            pbay_out_cstr(w, ",\"");
            pbay_out_cstr(w, names[i][1]);
            pbay_out_cstr(w, "\"");
        }
    if (has(all, "thinking") || has(all, "effort"))
        pbay_out_cstr(w, ",\"reasoning\"");
    if (pbay_json_i64(pbay_json_get(model, "max_input_tokens"), &window) == 0 &&
        window >= 100000)
        pbay_out_cstr(w, ",\"long_context\"");
    pbay_out_cstr(w, "]");
}

static void put_created(struct claude *o, struct call *c, pbay_out *w,
                        pbay_str model)
{
    int64_t ms = cl_rfc3339(
        pbay_text(o->host, c->call, pbay_json_get(model, "created_at")));

    if (ms < 0)
        return;
    pbay_out_cstr(w, ",\"created\":");
    pbay_out_i64(w, ms / 1000);
}

static pbay_rc model_item(struct claude *o, struct call *c, pbay_str m,
                          pbay_out *w)
{
    w->n = 0;
    pbay_out_cstr(w, "{\"id\":");
    pbay_out_raw(w, pbay_json_get(m, "id"));
    put(w, "name", pbay_json_get(m, "display_name"), 's');
    put_created(o, c, w, m);
    pbay_out_cstr(w, ",\"owned_by\":\"anthropic\"");
    put(w, "context_window", pbay_json_get(m, "max_input_tokens"), 'n');
    put(w, "max_output", pbay_json_get(m, "max_tokens"), 'n');
    put_capabilities(w, m);
    pbay_out_cstr(w, ",\"raw\":");
    pbay_out_raw(w, m);
    pbay_out_cstr(w, "}");
    if (w->failed)
        return PBAY_NOMEM;
    return item(o, c, "model", c->n_models++, (pbay_str){w->p, w->n});
}

static char lower(char b)
{
    return b >= 'A' && b <= 'Z' ? (char)(b - 'A' + 'a') : b;
}

/* Is the searched text in the id, whatever the case? */
static int matches(pbay_str id, pbay_str search)
{
    for (size_t i = 0; i + search.n <= id.n; i++) {
        size_t k = 0;
        while (k < search.n && lower(id.p[i + k]) == lower(search.p[k]))
            k++;
        if (k == search.n)
            return 1;
    }
    return search.n == 0;
}

/* Is there another page, and after which model? */
static pbay_rc next_page(struct claude *o, struct call *c, pbay_str body)
{
    pbay_str last = pbay_json_get(body, "last_id"), text;

    if (!pbay_json_true(pbay_json_get(body, "has_more")))
        return PBAY_OK;
    text = pbay_text(o->host, c->call, last);
    if (!text.n || text.n > sizeof c->after)
        return cl_error(o, c, PBAY_E_PROTOCOL,
                        "the list goes on, but not after which model");
    if (text.n == c->after_n && memcmp(text.p, c->after, text.n) == 0)
        return cl_error(o, c, PBAY_E_PROTOCOL,
                        "the list goes on for ever: a page came twice");
    memcpy(c->after, text.p, text.n);
    c->after_n = text.n;
    c->more = 1;
    return PBAY_OK;
}

static pbay_rc models(struct claude *o, struct call *c, pbay_str body)
{
    void *with[2] = {o, c};
    pbay_out w = {.grow = cl_grow, .arg = with};
    pbay_str list = pbay_json_get(body, "data"), m;
    size_t pos = 0;
    pbay_rc rc = PBAY_OK;

    if (pbay_json_type(list) != 'a')
        return cl_error(o, c, PBAY_E_PROTOCOL, "the reply lists no models");
    while (rc == PBAY_OK && pbay_json_next(list, &pos, NULL, &m)) {
        pbay_str id = pbay_json_get(m, "id");
        if (pbay_json_type(id) == 's' && matches(id, c->search))
            rc = model_item(o, c, m, &w);
    }
    return rc == PBAY_OK ? next_page(o, c, body) : rc;
}

static pbay_rc show(struct claude *o, struct call *c, pbay_str body)
{
    void *with[2] = {o, c};
    pbay_out w = {.grow = cl_grow, .arg = with};

    if (pbay_json_type(pbay_json_get(body, "id")) != 's')
        return cl_error(o, c, PBAY_E_PROTOCOL, "the reply is no model");
    return model_item(o, c, body, &w);
}

/* ------------------------------------------------------------------- others */

static pbay_rc count(struct claude *o, struct call *c, pbay_str body)
{
    char text[64];
    int64_t n;

    if (pbay_json_i64(pbay_json_get(body, "input_tokens"), &n) < 0 || n < 0)
        return cl_error(o, c, PBAY_E_PROTOCOL, "the reply has no count");
    snprintf(text, sizeof text, "{\"input_tokens\":%lld}", (long long)n);
    return item(o, c, "count", 0, (pbay_str){text, strlen(text)});
}

static pbay_rc health(struct claude *o, struct call *c, pbay_str body)
{
    if (pbay_json_type(pbay_json_get(body, "data")) != 'a')
        return cl_error(o, c, PBAY_E_PROTOCOL, "the reply lists no models");
    return item(o, c, "health", 0,
                CL("{\"ok\":true,\"detail\":\"models are listed\"}"));
}

pbay_rc cl_items(struct claude *o, struct call *c, pbay_str body)
{
    pbay_rc rc = cl_content(o, c);

    if (rc != PBAY_OK)
        return rc;
    switch (c->op) {
    case PBAY_OP_COUNT:
        return count(o, c, body);
    case PBAY_OP_LIST:
        return models(o, c, body);
    case PBAY_OP_SHOW:
        return show(o, c, body);
    default:
        return health(o, c, body);
    }
}
