/* SPDX-License-Identifier: MIT */
/* patchbay help: help by another name. */
#include "config.h"

#include "cli/commands.h"

static const char help[] = "Show the help of the program, or of a command.\n\n";

static int run(struct cli *cli, int argc, char **argv)
{
    int opt = cli_no_options(cli, argc, argv);
    const struct command *cmd = NULL;

    if (opt)
        return cli_opt_status(opt);
    if (argc - optind > 1)
        return cli_usage(cli, "one command is enough");
    if (optind < argc) {
        cmd = cli_find_command(argv[optind]);
        if (!cmd)
            return cli_no_command(cli, argv[optind]);
    }
    cli_help(cli, cmd);
    return EXIT_OK;
}

const struct command cmd_help = {.name = "help",
                                 .summary = "show help",
                                 .usage = "[COMMAND]",
                                 .help = help,
                                 .run = run};
