/* SPDX-License-Identifier: MIT */
/* A ring of changes; see health_log.h. */
#include "manager/health_log.h"

#include <string.h>

void health_log_add(struct health_log *l, int64_t now, const char *state,
                    const char *why, int64_t for_ms)
{
    const struct health_change *last =
        l->n ? &l->v[(l->n - 1) % HEALTH_CHANGES] : NULL;
    struct health_change c = {now, for_ms, state, why};

    if (last && strcmp(state, "cooling") == 0 &&
        strcmp(last->state, "cooling") == 0 && now < last->at_ms + last->for_ms)
        l->n--;
    l->v[l->n++ % HEALTH_CHANGES] = c;
}

size_t health_log_read(const struct health_log *l,
                       struct health_change out[HEALTH_CHANGES])
{
    size_t n = 0;

    for (; n < HEALTH_CHANGES && n < l->n; n++)
        out[n] = l->v[(l->n - 1 - n) % HEALTH_CHANGES];
    return n;
}
