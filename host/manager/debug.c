/* SPDX-License-Identifier: MIT */
/* The account of one request's way; see debug.h. */
#include "manager/debug.h"

#include <stdio.h>

#include "base/limits.h"
#include "base/str.h"

#define SAID 120 /* bytes of a message */

struct debug {
    struct arena *arena;
    pbay_str head, left_out; /* JSON, without brackets */
    struct {
        const char *provider;
        pbay_str model, text;
    } targets[PLAN_MAX]; /* in the order of the plan */
    size_t n;
    struct {
        size_t of;
        pbay_str text;
    } tried[DEBUG_TRIED];
    size_t n_tried;
};

struct debug *debug_new(struct arena *a)
{
    struct debug *d = arena_alloc(a, sizeof(*d));

    if (d)
        *d = (struct debug){.arena = a};
    return d;
}

static pbay_str keep(struct debug *d, struct buf *b)
{
    pbay_str s = arena_dup(d->arena, buf_str(b));

    buf_reset(b, DEBUG_MAX);
    return s.p ? s : STR("");
}

void debug_plan(struct debug *d, const struct explain *x)
{
    size_t order[PLAN_MAX], n = explain_order(x, order);
    struct buf b;

    buf_init(&b, LIM_KIB(64));
    explain_head(&b, x);
    d->head = keep(d, &b);
    explain_left_out(&b, x);
    d->left_out = keep(d, &b);
    for (d->n = 0; d->n < n; d->n++) {
        const struct target *t = &x->plan->targets[order[d->n]];
        pbay_str name = arena_dup(d->arena, str_c(t->instance->name));
        explain_target(&b, x, order[d->n], d->n + 1);
        d->targets[d->n].provider = name.p ? name.p : "";
        d->targets[d->n].model = arena_dup(d->arena, t->model);
        d->targets[d->n].text = keep(d, &b);
    }
    buf_done(&b);
}

static void put_tried(struct buf *b, unsigned attempt, const struct err *e,
                      int64_t ms)
{
    buf_printf(b, "{\"attempt\":%u,\"result\":\"%s\",\"ms\":%lld", attempt,
               e ? err_class(e->kind)->name : "answers", (long long)ms);
    if (e && e->upstream_status)
        buf_printf(b, ",\"status\":%d", e->upstream_status);
    if (e) {
        buf_addc(b, ",\"message\":");
        buf_json(b, str_head(str_c(err_text(e)), SAID));
    }
    buf_addc(b, "}");
}

static size_t place_of(const struct debug *d, const struct target *t)
{
    size_t i = 0;

    while (i < d->n &&
           !(str_eq(d->targets[i].model, t->model) &&
             str_is(str_c(t->instance->name), d->targets[i].provider)))
        i++;
    return i;
}

static void note(struct debug *d, const struct target *t, struct buf *b)
{
    size_t i = place_of(d, t);

    if (i == d->n || d->n_tried == DEBUG_TRIED)
        return;
    d->tried[d->n_tried].of = i;
    d->tried[d->n_tried++].text = keep(d, b);
}

void debug_tried(struct debug *d, const struct target *t, unsigned attempt,
                 const struct err *e, int64_t ms)
{
    struct buf b;

    if (!d)
        return;
    buf_init(&b, LIM_KIB(4));
    put_tried(&b, attempt, e, ms);
    note(d, t, &b);
    buf_done(&b);
}

void debug_left(struct debug *d, const struct target *t, const char *why)
{
    struct buf b;

    if (!d)
        return;
    buf_init(&b, LIM_KIB(4));
    buf_addc(&b, "{\"result\":\"left_out\",\"message\":");
    buf_json(&b, str_head(str_c(why), SAID));
    buf_addc(&b, "}");
    note(d, t, &b);
    buf_done(&b);
}

/* One target, as an object. */
static void put_target(struct buf *b, const struct debug *d, size_t i)
{
    const char *sep = ",\"tried\":[";

    buf_addc(b, "{");
    buf_add(b, d->targets[i].text);
    for (size_t k = 0; k < d->n_tried; k++)
        if (d->tried[k].of == i) {
            buf_addc(b, sep);
            buf_add(b, d->tried[k].text);
            sep = ",";
        }
    buf_addc(b, *sep == ',' && sep[1] ? "}" : "]}");
}

pbay_str debug_text(struct debug *d)
{
    /* Room for the ends: "left_out", "more" and brackets. */
    size_t room = DEBUG_MAX - 64, i = 0;
    pbay_str out = STR_NONE;
    struct buf b, one;

    if (!d || !d->head.n)
        return STR_NONE;
    if (d->left_out.n < DEBUG_MAX / 3)
        room -= d->left_out.n;
    buf_init(&b, DEBUG_MAX);
    buf_init(&one, LIM_KIB(64));
    buf_addc(&b, "{");
    buf_add(&b, d->head);
    buf_addc(&b, ",\"targets\":[");
    for (; i < d->n; i++) {
        put_target(&one, d, i);
        if (b.n + one.n + 1 > room)
            break;
        buf_addc(&b, i ? "," : "");
        buf_add(&b, buf_str(&one));
        buf_reset(&one, DEBUG_MAX);
    }
    buf_addc(&b, "],\"left_out\":[");
    if (d->left_out.n < DEBUG_MAX / 3)
        buf_add(&b, d->left_out);
    buf_printf(&b, "],\"more\":%zu}", d->n - i);
    out = arena_dup(d->arena, buf_str(&b));
    buf_done(&one);
    buf_done(&b);
    return out;
}
