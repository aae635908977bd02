/* SPDX-License-Identifier: MIT */
/* The verbs "route.explain": who would be asked, in which order and why, and
 * who not, while nothing is asked; and "route.results": what came of those who
 * were. */
#include <config.h>

#include <string.h>

#include "admin/control_int.h"
#include "base/json.h"
#include "base/str.h"
#include "manager/op.h"
#include "manager/results.h"
#include "manager/room.h"
#include "manager/router.h"
#include "manager/suit.h"
#include "manager/when.h"
#include <patchbay/json.h>

#define RESULT_MAX LIM_MIB(4)

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
static void put_lacks(struct buf *b, struct host *h, const struct target *t,
                      const struct ask *q)
{
    const char *sep = "";
    struct suit s;
    uint32_t lacks;

    suit_of(t->instance, h->models, t->model, &s);
    buf_addc(b, ",\"lacks\":[");
    for (lacks = suit_lacks(&s, q->want, q->task); lacks;
         lacks &= lacks - 1, sep = ",")
        buf_printf(b, "%s\"%s\"", sep, ability_word(lacks));
    buf_addc(b, "]");
}

/* The targets of a plan; those that are avoided just now come last, as they
 * would for a request. */
static void put_targets(struct buf *b, struct host *h, const struct plan *p,
                        const struct ask *q)
{
    static const char *const words[] = {[HEALTH_GO] = "ready",
                                        [HEALTH_COOLING] = "cooling",
                                        [HEALTH_OPEN] = "open",
                                        [HEALTH_HELD] = "held"};
    int64_t now = clock_now(h->control_seat->loop->clock);
    unsigned place = 0;

    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < p->n; i++) {
            const struct target *t = &p->targets[i];
            int64_t until = now;
            enum health_say say = health_look(h->health, t->instance->name,
                                              t->model, now, &until);
            if ((say != HEALTH_GO) != (round == 1))
                continue;
            buf_printf(b, "%s{\"place\":%u", place ? "," : "", place + 1);
            place++;
            put_member(b, "provider", str_c(t->instance->name));
            put_member(b, "model", t->model);
            buf_printf(b, ",\"state\":\"%s\",\"for_ms\":%lld,\"active\":%llu",
                       words[say], (long long)(until > now ? until - now : 0),
                       (unsigned long long)route_under_way(t->instance));
            if (t->arm)
                put_member(b, "arm", str_c(t->arm));
            if (p->strategy == STRATEGY_WEIGHTED || t->arm)
                buf_printf(b, ",\"weight\":%u", t->weight);
            ctl_put_window(b, h, t, q->want);
            put_score(b, p, t);
            if (p->strategy == STRATEGY_CAPABILITY)
                put_lacks(b, h, t, q);
            buf_addc(b, "}");
        }
}

static const char *why_not(const struct snapshot *s, int op, const char *target,
                           const struct cfg_when *when, const struct ask *q)
{
    pbay_str rest = str_c(target), name = str_cut(&rest, '/');
    struct instance *in = snapshot_find(s, name);

    for (size_t i = 0; !in && i < s->n_failed; i++)
        if (cfg_provider_called(s->failed[i].cfg, name))
            return s->failed[i].why;
    if (!in)
        return "the provider is not enabled";
    if (!(in->ops & PBAY_OP_BIT(op)))
        return "the provider has no such operation";
    if (!rest.n && !in->cfg->default_model)
        return "it names no model, and the provider has no default_model";
    if (when && !when_holds(when, q))
        return "its condition does not hold";
    return NULL;
}

static void put_left_out(struct buf *b, const struct snapshot *s,
                         const struct ask *q, const char *route)
{
    const char *sep = "";

    for (size_t i = 0; route && i < s->cfg->n_routes; i++) {
        const struct cfg_route *r = &s->cfg->routes[i];
        if (r->alias || strcmp(r->name, route) != 0)
            continue;
        for (char **t = r->targets; *t; t++) {
            const char *why = why_not(
                s, q->op, *t, r->when ? &r->when[t - r->targets] : NULL, q);
            if (!why)
                continue;
            buf_printf(b, "%s{\"target\":", sep);
            buf_json(b, str_c(*t));
            put_member(b, "why", str_c(why));
            buf_addc(b, "}");
            sep = ",";
        }
    }
}

/* The argument "headers": {"x-patchbay-session":"..."} */
static pbay_str arg_header(void *arg, const char *name)
{
    return js_str(js_typed(arg, "headers", json_type_object), name, STR_NONE);
}

/* `fallbacks` and `models` of a body, as a request's are read. */
static bool read_stand_ins(struct ctl_conn *c, struct ask *q, pbay_str *names,
                           struct arena *a)
{
    const struct want *w = q->want;
    pbay_str list, v;
    size_t pos = 0;

    q->models = pbay_json_find(w->members, w->n_members, "models");
    list = pbay_json_find(w->members, w->n_members, "fallbacks");
    if (!list.p)
        return true;
    q->fallbacks = names;
    while (pbay_json_type(list) == 'a' &&
           pbay_json_next(list, &pos, NULL, &v) > 0 &&
           q->n_fallbacks < ASK_NAMES) {
        char *p = arena_bytes(a, v.n + 1);
        int64_t n = p ? pbay_json_unescape(v, p, v.n) : -1;
        if (n <= 0)
            break;
        names[q->n_fallbacks++] = str_n(p, (size_t)n);
    }
    if (pbay_json_type(list) == 'a' &&
        pbay_json_next(list, &pos, NULL, &v) <= 0)
        return true;
    ctl_fail(c, PBAY_E_INVALID,
             "\"fallbacks\" must be a list of up to %d models' names",
             ASK_NAMES);
    return false;
}

/* What the request is to be like: its body, or the length of its prompt. */
static bool read_want(struct ctl_conn *c, struct json_object *args,
                      pbay_kv *members, struct want *w)
{
    w->body = js_str(args, "body", STR_NONE);
    w->canonical = true;
    w->members = members;
    if (w->body.n && pbay_json_members(w->body, members, LIM_MEMBERS,
                                       &w->n_members, NULL) < 0) {
        ctl_fail(c, PBAY_E_INVALID, "the request is no JSON object");
        return false;
    }
    w->has_input = !w->body.n || js_get(args, "input_tokens");
    w->input = (uint64_t)js_int(args, "input_tokens", 1000);
    w->has_text = !w->body.n;
    w->text = w->input;
    return true;
}

void ctl_explain(struct ctl_conn *c, struct json_object *args)
{
    struct host *h = c->host;
    const char *op = js_cstr(args, "op", "chat");
    pbay_str task = js_str(args, "task", STR_NONE);
    struct want want = {.op = op_by_name(op)};
    pbay_kv members[LIM_MEMBERS];
    pbay_str names[ASK_NAMES];
    struct way way = {js_str(args, "key", STR_NONE), arg_header, args};
    struct ask q = {.op = op_by_name(op),
                    .model = js_str(args, "model", STR("")),
                    .task = task_named(task),
                    .way = &way,
                    .want = &want,
                    .clock = h->control_seat->loop->clock};
    struct arena a;
    struct plan plan;
    struct err e;
    struct buf b;

    if (!q.op) {
        ctl_fail(c, PBAY_E_INVALID, "there is no operation \"%.64s\"", op);
        return;
    }
    if (task.n && !q.task) {
        ctl_fail(c, PBAY_E_INVALID, "there is no task \"%.*s\"; there are %s",
                 STR_ARG(str_head(task, 64)), task_words);
        return;
    }
    if (!read_want(c, args, members, &want))
        return;
    arena_init(&a, LIM_MIB(1));
    err_clear(&e);
    if (!read_stand_ins(c, &q, names, &a)) {
        /* It has been told. */
    } else if (plan_ask(h->snapshot, h->models, &q, &a, &plan, &e) < 0) {
        ctl_error(c, &e);
    } else {
        room_order(&plan, h->models, &want);
        buf_init(&b, RESULT_MAX);
        buf_addc(&b, "{\"model\":");
        buf_json(&b, q.model);
        put_member(&b, "reason", str_c(plan.reason));
        if (plan.route)
            put_member(&b, "route", str_c(plan.route));
        if (plan.route)
            put_member(&b, "strategy", str_c(cfg_strategy_name(plan.strategy)));
        if (score_name(&plan))
            put_member(&b, "measured", str_c(score_name(&plan)));
        if (plan.arm) {
            put_member(&b, "arm", str_c(plan.arm));
            put_member(&b, "split_by", str_c(cfg_split_name(plan.split_by)));
        }
        if (plan.strategy == STRATEGY_COMPLEXITY)
            buf_printf(&b, ",\"complexity\":%u", plan.complexity);
        buf_addc(&b, ",\"targets\":[");
        put_targets(&b, h, &plan, &q);
        buf_addc(&b, "],\"left_out\":[");
        put_left_out(&b, h->snapshot, &q, plan.route);
        buf_addc(&b, "]");
        if (plan.n > 1)
            ctl_put_overflow(&b, h, &plan);
        buf_addc(&b, "}");
        ctl_ok(c, buf_str(&b));
        buf_done(&b);
    }
    arena_done(&a);
}

void ctl_results(struct ctl_conn *c, struct json_object *args)
{
    pbay_str route = js_str(args, "route", STR_NONE);
    struct buf b;

    buf_init(&b, RESULT_MAX);
    if (results_put(&b, route) < 0)
        ctl_fail(c, ERR_REPLY_TOO_LARGE, "the results are too many for a line");
    else
        ctl_ok(c, buf_str(&b));
    if (js_bool(args, "reset", false))
        results_reset(route);
    buf_done(&b);
}
