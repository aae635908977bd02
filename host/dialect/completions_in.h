/* SPDX-License-Identifier: MIT */
/* From a legacy completions request to the canonical chat request.  Pure.
 *
 * What happens to each field (source:
 * https://platform.openai.com/docs/api-reference/completions):
 *
 *   model, temperature, top_p, n, stop, seed, presence_penalty,
 *   frequency_penalty, logit_bias, user, stream, stream_options
 *                         as they are
 *   prompt                the text of one user message; one string, or a list
 *                         of one.  Several, and lists of tokens, are refused
 *   max_tokens            max_completion_tokens; 16 where it is not said, as
 *                         that API has it
 *   best_of               nothing when it is n (or 1); else refused
 *   echo false, suffix "" or null, logprobs null
 *                         nothing; other values are refused: a chat has none
 *   anything else         refused by name
 */
#ifndef PB_DIALECT_COMPLETIONS_IN_H
#define PB_DIALECT_COMPLETIONS_IN_H

#include "base/buf.h"
#include "base/error.h"

/* 0 and the canonical body appended to out; -1 and *e.  body is well-formed
 * JSON (an object). */
int cp_to_canonical(pbay_str body, struct buf *out, struct err *e);

#endif
