/* SPDX-License-Identifier: MIT */
/* The Anthropic dialect: messages, count_tokens, its form of the models list.
 * Source of the forms: https://docs.anthropic.com/en/api/messages */
#ifndef PB_DIALECT_ANTHROPIC_H
#define PB_DIALECT_ANTHROPIC_H

#include "dialect/dialog.h"

extern const struct chat_form an_form;
/* A body has come: POST /v1/messages and /v1/messages/count_tokens. */
void an_messages(struct dialog *x, pbay_str body);
void an_count(struct dialog *x, pbay_str body);
/* GET /v1/models, asked with an anthropic-version: one model as its item;
 * below 0 if it does not fit. */
int an_put_model(struct buf *b, pbay_str id, pbay_str json);

#endif
