/* SPDX-License-Identifier: MIT */
/* A request as a call keeps it.  Its headers, for one, go out with each
 * attempt, and whoever asked may be gone by then: others may share the answer.
 */
#include "manager/call.h"

#include "base/str.h"

static bool dup(struct arena *a, pbay_str *s)
{
    pbay_str from = *s;

    if (!from.p)
        return true;
    *s = arena_dup(a, from);
    return s->p != NULL;
}

static bool dup_headers(struct arena *a, struct call_request *r)
{
    pbay_kv *v = arena_alloc(a, r->n_headers * sizeof(*v));
    bool ok = v != NULL;

    for (size_t i = 0; ok && i < r->n_headers; i++) {
        v[i] = r->headers[i];
        ok = dup(a, &v[i].k) && dup(a, &v[i].v);
    }
    r->headers = v;
    return ok;
}

bool call_repeatable(const struct call_request *r)
{
    return r->op != PBAY_OP_RAW || str_is(r->method, "GET") ||
           str_is(r->method, "HEAD");
}

bool call_request_copy(struct call_request *to, const struct call_request *from,
                       struct arena *a)
{
    pbay_str instance = str_c(from->instance ? from->instance : "");

    *to = *from;
    if (from->instance && !dup(a, &instance))
        return false;
    to->instance = from->instance ? instance.p : NULL;
    return dup(a, &to->id) && dup(a, &to->model) && dup(a, &to->dialect) &&
           dup(a, &to->method) && dup(a, &to->path) && dup(a, &to->query) &&
           dup(a, &to->content_type) && dup(a, &to->key_name) &&
           dup(a, &to->route) && dup(a, &to->schema) && dup_headers(a, to);
}
