/* SPDX-License-Identifier: MIT */
/* What has been tried, told as one error. */
#include "manager/tried.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/str.h"

#define NAME_MAX_SHOWN 120 /* bytes of a target's name */
#define TEXT_MAX_SHOWN 160 /* of what it said */

struct tried_one {
    const char *provider;
    pbay_str model;
    const char *kind; /* NULL: it was not asked */
    int status;       /* 0: it gave none */
    char text[TEXT_MAX_SHOWN + 1];
};

/* The lower, the more a client can do with it: mend the request, wait, or
 * nothing. */
static int use_of(const struct err *e)
{
    const struct err_class *c = err_class(e->kind);

    if (c->our_key)
        return 4;
    if (e->kind == PBAY_E_RATE || e->kind == ERR_LIMIT)
        return 1;
    if (e->kind == PBAY_E_OVERLOADED || e->kind == PBAY_E_LOADING ||
        e->kind == ERR_UNAVAILABLE)
        return 2;
    return c->status < 500 ? 0 : 3;
}

static void keep(struct tried *t, const struct tried_one *one, const char *said)
{
    pbay_str text = str_head(str_c(said), TEXT_MAX_SHOWN);
    struct tried_one *v;

    if (t->kept == PLAN_MAX)
        return;
    if (!(t->kept & (t->kept + 1))) { /* 0, 1, 3, 7: twice as many */
        v = realloc(t->v, (t->kept + 1) * 2 * sizeof(*v));
        if (!v)
            return;
        t->v = v;
    }
    v = &t->v[t->kept++];
    *v = *one;
    memcpy(v->text, text.p, text.n);
    v->text[text.n] = '\0';
}

static void keep_best(struct tried *t, const struct err *e)
{
    if (t->best && use_of(e) >= use_of(t->best))
        return;
    if (!t->best)
        t->best = malloc(sizeof(*t->best));
    if (t->best)
        *t->best = *e;
}

void tried_add(struct tried *t, const char *provider, pbay_str model,
               const struct err *e)
{
    const struct tried_one one = {.provider = provider,
                                  .model = model,
                                  .kind = err_class(e->kind)->name,
                                  .status = e->upstream_status};

    if (!t->n)
        t->soonest_ms = -1;
    keep_best(t, e);
    if (e->retry_after_ms >= 0 &&
        (t->soonest_ms < 0 || e->retry_after_ms < t->soonest_ms))
        t->soonest_ms = e->retry_after_ms;
    t->n++;
    keep(t, &one, err_text(e));
}

void tried_leave(struct tried *t, const char *provider, pbay_str model,
                 const char *why)
{
    const struct tried_one one = {.provider = provider, .model = model};

    keep(t, &one, why);
}

/* "; a/m: rate_limit (429) Slow down", with so much of its name and text. */
static void put_one(struct buf *b, const struct tried_one *o, const char *sep,
                    size_t name, size_t text)
{
    pbay_str said = str_head(str_c(o->text), text);
    char full[NAME_MAX_SHOWN + 1];

    snprintf(full, sizeof(full), "%s/%.*s", o->provider, STR_ARG(o->model));
    buf_printf(b, "%s%s%.*s:", sep, o->kind ? "" : "not asked: ",
               STR_ARG(str_head(str_c(full), name)));
    if (o->kind)
        buf_printf(b, " %s", o->kind);
    if (o->status)
        buf_printf(b, " (%d)", o->status);
    if (said.n)
        buf_printf(b, " %.*s", STR_ARG(said));
}

/* Those that failed, then those that were not asked. */
static void put_all(struct buf *b, const struct tried *t, size_t name,
                    size_t text)
{
    const char *sep = "";

    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < t->kept; i++)
            if (!t->v[i].kind == (round == 1)) {
                put_one(b, &t->v[i], sep, name, text);
                sep = "; ";
            }
}

/* As much as there is room for, so that each of them is in it. */
static void put_list(struct buf *b, const struct tried *t, size_t room)
{
    size_t name = NAME_MAX_SHOWN, text = TEXT_MAX_SHOWN, from = b->n;

    for (;;) {
        put_all(b, t, name, text);
        if (b->n - from <= room || name <= 8)
            return;
        b->n = from; /* once more, shorter */
        if (text > 0)
            text -= 8;
        else
            name -= 8;
    }
}

static void take(struct err *e, struct buf *b)
{
    pbay_str text = str_head(buf_str(b), sizeof(e->message) - 1);

    memcpy(e->message, text.p ? text.p : "", text.n);
    e->message[text.n] = '\0';
}

void tried_sum(const struct tried *t, struct err *out)
{
    struct buf b;

    if (t->best)
        *out = *t->best;
    else
        err_set(out, ERR_UNAVAILABLE, "out of memory");
    /* The words of one that speaks of our key are not for clients, and then
     * neither would be the list: a kind that says the same without them. */
    if (err_class(out->kind)->our_key)
        out->kind = PBAY_E_UPSTREAM;
    out->retry_after_ms = t->soonest_ms;
    buf_init(&b, LIM_KIB(64));
    buf_printf(&b, "all %zu targets failed: ", t->n);
    put_list(&b, t, sizeof(out->message) - 1 - b.n);
    take(out, &b);
    buf_done(&b);
}

void tried_before(const struct tried *t, struct err *e)
{
    struct buf b;

    if (!t->n)
        return;
    buf_init(&b, LIM_KIB(64));
    buf_printf(&b, "%s; before that %zu failed: ", e->message, t->n);
    put_list(&b, t,
             b.n < sizeof(e->message) ? sizeof(e->message) - 1 - b.n : 0);
    take(e, &b);
    buf_done(&b);
}

void tried_done(struct tried *t)
{
    free(t->v);
    free(t->best);
    *t = (struct tried){0};
}
