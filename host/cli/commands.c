/* SPDX-License-Identifier: MIT */
/* The table of commands, and help. */
#include "config.h"

#include "cli/commands.h"

#include <string.h>

#include "base/str.h"

/* In the order of `patchbay help`; one on a line, for those who add to them. */
/* clang-format off */
static const struct command *const commands[] = {
    &cmd_serve,
    &cmd_chat,
    &cmd_compare,
    &cmd_batch,
    &cmd_embed,
    &cmd_image,
    &cmd_summarize,
    &cmd_translate,
    &cmd_moderate,
    &cmd_count,
    &cmd_models,
    &cmd_show,
    &cmd_pull,
    &cmd_rm,
    &cmd_ps,
    &cmd_credits,
    &cmd_generation,
    &cmd_plugins,
    &cmd_provider,
    &cmd_route,
    &cmd_config,
    &cmd_key,
    &cmd_status,
    &cmd_log,
    &cmd_reload,
    &cmd_stop,
    &cmd_record,
    &cmd_replay,
    &cmd_version,
    &cmd_help,
    NULL
};
/* clang-format on */

const struct command *const *cli_commands(void)
{
    return commands;
}

const struct command *cli_find_command(const char *name)
{
    for (const struct command *const *c = commands; *c; c++)
        if (!strcmp((*c)->name, name))
            return *c;
    return NULL;
}

const char *cli_nearest(const char *word, const char *const *names)
{
    /* A third of the word may be wrong, but more than nothing of it right. */
    unsigned best = (unsigned)strlen(word) / 3 + 1;
    const char *near = NULL;

    for (; *names; names++) {
        unsigned d = str_distance(str_c(word), str_c(*names));
        if (d <= best && d < strlen(*names) && (!near || d < best)) {
            best = d;
            near = *names;
        }
    }
    return near;
}

static void help_common(struct out *o, unsigned common)
{
    if (common & COMMON_JSON)
        out_c(o, "      --json        print JSON\n");
    if (common & COMMON_CONFIG)
        out_c(o, "      --config FILE main configuration file\n");
    if (common & COMMON_CONTROL)
        out_c(o, "      --control PATH\n"
                 "                    control socket of the running host\n");
    if (common & COMMON_HOST)
        out_c(o, "      --host        ask a running host only\n");
    if (common & COMMON_OWN)
        out_c(o, "      --no-host     start a host in this process instead\n");
    out_c(o, "  -h, --help        show this\n");
}

static void help_command(struct out *o, const struct command *cmd)
{
    const char *line = cmd->usage;
    const char *lead = "usage: ";

    for (;;) {
        size_t n = strcspn(line, "\n");
        out_f(o, "%spatchbay %s%s%.*s\n", lead, cmd->name, n ? " " : "", (int)n,
              line);
        lead = "       ";
        if (!line[n])
            break;
        line += n + 1;
    }
    out_f(o, "\n%s", cmd->help);
    help_common(o, cmd->common);
}

void cli_help(struct cli *cli, const struct command *cmd)
{
    struct out *o = &cli->out;

    if (cmd) {
        help_command(o, cmd);
        return;
    }
    out_c(o, "usage: patchbay [--config FILE] [--control PATH] "
             "[--host | --no-host] COMMAND ...\n"
             "       patchbay COMMAND --help\n\n"
             "A host for LLM providers.\n\n");
    for (const struct command *const *c = commands; *c; c++)
        out_f(o, "  %-10s %s\n", (*c)->name, (*c)->summary);
    out_c(o,
          "\nCommands that need providers ask the running host, or start one "
          "in their own\nprocess if there is none.\n\n"
          "  -V, --version     show the version\n");
    help_common(o, COMMON_ASK & ~COMMON_JSON);
    out_c(o, "\nSee patchbay(1), patchbay.conf(5).\n");
}
