/* SPDX-License-Identifier: MIT */
/* patchbay show: what a provider says of one of its models. */
#include "config.h"

#include "base/str.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/op.h"
#include "cli/print.h"

static const char help[] = "Ask the provider about one model and print what it "
                           "says, a line each. Prices\n"
                           "are in 1e-9 of their currency for a token. With "
                           "--json the provider's own\n"
                           "description is there, too, as \"raw\".\n"
                           "\n";

static int print(struct cli *cli, struct op_ask *o)
{
    static const char *const but[] = {"raw", NULL};
    struct json_object *item = json_object_array_get_idx(o->items, 0);

    if (!item)
        return cli_error(cli, EXIT_PROVIDER, "the provider said nothing");
    if (cli->json) {
        cli_print_json(cli, item);
        return EXIT_OK;
    }
    out_f(&cli->out, "%-20s", "provider");
    out_textc(&cli->out, js_cstr(o->report, "provider", "?"));
    out_c(&cli->out, "\n");
    print_members(&cli->out, item, but);
    return EXIT_OK;
}

static int run(struct cli *cli, int argc, char **argv)
{
    struct op_ask o = {.op = "show"};
    int opt = cli_no_options(cli, argc, argv), status;

    if (opt)
        return cli_opt_status(opt);
    if (argc - optind != 1)
        return cli_usage(cli, "the name of one model is wanted");
    if (!input_utf8(cli, str_c(argv[optind]), "the model's name"))
        return EXIT_USAGE;
    status = cli_open(cli);
    if (status)
        return status;
    o.body = op_model_body(cli, argv[optind]);
    if (!o.body)
        return EXIT_FAILED;
    status = op_run(cli, &o);
    if (!status)
        status = print(cli, &o);
    json_object_put(o.body);
    op_done(&o);
    return status;
}

const struct command cmd_show = {.name = "show",
                                 .summary = "describe one model",
                                 .usage = "[OPTIONS] MODEL",
                                 .help = help,
                                 .common = COMMON_ASK,
                                 .run = run};
