/* SPDX-License-Identifier: MIT */
/* patchbay stop: the running host ends. */
#include "config.h"

#include "base/str.h"
#include "cli/commands.h"

static const char help[] =
    "Make the running host end: it takes no more requests and lets those under "
    "way\nfinish. Returns when it has been told.\n\n"
    "      --now         cut off what is under way\n";

static int run(struct cli *cli, int argc, char **argv)
{
    static const struct option longs[] = {{"now", no_argument, NULL, 'n'}, {0}};
    struct json_object *result;
    bool now = false;
    int opt, status;

    while ((opt = cli_getopt(cli, argc, argv, "", longs)) >= 0)
        now = true;
    if (opt != -1)
        return cli_opt_status(opt);
    if (optind < argc)
        return cli_usage(cli, "unexpected operand %s", argv[optind]);
    status = cli_open_running(cli);
    if (!status)
        status = cli_ask(cli, "stop", now ? STR("{\"now\":true}") : STR("{}"),
                         &result);
    if (!status && cli->json)
        cli_print_json(cli, result);
    return status;
}

const struct command cmd_stop = {.name = "stop",
                                 .summary = "make the running host end",
                                 .usage = "[OPTIONS]",
                                 .help = help,
                                 .common = COMMON_RUNNING,
                                 .run = run};
