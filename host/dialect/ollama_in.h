/* SPDX-License-Identifier: MIT */
/* From Ollama's chat and generate requests to the canonical chat request. Pure.
 *
 * What happens to each field (source:
 * https://github.com/ollama/ollama/blob/main/docs/api.md):
 *
 *   model, tools, logprobs, top_logprobs     as they are; an empty list of
 * tools is none, as is one of calls, pictures or stop words stream true where
 * it is not said messages role                system, user, assistant, tool, in
 * any case content             as it is images              image_url parts
 * with a data URI; PNG, JPEG, GIF, WebP tool_calls          arguments become
 * text; a call without an id gets one tool_call_id, tool_name (name, in older
 * programs) which call a result answers: by id, else the first open one of that
 * name; without either the first patchbay_blocks     as our answers have them
 *     name of others      left out, with a warning: Ollama knows none
 *     thinking            left out, with a warning: other providers take none
 *   prompt, system, images (generate)
 *                         a system and a user message; without a prompt there
 *                         is no user message
 *   format                "json": json_object; a schema: json_schema
 *   think                 true: reasoning_effort "medium"; false: "none"; a
 *                         word: that word
 *   options
 *     temperature, top_p, top_k, min_p, seed, stop, presence_penalty,
 *     frequency_penalty   as they are
 *     num_predict         max_completion_tokens; below 0: no limit
 *     others              left out, with a warning: they set up Ollama's runner
 *   truncate              false: nothing, which is how others behave; true:
 * left out, with a warning keep_alive, shift     left out, with a warning raw,
 * template, suffix, context (generate) refused by name, unless they are empty
 * or false anything else         refused by name
 *
 * Chats that reach a provider which speaks /api/chat itself are passed through
 * and never come here.
 */
#ifndef PB_DIALECT_OLLAMA_IN_H
#define PB_DIALECT_OLLAMA_IN_H

#include "base/buf.h"
#include "base/error.h"

#define OL_LEFT_MAX 16

/* Fields that were left out: "options.num_ctx". */
struct ol_left {
    char name[OL_LEFT_MAX][64];
    size_t n;
};

/* 0 and the canonical body appended to out; -1 and *e.  body is well-formed
 * JSON (an object). */
int ol_chat_to_canonical(pbay_str body, struct buf *out, struct ol_left *left,
                         struct err *e);
int ol_generate_to_canonical(pbay_str body, struct buf *out,
                             struct ol_left *left, struct err *e);

#endif
