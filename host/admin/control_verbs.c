/* SPDX-License-Identifier: MIT */
/* The verbs of the control socket; what each takes and gives: control.h. */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/control_int.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/str.h"
#include "manager/allowance.h"
#include "manager/health_tell.h"
#include "manager/limits.h"
#include "manager/op.h"
#include "module/backend.h"
#include <patchbay/json.h>

#define RESULT_MAX (LIM_CTL_LINE - LIM_KIB(1))

static uint64_t get(const _Atomic uint64_t *v)
{
    return atomic_load_explicit(v, memory_order_relaxed);
}

static void put_str(struct buf *b, const char *name, const char *v)
{
    buf_printf(b, "\"%s\":", name);
    if (v)
        buf_json(b, str_c(v));
    else
        buf_addc(b, "null");
}

static void put_list(struct buf *b, const char *name, char *const *v)
{
    buf_printf(b, "\"%s\":[", name);
    for (size_t i = 0; v && v[i]; i++) {
        buf_addc(b, i ? "," : "");
        buf_json(b, str_c(v[i]));
    }
    buf_addc(b, "]");
}

static void answer(struct ctl_conn *c, struct buf *b)
{
    ctl_ok(c, buf_str(b));
    buf_done(b);
}

/* --- what runs ----------------------------------------------------------- */

static void do_version(struct ctl_conn *c, struct json_object *args)
{
    struct host *h = c->host;
    struct buf b;

    (void)args;
    buf_init(&b, LIM_KIB(16));
    buf_printf(
        &b,
        "{\"version\":\"%s\",\"abi\":\"%u.%u\",\"pid\":%d,"
        "\"uptime_ms\":%lld,",
        PACKAGE_VERSION, PBAY_ABI_MAJOR, PBAY_ABI_MINOR, (int)getpid(),
        (long long)(clock_now(h->control_seat->loop->clock) - h->started_ms));
    put_str(&b, "config_file", h->snapshot->cfg->file);
    buf_addc(&b, "}");
    answer(c, &b);
}

struct totals {
    uint64_t calls, ok, failed, cancelled, active, input, output, cost,
        unpriced;
};

static struct totals totals_of(const struct instance *in, size_t loops)
{
    struct totals t = {0};

    for (size_t i = 0; i < loops; i++) {
        const struct instance_stats *s = &in->stats[i];
        t.calls += get(&s->calls);
        t.ok += get(&s->ok);
        t.failed += get(&s->failed);
        t.cancelled += get(&s->cancelled);
        t.active += get(&s->active);
        t.input += get(&s->input_tokens);
        t.output += get(&s->output_tokens);
        t.cost += get(&s->cost_nano);
        t.unpriced += get(&s->unpriced);
    }
    return t;
}

static void put_counters(struct buf *b, const struct host *h)
{
    for (size_t i = 0; i < h->snapshot->n; i++) {
        const struct instance *in = h->snapshot->instances[i];
        struct totals t = totals_of(in, h->n_seats);
        buf_addc(b, i ? ",{" : "{");
        put_str(b, "name", in->name);
        buf_addc(b, ",");
        put_str(b, "type", in->cfg->manifest->id);
        buf_printf(b,
                   ",\"calls\":%llu,\"ok\":%llu,\"failed\":%llu,"
                   "\"cancelled\":%llu,\"active\":%llu,"
                   "\"input_tokens\":%llu,\"output_tokens\":%llu,"
                   "\"cost_nano\":%llu,\"unpriced\":%llu}",
                   (unsigned long long)t.calls, (unsigned long long)t.ok,
                   (unsigned long long)t.failed,
                   (unsigned long long)t.cancelled,
                   (unsigned long long)t.active, (unsigned long long)t.input,
                   (unsigned long long)t.output, (unsigned long long)t.cost,
                   (unsigned long long)t.unpriced);
    }
}

/* How the cache does. */
static void put_shared(struct buf *b, struct host *h)
{
    struct cache_stats s;

    cache_stats(h->cache, &s);
    buf_printf(b,
               "],\"cache\":{\"hits\":%llu,\"misses\":%llu,\"joined\":%llu,"
               "\"entries\":%zu,\"bytes\":%zu}",
               (unsigned long long)s.hits, (unsigned long long)s.misses,
               (unsigned long long)s.joined, s.entries, s.bytes);
}

struct put_targets {
    struct buf *b;
    struct clock *clock;
    const char *sep;
};

static void put_target(void *arg, const struct health_state *s)
{
    struct put_targets *p = arg;

    buf_printf(p->b, "%s{\"provider\":", p->sep);
    buf_json(p->b, str_c(s->provider));
    buf_addc(p->b, ",\"model\":");
    buf_json(p->b, str_c(s->model));
    buf_addc(p->b, ",");
    health_tell(p->b, s, p->clock);
    buf_addc(p->b, "}");
    p->sep = ",";
}

/* What is left of the providers' rate limits. */
static void put_left(struct buf *b, const struct host *h)
{
    int64_t now = clock_now(h->control_seat->loop->clock);

    buf_addc(b, "],\"rate_limits\":[");
    for (size_t i = 0; i < h->snapshot->n; i++)
        allowance_put_all(b, h->snapshot->instances[i]->left,
                          h->snapshot->instances[i]->name,
                          buf_str(b).p[b->n - 1] == '[', now);
}

static void do_status(struct ctl_conn *c, struct json_object *args)
{
    struct host *h = c->host;
    size_t conns = 0, calls = 0;
    struct buf b;
    struct put_targets p = {&b, h->control_seat->loop->clock, ""};

    (void)args;
    for (size_t i = 0; i < h->n_seats; i++) {
        calls += atomic_load(&h->seats[i].manager.active_shown);
        if (h->seats[i].server)
            conns += http_server_conns(h->seats[i].server);
    }
    buf_init(&b, RESULT_MAX);
    buf_addc(&b, "{\"listeners\":[");
    for (size_t i = 0; !h->draining && i < h->n_listeners; i++) {
        buf_addc(&b, i ? "," : "");
        buf_json(&b, str_c(http_listener_name(h->listeners[i])));
    }
    buf_printf(&b,
               "],\"loops\":%zu,\"connections\":%zu,\"calls\":%zu,"
               "\"waiting\":%zu,\"draining\":%s,\"old_configurations\":%u,\"providers\":[",
               h->n_seats - 1, conns, calls, limits_waiting(),
               h->draining ? "true" : "false",
               h->old_snapshots);
    put_counters(&b, h);
    buf_addc(&b, "],");
    ctl_put_backends(&b, h);
    buf_addc(&b, "\"targets\":[");
    health_each(h->health, clock_now(p.clock), put_target, &p);
    put_left(&b, h);
    put_shared(&b, h);
    buf_printf(&b, ",\"log_dropped\":%llu}", (unsigned long long)log_dropped());
    answer(c, &b);
}

/* --- modules ------------------------------------------------------------- */

static const char *state_name(enum module_state s)
{
    return s == MODULE_LOADED  ? "loaded"
           : s == MODULE_FOUND ? "found"
                               : "refused";
}

static void put_times(struct buf *b, const struct generation *g, size_t loops)
{
    uint64_t calls = 0, us = 0, max = 0, slow = 0;

    for (size_t i = 0; i <= LIM_LOOPS; i++) {
        if (i >= loops && i < LIM_LOOPS)
            continue;
        calls += get(&g->times[i].calls);
        us += get(&g->times[i].us);
        slow += get(&g->times[i].slow);
        if (get(&g->times[i].max_us) > max)
            max = get(&g->times[i].max_us);
    }
    buf_printf(b,
               ",\"generation\":%u,\"calls\":%llu,\"time_us\":%llu,"
               "\"max_us\":%llu,\"slow\":%llu",
               g->number, (unsigned long long)calls, (unsigned long long)us,
               (unsigned long long)max, (unsigned long long)slow);
}

static void put_module(struct buf *b, const struct module *m, size_t loops)
{
    buf_addc(b, "{");
    put_str(b, "id", m->id);
    buf_addc(b, ",");
    put_str(b, "path", m->path);
    buf_addc(b, ",");
    put_str(b, "state", state_name(m->state));
    buf_addc(b, ",");
    put_str(b, "reason", m->reason);
    buf_printf(b, ",\"vendor\":%s", m->vendor ? "true" : "false");
    if (m->manifest) {
        buf_addc(b, ",");
        put_str(b, "version", m->manifest->version);
        buf_addc(b, ",");
        put_str(b, "license", m->manifest->license);
        buf_printf(b, ",\"abi\":\"%u.%u\",\"kind\":\"%s\",",
                   m->manifest->abi_major, m->manifest->abi_minor,
                   m->manifest->native ? "native" : "codec");
        put_list(b, "aliases", m->manifest->aliases);
    }
    if (m->current)
        put_times(b, m->current, loops);
    buf_addc(b, "}");
}

static void do_plugins(struct ctl_conn *c, struct json_object *args)
{
    const struct catalogue *cat = &c->host->modules;
    struct buf b;

    (void)args;
    buf_init(&b, RESULT_MAX);
    buf_addc(&b, "{\"modules\":[");
    for (size_t i = 0; i < cat->n; i++) {
        buf_addc(&b, i ? "," : "");
        put_module(&b, cat->modules[i], c->host->n_seats);
    }
    buf_addc(&b, "]}");
    answer(c, &b);
}

/* --- providers ----------------------------------------------------------- */

static void put_source(struct buf *b, const struct cfg_provider *p)
{
    char s[1200];

    if (p->origin.source == CFG_FILE)
        snprintf(s, sizeof(s), "%s:%d", p->origin.name, p->origin.line);
    else if (p->origin.source == CFG_ENV)
        snprintf(s, sizeof(s), "environment %s",
                 p->origin.name ? p->origin.name : "");
    else
        snprintf(s, sizeof(s), "default");
    put_str(b, "source", s);
}

static const char *why_failed(const struct snapshot *s,
                              const struct cfg_provider *p)
{
    for (size_t i = 0; i < s->n_failed; i++)
        if (s->failed[i].cfg == p)
            return s->failed[i].why;
    return NULL;
}

/* "ready", or what an operator or a failure has made of it. */
static const char *state_of(const struct host *h, const struct instance *in,
                            const struct cfg_provider *p)
{
    uint64_t active = 0;

    if (!in)
        return p && !p->enabled ? "disabled" : "failed";
    for (size_t i = 0; i <= LIM_LOOPS; i++)
        active += atomic_load(&in->stats[i].active);
    switch (health_held(h->health, in->name)) {
    case HOLD_DRAIN:
        return active ? "draining" : "drained";
    case HOLD_DISABLE:
        return "disabled";
    default:
        return "ready";
    }
}

static void put_checks(struct buf *b, struct health *h, const char *provider)
{
    struct health_check last[HEALTH_CHECKS];
    size_t n = health_checks(h, provider, last);

    if (n)
        buf_printf(b, ",\"check\":\"%s, %lld ms\"", last[0].kind,
                   (long long)last[0].ms);
    buf_addc(b, ",\"checks\":[");
    for (size_t i = 0; i < n; i++)
        buf_printf(b,
                   "%s{\"at_ms\":%lld,\"ms\":%lld,\"ok\":%s,\"result\":"
                   "\"%s\"}",
                   i ? "," : "", (long long)last[i].at_ms,
                   (long long)last[i].ms, last[i].ok ? "true" : "false",
                   last[i].kind);
    buf_addc(b, "]");
}

static void put_provider(struct buf *b, const struct host *h,
                         const struct snapshot *s, const struct cfg_provider *p)
{
    const struct instance *in = snapshot_find(s, str_c(p->name));
    const char *sep = "";

    buf_addc(b, "{");
    put_str(b, "name", p->name);
    buf_addc(b, ",");
    put_str(b, "type", p->type);
    buf_addc(b, ",");
    put_str(b, "module", p->manifest ? p->manifest->id : NULL);
    buf_addc(b, ",");
    /* What the host runs for it itself is in "status". */
    put_str(b, "base_url", in && in->backend ? NULL : p->base_url);
    buf_printf(b, ",\"local\":%s,\"key\":%s,",
               p->manifest && p->manifest->local ? "true" : "false",
               p->api_key ? "true" : "false");
    put_str(b, "state", state_of(h, in, p));
    buf_addc(b, ",");
    put_str(b, "reason", why_failed(s, p));
    buf_addc(b, ",");
    put_str(b, "default_model", p->default_model);
    buf_addc(b, ",");
    put_list(b, "aliases", p->aliases);
    buf_printf(b, ",\"weight\":%u,", p->weight);
    put_list(b, "models", p->models);
    buf_addc(b, ",");
    put_source(b, p);
    put_checks(b, h->health, p->name);
    buf_addc(b, ",\"ops\":[");
    for (int op = PBAY_OP_CHAT; in && op_name(op)[0]; op++)
        if (in->ops & PBAY_OP_BIT(op)) {
            buf_printf(b, "%s\"%s\"", sep, op_name(op));
            sep = ",";
        }
    buf_addc(b, "]}");
}

static void do_providers(struct ctl_conn *c, struct json_object *args)
{
    const struct snapshot *s = c->host->snapshot;
    struct buf b;

    (void)args;
    buf_init(&b, RESULT_MAX);
    buf_addc(&b, "{\"providers\":[");
    for (size_t i = 0; i < s->cfg->n_providers; i++) {
        buf_addc(&b, i ? "," : "");
        put_provider(&b, c->host, s, &s->cfg->providers[i]);
    }
    buf_addc(&b, "]}");
    answer(c, &b);
}

/* Those that failed are found too, so that the error can say why. */
const char *ctl_provider(struct ctl_conn *c, const char *name)
{
    const struct snapshot *s = c->host->snapshot;
    const struct instance *in = snapshot_find(s, str_c(name));

    if (in)
        return in->name;
    for (size_t i = 0; i < s->n_failed; i++)
        if (cfg_provider_called(s->failed[i].cfg, str_c(name))) {
            ctl_fail(c, ERR_UNAVAILABLE, "provider %s is not set up: %s",
                     s->failed[i].cfg->name, s->failed[i].why);
            return NULL;
        }
    ctl_fail(c, ERR_NO_MODEL,
             "there is no provider \"%s\"; see `patchbay "
             "provider list`",
             name);
    return NULL;
}

static void do_provider_test(struct ctl_conn *c, struct json_object *args)
{
    const char *name = ctl_provider(c, js_cstr(args, "name", ""));

    if (name)
        ctl_call(c, PBAY_OP_HEALTH, name, NULL, true);
}

/* What is held against a provider is forgotten. */
static void do_provider_reset(struct ctl_conn *c, struct json_object *args)
{
    const char *name = ctl_provider(c, js_cstr(args, "name", ""));
    struct buf b;

    if (!name)
        return;
    health_reset(c->host->health, name,
                 clock_now(c->host->control_seat->loop->clock));
    allowance_forget(snapshot_find(c->host->snapshot, str_c(name))->left);
    backends_forgive(c->host->backends, name);
    buf_init(&b, RESULT_MAX);
    buf_addc(&b, "{\"reset\":");
    buf_json(&b, str_c(name));
    buf_addc(&b, "}");
    answer(c, &b);
}

static void hold(struct ctl_conn *c, struct json_object *args,
                 enum health_hold how)
{
    const char *name = ctl_provider(c, js_cstr(args, "name", ""));
    struct buf b;

    if (!name)
        return;
    if (health_hold(c->host->health, name, how) < 0) {
        ctl_fail(c, ERR_INTERNAL, "out of memory");
        return;
    }
    log_line(LOG_INFO, "control", "a provider's state was set",
             log_cstr("provider", name),
             log_cstr("state", how == HOLD_NONE    ? "enabled"
                               : how == HOLD_DRAIN ? "draining"
                                                   : "disabled"),
             LOG_END);
    buf_init(&b, RESULT_MAX);
    buf_addc(&b, "{\"provider\":");
    buf_json(&b, str_c(name));
    buf_addc(&b, ",\"state\":");
    buf_json(
        &b, str_c(state_of(c->host,
                           snapshot_find(c->host->control_seat->manager.current,
                                         str_c(name)),
                           NULL)));
    buf_addc(&b, "}");
    answer(c, &b);
}

static void do_drain(struct ctl_conn *c, struct json_object *args)
{
    hold(c, args, HOLD_DRAIN);
}

static void do_disable(struct ctl_conn *c, struct json_object *args)
{
    hold(c, args, HOLD_DISABLE);
}

static void do_enable(struct ctl_conn *c, struct json_object *args)
{
    hold(c, args, HOLD_NONE);
}

/* --- calls --------------------------------------------------------------- */

static void do_chat(struct ctl_conn *c, struct json_object *args)
{
    ctl_call(c, PBAY_OP_CHAT, NULL, js_typed(args, "body", json_type_object),
             false);
}

static void do_embed(struct ctl_conn *c, struct json_object *args)
{
    ctl_call(c, PBAY_OP_EMBED, NULL, js_typed(args, "body", json_type_object),
             false);
}

/* --- steering ------------------------------------------------------------ */

static void do_log(struct ctl_conn *c, struct json_object *args)
{
    pbay_str level = js_str(args, "level", STR_NONE);
    enum log_level l;
    struct buf b;

    if (level.n && log_level_parse(level, &l) < 0) {
        ctl_fail(c, PBAY_E_INVALID,
                 "there is no log level \"%.*s\"; it is one "
                 "of error, warn, info, debug",
                 STR_ARG(level));
        return;
    }
    if (level.n) {
        log_set_level(l);
        c->host->options.log_level = (int)l;
    }
    buf_init(&b, LIM_KIB(1));
    buf_printf(&b, "{\"level\":\"%s\"}", log_level_name(log_get_level()));
    answer(c, &b);
}

static void do_config(struct ctl_conn *c, struct json_object *args)
{
    char *text = cfg_show(c->host->snapshot->cfg, js_bool(args, "json", false));
    struct buf b;

    if (!text) {
        ctl_fail(c, ERR_INTERNAL, "out of memory");
        return;
    }
    buf_init(&b, RESULT_MAX);
    buf_addc(&b, "{");
    put_str(&b, "text", text);
    buf_addc(&b, "}");
    free(text);
    answer(c, &b);
}

static void do_record(struct ctl_conn *c, struct json_object *args)
{
    const char *provider = ctl_provider(c, js_cstr(args, "provider", ""));
    const char *dir = js_cstr(args, "dir", NULL);
    struct buf b;
    int rc;

    if (!provider)
        return;
    rc = recorder_set(c->host->recorder, provider, dir);
    if (rc < 0) {
        ctl_fail(c, PBAY_E_INVALID, "cannot record into %s: %s",
                 dir ? dir : "nothing", strerror(-rc));
        return;
    }
    buf_init(&b, LIM_KIB(16));
    buf_addc(&b, "{");
    put_str(&b, "dir", dir);
    buf_addc(&b, "}");
    answer(c, &b);
}

static void do_reload(struct ctl_conn *c, struct json_object *args)
{
    char **warnings = NULL, *err = NULL;
    struct buf b;

    (void)args;
    if (host_reload(c->host, &warnings, &err) < 0) {
        ctl_fail(c, PBAY_E_INVALID, "the old configuration stays: %s",
                 err ? err : "out of memory");
    } else {
        buf_init(&b, RESULT_MAX);
        buf_addc(&b, "{");
        put_list(&b, "warnings", warnings);
        buf_addc(&b, "}");
        answer(c, &b);
    }
    for (char **w = warnings; w && *w; w++)
        free(*w);
    free(warnings);
    free(err);
}

static void do_stop(struct ctl_conn *c, struct json_object *args)
{
    bool now = js_bool(args, "now", false);
    struct host *h = c->host;

    ctl_ok(c, STR_NONE);
    host_stop(h, now);
}

static const struct {
    const char *name;
    void (*run)(struct ctl_conn *c, struct json_object *args);
} verbs[] = {
    {"version", do_version},
    {"status", do_status},
    {"plugins", do_plugins},
    {"providers", do_providers},
    {"provider.test", do_provider_test},
    {"provider.reset", do_provider_reset},
    {"provider.drain", do_drain},
    {"provider.disable", do_disable},
    {"provider.enable", do_enable},
    {"route.explain", ctl_explain},
    {"route.results", ctl_results},
    {"models", ctl_models},
    {"chat", do_chat},
    {"embed", do_embed},
    {"op", ctl_run_op},
    {"http", ctl_session_start},
    {"text", ctl_text},
    {"log", do_log},
    {"config", do_config},
    {"record", do_record},
    {"reload", do_reload},
    {"stop", do_stop},
};

void ctl_dispatch(struct ctl_conn *c, const char *verb,
                  struct json_object *args)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
        if (strcmp(verb, verbs[i].name) == 0) {
            verbs[i].run(c, args);
            return;
        }
    ctl_fail(c, ERR_NO_ROUTE, "there is no verb \"%s\" in this host", verb);
}
