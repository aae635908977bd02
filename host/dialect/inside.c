/* SPDX-License-Identifier: MIT */
/* Requests that come from inside (batches, the control socket): the rights of
 * whoever made them, and the report of the call for whoever that is. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "dialect/dialog.h"
#include "manager/account.h"

int dl_inside_rights(struct dialog *x, unsigned right, struct err *e)
{
    const struct dialect_inside *in = x->req->owner;

    x->rights = in->rights;
    x->key_name = in->key_name;
    if (!right || (in->rights & (right | RIGHT_ADMIN)))
        return 0;
    err_set(e, ERR_CLIENT_RIGHT, "the key \"%.*s\" lacks the right \"%s\"",
            STR_ARG(in->key_name), right_name((int)right));
    return -1;
}

static void keep(struct dialog *x, const struct call_report *r)
{
    struct dialect_inside *in = x->req->owner;

    if (!in)
        return; /* has lost interest */
    snprintf(in->provider, sizeof(in->provider), "%s", r->provider);
    snprintf(in->model, sizeof(in->model), "%.*s",
             STR_ARG(str_head(r->model, sizeof(in->model) - 1)));
    in->report = *r;
    in->report.id = in->report.model_answered = STR_NONE;
    in->report.provider = in->provider;
    in->report.model = str_c(in->model);
    in->report.reason = "";
    in->report.route = in->report.arm = NULL;
    in->report.warnings = NULL;
    in->report.usage.units = STR_NONE;
    in->reported = true;
    account_price(x->d->manager, &in->report);
}

static void on_begin(void *arg, const struct call_head *h,
                     const struct call_report *r)
{
    struct dialog *x = arg;

    x->real_sink->begin(x, h, r);
}

static void on_bytes(void *arg, pbay_str raw)
{
    struct dialog *x = arg;

    x->real_sink->bytes(x, raw);
}

static void on_event(void *arg, const pbay_event *ev)
{
    struct dialog *x = arg;

    x->real_sink->event(x, ev);
}

static void on_end(void *arg, const struct err *e, const struct call_report *r)
{
    struct dialog *x = arg;

    keep(x, r);
    x->real_sink->end(x, e, r);
}

static const struct call_sink tee = {on_begin, on_bytes, on_event, on_end};

const struct call_sink *dl_inside_sink(struct dialog *x,
                                       const struct call_sink *sink)
{
    if (!x->req->inner)
        return sink;
    x->real_sink = sink;
    return &tee;
}
