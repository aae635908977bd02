/* SPDX-License-Identifier: MIT */
/* Items as lines of a name and a value. */
#ifndef PB_CLI_PRINT_H
#define PB_CLI_PRINT_H

#include "cli/cli.h"

/* Every member but those named in `but` (ends with NULL); objects as JSON. */
void print_members(struct out *o, struct json_object *item,
                   const char *const *but);

#endif
