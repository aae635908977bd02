/* SPDX-License-Identifier: MIT */
/* An attempt's place within the limits: it asks for one, waits for it, gives it
 * back with what it has used. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/tokens.h"
#include "manager/attempt_int.h"
#include "manager/limits.h"
#include "manager/want.h"

static bool any(const struct cfg_limits *caps)
{
    return caps->requests || caps->tokens || caps->concurrent;
}

/* What costs a provider work; lists and the like are not counted. */
static bool counts(int op)
{
    return op == PBAY_OP_CHAT || op == PBAY_OP_EMBED ||
           op == PBAY_OP_MODERATE || op == PBAY_OP_IMAGE || op == PBAY_OP_RAW;
}

static const struct cfg_limits *caps_of_key(const attempt *a)
{
    const struct config *c = a->snap->cfg;

    if (!a->ask->key_name.n)
        return NULL;
    for (size_t i = 0; i < c->n_keys; i++)
        if (str_is(a->ask->key_name, c->keys[i].name))
            return any(&c->keys[i].limits) ? &c->keys[i].limits : NULL;
    return NULL;
}

/* The prompt, and as much of an answer as it may get. */
static uint64_t estimate(const attempt *a)
{
    const pbay_request *r = &a->req;
    bool canonical = !a->ask->translate || str_is(r->dialect, "canonical/1");
    /* Else four bytes a token, as English text has them. */
    uint64_t tokens = canonical && r->op == PBAY_OP_CHAT
                          ? tokens_of_chat(r->members, r->n_members)
                          : r->body.n / 4 + 1;

    return tokens + want_most(r->members, r->n_members);
}

/* --- refused ------------------------------------------------------------- */

static void refuse(attempt *a, const struct limit_refusal *no)
{
    static const char *const what[] = {
        "requests in a minute", "tokens in a minute", "requests at once"};
    static const char *const keys[] = {"requests_per_minute",
                                       "tokens_per_minute", "concurrent"};
    static const char *const groups[] = {"keys[].limits", "limits",
                                         "model_limits"};
    char whose[640];
    struct err e;

    err_clear(&e);
    if (no->kind == LIMIT_KEY)
        snprintf(whose, sizeof(whose), "the key \"%.*s\"",
                 STR_ARG(str_head(a->ask->key_name, 64)));
    else if (no->kind == LIMIT_PROVIDER)
        snprintf(whose, sizeof(whose), "%s", a->inst->name);
    else
        snprintf(whose, sizeof(whose), "%s/%.*s", a->inst->name,
                 STR_ARG(str_head(a->req.model, 512)));
    if (no->what == LIMIT_FULL)
        err_set(&e, ERR_LIMIT,
                "%s: as many requests wait for a place within its limits as "
                "max_queue allows",
                a->inst->name);
    else
        err_set(&e, no->kind == LIMIT_KEY ? ERR_KEY_LIMIT : ERR_LIMIT,
                "%s has used up its limit of %lld %s (%s.%s)", whose,
                (long long)no->cap, what[no->what], groups[no->kind],
                keys[no->what]);
    e.retry_after_ms = no->retry_ms;
    at_over(a, &e);
}

/* --- waiting ------------------------------------------------------------- */

static void on_place(void *arg, const struct limit_refusal *no)
{
    attempt *a = arg;

    at_enter(a);
    timer_stop(&a->timer);
    if (no)
        refuse(a, no);
    else
        at_begin(a);
    if (a->paused && a->tx)
        tx_pause(a->tx, true);
    if (a->paused && a->in_worker && !a->dismissed)
        native_run_pause(a->native, true);
    at_leave(a);
}

static void on_too_long(void *arg)
{
    attempt *a = arg;
    struct err e;

    at_enter(a);
    err_clear(&e);
    err_set(&e, ERR_LIMIT,
            "%s: no place within its limits came free within max_queue_wait",
            a->inst->name);
    e.retry_after_ms = 1000;
    at_over(a, &e);
    at_leave(a);
}

/* --- from the attempt ---------------------------------------------------- */

void at_admit(attempt *a)
{
    const struct cfg_provider *p = a->inst->cfg;
    const struct cfg_limits *key = NULL;
    struct limit_refusal no;
    bool waits;

    if (counts(a->ask->op))
        key = caps_of_key(a);
    if (!counts(a->ask->op) ||
        (!key && !any(&p->limits) && !any(&p->model_limits))) {
        at_begin(a);
        return;
    }
    struct limit_want w = {.again = a->req.attempt > 0,
                           .tokens = estimate(a),
                           .max_queue = a->snap->cfg->max_queue,
                           .now_ms = clock_now(a->m->loop->clock)};
    w.of[LIMIT_KEY].name = a->ask->key_name;
    w.of[LIMIT_KEY].caps = key;
    w.of[LIMIT_PROVIDER].name = w.of[LIMIT_MODEL].name = str_c(a->inst->name);
    w.of[LIMIT_PROVIDER].caps = any(&p->limits) ? &p->limits : NULL;
    w.of[LIMIT_MODEL].part = a->req.model;
    w.of[LIMIT_MODEL].caps = any(&p->model_limits) ? &p->model_limits : NULL;
    a->ticket = limits_enter(&w, a->m->loop, on_place, a, &waits, &no);
    if (!a->ticket)
        refuse(a, &no);
    else if (waits)
        timer_set(&a->timer, a->m->loop->clock, a->snap->cfg->queue_ms,
                  on_too_long, a);
    else
        at_begin(a);
}

void at_used(attempt *a, const pbay_usage *u)
{
    uint64_t n = 0;

    if (u->known & PBAY_U_INPUT)
        n += u->input;
    if (u->known & PBAY_U_OUTPUT)
        n += u->output;
    if (n && n < INT64_MAX / 2)
        a->used = a->used > (int64_t)n ? a->used : (int64_t)n;
}

void at_admit_end(attempt *a)
{
    struct ticket *t = a->ticket;

    a->ticket = NULL;
    /* What was refused outright has used nothing. */
    if (t)
        limits_leave(t, a->used < 0 && !a->answered ? 0 : a->used,
                     clock_now(a->m->loop->clock));
}
