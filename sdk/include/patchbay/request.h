/* SPDX-License-Identifier: MIT */
/* What a provider is asked: the operations and the canonical request.
 *
 * The body is JSON text.  Its form is named by `dialect`:
 *
 *   "canonical/1"      what every provider must understand, below
 *   "openai.chat/1"    a client's own body, passed through: only when the
 *                      codec lists that dialect; PBAY_RQ_PASS is then set and
 *                      the reply's bytes go back to the client as they are
 *   "openai.embeddings/1", "openai.moderations/1", "openai.images/1" likewise
 *   "anthropic.messages/1"  likewise: the body of Anthropic's POST /v1/messages
 *   "ollama.chat/1"    likewise: the body of Ollama's POST /api/chat
 *
 * canonical/1 of each operation, and the events that answer it:
 *
 *   CHAT        an OpenAI chat-completions request (model, messages, tools,
 *               response_format, stop, n, max_completion_tokens, ...; see
 *               https://platform.openai.com/docs/api-reference/chat).
 *               An assistant message may have "patchbay_blocks": [json, ...],
 *               the BLOCK events of that answer, to be sent back unchanged;
 *               those of another provider are to be left out with a WARNING.
 *               -> BEGIN, TEXT ..., STOP, USAGE
 *   EMBED       {"input": string | [string] | [int] | [[int]],
 *               "dimensions"?, "encoding_format"?: "float"|"base64"}
 *               -> VECTOR for each input, USAGE
 *   MODERATE    {"input": string | [string] | [part]}
 *               -> ITEM "moderation" {"flagged":b,"categories":{..},
 *               "category_scores":{..}} for each input
 *   IMAGE       {"prompt", "n"?, "size"?, "quality"?, "output_format"?, ...}
 *               -> ITEM "image" {"b64_json"|"url", "revised_prompt"?}
 *   COUNT       the CHAT body -> ITEM "count" {"input_tokens":n}
 *   LIST        {} or {"search":text} -> ITEM "model" for each:
 *               {"id", "name"?, "created"?, "owned_by"?, "context_window"?,
 *               "max_output"?, "capabilities"?:[...], "prices"?:{..},
 *               "raw"?: the provider's own object}.  Where a provider tells
 *               prices, also {"free":b, "sort":"price"|"context"|"created"|
 *               "name", "capability":word or [word]}; prices are {"currency",
 *               "unit":"nano" (1e-9 of it), "input"?, "output"?,
 *               "cache_read"?, "cache_write"?, "reasoning"? for a token, ..}
 *   SHOW        {"model":id} -> one ITEM "model"
 *   PULL        {"model":id} -> ITEM "progress" {"status", "digest"?,
 *               "total"?, "completed"?}, last with "done":true
 *   DELETE      {"model":id} -> nothing
 *   CREDITS     {"of"?: "account" or "key", where a provider tells them apart}
 *               -> ITEM "credits" {"total"?, "used"?, "remaining"?,
 *               "currency"?, "of"?}
 *   GENERATION  {"id":..} -> ITEM "generation" {..}
 *   HEALTH      {} -> ITEM "health" {"ok":b,"detail"?}: the cheapest call that
 *               proves address and key
 *   PS          {} -> ITEM "running" for each model that is in memory:
 *               {"model", "size"?, "vram"?: bytes, "context_window"?,
 *               "expires"?: RFC 3339, "state"?: "starting", "ready", ..; "raw"?}
 *   RAW         method, path, query and body go up as they are, the reply
 *               comes back as it is
 */
#ifndef PATCHBAY_REQUEST_H
#define PATCHBAY_REQUEST_H

#include <patchbay/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    PBAY_OP_CHAT = 1,
    PBAY_OP_EMBED,
    PBAY_OP_MODERATE,
    PBAY_OP_IMAGE,
    PBAY_OP_COUNT,
    PBAY_OP_LIST,
    PBAY_OP_SHOW,
    PBAY_OP_PULL,
    PBAY_OP_DELETE,
    PBAY_OP_CREDITS,
    PBAY_OP_GENERATION,
    PBAY_OP_HEALTH,
    PBAY_OP_RAW,
    PBAY_OP_PS
};
/* Bit of an operation in the `ops` masks. */
#define PBAY_OP_BIT(op) ((uint64_t)1 << (op))

/* pbay_request.flags */
enum {
    PBAY_RQ_STREAM = 1,      /* the client wants the answer as it is made */
    PBAY_RQ_PASS = 2,        /* body in the client's dialect, reply passed on */
    PBAY_RQ_CONTINUE = 4,    /* the last message is an answer to go on with */
    PBAY_RQ_BODY_FOLLOWS = 8 /* body is only the beginning (RAW uploads); hosts
                              * of ABI 0.1 have the whole and never say so */
};

/* Request lifetime, all of it. */
typedef struct pbay_request {
    uint32_t size, op, flags;
    uint32_t want;    /* PBAY_WANT() bits: what the host will use.  Emitting
                       * more is allowed; USAGE, ERROR, STOP and CONTENT are
                       * always wanted. */
    uint32_t attempt; /* 0 for the first target that is tried */
    uint32_t step;    /* 0, then 1.. after each PBAY_AGAIN */
    pbay_str id;      /* the host's request id */
    pbay_str model;   /* the provider's name of the model; may be empty where
                       * the operation has none */
    pbay_str dialect;
    pbay_str content_type, body;
    pbay_str method, path, query; /* RAW only */
    const pbay_kv *headers;       /* the client's, those that policy lets through */
    size_t n_headers;
    pbay_str model_config; /* JSON object from configuration for this model;
                            * LIST: {"model":{..}}, those of all models */
    /* The top-level members of a JSON object body, in order, duplicates of a
     * name excluded; the spans point into body.  The host has already checked
     * that body is well-formed JSON. */
    const pbay_kv *members;
    size_t n_members;
} pbay_request;

#ifdef __cplusplus
}
#endif
#endif
