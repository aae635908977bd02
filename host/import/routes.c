/* SPDX-License-Identifier: MIT */
/* Routes from what others call strategies, and from a manager's settings.
 *
 *   strategies: NAME: {provider, model, fallback_providers (fallbacks): [..],
 *   strategy}         the route NAME: provider/model, then the fallbacks
 *                     ("provider", "provider/model" or {provider, model})
 *   fallback_enabled, fallback (default true), load_balancing (false, true, or
 *   a word), strategy, routing_strategy, default_provider, primary_provider,
 *   secondary_provider, fallback_order, fallback_providers
 *                     the route "default": the named ones, then the others by
 *                     their `priority`, as they stand where it is the same;
 *                     without fallback the first alone.  A word "weighted" goes
 *                     by the providers' `weight`
 *
 * Words: see words[]. */
#include "import/state.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

static const struct {
    const char *word, *strategy;
} words[] = {
    {"fallback", "fallback"},
    {"priority", "fallback"},
    {"failover", "fallback"},
    {"none", "fallback"},
    {"true", "least_connections"},
    {"load_balance", "least_connections"},
    {"load_balancing", "least_connections"},
    {"least_connections", "least_connections"},
    {"least_busy", "least_connections"},
    {"round_robin", "round_robin"},
    {"round-robin", "round_robin"},
    {"random", "round_robin"},
    {"cost", "least_cost"},
    {"cheapest", "least_cost"},
    {"cost_optimized", "least_cost"},
    {"latency", "fastest"},
    {"performance", "fastest"},
};

/* One that the table of keys has. */
static bool is_strategy(const char *word)
{
    const struct cfg_key *k = cfg_keys();
    pbay_str rest;

    while (k->section &&
           (strcmp(k->section, "routes[]") || strcmp(k->name, "strategy")))
        k++;
    rest = str_c(k->section ? k->choices : "");
    while (rest.n)
        if (str_is(str_cut(&rest, '|'), word))
            return true;
    return false;
}

/* NULL: fallback, be it as they say or after an issue. */
static const char *strategy(struct im_state *s, const char *label,
                            const struct tree_node *n)
{
    const char *word = tree_text(n), *found = word;
    bool on;

    if (!word || !*word || (tree_bool(n, &on) && !on))
        return NULL;
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (!strcasecmp(words[i].word, word))
            found = words[i].strategy;
    if (tree_bool(n, &on))
        found = "least_connections";
    if (!strcmp(found, "fallback"))
        return NULL;
    if (is_strategy(found))
        return found;
    im_issue(s, false, n->line,
             "%s.%s: \"%.40s\" is no strategy here; the targets are tried in "
             "their order",
             label, n->key.n ? n->key.p : "strategy", word);
    return NULL;
}

struct route {
    const char *name, *strategy;
    struct {
        const char *provider, *model; /* model NULL: the default one */
        int weight;                   /* -1: not said */
    } targets[CFG_ROUTE_TARGETS];
    size_t n;
};

static void add_target(struct im_state *s, struct route *r,
                       const struct im_provider *p, const char *model, int line)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->targets[i].provider == p->name &&
            !strcmp(r->targets[i].model ? r->targets[i].model : "",
                    model ? model : ""))
            return;
    if (r->n == CFG_ROUTE_TARGETS) {
        im_issue(s, false, line,
                 "route \"%.60s\": more than %d targets; %s is left out",
                 r->name, CFG_ROUTE_TARGETS, p->name);
        return;
    }
    if (!model && !p->model)
        im_issue(s, false, line,
                 "route \"%.60s\": %s has no default_model; it is left out of "
                 "this route until it has one",
                 r->name, p->name);
    r->targets[r->n].provider = p->name;
    r->targets[r->n].weight = p->weight;
    r->targets[r->n++].model = model;
}

static bool weighted(const struct route *r)
{
    return r->strategy && !strcmp(r->strategy, "weighted");
}

/* A number for each target, not all of them 0: else there are none to go by. */
static void check_weights(struct im_state *s, struct route *r, int line)
{
    bool all = true, any = false;

    for (size_t i = 0; i < r->n; i++) {
        all &= r->targets[i].weight >= 0;
        any |= r->targets[i].weight > 0;
    }
    if (!weighted(r) || (all && any))
        return;
    r->strategy = NULL;
    im_issue(s, false, line,
             "route \"%.60s\": not every provider has a weight; the targets "
             "are tried in their order",
             r->name);
}

static void put_route(struct im_state *s, const struct route *r, bool *first)
{
    buf_printf(s->b, "%s    { name = ", *first ? "\nroutes = (\n" : ",\n");
    *first = false;
    im_string(s->b, r->name);
    buf_addc(s->b, ";");
    if (r->strategy)
        buf_printf(s->b, " strategy = \"%s\";", r->strategy);
    buf_addc(s->b, "\n      targets = [");
    for (size_t i = 0; i < r->n; i++) {
        char *text = NULL;
        if (asprintf(&text, "%s%s%s", r->targets[i].provider,
                     r->targets[i].model ? "/" : "",
                     r->targets[i].model ? r->targets[i].model : "") < 0) {
            s->nomem = true;
            return;
        }
        buf_addc(s->b, i ? ", " : " ");
        im_string(s->b, text);
        free(text);
    }
    buf_addc(s->b, " ];");
    for (size_t i = 0; i < r->n && weighted(r); i++)
        buf_printf(s->b, "%s\"%d\"%s", i ? ", " : "\n      weights = [ ",
                   r->targets[i].weight, i + 1 < r->n ? "" : " ];");
    buf_addc(s->b, " }");
}

/* --- strategies ---------------------------------------------------------- */

/* "provider", "provider/model" or {provider, model}. */
static void named_target(struct im_state *s, struct route *r,
                         struct tree_node *n, struct tree_node *model)
{
    struct tree_node *who = n;
    const char *text, *slash = NULL;
    struct im_provider *p;
    char word[256];

    if (n && n->kind == TREE_MAP) {
        who = tree_take(n, "provider|name");
        model = tree_take(n, "model");
    }
    text = tree_text(who);
    p = text ? im_find(s, text) : NULL;
    if (text && !p && (slash = strchr(text, '/')) != NULL) {
        snprintf(word, sizeof(word), "%.*s", (int)(slash - text), text);
        p = im_find(s, word);
    }
    if (n && n->kind == TREE_MAP)
        im_unused(s, r->name, n);
    if (!p) {
        if (n && n->kind != TREE_NULL)
            im_issue(s, false, n->line,
                     "strategies.%.60s: there is no provider \"%.60s\"; left "
                     "out",
                     r->name, text ? text : "");
        return;
    }
    add_target(s, r, p,
               tree_text(model) && *tree_text(model) ? tree_text(model)
               : slash && slash[1]                   ? slash + 1
                                                     : NULL,
               n->line);
}

static bool name_ok(const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] <= ' ' || name[i] == 127)
            return false;
    return n && n <= CFG_ROUTE_NAME;
}

static void one_strategy(struct im_state *s, struct tree_node *n, bool *first)
{
    struct route r = {.name = n->key.p};
    struct tree_node *list;
    char label[128];

    n->used = true;
    snprintf(label, sizeof(label), "strategies.%.60s", r.name);
    if (n->kind != TREE_MAP || !name_ok(r.name)) {
        im_issue(s, false, n->line,
                 "%s: a map is wanted, with a name without spaces; left out",
                 label);
        return;
    }
    r.strategy = strategy(s, label, tree_take(n, "strategy|load_balancing"));
    list = tree_take(n, "provider|primary_provider|primary");
    if (list)
        named_target(s, &r, list, tree_take(n, "model"));
    list = tree_take(n, "fallback_providers|fallbacks|fallback|providers");
    if (list && list->kind == TREE_LIST)
        for (struct tree_node *m = list->first; m; m = m->next) {
            m->used = true;
            named_target(s, &r, m, NULL);
        }
    else if (list)
        named_target(s, &r, list, NULL);
    check_weights(s, &r, n->line);
    if (r.n)
        put_route(s, &r, first);
    else
        im_issue(s, false, n->line, "%s: it names no provider; left out",
                 label);
    im_unused(s, label, n);
}

/* --- a manager ----------------------------------------------------------- */

static void manager_target(struct im_state *s, struct route *r,
                           struct tree_node *n)
{
    const struct im_provider *p =
        tree_text(n) ? im_find(s, tree_text(n)) : NULL;

    if (p)
        add_target(s, r, p, NULL, n->line);
    else if (n && n->kind != TREE_NULL)
        im_issue(s, false, n->line,
                 "manager: there is no provider \"%.60s\"; left out",
                 tree_text(n) ? tree_text(n) : "");
}

/* By their priority, as they stand where it is the same.  One that has a
 * priority says that there is an order. */
static void add_others(struct im_state *s, struct route *r, bool *said)
{
    int done = -1, next;

    for (size_t i = 0; i < s->n_providers; i++)
        *said |= s->providers[i].priority != INT_MAX;
    while (*said) {
        next = -1;
        for (size_t i = 0; i < s->n_providers; i++) {
            int p = s->providers[i].priority;
            if (p > done && (next < 0 || p < next))
                next = p;
        }
        if (next < 0)
            return;
        for (size_t i = 0; i < s->n_providers; i++)
            if (s->providers[i].enabled && s->providers[i].priority == next)
                add_target(s, r, &s->providers[i], NULL, s->providers[i].line);
        done = next;
    }
}

static void manager_route(struct im_state *s, struct tree_node *m, bool *first)
{
    static const char *const order[] = {
        "default_provider",   "primary_provider", "primary",
        "secondary_provider", "fallback_order",   "fallback_providers"};
    struct route r = {.name = "default"};
    struct tree_node *fallback = tree_take(m, "fallback_enabled|fallback");
    struct tree_node *balance =
        tree_take(m, "load_balancing|routing_strategy|strategy");
    bool on = true, said = fallback || balance;

    if (balance && balance->kind == TREE_MAP)
        balance = tree_take(balance, "strategy|algorithm|method");
    if (fallback && fallback->kind != TREE_NULL && !tree_bool(fallback, &on))
        im_issue(s, false, fallback->line,
                 "manager.%s: true or false is wanted; taken as true",
                 fallback->key.p);
    r.strategy = strategy(s, "manager", balance);
    for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++) {
        struct tree_node *n = tree_take(m, order[i]);
        said |= n != NULL;
        if (n && n->kind == TREE_LIST)
            for (n = n->first; n; n = n->next) {
                n->used = true;
                manager_target(s, &r, n);
            }
        else if (n)
            manager_target(s, &r, n);
    }
    add_others(s, &r, &said);
    check_weights(s, &r, balance ? balance->line : 0);
    if (!on && r.strategy)
        im_issue(s, false, fallback->line,
                 "manager.%s: with load balancing the others still follow when "
                 "a target fails",
                 fallback->key.p);
    else if (!on && r.n > 1)
        r.n = 1;
    if (r.n)
        put_route(s, &r, first);
}

void im_routes(struct im_state *s, struct tree_node *strategies,
               struct tree_node *manager)
{
    bool first = true;

    if (strategies && strategies->kind == TREE_MAP)
        for (struct tree_node *n = strategies->first; n; n = n->next)
            one_strategy(s, n, &first);
    else if (strategies && strategies->kind != TREE_NULL)
        im_issue(s, false, strategies->line,
                 "strategies: a map is wanted; left out");
    if (tree_peek(strategies, "default") == NULL)
        manager_route(s, manager, &first);
    if (!first)
        buf_addc(s->b, "\n);\n");
}
