/* SPDX-License-Identifier: MIT */
/* patchbay translate: a text in another language. */
#include "config.h"

#include "cli/commands.h"
#include "cli/text.h"

static const char help[] =
    "Have a text of any length translated. The text is FILE, or standard "
    "input. A\nlong one is taken part by part, and the white space between "
    "them is kept. On a\nterminal the translation is shown as it comes; with "
    "--json it is one object with\nwhat it cost.\n\n"
    "  -t, --to LANG     the language to translate into, \"German\" or \"de\"\n"
    "  -f, --from LANG   language of the text; without it the model finds out\n"
    "  -m, --model NAME  provider/model, or a model's name\n"
    "      --format F    text (the default), markdown or html, whose markup is "
    "kept\n"
    "      --instructions TEXT\n                    terms, tone and the like\n"
    "      --chunk-tokens N\n                    tokens of a part at most\n"
    "      --stream      show it as it comes, whatever the output is\n"
    "      --no-stream   show it when it is whole\n";

static int run(struct cli *cli, int argc, char **argv)
{
    return text_run(cli, "translation", argc, argv);
}

const struct command cmd_translate = {.name = "translate",
                                      .summary = "translate a text",
                                      .usage = "--to LANG [OPTIONS] [FILE]",
                                      .help = help,
                                      .common = COMMON_ASK,
                                      .run = run};
