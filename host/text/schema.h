/* SPDX-License-Identifier: MIT */
/* JSON Schema, draft 2020-12, for the keywords that keywords[] in
 * schema_compile.c lists; a schema that uses any other is refused by its name.
 * So are references out of the schema, a second $id in it, and patterns that
 * regex.h does not take.  `format` and its like are annotations, as the
 * standard has it.
 *
 * Numbers are compared exactly, whatever their size: 1.0 is an integer, 2^53+1
 * is not 2^53, and 0.3 is a multiple of 0.1.  multipleOf may have
 * NUM_DIVISOR significant digits.
 *
 * Everything is bounded: a schema's size and nesting, and the work that a value
 * costs, so that references which multiply do no harm, and an event loop is
 * held up by no check for more than some tens of milliseconds. */
#ifndef PB_TEXT_SCHEMA_H
#define PB_TEXT_SCHEMA_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"

#define SCHEMA_BYTES  ((size_t)256 << 10) /* of a schema */
#define SCHEMA_NODES  10000               /* schemas within it */
#define SCHEMA_CHAIN  64     /* references and alternatives of one value */
#define SCHEMA_DEPTH  512    /* of the check, as both are nested */
#define SCHEMA_STEPS  200000 /* of one check */
#define SCHEMA_VALUE  ((size_t)1 << 20) /* bytes of the value */
#define SCHEMA_VALUES 50000             /* values in it */
#define SCHEMA_FAULTS 8                 /* that are told */

struct schema;

/* In the arena, which needs up to a hundred times the text's size and holds
 * what it points to; the text must stay.  0, or -1 with a sentence in `why`
 * that names the keyword and where it stands, as a JSON pointer. */
int schema_compile(pbay_str text, struct arena *a, struct schema **out,
                   char *why, size_t room);

enum schema_result {
    SCHEMA_VALID,
    SCHEMA_INVALID,
    SCHEMA_UNKNOWN /* too large, or too much work, to be checked */
};

/* Check a JSON text.  What is wrong with it is added to `faults`, a line each:
 * where (JSON pointer) and what.  Not from two threads at once. */
enum schema_result schema_check(const struct schema *s, pbay_str text,
                                struct buf *faults);

/* Every keyword that is checked or an annotation; NULL behind the last. */
const char *schema_keyword(size_t i);

#endif
