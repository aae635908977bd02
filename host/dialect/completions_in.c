/* SPDX-License-Identifier: MIT */
/* Legacy completions, translated; the table is in completions_in.h. */
#include "dialect/completions_in.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include <patchbay/json.h>

#define MAX_TOKENS 16 /* the API's own default */

typedef struct json_object js;

static int bad(struct err *e, const char *param, const char *why)
{
    err_set(e, PBAY_E_INVALID, "%s: %s", param, why);
    snprintf(e->param, sizeof(e->param), "%s", param);
    return -1;
}

static void put(js *to, const char *name, js *v)
{
    json_object_object_add(to, name, json_object_get(v));
}

static bool is(js *v, enum json_type type)
{
    return json_object_is_type(v, type);
}

static int read_prompt(js *src, js *dst, struct err *e)
{
    js *prompt = js_get(src, "prompt"), *list, *msg;

    if (is(prompt, json_type_array)) {
        if (json_object_array_length(prompt) != 1)
            return bad(e, "prompt",
                       "several prompts in one request cannot be said to a "
                       "chat; send one request for each");
        prompt = json_object_array_get_idx(prompt, 0);
    }
    if (!is(prompt, json_type_string))
        return bad(e, "prompt",
                   "one text is wanted; tokens cannot be said to a chat");
    msg = json_object_new_object();
    json_object_object_add(msg, "role", json_object_new_string("user"));
    put(msg, "content", prompt);
    list = json_object_new_array();
    json_object_array_add(list, msg);
    json_object_object_add(dst, "messages", list);
    return 0;
}

static bool says_nothing(js *v)
{
    return !v || (is(v, json_type_boolean) && !json_object_get_boolean(v)) ||
           (is(v, json_type_string) && !json_object_get_string_len(v));
}

/* What a chat has no word for. */
static int read_refused(js *src, struct err *e)
{
    static const char *const none[] = {"echo", "suffix", "logprobs"};
    int64_t n = js_int(src, "n", 1), best = js_int(src, "best_of", 1);

    for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
        if (!says_nothing(js_get(src, none[i])))
            return bad(e, none[i],
                       "this cannot be said to a chat, which is what answers "
                       "here; remove it");
    if (best != 1 && best != n)
        return bad(e, "best_of", "must be n here, or be left out");
    return 0;
}

static int read_fields(js *src, js *dst, struct err *e)
{
    static const char *const same[] = {"model",
                                       "temperature",
                                       "top_p",
                                       "n",
                                       "stop",
                                       "seed",
                                       "presence_penalty",
                                       "frequency_penalty",
                                       "logit_bias",
                                       "user",
                                       "stream",
                                       "stream_options"};
    static const char *const elsewhere[] = {"prompt", "max_tokens", "best_of",
                                            "echo",   "suffix",     "logprobs"};
    size_t ns = sizeof(same) / sizeof(*same), i;
    size_t ne = sizeof(elsewhere) / sizeof(*elsewhere);

    json_object_object_foreach (src, name, value) {
        for (i = 0; i < ns && strcmp(name, same[i]) != 0; i++)
            ;
        if (i < ns) {
            if (value)
                put(dst, name, value);
            continue;
        }
        for (i = 0; i < ne && strcmp(name, elsewhere[i]) != 0; i++)
            ;
        if (i == ne)
            return bad(e, name, "there is no such field here; remove it");
    }
    return 0;
}

int cp_to_canonical(pbay_str body, struct buf *out, struct err *e)
{
    js *src = NULL, *dst = NULL, *limit;
    struct js_error je;
    int rc = -1;

    if (js_parse(body, PBAY_JSON_DEPTH, &src, &je) < 0 ||
        !is(src, json_type_object)) {
        err_set(e, ERR_BAD_BODY, "the body must be a JSON object");
        goto out;
    }
    dst = json_object_new_object();
    if (read_fields(src, dst, e) < 0 || read_prompt(src, dst, e) < 0 ||
        read_refused(src, e) < 0)
        goto out;
    limit = js_get(src, "max_tokens");
    json_object_object_add(dst, "max_completion_tokens",
                           limit ? json_object_get(limit)
                                 : json_object_new_int(MAX_TOKENS));
    rc = buf_add(out, js_text(dst)) < 0 ? -1 : 0;
    if (rc < 0)
        err_set(e, ERR_INTERNAL, "out of memory");
out:
    json_object_put(dst);
    json_object_put(src);
    return rc;
}
