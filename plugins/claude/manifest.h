/* SPDX-License-Identifier: MIT */
/* claude.so: the manifest.  Every model of the family takes images, tools and
 * long prompts; exact windows and limits come from the list of models, which
 * tells them (GET /v1/models, max_input_tokens and max_tokens). */
#ifndef PBAY_CLAUDE_MANIFEST_H
#define PBAY_CLAUDE_MANIFEST_H

/* clang-format off */

#define CAP_ALL \
    "\"text\",\"chat\",\"code\",\"translation\",\"summarisation\"," \
    "\"tools\",\"vision\",\"long_context\""
/* Since Claude 4.5: output_config.format; all of these think. */
#define CAP_NEW CAP_ALL ",\"structured_output\",\"reasoning\""

/* Up to Claude 4.5: goes on with an answer that was begun. */
#define PREFILL ",\"prefill\""

#define MODEL(match, caps) \
    "{\"match\":\"" match "\",\"capabilities\":[" caps "]}"

/* The first match counts: the special before the general. */
#define MANIFEST_MODELS \
    MODEL("claude-3-7-*", CAP_ALL ",\"reasoning\"" PREFILL) "," \
    MODEL("claude-3-*", CAP_ALL PREFILL) "," \
    MODEL("claude-2*", "\"text\",\"chat\",\"code\",\"translation\"," \
          "\"summarisation\",\"long_context\"" PREFILL) "," \
    MODEL("claude-opus-4-2*", CAP_ALL ",\"reasoning\"" PREFILL) "," \
    MODEL("claude-sonnet-4-2*", CAP_ALL ",\"reasoning\"" PREFILL) "," \
    MODEL("claude-*-4-5*", CAP_NEW PREFILL) "," \
    MODEL("claude-*", CAP_NEW)

#define KEY(name, type, more, doc) \
    "{\"name\":\"" name "\",\"type\":\"" type "\"," more \
    "\"doc\":\"" doc "\"}"
#define WORD(name, words, dflt, doc) \
    KEY(name, "string", \
        "\"default\":\"" dflt "\",\"choices\":[" words "],", doc)

#define MANIFEST_KEYS \
    WORD("api_version", "\"2026-10-21\",\"2023-06-01\"", "2026-10-21", \
         "Version of the API, sent as anthropic-version. 2026-10-21 has no " \
         "temperature, top_p and top_k for any model; 2023-06-01 still takes " \
         "them for models up to Claude 4.6") "," \
    WORD("auth_style", "\"x-api-key\",\"bearer\"", "x-api-key", \
         "How the key is sent: bearer is Authorization: Bearer") "," \
    KEY("max_tokens", "int", "\"default\":16384,\"min\":1,\"max\":1000000,", \
        "Output limit of requests that have none; the API wants one always") \
        "," \
    KEY("beta", "strings", "", \
        "Beta features to turn on; sent as anthropic-beta") "," \
    WORD("thinking_display", "\"summarized\",\"omitted\"", "summarized", \
         "Whether thoughts come with a summary to read, when the client asks " \
         "for an effort") "," \
    WORD("unsupported", "\"refuse\",\"drop\"", "refuse", \
         "What becomes of a request with a field that Claude has nothing " \
         "like: refused, or sent without it and with a warning")

#define MANIFEST \
    "{\"abi\":\"0.1\",\"id\":\"claude\",\"version\":\"0.1.0\"," \
    "\"license\":\"MIT\",\"name\":\"Anthropic Claude\"," \
    "\"kind\":\"codec\",\"aliases\":[\"anthropic\"]," \
    "\"base_url\":\"https://api.anthropic.com\"," \
    "\"env\":{\"ANTHROPIC_API_KEY\":\"api_key\"," \
    "\"ANTHROPIC_BASE_URL\":\"base_url\"," \
    "\"ANTHROPIC_DEFAULT_MODEL\":\"default_model\"}," \
    "\"needs\":[\"api_key\",\"base_url\"]," \
    "\"models\":[" MANIFEST_MODELS "],\"keys\":[" MANIFEST_KEYS "]}"

/* clang-format on */

#endif
