/* SPDX-License-Identifier: MIT */
/* Anthropic messages requests, translated; the table is in anthropic_in.h. */
#include "dialect/anthropic_in.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/str.h"
#include "dialect/opaque.h"
#include <patchbay/json.h>

typedef struct json_object js;

struct in {
    js *src, *dst;
    js *messages; /* of dst */
    struct err *e;
    char where[96]; /* "messages[3].content[0]": what is being read */
};

static int bad(struct in *in, const char *param, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static int bad(struct in *in, const char *param, const char *fmt, ...)
{
    char text[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    err_set(in->e, PBAY_E_INVALID, "%s: %s", param, text);
    snprintf(in->e->param, sizeof(in->e->param), "%s", param);
    return -1;
}

static int nomem(struct in *in)
{
    err_set(in->e, ERR_INTERNAL, "out of memory");
    return -1;
}

/* A copy of a reference under a name; NULL values are fine. */
static void put(js *to, const char *name, js *v)
{
    json_object_object_add(to, name, json_object_get(v));
}

static void put_new(js *to, const char *name, js *v)
{
    json_object_object_add(to, name, v);
}

static js *text_part(const char *text, js *cache)
{
    js *part = json_object_new_object();

    put_new(part, "type", json_object_new_string("text"));
    put_new(part, "text", json_object_new_string(text));
    if (cache)
        put(part, "cache_control", cache);
    return part;
}

/* --- parts --------------------------------------------------------------- */

static int data_uri(struct in *in, js *source, struct buf *out)
{
    const char *type = js_cstr(source, "media_type", "");
    const char *data = js_cstr(source, "data", NULL);

    if (!*type || !data)
        return bad(in, in->where, "a base64 source needs media_type and data");
    buf_init(out, LIM_HTTP_BODY * 2);
    if (buf_addc(out, "data:") | buf_addc(out, type) |
        buf_addc(out, ";base64,") | buf_addc(out, data)) {
        buf_done(out);
        return nomem(in);
    }
    return 0;
}

static int read_image(struct in *in, js *block, js *parts)
{
    js *source = js_typed(block, "source", json_type_object);
    const char *kind = js_cstr(source, "type", "");
    js *part, *url;
    struct buf uri;

    if (strcmp(kind, "base64") == 0) {
        if (data_uri(in, source, &uri) < 0)
            return -1;
        url = json_object_new_string_len(buf_str(&uri).p, (int)uri.n);
        buf_done(&uri);
    } else if (strcmp(kind, "url") == 0) {
        url = json_object_new_string(js_cstr(source, "url", ""));
    } else {
        return bad(in, in->where,
                   "an image source must be base64 or url; this "
                   "provider takes no \"%s\"",
                   kind);
    }
    part = json_object_new_object();
    put_new(part, "type", json_object_new_string("image_url"));
    js *image = json_object_new_object();
    put_new(image, "url", url);
    put_new(part, "image_url", image);
    json_object_array_add(parts, part);
    return 0;
}

static int read_document(struct in *in, js *block, js *parts)
{
    js *source = js_typed(block, "source", json_type_object);
    const char *kind = js_cstr(source, "type", "");
    js *part, *file;
    struct buf uri;

    if (strcmp(kind, "text") == 0) {
        json_object_array_add(parts, text_part(js_cstr(source, "data", ""),
                                               js_get(block, "cache_control")));
        return 0;
    }
    if (strcmp(kind, "base64") != 0)
        return bad(in, in->where,
                   "a document source must be base64 or text; "
                   "this provider takes no \"%s\"",
                   kind);
    if (data_uri(in, source, &uri) < 0)
        return -1;
    file = json_object_new_object();
    put_new(file, "filename",
            json_object_new_string(js_cstr(block, "title", "document.pdf")));
    put_new(file, "file_data",
            json_object_new_string_len(buf_str(&uri).p, (int)uri.n));
    buf_done(&uri);
    part = json_object_new_object();
    put_new(part, "type", json_object_new_string("file"));
    put_new(part, "file", file);
    json_object_array_add(parts, part);
    return 0;
}

/* --- messages ------------------------------------------------------------ */

static js *message(const char *role)
{
    js *m = json_object_new_object();

    put_new(m, "role", json_object_new_string(role));
    return m;
}

/* The content of a tool's result: text, or parts of text. */
static int result_content(struct in *in, js *block, js *msg)
{
    js *content = js_get(block, "content"), *parts;

    if (!content) {
        put_new(msg, "content", json_object_new_string(""));
        return 0;
    }
    if (json_object_is_type(content, json_type_string)) {
        put(msg, "content", content);
        return 0;
    }
    if (!json_object_is_type(content, json_type_array))
        return bad(in, in->where,
                   "content must be a string or a list of "
                   "blocks");
    parts = json_object_new_array();
    put_new(msg, "content", parts);
    for (size_t i = 0; i < json_object_array_length(content); i++) {
        js *b = json_object_array_get_idx(content, i);
        if (strcmp(js_cstr(b, "type", ""), "text") != 0)
            return bad(in, in->where,
                       "this provider takes only text in a tool "
                       "result, not \"%s\"",
                       js_cstr(b, "type", "?"));
        json_object_array_add(parts, text_part(js_cstr(b, "text", ""), NULL));
    }
    return 0;
}

static int read_result(struct in *in, js *block)
{
    js *msg = message("tool");

    put_new(msg, "tool_call_id",
            json_object_new_string(js_cstr(block, "tool_use_id", "")));
    if (js_bool(block, "is_error", false))
        put_new(msg, "is_error", json_object_new_boolean(1));
    json_object_array_add(in->messages, msg);
    return result_content(in, block, msg);
}

static int user_block(struct in *in, js *block, js *parts)
{
    const char *type = js_cstr(block, "type", "");

    if (strcmp(type, "text") == 0) {
        json_object_array_add(parts, text_part(js_cstr(block, "text", ""),
                                               js_get(block, "cache_control")));
        return 0;
    }
    if (strcmp(type, "image") == 0)
        return read_image(in, block, parts);
    if (strcmp(type, "document") == 0)
        return read_document(in, block, parts);
    if (strcmp(type, "tool_result") == 0)
        return read_result(in, block);
    return bad(in, in->where, "this provider takes no block of type \"%s\"",
               type);
}

static js *call_of(js *block)
{
    js *call = json_object_new_object(), *fn = json_object_new_object();
    js *input = js_typed(block, "input", json_type_object);

    put_new(call, "id", json_object_new_string(js_cstr(block, "id", "")));
    put_new(call, "type", json_object_new_string("function"));
    put_new(fn, "name", json_object_new_string(js_cstr(block, "name", "")));
    put_new(fn, "arguments",
            json_object_new_string(input ? js_text(input).p : "{}"));
    put_new(call, "function", fn);
    return call;
}

struct assistant {
    js *msg, *parts, *calls, *blocks;
};

static int read_thought(struct in *in, js *block, js *blocks)
{
    const char *data = js_cstr(block, "data", "");
    js *inner;

    if (!opaque_is(data)) {
        json_object_array_add(blocks, json_object_get(block));
        return 0;
    }
    inner = opaque_unwrap(data);
    if (!inner)
        return bad(in, in->where,
                   "a redacted_thinking block was changed on "
                   "its way; send it back as it came");
    json_object_array_add(blocks, inner);
    return 0;
}

static int assistant_block(struct in *in, js *block, struct assistant *a)
{
    const char *type = js_cstr(block, "type", "");

    if (strcmp(type, "text") == 0) {
        json_object_array_add(a->parts,
                              text_part(js_cstr(block, "text", ""), NULL));
    } else if (strcmp(type, "tool_use") == 0) {
        json_object_array_add(a->calls, call_of(block));
    } else if (strcmp(type, "thinking") == 0 ||
               strcmp(type, "redacted_thinking") == 0) {
        return read_thought(in, block, a->blocks);
    } else {
        return bad(in, in->where, "this provider takes no block of type \"%s\"",
                   type);
    }
    return 0;
}

/* Text alone is a string: every provider takes that. */
static void put_content(js *msg, js *parts)
{
    size_t n = json_object_array_length(parts);
    js *only = n == 1 ? json_object_array_get_idx(parts, 0) : NULL;

    if (n == 0)
        put_new(msg, "content", NULL);
    else if (only && !js_get(only, "cache_control") &&
             strcmp(js_cstr(only, "type", ""), "text") == 0)
        put(msg, "content", js_get(only, "text"));
    else
        put(msg, "content", parts);
}

static void put_list(js *to, const char *name, js *list)
{
    if (json_object_array_length(list))
        put(to, name, list);
}

static int read_assistant(struct in *in, js *content)
{
    struct assistant a = {message("assistant"), json_object_new_array(),
                          json_object_new_array(), json_object_new_array()};
    int rc = 0;

    json_object_array_add(in->messages, a.msg);
    for (size_t i = 0; rc == 0 && i < json_object_array_length(content); i++)
        rc = assistant_block(in, json_object_array_get_idx(content, i), &a);
    put_content(a.msg, a.parts);
    put_list(a.msg, "tool_calls", a.calls);
    put_list(a.msg, "patchbay_blocks", a.blocks);
    json_object_put(a.parts);
    json_object_put(a.calls);
    json_object_put(a.blocks);
    return rc;
}

/* Results of tools go in front of what else the user says. */
static int read_user(struct in *in, const char *role, js *content)
{
    js *parts = json_object_new_array(), *msg;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < json_object_array_length(content); i++)
        rc = user_block(in, json_object_array_get_idx(content, i), parts);
    if (rc == 0 && json_object_array_length(parts)) {
        msg = message(role);
        put_content(msg, parts);
        json_object_array_add(in->messages, msg);
    }
    json_object_put(parts);
    return rc;
}

static int read_message(struct in *in, js *m, size_t i)
{
    const char *role = js_cstr(m, "role", "");
    js *content = js_get(m, "content"), *msg;

    snprintf(in->where, sizeof(in->where), "messages[%zu].content", i);
    if (strcmp(role, "user") != 0 && strcmp(role, "assistant") != 0 &&
        strcmp(role, "system") != 0) {
        snprintf(in->where, sizeof(in->where), "messages[%zu].role", i);
        return bad(in, in->where, "must be user, assistant or system");
    }
    if (json_object_is_type(content, json_type_string)) {
        msg = message(role);
        put(msg, "content", content);
        json_object_array_add(in->messages, msg);
        return 0;
    }
    if (!json_object_is_type(content, json_type_array))
        return bad(in, in->where, "must be a string or a list of blocks");
    return strcmp(role, "assistant") == 0 ? read_assistant(in, content)
                                          : read_user(in, role, content);
}

static int read_messages(struct in *in)
{
    js *list = js_typed(in->src, "messages", json_type_array);
    js *system = js_get(in->src, "system"), *msg;
    int rc = 0;

    if (!list)
        return bad(in, "messages", "required, a list");
    if (json_object_is_type(system, json_type_string)) {
        msg = message("system");
        put(msg, "content", system);
        json_object_array_add(in->messages, msg);
    } else if (system) {
        snprintf(in->where, sizeof(in->where), "system");
        if (!json_object_is_type(system, json_type_array))
            return bad(in, "system", "must be a string or a list of blocks");
        rc = read_user(in, "system", system);
    }
    for (size_t i = 0; rc == 0 && i < json_object_array_length(list); i++)
        rc = read_message(in, json_object_array_get_idx(list, i), i);
    return rc;
}

/* --- tools --------------------------------------------------------------- */

static int read_tools(struct in *in)
{
    js *tools = js_get(in->src, "tools"), *out;

    if (!tools)
        return 0;
    if (!json_object_is_type(tools, json_type_array))
        return bad(in, "tools", "must be a list");
    out = json_object_new_array();
    put_new(in->dst, "tools", out);
    for (size_t i = 0; i < json_object_array_length(tools); i++) {
        js *t = json_object_array_get_idx(tools, i);
        const char *type = js_cstr(t, "type", "custom");
        js *fn, *tool;
        if (strcmp(type, "custom") != 0)
            return bad(in, "tools",
                       "\"%s\" is run by one provider's service; "
                       "this provider has no such tool",
                       type);
        fn = json_object_new_object();
        put(fn, "name", js_get(t, "name"));
        if (js_get(t, "description"))
            put(fn, "description", js_get(t, "description"));
        put(fn, "parameters", js_get(t, "input_schema"));
        if (js_get(t, "strict"))
            put(fn, "strict", js_get(t, "strict"));
        tool = json_object_new_object();
        put_new(tool, "type", json_object_new_string("function"));
        put_new(tool, "function", fn);
        if (js_get(t, "cache_control"))
            put(tool, "cache_control", js_get(t, "cache_control"));
        json_object_array_add(out, tool);
    }
    return 0;
}

static int read_tool_choice(struct in *in)
{
    js *choice = js_get(in->src, "tool_choice"), *fn, *out;
    const char *type = js_cstr(choice, "type", "");

    if (!choice)
        return 0;
    if (js_bool(choice, "disable_parallel_tool_use", false))
        put_new(in->dst, "parallel_tool_calls", json_object_new_boolean(0));
    if (strcmp(type, "auto") == 0 || strcmp(type, "none") == 0) {
        put_new(in->dst, "tool_choice", json_object_new_string(type));
    } else if (strcmp(type, "any") == 0) {
        put_new(in->dst, "tool_choice", json_object_new_string("required"));
    } else if (strcmp(type, "tool") == 0) {
        fn = json_object_new_object();
        put(fn, "name", js_get(choice, "name"));
        out = json_object_new_object();
        put_new(out, "type", json_object_new_string("function"));
        put_new(out, "function", fn);
        put_new(in->dst, "tool_choice", out);
    } else {
        return bad(in, "tool_choice", "type must be auto, any, tool or none");
    }
    return 0;
}

/* --- the rest ------------------------------------------------------------ */

static int read_output_config(struct in *in)
{
    js *config = js_get(in->src, "output_config");
    js *format = js_get(config, "format"), *schema, *out;

    if (js_get(config, "effort"))
        put(in->dst, "reasoning_effort", js_get(config, "effort"));
    if (!format)
        return 0;
    if (strcmp(js_cstr(format, "type", ""), "json_schema") != 0)
        return bad(in, "output_config.format", "type must be json_schema");
    schema = json_object_new_object();
    put_new(schema, "name", json_object_new_string("response"));
    put(schema, "schema", js_get(format, "schema"));
    put_new(schema, "strict", json_object_new_boolean(1));
    out = json_object_new_object();
    put_new(out, "type", json_object_new_string("json_schema"));
    put_new(out, "json_schema", schema);
    put_new(in->dst, "response_format", out);
    return 0;
}

static int read_thinking(struct in *in)
{
    js *thinking = js_get(in->src, "thinking");
    const char *type = js_cstr(thinking, "type", "");

    if (!thinking)
        return 0;
    if (strcmp(type, "disabled") == 0)
        put_new(in->dst, "reasoning_effort", json_object_new_string("none"));
    else if (strcmp(type, "enabled") != 0 && strcmp(type, "adaptive") != 0 &&
             strcmp(type, "between_tools") != 0)
        return bad(in, "thinking",
                   "type must be enabled, adaptive, "
                   "between_tools or disabled");
    else if (!js_get(in->dst, "reasoning_effort"))
        put_new(in->dst, "reasoning_effort", json_object_new_string("medium"));
    return 0;
}

static int read_tier(struct in *in)
{
    const char *tier = js_cstr(in->src, "service_tier", NULL);

    if (!tier)
        return 0;
    put_new(in->dst, "service_tier",
            json_object_new_string(
                strcmp(tier, "standard_only") == 0 ? "default" : tier));
    return 0;
}

static const struct {
    const char *name, *canonical; /* canonical NULL: read elsewhere */
} fields[] = {
    {"model", "model"},
    {"stream", "stream"},
    {"temperature", "temperature"},
    {"top_p", "top_p"},
    {"top_k", "top_k"},
    {"max_tokens", "max_completion_tokens"},
    {"stop_sequences", "stop"},
    {"system", NULL},
    {"messages", NULL},
    {"tools", NULL},
    {"tool_choice", NULL},
    {"thinking", NULL},
    {"output_config", NULL},
    {"metadata", NULL},
    {"service_tier", NULL},
    {"cache_control", NULL},
};

static int read_plain(struct in *in)
{
    json_object_object_foreach (in->src, name, value) {
        size_t i, n = sizeof(fields) / sizeof(*fields);
        for (i = 0; i < n && strcmp(name, fields[i].name) != 0; i++)
            ;
        if (i == n)
            return bad(in, name, "this provider has no such field; remove it");
        if (fields[i].canonical)
            put(in->dst, fields[i].canonical, value);
    }
    if (js_cstr(js_get(in->src, "metadata"), "user_id", NULL))
        put(in->dst, "user", js_get(js_get(in->src, "metadata"), "user_id"));
    return 0;
}

int an_to_canonical(pbay_str body, struct buf *out, struct err *e)
{
    struct in in = {.e = e};
    struct js_error je;
    int rc = -1;

    if (js_parse(body, PBAY_JSON_DEPTH, &in.src, &je) < 0 ||
        !json_object_is_type(in.src, json_type_object)) {
        err_set(e, ERR_BAD_BODY, "the body must be a JSON object");
        goto out;
    }
    in.dst = json_object_new_object();
    in.messages = json_object_new_array();
    put_new(in.dst, "messages", in.messages);
    if (read_plain(&in) < 0 || read_messages(&in) < 0 || read_tools(&in) < 0 ||
        read_tool_choice(&in) < 0 || read_output_config(&in) < 0 ||
        read_thinking(&in) < 0 || read_tier(&in) < 0)
        goto out;
    rc = buf_add(out, js_text(in.dst)) < 0 ? nomem(&in) : 0;
out:
    json_object_put(in.dst);
    json_object_put(in.src);
    return rc;
}
