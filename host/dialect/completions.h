/* SPDX-License-Identifier: MIT */
/* Legacy completions, answered by chats.  Source of the forms:
 * https://platform.openai.com/docs/api-reference/completions */
#ifndef PB_DIALECT_COMPLETIONS_H
#define PB_DIALECT_COMPLETIONS_H

#include "dialect/dialog.h"

extern const struct dl_route cp_routes[];
/* completions_out.c */
extern const struct chat_form cp_form;

#endif
