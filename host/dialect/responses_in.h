/* SPDX-License-Identifier: MIT */
/* From an OpenAI Responses request to the canonical chat request.  Pure.
 *
 * What happens to each field (source:
 * https://platform.openai.com/docs/api-reference/responses/create).  One that
 * is null counts as left out.
 *
 *   model, stream, temperature, top_p, parallel_tool_calls, service_tier, user,
 *   safety_identifier, prompt_cache_key, prompt_cache_options,
 *   prompt_cache_retention     as they are
 *   max_output_tokens          max_completion_tokens
 *   instructions               a system message in front
 *   input                      text: one message of the user; items, in order:
 *     message                  roles user, system, developer, assistant; parts
 *                              input_text, output_text, refusal, input_audio,
 *                              input_image by URL or data URI (by file_id is
 *                              refused), input_file with file_data or file_id
 *                              (by URL is refused); id, status, phase,
 *                              annotations and logprobs are left out
 *     function_call            a call of the assistant's message it stands in
 *     function_call_output     a message of role tool; text only
 *     reasoning                encrypted_content: patchbay_blocks of the
 *                              assistant's message, unchanged; without it, left
 *                              out, as no provider takes a summary back
 *     anything else            refused by name
 *   tools                      functions; others are run by one provider's
 *                              service, or are not JSON: refused by name
 *   tool_choice                none, auto, required, one function,
 * allowed_tools text.format                response_format text.verbosity
 * verbosity reasoning.effort           reasoning_effort reasoning.summary has
 * no effect: what a provider shows of its reasoning is shown, as the summary
 *   top_logprobs               with logprobs, when above 0
 *   include                    message.output_text.logprobs: logprobs;
 *                              reasoning.encrypted_content: always there;
 *                              anything else is refused by name
 *   metadata                   stays here, and is in the answer
 *   stream_options             has no effect: nothing is padded
 *   store, background          false; true is refused: nothing is kept here
 *   truncation                 disabled; auto is refused
 *   previous_response_id, conversation, prompt, context_management,
 *   max_tool_calls, moderation refused: only a provider that has this API
 * itself has them anything else              refused by name
 *
 * Bodies that reach a provider which speaks this dialect itself are passed
 * through and never come here. */
#ifndef PB_DIALECT_RESPONSES_IN_H
#define PB_DIALECT_RESPONSES_IN_H

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"

/* 0 and the canonical body appended to out; -1 and *e.  body is well-formed
 * JSON (an object). */
int rs_to_canonical(pbay_str body, struct buf *out, struct err *e);

/* --- between responses_in.c and responses_items.c --- */

struct rs_in {
    struct json_object *src, *dst;
    struct json_object *messages; /* of dst */
    struct json_object *turn;     /* the assistant's open message, or NULL */
    struct json_object *parts;    /* of its content; its reference */
    struct err *e;
    char where[96]; /* "input[3].content[0]": what is being read */
};

/* An INVALID error that names a field; -1. */
int rs_bad(struct rs_in *in, const char *param, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A member of its own reference to v, which may be NULL. */
void rs_put(struct json_object *to, const char *name, struct json_object *v);
/* A new message of that role, in its place. */
struct json_object *rs_message(struct rs_in *in, const char *role);
/* 0, or -1 with the error. */
int rs_read_input(struct rs_in *in);

#endif
