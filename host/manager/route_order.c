/* SPDX-License-Identifier: MIT */
/* Strategies: in which order the targets of a route are tried. */
#include <stdatomic.h>
#include <string.h>

#include "base/hash.h"
#include "base/str.h"
#include "manager/limits.h"
#include "manager/pace.h"
#include "manager/pricing.h"
#include "manager/router_int.h"
#include "manager/suit.h"
#include "manager/want.h"
#include "manager/when.h"

uint64_t route_under_way(const struct instance *in)
{
    uint64_t n = 0;

    for (size_t i = 0; i <= LIM_LOOPS; i++)
        n += atomic_load_explicit(&in->stats[i].active, memory_order_relaxed);
    return n;
}

/* The targets from `from` on, so that the one at `first` comes first and the
 * others keep their order. */
static void to_front(struct plan *p, size_t from, size_t first)
{
    struct target t = p->targets[first];

    memmove(&p->targets[from + 1], &p->targets[from],
            (first - from) * sizeof(t));
    p->targets[from] = t;
}

static void rotate(struct plan *p, size_t from, size_t n, unsigned turn)
{
    for (size_t k = n ? turn % n : 0; k > 0; k--) {
        struct target t = p->targets[from];
        memmove(&p->targets[from], &p->targets[from + 1], (n - 1) * sizeof(t));
        p->targets[from + n - 1] = t;
    }
}

/* The one whose share of the weights a number falls into that goes evenly
 * through all of them: the golden ratio's multiples. */
static void by_weight(struct plan *p, size_t from, unsigned turn)
{
    uint64_t sum = 0, at;

    for (size_t i = from; i < p->n; i++)
        sum += p->targets[i].weight;
    if (!sum)
        return; /* all that have one are left out */
    at = ((uint64_t)(uint32_t)(turn * 2654435769u) * sum) >> 32;
    for (size_t i = from; i < p->n; i++) {
        if (at < p->targets[i].weight) {
            to_front(p, from, i);
            return;
        }
        at -= p->targets[i].weight;
    }
}

/* --- what targets are measured by ----------------------------------------- */

/* Nano-USD for this request. */
static int64_t cost_of(const struct ask *q, struct model_index *models,
                       const struct target *t)
{
    int64_t now = q->clock ? clock_wall(q->clock) : 0;
    struct want none = {.op = q->op}, *w = q->want ? q->want : &none;
    struct pricing p;

    if (!pricing_of(t->instance, models, t->model, want_input(w), now, &p))
        return SCORE_UNKNOWN;
    return price_estimate(&p.price, want_input(w), want_output(w));
}

/* Milliseconds that an answer takes, first token and whole together, for each
 * request that it would be one of. */
static int64_t pace_of(const struct ask *q, const struct target *t)
{
    int64_t now = q->clock ? clock_now(q->clock) : 0;
    struct pace p;

    if (!pace_look(t->instance->name, t->model, now, &p))
        return SCORE_UNKNOWN;
    return (p.first_ms + p.total_ms) *
           (int64_t)(1 + route_under_way(t->instance));
}

/* Millionths of the tokens that the provider may be asked in a minute; one
 * without such a limit has used nothing of it. */
static int64_t used_of(const struct ask *q, const struct target *t)
{
    int64_t now = q->clock ? clock_now(q->clock) : 0;
    int64_t cap = t->instance->cfg->limits.tokens;
    uint64_t used;

    if (!cap)
        return 0;
    used = limits_tokens_used(t->instance->name, now);
    return used > (uint64_t)cap * 1000
               ? INT64_C(1000000000)
               : (int64_t)(used * 1000000 / (uint64_t)cap);
}

static int64_t unfit_of(const struct ask *q, struct model_index *models,
                        const struct target *t)
{
    struct want none = {.op = q->op};

    return suit_unfit(t->instance, models, t->model, q->want ? q->want : &none,
                      q->task);
}

static void measure(struct plan *p, size_t from, enum cfg_strategy how,
                    const struct ask *q, struct model_index *models)
{
    for (size_t i = from; i < p->n; i++) {
        struct target *t = &p->targets[i];

        t->score = how == STRATEGY_FASTEST        ? pace_of(q, t)
                   : how == STRATEGY_LEAST_TOKENS ? used_of(q, t)
                   : how == STRATEGY_CAPABILITY   ? unfit_of(q, models, t)
                                                  : cost_of(q, models, t);
    }
}

/* Is x to be tried before y?  What is not known comes last. */
static bool before(const struct target *x, const struct target *y)
{
    return x->score >= 0 && (y->score < 0 || x->score < y->score);
}

/* Those that are alike keep their order. */
static void sort(struct plan *p, size_t from)
{
    for (size_t i = from + 1; i < p->n; i++) {
        struct target t = p->targets[i];
        size_t k = i;

        for (; k > from && before(&t, &p->targets[k - 1]); k--)
            p->targets[k] = p->targets[k - 1];
        p->targets[k] = t;
    }
}

/* Those that cost nothing take turns, so that the limits of each last. */
static void free_ones_in_turn(struct plan *p, size_t from, unsigned turn)
{
    size_t n = 0;

    while (from + n < p->n && p->targets[from + n].score == 0)
        n++;
    rotate(p, from, n, turn);
}

/* The better of two that are drawn by lot comes first: many who all see the
 * same figures would all take the best one, until it is the worst.  One that
 * was never measured is better than any that was. */
static void better_of_two(struct plan *p, size_t from, unsigned turn)
{
    size_t n = p->n - from, a, b;
    uint64_t drawn = hash_lot(turn);

    if (n < 2)
        return;
    a = from + (size_t)(drawn >> 32) % n;
    b = from + (size_t)(drawn & 0xffffffff) % (n - 1);
    b += b >= a;
    if (p->targets[a].score < 0 && p->targets[b].score < 0)
        a = a < b ? a : b;
    else if (p->targets[b].score < p->targets[a].score)
        a = b;
    to_front(p, from, a);
}

/* They are written from small to large: one whose share of 0 to 100 it is,
 * then the larger ones, then the smaller ones, large ones first. */
static void by_complexity(struct plan *p, size_t from, const struct ask *q)
{
    size_t n = p->n - from, at;
    struct target t;

    p->complexity = q->want ? want_complexity(q->want) : 0;
    at = p->complexity * n / 101;
    for (size_t i = 0, k = at; i < k / 2; i++) {
        t = p->targets[from + i];
        p->targets[from + i] = p->targets[from + k - 1 - i];
        p->targets[from + k - 1 - i] = t;
    }
    rotate(p, from, n, (unsigned)at);
}

static void by_connections(struct plan *p, size_t from, unsigned turn)
{
    size_t best = from;

    /* Among equals each in turn: an idle host uses all of them. */
    rotate(p, from, p->n - from, turn);
    for (size_t i = from + 1; i < p->n; i++)
        if (route_under_way(p->targets[i].instance) <
            route_under_way(p->targets[best].instance))
            best = i;
    if (best > from)
        to_front(p, from, best);
}

void route_order(struct plan *p, size_t from, enum cfg_strategy how,
                 const struct ask *q, struct model_index *models)
{
    p->strategy = how;
    switch (how) {
    case STRATEGY_FALLBACK:
    case STRATEGY_SPLIT: /* split.c */
        break;
    case STRATEGY_ROUND_ROBIN:
        rotate(p, from, p->n - from, q->turn);
        break;
    case STRATEGY_WEIGHTED:
        by_weight(p, from, q->turn);
        break;
    case STRATEGY_LEAST_CONNECTIONS:
        by_connections(p, from, q->turn);
        break;
    case STRATEGY_LEAST_TOKENS:
        rotate(p, from, p->n - from, q->turn);
        measure(p, from, how, q, models);
        sort(p, from);
        break;
    case STRATEGY_FASTEST:
        measure(p, from, how, q, models);
        sort(p, from);
        better_of_two(p, from, q->turn);
        break;
    case STRATEGY_COMPLEXITY:
        by_complexity(p, from, q);
        break;
    case STRATEGY_CAPABILITY:
    case STRATEGY_LEAST_COST:
    case STRATEGY_CHEAPEST_FREE_FIRST:
        measure(p, from, how, q, models);
        sort(p, from);
        if (how == STRATEGY_CHEAPEST_FREE_FIRST)
            free_ones_in_turn(p, from, q->turn);
        break;
    }
}

/* Rendezvous hashing: Thaler and Ravishankar, "A name-based mapping scheme for
 * rendezvous", 1996. */
static uint64_t meets(uint64_t session, const struct target *t)
{
    pbay_str names[] = {str_c(t->instance->name), t->model};
    uint64_t h = session;

    for (size_t k = 0; k < 2; k++)
        h = hash_add(h, names[k]);
    return hash_lot(h);
}

void route_stick(struct plan *p, size_t from, const struct ask *q)
{
    uint64_t session;

    if (!when_session(q, &session))
        return;
    for (size_t i = from + 1; i < p->n; i++) {
        struct target t = p->targets[i];
        uint64_t h = meets(session, &t);
        size_t k = i;

        for (; k > from && meets(session, &p->targets[k - 1]) < h; k--)
            p->targets[k] = p->targets[k - 1];
        p->targets[k] = t;
    }
}
