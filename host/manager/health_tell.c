/* SPDX-License-Identifier: MIT */
/* A target's state as JSON. */
#include "manager/health_tell.h"

int health_tell(struct buf *b, const struct health_state *s, struct clock *c)
{
    int64_t since = clock_wall(c) - clock_now(c); /* changes are of that one */
    int rc = buf_printf(b,
                        "\"state\":\"%s\",\"failures\":%u,\"failed\":%u,"
                        "\"of\":%u,\"for_ms\":%lld,\"last\":\"%s\","
                        "\"changes\":[",
                        s->say, s->in_a_row, s->failed, s->of,
                        (long long)s->for_ms, s->last);

    for (size_t i = 0; i < s->n_changes; i++) {
        const struct health_change *x = &s->changes[i];
        rc |= buf_printf(b, "%s{\"at_ms\":%lld,\"state\":\"%s\",\"why\":\"%s\"",
                         i ? "," : "", (long long)(x->at_ms + since), x->state,
                         x->why);
        if (x->for_ms)
            rc |= buf_printf(b, ",\"for_ms\":%lld", (long long)x->for_ms);
        rc |= buf_addc(b, "}");
    }
    return rc | buf_addc(b, "]");
}
