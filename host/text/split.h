/* SPDX-License-Identifier: MIT */
/* Cutting a text into pieces of so many tokens at most, by the host's estimate,
 * at the best places there are: between paragraphs, else lines, sentences,
 * words, and only in the end characters.  Nothing is lost: the white space
 * between two pieces is kept beside them.  Pure. */
#ifndef PB_TEXT_SPLIT_H
#define PB_TEXT_SPLIT_H

#include "base/arena.h"

struct piece {
    pbay_str text; /* begins and ends with something visible */
    pbay_str gap;  /* the white space behind it, as it was written */
};

struct pieces {
    pbay_str lead; /* white space before the first */
    struct piece *at;
    size_t n;
};

/* In the arena, pointing into the text.  0; -E2BIG: more than `most` pieces,
 * -ENOMEM. */
int text_split(pbay_str text, uint64_t tokens, size_t most, struct arena *a,
               struct pieces *out);

/* Without white space, line ends included, at both ends. */
pbay_str text_visible(pbay_str s);

#endif
