/* SPDX-License-Identifier: MIT */
/* What a user hands to a command besides options: standard input, operands,
 * image files.  Results come from malloc or are json-c trees; NULL means that
 * the reason has been told.  Main thread. */
#ifndef PB_INPUT_H
#define PB_INPUT_H

#include "cli/cli.h"

/* All of standard input, UTF-8 checked; *status on failure. */
char *input_stdin(struct cli *cli, size_t *n, int *status);
/* Operands joined by spaces; "" for none. */
char *input_operands(struct cli *cli, int argc, char **argv, int *status);
/* Is s UTF-8?  If not it is told, with `what` it is. */
bool input_utf8(struct cli *cli, pbay_str s, const char *what);
/* An image file as a part of a chat message:
 * {"type":"image_url","image_url":{"url":"data:image/png;base64,..."}}. */
struct json_object *input_image(struct cli *cli, const char *path, int *status);
/* Wait for standard input to be readable, then read; as read(), -EINTR after a
 * signal. */
ssize_t input_read(void *p, size_t n);

#endif
