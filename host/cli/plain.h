/* SPDX-License-Identifier: MIT */
/* Making other people's text harmless for a terminal.
 *
 * Text that a model or a provider wrote must not be able to move the cursor,
 * change the title, or answer for the user.  Every control character but line
 * feed and tab becomes visible (^[ for escape, <U+009B> for a C1 control), what
 * is not UTF-8 becomes U+FFFD, and CR LF becomes LF.  The text may come in
 * pieces that are cut anywhere.  One thread at a time. */
#ifndef PB_PLAIN_H
#define PB_PLAIN_H

#include <stdbool.h>

#include "base/buf.h"

struct plain {
    unsigned char part[4]; /* the beginning of a character */
    size_t n;
    bool cr; /* the last byte was CR */
};

/* Append the harmless form of `in` to `out`; 0 or what buf_add() said.  Starts
 * from a zeroed struct plain. */
int plain_feed(struct plain *p, pbay_str in, struct buf *out);
/* The text is over: what was held back comes out. */
int plain_end(struct plain *p, struct buf *out);

/* Length of the UTF-8 character at the start of p[0..n): 1 to 4; 0: more bytes
 * are needed; -1: not UTF-8. */
int utf8_length(const unsigned char *p, size_t n);
/* Offset of the first byte that is not UTF-8; s.n if all of it is. */
size_t utf8_valid(pbay_str s);

#endif
