/* SPDX-License-Identifier: MIT */
/* What `summarize` and `translate` share: their options, the text, asking.
 * Main thread. */
#ifndef PB_CLI_TEXT_H
#define PB_CLI_TEXT_H

#include "cli/cli.h"

/* The run of one of them; kind: as the verb "text" of the host calls it. */
int text_run(struct cli *cli, const char *kind, int argc, char **argv);

#endif
