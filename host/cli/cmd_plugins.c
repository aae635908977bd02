/* SPDX-License-Identifier: MIT */
/* patchbay plugins: the provider modules, and what is wrong with them. */
#include "config.h"

#include "base/str.h"
#include "cli/commands.h"

static const char help[] =
    "List the provider modules that were found: id, version, ABI, kind, state, "
    "file.\nA module that is refused is followed by the reason.\n\n";

/* Somebody else's text in a line of its own. */
static void print_reason(struct out *o, struct json_object *m)
{
    const char *reason = js_cstr(m, "reason", "");

    if (!*reason)
        return;
    out_c(o, "    ");
    out_textc(o, reason);
    out_c(o, "\n");
}

static const char *cell(struct json_object *m, const char *name)
{
    const char *s = js_cstr(m, name, "");

    return *s ? s : "-";
}

static void print(struct cli *cli, struct json_object *modules)
{
    size_t n = modules ? json_object_array_length(modules) : 0;
    static const char *const columns[] = {"id",   "version", "abi",
                                          "kind", "state",   "path"};
    struct out_table t;

    enum {
        COLUMNS = sizeof(columns) / sizeof(*columns)
    };
    out_table_init(&t, COLUMNS);
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < COLUMNS; c++)
            out_cell(&t,
                     cell(json_object_array_get_idx(modules, i), columns[c]));
    if (!t.failed)
        for (size_t i = 0; i < n; i++) {
            out_table_row(&cli->out, &t, i);
            print_reason(&cli->out, json_object_array_get_idx(modules, i));
        }
    out_table_done(&cli->out, &t);
}

static int run(struct cli *cli, int argc, char **argv)
{
    int opt = cli_no_options(cli, argc, argv), status;
    struct json_object *result;

    if (opt)
        return cli_opt_status(opt);
    if (optind < argc)
        return cli_usage(cli, "unexpected operand %s", argv[optind]);
    status = cli_open(cli);
    if (!status)
        status = cli_ask(cli, "plugins", STR("{}"), &result);
    if (status)
        return status;
    if (cli->json)
        cli_print_json(cli, result);
    else
        print(cli, js_typed(result, "modules", json_type_array));
    return EXIT_OK;
}

const struct command cmd_plugins = {
    .name = "plugins",
    .summary = "list the provider modules and what is wrong with them",
    .usage = "[OPTIONS]",
    .help = help,
    .common = COMMON_ASK,
    .run = run};
