/* SPDX-License-Identifier: MIT */
/* patchbay moderate: does a text break the rules, and which? */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/op.h"

static const char help[] =
    "Have a text judged: \"flagged\" or \"passed\", then a line for each "
    "category that\napplies, with its score. The text is the operands, joined "
    "by spaces, or standard\ninput. Where the provider has no moderation, a "
    "chat with the model judges, and a\nwarning says so.\n\n"
    "  -m, --model NAME  provider/model, or a model's name\n";

static void print_categories(struct out *o, struct json_object *item)
{
    struct json_object *all = js_typed(item, "categories", json_type_object);
    struct json_object *scores =
        js_typed(item, "category_scores", json_type_object);

    if (!all)
        return;
    json_object_object_foreach (all, name, value) {
        struct json_object *score = js_get(scores, name);
        if (!json_object_get_boolean(value))
            continue;
        out_c(o, "  ");
        out_textc(o, name);
        if (score)
            out_f(o, " %.3f", json_object_get_double(score));
        out_c(o, "\n");
    }
}

static int print(struct cli *cli, struct op_ask *ask)
{
    size_t n = json_object_array_length(ask->items);
    struct json_object *o;

    if (!n)
        return cli_error(cli, EXIT_PROVIDER, "the provider judged nothing");
    if (cli->json) {
        o = json_object_new_object();
        if (!o || js_add(o, "results", json_object_get(ask->items)) ||
            js_add(o, "report", json_object_get(ask->report))) {
            json_object_put(o);
            return cli_error(cli, EXIT_FAILED, "out of memory");
        }
        cli_print_json(cli, o);
        json_object_put(o);
        return EXIT_OK;
    }
    for (size_t i = 0; i < n; i++) {
        struct json_object *item = json_object_array_get_idx(ask->items, i);
        out_c(&cli->out,
              js_bool(item, "flagged", false) ? "flagged\n" : "passed\n");
        print_categories(&cli->out, item);
    }
    return EXIT_OK;
}

static int moderate(struct cli *cli, const char *model, const char *text)
{
    struct op_ask o = {.op = "moderate"};
    int status = cli_open(cli);

    if (status)
        return status;
    o.body = json_object_new_object();
    if (!o.body || (model && js_add_str(o.body, "model", str_c(model))) ||
        js_add_str(o.body, "input", str_c(text)))
        status = cli_error(cli, EXIT_FAILED, "out of memory");
    else
        status = op_run(cli, &o);
    if (!status)
        status = print(cli, &o);
    json_object_put(o.body);
    op_done(&o);
    return status;
}

static int run(struct cli *cli, int argc, char **argv)
{
    static const struct option longs[] = {
        {"model", required_argument, NULL, 'm'}, {0}};
    const char *model = NULL;
    int opt, status = EXIT_OK;
    char *text;

    while ((opt = cli_getopt(cli, argc, argv, "m:", longs)) >= 0)
        model = optarg;
    if (opt != -1)
        return cli_opt_status(opt);
    if (model && !input_utf8(cli, str_c(model), "--model"))
        return EXIT_USAGE;
    text = op_text(cli, argc - optind, argv + optind, &status);
    if (text)
        status = moderate(cli, model, text);
    free(text);
    return status;
}

const struct command cmd_moderate = {.name = "moderate",
                                     .summary = "have a text judged",
                                     .usage = "[OPTIONS] [TEXT...]",
                                     .help = help,
                                     .common = COMMON_ASK,
                                     .run = run};
