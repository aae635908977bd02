/* SPDX-License-Identifier: MIT */
/* A plan in words and figures; see explain.h. */
#include "manager/explain.h"

#include <string.h>

#include "base/str.h"
#include "manager/allowance.h"
#include "manager/suit.h"
#include "manager/when.h"

static void put_member(struct buf *b, const char *name, pbay_str v)
{
    buf_printf(b, ",\"%s\":", name);
    buf_json(b, v);
}

/* What its strategy has measured; null: that is not known. */
static const char *score_name(const struct plan *p)
{
    switch (p->strategy) {
    case STRATEGY_LEAST_COST:
    case STRATEGY_CHEAPEST_FREE_FIRST:
        return "cost_nano";
    case STRATEGY_FASTEST:
        return "pace_ms";
    case STRATEGY_LEAST_TOKENS:
        return "used_ppm";
    case STRATEGY_CAPABILITY:
        return "unfit";
    default:
        return NULL;
    }
}

void explain_head(struct buf *b, const struct explain *x)
{
    const struct plan *p = x->plan;

    buf_addc(b, "\"reason\":");
    buf_json(b, str_c(p->reason));
    if (p->route) {
        put_member(b, "route", str_c(p->route));
        put_member(b, "strategy", str_c(cfg_strategy_name(p->strategy)));
    }
    if (score_name(p))
        put_member(b, "measured", str_c(score_name(p)));
    if (p->arm) {
        put_member(b, "arm", str_c(p->arm));
        put_member(b, "split_by", str_c(cfg_split_name(p->split_by)));
    }
    if (p->strategy == STRATEGY_COMPLEXITY)
        buf_printf(b, ",\"complexity\":%u", p->complexity);
}

/* --- targets ------------------------------------------------------------- */

/* How one is just now: who is to be asked first, by its lowest. */
enum {
    NOW,
    SPARED,
    AVOIDED,
    RANKS
};
struct stand {
    int rank;
    const char *word;
    int64_t for_ms;
    struct allowance_low low; /* where it is SPARED */
};

static struct stand stand_of(const struct explain *x, const struct target *t)
{
    static const char *const words[] = {[HEALTH_GO] = "ready",
                                        [HEALTH_COOLING] = "cooling",
                                        [HEALTH_OPEN] = "open",
                                        [HEALTH_HELD] = "held"};
    int64_t until = x->now_ms;
    enum health_say say = x->health ? health_look(x->health, t->instance->name,
                                                  t->model, x->now_ms, &until)
                                    : HEALTH_GO;
    struct stand s = {.rank = say == HEALTH_GO ? NOW : AVOIDED,
                      .word = words[say]};

    if (say == HEALTH_GO && t->instance->cfg->rate_headers &&
        allowance_look(t->instance->left, t->model, x->ask->want, x->now_ms,
                       &s.low)) {
        s.rank = SPARED;
        s.word = "low";
        until = s.low.until_ms;
    }
    s.for_ms = until > x->now_ms ? until - x->now_ms : 0;
    return s;
}

size_t explain_order(const struct explain *x, size_t order[PLAN_MAX])
{
    int ranks[PLAN_MAX], best = AVOIDED;
    size_t n = 0, soonest = 0;
    int64_t enough = 0;

    for (size_t i = 0; i < x->plan->n; i++) {
        struct stand s = stand_of(x, &x->plan->targets[i]);
        ranks[i] = s.rank;
        if (s.rank < best ||
            (s.rank == best && s.rank == SPARED && s.low.enough_ms < enough)) {
            best = s.rank;
            soonest = i;
            enough = s.low.enough_ms;
        }
    }
    /* If all that work are spared, one of them is asked all the same. */
    if (best == SPARED) {
        ranks[soonest] = RANKS;
        order[n++] = soonest;
    }
    for (int rank = 0; rank < RANKS; rank++)
        for (size_t i = 0; i < x->plan->n; i++)
            if (ranks[i] == rank)
                order[n++] = i;
    return n;
}

/* What is left of its rate limits, and why it is spared for that. */
static void put_left(struct buf *b, const struct explain *x,
                     const struct target *t, const struct stand *s)
{
    const struct allowance_low *low = &s->low;

    buf_addc(b, ",\"rate_limits\":");
    allowance_put(b, t->instance->left, t->model, x->now_ms);
    if (s->rank != SPARED)
        return;
    buf_printf(b, ",\"low\":{\"of\":\"%s\",\"left\":%lld,", low->what,
               (long long)low->left);
    if (low->limit >= 0)
        buf_printf(b, "\"limit\":%lld,", (long long)low->limit);
    buf_printf(b, "\"needed\":%lld,\"enough_ms\":%lld}", (long long)low->need,
               (long long)(low->enough_ms > x->now_ms
                               ? low->enough_ms - x->now_ms
                               : 0));
}

static void put_score(struct buf *b, const struct plan *p,
                      const struct target *t)
{
    const char *name = score_name(p);

    if (name && t->score >= 0)
        buf_printf(b, ",\"%s\":%lld", name, (long long)t->score);
    else if (name)
        buf_printf(b, ",\"%s\":null", name);
}

/* What it is known not to have. */
static void put_lacks(struct buf *b, const struct explain *x,
                      const struct target *t)
{
    const char *sep = "";
    struct suit s;
    uint32_t lacks;

    suit_of(t->instance, x->models, t->model, &s);
    buf_addc(b, ",\"lacks\":[");
    for (lacks = suit_lacks(&s, x->ask->want, x->ask->task); lacks;
         lacks &= lacks - 1, sep = ",")
        buf_printf(b, "%s\"%s\"", sep, ability_word(lacks));
    buf_addc(b, "]");
}

void explain_target(struct buf *b, const struct explain *x, size_t i,
                    size_t place)
{
    const struct plan *p = x->plan;
    const struct target *t = &p->targets[i];
    struct stand now = stand_of(x, t);

    buf_printf(b, "\"place\":%zu", place);
    put_member(b, "provider", str_c(t->instance->name));
    put_member(b, "model", t->model);
    buf_printf(b, ",\"state\":\"%s\",\"for_ms\":%lld,\"active\":%llu", now.word,
               (long long)now.for_ms,
               (unsigned long long)route_under_way(t->instance));
    if (t->arm)
        put_member(b, "arm", str_c(t->arm));
    if (p->strategy == STRATEGY_WEIGHTED || t->arm)
        buf_printf(b, ",\"weight\":%u", t->weight);
    explain_window(b, x->models, t, x->ask->want);
    if (!x->client)
        put_left(b, x, t, &now);
    put_score(b, p, t);
    if (p->strategy == STRATEGY_CAPABILITY)
        put_lacks(b, x, t);
}

/* --- those that are none ---------------------------------------------------
 */

static const char *why_not(const struct explain *x, const char *target,
                           const struct cfg_when *when)
{
    const struct snapshot *s = x->s;
    pbay_str rest = str_c(target), name = str_cut(&rest, '/');
    struct instance *in = snapshot_find(s, name);

    for (size_t i = 0; !in && i < s->n_failed; i++)
        if (cfg_provider_called(s->failed[i].cfg, name))
            return x->client ? "the provider is not set up" : s->failed[i].why;
    if (!in)
        return "the provider is not enabled";
    if (!(in->ops & PBAY_OP_BIT(x->ask->op)))
        return "the provider has no such operation";
    if (!rest.n && !in->cfg->default_model)
        return "it names no model, and the provider has no default_model";
    if (when && !when_holds(when, x->ask))
        return "its condition does not hold";
    return NULL;
}

static void put_left_out(struct buf *b, const struct explain *x,
                         const struct cfg_route *r)
{
    const char *sep = "";

    for (size_t i = 0; r->targets[i]; i++) {
        const char *why =
            why_not(x, r->targets[i], r->when ? &r->when[i] : NULL);
        if (!why)
            continue;
        buf_printf(b, "%s{\"target\":", sep);
        buf_json(b, str_c(r->targets[i]));
        put_member(b, "why", str_c(why));
        buf_addc(b, "}");
        sep = ",";
    }
}

static bool planned(const struct plan *p, const struct instance *in)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->targets[i].instance == in)
            return true;
    return false;
}

static const char *failed(const struct explain *x, const struct cfg_provider *p)
{
    for (size_t i = 0; i < x->s->n_failed && !x->client; i++)
        if (x->s->failed[i].cfg == p)
            return x->s->failed[i].why;
    return "the provider is not set up";
}

/* Why the default route has nothing of that provider. */
static const char *no_default(const struct explain *x,
                              const struct cfg_provider *p,
                              const struct instance *in)
{
    if (!p->enabled)
        return "the provider is not enabled";
    if (!in)
        return failed(x, p);
    if (!(in->ops & PBAY_OP_BIT(x->ask->op)))
        return "the provider has no such operation";
    if (strcmp(p->manifest->id, "loopback") == 0)
        return "loopback stands in for no other provider, unless it is named";
    if (!p->default_model)
        return "it has no default_model";
    if (x->s->cfg->default_route.no_fallback)
        return "ENABLE_LLM_FALLBACK says that there is one target only";
    return "there are too many before it";
}

/* The route that is made where none is written. */
static void left_out_of_default(struct buf *b, const struct explain *x)
{
    const struct config *c = x->s->cfg;
    const char *sep = "";

    for (size_t i = 0; i < c->n_providers; i++) {
        const struct cfg_provider *p = &c->providers[i];
        const struct instance *in = snapshot_find(x->s, str_c(p->name));
        if (in && planned(x->plan, in))
            continue;
        buf_printf(b, "%s{\"target\":", sep);
        buf_json(b, str_c(p->name));
        put_member(b, "why", str_c(no_default(x, p, in)));
        buf_addc(b, "}");
        sep = ",";
    }
}

void explain_left_out(struct buf *b, const struct explain *x)
{
    const struct config *c = x->s->cfg;
    bool written = !x->plan->route;

    for (size_t i = 0; x->plan->route && i < c->n_routes; i++)
        if (!c->routes[i].alias &&
            strcmp(c->routes[i].name, x->plan->route) == 0) {
            written = true;
            put_left_out(b, x, &c->routes[i]);
        }
    if (!written)
        left_out_of_default(b, x);
}
