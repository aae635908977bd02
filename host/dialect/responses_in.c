/* SPDX-License-Identifier: MIT */
/* Responses requests, translated; the table is in responses_in.h. */
#include "dialect/responses_in.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include <patchbay/json.h>

typedef struct json_object js;

int rs_bad(struct rs_in *in, const char *param, const char *fmt, ...)
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

void rs_put(js *to, const char *name, js *v)
{
    json_object_object_add(to, name, json_object_get(v));
}

static js *put_object(js *to, const char *name)
{
    js *o = json_object_new_object();

    json_object_object_add(to, name, o);
    return o;
}

static bool is(js *v, enum json_type type)
{
    return json_object_is_type(v, type);
}

js *rs_message(struct rs_in *in, const char *role)
{
    js *m = json_object_new_object();

    json_object_object_add(m, "role", json_object_new_string(role));
    json_object_array_add(in->messages, m);
    return m;
}

/* Only names that are known, of what is not null.  0, or -1. */
static int only(struct rs_in *in, js *o, const char *where,
                const char *const *known)
{
    json_object_object_foreach (o, name, value) {
        size_t i = 0;
        while (value && known[i] && strcmp(name, known[i]) != 0)
            i++;
        if (!value || known[i])
            continue;
        snprintf(in->where, sizeof(in->where), "%s.%s", where, name);
        return rs_bad(in, in->where,
                      "this provider has no such field; remove it");
    }
    return 0;
}

/* --- tools --------------------------------------------------------------- */

static int read_tool(struct rs_in *in, js *t, size_t i, js *list)
{
    static const char *const known[] = {"type",       "name",   "description",
                                        "parameters", "strict", NULL};
    const char *type = js_cstr(t, "type", "");
    js *tool, *fn;
    char where[32];

    snprintf(where, sizeof(where), "tools[%zu]", i);
    if (!is(t, json_type_object))
        return rs_bad(in, where, "must be an object");
    if (strcmp(type, "function") != 0)
        return rs_bad(in, where,
                      "a tool of type \"%s\" is one provider's own; this "
                      "provider takes functions",
                      type);
    if (only(in, t, where, known) < 0)
        return -1;
    if (!js_typed(t, "name", json_type_string))
        return rs_bad(in, where, "a function needs a name");
    tool = json_object_new_object();
    json_object_array_add(list, tool);
    json_object_object_add(tool, "type", json_object_new_string("function"));
    fn = put_object(tool, "function");
    for (size_t k = 1; known[k]; k++)
        if (js_get(t, known[k]))
            rs_put(fn, known[k], js_get(t, known[k]));
    return 0;
}

static int read_tools(struct rs_in *in, js *tools)
{
    js *list;
    int rc = 0;

    if (!is(tools, json_type_array))
        return rs_bad(in, "tools", "must be a list");
    if (!json_object_array_length(tools))
        return 0;
    list = json_object_new_array();
    json_object_object_add(in->dst, "tools", list);
    for (size_t i = 0; rc == 0 && i < json_object_array_length(tools); i++)
        rc = read_tool(in, json_object_array_get_idx(tools, i), i, list);
    return rc;
}

/* {"type":"function","name":..}, its name one level deeper. */
static int function_ref(struct rs_in *in, js *ref, js *to)
{
    if (strcmp(js_cstr(ref, "type", ""), "function") != 0 ||
        !js_typed(ref, "name", json_type_string))
        return rs_bad(in, "tool_choice",
                      "this provider takes none, auto, required, and "
                      "functions by their names");
    json_object_object_add(to, "type", json_object_new_string("function"));
    rs_put(put_object(to, "function"), "name", js_get(ref, "name"));
    return 0;
}

static int read_allowed(struct rs_in *in, js *choice, js *out)
{
    js *tools = js_typed(choice, "tools", json_type_array);
    js *allowed, *list, *ref;
    int rc = 0;

    if (!tools)
        return rs_bad(in, "tool_choice", "allowed_tools needs a list, tools");
    json_object_object_add(out, "type",
                           json_object_new_string("allowed_tools"));
    allowed = put_object(out, "allowed_tools");
    rs_put(allowed, "mode", js_get(choice, "mode"));
    list = json_object_new_array();
    json_object_object_add(allowed, "tools", list);
    for (size_t i = 0; rc == 0 && i < json_object_array_length(tools); i++) {
        ref = json_object_new_object();
        json_object_array_add(list, ref);
        rc = function_ref(in, json_object_array_get_idx(tools, i), ref);
    }
    return rc;
}

static int read_tool_choice(struct rs_in *in, js *choice)
{
    js *out;

    if (is(choice, json_type_string)) {
        rs_put(in->dst, "tool_choice", choice);
        return 0;
    }
    out = put_object(in->dst, "tool_choice");
    return strcmp(js_cstr(choice, "type", ""), "allowed_tools") == 0
               ? read_allowed(in, choice, out)
               : function_ref(in, choice, out);
}

/* --- text and reasoning -------------------------------------------------- */

static int read_format(struct rs_in *in, js *format)
{
    static const char *const known[] = {"type",   "name",        "schema",
                                        "strict", "description", NULL};
    const char *type = js_cstr(format, "type", "");
    js *out, *schema;

    if (strcmp(type, "text") == 0)
        return 0;
    if (strcmp(type, "json_object") != 0 && strcmp(type, "json_schema") != 0)
        return rs_bad(in, "text.format",
                      "type must be text, json_object or json_schema");
    out = put_object(in->dst, "response_format");
    rs_put(out, "type", js_get(format, "type"));
    if (strcmp(type, "json_object") == 0)
        return 0;
    if (only(in, format, "text.format", known) < 0)
        return -1;
    if (!js_typed(format, "schema", json_type_object))
        return rs_bad(in, "text.format.schema", "required, a JSON Schema");
    schema = put_object(out, "json_schema");
    for (size_t k = 1; known[k]; k++)
        if (js_get(format, known[k]))
            rs_put(schema, known[k], js_get(format, known[k]));
    return 0;
}

static int read_text(struct rs_in *in, js *text)
{
    static const char *const known[] = {"format", "verbosity", NULL};

    if (!is(text, json_type_object))
        return rs_bad(in, "text", "must be an object");
    if (js_get(text, "verbosity"))
        rs_put(in->dst, "verbosity", js_get(text, "verbosity"));
    if (only(in, text, "text", known) < 0)
        return -1;
    return js_get(text, "format") ? read_format(in, js_get(text, "format")) : 0;
}

static int read_reasoning(struct rs_in *in, js *reasoning)
{
    static const char *const known[] = {"effort", "summary", "generate_summary",
                                        NULL};

    if (!is(reasoning, json_type_object))
        return rs_bad(in, "reasoning", "must be an object");
    if (js_get(reasoning, "effort"))
        rs_put(in->dst, "reasoning_effort", js_get(reasoning, "effort"));
    return only(in, reasoning, "reasoning", known);
}

static void want_logprobs(struct rs_in *in)
{
    json_object_object_add(in->dst, "logprobs", json_object_new_boolean(1));
}

static int read_logprobs(struct rs_in *in, js *n)
{
    if (!is(n, json_type_int))
        return rs_bad(in, "top_logprobs", "must be a whole number");
    if (json_object_get_int64(n) == 0)
        return 0;
    want_logprobs(in);
    rs_put(in->dst, "top_logprobs", n);
    return 0;
}

static int read_include(struct rs_in *in, js *list)
{
    if (!is(list, json_type_array))
        return rs_bad(in, "include", "must be a list");
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        const char *what =
            json_object_get_string(json_object_array_get_idx(list, i));
        if (what && strcmp(what, "message.output_text.logprobs") == 0)
            want_logprobs(in);
        else if (!what || strcmp(what, "reasoning.encrypted_content") != 0)
            return rs_bad(in, "include",
                          "this provider's answers have no \"%s\"",
                          what ? what : "null");
    }
    return 0;
}

/* --- what only a provider's own service has ------------------------------ */

static int read_false(struct rs_in *in, const char *name, js *v)
{
    if (!is(v, json_type_boolean))
        return rs_bad(in, name, "must be true or false");
    if (!json_object_get_boolean(v))
        return 0;
    return rs_bad(in, name,
                  "this provider keeps no responses; leave it out, and send "
                  "the whole conversation each time");
}

static int read_store(struct rs_in *in, js *v)
{
    return read_false(in, "store", v);
}

static int read_background(struct rs_in *in, js *v)
{
    return read_false(in, "background", v);
}

static int read_truncation(struct rs_in *in, js *v)
{
    if (is(v, json_type_string) &&
        strcmp(json_object_get_string(v), "disabled") == 0)
        return 0;
    return rs_bad(in, "truncation",
                  "this provider drops no part of a conversation; write "
                  "\"disabled\" and send less");
}

static int read_instructions(struct rs_in *in, js *v)
{
    (void)v; /* read with the input, in front of it */
    return is(v, json_type_string)
               ? 0
               : rs_bad(in, "instructions", "must be a string");
}

static int nothing(struct rs_in *in, js *v)
{
    (void)in;
    (void)v;
    return 0;
}

/* --- the table ----------------------------------------------------------- */

static const struct field {
    const char *name, *canonical;         /* canonical NULL: read() */
    int (*read)(struct rs_in *in, js *v); /* NULL too: refused as state */
} fields[] = {
    {"model", "model", NULL},
    {"stream", "stream", NULL},
    {"temperature", "temperature", NULL},
    {"top_p", "top_p", NULL},
    {"parallel_tool_calls", "parallel_tool_calls", NULL},
    {"service_tier", "service_tier", NULL},
    {"user", "user", NULL},
    {"safety_identifier", "safety_identifier", NULL},
    {"prompt_cache_key", "prompt_cache_key", NULL},
    {"prompt_cache_options", "prompt_cache_options", NULL},
    {"prompt_cache_retention", "prompt_cache_retention", NULL},
    {"max_output_tokens", "max_completion_tokens", NULL},
    {"input", NULL, nothing}, /* read after all others */
    {"instructions", NULL, read_instructions},
    {"tools", NULL, read_tools},
    {"tool_choice", NULL, read_tool_choice},
    {"text", NULL, read_text},
    {"reasoning", NULL, read_reasoning},
    {"top_logprobs", NULL, read_logprobs},
    {"include", NULL, read_include},
    {"metadata", NULL, nothing},
    {"stream_options", NULL, nothing},
    {"store", NULL, read_store},
    {"background", NULL, read_background},
    {"truncation", NULL, read_truncation},
    {"previous_response_id", NULL, NULL},
    {"conversation", NULL, NULL},
    {"prompt", NULL, NULL},
    {"context_management", NULL, NULL},
    {"max_tool_calls", NULL, NULL},
    {"moderation", NULL, NULL},
};

static int read_field(struct rs_in *in, const char *name, js *value)
{
    const struct field *f = fields;
    const struct field *end = fields + sizeof(fields) / sizeof(*fields);

    while (f < end && strcmp(name, f->name) != 0)
        f++;
    if (f == end)
        return rs_bad(in, name, "this provider has no such field; remove it");
    if (f->canonical) {
        rs_put(in->dst, f->canonical, value);
        return 0;
    }
    if (f->read)
        return f->read(in, value);
    return rs_bad(in, name,
                  "only a provider that has the Responses API itself knows "
                  "this; remove it%s",
                  strcmp(name, "previous_response_id") == 0 ||
                          strcmp(name, "conversation") == 0
                      ? " and send the whole conversation as input"
                      : "");
}

static int read_fields(struct rs_in *in)
{
    int rc = 0;

    json_object_object_foreach (in->src, name, value) {
        if (value)
            rc = read_field(in, name, value);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int rs_to_canonical(pbay_str body, struct buf *out, struct err *e)
{
    struct rs_in in = {.e = e};
    struct js_error je;
    int rc = -1;

    if (js_parse(body, PBAY_JSON_DEPTH, &in.src, &je) < 0 ||
        !is(in.src, json_type_object)) {
        err_set(e, ERR_BAD_BODY, "the body must be a JSON object");
        goto out;
    }
    in.dst = json_object_new_object();
    in.messages = json_object_new_array();
    json_object_object_add(in.dst, "messages", in.messages);
    if (read_fields(&in) < 0 || rs_read_input(&in) < 0)
        goto out;
    rc = buf_add(out, js_text(in.dst));
    if (rc < 0)
        err_set(e, ERR_INTERNAL, "out of memory");
out:
    json_object_put(in.parts);
    json_object_put(in.dst);
    json_object_put(in.src);
    return rc < 0 ? -1 : 0;
}
