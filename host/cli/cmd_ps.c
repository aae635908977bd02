/* SPDX-License-Identifier: MIT */
/* patchbay ps: which models are in memory. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/op.h"

static const char help[] =
    "List the models that local providers hold in "
    "memory, a line each: the name to\n"
    "ask for, the memory it takes, the part of it on a "
    "graphics card, the context\n"
    "window, and when it will be let go, or how far it is.\n"
    "\n"
    "  -p, --provider NAME\n"
    "                    this provider only\n";

/* When it is let go; of one that is not ready yet, how far it is. */
static const char *when(struct json_object *m, char *to, size_t room)
{
    const char *state = js_cstr(m, "state", "ready");
    const char *line =
        js_cstr(js_typed(m, "raw", json_type_object), "line", "");

    if (strcmp(state, "ready") == 0)
        return js_cstr(m, "expires", "");
    snprintf(to, room, "%s%s%s", state, *line ? ": " : "", line);
    return to;
}

static void print_row(struct out_table *t, struct json_object *m)
{
    char text[512], size[32];
    int64_t bytes = js_int(m, "size", -1), vram = js_int(m, "vram", -1);
    int64_t window = js_int(m, "context_window", 0);

    snprintf(text, sizeof(text), "%s/%s", js_cstr(m, "provider", "?"),
             js_cstr(m, "model", "?"));
    out_cell(t, text);
    out_cell(t, bytes >= 0 ? op_size(bytes, size) : "-");
    out_cell(t, vram >= 0 ? op_size(vram, size) : "-");
    snprintf(text, sizeof(text), "%lld", (long long)window);
    out_cell(t, window > 0 ? text : "-");
    out_cell(t, when(m, text, sizeof(text)));
}

/* One provider's into the list; what fails is told and does not hide others. */
static int ask_one(struct cli *cli, const char *name, struct json_object *all)
{
    struct op_ask o = {.op = "ps", .provider = name};
    int status = op_run(cli, &o);

    for (size_t i = 0; !status && i < json_object_array_length(o.items); i++) {
        struct json_object *m = json_object_array_get_idx(o.items, i);
        if (js_add_str(m, "provider", str_c(name)) ||
            json_object_array_add(all, json_object_get(m)))
            status = cli_error(cli, EXIT_FAILED, "out of memory");
    }
    op_done(&o);
    return status;
}

static int print(struct cli *cli, struct json_object *all)
{
    struct json_object *o;
    struct out_table t;

    if (cli->json) {
        o = json_object_new_object();
        if (!o || js_add(o, "running", json_object_get(all)))
            return cli_error(cli, EXIT_FAILED, "out of memory");
        cli_print_json(cli, o);
        json_object_put(o);
        return EXIT_OK;
    }
    out_table_init(&t, 5);
    for (size_t i = 0; i < json_object_array_length(all); i++)
        print_row(&t, json_object_array_get_idx(all, i));
    out_table_print(&cli->out, &t);
    return EXIT_OK;
}

static int ps(struct cli *cli, const char *provider)
{
    struct json_object *names = NULL, *all = json_object_new_array();
    int status = cli_open(cli), worst = EXIT_OK;

    if (!status)
        status = op_providers(cli, "ps", provider, &names);
    for (size_t i = 0; !status && i < json_object_array_length(names); i++) {
        int rc = ask_one(
            cli, json_object_get_string(json_object_array_get_idx(names, i)),
            all);
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
        {"provider", required_argument, NULL, 'p'}, {0}};
    const char *provider = NULL;
    int opt;

    while ((opt = cli_getopt(cli, argc, argv, "p:", longs)) >= 0)
        provider = optarg;
    if (opt != -1)
        return cli_opt_status(opt);
    if (optind < argc)
        return cli_usage(cli, "unexpected operand %s", argv[optind]);
    if (provider && !input_utf8(cli, str_c(provider), "--provider"))
        return EXIT_USAGE;
    return ps(cli, provider);
}

const struct command cmd_ps = {.name = "ps",
                               .summary = "list the models that are in memory",
                               .usage = "[OPTIONS]",
                               .help = help,
                               .common = COMMON_ASK,
                               .run = run};
