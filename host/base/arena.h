/* SPDX-License-Identifier: MIT */
/* Memory with one lifetime: many small allocations, freed together.
 * One thread at a time.  Bounded: past `max` bytes every allocation fails. */
#ifndef PB_ARENA_H
#define PB_ARENA_H

#include <stdarg.h>
#include <stddef.h>

#include <patchbay/types.h>

struct arena_block;
struct arena {
    struct arena_block *blocks;
    char *at, *end;   /* what is free in the newest block */
    size_t used, max; /* bytes handed out, alignment included; their bound */
    size_t step;      /* size of the next block */
};

/* No memory is taken until the first allocation. */
void arena_init(struct arena *a, size_t max);
/* Give everything back; the arena may be used again. */
void arena_done(struct arena *a);
/* Zeroed and 16-aligned; NULL past the bound or out of memory.  n may be 0. */
void *arena_alloc(struct arena *a, size_t n);
/* Not zeroed, not aligned: for bytes. */
char *arena_bytes(struct arena *a, size_t n);
/* A NUL-terminated copy; {NULL,0} on failure. */
pbay_str arena_dup(struct arena *a, pbay_str s);
pbay_str arena_printf(struct arena *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
