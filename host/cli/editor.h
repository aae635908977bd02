/* SPDX-License-Identifier: MIT */
/* The line editor of a conversation: libedit, with a history that is kept in
 * $XDG_STATE_HOME/patchbay/history (mode 0600).  Several conversations may add
 * to it at once.  Main thread. */
#ifndef PB_EDITOR_H
#define PB_EDITOR_H

#include "cli/cli.h"

struct editor;

/* Standard input is a terminal.  A history that can't be used is told and left
 * out.  NULL: no editor, e.g. no memory. */
struct editor *editor_new(struct cli *cli, bool history);
void editor_free(struct editor *ed);
/* 1: *line (malloc'd, without its line feed); 0: end of input; -EINTR: ctrl-C
 * or another signal; other -errno. */
int editor_read(struct editor *ed, const char *prompt, char **line);

#endif
