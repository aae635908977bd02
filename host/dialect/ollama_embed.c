/* SPDX-License-Identifier: MIT */
/* Ollama's POST /api/embed, and the older /api/embeddings for one text.
 *
 * model, input (text or a list; prompt in the older one) and dimensions are as
 * they are; truncate, keep_alive and options are left out with a warning, since
 * they set up Ollama's runner.  Anything else is refused by name. */
#include "dialect/ollama.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include <patchbay/json.h>

static bool old(const struct dialog *x)
{
    return strcmp(x->route->path, "/api/embeddings") == 0;
}

/* Where each vector is in x->whole.  Providers number them and may send them in
 * any order; here their place is all there is. */
struct places {
    struct place {
        uint32_t choice;
        size_t at, n;
    } * v;
    size_t n, room;
};

static bool remember(struct dialog *x, uint32_t choice, size_t at, size_t n)
{
    struct places *p = x->own;
    struct place *v;

    if (!p)
        p = x->own = arena_alloc(&x->req->arena, sizeof(*p));
    if (p && p->n == p->room) {
        p->room = p->room ? p->room * 2 : 64;
        v = arena_alloc(&x->req->arena, p->room * sizeof(*v));
        if (v && p->n)
            memcpy(v, p->v, p->n * sizeof(*v));
        p->v = v;
    }
    if (!p || !p->v)
        return false;
    p->v[p->n++] = (struct place){choice, at, n};
    return true;
}

static int by_choice(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    return (x->choice > y->choice) - (x->choice < y->choice);
}

/* All of them in their order; -1: one is missing, or there twice. */
static int put_vectors(struct dialog *x, struct buf *b)
{
    struct places *p = x->own;
    int rc = 0;

    if (p)
        qsort(p->v, p->n, sizeof(*p->v), by_choice);
    for (size_t i = 0; p && i < p->n; i++) {
        if (p->v[i].choice != i)
            return -1;
        rc |= i ? buf_addc(b, ",") : 0;
        rc |= buf_add(b, str_n(buf_str(&x->whole).p + p->v[i].at, p->v[i].n));
    }
    return rc;
}

static void embed_begin(void *arg, const struct call_head *h,
                        const struct call_report *r)
{
    struct dialog *x = arg;

    (void)h;
    dl_route_headers(x, r);
    buf_init(&x->whole, LIM_REPLY);
}

static void embed_bytes(void *arg, pbay_str raw)
{
    (void)arg;
    (void)raw; /* never: only events are asked for */
}

/* encoding_format is float: no other form comes. */
static void embed_event(void *arg, const pbay_event *ev)
{
    struct dialog *x = arg;
    struct buf *b = &x->whole;
    size_t at = b->n;
    int rc;

    if (ev->type != PBAY_EV_VECTOR || (old(x) && b->n))
        return;
    rc = buf_addc(b, "[");
    if (ev->code != PBAY_VEC_F32)
        rc = -1;
    for (size_t i = 0; i + sizeof(float) <= ev->text.n && rc == 0;
         i += sizeof(float)) {
        float f;
        memcpy(&f, ev->text.p + i, sizeof(f));
        rc |= isfinite(f) ? buf_printf(b, i ? ",%.9g" : "%.9g", (double)f) : -1;
    }
    if ((rc | buf_addc(b, "]")) < 0 ||
        (!old(x) && !remember(x, ev->choice, at, b->n - at)))
        x->lost = true;
}

static void embed_end(void *arg, const struct err *e,
                      const struct call_report *r)
{
    struct dialog *x = arg;
    long long ns =
        (long long)(clock_now(x->d->manager->loop->clock) - x->started) *
        1000000;
    struct err mixed;
    struct buf b;

    x->call = NULL;
    if (e || x->lost) {
        ol_failed(x, e, r);
        return;
    }
    buf_init(&b, LIM_REPLY + LIM_MIB(1));
    if (old(x)) {
        buf_addc(&b, "{\"embedding\":");
        buf_add(&b, x->whole.n ? buf_str(&x->whole) : STR("[]"));
    } else {
        buf_addc(&b, "{\"model\":");
        buf_json(&b, r->model_answered.n ? r->model_answered : x->model);
        buf_addc(&b, ",\"embeddings\":[");
        if (put_vectors(x, &b) < 0) {
            err_clear(&mixed);
            err_set(&mixed, PBAY_E_PROTOCOL,
                    "the reply's embeddings are not numbered one by one");
            buf_done(&b);
            ol_failed(x, &mixed, r);
            return;
        }
        buf_printf(&b, "],\"total_duration\":%lld", ns);
        if (r->usage.known & PBAY_U_INPUT)
            buf_printf(&b, ",\"prompt_eval_count\":%llu",
                       (unsigned long long)r->usage.input);
    }
    buf_addc(&b, "}");
    dl_json(x, 200, buf_str(&b));
    buf_done(&b);
}

static const struct call_sink embed_sink = {embed_begin, embed_bytes,
                                            embed_event, embed_end};

static bool one_of(pbay_str name, const char *const *set)
{
    while (*set && !str_is(name, *set))
        set++;
    return *set != NULL;
}

/* 0, or -1 with *e that names the field. */
static int check_names(struct dialog *x, struct err *e)
{
    const char *const taken[] = {"model", old(x) ? "prompt" : "input", "stream",
                                 "dimensions", NULL};
    static const char *const left[] = {"truncate", "keep_alive", "options",
                                       NULL};
    struct buf b;

    for (size_t i = 0; i < x->n_members; i++) {
        pbay_str name = x->members[i].k;
        if (one_of(name, taken) || pbay_json_type(x->members[i].v) == '0')
            continue;
        buf_init(&b, LIM_KIB(1));
        buf_printf(&b, "%.*s: ", STR_ARG(str_head(name, 64)));
        if (!one_of(name, left)) {
            err_set(e, PBAY_E_INVALID,
                    "%.*s: there is no such field here; remove it",
                    STR_ARG(str_head(name, 64)));
            buf_done(&b);
            return -1;
        }
        buf_addc(&b, "left out, it is for Ollama's own runner");
        dl_add_header(x, "x-patchbay-warning", buf_str(&b));
        buf_done(&b);
    }
    return 0;
}

static void start(struct dialog *x, const char *field)
{
    pbay_str input = pbay_json_find(x->members, x->n_members, field);
    pbay_str dims = pbay_json_find(x->members, x->n_members, "dimensions");
    struct call_body canonical;
    struct buf b;
    struct err e;
    int rc;

    err_clear(&e);
    if (!input.p || pbay_json_type(input) == '0') {
        dl_bad(&e, field, "missing_required_parameter", "%s is required",
               field);
        dl_error(x, &e);
        return;
    }
    if (dims.p && !strchr("n0", pbay_json_type(dims)))
        dl_bad(&e, "dimensions", "invalid_type",
               "dimensions: must be a number");
    if (e.kind || check_names(x, &e) < 0) {
        dl_error(x, &e);
        return;
    }
    buf_init(&b, LIM_HTTP_BODY * 2);
    rc = buf_addc(&b, "{\"encoding_format\":\"float\",\"input\":") |
         buf_add(&b, input);
    if (pbay_json_type(dims) == 'n')
        rc |= buf_addc(&b, ",\"dimensions\":") | buf_add(&b, dims);
    rc |= buf_addc(&b, "}");
    if (rc)
        err_set(&e, ERR_INTERNAL, "out of memory");
    else
        rc = dl_keep_body(x, buf_str(&b), &canonical, &e);
    buf_done(&b);
    if (rc) {
        dl_error(x, &e);
        return;
    }
    dl_use_body(x, &canonical);
    x->stream = false;
    ol_start(x, NULL, &embed_sink);
}

void ol_embed(struct dialog *x, pbay_str body)
{
    if (ol_read(x, body) == 0)
        start(x, "input");
}

void ol_embeddings(struct dialog *x, pbay_str body)
{
    if (ol_read(x, body) == 0)
        start(x, "prompt");
}
