/* SPDX-License-Identifier: MIT */
/* A byte buffer with a bound: append at the end, consume at the front.
 * Grows by doubling up to `max`; what does not fit is refused, never cut.
 * What is added must not lie in the same buffer.  One thread at a time. */
#ifndef PB_BUF_H
#define PB_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <patchbay/types.h>

struct buf {
    char *p;     /* start of the allocation */
    size_t off;  /* first byte not consumed */
    size_t n;    /* bytes held from off */
    size_t room; /* size of the allocation, at most max */
    size_t max;  /* bound on n */
};

void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b);
/* 0, -EMSGSIZE past the bound, -ENOMEM; the buffer is unchanged on failure. */
int buf_add(struct buf *b, pbay_str s);
int buf_addc(struct buf *b, const char *s);
int buf_printf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
int buf_vprintf(struct buf *b, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));
/* s as a JSON string with quotes; what is not UTF-8 becomes U+FFFD. */
int buf_json(struct buf *b, pbay_str s);
/* Room for n more bytes; write there, then buf_grew() with how many.  NULL and
 * errno where buf_add() would fail. */
char *buf_space(struct buf *b, size_t n);
void buf_grew(struct buf *b, size_t n);
void buf_consume(struct buf *b, size_t n);
/* Empty it; keeps at most `keep` bytes of memory. */
void buf_reset(struct buf *b, size_t keep);

static inline pbay_str buf_str(const struct buf *b)
{
    return (pbay_str){b->p ? b->p + b->off : "", b->n};
}

#endif
