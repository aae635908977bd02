/* SPDX-License-Identifier: MIT */
/* POST /v1/responses, its count of tokens, and what a provider keeps of it. */
#include "dialect/responses.h"

#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "dialect/openai.h"
#include "dialect/raw.h"
#include "dialect/responses_in.h"
#include <patchbay/json.h>

#define DIALECT "openai.responses/1"

/* Into the request's arena, once: every target that needs it gets the same. */
static int translate(void *arg, struct call_body *out, struct err *e)
{
    struct dialog *x = arg;
    struct buf b;
    pbay_str plain;
    int rc = dl_plain(x, &plain, e);

    buf_init(&b, LIM_HTTP_BODY * 2);
    if (rc == 0)
        rc = rs_to_canonical(plain, &b, e);
    if (rc == 0)
        rc = dl_keep_plain(x, buf_str(&b), out, e);
    buf_done(&b);
    return rc;
}

static int read_body(struct dialog *x, pbay_str body, struct err *e)
{
    x->body = body;
    x->translate = translate;
    return dl_scan(x, e) < 0 || dl_stand_ins(x, e) < 0 ||
                   dl_read_model(x, e) < 0 ||
                   dl_read_bool(x, "stream", &x->stream, e) < 0
               ? -1
               : 0;
}

static void create(struct dialog *x, pbay_str body)
{
    struct err e;

    err_clear(&e);
    if (read_body(x, body, &e) < 0)
        dl_error(x, &e);
    else
        dl_chat(x);
}

static void count(struct dialog *x, pbay_str body)
{
    struct call_body canonical;
    struct err e;

    err_clear(&e);
    if (read_body(x, body, &e) < 0 || translate(x, &canonical, &e) < 0)
        dl_error(x, &e);
    else
        dl_count(
            x, &canonical,
            "{\"object\":\"response.input_tokens\",\"input_tokens\":", "}");
}

/* --- what a provider keeps ----------------------------------------------- */

/* The one provider that keeps responses; NULL and *e. */
static const struct instance *keeper(struct dialog *x, struct err *e)
{
    const struct snapshot *s = x->d->manager->current;
    const struct instance *found = NULL;

    for (size_t i = 0; i < s->n; i++) {
        const struct instance *in = s->instances[i];
        if (!instance_speaks(in, STR(DIALECT)))
            continue;
        if (found) {
            err_set(e, PBAY_E_INVALID,
                    "%s and %s may both keep responses; ask the one that "
                    "answered, at /raw/%s/responses/... say",
                    found->name, in->name, found->name);
            return NULL;
        }
        found = in;
    }
    if (!found)
        err_set(e, ERR_NOT_SUPPORTED,
                "no provider here keeps responses; send the whole "
                "conversation as input");
    return found;
}

static void kept(struct dialog *x)
{
    pbay_str path = x->req->head->path, door = STR_NONE;
    const struct instance *in;
    struct err e;

    err_clear(&e);
    in = keeper(x, &e);
    if (in)
        door = arena_printf(&x->req->arena, "/raw/%s%.*s", in->name,
                            (int)(path.n - 3), path.p + 3); /* "/v1" */
    if (door.p)
        raw_open(x, door);
    else if (in)
        err_set(&e, ERR_INTERNAL, "out of memory");
    if (e.kind)
        dl_error(x, &e);
}

/* An id does not tell whose it is, and what is kept belongs to the provider's
 * account: for keys that may use the raw door. */
#define KEPT(m, p)                                                         \
    {                                                                      \
        .method = (m), .path = (p), .op = PBAY_OP_RAW, .right = RIGHT_RAW, \
        .form = &oa_form, .handle = kept                                   \
    }

const struct dl_route rs_routes[] = {
    {.method = "POST",
     .path = "/v1/responses",
     .op = PBAY_OP_CHAT,
     .dialect = DIALECT,
     .right = RIGHT_CHAT,
     .form = &rs_form,
     .take = create},
    {.method = "POST",
     .path = "/v1/responses/input_tokens",
     .op = PBAY_OP_COUNT,
     .right = RIGHT_CHAT,
     .form = &oa_form,
     .take = count},
    KEPT("GET", "/v1/responses/{id}"),
    KEPT("DELETE", "/v1/responses/{id}"),
    KEPT("POST", "/v1/responses/{id}/cancel"),
    KEPT("GET", "/v1/responses/{id}/input_items"),
    {.method = NULL},
};
