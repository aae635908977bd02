/* SPDX-License-Identifier: MIT */
/* The minute of one limit, second by second. */
#include <string.h>

#include "manager/limits_int.h"

static size_t slot(int64_t second)
{
    return (size_t)(second % LIMIT_SLOTS);
}

void meter_turn(struct meter *m, int64_t second)
{
    int64_t past = second - m->second;

    if (past <= 0) /* another loop's clock is ahead of this one's */
        return;
    if (past > LIMIT_SLOTS)
        past = LIMIT_SLOTS;
    for (int64_t s = second - past + 1; s <= second; s++) {
        m->n_requests -= m->requests[slot(s)];
        m->n_tokens -= m->tokens[slot(s)];
        m->requests[slot(s)] = 0;
        m->tokens[slot(s)] = 0;
    }
    m->second = second;
}

uint64_t meter_size(const struct cfg_limits *caps, uint64_t tokens)
{
    return caps->tokens && tokens > (uint64_t)caps->tokens
               ? (uint64_t)caps->tokens
               : tokens;
}

/* When the oldest seconds have gone that stand in the way. */
static int64_t room_after(const struct meter *m, uint64_t requests,
                          uint64_t tokens)
{
    uint64_t r = 0, t = 0;

    for (int64_t s = m->second - LIMIT_SLOTS + 1; s <= m->second; s++) {
        if (s < 0)
            continue;
        r += m->requests[slot(s)];
        t += m->tokens[slot(s)];
        if (r >= requests && t >= tokens)
            return (s + LIMIT_SLOTS - m->second) * 1000;
    }
    return LIMIT_SLOTS * 1000;
}

enum fit meter_fit(const struct meter *m, const struct cfg_limits *caps,
                   unsigned requests, uint64_t tokens, struct limit_refusal *no)
{
    uint64_t all = m->n_requests + requests, cap = (uint64_t)caps->tokens;
    uint64_t size = meter_size(caps, tokens), full = m->n_tokens + size;

    if (caps->requests && all > (uint64_t)caps->requests) {
        no->what = LIMIT_REQUESTS;
        no->cap = caps->requests;
        no->retry_ms = room_after(m, all - (uint64_t)caps->requests, 0);
        return FIT_NO;
    }
    if (cap && full > cap) {
        if (full <= cap + m->reserved)
            return FIT_WAIT;
        no->what = LIMIT_TOKENS;
        no->cap = caps->tokens;
        no->retry_ms = room_after(m, 0, full - cap);
        return FIT_NO;
    }
    return caps->concurrent && m->held >= (uint64_t)caps->concurrent ? FIT_WAIT
                                                                     : FIT_YES;
}

void meter_take(struct meter *m, unsigned requests, uint64_t tokens)
{
    m->requests[slot(m->second)] += requests;
    m->n_requests += requests;
    m->tokens[slot(m->second)] += tokens;
    m->n_tokens += tokens;
    m->reserved += tokens;
    m->held++;
}

void meter_give(struct meter *m, int64_t second, uint64_t reserved,
                uint64_t used)
{
    m->held--;
    m->reserved -= reserved;
    if (m->second - second >= LIMIT_SLOTS)
        return; /* of a minute that is over */
    m->tokens[slot(second)] += used - reserved;
    m->n_tokens += used - reserved;
}

bool meter_idle(const struct meter *m, int64_t second)
{
    return !m->refs && second - m->second > LIMIT_SLOTS;
}
