/* SPDX-License-Identifier: MIT */
/* patchbay reload: the running host reads its configuration again. */
#include "config.h"

#include "base/str.h"
#include "cli/commands.h"

static const char help[] =
    "Make the running host read configuration and modules again. Requests that "
    "are\nunder way end with what they began with. If there is an error "
    "nothing changes.\n\n";

static int run(struct cli *cli, int argc, char **argv)
{
    int opt = cli_no_options(cli, argc, argv), status;
    struct json_object *result, *warnings;
    struct client_error e;

    if (opt)
        return cli_opt_status(opt);
    if (optind < argc)
        return cli_usage(cli, "unexpected operand %s", argv[optind]);
    status = cli_open_running(cli);
    if (status)
        return status;
    if (client_ask(cli->host.client, "reload", STR("{}"), &result, &e)) {
        if (*e.kind) /* the host's own refusal */
            e.status = EXIT_CONFIG;
        return cli_fail(cli, &e);
    }
    if (cli->json) {
        cli_print_json(cli, result);
        return EXIT_OK;
    }
    warnings = js_typed(result, "warnings", json_type_array);
    for (size_t i = 0; warnings && i < json_object_array_length(warnings); i++)
        cli_warn(
            cli, "%s",
            json_object_get_string(json_object_array_get_idx(warnings, i)));
    return EXIT_OK;
}

const struct command cmd_reload = {
    .name = "reload",
    .summary = "make the running host read its configuration again",
    .usage = "[OPTIONS]",
    .help = help,
    .common = COMMON_RUNNING,
    .run = run};
