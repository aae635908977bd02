/* SPDX-License-Identifier: MIT */
/* patchbay serve: be the host. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "admin/host.h"
#include "base/descriptors.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/commands.h"

static const char help[] =
    "Serve until SIGTERM or SIGINT; requests that are under way may finish, a "
    "second\nsignal ends at once. SIGHUP reads configuration and modules "
    "again.\n\n"
    "  -l, --listen ADDR ADDRESS:PORT or unix:/PATH instead of what the "
    "configuration\n                    says; may be repeated\n"
    "      --log-level L error, warn, info or debug; instead of what the\n"
    "                    configuration says\n";

enum {
    LISTEN_MAX = 64
};

struct serve {
    const char *listen[LISTEN_MAX + 1];
    size_t n_listen;
    enum log_level level; /* 0: as configured */
};

static int take_option(struct cli *cli, struct serve *s, int opt)
{
    if (opt == 'l') {
        if (s->n_listen == LISTEN_MAX)
            return cli_usage(cli, "more than %d listeners", LISTEN_MAX);
        s->listen[s->n_listen++] = optarg;
        return 0;
    }
    if (log_level_parse(str_c(optarg), &s->level))
        return cli_usage(cli,
                         "--log-level %s: error, warn, info or debug is "
                         "wanted",
                         optarg);
    return 0;
}

static int serve(struct cli *cli, const struct serve *s)
{
    struct host_options o = {.cfg = {.file = cli->reach.config,
                                     .listen = s->n_listen ? s->listen : NULL},
                             .serve = true,
                             .control_fd = -1,
                             .self = cli->self,
                             .log_level = (int)s->level};
    char *err = NULL;
    struct host *h;
    int status;

    if (s->level)
        log_set_level(s->level);
    descriptors_take_all();
    errno = 0;
    h = host_new(&o, &err);
    if (!h) {
        status = errno == EINVAL ? EXIT_CONFIG : EXIT_FAILED;
        if (err)
            cli_error(cli, status, "%s", err);
        free(err);
        return status;
    }
    status = host_run(h);
    host_free(h);
    return status ? EXIT_FAILED : EXIT_OK;
}

static int run(struct cli *cli, int argc, char **argv)
{
    static const struct option longs[] = {
        {"listen", required_argument, NULL, 'l'},
        {"log-level", required_argument, NULL, 'L'},
        {0}};
    struct serve s = {.n_listen = 0};
    int opt;

    while ((opt = cli_getopt(cli, argc, argv, "l:", longs)) >= 0)
        if (take_option(cli, &s, opt))
            return EXIT_USAGE;
    if (opt != -1)
        return cli_opt_status(opt);
    if (optind < argc)
        return cli_usage(cli, "unexpected operand %s", argv[optind]);
    if (cli->reach.control || cli->reach.where != REACH_ANY)
        return cli_usage(cli,
                         "--control, --host and --no-host are for commands "
                         "that ask a host; the configuration's "
                         "control_socket says where this one listens");
    return serve(cli, &s);
}

const struct command cmd_serve = {.name = "serve",
                                  .summary = "be the host: serve clients",
                                  .usage = "[OPTIONS]",
                                  .help = help,
                                  .common = COMMON_CONFIG,
                                  .run = run};
