/* SPDX-License-Identifier: MIT */
/* The verbs "models" (search, filter, order) and "op" (any operation). */
#include <stdlib.h>
#include <string.h>

#include "admin/control_int.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/str.h"
#include "manager/model_find.h"
#include "manager/op.h"
#include <patchbay/json.h>

#define RESULT_MAX (LIM_CTL_LINE - LIM_KIB(1))

/* --- models -------------------------------------------------------------- */

static void put_model(struct buf *b, const struct model_row *m)
{
    struct buf full;
    pbay_str key, value;
    size_t pos = 0;

    buf_init(&full, LIM_MIB(1));
    buf_printf(&full, "%s/", m->provider);
    buf_add(&full, m->id);
    buf_addc(b, "{\"id\":");
    buf_json(b, buf_str(&full));
    buf_addc(b, ",\"provider\":");
    buf_json(b, str_c(m->provider));
    buf_addc(b, ",\"model\":");
    buf_json(b, m->id);
    while (pbay_json_next(m->json, &pos, &key, &value) > 0) {
        if (str_is(key, "id") || str_is(key, "raw") ||
            str_is(key, "provider") || str_is(key, "model"))
            continue;
        buf_addc(b, ",\"");
        buf_add(b, key);
        buf_addc(b, "\":");
        buf_add(b, value);
    }
    buf_addc(b, "}");
    buf_done(&full);
}

static void put_failed(struct ctl_conn *c, struct buf *b)
{
    const struct snapshot *s = c->host->snapshot;
    const char *sep = "";
    char why[1024];

    for (size_t i = 0; i < s->n; i++) {
        const struct instance *in = s->instances[i];
        if ((c->provider && strcmp(c->provider, in->name) != 0) ||
            !model_index_why(c->host->models, in->name, why, sizeof(why)))
            continue;
        buf_printf(b, "%s{\"provider\":", sep);
        buf_json(b, str_c(in->name));
        buf_addc(b, ",\"reason\":");
        buf_json(b, str_c(why));
        buf_addc(b, "}");
        sep = ",";
    }
}

static void models_listed(void *arg)
{
    struct ctl_conn *c = arg;
    struct model_row *rows;
    struct arena a;
    struct buf b;
    size_t n;

    c->listing = NULL;
    arena_init(&a, LIM_CTL_LINE);
    if (model_find(c->host->snapshot, c->host->models, c->wish, &a, &rows, &n) <
        0) {
        arena_done(&a);
        ctl_fail(c, ERR_REPLY_TOO_LARGE, "the list of models is too large");
        return;
    }
    buf_init(&b, RESULT_MAX);
    buf_addc(&b, "{\"models\":[");
    for (size_t i = 0; i < n; i++) {
        buf_addc(&b, i ? "," : "");
        put_model(&b, &rows[i]);
    }
    buf_addc(&b, "],\"failed\":[");
    put_failed(c, &b);
    arena_done(&a);
    if (buf_addc(&b, "]}") < 0)
        ctl_fail(c, ERR_REPLY_TOO_LARGE, "the list of models is too large");
    else
        ctl_ok(c, buf_str(&b));
    buf_done(&b);
}

/* The arguments' words stay as long as the connection's copy of them. */
static int read_wish(struct ctl_conn *c, struct json_object *args,
                     struct err *e)
{
    static const char *const words[] = {"search", "sort", "capability"};

    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        pbay_str v = js_str(args, words[i], STR_NONE);
        pbay_str kept = v.n ? arena_dup(&c->wish_arena, v) : STR_NONE;
        if (kept.n && model_wish_set(c->wish, str_c(words[i]), kept, e) < 0)
            return -1;
    }
    c->wish->free = js_bool(args, "free", false);
    c->wish->provider = str_c(c->provider);
    return 0;
}

void ctl_models(struct ctl_conn *c, struct json_object *args)
{
    const char *name = js_cstr(args, "provider", NULL);
    struct listing_job *job;
    struct err e;

    if (name && !(name = ctl_provider(c, name)))
        return;
    c->provider = name ? strdup(name) : NULL;
    arena_init(&c->wish_arena, LIM_KIB(64));
    c->wish = arena_alloc(&c->wish_arena, sizeof(*c->wish));
    err_clear(&e);
    if (!c->wish) {
        ctl_fail(c, ERR_INTERNAL, "out of memory");
        return;
    }
    if (read_wish(c, args, &e) < 0) {
        ctl_error(c, &e);
        return;
    }
    job = listing_start(&c->host->control_seat->manager, c->provider,
                        js_bool(args, "refresh", false) ? -1 : LISTING_FRESH_MS,
                        models_listed, c);
    if (job)
        c->listing = job;
}

/* --- any operation ------------------------------------------------------- */

void ctl_run_op(struct ctl_conn *c, struct json_object *args)
{
    const char *name = js_cstr(args, "op", "");
    const char *provider = js_cstr(args, "provider", NULL);
    struct json_object *body = js_typed(args, "body", json_type_object);
    pbay_str model = js_str(body, "model", STR_NONE);
    const struct instance *in;
    int op = op_by_name(name);
    struct err e;

    /* What is raw has a door of its own, which looks at the path. */
    if (!op || op == PBAY_OP_RAW) {
        ctl_fail(c, ERR_NOT_SUPPORTED, "there is no operation \"%s\"", name);
        return;
    }
    if (provider && !(provider = ctl_provider(c, provider)))
        return;
    if (op == PBAY_OP_PULL && !provider) {
        err_clear(&e);
        if (op_pull_target(c->host->snapshot, model, &in, &model, &e) < 0) {
            ctl_error(c, &e);
            return;
        }
        provider = in->name;
        if (body)
            js_add_str(body, "model", model);
    }
    ctl_call(c, op, provider, body, false);
}
