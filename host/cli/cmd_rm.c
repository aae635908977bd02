/* SPDX-License-Identifier: MIT */
/* patchbay rm: make a provider forget models. */
#include "config.h"

#include "base/str.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/op.h"

static const char help[] =
    "Delete models that a provider keeps itself. MODEL is provider/model, or a "
    "name\nthat only one provider has. What has been deleted is printed, a "
    "line each; one\nthat cannot be deleted does not keep the others.\n\n";

static int delete_one(struct cli *cli, const char *model,
                      struct json_object *deleted)
{
    struct op_ask o = {.op = "delete"};
    int status;

    o.body = op_model_body(cli, model);
    if (!o.body)
        return EXIT_FAILED;
    status = op_run(cli, &o);
    if (!status) {
        json_object_array_add(deleted, json_object_new_string(model));
        if (!cli->json) {
            out_textc(&cli->out, model);
            out_c(&cli->out, "\n");
        }
    }
    json_object_put(o.body);
    op_done(&o);
    return status;
}

static int run(struct cli *cli, int argc, char **argv)
{
    struct json_object *deleted, *o;
    int opt = cli_no_options(cli, argc, argv), status, worst = EXIT_OK;

    if (opt)
        return cli_opt_status(opt);
    if (optind == argc)
        return cli_usage(cli, "the name of a model is wanted");
    for (int i = optind; i < argc; i++)
        if (!input_utf8(cli, str_c(argv[i]), "a model's name"))
            return EXIT_USAGE;
    status = cli_open(cli);
    if (status)
        return status;
    deleted = json_object_new_array();
    o = json_object_new_object();
    for (int i = optind; deleted && o && i < argc; i++) {
        status = delete_one(cli, argv[i], deleted);
        worst = status ? status : worst;
        if (status && client_broken(cli->host.client))
            break;
    }
    if (!deleted || !o || js_add(o, "deleted", json_object_get(deleted)))
        worst = cli_error(cli, EXIT_FAILED, "out of memory");
    else if (cli->json)
        cli_print_json(cli, o);
    json_object_put(deleted);
    json_object_put(o);
    return worst;
}

const struct command cmd_rm = {.name = "rm",
                               .summary = "make a provider delete models",
                               .usage = "[OPTIONS] MODEL...",
                               .help = help,
                               .common = COMMON_ASK,
                               .run = run};
