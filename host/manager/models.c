/* SPDX-License-Identifier: MIT */
/* The index of listed models: per provider a sorted list of ids. */
#include "manager/models.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

struct entry {
    pbay_str id, json; /* both in one allocation, p of id */
    size_t order;      /* as the provider listed it */
};

struct listing {
    struct listing *next;
    char *provider;
    struct entry *v, **sorted;
    size_t n;
    int64_t listed_ms; /* -1: never */
    int64_t failed_ms;
    char *why; /* the last failure; NULL: none since listed_ms */
};

struct model_index {
    pthread_mutex_t lock;
    struct listing *first;
};

struct model_index *model_index_new(void)
{
    struct model_index *mi = calloc(1, sizeof(*mi));

    if (mi)
        pthread_mutex_init(&mi->lock, NULL);
    return mi;
}

static void entries_free(struct listing *l)
{
    for (size_t i = 0; i < l->n; i++)
        free((char *)(uintptr_t)l->v[i].id.p);
    free(l->v);
    free(l->sorted);
    l->v = NULL;
    l->sorted = NULL;
    l->n = 0;
}

static void listing_free(struct listing *l)
{
    entries_free(l);
    free(l->provider);
    free(l->why);
    free(l);
}

void model_index_free(struct model_index *mi)
{
    if (!mi)
        return;
    while (mi->first) {
        struct listing *l = mi->first;
        mi->first = l->next;
        listing_free(l);
    }
    pthread_mutex_destroy(&mi->lock);
    free(mi);
}

static struct listing *find(struct model_index *mi, const char *provider,
                            bool make)
{
    struct listing *l;

    for (l = mi->first; l; l = l->next)
        if (strcmp(l->provider, provider) == 0)
            return l;
    if (!make || !(l = calloc(1, sizeof(*l))))
        return NULL;
    l->provider = strdup(provider);
    if (!l->provider) {
        free(l);
        return NULL;
    }
    l->listed_ms = -1;
    l->next = mi->first;
    mi->first = l;
    return l;
}

static int by_id(const void *a, const void *b)
{
    pbay_str x = (*(struct entry *const *)a)->id;
    pbay_str y = (*(struct entry *const *)b)->id;
    size_t n = x.n < y.n ? x.n : y.n;
    int rc = n ? memcmp(x.p, y.p, n) : 0;

    return rc ? rc : (x.n > y.n) - (x.n < y.n);
}

static bool entry_set(struct entry *e, const pbay_kv *from)
{
    char *p = malloc(from->k.n + from->v.n + 1);

    if (!p)
        return false;
    if (from->k.n)
        memcpy(p, from->k.p, from->k.n);
    if (from->v.n)
        memcpy(p + from->k.n, from->v.p, from->v.n);
    e->id = str_n(p, from->k.n);
    e->json = str_n(p + from->k.n, from->v.n);
    return true;
}

void model_index_set(struct model_index *mi, const char *provider,
                     const pbay_kv *ids_and_json, size_t n, int64_t now_ms)
{
    struct listing *l;

    pthread_mutex_lock(&mi->lock);
    l = find(mi, provider, true);
    if (l) {
        entries_free(l);
        free(l->why);
        l->why = NULL;
        l->v = calloc(n + 1, sizeof(*l->v));
        l->sorted = calloc(n + 1, sizeof(*l->sorted));
        for (size_t i = 0; l->v && l->sorted && i < n; i++)
            if (entry_set(&l->v[l->n], &ids_and_json[i])) {
                l->sorted[l->n] = &l->v[l->n];
                l->n++;
            }
        if (l->n)
            qsort(l->sorted, l->n, sizeof(*l->sorted), by_id);
        l->listed_ms = now_ms;
    }
    pthread_mutex_unlock(&mi->lock);
}

void model_index_failed(struct model_index *mi, const char *provider,
                        const char *why, int64_t now_ms)
{
    struct listing *l;

    pthread_mutex_lock(&mi->lock);
    l = find(mi, provider, true);
    if (l) {
        free(l->why);
        l->why = strdup(why);
        l->failed_ms = now_ms;
    }
    pthread_mutex_unlock(&mi->lock);
}

bool model_index_failing(struct model_index *mi, const char *provider,
                         int64_t now_ms, int64_t within_ms)
{
    struct listing *l;
    bool failing;

    pthread_mutex_lock(&mi->lock);
    l = find(mi, provider, false);
    failing = l && l->why && now_ms - l->failed_ms < within_ms;
    pthread_mutex_unlock(&mi->lock);
    return failing;
}

bool model_index_why(struct model_index *mi, const char *provider, char *dst,
                     size_t room)
{
    struct listing *l;
    bool failing;

    pthread_mutex_lock(&mi->lock);
    l = find(mi, provider, false);
    failing = l && l->why;
    if (failing)
        snprintf(dst, room, "%s", l->why);
    pthread_mutex_unlock(&mi->lock);
    return failing;
}

void model_index_keep(struct model_index *mi, const char *const *providers,
                      size_t n)
{
    struct listing **at, *l;

    pthread_mutex_lock(&mi->lock);
    for (at = &mi->first; (l = *at) != NULL;) {
        bool kept = false;
        for (size_t i = 0; i < n && !kept; i++)
            kept = strcmp(l->provider, providers[i]) == 0;
        if (kept) {
            at = &l->next;
        } else {
            *at = l->next;
            listing_free(l);
        }
    }
    pthread_mutex_unlock(&mi->lock);
}

bool model_index_has(struct model_index *mi, const char *provider, pbay_str id)
{
    struct entry key = {.id = id}, *k = &key;
    struct listing *l;
    bool found = false;

    pthread_mutex_lock(&mi->lock);
    l = find(mi, provider, false);
    if (l && l->n)
        found = bsearch(&k, l->sorted, l->n, sizeof(*l->sorted), by_id) != NULL;
    pthread_mutex_unlock(&mi->lock);
    return found;
}

void model_index_one(struct model_index *mi, const char *provider, pbay_str id,
                     void (*fn)(void *arg, const char *provider, pbay_str id,
                                pbay_str json),
                     void *arg)
{
    struct entry key = {.id = id}, *k = &key, **found = NULL;
    struct listing *l;

    pthread_mutex_lock(&mi->lock);
    l = find(mi, provider, false);
    if (l && l->n)
        found = bsearch(&k, l->sorted, l->n, sizeof(*l->sorted), by_id);
    if (found)
        fn(arg, l->provider, (*found)->id, (*found)->json);
    pthread_mutex_unlock(&mi->lock);
}

int64_t model_index_age(struct model_index *mi, const char *provider,
                        int64_t now_ms)
{
    struct listing *l;
    int64_t age = -1;

    pthread_mutex_lock(&mi->lock);
    l = find(mi, provider, false);
    if (l && l->listed_ms >= 0)
        age = now_ms > l->listed_ms ? now_ms - l->listed_ms : 0;
    pthread_mutex_unlock(&mi->lock);
    return age;
}

void model_index_each(struct model_index *mi, const char *provider,
                      void (*fn)(void *arg, const char *provider, pbay_str id,
                                 pbay_str json),
                      void *arg)
{
    struct listing *l;

    pthread_mutex_lock(&mi->lock);
    l = find(mi, provider, false);
    for (size_t i = 0; l && i < l->n; i++)
        fn(arg, l->provider, l->v[i].id, l->v[i].json);
    pthread_mutex_unlock(&mi->lock);
}
