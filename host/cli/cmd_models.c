/* SPDX-License-Identifier: MIT */
/* patchbay models: what can be asked. */
#include "config.h"

#include <errno.h>
#include <stdio.h>

#include "base/str.h"
#include "cli/commands.h"
#include "cli/input.h"

static const char help[] =
    "List the models that the providers offer, a line each: the name to ask "
    "for, the\ncontext window in tokens, what it can do. Providers that can't "
    "be asked are\nnamed on standard error.\n\n"
    "  -p, --provider NAME\n                    this provider only\n"
    "      --refresh     ask the providers, even if they have been asked "
    "lately\n";

static void print_model(struct out_table *t, struct json_object *m)
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
        out_cell(t, n ? "-" : "");
    }
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
static int print(struct cli *cli, struct json_object *result, bool one)
{
    struct json_object *models = js_typed(result, "models", json_type_array);
    size_t n = models ? json_object_array_length(models) : 0;
    size_t failed = tell_failed(cli, result);

    if (cli->json) {
        cli_print_json(cli, result);
    } else {
        struct out_table t;
        out_table_init(&t, 3);
        for (size_t i = 0; i < n; i++)
            print_model(&t, json_object_array_get_idx(models, i));
        out_table_print(&cli->out, &t);
    }
    return failed && (one || !n) ? EXIT_PROVIDER : EXIT_OK;
}

static int ask(struct cli *cli, const char *provider, bool refresh)
{
    struct json_object *args = json_object_new_object();
    struct json_object *result;
    int status = 0;

    if (!args || (provider && js_add_str(args, "provider", str_c(provider))) ||
        (refresh && js_add_bool(args, "refresh", true)))
        status = cli_error(cli, EXIT_FAILED, "out of memory");
    if (!status)
        status = cli_open(cli);
    if (!status)
        status = cli_ask(cli, "models", js_text(args), &result);
    if (!status)
        status = print(cli, result, provider != NULL);
    json_object_put(args);
    return status;
}

static int run(struct cli *cli, int argc, char **argv)
{
    static const struct option longs[] = {
        {"provider", required_argument, NULL, 'p'},
        {"refresh", no_argument, NULL, 'r'},
        {0}};
    const char *provider = NULL;
    bool refresh = false;
    int opt;

    while ((opt = cli_getopt(cli, argc, argv, "p:", longs)) >= 0) {
        if (opt == 'p')
            provider = optarg;
        else
            refresh = true;
    }
    if (opt != -1)
        return cli_opt_status(opt);
    if (optind < argc)
        return cli_usage(cli, "unexpected operand %s", argv[optind]);
    if (provider && !input_utf8(cli, str_c(provider), "--provider"))
        return EXIT_USAGE;
    return ask(cli, provider, refresh);
}

const struct command cmd_models = {.name = "models",
                                   .summary = "list the models on offer",
                                   .usage = "[OPTIONS]",
                                   .help = help,
                                   .common = COMMON_ASK,
                                   .run = run};
