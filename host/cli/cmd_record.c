/* SPDX-License-Identifier: MIT */
/* patchbay record: the running host keeps a provider's exchanges. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/input.h"

static const char help[] =
    "Make the running host keep the exchanges of a provider as transcripts in "
    "DIR,\none file each, until it is told to stop. Credentials are not in "
    "them; what was\nasked and answered is. `patchbay replay` runs them "
    "again.\n\n"
    "      --stop        stop recording PROVIDER\n";

/* The host has a working directory of its own. */
static int absolute(const char *dir, char *path, size_t room)
{
    char cwd[4096];

    if (*dir == '/')
        return strlen(dir) < room ? (strcpy(path, dir), 0) : -ENAMETOOLONG;
    if (!getcwd(cwd, sizeof(cwd)))
        return -errno;
    return fs_join(path, room, cwd, dir);
}

static int ask(struct cli *cli, const char *provider, const char *dir)
{
    struct json_object *args = json_object_new_object();
    struct json_object *result;
    int status = EXIT_OK;

    if (!args || js_add_str(args, "provider", str_c(provider)) ||
        (dir ? js_add_str(args, "dir", str_c(dir)) : js_add(args, "dir", NULL)))
        status = cli_error(cli, EXIT_FAILED, "out of memory");
    if (!status)
        status = cli_open_running(cli);
    if (!status)
        status = cli_ask(cli, "record", js_text(args), &result);
    if (!status && cli->json) {
        cli_print_json(cli, result);
    } else if (!status && dir) {
        out_text(&cli->out, js_str(result, "dir", str_c(dir)));
        out_c(&cli->out, "\n");
    }
    json_object_put(args);
    return status;
}

static int run(struct cli *cli, int argc, char **argv)
{
    static const struct option longs[] = {{"stop", no_argument, NULL, 's'},
                                          {0}};
    char path[4096];
    bool stop = false;
    int opt, rc;

    while ((opt = cli_getopt(cli, argc, argv, "", longs)) >= 0)
        stop = true;
    if (opt != -1)
        return cli_opt_status(opt);
    if (argc - optind != (stop ? 1 : 2))
        return cli_usage(cli, stop ? "--stop takes PROVIDER and nothing else"
                                   : "PROVIDER and DIR are wanted");
    if (!input_utf8(cli, str_c(argv[optind]), "PROVIDER"))
        return EXIT_USAGE;
    if (stop)
        return ask(cli, argv[optind], NULL);
    if (!input_utf8(cli, str_c(argv[optind + 1]), "DIR"))
        return EXIT_USAGE;
    rc = absolute(argv[optind + 1], path, sizeof(path));
    if (rc)
        return cli_error(cli, EXIT_FAILED, "%s: %s", argv[optind + 1],
                         strerror(-rc));
    return ask(cli, argv[optind], path);
}

const struct command cmd_record = {
    .name = "record",
    .summary = "make the running host keep a provider's exchanges",
    .usage = "[OPTIONS] PROVIDER DIR\n[OPTIONS] --stop PROVIDER",
    .help = help,
    .common = COMMON_RUNNING,
    .run = run};
