/* SPDX-License-Identifier: MIT */
/* A tape and the call that fills it, on the loop that the call was started on.
 */
#include "manager/cache_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

/* --- the request, kept ---------------------------------------------------- */

static pbay_str moved(pbay_str part, pbay_str from, pbay_str to)
{
    return part.p ? str_n(to.p + (part.p - from.p), part.n) : part;
}

/* Members whose spans lie in the text. */
static bool keep_body(struct arena *a, struct call_body *to,
                      const struct call_body *from)
{
    pbay_kv *m = arena_alloc(a, from->n_members * sizeof(*m));

    to->text = arena_dup(a, from->text);
    to->n_members = from->n_members;
    to->members = m;
    if (!m || !to->text.p)
        return false;
    for (size_t i = 0; i < from->n_members; i++) {
        m[i].k = moved(from->members[i].k, from->text, to->text);
        m[i].v = moved(from->members[i].v, from->text, to->text);
    }
    return true;
}

/* The client that asked may be gone when a later target needs the body in
 * canonical form, so it is translated now. */
static bool keep_canonical(struct tape *t, const struct call_request *rq)
{
    struct call_body out = {STR_NONE, NULL, 0};

    if (!rq->translate)
        return true;
    t->translated = true;
    err_clear(&t->refusal);
    if (rq->translate(rq->translate_arg, &out, &t->refusal) < 0)
        return true; /* told when it is asked for */
    return keep_body(&t->arena, &t->canonical, &out);
}

static int give_canonical(void *arg, struct call_body *out, struct err *e)
{
    struct tape *t = arg;

    if (!t->canonical.text.p) {
        *e = t->refusal;
        return -1;
    }
    *out = t->canonical;
    return 0;
}

static void on_job(struct loop_job *job);

struct tape *tape_new(struct cache *c, const struct cfg_cache *p,
                      const unsigned char *key, struct manager *m,
                      const struct call_request *rq)
{
    struct call_body body = {rq->body, rq->members, rq->n_members};
    struct tape *t = calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    t->cache = c;
    t->policy = *p;
    memcpy(t->key, key, CACHE_KEY);
    t->m = m;
    t->refs = 1;
    t->job.run = on_job;
    arena_init(&t->arena, SIZE_MAX / 4); /* bodies are bounded already */
    t->spare = tape_spare(&t->spare_err);
    if (!t->spare || !keep_body(&t->arena, &t->body, &body) ||
        !keep_canonical(t, rq)) {
        tape_unref(t);
        return NULL;
    }
    return t;
}

void tape_unref(struct tape *t)
{
    struct tape_item *it;

    if (--t->refs)
        return;
    while ((it = t->first) != NULL) {
        t->first = it->next;
        tape_item_free(it);
    }
    if (t->spare)
        tape_item_free(t->spare);
    arena_done(&t->arena);
    free(t);
}

/* --- readers that are behind ---------------------------------------------- */

/* Under the lock: drop what every reader has been told.  Returns whether the
 * rest is too much. */
static bool trim(struct tape *t)
{
    uint64_t least = t->serial;
    struct tape_item *it;

    for (struct cache_reader *r = t->readers; r; r = r->next)
        if (!r->at || r->at->serial < least)
            least = r->at ? r->at->serial : 0;
    while ((it = t->first) != NULL && it->serial < least) {
        t->first = it->next;
        t->bytes -= it->size;
        tape_item_free(it);
    }
    return t->bytes > t->policy.max_entry;
}

static void balance(struct tape *t)
{
    struct cache *c = t->cache;
    bool much = false, alone;

    pthread_mutex_lock(&c->lock);
    if (t->overflow)
        much = trim(t);
    alone = !t->readers && !t->ended;
    if (alone)
        tape_unlist(c, t);
    pthread_mutex_unlock(&c->lock);
    if (!t->call)
        return;
    if (!alone) {
        call_pause(t->call, much);
        return;
    }
    call_cancel(t->call);
    t->call = NULL;
    pthread_mutex_lock(&c->lock);
    tape_unref(t);
    pthread_mutex_unlock(&c->lock);
}

static void on_job(struct loop_job *job)
{
    struct tape *t = (struct tape *)((char *)job - offsetof(struct tape, job));
    struct cache *c = t->cache;

    pthread_mutex_lock(&c->lock);
    t->posted = false;
    pthread_mutex_unlock(&c->lock);
    balance(t);
    pthread_mutex_lock(&c->lock);
    tape_unref(t);
    pthread_mutex_unlock(&c->lock);
}

void tape_post_balance(struct tape *t)
{
    if (t->posted || t->ended)
        return;
    t->posted = true;
    t->refs++;
    loop_post(t->m->loop, &t->job);
}

/* --- the call --------------------------------------------------------------
 */

static void append(struct tape *t, struct tape_item *it)
{
    struct cache *c = t->cache;
    bool overflow;

    pthread_mutex_lock(&c->lock);
    it->serial = ++t->serial;
    if (t->last)
        t->last->next = it;
    else
        t->first = it;
    t->last = it;
    t->bytes += it->size;
    t->ended = it->kind == TAPE_END;
    if (t->bytes > t->policy.max_entry && !t->overflow) {
        t->overflow = true;
        tape_unlist(c, t);
    }
    overflow = t->overflow && !t->ended;
    for (struct cache_reader *r = t->readers; r; r = r->next)
        reader_wake(r, t->m->loop);
    pthread_mutex_unlock(&c->lock);
    if (overflow)
        balance(t);
}

static void add(struct tape *t, struct tape_item *it)
{
    if (it && !t->lost)
        append(t, it);
    else {
        tape_item_free(it);
        t->lost = true;
    }
}

static void on_begin(void *arg, const struct call_head *h,
                     const struct call_report *r)
{
    add(arg, tape_begin(h, r));
}

static void on_bytes(void *arg, pbay_str raw)
{
    add(arg, tape_bytes(raw));
}

static void on_event(void *arg, const pbay_event *ev)
{
    add(arg, tape_event(ev));
}

/* The one that is always there. */
static struct tape_item *poor_end(struct tape *t, const struct err *e)
{
    struct tape_item *it = t->spare;

    t->spare = NULL;
    if (e)
        *t->spare_err = *e;
    else
        err_set(t->spare_err, ERR_INTERNAL, "out of memory");
    return it;
}

static void on_end(void *arg, const struct err *e, const struct call_report *r)
{
    struct tape *t = arg;
    struct cache *c = t->cache;
    struct tape_item *it = t->lost ? NULL : tape_end(e, r);
    bool good = it && !e;

    t->call = NULL;
    /* The answer may be kept for long; nobody asks for the request again. */
    arena_done(&t->arena);
    t->body = t->canonical = (struct call_body){STR_NONE, NULL, 0};
    if (!it)
        it = poor_end(t, e);
    pthread_mutex_lock(&c->lock);
    /* Before anybody can find an end that is not for him. */
    if (!good || !t->policy.store)
        tape_unlist(c, t);
    pthread_mutex_unlock(&c->lock);
    append(t, it);
    pthread_mutex_lock(&c->lock);
    if (t->listed && !t->overflow)
        tape_keep(c, t, clock_now(t->m->loop->clock));
    tape_unref(t);
    pthread_mutex_unlock(&c->lock);
}

static const struct call_sink recorder_sink = {on_begin, on_bytes, on_event,
                                               on_end};

int tape_start(struct tape *t, const struct call_request *rq, struct err *e)
{
    struct call_request mine = *rq;

    /* One reader's deadline is not the others': see cache_read.c. */
    mine.deadline_ms = 0;
    mine.body = t->body.text;
    mine.members = t->body.members;
    mine.n_members = t->body.n_members;
    if (t->translated) {
        mine.translate = give_canonical;
        mine.translate_arg = t;
    }
    t->call = call_start(t->m, &mine, &recorder_sink, t, e);
    return t->call ? 0 : -1;
}
