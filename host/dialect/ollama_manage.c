/* SPDX-License-Identifier: MIT */
/* Ollama's POST /api/pull, with its progress line by line, and DELETE
 * /api/delete. */
#include "dialect/ollama.h"

#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "manager/op.h"
#include <patchbay/json.h>

/* What a provider has is another list now.  The client is told after that: it
 * may look at once. */
static void relist(struct dialog *x, const char *provider,
                   void (*then)(void *arg))
{
    struct listing_job *job =
        listing_start(x->d->manager, provider, -1, then, x);

    if (job)
        x->listing = job;
}

static void no_bytes(void *arg, pbay_str raw)
{
    (void)arg;
    (void)raw; /* never: only events are asked for */
}

/* --- pulling ------------------------------------------------------------- */

static void pull_begin(void *arg, const struct call_head *h,
                       const struct call_report *r)
{
    struct dialog *x = arg;

    (void)h;
    dl_route_headers(x, r);
    if (!x->stream)
        return;
    dl_add_header(x, "content-type", STR("application/x-ndjson"));
    http_reply_begin(x->req, 200, x->headers, x->n_headers);
    x->head_sent = true;
}

/* A line of progress, without the host's own `done`. */
static void pull_event(void *arg, const pbay_event *ev)
{
    static const char *const told[] = {"status", "digest", "total",
                                       "completed"};
    struct dialog *x = arg;
    struct buf b;
    int rc, n = 0;

    if (ev->type != PBAY_EV_ITEM || !x->head_sent ||
        pbay_json_true(pbay_json_get(ev->json, "done")))
        return;
    buf_init(&b, LIM_RECORD);
    rc = buf_addc(&b, "{");
    for (size_t i = 0; i < sizeof(told) / sizeof(*told); i++) {
        pbay_str v = pbay_json_get(ev->json, told[i]);
        if (!v.p || memchr(v.p, '\n', v.n))
            continue;
        rc |= buf_printf(&b, "%s\"%s\":", n++ ? "," : "", told[i]);
        rc |= buf_add(&b, v);
    }
    rc |= buf_addc(&b, "}\n");
    if (rc < 0)
        x->lost = true;
    else
        dl_write(x, buf_str(&b));
    buf_done(&b);
}

static void pulled(void *arg)
{
    struct dialog *x = arg;

    x->listing = NULL;
    if (!x->head_sent) {
        dl_json(x, 200, STR("{\"status\":\"success\"}"));
        return;
    }
    http_reply_write(x->req, STR("{\"status\":\"success\"}\n"));
    http_reply_end(x->req);
}

static void pull_end(void *arg, const struct err *e,
                     const struct call_report *r)
{
    struct dialog *x = arg;
    struct buf b;

    x->call = NULL;
    if (!e) {
        relist(x, r->provider, pulled);
    } else if (!x->head_sent) {
        ol_failed(x, e, r);
    } else {
        buf_init(&b, LIM_KIB(64));
        x->form->broken(x, e, &b);
        http_reply_write(x->req, buf_str(&b));
        http_reply_end(x->req);
        buf_done(&b);
    }
}

static const struct call_sink pull_sink = {pull_begin, no_bytes, pull_event,
                                           pull_end};

void ol_pull(struct dialog *x, pbay_str body)
{
    const struct instance *in = NULL;
    struct err e;

    if (ol_read_name(x, body) < 0)
        return;
    err_clear(&e);
    if (op_pull_target(x->d->manager->current, x->model, &in, &x->model, &e) <
        0)
        dl_error(x, &e);
    else
        ol_start(x, in->name, &pull_sink);
}

/* --- deleting ------------------------------------------------------------ */

static void delete_begin(void *arg, const struct call_head *h,
                         const struct call_report *r)
{
    (void)arg;
    (void)h;
    (void)r;
}

static void delete_event(void *arg, const pbay_event *ev)
{
    (void)arg;
    (void)ev; /* it has none */
}

static void deleted(void *arg)
{
    struct dialog *x = arg;

    x->listing = NULL;
    http_reply(x->req, 200, x->headers, x->n_headers, STR(""));
}

static void delete_end(void *arg, const struct err *e,
                       const struct call_report *r)
{
    struct dialog *x = arg;

    x->call = NULL;
    if (e) {
        ol_failed(x, e, r);
        return;
    }
    dl_route_headers(x, r);
    relist(x, r->provider, deleted);
}

static const struct call_sink delete_sink = {delete_begin, no_bytes,
                                             delete_event, delete_end};

void ol_delete(struct dialog *x, pbay_str body)
{
    if (ol_read_name(x, body) == 0)
        ol_start(x, NULL, &delete_sink);
}
