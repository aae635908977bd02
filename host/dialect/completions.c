/* SPDX-License-Identifier: MIT */
/* POST /v1/completions. */
#include "dialect/completions.h"

#include "base/limits.h"
#include "base/str.h"
#include "dialect/completions_in.h"
#include <patchbay/json.h>

/* Nobody speaks it natively here: always translated, so at once, and what is
 * wrong with it is told before a provider is chosen. */
static int read_body(struct dialog *x, pbay_str body, struct err *e)
{
    struct call_body canonical;
    struct buf b;
    pbay_str options, plain;
    int rc;

    x->body = body;
    if (dl_scan(x, e) < 0 || dl_stand_ins(x, e) < 0 ||
        dl_plain(x, &plain, e) < 0 || dl_read_model(x, e) < 0 ||
        dl_read_bool(x, "stream", &x->stream, e) < 0)
        return -1;
    options = pbay_json_find(x->members, x->n_members, "stream_options");
    x->include_usage = pbay_json_true(pbay_json_get(options, "include_usage"));
    buf_init(&b, LIM_HTTP_BODY * 2);
    rc = cp_to_canonical(plain, &b, e);
    if (rc == 0)
        rc = dl_keep_plain(x, buf_str(&b), &canonical, e);
    buf_done(&b);
    if (rc == 0)
        dl_use_body(x, &canonical);
    return rc;
}

static void completions(struct dialog *x, pbay_str body)
{
    struct err e;

    err_clear(&e);
    if (read_body(x, body, &e) < 0)
        dl_error(x, &e);
    else
        dl_chat(x);
}

const struct dl_route cp_routes[] = {
    {.method = "POST",
     .path = "/v1/completions",
     .op = PBAY_OP_CHAT,
     .right = RIGHT_CHAT,
     .form = &cp_form,
     .take = completions},
    {.method = NULL},
};
