/* SPDX-License-Identifier: MIT */
/* patchbay summarize: what is in a text, in short. */
#include "config.h"

#include "cli/commands.h"
#include "cli/text.h"

static const char help[] =
    "Have a text of any length summarized. The text is FILE, or standard "
    "input. What\ndoes not fit the model's window is taken part by part. On a "
    "terminal the summary\nis shown as it comes; with --json it is one object "
    "with what it cost.\n\n"
    "  -m, --model NAME  provider/model, or a model's name\n"
    "  -t, --to LANG     language of the summary; without it that of the text\n"
    "  -f, --from LANG   language of the text\n"
    "  -l, --length N    short, medium (the default), long, or about so many "
    "words\n"
    "      --format F    text (the default), bullets or markdown\n"
    "      --instructions TEXT\n                    what else it is to be\n"
    "      --chunk-tokens N\n                    tokens of a part at most\n"
    "      --stream      show it as it comes, whatever the output is\n"
    "      --no-stream   show it when it is whole\n";

static int run(struct cli *cli, int argc, char **argv)
{
    return text_run(cli, "summary", argc, argv);
}

const struct command cmd_summarize = {.name = "summarize",
                                      .summary = "summarize a text",
                                      .usage = "[OPTIONS] [FILE]",
                                      .help = help,
                                      .common = COMMON_ASK,
                                      .run = run};
