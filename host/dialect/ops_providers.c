/* SPDX-License-Identifier: MIT */
/* The providers that are set up: how they are, and what an operator wants of
 * them. */
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "dialect/ops_int.h"
#include "manager/allowance.h"
#include "manager/health_tell.h"
#include "manager/limits.h"
#include "manager/op.h"
#include "module/backend.h"

/* What a client may know of a provider: not its address, not its key. */
static const char *held_word(struct health *h, const char *name)
{
    switch (h ? health_held(h, name) : HOLD_NONE) {
    case HOLD_DRAIN:
        return "draining";
    case HOLD_DISABLE:
        return "disabled";
    default:
        return "ready";
    }
}

/* How it was found when it was looked after, the newest first. */
static void put_checks(struct buf *b, struct health *h, const char *provider)
{
    struct health_check last[HEALTH_CHECKS];
    size_t n = h ? health_checks(h, provider, last) : 0;

    buf_addc(b, ",\"checks\":[");
    for (size_t i = 0; i < n; i++)
        buf_printf(b, "%s{\"at\":%lld,\"ms\":%lld,\"ok\":%s}", i ? "," : "",
                   (long long)(last[i].at_ms / 1000), (long long)last[i].ms,
                   last[i].ok ? "true" : "false");
    buf_addc(b, "]");
}

/* Its targets that have failed, and how they came to be as they are. */
struct put_targets {
    struct buf *b;
    struct clock *clock;
    const char *provider, *sep;
};

static void put_target(void *arg, const struct health_state *s)
{
    struct put_targets *p = arg;

    if (strcmp(s->provider, p->provider) != 0)
        return;
    buf_printf(p->b, "%s{\"model\":", p->sep);
    if (*s->model)
        buf_json(p->b, str_c(s->model));
    else
        buf_addc(p->b, "null"); /* what concerns all of them */
    buf_addc(p->b, ",");
    health_tell(p->b, s, p->clock);
    buf_addc(p->b, "}");
    p->sep = ",";
}

static void put_targets(struct dialog *x, struct buf *b, const char *provider)
{
    struct clock *clock = x->d->manager->loop->clock;
    struct put_targets p = {b, clock, provider, ""};

    buf_addc(b, ",\"targets\":[");
    if (x->d->manager->health)
        health_each(x->d->manager->health, clock_now(clock), put_target, &p);
    buf_addc(b, "]");
}

/* What it says is left of our rate limits there. */
static void put_left(struct dialog *x, struct buf *b, const struct instance *in)
{
    buf_addc(b, ",\"rate_limits\":[");
    if (in)
        allowance_put_all(b, in->left, in->name, true,
                          clock_now(x->d->manager->loop->clock));
    buf_addc(b, "]");
}

static void put_provider(struct dialog *x, struct buf *b, struct health *h,
                         const struct snapshot *s, const struct cfg_provider *p)
{
    const struct instance *in = snapshot_find(s, str_c(p->name));
    const char *sep = "";

    buf_addc(b, "{\"id\":");
    buf_json(b, str_c(p->name));
    buf_addc(b, ",\"object\":\"provider\",\"aliases\":[");
    for (char **a = p->aliases; *a; a++) {
        buf_addc(b, a == p->aliases ? "" : ",");
        buf_json(b, str_c(*a));
    }
    buf_printf(b, "],\"weight\":%u,\"type\":", p->weight);
    buf_json(b, str_c(p->manifest ? p->manifest->id : p->type));
    buf_printf(b, ",\"state\":\"%s\",\"local\":%s,\"default_model\":",
               in           ? held_word(h, in->name)
               : p->enabled ? "failed"
                            : "disabled",
               p->manifest && p->manifest->local ? "true" : "false");
    if (p->default_model)
        buf_json(b, str_c(p->default_model));
    else
        buf_addc(b, "null");
    put_checks(b, h, p->name);
    if (x->rest.n) /* it alone */
        put_targets(x, b, p->name);
    if (x->rights & (RIGHT_REPORTS | RIGHT_ADMIN))
        put_left(x, b, in);
    buf_addc(b, ",\"operations\":[");
    for (int op = PBAY_OP_CHAT; in && op_name(op)[0]; op++)
        if (in->ops & PBAY_OP_BIT(op)) {
            buf_printf(b, "%s\"%s\"", sep, op_name(op));
            sep = ",";
        }
    buf_addc(b, "]}");
}

void ops_providers(struct dialog *x)
{
    const struct snapshot *s = x->d->manager->current;
    const struct config *c = s->cfg;
    struct buf b;
    bool found = !x->rest.n;

    buf_init(&b, LIM_MIB(4));
    if (!x->rest.n)
        buf_addc(&b, "{\"object\":\"list\",\"data\":[");
    for (size_t i = 0; i < c->n_providers; i++) {
        if (x->rest.n && !cfg_provider_called(&c->providers[i], x->rest))
            continue;
        if (!x->rest.n && i)
            buf_addc(&b, ",");
        put_provider(x, &b, x->d->manager->health, s, &c->providers[i]);
        found = true;
    }
    if (!x->rest.n)
        buf_printf(&b, "],\"waiting\":%zu}", limits_waiting());
    dl_add_header(x, "x-request-id", str_c(x->id));
    if (found)
        dl_json(x, 200, buf_str(&b));
    else
        ops_find(x); /* tells it */
    buf_done(&b);
}

static void reply_state(struct dialog *x, const struct instance *in,
                        const char *what)
{
    struct health *h = x->d->manager->health;
    struct buf b;

    log_line(LOG_INFO, "http", what, log_cstr("provider", in->name),
             log_cstr("state", held_word(h, in->name)),
             log_str("key", x->key_name), LOG_END);
    dl_add_header(x, "x-request-id", str_c(x->id));
    buf_init(&b, LIM_KIB(4));
    buf_addc(&b, "{\"object\":\"provider\",\"id\":");
    buf_json(&b, str_c(in->name));
    buf_printf(&b, ",\"state\":\"%s\"}", held_word(h, in->name));
    dl_json(x, 200, buf_str(&b));
    buf_done(&b);
}

/* /v1/providers/{provider}/drain and so on: what an operator wants of it. */
static void hold(struct dialog *x, enum health_hold how)
{
    struct health *h = x->d->manager->health;
    const struct instance *in = ops_find(x);
    struct err e;

    if (!in)
        return;
    if (health_hold(h, in->name, how) < 0) {
        err_clear(&e);
        err_set(&e, ERR_INTERNAL, "out of memory");
        dl_error(x, &e);
        return;
    }
    reply_state(x, in, "a provider's state was set");
}

void ops_drain(struct dialog *x)
{
    hold(x, HOLD_DRAIN);
}

void ops_disable(struct dialog *x)
{
    hold(x, HOLD_DISABLE);
}

void ops_enable(struct dialog *x)
{
    hold(x, HOLD_NONE);
}

/* What is held against it and its models is forgotten, and pauses of processes
 * that run for it are over. */
void ops_reset(struct dialog *x)
{
    struct manager *m = x->d->manager;
    const struct instance *in = ops_find(x);

    if (!in)
        return;
    if (m->health)
        health_reset(m->health, in->name, clock_now(m->loop->clock));
    allowance_forget(in->left);
    if (m->backends)
        backends_forgive(m->backends, in->name);
    reply_state(x, in, "what was held against a provider is forgotten");
}
