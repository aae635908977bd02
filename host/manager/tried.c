/* SPDX-License-Identifier: MIT */
/* What has been tried, told as one error. */
#include "manager/tried.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

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

void tried_add(struct tried *t, const char *provider, pbay_str model,
               const struct err *e)
{
    char status[16] = "";
    size_t room = sizeof(t->list) - t->used;
    int n;

    if (!t->n)
        t->soonest_ms = -1;
    if (!t->n || use_of(e) < use_of(&t->best))
        t->best = *e;
    if (e->retry_after_ms >= 0 &&
        (t->soonest_ms < 0 || e->retry_after_ms < t->soonest_ms))
        t->soonest_ms = e->retry_after_ms;
    if (e->upstream_status)
        snprintf(status, sizeof(status), " (%d)", e->upstream_status);
    n = snprintf(t->list + t->used, room, "%s%s/%.*s: %s%s %.160s",
                 t->n ? "; " : "", provider, STR_ARG(str_head(model, 80)),
                 err_class(e->kind)->name, status, err_text(e));
    t->used =
        n > 0 && (size_t)n < room ? t->used + (size_t)n : sizeof(t->list) - 1;
    t->n++;
}

void tried_leave(struct tried *t, const char *provider, pbay_str model,
                 const char *why)
{
    size_t room = sizeof(t->left) - t->left_used;
    int n = snprintf(t->left + t->left_used, room, "; not asked: %s/%.*s: %s",
                     provider, STR_ARG(str_head(model, 80)), why);

    t->left_used = n > 0 && (size_t)n < room ? t->left_used + (size_t)n
                                             : sizeof(t->left) - 1;
}

void tried_sum(const struct tried *t, struct err *out)
{
    *out = t->best;
    /* The words of one that speaks of our key are not for clients, and then
     * neither would be the list: a kind that says the same without them. */
    if (err_class(out->kind)->our_key)
        out->kind = PBAY_E_UPSTREAM;
    out->retry_after_ms = t->soonest_ms;
    snprintf(out->message, sizeof(out->message),
             "all %zu targets failed: %.*s%.*s", t->n,
             STR_ARG(str_head(str_c(t->list), sizeof(t->list))),
             STR_ARG(str_head(str_c(t->left), sizeof(t->left))));
}
