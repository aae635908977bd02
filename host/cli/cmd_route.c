/* SPDX-License-Identifier: MIT */
/* patchbay route: why a request goes where it goes. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/price.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/input.h"

static const char help[] =
    "Tell which targets a request for MODEL would have, in their order, and "
    "why;\nand which of its route's are left out. MODEL is a model, an alias "
    "or "
    "a route;\nwithout it the default route is meant. Nothing is asked.\n\n";

static void number(struct out_table *t, long long n)
{
    char text[32];

    snprintf(text, sizeof(text), "%lld", n);
    out_cell(t, text);
}

/* What strategies measure, and how it is called here. */
static const struct {
    const char *name, *head;
} scores[] = {
    {"cost_nano", "USD"}, {"pace_ms", "pace ms"}, {"used_ppm", "used"}};

static void score(struct out_table *t, struct json_object *p, const char *name)
{
    int64_t v = js_int(p, name, -1);
    char text[32];

    if (v < 0)
        snprintf(text, sizeof(text), "?");
    else if (strcmp(name, "cost_nano") == 0)
        cost_text(v, text);
    else if (strcmp(name, "used_ppm") == 0)
        snprintf(text, sizeof(text), "%lld%%", (long long)v / 10000);
    else
        snprintf(text, sizeof(text), "%lld", (long long)v);
    out_cell(t, text);
}

static void print_targets(struct out *o, struct json_object *all,
                          const char *measured)
{
    static const char *const heads[] = {"", "target", "state", "for ms",
                                        "active"};
    size_t n = all ? json_object_array_length(all) : 0;
    struct out_table t;
    char name[700];

    out_table_init(&t, measured ? 6 : 5);
    for (size_t i = 0; i < 5; i++)
        out_cell(&t, heads[i]);
    for (size_t i = 0; measured && i < 3; i++)
        if (strcmp(measured, scores[i].name) == 0)
            out_cell(&t, scores[i].head);
    for (size_t i = 0; i < n; i++) {
        struct json_object *p = json_object_array_get_idx(all, i);
        number(&t, (long long)js_int(p, "place", 0));
        snprintf(name, sizeof(name), "%s/%s", js_cstr(p, "provider", "?"),
                 js_cstr(p, "model", ""));
        out_cell(&t, name);
        out_cell(&t, js_cstr(p, "state", "?"));
        number(&t, (long long)js_int(p, "for_ms", 0));
        number(&t, (long long)js_int(p, "active", 0));
        if (measured)
            score(&t, p, measured);
    }
    out_table_print(o, &t);
}

static void print_left_out(struct out *o, struct json_object *all)
{
    size_t n = all ? json_object_array_length(all) : 0;

    for (size_t i = 0; i < n; i++) {
        struct json_object *p = json_object_array_get_idx(all, i);
        out_c(o, "left out: ");
        out_textc(o, js_cstr(p, "target", "?"));
        out_c(o, ": ");
        out_textc(o, js_cstr(p, "why", "?"));
        out_c(o, "\n");
    }
}

static int explain(struct cli *cli, const char *model)
{
    struct json_object *args = json_object_new_object(), *r;
    int status;

    if (!args || js_add_str(args, "model", str_c(model)))
        status = cli_error(cli, EXIT_FAILED, "out of memory");
    else
        status = cli_open(cli);
    if (!status)
        status = cli_ask(cli, "route.explain", js_text(args), &r);
    if (!status && cli->json) {
        cli_print_json(cli, r);
    } else if (!status) {
        out_textc(&cli->out, js_cstr(r, "reason", ""));
        if (js_cstr(r, "route", NULL)) {
            out_c(&cli->out, ": ");
            out_textc(&cli->out, js_cstr(r, "route", ""));
        }
        out_c(&cli->out, "\n");
        print_targets(&cli->out, js_typed(r, "targets", json_type_array),
                      js_cstr(r, "measured", NULL));
        print_left_out(&cli->out, js_typed(r, "left_out", json_type_array));
    }
    json_object_put(args);
    return status;
}

static int run(struct cli *cli, int argc, char **argv)
{
    int opt = cli_no_options(cli, argc, argv), n = argc - optind;
    char **operands = argv + optind;

    if (opt)
        return cli_opt_status(opt);
    if (n < 1 || strcmp(operands[0], "explain") != 0)
        return cli_usage(cli, "explain [MODEL] is wanted");
    if (n > 2)
        return cli_usage(cli, "explain takes one model at most");
    if (n == 2 && !input_utf8(cli, str_c(operands[1]), "the model's name"))
        return EXIT_USAGE;
    return explain(cli, n == 2 ? operands[1] : "");
}

const struct command cmd_route = {
    .name = "route",
    .summary = "tell who would answer a request, and why",
    .usage = "explain [OPTIONS] [MODEL]",
    .help = help,
    .common = COMMON_ASK,
    .run = run};
