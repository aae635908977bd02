/* SPDX-License-Identifier: MIT */
/* patchbay log: the running host's log level. */
#include "config.h"

#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/commands.h"

static const char help[] =
    "Show the running host's log level, or set it: error, warn, info, debug. A "
    "reload\nof the configuration sets it anew.\n\n";

static int run(struct cli *cli, int argc, char **argv)
{
    int opt = cli_no_options(cli, argc, argv), status = EXIT_OK;
    struct json_object *args, *result;
    enum log_level level;

    if (opt)
        return cli_opt_status(opt);
    if (argc - optind > 1)
        return cli_usage(cli, "one level is enough");
    if (optind < argc && log_level_parse(str_c(argv[optind]), &level))
        return cli_usage(cli,
                         "no level \"%s\"; error, warn, info or debug is "
                         "wanted",
                         argv[optind]);
    args = json_object_new_object();
    if (!args ||
        (optind < argc && js_add_str(args, "level", str_c(argv[optind]))))
        status = cli_error(cli, EXIT_FAILED, "out of memory");
    if (!status)
        status = cli_open_running(cli);
    if (!status)
        status = cli_ask(cli, "log", js_text(args), &result);
    if (!status && cli->json) {
        cli_print_json(cli, result);
    } else if (!status) {
        out_text(&cli->out, js_str(result, "level", STR("?")));
        out_c(&cli->out, "\n");
    }
    json_object_put(args);
    return status;
}

const struct command cmd_log = {.name = "log",
                                .summary =
                                    "show or set the running host's log level",
                                .usage = "[OPTIONS] [LEVEL]",
                                .help = help,
                                .common = COMMON_RUNNING,
                                .run = run};
