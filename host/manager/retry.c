/* SPDX-License-Identifier: MIT */
/* Repeating an attempt: whether, and after how long.  See retry.h. */
#include "manager/retry.h"

#include "base/clock.h"
#include "base/sha256.h"

/* xorshift64*, Vigna, https://arxiv.org/abs/1402.6246; the waits need to be
 * spread, not secret. */
static uint64_t spread(struct retry_state *s)
{
    uint64_t x = s->random;

    if (!x && (random_bytes(&x, sizeof(x)) != 0 || !x))
        x = (uint64_t)clock_us() | 1;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    s->random = x;
    return x * UINT64_C(2685821657736338717);
}

void retry_earn(struct retry_state *s, int64_t share)
{
    s->spent = s->spent > share ? s->spent - share : 0;
}

static bool may(const struct retry_ask *q)
{
    if (!err_class(q->e->kind)->retry_same || q->e->should_retry < 0)
        return false;
    if (!q->safe && q->e->kind != ERR_CONNECT)
        return false;
    return (int64_t)q->attempts < q->cfg->max_attempts &&
           q->e->retry_after_ms <= q->cfg->max_ms;
}

bool retry_elsewhere(struct retry_state *s, bool works)
{
    if (s->spent + 100 > RETRY_SAVED + (works ? RETRY_OWED : 0))
        return works;
    s->spent += 100;
    return true;
}

size_t retry_left(const struct retry_state *s)
{
    return s->spent < RETRY_SAVED ? (size_t)(RETRY_SAVED - s->spent) / 100 : 0;
}

int64_t retry_wait(struct retry_state *s, const struct retry_ask *q)
{
    double most = (double)q->cfg->backoff_ms, max = (double)q->cfg->max_ms;
    int64_t wait;

    if (!may(q))
        return -1;
    for (unsigned i = 1; i < q->attempts && most < max; i++)
        most *= q->cfg->factor;
    if (most > max)
        most = max;
    wait = (int64_t)(spread(s) % ((uint64_t)most + 1));
    if (wait < q->e->retry_after_ms)
        wait = q->e->retry_after_ms;
    if (q->left_ms >= 0 && wait >= q->left_ms)
        return -1;
    return retry_elsewhere(s, false) ? wait : -1;
}
