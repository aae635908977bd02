/* SPDX-License-Identifier: MIT */
/* openrouter.so: the manifest.  The patterns are the authors whose models
 * OpenRouter has served for long; what each model can do is in its list. */
#ifndef PBAY_OPENROUTER_MANIFEST_H
#define PBAY_OPENROUTER_MANIFEST_H

/* clang-format off */

#define CAP_CHAT "\"text\",\"chat\",\"code\",\"translation\",\"summarisation\""
#define CAP_TOOLS CAP_CHAT ",\"tools\",\"structured_output\""

#define MODEL(match, caps) \
    "{\"match\":\"" match "\",\"capabilities\":[" caps "]}"

#define MANIFEST_MODELS \
    MODEL("openrouter/*", CAP_CHAT) "," \
    MODEL("openai/*", CAP_TOOLS) "," \
    MODEL("anthropic/*", CAP_TOOLS) "," \
    MODEL("google/*", CAP_CHAT) "," \
    MODEL("meta-llama/*", CAP_CHAT) "," \
    MODEL("mistralai/*", CAP_CHAT) "," \
    MODEL("deepseek/*", CAP_CHAT) "," \
    MODEL("qwen/*", CAP_CHAT) "," \
    MODEL("x-ai/*", CAP_CHAT) "," \
    MODEL("cohere/*", CAP_CHAT) "," \
    MODEL("moonshotai/*", CAP_CHAT) "," \
    MODEL("z-ai/*", CAP_CHAT)

#define KEY(name, type, more, doc) \
    "{\"name\":\"" name "\",\"type\":\"" type "\"," more \
    "\"doc\":\"" doc "\"}"
#define PRICE(name, what) \
    KEY("max_price_" name, "float", "\"min\":0,", \
        "Most that " what " may cost; provider.max_price." name)

#define MANIFEST_KEYS \
    KEY("order", "strings", "", \
        "Providers to try first, in this order (provider.order)") "," \
    KEY("only", "strings", "", \
        "No other providers than these (provider.only)") "," \
    KEY("ignore", "strings", "", \
        "Providers never to use (provider.ignore)") "," \
    KEY("quantizations", "strings", "", \
        "Quantizations that will do, such as fp8 and bf16 " \
        "(provider.quantizations)") "," \
    KEY("allow_fallbacks", "bool", "", \
        "false: no other provider when those of order are down " \
        "(provider.allow_fallbacks)") "," \
    KEY("require_parameters", "bool", "", \
        "true: only providers that know every parameter of the request; " \
        "others ignore what they do not know, and nobody says so " \
        "(provider.require_parameters)") "," \
    KEY("zdr", "bool", "", \
        "true: only providers that retain nothing (provider.zdr)") "," \
    KEY("data_collection", "string", "\"choices\":[\"allow\",\"deny\"],", \
        "deny: only providers that do not collect data " \
        "(provider.data_collection)") "," \
    KEY("sort", "string", "\"choices\":[\"price\",\"throughput\"," \
        "\"latency\",\"exacto\"],", \
        "What providers are sorted by, instead of balancing between them " \
        "(provider.sort)") "," \
    PRICE("prompt", "a million tokens of input, in US dollars,") "," \
    PRICE("completion", "a million tokens of output, in US dollars,") "," \
    PRICE("request", "a request, in US dollars,") "," \
    PRICE("image", "an image, in US dollars,") "," \
    PRICE("audio", "audio, in US dollars,") "," \
    KEY("referer", "string", "", \
        "URL of your site, for OpenRouter's rankings; sent as HTTP-Referer") \
    "," \
    KEY("title", "string", "", \
        "Name of your application; sent as X-OpenRouter-Title") "," \
    KEY("client_attribution", "bool", "\"default\":true,", \
        "Send on what a client calls itself (HTTP-Referer, X-Title, " \
        "X-OpenRouter-Title), in place of referer and title") "," \
    KEY("categories", "strings", "", \
        "At most two categories of your application, in lower case with " \
        "hyphens; sent as X-OpenRouter-Categories")

#define MANIFEST \
    "{\"abi\":\"0.1\",\"id\":\"openrouter\",\"version\":\"0.1.0\"," \
    "\"license\":\"MIT\",\"name\":\"OpenRouter\",\"kind\":\"codec\"," \
    "\"base_url\":\"https://openrouter.ai/api/v1\"," \
    "\"env\":{\"OPENROUTER_API_KEY\":\"api_key\"," \
    "\"OPENROUTER_BASE_URL\":\"base_url\"," \
    "\"OPENROUTER_DEFAULT_MODEL\":\"default_model\"}," \
    "\"needs\":[\"api_key\",\"base_url\"],\"own\":[\"models\"]," \
    "\"models\":[" MANIFEST_MODELS "],\"keys\":[" MANIFEST_KEYS "]}"

/* clang-format on */

#endif
