/* SPDX-License-Identifier: MIT */
/* llamacpp.so: the manifest. */
#ifndef PBAY_LLAMACPP_MANIFEST_H
#define PBAY_LLAMACPP_MANIFEST_H

/* clang-format off */

#define KEY_WORD(name, words, dflt, doc) \
    "{\"name\":\"" name "\",\"type\":\"string\",\"default\":\"" dflt "\"," \
    "\"choices\":[" words "],\"doc\":\"" doc "\"}"

#define KEY_WORDS(name, words, doc) \
    "{\"name\":\"" name "\",\"type\":\"string\"," \
    "\"choices\":[" words "],\"doc\":\"" doc "\"}"
#define CACHE_TYPES "\"f32\",\"f16\",\"bf16\",\"q8_0\",\"q4_0\"," \
    "\"q4_1\",\"iq4_nl\",\"q5_0\",\"q5_1\""

#define KEY(name, type, more, doc) \
    "{\"name\":\"" name "\",\"type\":\"" type "\"," more \
    "\"doc\":\"" doc "\"}"

#define MANIFEST_KEYS \
    KEY("models_dir", "string", "", \
        "A directory with GGUF files; the list of models comes from their " \
        "headers. Without base_url the host starts a llama-server for each " \
        "model that is asked for. With base_url: what the server there was " \
        "started with as a router (--models-dir). On WSL D:\\\\models is " \
        "/mnt/d/models") "," \
    KEY("server", "string", "\"default\":\"llama-server\",", \
        "The program to start: a name in PATH, or an absolute path") "," \
    KEY("threads", "int", "\"min\":0,\"max\":4096,", \
        "Threads of each server (-t); 0: as many as it likes") "," \
    KEY("default_threads", "int", "\"min\":0,\"max\":4096,", \
        "Another name of threads") "," \
    KEY("gpu_layers", "int", "\"min\":-1,\"max\":100000,", \
        "Layers on the graphics card (-ngl); 0: none, -1: as the server " \
        "likes") "," \
    KEY("default_gpu_layers", "int", "\"min\":-1,\"max\":100000,", \
        "Another name of gpu_layers") "," \
    KEY("context_size", "int", "\"min\":0,\"max\":2147483647,", \
        "Context window in tokens, of all slots together (-c); 0: as the " \
        "server likes") "," \
    KEY("slots", "int", "\"min\":0,\"max\":4096,", \
        "Requests that a server works on at once (-np); others wait. 0: as " \
        "the server likes") "," \
    KEY_WORDS("flash_attention", "\"on\",\"off\",\"auto\"", \
        "Flash attention (-fa)") "," \
    KEY_WORDS("cache_type_k", CACHE_TYPES, \
        "Type of the KV cache's keys (-ctk)") "," \
    KEY_WORDS("cache_type_v", CACHE_TYPES, \
        "Type of the KV cache's values (-ctv); smaller ones need flash " \
        "attention") "," \
    KEY_WORD("embeddings", "\"auto\",\"on\",\"off\"", "auto", \
        "Start the server for embeddings (--embeddings). auto: if the model's " \
        "header says that it is made for them") "," \
    KEY("extra_args", "strings", "", \
        "Further arguments of the server, one word each") "," \
    KEY("server_env", "strings", "", \
        "Variables of its environment, NAME=value: it gets none of the host's " \
        "but PATH and the like") "," \
    KEY("memory", "size", "", \
        "What a server needs, for backends.max_memory; without it the size of " \
        "the model's files") "," \
    KEY("start_timeout", "duration", "\"default\":\"5m\",\"min\":1,", \
        "How long a server may take to load its model") "," \
    KEY("stop_after", "duration", "\"default\":\"5m\",", \
        "Stop a server after so long without a request; 0: never") "," \
    KEY_WORD("unsupported", "\"refuse\",\"drop\"", "refuse", \
        "Fields of a request that llama-server would ignore though they " \
        "change the answer. refuse: an error that names the field; drop: the " \
        "field is left out, with a warning") "," \
    KEY_WORD("count_route", "\"input_tokens\",\"template\"", "input_tokens", \
        "How prompts are counted. input_tokens: by the server's own " \
        "/v1/chat/completions/input_tokens; template: /apply-template, then " \
        "/tokenize, for servers that are too old for the first")

#define MANIFEST \
    "{\"abi\":\"0.1\",\"id\":\"llamacpp\",\"version\":\"0.1.0\"," \
    "\"license\":\"MIT\",\"name\":\"llama.cpp server\"," \
    "\"kind\":\"codec\",\"aliases\":[\"llama-cpp\"],\"local\":true," \
    "\"base_url\":\"http://127.0.0.1:8080\"," \
    "\"env\":{\"LLAMACPP_URL\":\"base_url\"," \
    "\"LLAMACPP_MODELS_DIR\":\"models_dir\"," \
    "\"LLAMACPP_API_KEY\":\"api_key\"," \
    "\"LLAMACPP_DEFAULT_MODEL\":\"default_model\"}," \
    "\"needs\":[\"base_url\",\"models_dir\"]," \
    "\"keys\":[" MANIFEST_KEYS "]}"

/* clang-format on */

#endif
