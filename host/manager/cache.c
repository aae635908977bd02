/* SPDX-License-Identifier: MIT */
/* Tapes by the request they answer: who reads them, which are kept. */
#include "manager/cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "manager/cache_int.h"

/* --- the table (under the lock) ------------------------------------------ */

static struct tape **bucket(struct cache *c, const unsigned char *key)
{
    return &c->buckets[(key[0] | (unsigned)key[1] << 8) % CACHE_BUCKETS];
}

static struct tape *find(struct cache *c, const unsigned char *key)
{
    struct tape *t = *bucket(c, key);

    while (t && memcmp(t->key, key, CACHE_KEY) != 0)
        t = t->hash_next;
    return t;
}

static void lru_unlink(struct cache *c, struct tape *t)
{
    if (!t->kept)
        return;
    *(t->older ? &t->older->newer : &c->oldest) = t->newer;
    *(t->newer ? &t->newer->older : &c->newest) = t->older;
    t->older = t->newer = NULL;
    t->kept = false;
    c->bytes -= t->bytes;
    c->entries--;
}

static void lru_link(struct cache *c, struct tape *t)
{
    t->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = t;
    c->newest = t;
    t->kept = true;
    c->bytes += t->bytes;
    c->entries++;
}

static void list(struct cache *c, struct tape *t)
{
    struct tape **at = bucket(c, t->key);

    t->hash_next = *at;
    *at = t;
    t->listed = true;
    t->refs++;
}

/* Nobody finds it any more. */
void tape_unlist(struct cache *c, struct tape *t)
{
    struct tape **at = bucket(c, t->key);

    if (!t->listed)
        return;
    while (*at != t)
        at = &(*at)->hash_next;
    *at = t->hash_next;
    t->listed = false;
    lru_unlink(c, t);
    tape_unref(t);
}

static void make_room(struct cache *c, size_t size, int64_t now)
{
    while (c->oldest && (c->bytes > size || c->oldest->expires <= now))
        tape_unlist(c, c->oldest);
}

void tape_keep(struct cache *c, struct tape *t, int64_t now)
{
    t->expires = now + t->policy.ttl_ms;
    lru_link(c, t);
    make_room(c, t->policy.size, now);
}

/* A tape that answers, or NULL. */
static struct tape *usable(struct cache *c, const struct cfg_cache *p,
                           const unsigned char *key, bool fresh, int64_t now)
{
    struct tape *t = find(c, key);

    if (!t)
        return NULL;
    if (!t->ended)
        return p->join ? t : NULL;
    if (fresh || !p->store || t->expires <= now) {
        tape_unlist(c, t);
        return NULL;
    }
    lru_unlink(c, t); /* to the newer end */
    lru_link(c, t);
    return t;
}

/* --- asking -------------------------------------------------------------- */

bool cache_fits(int op)
{
    return op == PBAY_OP_CHAT || op == PBAY_OP_EMBED ||
           op == PBAY_OP_MODERATE || op == PBAY_OP_COUNT;
}

static int start(struct cache *c, const struct cfg_cache *p,
                 const unsigned char *key, struct manager *m,
                 const struct call_request *rq, struct cache_reader *r,
                 struct err *e)
{
    struct tape *t = tape_new(c, p, key, m, rq);

    if (!t) {
        err_set(e, ERR_INTERNAL, "out of memory");
        return -1;
    }
    pthread_mutex_lock(&c->lock);
    reader_attach(t, r);
    c->misses++;
    pthread_mutex_unlock(&c->lock);
    if (tape_start(t, rq, e) < 0) {
        pthread_mutex_lock(&c->lock);
        reader_detach(r);
        tape_unref(t); /* that of tape_new() */
        pthread_mutex_unlock(&c->lock);
        return -1;
    }
    pthread_mutex_lock(&c->lock);
    /* Two loops may have started the same; one of them is found by others. */
    if (!t->overflow && !t->ended && !find(c, key))
        list(c, t);
    pthread_mutex_unlock(&c->lock);
    return 0;
}

int cache_ask(struct cache *c, const struct cfg_cache *p, bool fresh,
              struct manager *m, const struct call_request *rq,
              const struct call_sink *sink, void *arg, struct cache_hold *hold,
              struct err *e)
{
    unsigned char key[CACHE_KEY];
    struct cache_reader *r = reader_new(m->loop, rq, sink, arg, hold);
    struct tape *t = NULL;

    err_clear(e);
    if (!r || !cache_key(p, m, rq, key)) {
        free(r);
        err_set(e, ERR_INTERNAL, "out of memory");
        return -1;
    }
    pthread_mutex_lock(&c->lock);
    t = usable(c, p, key, fresh, clock_now(m->loop->clock));
    if (t) {
        reader_attach(t, r);
        hold->how = t->ended ? CACHE_HIT : CACHE_JOINED;
        t->ended ? c->hits++ : c->joined++;
    }
    pthread_mutex_unlock(&c->lock);
    if (!t) {
        hold->how = CACHE_MISS;
        if (start(c, p, key, m, rq, r, e) < 0) {
            free(r);
            return -1;
        }
    }
    hold->reader = r;
    reader_start(r);
    return 0;
}

/* --- the whole ------------------------------------------------------------ */

struct cache *cache_new(void)
{
    struct cache *c = calloc(1, sizeof(*c));

    if (c)
        pthread_mutex_init(&c->lock, NULL);
    return c;
}

void cache_free(struct cache *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < CACHE_BUCKETS; i++)
        while (c->buckets[i])
            tape_unlist(c, c->buckets[i]);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

void cache_stats(struct cache *c, struct cache_stats *out)
{
    pthread_mutex_lock(&c->lock);
    *out = (struct cache_stats){c->hits, c->misses, c->joined, c->entries,
                                c->bytes};
    pthread_mutex_unlock(&c->lock);
}
