/* SPDX-License-Identifier: MIT */
/* patchbay config import.  Main thread. */
#ifndef PB_CONFIG_IMPORT_H
#define PB_CONFIG_IMPORT_H

#include "cli/cli.h"
#include "config/config.h"

struct config_import {
    const char *input;  /* "-": standard input */
    const char *output; /* NULL: standard output */
    const char *format; /* "json", "yaml"; NULL: by name and text */
    bool force;         /* replace what is there */
};
/* The exit status. */
int config_import(struct cli *cli, const struct config_import *ask);

/* cmd_config.c: "FILE:LINE: text" */
void config_print_issue(struct out *o, const struct cfg_issue *is);

#endif
