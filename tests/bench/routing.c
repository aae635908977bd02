/* SPDX-License-Identifier: MIT */
/* What routing costs: nanoseconds for one request's plan, by what its model
 * names.  Four providers, 400 listed models, a prompt of 600 bytes.  Prints a
 * line for each; then what it takes to work out an answer's cost. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "manager/router.h"
#include <patchbay/json.h>

#define ROUNDS 200000
#define N      4

static const char manifest_text[] =
    "{\"abi\":\"0.1\",\"id\":\"openai\",\"version\":\"1\",\"license\":\"MIT\","
    "\"kind\":\"codec\"}";

static struct snapshot snap;
static struct model_index *models;
static pbay_kv members[16];
static size_t n_members;
static char body[1024];

static void die(const char *why)
{
    fprintf(stderr, "routing: %s\n", why);
    exit(1);
}

static void make_providers(const struct manifest *m)
{
    static struct price_row rows[2];
    static char *none[] = {NULL}, names[N][2];
    static struct cfg_provider cfg[N];
    static struct instance in[N], *all[N];
    static pbay_kv listed[100];
    char why[256];

    if (price_row_parse(STR("m-0 in=1 out=2"), &rows[0], why, sizeof(why)) ||
        price_row_parse(STR("m-1 in=2 out=1"), &rows[1], why, sizeof(why)))
        die(why);
    for (size_t i = 0; i < 100; i++) {
        char *id = malloc(16);
        if (!id)
            die("out of memory");
        snprintf(id, 16, "m-%zu", i);
        listed[i] = (pbay_kv){str_c(id), STR("{}")};
    }
    for (size_t i = 0; i < N; i++) {
        names[i][0] = (char)('a' + i);
        cfg[i] = (struct cfg_provider){.name = names[i],
                                       .manifest = m,
                                       .models = none,
                                       .prices = rows,
                                       .n_prices = 2,
                                       .limits.tokens = 1000000};
        cfg[i].default_model = strdup("m-1");
        in[i] = (struct instance){.name = names[i],
                                  .cfg = &cfg[i],
                                  .ops = PBAY_OP_BIT(PBAY_OP_CHAT),
                                  .stats = stats_of(names[i])};
        all[i] = &in[i];
        model_index_set(models, names[i], listed, 100, 0);
    }
    snap.instances = malloc(sizeof(all));
    if (!snap.instances)
        die("out of memory");
    memcpy(snap.instances, all, sizeof(all));
    snap.n = N;
}

static void make_routes(void)
{
    static char t[N][8] = {"a/m-0", "b/m-1", "c/m-2", "d/m-3"};
    static char *targets[N + 1] = {t[0], t[1], t[2], t[3], NULL};
    static unsigned weights[N] = {4, 3, 2, 1};
    static struct cfg_term tag = {.kind = WHEN_TAG, .value = PBAY_LIT("batch")};
    static struct cfg_when when[N] = {{.terms = &tag, .n = 1}};
    static struct cfg_route r[13];
    static struct config cfg;
    static const struct {
        const char *name;
        enum cfg_strategy how;
    } rows[] = {{"fallback", STRATEGY_FALLBACK},
                {"round_robin", STRATEGY_ROUND_ROBIN},
                {"weighted", STRATEGY_WEIGHTED},
                {"least_connections", STRATEGY_LEAST_CONNECTIONS},
                {"least_tokens", STRATEGY_LEAST_TOKENS},
                {"fastest", STRATEGY_FASTEST},
                {"least_cost", STRATEGY_LEAST_COST},
                {"cheapest_free_first", STRATEGY_CHEAPEST_FREE_FIRST},
                {"capability", STRATEGY_CAPABILITY},
                {"complexity", STRATEGY_COMPLEXITY},
                {"split", STRATEGY_SPLIT},
                {"fallback, a condition", STRATEGY_FALLBACK},
                {"round_robin, sticky", STRATEGY_ROUND_ROBIN}};
    const size_t n = sizeof(rows) / sizeof(*rows);

    for (size_t i = 0; i < n; i++)
        r[cfg.n_routes++] = (struct cfg_route){.name = strdup(rows[i].name),
                                               .strategy = rows[i].how,
                                               .targets = targets};
    r[2].weights = r[n - 3].weights = weights;
    r[n - 3].arms = targets;
    r[n - 2].when = when;
    r[n - 1].sticky = true;
    cfg.routes = r;
    snap.cfg = &cfg;
}

static void make_body(void)
{
    int n = snprintf(body, sizeof(body),
                     "{\"model\":\"x\",\"messages\":[{\"role\":\"user\","
                     "\"content\":\"");

    while (n < 560)
        n += snprintf(body + n, sizeof(body) - (size_t)n, "some words of it ");
    snprintf(body + n, sizeof(body) - (size_t)n, "\"}]}");
    if (pbay_json_members(str_c(body), members, 16, &n_members, NULL) < 0)
        die("the body is no JSON");
}

static pbay_str no_header(void *arg, const char *name)
{
    (void)arg;
    (void)name;
    return STR_NONE;
}

static void measure(const char *what, const char *model, struct clock *clock)
{
    static const struct way way = {.header = no_header};
    int64_t best = INT64_MAX;

    for (int turn = 0; turn < 5; turn++) {
        int64_t from = clock_us();

        for (unsigned i = 0; i < ROUNDS / 5; i++) {
            struct want want = {.op = PBAY_OP_CHAT,
                                .canonical = true,
                                .body = str_c(body),
                                .members = members,
                                .n_members = n_members};
            struct ask q = {.way = &way,
                            .op = PBAY_OP_CHAT,
                            .model = str_c(model),
                            .turn = i,
                            .want = &want,
                            .clock = clock};
            struct arena a;
            struct plan p;
            struct err e;

            arena_init(&a, LIM_KIB(64));
            err_clear(&e);
            if (plan_ask(&snap, models, &q, &a, &p, &e) < 0)
                die(e.message);
            arena_done(&a);
        }
        from = clock_us() - from;
        if (from < best)
            best = from;
    }
    printf("%-28s %6lld ns\n", what, (long long)(best * 1000 / (ROUNDS / 5)));
}

/* What an answer has cost, by a price list as long as the longest vendor's. */
static void measure_cost(void)
{
    static struct price_row rows[230];
    static char names[230][16];
    pbay_usage u = {.size = sizeof(u),
                    .known = PBAY_U_INPUT | PBAY_U_OUTPUT,
                    .input = 1000,
                    .output = 77};
    int64_t from, sum = 0;

    for (size_t i = 0; i < 230; i++) {
        snprintf(names[i], sizeof(names[i]), "gpt-%zu", i);
        rows[i] = (struct price_row){
            .model = str_c(names[i]),
            .price = {.input = 2500000000, .output = 10000000000}};
    }
    from = clock_us();
    for (int i = 0; i < ROUNDS; i++) {
        const struct price_row *r =
            price_find(rows, 230, STR("gpt-200-2024-08-06"), u.input, 0);
        sum += r ? price_cost(&r->price, &u) : 0;
    }
    from = clock_us() - from;
    if (sum != ROUNDS * INT64_C(3270000))
        die("the sum of the costs is wrong");
    printf("%-28s %6lld ns\n", "an answer's cost",
           (long long)(from * 1000 / ROUNDS));
}

int main(void)
{
    struct clock *clock = clock_new_virtual(1800000000000);
    char *why = NULL;
    struct manifest *m = manifest_parse(str_c(manifest_text), &why);

    models = model_index_new();
    if (!m || !models || !clock)
        die(why ? why : "out of memory");
    make_providers(m);
    make_routes();
    make_body();
    measure("provider/model", "a/m-7", clock);
    measure("a bare name", "m-7", clock);
    for (size_t i = 0; i < snap.cfg->n_routes; i++)
        measure(snap.cfg->routes[i].name, snap.cfg->routes[i].name, clock);
    measure_cost();
    return 0;
}
