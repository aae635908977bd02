/* SPDX-License-Identifier: MIT */
/* patchbay models: what can be asked. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cli/commands.h"
#include "cli/input.h"

static const char help[] =
    "List the models that the providers offer, a line each: the name to ask "
    "for, the\n"
    "context window in tokens, what it can do. Providers that can't be asked "
    "are\n"
    "named on standard error.\n"
    "\n"
    "  -p, --provider NAME\n"
    "                    this provider only\n"
    "      --search TEXT only those with TEXT in name or title\n"
    "      --free        only those that cost nothing\n"
    "      --capability WORD\n"
    "                    only those that can do it: tools, vision, reasoning, "
    "...;\n"
    "                    may be repeated\n"
    "      --sort ORDER  by price, context, created or name\n"
    "      --refresh     ask the providers, even if they have been asked "
    "lately\n"
    "\n"
    "With --free or --sort price each line also shows the prices of a million "
    "tokens\n"
    "in and out.\n"
    "\n";

struct wish {
    const char *provider, *search, *sort;
    char caps[1024]; /* with commas */
    bool refresh, free;
    bool prices; /* are shown */
};

/* Nano-units for a token are thousandths for a million. */
static void print_price(struct out_table *t, struct json_object *m)
{
    struct json_object *p = js_typed(m, "prices", json_type_object);
    struct json_object *in = js_get(p, "input"), *out = js_get(p, "output");
    char text[128];

    if (!in || !out) {
        out_cell(t, p ? "varies" : "-");
        return;
    }
    snprintf(text, sizeof(text), "%.10g/%.10g %s",
             json_object_get_double(in) / 1000,
             json_object_get_double(out) / 1000, js_cstr(p, "currency", ""));
    out_cell(t, text);
}

static void print_model(struct out_table *t, struct json_object *m, bool prices)
{
    struct json_object *caps = js_typed(m, "capabilities", json_type_array);
    int64_t window = js_int(m, "context_window", 0);
    char text[512] = "";
    size_t n = 0;

    for (size_t i = 0; caps && i < json_object_array_length(caps); i++) {
        struct json_object *c = json_object_array_get_idx(caps, i);
        int k = snprintf(text + n, sizeof(text) - n, "%s%s", i ? " " : "",
                         json_object_get_string(c));
        if (k < 0 || (size_t)k >= sizeof(text) - n)
            break;
        n += (size_t)k;
    }
    out_cell(t, js_cstr(m, "id", "?"));
    if (window > 0) {
        char number[32];
        snprintf(number, sizeof(number), "%lld", (long long)window);
        out_cell(t, number);
    } else {
        out_cell(t, n || prices ? "-" : "");
    }
    if (prices)
        print_price(t, m);
    out_cell(t, text);
}

/* The providers that failed; returns how many. */
static size_t tell_failed(struct cli *cli, struct json_object *result)
{
    struct json_object *failed = js_typed(result, "failed", json_type_array);
    size_t n = failed ? json_object_array_length(failed) : 0;

    for (size_t i = 0; i < n; i++) {
        struct json_object *f = json_object_array_get_idx(failed, i);
        cli_warn(cli, "%s: %s", js_cstr(f, "provider", "?"),
                 js_cstr(f, "reason", "no reason given"));
    }
    return n;
}

/* A provider that is down fails the command only if nothing is left to show. */
static int print(struct cli *cli, struct json_object *result,
                 const struct wish *w)
{
    struct json_object *models = js_typed(result, "models", json_type_array);
    size_t n = models ? json_object_array_length(models) : 0;
    size_t failed = tell_failed(cli, result);

    if (cli->json) {
        cli_print_json(cli, result);
    } else {
        struct out_table t;
        out_table_init(&t, w->prices ? 4 : 3);
        for (size_t i = 0; i < n; i++)
            print_model(&t, json_object_array_get_idx(models, i), w->prices);
        out_table_print(&cli->out, &t);
    }
    return failed && (w->provider || !n) ? EXIT_PROVIDER : EXIT_OK;
}

static int add_text(struct json_object *args, const char *name,
                    const char *value)
{
    return value && *value ? js_add_str(args, name, str_c(value)) : 0;
}

static int ask(struct cli *cli, const struct wish *w)
{
    struct json_object *args = json_object_new_object();
    struct json_object *result;
    int status = 0;

    if (!args || add_text(args, "provider", w->provider) ||
        add_text(args, "search", w->search) ||
        add_text(args, "sort", w->sort) ||
        add_text(args, "capability", w->caps) ||
        (w->free && js_add_bool(args, "free", true)) ||
        (w->refresh && js_add_bool(args, "refresh", true)))
        status = cli_error(cli, EXIT_FAILED, "out of memory");
    if (!status)
        status = cli_open(cli);
    if (!status)
        status = cli_ask(cli, "models", js_text(args), &result);
    if (!status)
        status = print(cli, result, w);
    json_object_put(args);
    return status;
}

/* 0, or the exit status. */
static int add_cap(struct cli *cli, struct wish *w, const char *cap)
{
    size_t n = strlen(w->caps);

    if ((size_t)snprintf(w->caps + n, sizeof(w->caps) - n, "%s%s", n ? "," : "",
                         cap) >= sizeof(w->caps) - n)
        return cli_usage(cli, "--capability: these are too many");
    return 0;
}

static bool texts_ok(struct cli *cli, const struct wish *w)
{
    return (!w->provider ||
            input_utf8(cli, str_c(w->provider), "--provider")) &&
           (!w->search || input_utf8(cli, str_c(w->search), "--search")) &&
           (!w->sort || input_utf8(cli, str_c(w->sort), "--sort")) &&
           input_utf8(cli, str_c(w->caps), "--capability");
}

static int run(struct cli *cli, int argc, char **argv)
{
    static const struct option longs[] = {
        {"provider", required_argument, NULL, 'p'},
        {"search", required_argument, NULL, 's'},
        {"free", no_argument, NULL, 'f'},
        {"capability", required_argument, NULL, 'c'},
        {"sort", required_argument, NULL, 'o'},
        {"refresh", no_argument, NULL, 'r'},
        {0}};
    struct wish w = {0};
    int opt;

    while ((opt = cli_getopt(cli, argc, argv, "p:", longs)) >= 0) {
        if (opt == 'p')
            w.provider = optarg;
        else if (opt == 's')
            w.search = optarg;
        else if (opt == 'o')
            w.sort = optarg;
        else if (opt == 'f')
            w.free = true;
        else if (opt == 'r')
            w.refresh = true;
        else if (add_cap(cli, &w, optarg))
            return EXIT_USAGE;
    }
    if (opt != -1)
        return cli_opt_status(opt);
    if (optind < argc)
        return cli_usage(cli, "unexpected operand %s", argv[optind]);
    if (!texts_ok(cli, &w))
        return EXIT_USAGE;
    w.prices = w.free || (w.sort && !strcmp(w.sort, "price"));
    return ask(cli, &w);
}

const struct command cmd_models = {.name = "models",
                                   .summary = "list the models on offer",
                                   .usage = "[OPTIONS]",
                                   .help = help,
                                   .common = COMMON_ASK,
                                   .run = run};
