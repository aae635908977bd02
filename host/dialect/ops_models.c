/* SPDX-License-Identifier: MIT */
/* Queries of the models list; deleting a model. */
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "dialect/ops.h"
#include "dialect/ops_int.h"

/* --- queries ------------------------------------------------------------- */

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static pbay_str decode(struct dialog *x, pbay_str v)
{
    char *p = arena_bytes(&x->req->arena, v.n + 1);
    size_t n = 0;

    for (size_t i = 0; p && i < v.n; i++) {
        char c = v.p[i];
        if (c == '+') {
            c = ' ';
        } else if (c == '%' && v.n - i > 2 && hex(v.p[i + 1]) >= 0 &&
                   hex(v.p[i + 2]) >= 0) {
            c = (char)(hex(v.p[i + 1]) << 4 | hex(v.p[i + 2]));
            i += 2;
        }
        p[n++] = c;
    }
    return str_n(p ? p : "", n);
}

pbay_str ops_query(struct dialog *x, const char *name)
{
    pbay_str rest = x->req->head->query;

    while (rest.n) {
        pbay_str value = str_cut(&rest, '&'), key = str_cut(&value, '=');
        if (str_is(key, name))
            return decode(x, value);
    }
    return STR_NONE;
}

int ops_read_wish(struct dialog *x, struct model_wish *w, struct err *e)
{
    pbay_str rest = x->req->head->query;
    const struct snapshot *s = x->d->manager->current;
    const struct instance *in = NULL;

    *w = (struct model_wish){0};
    while (rest.n) {
        pbay_str value = str_cut(&rest, '&'), key = str_cut(&value, '=');
        /* Other names are other programs' (limit, after): they do nothing. */
        if (model_wish_set(w, key, decode(x, value), e) < 0)
            return -1;
    }
    if (w->provider.n && s)
        in = snapshot_find(s, w->provider);
    if (w->provider.n && s && !in) {
        dl_bad(e, "provider", "unknown_provider",
               "there is no provider \"%.*s\"; see GET /v1/providers",
               STR_ARG(w->provider));
        return -1;
    }
    if (in)
        w->provider = str_c(in->name);
    return 0;
}

/* --- what a provider has is another list now ------------------------------ */

static void relisted(void *arg)
{
    (void)arg;
}

void ops_relist(struct dialog *x, const char *provider)
{
    listing_start(x->d->manager, provider, -1, relisted, NULL);
}

void ops_put_id(struct buf *b, const struct call_report *r)
{
    struct buf name;

    buf_init(&name, LIM_KIB(64));
    buf_printf(&name, "%s/", r->provider);
    buf_add(&name, r->model);
    buf_json(b, buf_str(&name));
    buf_done(&name);
}

/* --- deleting ------------------------------------------------------------ */

static void delete_begin(void *arg, const struct call_head *h,
                         const struct call_report *r)
{
    (void)arg;
    (void)h;
    (void)r;
}

static void delete_bytes(void *arg, pbay_str raw)
{
    (void)arg;
    (void)raw; /* never: only events are asked for */
}

static void delete_event(void *arg, const pbay_event *ev)
{
    (void)arg;
    (void)ev; /* it has none */
}

static void delete_end(void *arg, const struct err *e,
                       const struct call_report *r)
{
    struct dialog *x = arg;
    struct buf b;

    x->call = NULL;
    dl_route_headers(x, r);
    if (e) {
        dl_error(x, e);
        return;
    }
    ops_relist(x, r->provider);
    buf_init(&b, LIM_MIB(1));
    buf_addc(&b, "{\"id\":");
    ops_put_id(&b, r);
    buf_addc(&b, ",\"object\":\"model\",\"deleted\":true}");
    dl_json(x, 200, buf_str(&b));
    buf_done(&b);
}

static const struct call_sink delete_sink = {delete_begin, delete_bytes,
                                             delete_event, delete_end};

void ops_delete(struct dialog *x)
{
    x->model = x->rest;
    x->body = STR("{}");
    ops_start(x, NULL, &delete_sink);
}
