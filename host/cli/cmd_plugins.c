/* SPDX-License-Identifier: MIT */
/* patchbay plugins: the provider modules, and what is wrong with them. */
#include "config.h"

#include <stdio.h>

#include "base/str.h"
#include "cli/commands.h"
#include "cli/manifests.h"

static const char help[] =
    "List the provider modules that were found: id, version, ABI, kind, state, "
    "file.\nA module that is refused is followed by the reason. If the "
    "configuration can't\nbe used, the files are listed all the same, and the "
    "exit status is 3.\n\n";

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

static struct json_object *describe(const struct module *m)
{
    struct json_object *o = json_object_new_object();
    char abi[32];
    int rc = !o || js_add_str(o, "id", str_c(m->id)) ||
             js_add_str(o, "path", str_c(m->path)) ||
             js_add_str(o, "state",
                        m->state == MODULE_REFUSED ? STR("refused")
                                                   : STR("found")) ||
             (m->reason && js_add_str(o, "reason", str_c(m->reason)));

    if (!rc && m->manifest) {
        snprintf(abi, sizeof(abi), "%u.%u", m->manifest->abi_major,
                 m->manifest->abi_minor);
        rc = js_add_str(o, "version", str_c(m->manifest->version)) ||
             js_add_str(o, "abi", str_c(abi)) ||
             js_add_str(o, "kind",
                        m->manifest->native ? STR("native") : STR("codec"));
    }
    if (!rc)
        return o;
    json_object_put(o);
    return NULL;
}

/* Without a host, since the configuration lets none start: often because of
 * the very module that is looked for. */
static int list_files(struct cli *cli)
{
    struct cfg_load_options load = {.file = cli->reach.config};
    struct manifests m;
    int status = manifests_open(cli, &m, &load);
    struct json_object *all;

    if (status)
        return status;
    all = json_object_new_array();
    for (size_t i = 0; all && i < m.modules.n; i++) {
        struct json_object *o = describe(m.modules.modules[i]);
        if (!o || json_object_array_add(all, o)) {
            json_object_put(o);
            status = cli_error(cli, EXIT_FAILED, "out of memory");
            break;
        }
    }
    if (!status)
        print(cli, all);
    json_object_put(all);
    manifests_close(&m);
    return status ? status : EXIT_CONFIG;
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
    if (status == EXIT_CONFIG && !cli->json)
        return list_files(cli);
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
