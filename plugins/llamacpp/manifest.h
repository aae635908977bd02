/* SPDX-License-Identifier: MIT */
/* llamacpp.so: the manifest. */
#ifndef PBAY_LLAMACPP_MANIFEST_H
#define PBAY_LLAMACPP_MANIFEST_H

/* clang-format off */

#define KEY_WORD(name, words, dflt, doc) \
    "{\"name\":\"" name "\",\"type\":\"string\",\"default\":\"" dflt "\"," \
    "\"choices\":[" words "],\"doc\":\"" doc "\"}"

#define MANIFEST_KEYS \
    "{\"name\":\"models_dir\",\"type\":\"string\"," \
        "\"doc\":\"The directory that llama-server was started with as a " \
        "router (--models-dir), where this host can read it too. The list of " \
        "models then comes from the headers of its GGUF files. On WSL " \
        "D:\\\\models is /mnt/d/models\"}," \
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
    "\"LLAMACPP_API_KEY\":\"api_key\"}," \
    "\"needs\":[\"base_url\"]," \
    "\"keys\":[" MANIFEST_KEYS "]}"

/* clang-format on */

#endif
