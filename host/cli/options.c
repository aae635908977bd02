/* SPDX-License-Identifier: MIT */
/* Options: getopt_long() with the common ones, and errors that help. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cli/cli.h"

enum {
    OPTIONS_MAX = 32,
    SHORTS_MAX = 64,
    COMMON_HELP = 0x100
};
enum {
    COMMON = 0x4000,
    C_CONFIG = COMMON,
    C_CONTROL,
    C_HOST,
    C_NO_HOST,
    C_JSON
};

static const struct {
    unsigned group;
    struct option option;
} common[] = {
    {COMMON_CONFIG, {"config", required_argument, NULL, C_CONFIG}},
    {COMMON_CONTROL, {"control", required_argument, NULL, C_CONTROL}},
    {COMMON_HOST, {"host", no_argument, NULL, C_HOST}},
    {COMMON_OWN, {"no-host", no_argument, NULL, C_NO_HOST}},
    {COMMON_JSON, {"json", no_argument, NULL, C_JSON}},
    {COMMON_HELP, {"help", no_argument, NULL, 'h'}},
};

/* All options of the command in one table. */
static void merge(const struct cli *cli, const struct option *longs,
                  struct option all[OPTIONS_MAX + 1])
{
    unsigned groups =
        COMMON_HELP | (cli->command ? cli->command->common : COMMON_ASK);
    size_t n = 0;

    for (; longs && longs->name && n < OPTIONS_MAX - 6; longs++)
        all[n++] = *longs;
    for (size_t i = 0; i < sizeof(common) / sizeof(*common); i++)
        if (common[i].group & groups)
            all[n++] = common[i].option;
    all[n] = (struct option){0};
}

static bool is_secret_option(const char *name)
{
    static const char *const words[] = {"--api-key", "--api_key", "--apikey",
                                        "--token",   "--secret",  "--password",
                                        "--key",     NULL};

    for (const char *const *w = words; *w; w++)
        if (!strncmp(name, *w, strlen(*w)))
            return true;
    return false;
}

/* An argument that may carry a value is shown up to its '='. */
static int unknown_option(struct cli *cli, const char *arg,
                          const struct option *all)
{
    const char *names[OPTIONS_MAX + 1];
    int len = (int)strcspn(arg, "=");
    char word[64];
    const char *near;
    size_t n = 0;

    if (is_secret_option(arg))
        return cli_usage(
                   cli, "keys are never given on the command line, where every "
                        "user can read them: put a provider's key into its "
                        "environment variable or into the configuration "
                        "(api_key, api_key_file)"),
               OPT_BAD;
    for (const struct option *o = all; o->name; o++)
        names[n++] = o->name;
    names[n] = NULL;
    snprintf(word, sizeof(word), "%.*s", len > 2 ? len - 2 : 0,
             arg + (len > 2 ? 2 : len));
    near = cli_nearest(word, names);
    if (near)
        cli_usage(cli, "unknown option %.*s; did you mean --%s?", len, arg,
                  near);
    else
        cli_usage(cli, "unknown option %.*s", len, arg);
    return OPT_BAD;
}

/* Two or more options begin with what was written. */
static bool is_ambiguous(const char *arg, const struct option *all)
{
    size_t len = strcspn(arg + 2, "=");
    int n = 0;

    for (const struct option *o = all; o->name; o++)
        n += !strncmp(o->name, arg + 2, len);
    return n > 1;
}

static int bad_option(struct cli *cli, int c, char **argv,
                      const struct option *all)
{
    const char *arg = argv[optind - 1];
    bool is_long = !strncmp(arg, "--", 2);

    if (!is_long) {
        if (c == ':')
            cli_usage(cli, "option -%c needs a value", optopt);
        else
            cli_usage(cli, "unknown option -%c", optopt);
        return OPT_BAD;
    }
    if (c == ':')
        cli_usage(cli, "option %s needs a value", arg);
    else if (optopt)
        cli_usage(cli, "option %.*s takes no value", (int)strcspn(arg, "="),
                  arg);
    else if (is_ambiguous(arg, all))
        cli_usage(cli, "option %.*s could mean several; write it out",
                  (int)strcspn(arg, "="), arg);
    else
        return unknown_option(cli, arg, all);
    return OPT_BAD;
}

static int take_common(struct cli *cli, int c)
{
    switch (c) {
    case 'h':
        cli_help(cli, cli->command);
        return OPT_DONE;
    case C_CONFIG:
        cli->reach.config = optarg;
        return 0;
    case C_CONTROL:
        cli->reach.control = optarg;
        return 0;
    case C_JSON:
        cli->json = true;
        return 0;
    default:
        cli->reach.where = c == C_HOST ? REACH_RUNNING : REACH_OWN;
        return 0;
    }
}

int cli_getopt(struct cli *cli, int argc, char **argv, const char *shorts,
               const struct option *longs)
{
    struct option all[OPTIONS_MAX + 1];
    char s[SHORTS_MAX];

    merge(cli, longs, all);
    /* Before the command's name stop at the first operand, which is it. */
    snprintf(s, sizeof(s), "%s:h%s", cli->command ? "" : "+", shorts);
    opterr = 0;
    for (;;) {
        int c = getopt_long(argc, argv, s, all, NULL);
        if (c == '?' || c == ':')
            return bad_option(cli, c, argv, all);
        if (c != 'h' && c < COMMON)
            return c;
        c = take_common(cli, c);
        if (c)
            return c;
    }
}

int cli_no_options(struct cli *cli, int argc, char **argv)
{
    int c = cli_getopt(cli, argc, argv, "", NULL);

    return c == -1 ? 0 : c;
}

int cli_opt_status(int rc)
{
    return rc == OPT_DONE ? EXIT_OK : EXIT_USAGE;
}
