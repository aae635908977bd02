/* SPDX-License-Identifier: MIT */
/* Prices of models and what a use of them costs, in whole numbers.
 *
 * A price is in 1e-9 of its currency ("nano") for a million tokens, a cost in
 * nano.  A cost is rounded once, at its end, to the nearest nano; before that
 * nothing is lost.  What is not known is PRICE_UNKNOWN or COST_UNKNOWN and
 * makes what depends on it unknown; it is never taken for zero.
 *
 * A row of a price list is one line of text:
 *
 *   MODEL [in=P] [cached=P] [write=P] [write_1h=P] [out=P] [reasoning=P]
 *         [request=P] [above=TOKENS] [from=DATE] [until=DATE] [hours=HH-HH,..]
 *
 * P: USD for a million tokens, request: for one request.  A row with `above`
 * is for prompts of more tokens than that, the whole of them; `from` and
 * `until` are days (UTC, until is the first that it is no more for), `hours`
 * are of the day (UTC, 01-04 ends at 4:00).  Of the rows for a model the last
 * one counts whose conditions hold, and it counts alone.
 *
 * A model's rows are those of its own name; if there are none, those of its
 * name without the date at its end ("-2024-08-06", "-20240806", "@20240806", or
 * "-latest"); if there are none either, those whose MODEL ends in "*" and
 * begins like it, the longest of them.
 *
 * Nothing here owns memory.  [any thread] */
#ifndef PB_PRICE_H
#define PB_PRICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <patchbay/event.h>
#include <patchbay/types.h>

#define PRICE_UNKNOWN INT64_C(-1)
#define PRICE_MAX     INT64_C(9000000000000) /* 9000 for a million tokens */
#define COST_UNKNOWN  INT64_C(-1)

struct price {
    int64_t input;
    int64_t cache_read, cache_write, cache_write_long;
    int64_t output;
    int64_t reasoning; /* unknown: as output, of which it is a part */
    int64_t request;   /* nano for one; unknown: nothing is asked for it */
};

struct price_row {
    pbay_str model;      /* with "*" at its end: all that begin so */
    uint64_t above;      /* tokens of a prompt */
    int64_t from, until; /* days since 1970; 0: always */
    uint32_t hours;      /* bit 0: the hour from 0:00; 0: all of them */
    struct price price;
};

/* A model's rows, by one vendor. */
struct price_vendor {
    pbay_str name;
    pbay_str host; /* of its API; empty: none in particular */
    const struct price_row *rows;
    size_t n;
};

extern const struct price price_unknown; /* nothing is known */
extern const struct price price_free;    /* nothing is asked */

/* One line; the row points into it.  0, or -1 and a sentence in why[]. */
int price_row_parse(pbay_str line, struct price_row *out, char *why,
                    size_t room);
/* A decimal number of >= 0, as JSON writes it, times 10^shift: exactly, or -1
 * (also beyond PRICE_MAX). */
int price_decimal(pbay_str text, int shift, int64_t *out);

/* The row for a prompt of so many tokens at that time (ms since 1970); NULL:
 * none. */
const struct price_row *price_find(const struct price_row *rows, size_t n,
                                   pbay_str model, uint64_t tokens,
                                   int64_t wall_ms);

/* What that use costs in nano, or COST_UNKNOWN: a count or a price is missing,
 * counts contradict each other, or it is more than an int64_t holds.  The
 * provider's own figure (PBAY_U_COST) is none of its business. */
int64_t price_cost(const struct price *p, const pbay_usage *u);
/* Of one text in and one out. */
int64_t price_estimate(const struct price *p, uint64_t input, uint64_t output);

/* "0.000125" for nano; dst of 32 bytes. */
const char *cost_text(int64_t nano, char dst[32]);

#endif
