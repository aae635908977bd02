/* SPDX-License-Identifier: MIT */
/* The OpenAI dialect: bodies in, completions, items and errors out.
 * Source of the forms: https://platform.openai.com/docs/api-reference */
#ifndef PB_DIALECT_OPENAI_H
#define PB_DIALECT_OPENAI_H

#include "dialect/dialog.h"

/* openai_body.c: check and read the body of an operation: members, model,
 * stream, aliases.  0, or -1 with *e. */
int oa_read_body(struct dialog *x, pbay_str body, struct err *e);
/* openai_items.c: embeddings, moderations, images; the body has been read. */
void oa_items(struct dialog *x);
/* openai_moderate.c: go on by chats, after this failure; false: it does not. */
bool oa_moderate_by_chat(struct dialog *x, const struct err *e);
/* openai_models.c; id empty: the list. */
void oa_models(struct dialog *x, pbay_str id);
/* openai.c: its URLs. */
extern const struct dl_route oa_routes[];
/* openai_render.c: events to chat completions. */
extern const struct chat_form oa_form;
size_t oa_error_json(const struct dialog *x, const struct err *e, char *dst,
                     size_t room);

#endif
