/* SPDX-License-Identifier: MIT */
/* The inside of the cache, for cache.c (which tapes there are), cache_tape.c (a
 * tape and the call that fills it), cache_read.c (who reads it) and cache_key.c
 * (what makes two requests the same) only. */
#ifndef PB_CACHE_INT_H
#define PB_CACHE_INT_H

#include <pthread.h>

#include "manager/cache.h"
#include "manager/tape.h"

#define CACHE_BUCKETS 4096
#define CACHE_KEY     32 /* bytes of a SHA-256 */

struct cache {
    pthread_mutex_t lock; /* for all here, and all of a tape but its call */
    struct tape *buckets[CACHE_BUCKETS];
    struct tape *oldest, *newest; /* of those that are kept */
    size_t bytes, entries;
    uint64_t hits, misses, joined;
};

struct tape {
    struct cache *cache;
    struct cfg_cache policy;
    unsigned char key[CACHE_KEY];
    struct tape *hash_next, *older, *newer;
    unsigned refs; /* readers, the table, the call, a job under way */
    bool listed;   /* in the table */
    bool kept;     /* ended well, in the order of use */
    bool ended;    /* its last item is the end */
    bool overflow; /* more than max_entry: see balance() */
    bool posted;   /* the job is under way */
    int64_t expires;
    struct tape_item *first, *last;
    uint64_t serial;
    size_t bytes;
    struct cache_reader *readers;

    /* Of the loop it was started on. */
    struct manager *m;
    struct call *call;
    struct loop_job job;
    bool lost;               /* there was no memory for an item */
    struct tape_item *spare; /* so that there always is one for the end */
    struct err *spare_err;   /* its own */
    struct arena arena;      /* the request */
    struct call_body body, canonical;
    bool translated;
    struct err refusal; /* what translating it has found */
};

/* Of its own loop, but `at`, `posted` and the links. */
struct cache_reader {
    struct cache_reader *next, **prev;
    struct tape *tape;
    struct loop *loop;
    struct cache_hold *hold;
    const struct call_sink *sink;
    void *arg;
    char id[64];
    int64_t started;
    int64_t deadline_ms; /* 0: none of his own */
    struct timer timer, deadline;
    struct loop_job job;
    bool posted;
    bool paused, gone, telling;
    struct tape_item *at; /* the last one told */
};

/* --- cache.c, under the lock --- */
void tape_unlist(struct cache *c, struct tape *t);
/* It has ended well and is listed. */
void tape_keep(struct cache *c, struct tape *t, int64_t now);

/* --- cache_tape.c --- */
/* With one reference, that of its call. */
struct tape *tape_new(struct cache *c, const struct cfg_cache *p,
                      const unsigned char *key, struct manager *m,
                      const struct call_request *rq);
/* [its loop] 0, or -1 with *e: the tape stays as it is, without a call. */
int tape_start(struct tape *t, const struct call_request *rq, struct err *e);
/* Under the lock. */
void tape_unref(struct tape *t);
/* Under the lock, from any loop: what readers do not need can go, the call too
 * if there is no reader. */
void tape_post_balance(struct tape *t);

/* --- cache_read.c --- */
struct cache_reader *reader_new(struct loop *loop,
                                const struct call_request *rq,
                                const struct call_sink *sink, void *arg,
                                struct cache_hold *hold);
/* Under the lock. */
void reader_attach(struct tape *t, struct cache_reader *r);
void reader_detach(struct cache_reader *r);
/* Under the lock, from the loop `from`: there is more to read. */
void reader_wake(struct cache_reader *r, const struct loop *from);
/* [its loop] His answer is to come, until his deadline. */
void reader_start(struct cache_reader *r);
/* [its loop] */
void reader_wake_here(struct cache_reader *r);

/* --- cache_key.c --- */
bool cache_key(const struct cfg_cache *p, const struct manager *m,
               const struct call_request *rq, unsigned char key[CACHE_KEY]);

#endif
