/* SPDX-License-Identifier: MIT */
/* Decimal numbers as JSON writes them, compared and divided exactly, whatever
 * their size.  Views of the text; no state, no allocation. */
#ifndef PB_TEXT_NUMBER_H
#define PB_TEXT_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include <patchbay/types.h>

/* The digits from..to of the text's, without zeros at both ends, times 10^e; an
 * exponent beyond what 50 bits hold counts as that. */
struct num {
    bool negative;
    const char *p;
    size_t dot, from, to; /* from == to: zero */
    int64_t e;
};

#define NUM_DIVISOR 18 /* significant digits of one, at most */

/* Of a well-formed JSON number. */
struct num num_read(pbay_str text);
int num_compare(const struct num *a, const struct num *b);
bool num_is_whole(const struct num *a);
/* May it stand in num_is_multiple()?  It is above 0 and short enough. */
bool num_may_divide(const struct num *by);
bool num_is_multiple(const struct num *a, const struct num *by);
/* As a count: 0 and *out, or -1: negative, no whole number, or beyond 2^53. */
int num_count(const struct num *a, uint64_t *out);

#endif
