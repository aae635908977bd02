/* SPDX-License-Identifier: MIT */
/* Sums of usage. */
#include "manager/usage.h"

#include <string.h>

void usage_add(pbay_usage *to, const pbay_usage *from)
{
#define SUM(bit, field)           \
    if (from->known & (bit)) {    \
        if (!(to->known & (bit))) \
            to->field = 0;        \
        to->field += from->field; \
        to->known |= (bit);       \
    }
    SUM(PBAY_U_INPUT, input)
    SUM(PBAY_U_CACHE_READ, cache_read)
    SUM(PBAY_U_CACHE_WRITE, cache_write)
    SUM(PBAY_U_CACHE_WRITE_LONG, cache_write_long)
    SUM(PBAY_U_OUTPUT, output)
    SUM(PBAY_U_REASONING, reasoning)
    SUM(PBAY_U_COST, cost_nano)
#undef SUM
    if (!to->currency[0])
        memcpy(to->currency, from->currency, sizeof(to->currency));
    to->flags |= from->flags & PBAY_U_ESTIMATED;
    to->size = sizeof(*to);
}
