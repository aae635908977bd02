/* SPDX-License-Identifier: MIT */
/* The input of a Responses request: items in, messages out.
 *
 * What the model said is one message of the assistant, however many items it
 * came in, until an item of somebody else: its reasoning, its text and its
 * calls belong together, and the calls' outputs have to follow at once. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "dialect/opaque.h"
#include "dialect/responses_in.h"
#include <patchbay/json.h>

typedef struct json_object js;

static bool is(js *v, enum json_type type)
{
    return json_object_is_type(v, type);
}

static bool named(js *o, const char *type)
{
    return strcmp(js_cstr(o, "type", ""), type) == 0;
}

/* --- parts --------------------------------------------------------------- */

static js *part_of(js *parts, const char *type)
{
    js *part = json_object_new_object();

    json_object_object_add(part, "type", json_object_new_string(type));
    json_object_array_add(parts, part);
    return part;
}

static int text_part(struct rs_in *in, js *p, js *parts)
{
    if (!js_typed(p, "text", json_type_string))
        return rs_bad(in, in->where, "needs text, a string");
    rs_put(part_of(parts, "text"), "text", js_get(p, "text"));
    return 0;
}

static int refusal_part(struct rs_in *in, js *p, js *parts)
{
    if (!js_typed(p, "refusal", json_type_string))
        return rs_bad(in, in->where, "needs refusal, a string");
    rs_put(part_of(parts, "refusal"), "refusal", js_get(p, "refusal"));
    return 0;
}

static int image_part(struct rs_in *in, js *p, js *parts)
{
    js *image;

    if (!js_typed(p, "image_url", json_type_string))
        return rs_bad(in, in->where,
                      "this provider takes images by image_url, a URL or a "
                      "data URI");
    image = json_object_new_object();
    json_object_object_add(part_of(parts, "image_url"), "image_url", image);
    rs_put(image, "url", js_get(p, "image_url"));
    if (js_get(p, "detail"))
        rs_put(image, "detail", js_get(p, "detail"));
    return 0;
}

static int file_part(struct rs_in *in, js *p, js *parts)
{
    static const char *const kept[] = {"file_data", "file_id", "filename"};
    js *file;

    if (js_get(p, "file_url") ||
        (!js_get(p, "file_data") && !js_get(p, "file_id")))
        return rs_bad(in, in->where,
                      "this provider takes files by file_data, a data URI");
    file = json_object_new_object();
    json_object_object_add(part_of(parts, "file"), "file", file);
    for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
        if (js_get(p, kept[i]))
            rs_put(file, kept[i], js_get(p, kept[i]));
    return 0;
}

static int audio_part(struct rs_in *in, js *p, js *parts)
{
    if (!js_typed(p, "input_audio", json_type_object))
        return rs_bad(in, in->where, "needs input_audio, an object");
    rs_put(part_of(parts, "input_audio"), "input_audio",
           js_get(p, "input_audio"));
    return 0;
}

enum side {
    INPUT = 1, /* what somebody tells the model */
    OUTPUT = 2 /* what it said */
};

static const struct {
    const char *type;
    int sides;
    int (*read)(struct rs_in *in, js *p, js *parts);
} kinds[] = {
    {"input_text", INPUT | OUTPUT, text_part},
    {"output_text", INPUT | OUTPUT, text_part},
    {"text", INPUT | OUTPUT, text_part},
    {"refusal", OUTPUT, refusal_part},
    {"input_image", INPUT, image_part},
    {"input_file", INPUT, file_part},
    {"input_audio", INPUT, audio_part},
};

static int read_part(struct rs_in *in, js *p, enum side side, js *parts)
{
    const char *type = js_cstr(p, "type", "");

    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (strcmp(type, kinds[i].type) == 0 && (kinds[i].sides & side))
            return kinds[i].read(in, p, parts);
    return rs_bad(in, in->where, "a part of type \"%s\" can't stand here",
                  type);
}

/* A content, text or parts, to the end of `parts`. */
static int read_content(struct rs_in *in, js *content, enum side side,
                        js *parts)
{
    char item[64];
    int rc = 0;

    if (is(content, json_type_string)) {
        rs_put(part_of(parts, "text"), "text", content);
        return 0;
    }
    if (!is(content, json_type_array))
        return rs_bad(in, in->where, "must be a string or a list of parts");
    snprintf(item, sizeof(item), "%.60s", in->where);
    for (size_t i = 0; rc == 0 && i < json_object_array_length(content); i++) {
        snprintf(in->where, sizeof(in->where), "%s[%zu]", item, i);
        rc = read_part(in, json_object_array_get_idx(content, i), side, parts);
    }
    return rc;
}

/* Text alone is a string: every provider takes that. */
static void put_content(js *msg, js *parts)
{
    size_t n = json_object_array_length(parts);
    js *first = n ? json_object_array_get_idx(parts, 0) : NULL;

    if (n == 1 && named(first, "text"))
        rs_put(msg, "content", js_get(first, "text"));
    else
        rs_put(msg, "content", n ? parts : NULL);
}

/* --- the model's turn ---------------------------------------------------- */

static js *turn(struct rs_in *in)
{
    if (!in->turn) {
        in->turn = rs_message(in, "assistant");
        in->parts = json_object_new_array();
    }
    return in->turn;
}

static void end_turn(struct rs_in *in)
{
    size_t n = json_object_array_length(in->messages);

    if (!in->turn)
        return;
    put_content(in->turn, in->parts);
    /* Thoughts of which nothing came are nothing to a provider. */
    if (!json_object_array_length(in->parts) && !js_get(in->turn, "tool_calls"))
        json_object_array_del_idx(in->messages, n - 1, 1);
    json_object_put(in->parts);
    in->parts = in->turn = NULL;
}

/* The list of that name in the turn, made if need be. */
static js *list_of(js *msg, const char *name)
{
    js *list = js_get(msg, name);

    if (!list) {
        list = json_object_new_array();
        json_object_object_add(msg, name, list);
    }
    return list;
}

static int read_call(struct rs_in *in, js *item)
{
    js *call, *fn;

    if (!js_typed(item, "call_id", json_type_string) ||
        !js_typed(item, "name", json_type_string) ||
        !js_typed(item, "arguments", json_type_string))
        return rs_bad(in, in->where,
                      "a function_call needs call_id, name and arguments, "
                      "strings");
    call = json_object_new_object();
    fn = json_object_new_object();
    rs_put(call, "id", js_get(item, "call_id"));
    json_object_object_add(call, "type", json_object_new_string("function"));
    rs_put(fn, "name", js_get(item, "name"));
    rs_put(fn, "arguments", js_get(item, "arguments"));
    json_object_object_add(call, "function", fn);
    json_object_array_add(list_of(turn(in), "tool_calls"), call);
    return 0;
}

static int read_reasoning(struct rs_in *in, js *item)
{
    const char *secret = js_cstr(item, "encrypted_content", NULL);
    js *block;

    if (!secret)
        return 0;
    block = opaque_is(secret) ? opaque_unwrap(secret) : json_object_get(item);
    if (!block)
        return rs_bad(in, in->where,
                      "encrypted_content was changed on its way; send it back "
                      "as it came");
    json_object_array_add(list_of(turn(in), "patchbay_blocks"), block);
    return 0;
}

/* --- items --------------------------------------------------------------- */

static int read_message(struct rs_in *in, js *item)
{
    const char *role = js_cstr(item, "role", "");
    js *content = js_get(item, "content"), *parts, *msg;
    size_t n = strlen(in->where);
    int rc;

    snprintf(in->where + n, sizeof(in->where) - n, ".content");
    if (strcmp(role, "assistant") == 0) {
        turn(in);
        return read_content(in, content, OUTPUT, in->parts);
    }
    end_turn(in);
    if (strcmp(role, "user") != 0 && strcmp(role, "system") != 0 &&
        strcmp(role, "developer") != 0) {
        snprintf(in->where + n, sizeof(in->where) - n, ".role");
        return rs_bad(in, in->where,
                      "must be user, assistant, system or developer");
    }
    parts = json_object_new_array();
    msg = rs_message(in, role);
    rc = read_content(in, content, INPUT, parts);
    put_content(msg, parts);
    json_object_put(parts);
    return rc;
}

static int read_output(struct rs_in *in, js *item)
{
    js *output = js_get(item, "output"), *msg, *parts;
    int rc = 0;

    end_turn(in);
    if (!js_typed(item, "call_id", json_type_string))
        return rs_bad(in, in->where, "needs call_id, a string");
    msg = rs_message(in, "tool");
    rs_put(msg, "tool_call_id", js_get(item, "call_id"));
    if (is(output, json_type_string)) {
        rs_put(msg, "content", output);
        return 0;
    }
    if (!is(output, json_type_array))
        return rs_bad(in, in->where, "output must be text or a list of parts");
    parts = json_object_new_array();
    json_object_object_add(msg, "content", parts);
    for (size_t i = 0; rc == 0 && i < json_object_array_length(output); i++) {
        js *p = json_object_array_get_idx(output, i);
        rc = named(p, "input_text")
                 ? text_part(in, p, parts)
                 : rs_bad(in, in->where,
                          "this provider takes only text as a function's "
                          "output, not \"%s\"",
                          js_cstr(p, "type", "?"));
    }
    return rc;
}

static int read_item(struct rs_in *in, js *item, size_t i)
{
    const char *type = js_cstr(item, "type", "");

    snprintf(in->where, sizeof(in->where), "input[%zu]", i);
    if (!*type && js_get(item, "role"))
        type = "message"; /* the short form */
    if (strcmp(type, "message") == 0)
        return read_message(in, item);
    if (strcmp(type, "function_call") == 0)
        return read_call(in, item);
    if (strcmp(type, "function_call_output") == 0)
        return read_output(in, item);
    if (strcmp(type, "reasoning") == 0)
        return read_reasoning(in, item);
    if (strcmp(type, "item_reference") == 0)
        return rs_bad(in, in->where,
                      "this provider keeps no items; send the item itself");
    return rs_bad(in, in->where, "this provider takes no item of type \"%s\"",
                  type);
}

int rs_read_input(struct rs_in *in)
{
    js *input = js_get(in->src, "input");
    js *instructions = js_get(in->src, "instructions");
    int rc = 0;

    if (instructions)
        rs_put(rs_message(in, "system"), "content", instructions);
    if (is(input, json_type_string)) {
        rs_put(rs_message(in, "user"), "content", input);
        return 0;
    }
    if (!is(input, json_type_array))
        return rs_bad(in, "input", "required, a string or a list of items");
    for (size_t i = 0; rc == 0 && i < json_object_array_length(input); i++)
        rc = read_item(in, json_object_array_get_idx(input, i), i);
    end_turn(in);
    return rc;
}
