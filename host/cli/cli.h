/* SPDX-License-Identifier: MIT */
/* The command line: one struct for the run of one command, the table of
 * commands, and what they share.  Data goes to standard output, everything else
 * to standard error; a command's function returns the exit status.  Main
 * thread. */
#ifndef PB_CLI_H
#define PB_CLI_H

#include <getopt.h>
#include <stdbool.h>

#include "base/json.h"
#include "cli/exit.h"
#include "cli/out.h"
#include "cli/reach.h"

struct cli;

struct command {
    const char *name;
    const char *summary; /* a line in `patchbay help` */
    const char *usage;   /* what follows the name, a line per form */
    const char *help;    /* the text of --help behind that */
    unsigned common;     /* COMMON_* options it takes besides --help */
    int (*run)(struct cli *cli, int argc, char **argv);
};
enum {
    COMMON_CONFIG = 1,  /* --config */
    COMMON_CONTROL = 2, /* --control */
    COMMON_HOST = 4,    /* --host */
    COMMON_OWN = 8,     /* --no-host */
    COMMON_JSON = 16,   /* --json */
    COMMON_ASK = 31,    /* what asks a host, whichever */
    COMMON_RUNNING = 23 /* what speaks to a running one */
};

struct cli {
    const struct command *command; /* NULL: none chosen yet */
    struct out out, err;
    struct reach_options reach;
    struct reach host; /* once cli_open() has succeeded */
    bool json;
    char self[4096]; /* our program file */
};

/* The program. */
int cli_main(int argc, char **argv);

/* --- commands (commands.c) --- */
/* Ends with NULL. */
const struct command *const *cli_commands(void);
/* Usage error: there is no such command; EXIT_USAGE. */
int cli_no_command(struct cli *cli, const char *name);
const struct command *cli_find_command(const char *name);
/* Help on standard output; cmd NULL: on the whole program. */
void cli_help(struct cli *cli, const struct command *cmd);
/* The nearest of the names to `word`; NULL if none is near. */
const char *cli_nearest(const char *word, const char *const *names);

/* --- options (options.c) --- */
enum {
    OPT_DONE = -2,
    OPT_BAD = -3
};
/* getopt_long() with the command's common options taken care of.  The option's
 * value; -1: no more (optind is the first operand); OPT_DONE: --help was
 * answered, the command returns EXIT_OK; OPT_BAD: told, it returns EXIT_USAGE.
 */
int cli_getopt(struct cli *cli, int argc, char **argv, const char *shorts,
               const struct option *longs);
/* For a command without options of its own: 0, or OPT_DONE, OPT_BAD. */
int cli_no_options(struct cli *cli, int argc, char **argv);
/* The status for OPT_DONE and OPT_BAD. */
int cli_opt_status(int rc);

/* --- messages: they return `status` --- */
int cli_error(struct cli *cli, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* With a pointer to --help; EXIT_USAGE. */
int cli_usage(struct cli *cli, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Does not change the exit status. */
void cli_warn(struct cli *cli, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Show *e unless it is a signal's; e->status. */
int cli_fail(struct cli *cli, const struct client_error *e);

/* --- talking to the host --- */
/* Reach a host; 0, or the exit status (it has been told). */
int cli_open(struct cli *cli);
/* The same, but it has to be a running one. */
int cli_open_running(struct cli *cli);
/* A request without events on the open connection.  0, or the exit status. */
int cli_ask(struct cli *cli, const char *verb, pbay_str args,
            struct json_object **result);
/* A tree for people and programs: indented, with a line feed. */
void cli_print_json(struct cli *cli, struct json_object *o);

#endif
