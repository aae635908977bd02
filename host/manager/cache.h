/* SPDX-License-Identifier: MIT */
/* Answers that are shared: between identical requests at the same time
 * (coalescing) and one after the other (the exact response cache).
 *
 * An answer is taped while its call runs: what the sink is told, in order.
 * Whoever asks the same reads the tape, from its start and at his own pace, as
 * if the call were his; a tape whose call has ended well stays until its time
 * to live is over or room is needed.  A reader that leaves harms nobody: the
 * call goes on while anybody reads, and ends with the last one.  A tape that
 * outgrows max_entry takes no further readers and is dropped behind the slowest
 * one, who then slows the provider down.
 *
 * One cache for the host, guarded by a mutex; readers belong to their loops.
 */
#ifndef PB_CACHE_H
#define PB_CACHE_H

#include "manager/call.h"

struct cache;

/* How an answer was come by. */
enum cache_how {
    CACHE_NONE, /* not asked */
    CACHE_MISS,
    CACHE_HIT,
    CACHE_JOINED
};

/* A request's hold on a tape, in the memory of whoever asks.  Zeroed before
 * cache_ask(); `reader` is NULL again before the sink's end is called. */
struct cache_hold {
    struct cache_reader *reader;
    enum cache_how how;
};

struct cache *cache_new(void);
/* No loop runs any more. */
void cache_free(struct cache *c);

/* May answers of this operation be shared at all? */
bool cache_fits(int op);
/* [loop] As call_start(); 0, or -1 with *e.  fresh: what is kept is not good
 * enough, the new answer is.  The body need not outlive this. */
int cache_ask(struct cache *c, const struct cfg_cache *p, bool fresh,
              struct manager *m, const struct call_request *r,
              const struct call_sink *sink, void *arg, struct cache_hold *hold,
              struct err *e);
/* [the same loop] As call_cancel() and call_pause(); nothing without a reader.
 */
void cache_leave(struct cache_hold *hold);
void cache_pause(struct cache_hold *hold, bool on);

struct cache_stats {
    uint64_t hits, misses, joined;
    size_t entries, bytes;
};
/* [any] */
void cache_stats(struct cache *c, struct cache_stats *out);

#endif
