/* SPDX-License-Identifier: MIT */
/* Counting the tokens of a chat, for the client APIs that have a URL for it. */
#include "base/limits.h"
#include "base/str.h"
#include "base/tokens.h"
#include "dialect/dialog.h"
#include "manager/count.h"
#include <patchbay/json.h>

/* What stands around the number; a dialog's own. */
struct around {
    const char *before, *after;
};

static void reply(struct dialog *x, pbay_str n)
{
    const struct around *a = x->own;
    struct buf b;

    buf_init(&b, LIM_KIB(4));
    buf_addc(&b, a->before);
    buf_add(&b, n);
    buf_addc(&b, a->after);
    dl_json(x, 200, buf_str(&b));
    buf_done(&b);
}

static void count_begin(void *arg, const struct call_head *h,
                        const struct call_report *r)
{
    struct dialog *x = arg;

    (void)h;
    dl_route_headers(x, r);
}

static void count_bytes(void *arg, pbay_str raw)
{
    (void)arg;
    (void)raw; /* never: only events are asked for */
}

static void count_event(void *arg, const pbay_event *ev)
{
    struct dialog *x = arg;

    if (ev->type == PBAY_EV_ITEM && str_is(ev->name, "count") &&
        pbay_json_type(pbay_json_get(ev->json, "input_tokens")) == 'n') {
        buf_done(&x->whole);
        buf_init(&x->whole, LIM_KIB(1));
        buf_add(&x->whole, pbay_json_get(ev->json, "input_tokens"));
    }
}

/* The provider cannot count, or cannot be reached: then the host does. */
static bool estimate(struct dialog *x, const struct err *e)
{
    struct buf n;

    if (!count_may_estimate(e))
        return false;
    x->n_headers = 0;
    dl_route_headers(x, NULL);
    dl_add_header(x, "x-patchbay-estimate", STR("true"));
    buf_init(&n, LIM_KIB(1));
    buf_printf(&n, "%llu",
               (unsigned long long)tokens_of_chat(x->members, x->n_members));
    reply(x, buf_str(&n));
    buf_done(&n);
    return true;
}

static void count_end(void *arg, const struct err *e,
                      const struct call_report *r)
{
    struct dialog *x = arg;
    struct err none;

    x->call = NULL;
    if (!e && !x->whole.n) {
        err_clear(&none);
        err_set(&none, PBAY_E_PROTOCOL, "the provider counted nothing");
        e = &none;
    }
    if (e && estimate(x, e))
        return;
    if (e) {
        x->n_headers = 0;
        dl_route_headers(x, r);
        dl_error(x, e);
    } else {
        reply(x, buf_str(&x->whole));
    }
}

static const struct call_sink count_sink = {count_begin, count_bytes,
                                            count_event, count_end};

void dl_count(struct dialog *x, const struct call_body *canonical,
              const char *before, const char *after)
{
    struct around *a = arena_alloc(&x->req->arena, sizeof(*a));
    struct err e;

    if (!a) {
        err_clear(&e);
        err_set(&e, ERR_INTERNAL, "out of memory");
        dl_error(x, &e);
        return;
    }
    a->before = before;
    a->after = after;
    x->own = a;
    /* Counted by events whatever the provider speaks: there is one number. */
    dl_use_body(x, canonical);
    x->stream = false;
    x->instead = estimate;
    dl_start(x, &count_sink, PBAY_WANT(PBAY_EV_ITEM));
}
