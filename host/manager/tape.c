/* SPDX-License-Identifier: MIT */
/* Copies of what a sink is told, and telling them again. */
#include "manager/tape.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static struct tape_item *item_new(enum tape_kind kind)
{
    struct tape_item *it = calloc(1, sizeof(*it));

    if (!it)
        return NULL;
    it->kind = kind;
    arena_init(&it->arena, SIZE_MAX / 4); /* bounded by what is copied */
    return it;
}

void tape_item_free(struct tape_item *it)
{
    if (!it)
        return;
    arena_done(&it->arena);
    free(it);
}

/* A failed copy leaves {NULL, 0} for bytes that were there. */
static bool dup(struct tape_item *it, pbay_str *s)
{
    pbay_str from = *s;

    if (!from.p)
        return true;
    *s = arena_dup(&it->arena, from);
    return s->p != NULL;
}

static struct tape_item *finish(struct tape_item *it, bool ok)
{
    if (!ok) {
        tape_item_free(it);
        return NULL;
    }
    it->size = sizeof(*it) + it->arena.used;
    return it;
}

static bool dup_headers(struct tape_item *it, struct call_head *h)
{
    pbay_kv *v = arena_alloc(&it->arena, h->n_headers * sizeof(*v));
    bool ok = v != NULL;

    for (size_t i = 0; ok && i < h->n_headers; i++) {
        v[i] = h->headers[i];
        ok = dup(it, &v[i].k) && dup(it, &v[i].v);
    }
    h->headers = v;
    return ok;
}

struct tape_item *tape_begin(const struct call_head *h,
                             const struct call_report *r)
{
    struct tape_item *it = item_new(TAPE_BEGIN);

    if (!it)
        return NULL;
    it->begin.head = *h;
    h = &it->begin.head;
    return finish(it, dup(it, &it->begin.head.content_type) &&
                          dup(it, &it->begin.head.reply_id) &&
                          dup(it, &it->begin.head.model) &&
                          dup_headers(it, &it->begin.head) &&
                          call_report_copy(&it->begin.report, r, &it->arena));
}

struct tape_item *tape_bytes(pbay_str raw)
{
    struct tape_item *it = item_new(TAPE_BYTES);

    if (!it)
        return NULL;
    it->bytes = raw;
    return finish(it, dup(it, &it->bytes));
}

static bool dup_usage(struct tape_item *it, const pbay_usage **u)
{
    pbay_usage *copy;

    if (!*u)
        return true;
    copy = arena_alloc(&it->arena, sizeof(*copy));
    if (!copy)
        return false;
    *copy = **u; /* the engine's own, in this host's size */
    *u = copy;
    return dup(it, &copy->units);
}

struct tape_item *tape_event(const pbay_event *ev)
{
    struct tape_item *it = item_new(TAPE_EVENT);
    pbay_event *to;

    if (!it)
        return NULL;
    to = &it->event;
    *to = *ev;
    to->error = NULL; /* errors come as the end */
    return finish(it, dup(it, &to->id) && dup(it, &to->name) &&
                          dup(it, &to->text) && dup(it, &to->json) &&
                          dup_usage(it, &to->usage));
}

struct tape_item *tape_end(const struct err *e, const struct call_report *r)
{
    struct tape_item *it = item_new(TAPE_END);

    if (!it)
        return NULL;
    it->end.failed = e != NULL;
    if (e)
        it->end.err = *e;
    return finish(it, call_report_copy(&it->end.report, r, &it->arena));
}

void tape_tell(const struct tape_item *it, const struct call_sink *sink,
               void *arg, pbay_str id, int64_t waited_ms)
{
    struct call_report r;

    switch (it->kind) {
    case TAPE_BEGIN:
        r = it->begin.report;
        r.id = id;
        sink->begin(arg, &it->begin.head, &r);
        break;
    case TAPE_BYTES:
        sink->bytes(arg, it->bytes);
        break;
    case TAPE_EVENT:
        sink->event(arg, &it->event);
        break;
    case TAPE_END:
        r = it->end.report;
        r.id = id;
        r.total_ms = waited_ms;
        sink->end(arg, it->end.failed ? &it->end.err : NULL, &r);
    }
}
