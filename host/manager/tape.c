/* SPDX-License-Identifier: MIT */
/* Copies of what a sink is told, and telling them again. */
#include "manager/tape.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

/* What an arena takes from the heap with its first piece, at least. */
#define ARENA_COSTS 1024

/* With n bytes of text behind it. */
static struct tape_item *item_new(enum tape_kind kind, size_t n)
{
    size_t size = sizeof(struct tape_item) + n;
    struct tape_item *it = calloc(1, size);

    if (!it)
        return NULL;
    it->kind = kind;
    it->size = size;
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

/* The same behind the item. */
static void move_text(char **to, pbay_str *s)
{
    if (!s->p)
        return;
    if (s->n)
        memcpy(*to, s->p, s->n);
    s->p = *to;
    *to += s->n;
}

static struct tape_item *finish(struct tape_item *it, bool ok)
{
    if (!ok) {
        tape_item_free(it);
        return NULL;
    }
    if (it->arena.used)
        it->size += it->arena.used > ARENA_COSTS ? it->arena.used : ARENA_COSTS;
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
    struct tape_item *it = item_new(TAPE_BEGIN, 0);
    struct tape_begin *b;

    if (!it)
        return NULL;
    b = it->begin = arena_alloc(&it->arena, sizeof(*b));
    if (!b)
        return finish(it, false);
    b->head = *h;
    return finish(
        it, dup(it, &b->head.content_type) && dup(it, &b->head.reply_id) &&
                dup(it, &b->head.model) && dup_headers(it, &b->head) &&
                call_report_copy(&b->report, r, &it->arena));
}

struct tape_item *tape_bytes(pbay_str raw)
{
    struct tape_item *it = item_new(TAPE_BYTES, raw.n);
    char *to;

    if (!it)
        return NULL;
    it->bytes = raw;
    to = (char *)(it + 1);
    move_text(&to, &it->bytes);
    return it;
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
    struct tape_item *it =
        item_new(TAPE_EVENT, ev->id.n + ev->name.n + ev->text.n + ev->json.n);
    pbay_event *to;
    char *text;

    if (!it)
        return NULL;
    to = &it->event;
    *to = *ev;
    to->error = NULL; /* errors come as the end */
    text = (char *)(it + 1);
    move_text(&text, &to->id);
    move_text(&text, &to->name);
    move_text(&text, &to->text);
    move_text(&text, &to->json);
    return finish(it, dup_usage(it, &to->usage));
}

struct tape_item *tape_end(const struct err *e, const struct call_report *r)
{
    struct tape_item *it = item_new(TAPE_END, 0);
    struct err *copy = NULL;

    if (!it)
        return NULL;
    it->end = arena_alloc(&it->arena, sizeof(*it->end));
    if (!it->end)
        return finish(it, false);
    if (e) {
        copy = arena_alloc(&it->arena, sizeof(*copy));
        if (copy)
            *copy = *e;
    }
    it->end->err = copy;
    return finish(it, (copy || !e) &&
                          call_report_copy(&it->end->report, r, &it->arena));
}

struct tape_item *tape_spare(struct err **err)
{
    struct tape_item *it = item_new(TAPE_END, 0);

    if (!it)
        return NULL;
    it->end = arena_alloc(&it->arena, sizeof(*it->end));
    *err = arena_alloc(&it->arena, sizeof(**err));
    if (!it->end || !*err)
        return finish(it, false);
    it->end->err = *err;
    it->end->report.provider = "";
    it->end->report.first_ms = -1;
    return finish(it, true);
}

void tape_tell(const struct tape_item *it, const struct call_sink *sink,
               void *arg, pbay_str id, int64_t waited_ms)
{
    struct call_report r;

    switch (it->kind) {
    case TAPE_BEGIN:
        r = it->begin->report;
        r.id = id;
        sink->begin(arg, &it->begin->head, &r);
        break;
    case TAPE_BYTES:
        sink->bytes(arg, it->bytes);
        break;
    case TAPE_EVENT:
        sink->event(arg, &it->event);
        break;
    case TAPE_END:
        r = it->end->report;
        r.id = id;
        r.total_ms = waited_ms;
        sink->end(arg, it->end->err, &r);
    }
}
