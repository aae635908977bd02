/* SPDX-License-Identifier: MIT */
/* Whether a call may begin, and which targets it has in which order. */
#include "manager/call_plan.h"

#include <string.h>

#include "base/str.h"
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
                   struct arena *a, struct plan *out, struct err *e)
{
    struct instance *inst;
    struct want want = {.op = r->op,
                        .canonical = !r->translate,
                        .body = r->body,
                        .members = r->members,
                        .n_members = r->n_members};
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
                    .want = &want,
                    .clock = m->loop->clock};

    if (!r->instance) {
        if (plan_ask(m->current, m->models, &q, a, out, e) < 0)
            return -1;
        room_order(out, m->models, &want);
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
static int by_health(const struct manager *m, const struct call_request *r,
                     struct plan *p, struct err *e)
{
    const char *held = NULL;
    struct target later[PLAN_MAX];
    size_t good = 0, bad = 0, cooling = 0;
    int64_t now = clock_now(m->loop->clock), until = 0, soonest = INT64_MAX;

    if (!m->health)
        return 0;
    if (!(CALL_MEASURED & PBAY_OP_BIT(r->op)))
        return by_holds(m, r, p, e);
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

int call_plan(struct manager *m, const struct call_request *r, struct arena *a,
              struct plan *out, struct err *e)
{
    if (targets(m, r, a, out, e) < 0)
        return -1;
    return r->instance ? by_hold(m, r, out->targets[0].instance->name, e)
                       : by_health(m, r, out, e);
}
