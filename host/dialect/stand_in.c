/* SPDX-License-Identifier: MIT */
/* The members of a body that name models to stand in: `fallbacks`, which no
 * provider sees, and `models`, which only those see that have a use for it of
 * their own. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "dialect/dialog.h"
#include "manager/router.h"
#include <patchbay/json.h>

/* The members that are left, as a body. */
static pbay_str joined(struct dialog *x, const char *without)
{
    pbay_str out = STR_NONE;
    struct buf b;
    int rc = 0;
    const char *sep = "{\"";

    buf_init(&b, x->body.n + 512);
    for (size_t i = 0; i < x->n_members; i++) {
        const pbay_kv *m = &x->members[i];
        if (!m->k.p || (without && str_is(m->k, without)))
            continue;
        rc |= buf_addc(&b, sep) | buf_add(&b, m->k);
        rc |= buf_addc(&b, "\":") | buf_add(&b, m->v);
        sep = ",\"";
    }
    rc |= buf_addc(&b, *sep == '{' ? "{}" : "}");
    if (rc == 0)
        out = arena_dup(&x->req->arena, buf_str(&b));
    buf_done(&b);
    return out;
}

int dl_rebuild(struct dialog *x, struct err *e)
{
    x->body = joined(x, NULL);
    if (x->body.p)
        return dl_scan(x, e);
    err_set(e, ERR_INTERNAL, "out of memory");
    return -1;
}

int dl_take_fallbacks(struct dialog *x, size_t i, struct err *e)
{
    pbay_str list = x->members[i].v, v;
    pbay_str *names = arena_alloc(&x->req->arena, ASK_NAMES * sizeof(*names));
    size_t pos = 0;

    if (!names || pbay_json_type(list) != 'a')
        goto bad;
    while (pbay_json_next(list, &pos, NULL, &v) > 0) {
        char *p = arena_bytes(&x->req->arena, v.n + 1);
        int64_t n = p ? pbay_json_unescape(v, p, v.n) : -1;
        if (n <= 0 || x->n_fallbacks == ASK_NAMES)
            goto bad;
        names[x->n_fallbacks++] = str_n(p, (size_t)n);
    }
    x->fallbacks = names;
    x->members[i].k = STR_NONE;
    return 0;
bad:
    dl_bad(e, "fallbacks", "invalid_type",
           "\"%s\" must be a list of up to %d models' names", "fallbacks",
           ASK_NAMES);
    return -1;
}

int dl_stand_ins(struct dialog *x, struct err *e)
{
    for (size_t i = 0; i < x->n_members; i++)
        if (str_is(x->members[i].k, "fallbacks")) {
            if (dl_take_fallbacks(x, i, e) < 0 || dl_rebuild(x, e) < 0)
                return -1;
            break; /* no body has a member twice */
        }
    x->models = pbay_json_find(x->members, x->n_members, "models");
    return 0;
}

int dl_plain(struct dialog *x, pbay_str *out, struct err *e)
{
    *out = x->models.p ? joined(x, "models") : x->body;
    if (out->p)
        return 0;
    err_set(e, ERR_INTERNAL, "out of memory");
    return -1;
}

int dl_keep_plain(struct dialog *x, pbay_str text, struct call_body *out,
                  struct err *e)
{
    struct buf b;
    int rc;

    if (!x->models.p)
        return dl_keep_body(x, text, out, e);
    buf_init(&b, text.n + x->models.n + 32);
    rc = buf_add(&b, str_n(text.p, text.n - 1)) | buf_addc(&b, ",\"models\":") |
         buf_add(&b, x->models) | buf_addc(&b, "}");
    if (rc == 0)
        rc = dl_keep_body(x, buf_str(&b), out, e);
    else
        err_set(e, ERR_INTERNAL, "out of memory");
    buf_done(&b);
    return rc;
}
