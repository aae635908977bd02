/* SPDX-License-Identifier: MIT */
/* The table of moving averages; see pace.h. */
#include "manager/pace.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define HEADS 256

struct entry {
    struct entry *next;
    uint64_t hash;
    pbay_str provider, model; /* behind this struct */
    int64_t first_us, total_us;
    int64_t at;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry *heads[HEADS];
static size_t n_entries;

/* FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/ */
static uint64_t mix(uint64_t h, pbay_str s)
{
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * 1099511628211u;
    return (h ^ 0xff) * 1099511628211u;
}

static uint64_t hash_of(pbay_str provider, pbay_str model)
{
    return mix(mix(14695981039346656037u, provider), model);
}

static struct entry *find(pbay_str provider, pbay_str model, uint64_t hash)
{
    struct entry *e = heads[hash % HEADS];

    while (e && !(e->hash == hash && str_eq(e->provider, provider) &&
                  str_eq(e->model, model)))
        e = e->next;
    return e;
}

static void drop_oldest(void)
{
    struct entry **oldest = NULL, *gone;

    for (size_t i = 0; i < HEADS; i++)
        for (struct entry **p = &heads[i]; *p; p = &(*p)->next)
            if (!oldest || (*p)->at < (*oldest)->at)
                oldest = p;
    if (!oldest)
        return;
    gone = *oldest;
    *oldest = gone->next;
    free(gone);
    n_entries--;
}

static struct entry *make(pbay_str provider, pbay_str model, uint64_t hash)
{
    struct entry *e;
    char *text;

    if (n_entries >= PACE_TARGETS)
        drop_oldest();
    e = calloc(1, sizeof(*e) + provider.n + model.n);
    if (!e)
        return NULL;
    text = (char *)(e + 1);
    if (provider.n)
        memcpy(text, provider.p, provider.n);
    if (model.n)
        memcpy(text + provider.n, model.p, model.n);
    e->provider = str_n(text, provider.n);
    e->model = str_n(text + provider.n, model.n);
    e->hash = hash;
    e->next = heads[hash % HEADS];
    heads[hash % HEADS] = e;
    n_entries++;
    return e;
}

/* What is left of it after that time: a half for each PACE_HALF_MS, in a
 * straight line between. */
static int64_t fade(int64_t v, int64_t past_ms)
{
    int64_t halves = past_ms / PACE_HALF_MS, rest = past_ms % PACE_HALF_MS;

    if (past_ms <= 0)
        return v;
    if (halves > 40)
        return 0;
    v >>= halves;
    return v - v * rest / (2 * PACE_HALF_MS);
}

/* Slower than what is known: that is how it is now.  Faster: each answer draws
 * it down by a quarter of the way, or by as much as it has faded. */
static int64_t follow(int64_t known, int64_t took, int64_t past_ms)
{
    int64_t faded = fade(known, past_ms), quarter = known - (known - took) / 4;

    if (took >= known)
        return took;
    if (faded < took)
        return took;
    return faded < quarter ? faded : quarter;
}

void pace_add(const char *provider, pbay_str model, struct pace took,
              int64_t now_ms)
{
    uint64_t hash = hash_of(str_c(provider), model);
    struct entry *e;

    pthread_mutex_lock(&lock);
    e = find(str_c(provider), model, hash);
    if (!e)
        e = make(str_c(provider), model, hash);
    if (e) {
        int64_t past = e->at ? now_ms - e->at : 0;
        e->first_us = follow(e->first_us, took.first_ms * 1000, past);
        e->total_us = follow(e->total_us, took.total_ms * 1000, past);
        e->at = now_ms;
    }
    pthread_mutex_unlock(&lock);
}

bool pace_look(const char *provider, pbay_str model, int64_t now_ms,
               struct pace *out)
{
    uint64_t hash = hash_of(str_c(provider), model);
    struct entry *e;

    pthread_mutex_lock(&lock);
    e = find(str_c(provider), model, hash);
    if (e) {
        out->first_ms = fade(e->first_us, now_ms - e->at) / 1000;
        out->total_ms = fade(e->total_us, now_ms - e->at) / 1000;
    }
    pthread_mutex_unlock(&lock);
    return e != NULL;
}

void pace_free(void)
{
    for (size_t i = 0; i < HEADS; i++)
        while (heads[i]) {
            struct entry *e = heads[i];
            heads[i] = e->next;
            free(e);
        }
    n_entries = 0;
}
