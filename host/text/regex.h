/* SPDX-License-Identifier: MIT */
/* Regular expressions as JSON Schema has them (ECMA-262, matched by characters,
 * anywhere in the text), in time that grows with pattern and text only:
 * alternatives are followed side by side.  What cannot be done so, or needs
 * tables of Unicode's properties, is refused by name: back references, looking
 * ahead and behind, \p{...}, inline modifiers. */
#ifndef PB_TEXT_REGEX_H
#define PB_TEXT_REGEX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

#define REGEX_STEPS 4000 /* of one compiled expression */
#define REGEX_TIMES 1000 /* a count in {...} */

struct regex;

/* In the arena.  NULL and what is wrong with it: fixed text.  *work: how many
 * pieces may be read, each again for each time that a count wants it; what
 * remains of it is left. */
struct regex *regex_compile(pbay_str pattern, struct arena *a, size_t *work,
                            const char **why);
/* 1, 0, or -1: *budget, which counts single steps, is used up.  Not from two
 * threads at once. */
int regex_match(struct regex *r, pbay_str text, uint64_t *budget);

#endif
