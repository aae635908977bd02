/* SPDX-License-Identifier: MIT */
/* How times are spread: counts in buckets whose width is an eighth of what they
 * hold, so that a percentile is right within a sixteenth, in a fixed size and
 * whatever the number of times.  Zeroed memory is an empty one. */
#ifndef PB_SPREAD_H
#define PB_SPREAD_H

#include <stddef.h>
#include <stdint.h>

#define SPREAD_TOP     24 /* times from 2^24 ms, 4.6 hours, on are alike */
#define SPREAD_BUCKETS (8 * (SPREAD_TOP - 2))

struct spread {
    uint32_t n[SPREAD_BUCKETS];
};

/* 0 to 7: one for each; then eight for each power of two. */
static inline size_t spread_bucket(int64_t ms)
{
    uint64_t v = ms < 0 ? 0 : (uint64_t)ms;
    unsigned k = 3;

    if (v < 8)
        return (size_t)v;
    if (v >> SPREAD_TOP)
        return SPREAD_BUCKETS - 1;
    while (v >> (k + 1))
        k++;
    return 8 * (k - 2) + (size_t)(v >> (k - 3) & 7);
}

/* The middle of a bucket. */
static inline int64_t spread_middle(size_t i)
{
    size_t k = i / 8 + 2;

    if (i < 8)
        return (int64_t)i;
    return (int64_t)((8 + i % 8) << (k - 3)) +
           ((INT64_C(1) << (k - 3)) - 1) / 2;
}

static inline void spread_add(struct spread *s, int64_t ms)
{
    uint32_t *n = &s->n[spread_bucket(ms)];

    if (*n < UINT32_MAX)
        ++*n;
}

/* The time that so many in a hundred do not exceed; -1: there is none. */
static inline int64_t spread_at(const struct spread *s, unsigned percent)
{
    uint64_t all = 0, seen = 0, want;

    for (size_t i = 0; i < SPREAD_BUCKETS; i++)
        all += s->n[i];
    want = (all * percent + 99) / 100;
    for (size_t i = 0; all && i < SPREAD_BUCKETS; i++) {
        seen += s->n[i];
        if (seen && seen >= want)
            return spread_middle(i);
    }
    return -1;
}

#endif
