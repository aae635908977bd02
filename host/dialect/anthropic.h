/* SPDX-License-Identifier: MIT */
/* The Anthropic dialect: messages, count_tokens, its form of the models list.
 * Source of the forms: https://docs.anthropic.com/en/api/messages */
#ifndef PB_DIALECT_ANTHROPIC_H
#define PB_DIALECT_ANTHROPIC_H

#include "dialect/dialog.h"

extern const struct chat_form an_form;
extern const struct dl_route an_routes[];
/* GET /v1/models, asked with an anthropic-version: one model as its item;
 * below 0 if it does not fit. */
int an_put_model(struct buf *b, pbay_str id, pbay_str json);

#endif
