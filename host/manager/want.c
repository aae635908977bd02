/* SPDX-License-Identifier: MIT */
/* What a request is like; see want.h. */
#include "manager/want.h"

#include "base/ability.h"
#include "base/str.h"
#include "base/tokens.h"
#include <patchbay/json.h>
#include <patchbay/request.h>

uint64_t want_input(struct want *w)
{
    if (!w->has_input)
        /* Else four bytes a token, as English text has them. */
        w->input = w->canonical && w->op == PBAY_OP_CHAT
                       ? tokens_of_chat(w->members, w->n_members)
                       : w->body.n / 4 + 1;
    w->has_input = true;
    return w->input;
}

uint64_t want_text(struct want *w)
{
    if (!w->has_text)
        w->text = w->op == PBAY_OP_CHAT
                      ? tokens_of_chat_text(w->members, w->n_members)
                      : 0;
    w->has_text = true;
    return w->text;
}

static uint64_t number(pbay_str v)
{
    int64_t n;

    return pbay_json_type(v) == 'n' && pbay_json_i64(v, &n) == 0 && n > 0
               ? (uint64_t)n
               : 0;
}

uint64_t want_most(const pbay_kv *members, size_t n)
{
    static const char *const names[] = {"max_tokens", "max_completion_tokens",
                                        "max_output_tokens"};
    uint64_t most = 0;

    for (size_t i = 0; i < n && !most; i++) {
        for (size_t k = 0; k < sizeof(names) / sizeof(*names); k++)
            if (str_is(members[i].k, names[k]))
                most = number(members[i].v);
        if (str_is(members[i].k, "options")) /* Ollama's */
            most = number(pbay_json_get(members[i].v, "num_predict"));
    }
    return most;
}

uint64_t want_output(const struct want *w)
{
    uint64_t most = want_most(w->members, w->n_members);

    if (w->op != PBAY_OP_CHAT)
        return 0;
    return most && most < WANT_OUTPUT ? most : WANT_OUTPUT;
}

/* --- needs --------------------------------------------------------------- */

static bool is_image(pbay_str part)
{
    pbay_str type = pbay_json_get(part, "type");

    return pbay_json_is(type, "image_url") || pbay_json_is(type, "image") ||
           pbay_json_is(type, "input_image");
}

static bool filled(pbay_str v)
{
    size_t pos = 0;
    pbay_str one;

    return pbay_json_type(v) == 'a' && pbay_json_next(v, &pos, NULL, &one) > 0;
}

/* Messages of any dialect: pictures are parts of their content, or Ollama's
 * member of its own. */
static void read_messages(struct want *w, pbay_str messages)
{
    pbay_str m, part;
    size_t pos = 0;

    while (pbay_json_type(messages) == 'a' &&
           pbay_json_next(messages, &pos, NULL, &m) > 0) {
        pbay_str content = pbay_json_get(m, "content");
        size_t at = 0;

        w->turns++;
        if (filled(pbay_json_get(m, "images")))
            w->needs |= ABLE_VISION;
        while (pbay_json_type(content) == 'a' &&
               pbay_json_next(content, &at, NULL, &part) > 0)
            if (is_image(part))
                w->needs |= ABLE_VISION;
    }
}

static bool has_schema(const struct want *w)
{
    pbay_str format =
        pbay_json_find(w->members, w->n_members, "response_format");
    pbay_str text = pbay_json_find(w->members, w->n_members, "text");
    pbay_str config = pbay_json_find(w->members, w->n_members, "output_config");

    if (pbay_json_type(pbay_json_find(w->members, w->n_members, "format")) ==
        'o')
        return true; /* Ollama's */
    if (!format.n)
        format = pbay_json_get(text, "format"); /* Responses */
    if (!format.n)
        format = pbay_json_get(config, "format"); /* Anthropic's */
    return pbay_json_is(pbay_json_get(format, "type"), "json_schema");
}

static bool wants_reasoning(const struct want *w)
{
    pbay_str v = pbay_json_find(w->members, w->n_members, "reasoning_effort");

    if (pbay_json_type(v) == 's')
        return !pbay_json_is(v, "none");
    v = pbay_json_find(w->members, w->n_members, "reasoning");
    if (pbay_json_type(v) == 'o')
        return !pbay_json_is(pbay_json_get(v, "effort"), "none");
    v = pbay_json_find(w->members, w->n_members, "thinking");
    if (pbay_json_type(v) == 'o')
        return !pbay_json_is(pbay_json_get(v, "type"), "disabled");
    v = pbay_json_find(w->members, w->n_members, "think");
    return pbay_json_true(v) || pbay_json_type(v) == 's';
}

uint32_t want_needs(struct want *w)
{
    if (w->has_needs)
        return w->needs;
    w->has_needs = true;
    switch (w->op) {
    case PBAY_OP_CHAT:
        w->needs |= ABLE_CHAT;
        break;
    case PBAY_OP_EMBED:
        w->needs |= ABLE_EMBEDDINGS;
        break;
    case PBAY_OP_MODERATE:
        w->needs |= ABLE_MODERATION;
        break;
    case PBAY_OP_IMAGE:
        w->needs |= ABLE_IMAGES;
        break;
    default:
        break;
    }
    if (w->op != PBAY_OP_CHAT)
        return w->needs;
    read_messages(w, pbay_json_find(w->members, w->n_members, "messages"));
    read_messages(w, pbay_json_find(w->members, w->n_members, "input"));
    if (filled(pbay_json_find(w->members, w->n_members, "tools")))
        w->needs |= ABLE_TOOLS;
    if (has_schema(w))
        w->needs |= ABLE_STRUCTURED;
    if (wants_reasoning(w))
        w->needs |= ABLE_REASONING;
    if (want_input(w) >= ABILITY_LONG)
        w->needs |= ABLE_LONG;
    return w->needs;
}

static uint64_t at_most(uint64_t n, uint64_t most)
{
    return n < most ? n : most;
}

unsigned want_complexity(struct want *w)
{
    uint32_t n = want_needs(w);
    uint64_t sum = at_most(want_input(w) / 100, 40);

    sum += n & ABLE_TOOLS ? 20 : 0;
    sum += n & ABLE_STRUCTURED ? 10 : 0;
    sum += n & ABLE_REASONING ? 10 : 0;
    return (unsigned)(sum + at_most(w->turns ? (w->turns - 1) * 2 : 0, 20));
}
