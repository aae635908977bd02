/* SPDX-License-Identifier: MIT */
/* patchbay credits: what an account or a key has left. */
#include "config.h"

#include "base/str.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/op.h"
#include "cli/print.h"

static const char help[] =
    "Ask the providers that tell it what has been paid, used and is left, of "
    "the\naccount where the key may see that, else of the key.\n\n"
    "  -p, --provider NAME\n                    this provider only\n"
    "      --key         of the key in any case, with its limits\n";

static void print_one(struct out *o, struct json_object *item)
{
    static const char *const none[] = {NULL};

    print_members(o, item, none);
}

static int ask_one(struct cli *cli, const char *name, bool key,
                   struct json_object *all)
{
    struct op_ask o = {.op = "credits", .provider = name};
    struct json_object *item = NULL;
    int status;

    o.body = json_object_new_object();
    if (!o.body || (key && js_add_str(o.body, "of", STR("key"))))
        status = cli_error(cli, EXIT_FAILED, "out of memory");
    else
        status = op_run(cli, &o);
    if (!status)
        item = json_object_array_get_idx(o.items, 0);
    if (!status && !item)
        status = cli_error(cli, EXIT_PROVIDER, "%s said nothing", name);
    if (item && (js_add_str(item, "provider", str_c(name)) ||
                 json_object_array_add(all, json_object_get(item))))
        status = cli_error(cli, EXIT_FAILED, "out of memory");
    json_object_put(o.body);
    op_done(&o);
    return status;
}

static int print(struct cli *cli, struct json_object *all)
{
    struct json_object *o;

    for (size_t i = 0; !cli->json && i < json_object_array_length(all); i++) {
        out_c(&cli->out, i ? "\n" : "");
        print_one(&cli->out, json_object_array_get_idx(all, i));
    }
    if (!cli->json)
        return EXIT_OK;
    o = json_object_new_object();
    if (!o || js_add(o, "credits", json_object_get(all)))
        return cli_error(cli, EXIT_FAILED, "out of memory");
    cli_print_json(cli, o);
    json_object_put(o);
    return EXIT_OK;
}

static int credits(struct cli *cli, const char *provider, bool key)
{
    struct json_object *names = NULL, *all = json_object_new_array();
    int status = cli_open(cli), worst = EXIT_OK;

    if (!status)
        status = op_providers(cli, "credits", provider, &names);
    for (size_t i = 0; !status && i < json_object_array_length(names); i++) {
        int rc = ask_one(
            cli, json_object_get_string(json_object_array_get_idx(names, i)),
            key, all);
        worst = rc ? rc : worst;
        if (rc && client_broken(cli->host.client))
            break;
    }
    if (!status)
        status = print(cli, all);
    json_object_put(names);
    json_object_put(all);
    return status ? status : worst;
}

static int run(struct cli *cli, int argc, char **argv)
{
    static const struct option longs[] = {
        {"provider", required_argument, NULL, 'p'},
        {"key", no_argument, NULL, 'k'},
        {0}};
    const char *provider = NULL;
    bool key = false;
    int opt;

    while ((opt = cli_getopt(cli, argc, argv, "p:", longs)) >= 0) {
        if (opt == 'p')
            provider = optarg;
        else
            key = true;
    }
    if (opt != -1)
        return cli_opt_status(opt);
    if (optind < argc)
        return cli_usage(cli, "unexpected operand %s", argv[optind]);
    if (provider && !input_utf8(cli, str_c(provider), "--provider"))
        return EXIT_USAGE;
    return credits(cli, provider, key);
}

const struct command cmd_credits = {.name = "credits",
                                    .summary = "show what an account has left",
                                    .usage = "[OPTIONS]",
                                    .help = help,
                                    .common = COMMON_ASK,
                                    .run = run};
