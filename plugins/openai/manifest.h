/* SPDX-License-Identifier: MIT */
/* openai.so: the manifest.  Context windows and output limits are those that
 * OpenAI publishes at https://platform.openai.com/docs/models; models without
 * them are newer than this table. */
#ifndef PBAY_OPENAI_MANIFEST_H
#define PBAY_OPENAI_MANIFEST_H

#define CAP_CHAT                                                               \
    "\"text\",\"chat\",\"code\",\"translation\",\"summarisation\","            \
    "\"tools\",\"structured_output\""
#define CAP_SEES CAP_CHAT ",\"vision\""
#define CAP_THINKS CAP_SEES ",\"reasoning\",\"long_context\""

#define MODEL(match, caps)                                                     \
    "{\"match\":\"" match "\",\"capabilities\":[" caps "]}"
#define SIZED(match, caps, window, output)                                     \
    "{\"match\":\"" match "\",\"capabilities\":[" caps "],"                    \
    "\"context_window\":" #window ",\"max_output\":" #output "}"
#define WINDOW(match, caps, window)                                            \
    "{\"match\":\"" match "\",\"capabilities\":[" caps "],"                    \
    "\"context_window\":" #window "}"

#define KEY(name, type, more, doc)                                             \
    "{\"name\":\"" name "\",\"type\":\"" type "\"," more "\"doc\":\"" doc "\"}"
#define DEF(json) "\"default\":" json ","

#define MANIFEST_MODELS                                                        \
    MODEL("gpt-image-*", "\"image_generation\"") ","                           \
    MODEL("dall-e-*", "\"image_generation\"") ","                              \
    MODEL("chatgpt-image-*", "\"image_generation\"") ","                       \
    WINDOW("text-embedding-*", "\"embeddings\"", 8192) ","                     \
    MODEL("omni-moderation-*", "\"moderation\",\"vision\"") ","                \
    MODEL("text-moderation-*", "\"moderation\"") ","                           \
    SIZED("gpt-3.5-turbo*", CAP_CHAT, 16385, 4096) ","                         \
    SIZED("gpt-4-turbo*", CAP_SEES ",\"long_context\"", 128000, 4096) ","      \
    SIZED("gpt-4.1*", CAP_SEES ",\"long_context\"", 1047576, 32768) ","        \
    SIZED("gpt-4o*", CAP_SEES ",\"long_context\"", 128000, 16384) ","          \
    SIZED("gpt-4", CAP_CHAT, 8192, 8192) ","                                   \
    SIZED("gpt-4-*", CAP_CHAT, 8192, 8192) ","                                 \
    SIZED("gpt-5", CAP_THINKS, 400000, 128000) ","                             \
    SIZED("gpt-5-mini*", CAP_THINKS, 400000, 128000) ","                       \
    SIZED("gpt-5-nano*", CAP_THINKS, 400000, 128000) ","                       \
    SIZED("o1*", CAP_THINKS, 200000, 100000) ","                               \
    SIZED("o3*", CAP_THINKS, 200000, 100000) ","                               \
    SIZED("o4*", CAP_THINKS, 200000, 100000) ","                               \
    MODEL("gpt-5*", CAP_THINKS) ","                                            \
    MODEL("gpt-6*", CAP_THINKS) ","                                            \
    MODEL("gpt-*", CAP_SEES) ","                                               \
    MODEL("chatgpt-*", CAP_SEES) ","                                           \
    MODEL("codex-*", CAP_THINKS) ","                                           \
    MODEL("ft:gpt-*", CAP_CHAT)

#define MANIFEST_KEYS                                                          \
    KEY("organization", "string", "",                                          \
        "Organisation that is billed; sent as OpenAI-Organization")            \
    "," KEY("project", "string", "",                                           \
            "Project that is billed; sent as OpenAI-Project")                  \
    "," KEY("max_tokens_field", "string",                                      \
            DEF("\"auto\"") "\"choices\":[\"auto\",\"max_tokens\","            \
                            "\"max_completion_tokens\",\"as-is\"],",           \
            "What the server calls the output limit. auto: as the client "     \
            "wrote it, but max_completion_tokens for OpenAI's reasoning "      \
            "models when a request is translated. as-is: never changed")       \
    "," KEY("stream_options", "bool", DEF("true"),                             \
            "Ask for the usage of streams (stream_options.include_usage) "     \
            "when the client does not. false for servers that refuse it")      \
    "," KEY("end_mark", "string",                                              \
            DEF("\"done\"") "\"choices\":[\"done\",\"finish\"],",              \
            "What ends a stream: data: [DONE], or finish: also the end of "    \
            "the connection once every choice has its finish_reason")          \
    "," KEY("model_lookup", "string",                                          \
            DEF("\"get\"") "\"choices\":[\"get\",\"list\"],",                  \
            "How one model is looked up: get: GET /models/ID; list: in the "   \
            "list of all, for servers without such a page")                    \
    "," KEY("usage_output", "string",                                          \
            DEF("\"total\"") "\"choices\":[\"total\",\"without_reasoning\"],", \
            "Whether completion_tokens counts reasoning; xAI leaves it out")   \
    "," KEY("cost_currency", "string", "",                                     \
            "Currency (three letters, USD) of usage.cost where a server "      \
            "reports one; without it the figure is ignored")                   \
    "," KEY("chat_path", "string", DEF("\"/chat/completions\""),               \
            "Path of chat completions under base_url")                         \
    "," KEY("embeddings_path", "string", DEF("\"/embeddings\""),               \
            "Path of embeddings under base_url")                               \
    "," KEY("moderations_path", "string", DEF("\"/moderations\""),             \
            "Path of moderations under base_url")                              \
    "," KEY("images_path", "string", DEF("\"/images/generations\""),           \
            "Path of image generation under base_url")                         \
    "," KEY("models_path", "string", DEF("\"/models\""),                       \
            "Path of the list of models under base_url")

#define MANIFEST                                                               \
    "{\"abi\":\"0.1\",\"id\":\"openai\",\"version\":\"0.1.0\","                \
    "\"license\":\"MIT\",\"name\":\"OpenAI and compatible\","                  \
    "\"kind\":\"codec\",\"aliases\":[\"openai-compatible\"],"                  \
    "\"base_url\":\"https://api.openai.com/v1\","                              \
    "\"env\":{\"OPENAI_API_KEY\":\"api_key\","                                 \
    "\"OPENAI_BASE_URL\":\"base_url\",\"OPENAI_ORG_ID\":\"organization\","     \
    "\"OPENAI_PROJECT_ID\":\"project\"},"                                      \
    "\"needs\":[\"api_key\",\"base_url\"],"                                    \
    "\"models\":[" MANIFEST_MODELS "],\"keys\":[" MANIFEST_KEYS "]}"

#endif
