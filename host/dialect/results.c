/* SPDX-License-Identifier: MIT */
/* GET /v1/routes/results: what came of each target of a route, or of all. */
#include "dialect/results.h"

#include "base/limits.h"
#include "base/str.h"
#include "dialect/openai.h"
#include "dialect/ops.h"
#include "manager/results.h"

static void results(struct dialog *x)
{
    struct buf b;
    struct err e;

    buf_init(&b, LIM_REPLY);
    dl_add_header(x, "x-request-id", str_c(x->id));
    if (results_put(&b, ops_query(x, "route")) == 0) {
        dl_json(x, 200, buf_str(&b));
    } else {
        dl_lost(&e);
        dl_error(x, &e);
    }
    buf_done(&b);
}

const struct dl_route res_routes[] = {
    {.method = "GET",
     .path = "/v1/routes/results",
     .right = RIGHT_REPORTS,
     .form = &oa_form,
     .handle = results},
    {.method = NULL},
};
