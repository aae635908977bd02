/* SPDX-License-Identifier: MIT */
/* The arena: blocks that double in size, large pieces in blocks of their own.
 */
#include "config.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

/* Under the address sanitizer each piece is a block, so that a write past its
 * end is seen. */
#if defined(__SANITIZE_ADDRESS__)
#define BLOCK_EACH 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BLOCK_EACH 1
#endif
#endif
#ifndef BLOCK_EACH
#define BLOCK_EACH 0
#endif

#define ALIGN 16u
/* With its header the first block is 1 KiB, the most that glibc keeps at hand
 * in each thread; a few bytes more would take its slow way with each call. */
#define BLOCK_FIRST (((size_t)1 << 10) - sizeof(struct arena_block))
#define BLOCK_LAST  ((size_t)64 << 10)
/* From this size on a piece gets its own block: so at most a quarter of a
 * block is left unused. */
#define BLOCK_OWN (BLOCK_LAST / 4)

struct arena_block {
    struct arena_block *next;
    alignas(ALIGN) char bytes[];
};

void arena_init(struct arena *a, size_t max)
{
    *a = (struct arena){.max = max};
}

void arena_done(struct arena *a)
{
    struct arena_block *b = a->blocks, *next;

    for (; b; b = next) {
        next = b->next;
        free(b);
    }
    arena_init(a, a->max);
}

static struct arena_block *block_new(struct arena *a, size_t n)
{
    struct arena_block *b = malloc(sizeof(*b) + n);

    if (b) {
        b->next = a->blocks;
        a->blocks = b;
    }
    return b;
}

/* n bytes when the newest block has no room for them; the bound is checked.
 * Both kinds of block begin aligned. */
static char *take_block(struct arena *a, size_t n)
{
    size_t size = a->step ? a->step : BLOCK_FIRST;
    struct arena_block *b;

    /* One that would not fit into the next block has its own as well: making
     * that block large enough would leave up to half of it unused, and twice as
     * large a one would follow. */
    if (BLOCK_EACH || n >= BLOCK_OWN || n > size) {
        b = block_new(a, n);
        if (!b)
            return NULL;
        a->used += n;
        return b->bytes;
    }
    a->step = size < BLOCK_LAST ? size * 2 : BLOCK_LAST;
    if (size > a->max - a->used) /* no need for more than may be used */
        size = a->max - a->used;
    b = block_new(a, size);
    if (!b)
        return NULL;
    a->at = b->bytes + n;
    a->end = b->bytes + size;
    a->used += n;
    return b->bytes;
}

static char *take(struct arena *a, size_t n, size_t align)
{
    size_t pad = a->at ? -(uintptr_t)a->at & (align - 1) : 0;
    char *p;

    if (!n)
        n = 1; /* so that every piece has an address of its own */
    if (n > a->max - a->used)
        return NULL;
    if (!a->at || pad + n > (size_t)(a->end - a->at))
        return take_block(a, n);
    if (pad + n > a->max - a->used)
        return NULL;
    p = a->at + pad;
    a->at = p + n;
    a->used += pad + n;
    return p;
}

void *arena_alloc(struct arena *a, size_t n)
{
    char *p = take(a, n, ALIGN);

    return p ? memset(p, 0, n ? n : 1) : NULL;
}

char *arena_bytes(struct arena *a, size_t n)
{
    return take(a, n, 1);
}

pbay_str arena_dup(struct arena *a, pbay_str s)
{
    char *p = s.n < SIZE_MAX ? arena_bytes(a, s.n + 1) : NULL;

    if (!p)
        return (pbay_str){NULL, 0};
    if (s.n)
        memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return (pbay_str){p, s.n};
}

pbay_str arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    char *p;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        return (pbay_str){NULL, 0};
    p = arena_bytes(a, (size_t)n + 1);
    if (!p)
        return (pbay_str){NULL, 0};
    va_start(ap, fmt);
    vsnprintf(p, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return (pbay_str){p, (size_t)n};
}
