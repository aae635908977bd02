/* SPDX-License-Identifier: MIT */
/* patchbay generation: what a provider remembers of one answer. */
#include "config.h"

#include <string.h>

#include "base/str.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/op.h"
#include "cli/print.h"

static const char help[] = "Ask a provider that keeps statistics (OpenRouter, "
                           "say) about one answer it has\n"
                           "given: the model, the tokens billed, the cost in "
                           "1e-9 of its currency, the\n"
                           "times. ID is the id that the answer had. Right "
                           "after an answer its statistics\n"
                           "may not be there yet.\n"
                           "\n"
                           "  -p, --provider NAME\n"
                           "                    the provider that answered, if "
                           "several keep statistics\n";

static int print(struct cli *cli, struct op_ask *o)
{
    static const char *const but[] = {"raw", NULL};
    struct json_object *item = json_object_array_get_idx(o->items, 0);

    if (!item)
        return cli_error(cli, EXIT_PROVIDER, "the provider said nothing");
    if (cli->json)
        cli_print_json(cli, item);
    else
        print_members(&cli->out, item, but);
    return EXIT_OK;
}

static int generation(struct cli *cli, const char *provider, const char *id)
{
    struct op_ask o = {.op = "generation"};
    struct json_object *names = NULL;
    int status = cli_open(cli);

    if (!status)
        status = op_providers(cli, "generation", provider, &names);
    if (!status && json_object_array_length(names) > 1)
        status = cli_usage(cli, "several providers keep statistics: say which "
                                "with --provider");
    if (!status) {
        o.provider =
            json_object_get_string(json_object_array_get_idx(names, 0));
        o.body = json_object_new_object();
        if (!o.body || js_add_str(o.body, "id", str_c(id)))
            status = cli_error(cli, EXIT_FAILED, "out of memory");
    }
    if (!status)
        status = op_run(cli, &o);
    if (!status)
        status = print(cli, &o);
    json_object_put(o.body);
    json_object_put(names);
    op_done(&o);
    return status;
}

static int run(struct cli *cli, int argc, char **argv)
{
    static const struct option longs[] = {
        {"provider", required_argument, NULL, 'p'}, {0}};
    const char *provider = NULL;
    int opt;

    while ((opt = cli_getopt(cli, argc, argv, "p:", longs)) >= 0)
        provider = optarg;
    if (opt != -1)
        return cli_opt_status(opt);
    if (argc - optind != 1)
        return cli_usage(cli, "the id of one answer is wanted");
    if ((provider && !input_utf8(cli, str_c(provider), "--provider")) ||
        !input_utf8(cli, str_c(argv[optind]), "the id"))
        return EXIT_USAGE;
    return generation(cli, provider, argv[optind]);
}

const struct command cmd_generation = {.name = "generation",
                                       .summary =
                                           "show what an answer has cost",
                                       .usage = "[OPTIONS] ID",
                                       .help = help,
                                       .common = COMMON_ASK,
                                       .run = run};
