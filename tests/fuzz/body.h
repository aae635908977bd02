/* SPDX-License-Identifier: MIT */
/* For targets that give a codec a request: what a host would let through. */
#ifndef PB_FUZZ_BODY_H
#define PB_FUZZ_BODY_H

#include <stdbool.h>

#include <patchbay/json.h>

#include "base/limits.h"

/* An object whose top-level names are few and occur once. */
static inline bool fuzz_is_body(pbay_str text)
{
    pbay_kv members[LIM_MEMBERS];
    size_t n;

    return pbay_json_members(text, members, LIM_MEMBERS, &n, NULL) == 0;
}

#endif
