/* SPDX-License-Identifier: MIT */
/* OpenAI's Responses API.
 * Source: https://platform.openai.com/docs/api-reference/responses and
 * .../responses-streaming.
 *
 * Answers out of events: text and refusals become message items, visible
 * reasoning the summary of a reasoning item, blocks that must come back
 * unchanged that item's encrypted_content (opaque.h), calls function_call
 * items. Calls stay open until the end, since their fragments may come in
 * turns.  What the request said stands in the answer again, but for fields of
 * more than 1 MiB, instructions say.  A stream that fails ends with "error" and "response.failed", never
 * with "response.completed". */
#ifndef PB_DIALECT_RESPONSES_H
#define PB_DIALECT_RESPONSES_H

#include "dialect/dialog.h"

/* responses.c: its URLs. */
extern const struct dl_route rs_routes[];
/* responses_out.c: how a chat's answer looks. */
extern const struct chat_form rs_form;
/* responses_passed.c: bytes of a provider's own stream, in pieces of any size,
 * and the number of the event that may come next. */
void rs_passed(struct dialog *x, pbay_str raw);
unsigned rs_next(const struct dialog *x);

#endif
