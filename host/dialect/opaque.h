/* SPDX-License-Identifier: MIT */
/* Blocks that an answer's provider wants back unchanged, on their way through a
 * client whose API has a place for text that it does not read: OPAQUE_MARK and
 * the block's JSON in base64. */
#ifndef PB_DIALECT_OPAQUE_H
#define PB_DIALECT_OPAQUE_H

#include "base/buf.h"
#include "base/json.h"

#define OPAQUE_MARK "patchbay:"

/* Appended to b, without quotes.  0, or below. */
int opaque_wrap(pbay_str json, struct buf *b);
/* Did opaque_wrap() make it? */
bool opaque_is(const char *text);
/* The block, the caller's; NULL: it was changed on its way. */
struct json_object *opaque_unwrap(const char *text);

#endif
