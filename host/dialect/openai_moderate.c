/* SPDX-License-Identifier: MIT */
/* POST /v1/moderations where the provider has no such thing: judged by a chat,
 * see manager/moderate.h, and shown in the same form. */
#include "base/limits.h"
#include "base/str.h"
#include "dialect/openai.h"
#include "manager/moderate.h"

static void on_item(void *arg, size_t i, pbay_str json)
{
    struct dialog *x = arg;

    if ((i && buf_addc(&x->whole, ",") < 0) || buf_add(&x->whole, json) < 0)
        x->lost = true;
}

static void answer(struct dialog *x)
{
    const struct call_report *r = moderate_report(x->own);
    struct err e;
    struct buf b;
    int rc;

    dl_route_headers(x, r);
    dl_add_header(x, "x-patchbay-warning",
                  STR(MODERATE_FIELD ": " MODERATE_WARNING));
    buf_init(&b, LIM_REPLY);
    rc = buf_printf(&b, "{\"id\":\"modr-%s\",\"model\":", x->id + 4);
    rc |= buf_json(&b, r->model_answered.n ? r->model_answered : r->model);
    rc |= buf_addc(&b, ",\"results\":[");
    rc |= buf_add(&b, buf_str(&x->whole));
    rc |= buf_addc(&b, "]}");
    if (rc < 0 || x->lost) {
        dl_lost(&e);
        dl_error(x, &e);
    } else {
        dl_json(x, 200, buf_str(&b));
    }
    buf_done(&b);
}

static void on_end(void *arg, const struct err *e)
{
    struct dialog *x = arg;

    if (e) {
        dl_route_headers(x, moderate_report(x->own));
        dl_error(x, e);
    } else {
        answer(x);
    }
}

static const struct moderate_sink sink = {on_item, on_end};

static void drop(struct dialog *x)
{
    struct moderate_job *j = x->own;

    x->own = NULL;
    moderate_free(j);
}

bool oa_moderate_by_chat(struct dialog *x, const struct err *e)
{
    struct call_request r;
    struct err why;

    x->instead = NULL;
    if (!moderate_may_chat(e))
        return false;
    err_clear(&why);
    if (dl_request(x, &r, &why) < 0)
        return false;
    /* What the provider said until now is of no interest any more. */
    buf_done(&x->whole);
    buf_init(&x->whole, LIM_REPLY);
    x->pass = x->error_body = x->lost = false;
    x->own = moderate_start(x->d->manager, &r, x->members, x->n_members, &sink,
                            x, &why);
    if (!x->own)
        return false;
    x->n_headers = 0;
    x->drop = drop;
    return true;
}
