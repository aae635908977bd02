/* SPDX-License-Identifier: MIT */
/* The program: from argv to a command, and what the commands share. */
#include "config.h"

#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/commands.h"
#include "cli/own.h"
#include "cli/signals.h"

/* --- messages --- */

static void message(struct cli *cli, const char *what, const char *fmt,
                    va_list ap)
{
    char *text = NULL;

    /* An answer that was being shown keeps its line. */
    if (cli->out.tty && cli->err.tty)
        out_fresh_line(&cli->out);
    out_flush(&cli->out);
    if (vasprintf(&text, fmt, ap) < 0)
        text = NULL;
    out_fresh_line(&cli->err);
    out_f(&cli->err, "patchbay%s%s: %s", cli->command ? " " : "",
          cli->command ? cli->command->name : "", what);
    out_textc(&cli->err, text ? text : "out of memory");
    out_c(&cli->err, "\n");
    out_flush(&cli->err);
    free(text);
}

int cli_error(struct cli *cli, int status, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    message(cli, "", fmt, ap);
    va_end(ap);
    return status;
}

void cli_warn(struct cli *cli, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    message(cli, "warning: ", fmt, ap);
    va_end(ap);
}

int cli_usage(struct cli *cli, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    message(cli, "", fmt, ap);
    va_end(ap);
    out_f(&cli->err, "Try `patchbay %s%s--help`.\n",
          cli->command ? cli->command->name : "", cli->command ? " " : "");
    out_flush(&cli->err);
    return EXIT_USAGE;
}

int cli_fail(struct cli *cli, const struct client_error *e)
{
    const char *mend = exit_mend(e->kind);

    if (*e->text)
        cli_error(cli, e->status, "%s", e->text);
    if (*e->text && mend) {
        out_f(&cli->err, "    %s\n", mend);
        out_flush(&cli->err);
    }
    return e->status;
}

/* --- the host --- */

int cli_open(struct cli *cli)
{
    struct client_error e;

    if (cli->reach.where == REACH_OWN && cli->reach.control)
        return cli_usage(cli, "--control and --no-host exclude each other");
    return reach_open(&cli->host, &cli->reach, &e) ? cli_fail(cli, &e) : 0;
}

int cli_open_running(struct cli *cli)
{
    if (cli->reach.where == REACH_OWN)
        return cli_usage(cli, "--no-host makes no sense here: this speaks to a "
                              "running host");
    cli->reach.where = REACH_RUNNING;
    return cli_open(cli);
}

int cli_ask(struct cli *cli, const char *verb, pbay_str args,
            struct json_object **result)
{
    struct client_error e;

    if (client_ask(cli->host.client, verb, args, result, &e))
        return cli_fail(cli, &e);
    return 0;
}

void cli_print_json(struct cli *cli, struct json_object *o)
{
    out_textc(&cli->out,
              json_object_to_json_string_ext(
                  o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                         JSON_C_TO_STRING_NOSLASHESCAPE));
    out_c(&cli->out, "\n");
}

/* --- the run --- */

/* Descriptors 0 to 2 must be there, or the next file opened becomes one. */
static void hold_standard_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
            open("/dev/null", fd ? O_WRONLY : O_RDONLY) != fd)
            abort();
    }
}

static void find_self(struct cli *cli, const char *argv0)
{
    ssize_t n = readlink("/proc/self/exe", cli->self, sizeof(cli->self) - 1);

    if (n > 0)
        cli->self[n] = '\0';
    else
        snprintf(cli->self, sizeof(cli->self), "%s", argv0);
    cli->reach.self = cli->self;
}

int cli_no_command(struct cli *cli, const char *name)
{
    const char *names[64];
    const char *near;
    size_t n = 0;

    for (const struct command *const *c = cli_commands(); *c && n < 63; c++)
        names[n++] = (*c)->name;
    names[n] = NULL;
    near = cli_nearest(name, names);
    if (near)
        return cli_usage(cli, "no command \"%s\"; did you mean \"%s\"?", name,
                         near);
    return cli_usage(cli, "no command \"%s\"", name);
}

static int run_command(struct cli *cli, int argc, char **argv)
{
    const struct command *cmd = cli_find_command(argv[0]);

    if (!cmd)
        return cli_no_command(cli, argv[0]);
    cli->command = cmd;
    signals_no_pipe();
    if (cmd != &cmd_serve)
        signals_install();
    optind = 0; /* begin anew */
    return cmd->run(cli, argc, argv);
}

static int run(struct cli *cli, int argc, char **argv)
{
    static const struct option longs[] = {{"version", no_argument, NULL, 'V'},
                                          {0}};
    int c;

    c = cli_getopt(cli, argc, argv, "V", longs);
    if (c == 'V') {
        char version[] = "version";
        char *alone[] = {version, NULL};
        return run_command(cli, 1, alone);
    }
    if (c != -1)
        return cli_opt_status(c);
    if (optind == argc)
        return cli_usage(cli, "a command is missing");
    return run_command(cli, argc - optind, argv + optind);
}

/* What could not be written is a failure, however well the rest went. */
static int finish(struct cli *cli, int status)
{
    int error = out_flush(&cli->out);

    if (error == EPIPE)
        status = EXIT_PIPE;
    else if (error)
        status = cli_error(cli, status ? status : EXIT_FAILED,
                           "standard output: %s", strerror(error));
    reach_close(&cli->host);
    out_flush(&cli->err);
    out_done(&cli->out);
    out_done(&cli->err);
    return status;
}

int cli_main(int argc, char **argv)
{
    struct cli *cli;
    int status;

    hold_standard_descriptors();
    setlocale(LC_CTYPE, "");
    cli = calloc(1, sizeof(*cli));
    if (!cli || argc < 1)
        return EXIT_FAILED;
    out_init(&cli->out, STDOUT_FILENO);
    out_init(&cli->err, STDERR_FILENO);
    find_self(cli, argv[0]);
    status = finish(cli, run(cli, argc, argv));
    if (own_left_behind())
        _exit(status); /* a thread of it still uses what exit() tears down */
    free(cli);
    return status;
}
