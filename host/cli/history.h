/* SPDX-License-Identifier: MIT */
/* The file of a conversation's input lines: one line each, the newest last, for
 * the user's eyes only.  Main thread. */
#ifndef PB_HISTORY_H
#define PB_HISTORY_H

#include "base/limits.h"
#include "cli/cli.h"

struct history_file;

/* Open it, make it where it is missing, and hand the last LIM_CLI_HISTORY lines
 * to `line`.  NULL: it can't be used, which has been told. */
struct history_file *history_open(struct cli *cli,
                                  void (*line)(void *arg, const char *text),
                                  void *arg);
/* Append a line; f may be NULL. */
void history_add(struct history_file *f, const char *text);
void history_close(struct history_file *f);

#endif
