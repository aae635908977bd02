/* SPDX-License-Identifier: MIT */
/* OpenAI's language: what the plugins that speak it read of their
 * configuration. */
#include <stdlib.h>
#include <string.h>

#include "oai.h"

int oai_take_string(pbay_str config, const char *name, const char *dflt,
                    pbay_str *to)
{
    pbay_str v = pbay_json_get(config, name);
    char *p;
    int64_t n;

    if (pbay_json_type(v) != 's') {
        n = (int64_t)strlen(dflt);
        p = malloc((size_t)n + 1);
        if (p)
            memcpy(p, dflt, (size_t)n);
    } else {
        p = malloc(v.n);
        n = p ? pbay_json_unescape(v, p, v.n) : -1;
    }
    if (!p || n < 0) {
        free(p);
        return 0;
    }
    *to = (pbay_str){p, (size_t)n};
    return 1;
}

int oai_take_word(pbay_str config, const char *name, const char *const *words)
{
    pbay_str v = pbay_json_get(config, name);

    for (int i = 0; words[i]; i++)
        if (pbay_json_is(v, words[i]))
            return i;
    return 0;
}

/* Header values may not break out of their line. */
int oai_bad_header(const pbay_host *host, const char *name, pbay_str value)
{
    char text[128] = "";
    pbay_out w = {.p = text, .room = sizeof text};

    for (size_t i = 0; i < value.n; i++)
        if ((unsigned char)value.p[i] < ' ' || value.p[i] == 0x7f) {
            pbay_out_cstr(&w, name);
            pbay_out_cstr(&w, " must not contain control characters");
            host->log(host, PBAY_LOG_ERROR, (pbay_str){w.p, w.n});
            return 1;
        }
    return 0;
}

/* Names of members that can be left out of a chat without it being none. */
static int can_be_lacking(pbay_str value)
{
    static const char *const needed[] = {"model", "messages", "stream"};

    if (pbay_json_type(value) != 's' || value.n < 3 ||
        value.n - 2 > OAI_LACKS_LENGTH)
        return 0;
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (pbay_json_is(value, needed[i]))
            return 0;
    for (size_t i = 1; i + 1 < value.n; i++) {
        char b = value.p[i];
        if (!((b >= 'a' && b <= 'z') || (b >= '0' && b <= '9') || b == '_'))
            return 0;
    }
    return 1;
}

static pbay_rc take_lacks(struct openai *o, pbay_str config)
{
    pbay_str list = pbay_json_get(config, "lacks"), v;
    size_t pos = 0, n = 0;
    char *p;

    while (pbay_json_next(list, &pos, NULL, &v))
        if (++n > OAI_LACKS_MAX || !can_be_lacking(v)) {
            o->host->log(o->host, PBAY_LOG_ERROR,
                         OA("lacks must be at most 12 names of members of a "
                            "chat, such as \"logprobs\"; model, messages and "
                            "stream cannot be among them"));
            return PBAY_FAIL;
        }
    if (!n)
        return PBAY_OK;
    p = malloc(list.n);
    if (!p)
        return PBAY_NOMEM;
    memcpy(p, list.p, list.n);
    o->lacks = (pbay_str){p, list.n};
    return PBAY_OK;
}

pbay_rc oai_take_quirks(struct openai *o, pbay_str config)
{
    static const char *const fields[] = {
        "auto", "max_tokens", "max_completion_tokens", "as-is", NULL};
    static const char *const seeds[] = {"seed", "random_seed", NULL};
    static const char *const ends[] = {"done", "finish", NULL};
    static const char *const lookups[] = {"get", "list", NULL};
    static const char *const outputs[] = {"total", "without_reasoning", NULL};
    static const char *const roles[] = {"as-is", "system", NULL};
    static const char *const ids[] = {"as-is", "mistral", NULL};
    static const char *const stops[] = {"as-is", "list", NULL};
    static const char *const echoes[] = {"as-is", "reasoning_content",
                                         "reasoning", "none", NULL};
    pbay_str v = pbay_json_get(config, "stream_options");

    o->stream_options = pbay_json_type(v) != 'b' || pbay_json_true(v);
    o->max_tokens_field = oai_take_word(config, "max_tokens_field", fields);
    o->random_seed = oai_take_word(config, "seed_field", seeds);
    o->end_at_finish = oai_take_word(config, "end_mark", ends);
    o->lookup_in_list = oai_take_word(config, "model_lookup", lookups);
    o->reasoning_extra = oai_take_word(config, "usage_output", outputs);
    o->plain_roles = oai_take_word(config, "developer_role", roles);
    o->short_ids = oai_take_word(config, "tool_ids", ids);
    o->stop_list = oai_take_word(config, "stop_form", stops);
    o->echo = oai_take_word(config, "reasoning_echo", echoes);
    o->drop = pbay_json_is(pbay_json_get(config, "unsupported"), "drop");
    return take_lacks(o, config);
}
