/* SPDX-License-Identifier: MIT */
/* Names that lead to targets: the sections `routes` and `aliases`, and the
 * variables that shape the route "default". */
#include "config/parts.h"

#include <string.h>
#include <strings.h>

#include "base/str.h"

/* --- one group ----------------------------------------------------------- */

static bool taken(const struct section *s, const char *name)
{
    const struct config *c = s->l->c;
    for (size_t i = 0; i < c->n_routes; i++)
        if (strcmp(c->routes[i].name, name) == 0) {
            section_issue(s, true, "name",
                          "the same name as that of line %d: give each its "
                          "own",
                          c->routes[i].origin.line);
            return true;
        }
    return false;
}

/* A control byte would make a log line of its own. */
static bool printable(const char *name)
{
    for (; *name; name++)
        if ((unsigned char)*name <= ' ' || *name == 127)
            return false;
    return true;
}

static bool read_name(const struct section *s, struct cfg_route *r)
{
    r->name = section_string(s, "name");
    if (r->name && *r->name && strlen(r->name) <= CFG_ROUTE_NAME &&
        printable(r->name))
        return !taken(s, r->name);
    if (r->name || section_raw(s, "name").kind == RAW_NONE)
        section_issue(s, true, "name",
                      "a name of 1 to %d bytes without spaces is wanted: what "
                      "clients send as model",
                      CFG_ROUTE_NAME);
    return false;
}

static const char *const strategies[] = {
    [STRATEGY_FALLBACK] = "fallback",
    [STRATEGY_ROUND_ROBIN] = "round_robin",
    [STRATEGY_WEIGHTED] = "weighted",
    [STRATEGY_LEAST_CONNECTIONS] = "least_connections",
    [STRATEGY_LEAST_TOKENS] = "least_tokens",
    [STRATEGY_FASTEST] = "fastest",
    [STRATEGY_LEAST_COST] = "least_cost",
    [STRATEGY_CHEAPEST_FREE_FIRST] = "cheapest_free_first",
    [STRATEGY_CAPABILITY] = "capability",
    [STRATEGY_COMPLEXITY] = "complexity",
    [STRATEGY_SPLIT] = "split"};

const char *cfg_strategy_name(enum cfg_strategy s)
{
    return strategies[s];
}

static enum cfg_strategy strategy_of(const char *word)
{
    for (size_t i = 0; i < sizeof strategies / sizeof *strategies; i++)
        if (word && strcmp(word, strategies[i]) == 0)
            return (enum cfg_strategy)i;
    return STRATEGY_FALLBACK;
}

static bool read_targets(const struct section *s, struct cfg_route *r)
{
    size_t n = 0;
    r->targets = section_list(s, "targets");
    while (r->targets[n])
        n++;
    if (n >= 1 && n <= CFG_ROUTE_TARGETS)
        return true;
    section_issue(s, true, "targets",
                  "1 to %d targets are wanted, each as \"provider/model\" or "
                  "\"provider\"; there are %zu",
                  CFG_ROUTE_TARGETS, n);
    return false;
}

/* As many as targets, each 0 to CFG_ROUTE_WEIGHT, not all of them 0. */
static void read_weights(const struct section *s, struct cfg_route *r)
{
    char **v = section_list(s, "weights");
    size_t n = 0, want = 0;
    uint64_t w = 0, sum = 0;
    if (!v[0])
        return;
    while (r->targets[want])
        want++;
    r->weights = load_alloc(s->l, want * sizeof *r->weights);
    for (; r->weights && v[n] && n < want; n++) {
        if (str_u64(str_c(v[n]), &w) < 0 || w > CFG_ROUTE_WEIGHT)
            break;
        r->weights[n] = (unsigned)w;
        sum += w;
    }
    if (v[n] || n < want || !sum)
        section_issue(s, true, "weights",
                      "one whole number of 0 to %d for each of the %zu targets "
                      "is wanted, not all of them 0: weights = [ \"3\", \"1\" "
                      "]",
                      CFG_ROUTE_WEIGHT, want);
    if (r->strategy != STRATEGY_WEIGHTED && r->strategy != STRATEGY_SPLIT)
        section_issue(s, true, "weights",
                      "they are for strategy = \"weighted\" or \"split\"");
}

/* It takes the place of drawing by lot or in turn, where there is that. */
static void read_sticky(const struct section *s, struct cfg_route *r)
{
    r->sticky = section_bool(s, "sticky");
    if (r->sticky && r->strategy != STRATEGY_ROUND_ROBIN &&
        r->strategy != STRATEGY_LEAST_CONNECTIONS &&
        r->strategy != STRATEGY_LEAST_TOKENS && r->strategy != STRATEGY_FASTEST)
        section_issue(s, true, "sticky",
                      "it is for strategies that share requests evenly: "
                      "round_robin, least_connections, least_tokens or "
                      "fastest");
}

static bool read_alias(const struct section *s, struct cfg_route *r)
{
    struct load *l = s->l;
    char *model = section_string(s, "model");
    if (!model || !*model) {
        section_issue(s, true, "model",
                      "the model it stands for is missing: model = "
                      "\"provider/model\"");
        return false;
    }
    r->targets = load_alloc(l, 2 * sizeof *r->targets);
    if (!r->targets)
        return false;
    r->targets[0] = model;
    r->alias = true;
    return true;
}

static void read_one(struct load *l, const struct doc *d,
                     const config_setting_t *set, int i, bool alias)
{
    struct config *c = l->c;
    struct raw raw = raw_setting(d, set);
    const char *list = alias ? "aliases" : "routes";
    struct section s = {.l = l,
                        .rows = alias ? "aliases[]" : "routes[]",
                        .doc = d,
                        .set = set,
                        .label = load_printf(l, "%s[%d]", list, i)};
    if (raw.kind != RAW_GROUP) {
        load_issue_at(l, true, &raw.origin, "%s: a group is wanted: %s",
                      s.label,
                      alias ? "{ name = \"fast\"; model = \"openai/...\"; }"
                            : "{ name = \"chat\"; targets = [ \"openai/...\", "
                              "\"claude\" ]; }");
        return;
    }
    s.node = node_add(l, alias ? l->aliases : l->routes, NODE_GROUP, NULL,
                      &raw.origin);
    section_check_names(&s, NULL);
    struct cfg_route r = {.origin = raw.origin};
    bool named = read_name(&s, &r);
    if (alias ? !read_alias(&s, &r) : !read_targets(&s, &r))
        return;
    if (!alias) {
        r.strategy = strategy_of(section_string(&s, "strategy"));
        read_weights(&s, &r);
        read_sticky(&s, &r);
        route_split(&s, &r);
        route_when(&s, &r);
    }
    struct cfg_route *v =
        named ? load_grow(l, c->routes, c->n_routes, sizeof *v) : NULL;
    if (!v)
        return;
    c->routes = v;
    v[c->n_routes++] = r;
}

static void read_list(struct load *l, const struct doc *d,
                      const config_setting_t *root, bool alias)
{
    const char *name = alias ? "aliases" : "routes";
    const config_setting_t *set =
        root ? config_setting_get_member(root, name) : NULL;
    if (!set)
        return;
    struct raw raw = raw_setting(d, set);
    (alias ? l->aliases : l->routes)->origin = raw.origin;
    if (raw.kind != RAW_LIST) {
        load_issue_at(l, true, &raw.origin,
                      "%s: a list of groups is wanted: %s = ( { name = ...; } "
                      ");",
                      name, name);
        return;
    }
    int n = config_setting_length(set);
    if (n > LIM_ROUTES) {
        load_issue_at(l, true, &raw.origin,
                      "%s: %d of them, at most %d are "
                      "possible",
                      name, n, LIM_ROUTES);
        n = LIM_ROUTES;
    }
    for (int i = 0; i < n; i++)
        read_one(l, d, config_setting_get_elem(set, (unsigned)i), i, alias);
}

/* --- the targets, when the providers are known ---------------------------- */

/* An alias may lead to another one, not back to itself. */
static void check_alias(struct load *l, const struct cfg_route *r)
{
    const struct cfg_route *at = r;
    size_t steps = 0, i = 0;
    while (at->alias && i < l->c->n_routes) {
        for (i = 0; i < l->c->n_routes; i++)
            if (strcmp(l->c->routes[i].name, at->targets[0]) == 0)
                break;
        if (i < l->c->n_routes && &l->c->routes[i] == at)
            return; /* the model of that name */
        if (i < l->c->n_routes)
            at = &l->c->routes[i];
        if (++steps <= CFG_ALIAS_STEPS)
            continue;
        load_issue_at(l, true, &r->origin,
                      "aliases: \"%s\" leads from alias to alias and to no "
                      "model: let it, or one of them, name a model or a route",
                      r->name);
        return;
    }
}

/* A strategy that has nothing to go by. */
static void check_tokens(struct load *l, const struct cfg_route *r)
{
    for (char **t = r->targets; *t && r->strategy == STRATEGY_LEAST_TOKENS;
         t++) {
        const struct cfg_provider *p = provider_called(l->c, *t);
        if (p && !p->limits.tokens)
            load_issue_at(l, false, &r->origin,
                          "routes: \"%s\" goes by least_tokens, and %s has no "
                          "limits.tokens_per_minute: nothing counts against it",
                          r->name, p->name);
    }
}

static bool by_weights(const struct cfg_route *r)
{
    return r->strategy == STRATEGY_WEIGHTED || r->strategy == STRATEGY_SPLIT;
}

/* Those of the providers, where it says none. */
static void fill_weights(struct load *l, struct cfg_route *r)
{
    size_t n = 0;
    uint64_t sum = 0;
    while (r->targets[n])
        n++;
    if (!by_weights(r) || r->weights)
        return;
    r->weights = load_alloc(l, n * sizeof *r->weights);
    for (size_t i = 0; r->weights && i < n; i++) {
        const struct cfg_provider *p = provider_called(l->c, r->targets[i]);
        r->weights[i] = p ? p->weight : 1;
        sum += r->weights[i];
    }
    if (!sum)
        load_issue_at(
            l, true, &r->origin,
            "routes: \"%s\" goes by the weights of its providers, and "
            "each is 0: write weights here, or a weight there",
            r->name);
}

/* An alias may stand for any name that resolves by itself; a route's targets
 * say their provider. */
static void check_targets(struct load *l, struct cfg_route *r)
{
    fill_weights(l, r);
    check_split(l, r);
    check_tokens(l, r);
    check_alias(l, r);
    for (char **t = r->targets; *t && !r->alias; t++)
        if (!provider_called(l->c, *t))
            load_issue_at(l, true, &r->origin,
                          "routes: the target \"%.128s\" of \"%s\" names no "
                          "provider of this configuration; write "
                          "\"provider/model\" or \"provider\"",
                          *t, r->name);
}

/* --- the environment ------------------------------------------------------ */

static const char *provider_env(struct load *l, const char *name)
{
    const char *v = load_env(l, name);
    const struct cfg_provider *p =
        v && !strchr(v, '/') ? provider_called(l->c, v) : NULL;
    if (v && !p)
        load_issue(l, false, name, 0,
                   "there is no provider \"%.64s\"; it is left out of the "
                   "default route",
                   v);
    else if (p && p->enabled && !p->default_model && p->manifest &&
             strcmp(p->manifest->id, "loopback") != 0)
        load_issue(l, false, name, 0,
                   "the provider \"%.64s\" has no default_model; it is left "
                   "out of the default route",
                   v);
    return v ? load_dup(l, str_c(v)) : NULL;
}

static bool says_no(const char *v)
{
    return v && (strcasecmp(v, "false") == 0 || strcasecmp(v, "no") == 0 ||
                 strcasecmp(v, "off") == 0 || strcmp(v, "0") == 0);
}

static void read_default(struct load *l)
{
    struct cfg_default_route *d = &l->c->default_route;
    const char *strategy = load_env(l, "LLM_ROUTING_STRATEGY");
    d->primary = provider_env(l, "PRIMARY_PROVIDER");
    if (!d->primary)
        d->primary = provider_env(l, "PRIMARY_LLM_PROVIDER");
    d->secondary = provider_env(l, "SECONDARY_PROVIDER");
    d->local = provider_env(l, "LOCAL_PROVIDER");
    d->no_fallback = says_no(load_env(l, "ENABLE_LLM_FALLBACK"));
    if (!strategy || strcmp(strategy, "fallback") == 0)
        return;
    if (strcmp(strategy, "load_balance") == 0)
        d->strategy = STRATEGY_LEAST_CONNECTIONS;
    else if (strcmp(strategy, "cost") == 0)
        d->strategy = STRATEGY_LEAST_COST;
    else if (strcmp(strategy, "capability") == 0)
        d->strategy = STRATEGY_CAPABILITY;
    else
        load_issue(l, false, "LLM_ROUTING_STRATEGY", 0,
                   "\"%.32s\" is no strategy of this host; fallback, cost, "
                   "capability and load_balance are. The default route goes by "
                   "fallback",
                   strategy);
}

void read_routes(struct load *l, const struct doc *d,
                 const config_setting_t *root)
{
    read_list(l, d, root, false);
    read_list(l, d, root, true);
    for (size_t i = 0; i < l->c->n_routes; i++)
        check_targets(l, &l->c->routes[i]);
    if (l->env_mode != ENV_OFF)
        read_default(l);
}
