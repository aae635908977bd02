/* SPDX-License-Identifier: MIT */
/* Hashes that spread, for choices that have to come out the same everywhere;
 * not against anybody who looks for collisions. */
#ifndef PB_HASH_H
#define PB_HASH_H

#include <stdint.h>

#include <patchbay/types.h>

#define HASH_START UINT64_C(14695981039346656037)

/* FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/, with an end to each text:
 * "ab" and "c" are not "a" and "bc". */
static inline uint64_t hash_add(uint64_t h, pbay_str s)
{
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * UINT64_C(1099511628211);
    return (h ^ 0xff) * UINT64_C(1099511628211);
}

/* splitmix64, https://prng.di.unimi.it/splitmix64.c: numbers that look drawn
 * by lot, of a counter or another hash. */
static inline uint64_t hash_lot(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

#endif
