/* SPDX-License-Identifier: MIT */
/* openai.so: the manifest.  Context windows and output limits are those that
 * OpenAI publishes at https://platform.openai.com/docs/models; models without
 * them are newer than this table. */
#ifndef PBAY_OPENAI_MANIFEST_H
#define PBAY_OPENAI_MANIFEST_H

/* clang-format off */

/* Capabilities of a model, in steps. */
#define CAP_CHAT \
    "\"text\",\"chat\",\"code\",\"translation\",\"summarisation\"," \
    "\"tools\",\"structured_output\""
#define CAP_SEES CAP_CHAT ",\"vision\""
#define CAP_LONG CAP_SEES ",\"long_context\""
#define CAP_THINKS CAP_LONG ",\"reasoning\""
#define CAP_DRAWS "\"image_generation\""

#define MODEL(match, caps) \
    "{\"match\":\"" match "\",\"capabilities\":[" caps "]}"
#define SIZED(match, caps, window, output) \
    "{\"match\":\"" match "\",\"capabilities\":[" caps "]," \
    "\"context_window\":" #window ",\"max_output\":" #output "}"
#define WINDOW(match, caps, window) \
    "{\"match\":\"" match "\",\"capabilities\":[" caps "]," \
    "\"context_window\":" #window "}"

/* The first match counts: the special before the general. */
#define MANIFEST_MODELS \
    MODEL("gpt-image-*", CAP_DRAWS) "," \
    MODEL("dall-e-*", CAP_DRAWS) "," \
    MODEL("chatgpt-image-*", CAP_DRAWS) "," \
    WINDOW("text-embedding-*", "\"embeddings\"", 8192) "," \
    MODEL("omni-moderation-*", "\"moderation\",\"vision\"") "," \
    MODEL("text-moderation-*", "\"moderation\"") "," \
    SIZED("gpt-3.5-turbo*", CAP_CHAT, 16385, 4096) "," \
    SIZED("gpt-4-turbo*", CAP_LONG, 128000, 4096) "," \
    SIZED("gpt-4.1*", CAP_LONG, 1047576, 32768) "," \
    SIZED("gpt-4o*", CAP_LONG, 128000, 16384) "," \
    SIZED("gpt-4", CAP_CHAT, 8192, 8192) "," \
    SIZED("gpt-4-*", CAP_CHAT, 8192, 8192) "," \
    SIZED("gpt-5", CAP_THINKS, 400000, 128000) "," \
    SIZED("gpt-5-mini*", CAP_THINKS, 400000, 128000) "," \
    SIZED("gpt-5-nano*", CAP_THINKS, 400000, 128000) "," \
    SIZED("o1*", CAP_THINKS, 200000, 100000) "," \
    SIZED("o3*", CAP_THINKS, 200000, 100000) "," \
    SIZED("o4*", CAP_THINKS, 200000, 100000) "," \
    MODEL("gpt-5*", CAP_THINKS) "," \
    MODEL("gpt-6*", CAP_THINKS) "," \
    MODEL("gpt-*", CAP_SEES) "," \
    MODEL("chatgpt-*", CAP_SEES) "," \
    MODEL("codex-*", CAP_THINKS) "," \
    MODEL("ft:gpt-*", CAP_CHAT)

#define KEY(name, type, more, doc) \
    "{\"name\":\"" name "\",\"type\":\"" type "\"," more \
    "\"doc\":\"" doc "\"}"
#define WORD(name, words, dflt, doc) \
    KEY(name, "string", \
        "\"default\":\"" dflt "\",\"choices\":[" words "],", doc)
#define PATH(name, dflt, doc) \
    KEY(name, "string", "\"default\":\"" dflt "\",", doc)

#define MANIFEST_KEYS \
    KEY("organization", "string", "", \
        "Organisation that is billed; sent as OpenAI-Organization") "," \
    KEY("project", "string", "", \
        "Project that is billed; sent as OpenAI-Project") "," \
    WORD("max_tokens_field", "\"auto\",\"max_tokens\"," \
         "\"max_completion_tokens\",\"as-is\"", "auto", \
         "What the server calls the output limit. auto: as the client wrote " \
         "it, but max_completion_tokens for OpenAI's reasoning models when a " \
         "request is translated. as-is: never changed") "," \
    WORD("seed_field", "\"seed\",\"random_seed\"", "seed", \
         "What the server calls the seed; random_seed for Mistral") "," \
    KEY("stream_options", "bool", "\"default\":true,", \
        "Ask for the usage of streams (stream_options.include_usage) when " \
        "the client does not. false for servers that refuse it") "," \
    WORD("end_mark", "\"done\",\"finish\"", "done", \
         "What ends a stream. done: data: [DONE]; finish: also the end of " \
         "the connection once every choice has its finish_reason") "," \
    WORD("model_lookup", "\"get\",\"list\"", "get", \
         "How one model is looked up. get: GET /models/ID; list: in the list " \
         "of all, for servers without such a page") "," \
    WORD("usage_output", "\"total\",\"without_reasoning\"", "total", \
         "Whether completion_tokens counts reasoning; xAI leaves it out") "," \
    WORD("developer_role", "\"as-is\",\"system\"", "as-is", \
         "What becomes of messages of the role developer; system for " \
         "servers that know no such role") "," \
    WORD("tool_ids", "\"as-is\",\"mistral\"", "as-is", \
         "Ids of tool calls that another provider made. mistral: nine " \
         "letters and digits, the same ones for the same id") "," \
    WORD("reasoning_echo", "\"as-is\",\"reasoning_content\"," \
         "\"reasoning\",\"none\"", "as-is", \
         "Reasoning of earlier answers on its way back. reasoning_content " \
         "or reasoning: under this name (DeepSeek refuses the results of " \
         "tools without the first); none: left out") "," \
    WORD("stop_form", "\"as-is\",\"list\"", "as-is", \
         "What stop may be; list: a single word becomes a list of one, for " \
         "Together") "," \
    KEY("lacks", "strings", "", \
        "Members of a chat that the server refuses, such as logprobs; see " \
        "unsupported") "," \
    KEY("cost_currency", "string", "", \
        "Currency (three letters, USD) of usage.cost where a server reports " \
        "one; without it the figure is ignored") "," \
    PATH("chat_path", "/chat/completions", \
         "Path of chat completions under base_url") "," \
    PATH("embeddings_path", "/embeddings", \
         "Path of embeddings under base_url") "," \
    PATH("moderations_path", "/moderations", \
         "Path of moderations under base_url") "," \
    PATH("images_path", "/images/generations", \
         "Path of image generation under base_url") "," \
    PATH("models_path", "/models", \
         "Path of the list of models under base_url") "," \
    PATH("responses_path", "/responses", \
         "Path of the Responses API under base_url") "," \
    WORD("responses_api", "\"pass\",\"all\",\"none\"", "pass", \
         "What goes by the Responses API. pass: requests of clients that " \
         "speak it; all: every chat (models that have no other); none: the " \
         "server has no such API, so such requests become chats. Also in " \
         "model_config, for one model") "," \
    WORD("reasoning_summary", "\"none\",\"auto\",\"concise\"," \
         "\"detailed\"", "none", \
         "Summary of its reasoning that is asked for where a chat with " \
         "reasoning_effort goes by the Responses API") "," \
    WORD("unsupported", "\"refuse\",\"drop\"", "refuse", \
         "What to do with members that lacks names, and with what the " \
         "Responses API has not where every chat goes by it: refuse the " \
         "request, or leave them out with a warning")

#define MANIFEST \
    "{\"abi\":\"0.1\",\"id\":\"openai\",\"version\":\"0.1.0\"," \
    "\"license\":\"MIT\",\"name\":\"OpenAI and compatible\"," \
    "\"kind\":\"codec\",\"aliases\":[\"openai-compatible\"]," \
    /* https://platform.openai.com/docs/api-reference/embeddings/create */ \
    "\"embeddings\":{\"max_inputs\":2048,\"max_tokens\":300000}," \
    "\"base_url\":\"https://api.openai.com/v1\"," \
    "\"env\":{\"OPENAI_API_KEY\":\"api_key\"," \
    "\"OPENAI_BASE_URL\":\"base_url\",\"OPENAI_ORG_ID\":\"organization\"," \
    "\"OPENAI_PROJECT_ID\":\"project\"," \
    "\"OPENAI_DEFAULT_MODEL\":\"default_model\"}," \
    "\"needs\":[\"api_key\",\"base_url\"]," \
    "\"models\":[" MANIFEST_MODELS "],\"keys\":[" MANIFEST_KEYS "]}"

/* clang-format on */

#endif
