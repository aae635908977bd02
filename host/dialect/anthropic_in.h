/* SPDX-License-Identifier: MIT */
/* From an Anthropic messages request to the canonical chat request.  Pure.
 *
 * What happens to each field (source:
 * https://docs.anthropic.com/en/api/messages):
 *
 *   model, stream, temperature, top_p, top_k   as they are
 *   max_tokens            max_completion_tokens
 *   system                a system message in front; cache_control stays on its
 *                         parts
 *   messages              roles user, assistant, system
 *     text                text part
 *     image               image_url part (base64 as a data URI, or the URL)
 *     document            base64 PDF: file part; plain text: text part
 *     tool_use            tool_calls; input becomes the arguments' text
 *     tool_result         a message of role tool in front of the rest; is_error
 *                         stays beside it
 *     thinking, redacted_thinking
 *                         patchbay_blocks of the assistant message, unchanged
 *   stop_sequences        stop
 *   tools                 functions; dated server tools are refused
 *   tool_choice           auto, none; any = required; tool = that function;
 *                         disable_parallel_tool_use = parallel_tool_calls:
 * false thinking              disabled = reasoning_effort "none"; otherwise the
 *                         effort below, else "medium"
 *   output_config.effort  reasoning_effort
 *   output_config.format  response_format json_schema
 *   metadata.user_id      user
 *   service_tier          auto; standard_only = default
 *   cache_control         a hint for one provider's cache: left out
 *   anything else         refused by name; fallbacks and models are out of it
 *                         before (stand_in.c)
 *
 * Bodies that reach a provider which speaks this dialect itself are passed
 * through and never come here.
 */
#ifndef PB_DIALECT_ANTHROPIC_IN_H
#define PB_DIALECT_ANTHROPIC_IN_H

#include "base/buf.h"
#include "base/error.h"

/* 0 and the canonical body appended to out; -1 and *e.  body is well-formed
 * JSON (an object). */
int an_to_canonical(pbay_str body, struct buf *out, struct err *e);

#endif
