/* SPDX-License-Identifier: MIT */
/* How the manual page writes a row of the key table. */
#ifndef PB_TESTS_CONFIG_MAN_H
#define PB_TESTS_CONFIG_MAN_H

#include <stdio.h>
#include <string.h>

#include "config/parts.h"

static inline void man_amount(const struct cfg_key *k, double v, char dst[32])
{
    if (k->type == KEY_DURATION)
        cfg_duration_text((int64_t)v, dst);
    else if (k->type == KEY_SIZE)
        cfg_size_text((int64_t)v, dst);
    else
        snprintf(dst, 32, "%.10g", v);
}

/* ".It Va NAME Pq Em TYPE[ , No UNIT][ , No MIN to MAX]
 * [ , No default Ql DEFAULT]" */
static inline void man_head(const struct cfg_key *k, char *dst, size_t room)
{
    char min[32], max[32], bounds[80] = "";
    man_amount(k, k->min, min);
    man_amount(k, k->max, max);
    if (k->min < k->max)
        snprintf(bounds, sizeof bounds, " , No %s to %s", min, max);
    snprintf(dst, room, ".It Va %s Pq Em %s%s%s%s%s%s",
             strcmp(k->name, "*") == 0 ? "NAME" : k->name,
             key_type_name(k->type), k->unit ? " , No " : "",
             k->unit ? k->unit : "", bounds, k->def ? " , No default Ql " : "",
             k->def ? k->def : "");
}

#endif
