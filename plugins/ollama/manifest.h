/* SPDX-License-Identifier: MIT */
/* ollama.so: the manifest.  It names no models: what an Ollama server has is
 * what somebody pulled there, under whatever names. */
#ifndef PBAY_OLLAMA_MANIFEST_H
#define PBAY_OLLAMA_MANIFEST_H

/* clang-format off */

#define KEY(name, type, more, doc) \
    "{\"name\":\"" name "\",\"type\":\"" type "\"," more \
    "\"doc\":\"" doc "\"}"
#define WORD(name, words, dflt, doc) \
    KEY(name, "string", \
        "\"default\":\"" dflt "\",\"choices\":[" words "],", doc)

#define MANIFEST_KEYS \
    KEY("keep_alive", "string", "", \
        "How long a model stays loaded after a request: 10m, a number of " \
        "seconds, 0 to unload at once, -1 to keep it. Without it the " \
        "server's own setting counts (5m)") "," \
    KEY("num_ctx", "int", "\"min\":1,\"max\":16777216,", \
        "Context window to run models with, in tokens. A model is loaded " \
        "again when it changes. Without it the server decides") "," \
    KEY("options", "strings", "", \
        "Further options of Ollama where a request does not say: " \
        "NAME=VALUE, the value as JSON, as in top_k=20") "," \
    WORD("think", "\"auto\",\"true\",\"false\",\"low\",\"medium\"," \
         "\"high\",\"max\"", "auto", \
         "Whether models think where a request does not say. auto: as the " \
         "model does by itself") "," \
    KEY("truncate", "bool", "\"default\":true,", \
        "true: a prompt that does not fit the context window is cut by the " \
        "server, as is its habit. false: it is an error") "," \
    KEY("list_details", "bool", "\"default\":true,", \
        "Ask for the details of listed models that the list leaves out " \
        "(context length, capabilities), of the first 14 such models") "," \
    WORD("unsupported", "\"refuse\",\"drop\"", "refuse", \
         "What becomes of request fields that Ollama does not have. refuse: " \
         "the request is refused, naming the field; drop: they are left " \
         "out, with a warning")

#define MANIFEST \
    "{\"abi\":\"0.1\",\"id\":\"ollama\",\"version\":\"0.1.0\"," \
    "\"license\":\"MIT\",\"name\":\"Ollama\"," \
    "\"kind\":\"codec\",\"local\":true," \
    "\"base_url\":\"http://127.0.0.1:11434\"," \
    "\"env\":{\"OLLAMA_HOST\":\"base_url\",\"OLLAMA_URL\":\"base_url\"," \
    "\"OLLAMA_BASE_URL\":\"base_url\",\"OLLAMA_API_KEY\":\"api_key\"," \
    "\"OLLAMA_DEFAULT_MODEL\":\"default_model\"}," \
    "\"needs\":[\"base_url\",\"api_key\"]," \
    "\"models\":[],\"keys\":[" MANIFEST_KEYS "]}"

/* clang-format on */

#endif
