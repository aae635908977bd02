/* SPDX-License-Identifier: MIT */
/* Whether a call may begin, and which targets it has in which order. */
#include "manager/call_plan.h"

#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "manager/allowance.h"
#include "manager/debug.h"
#include "manager/health.h"
#include "manager/room.h"
#include <patchbay/json.h>

int call_admit(const struct manager *m, struct err *e)
{
    if (!m->current) {
        err_set(e, ERR_UNAVAILABLE, "the host is shutting down");
        return -1;
    }
    if (m->active >= m->current->cfg->max_calls) {
        err_set(e, ERR_UNAVAILABLE,
                "%zu requests are under way, which is as many as max_calls "
                "allows",
                m->active);
        e->retry_after_ms = 1000;
        return -1;
    }
    return 0;
}

pbay_str call_models(const struct call_request *r)
{
    return r->op == PBAY_OP_CHAT || r->op == PBAY_OP_EMBED
               ? pbay_json_find(r->members, r->n_members, "models")
               : STR_NONE;
}

static void tell(struct manager *m, const struct call_request *r,
                 const struct ask *q, const struct plan *p)
{
    struct explain x = {.s = m->current,
                        .models = m->models,
                        .health = m->health,
                        .now_ms = clock_now(m->loop->clock),
                        .plan = p,
                        .ask = q,
                        .client = true};

    if (r->debug)
        debug_plan(r->debug, &x);
}

static int targets(struct manager *m, const struct call_request *r,
                   struct want *want, struct arena *a, struct plan *out,
                   struct err *e)
{
    struct instance *inst;
    struct way way = {r->key_name, r->header, r->header_arg};
    struct ask q = {.op = r->op,
                    .way = &way,
                    .model = r->model,
                    .route = r->route,
                    .fallbacks = r->fallbacks,
                    .n_fallbacks = r->n_fallbacks,
                    .models = call_models(r),
                    .no_choice = r->no_choice,
                    .turn = m->turn++,
                    .task = r->task,
                    .want = want,
                    .clock = m->loop->clock};

    if (!r->instance) {
        if (plan_ask(m->current, m->models, &q, a, out, e) < 0)
            return -1;
        room_order(out, m->models, want);
        tell(m, r, &q, out);
        return 0;
    }
    inst = snapshot_find(m->current, str_c(r->instance));
    if (!inst) {
        err_set(e, ERR_NO_MODEL, "there is no provider \"%s\"", r->instance);
        return -1;
    }
    out->targets[0] = (struct target){
        .instance = inst, .model = r->model, .score = SCORE_UNKNOWN};
    out->n = 1;
    out->reason = "asked for by name";
    return 0;
}

static void tell_held(const char *provider, struct err *e)
{
    err_set(e, ERR_UNAVAILABLE,
            "%s takes no requests just now: it was drained or disabled here "
            "(`patchbay provider enable %s`)",
            provider, provider);
}

/* An operator who has taken a provider out can still look at how it is. */
static bool only_looks(const struct call_request *r)
{
    const uint64_t looks = PBAY_OP_BIT(PBAY_OP_HEALTH) |
                           PBAY_OP_BIT(PBAY_OP_LIST) | PBAY_OP_BIT(PBAY_OP_PS);

    return (looks & PBAY_OP_BIT(r->op)) != 0;
}

/* A call of one provider, by name. */
static int by_hold(const struct manager *m, const struct call_request *r,
                   const char *name, struct err *e)
{
    if (!m->health || only_looks(r) ||
        health_held(m->health, name) == HOLD_NONE)
        return 0;
    tell_held(name, e);
    return -1;
}

/* Calls that say nothing of their target's health: only who was taken out is
 * left out. */
static int by_holds(const struct manager *m, const struct call_request *r,
                    struct plan *p, struct err *e)
{
    const char *held = NULL;
    size_t n = 0;

    if (only_looks(r))
        return 0;
    for (size_t i = 0; i < p->n; i++) {
        const char *name = p->targets[i].instance->name;
        if (health_held(m->health, name) == HOLD_NONE)
            p->targets[n++] = p->targets[i];
        else
            held = name;
    }
    p->n = n;
    if (n || !held)
        return 0;
    tell_held(held, e);
    return -1;
}

/* All are thought to be down, and there is not budget enough for each request
 * to try all of them: so they do not all begin with the same one, and the first
 * that works again is found. */
static void take_turns(const struct manager *m, struct target *t, size_t n)
{
    struct target was[PLAN_MAX];

    if (n < 2 || retry_left(&m->retry) >= n - 1)
        return;
    memcpy(was, t, n * sizeof(*t));
    for (size_t i = 0; i < n; i++)
        t[i] = was[(i + m->turn) % n];
}

/* Targets that may be tried first, the others behind them: should all of the
 * former fail, one that is thought to may still do.  When every one of them has
 * said when to come back, nobody is asked sooner: -1 and *e. */
static int by_health(const struct manager *m, struct plan *p, size_t *n_good,
                     struct err *e)
{
    const char *held = NULL;
    struct target later[PLAN_MAX];
    size_t good = 0, bad = 0, cooling = 0;
    int64_t now = clock_now(m->loop->clock), until = 0, soonest = INT64_MAX;

    *n_good = p->n;
    if (!m->health)
        return 0;
    for (size_t i = 0; i < p->n; i++) {
        struct target t = p->targets[i];
        enum health_say say =
            health_look(m->health, t.instance->name, t.model, now, &until);
        if (say == HEALTH_GO) {
            p->targets[good++] = t;
            continue;
        }
        if (say == HEALTH_HELD) {
            held = t.instance->name;
            continue;
        }
        later[bad++] = t;
        if (say == HEALTH_COOLING)
            cooling++;
        if (until < soonest)
            soonest = until;
    }
    if (!good)
        take_turns(m, later, bad);
    memcpy(&p->targets[good], later, bad * sizeof(*later));
    p->n = good + bad;
    *n_good = good;
    if (!p->n) {
        tell_held(held, e);
        return -1;
    }
    if (cooling < p->n)
        return 0;
    err_set(e, PBAY_E_RATE,
            "%s has asked to be left alone for another %lld ms%s",
            later[0].instance->name, (long long)(soonest - now),
            p->n > 1 ? ", and the other targets too" : "");
    e->retry_after_ms = soonest - now;
    return -1;
}

static void tell_spared(const struct call_request *r, const struct target *t,
                        const struct allowance_low *low, int64_t now)
{
    if (log_on(LOG_DEBUG))
        log_line(LOG_DEBUG, "call", "little is left of a target's rate limits",
                 log_str("id", r->id), log_cstr("provider", t->instance->name),
                 log_str("model", t->model), log_cstr("of", low->what),
                 log_int("left", low->left), log_int("needed", low->need),
                 log_int("for_ms", low->until_ms - now), LOG_END);
}

/* Is it worth while to wait so long before anybody is asked? */
static bool worth(const struct manager *m, const struct call_request *r,
                  int64_t ms)
{
    return ms > 0 && ms <= m->current->cfg->queue_ms &&
           (r->deadline_ms <= 0 || ms < r->deadline_ms);
}

/* Of the first n those of whose rate limits too little is left come behind the
 * others.  If that is so of all of them the first one is asked when there will be
 * enough, if that is soon; else now: it knows best. */
static void by_allowance(const struct manager *m, const struct call_request *r,
                         struct want *want, struct plan *p, size_t n)
{
    struct target spared[PLAN_MAX];
    struct allowance_low low;
    size_t good = 0, bad = 0, soonest = 0;
    int64_t now = clock_now(m->loop->clock), enough = 0;

    for (size_t i = 0; i < n; i++) {
        struct target t = p->targets[i];
        if (!t.instance->cfg->rate_headers ||
            !allowance_look(t.instance->left, t.model, want, now, &low)) {
            p->targets[good++] = t;
            continue;
        }
        tell_spared(r, &t, &low, now);
        if (!bad || low.enough_ms < enough) {
            soonest = bad;
            enough = low.enough_ms;
        }
        spared[bad++] = t;
    }
    memcpy(&p->targets[good], spared, bad * sizeof(*spared));
    if (good || !bad)
        return;
    memmove(&p->targets[1], p->targets, soonest * sizeof(*spared));
    p->targets[0] = spared[soonest];
    p->wait_ms = worth(m, r, enough - now) ? enough - now : 0;
}

int call_plan(struct manager *m, const struct call_request *r, struct arena *a,
              struct plan *out, struct err *e)
{
    struct want want = {.op = r->op,
                        .canonical = !r->translate,
                        .body = r->body,
                        .members = r->members,
                        .n_members = r->n_members};
    size_t good;

    if (targets(m, r, &want, a, out, e) < 0)
        return -1;
    if (r->instance)
        return by_hold(m, r, out->targets[0].instance->name, e);
    if (!(CALL_MEASURED & PBAY_OP_BIT(r->op)))
        return m->health ? by_holds(m, r, out, e) : 0;
    if (by_health(m, out, &good, e) < 0)
        return -1;
    by_allowance(m, r, &want, out, good);
    return 0;
}
