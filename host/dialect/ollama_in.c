/* SPDX-License-Identifier: MIT */
/* Ollama's requests, translated; the table is in ollama_in.h. */
#include "dialect/ollama_in.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/str.h"
#include "dialect/ollama_calls.h"
#include <patchbay/json.h>

typedef struct json_object js;

struct in {
    js *src, *dst;
    js *messages; /* of dst */
    struct err *e;
    struct ol_left *left;
    struct ol_calls calls;
    char where[96]; /* "messages[3].images[0]" */
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

static void leave(struct in *in, const char *group, const char *name)
{
    char full[64];

    snprintf(full, sizeof(full), "%s%s%s", group, *group ? "." : "", name);
    for (size_t i = 0; i < in->left->n; i++)
        if (strcmp(in->left->name[i], full) == 0)
            return;
    if (in->left->n < OL_LEFT_MAX)
        memcpy(in->left->name[in->left->n++], full, sizeof(full));
    else
        strcpy(in->left->name[OL_LEFT_MAX - 1], "further fields");
}

static void put(js *to, const char *name, js *v)
{
    json_object_object_add(to, name, json_object_get(v));
}

static void put_new(js *to, const char *name, js *v)
{
    json_object_object_add(to, name, v);
}

static bool is(js *v, enum json_type type)
{
    return json_object_is_type(v, type);
}

static bool empty_list(js *v)
{
    return is(v, json_type_array) && !json_object_array_length(v);
}

static js *message(struct in *in, const char *role)
{
    js *m = json_object_new_object();

    put_new(m, "role", json_object_new_string(role));
    json_object_array_add(in->messages, m);
    return m;
}

/* --- pictures ------------------------------------------------------------ */

/* By the first bytes, in base64; NULL: none that is known. */
static const char *media_type(const char *base64)
{
    static const struct {
        const char *start, *type;
    } known[] = {{"iVBORw0KGgo", "image/png"},
                 {"/9j/", "image/jpeg"},
                 {"R0lGOD", "image/gif"},
                 {"UklGR", "image/webp"}};

    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (strncmp(base64, known[i].start, strlen(known[i].start)) == 0)
            return known[i].type;
    return NULL;
}

static int read_image(struct in *in, js *image, js *parts)
{
    const char *data =
        is(image, json_type_string) ? json_object_get_string(image) : NULL;
    const char *type = data ? media_type(data) : NULL;
    js *part, *url;
    struct buf b;
    int rc;

    if (!type)
        return bad(in, in->where,
                   "must be a PNG, JPEG, GIF or WebP picture in base64");
    buf_init(&b, LIM_HTTP_BODY * 2);
    rc = buf_printf(&b, "data:%s;base64,", type) | buf_addc(&b, data);
    part = json_object_new_object();
    url = json_object_new_object();
    put_new(url, "url",
            json_object_new_string_len(buf_str(&b).p, (int)buf_str(&b).n));
    put_new(part, "type", json_object_new_string("image_url"));
    put_new(part, "image_url", url);
    json_object_array_add(parts, part);
    buf_done(&b);
    if (rc)
        err_set(in->e, ERR_INTERNAL, "out of memory");
    return rc ? -1 : 0;
}

/* content: text alone, or text and pictures. */
static int put_content(struct in *in, js *msg, js *text, js *images,
                       const char *where)
{
    js *parts, *part;
    int rc = 0;

    if (text && !is(text, json_type_string))
        return bad(in, where, "the text must be a string");
    if (!images || empty_list(images)) {
        put_new(msg, "content",
                text ? json_object_get(text) : json_object_new_string(""));
        return 0;
    }
    if (!is(images, json_type_array))
        return bad(in, where, "images must be a list");
    parts = json_object_new_array();
    put_new(msg, "content", parts);
    if (text && json_object_get_string_len(text)) {
        part = json_object_new_object();
        put_new(part, "type", json_object_new_string("text"));
        put(part, "text", text);
        json_object_array_add(parts, part);
    }
    for (size_t i = 0; rc == 0 && i < json_object_array_length(images); i++) {
        snprintf(in->where, sizeof(in->where), "%s.images[%zu]", where, i);
        rc = read_image(in, json_object_array_get_idx(images, i), parts);
    }
    return rc;
}

/* --- messages ------------------------------------------------------------ */

static int read_calls(struct in *in, js *m, js *msg, size_t at,
                      const char *where)
{
    js *list = js_get(m, "tool_calls"), *out;

    ol_calls_forget(&in->calls);
    if (!list || empty_list(list))
        return 0;
    if (!is(list, json_type_array))
        return bad(in, where, "tool_calls must be a list");
    out = json_object_new_array();
    put_new(msg, "tool_calls", out);
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        js *from = json_object_array_get_idx(list, i);
        js *fn = js_typed(from, "function", json_type_object);
        js *args = js_get(fn, "arguments"), *call, *f;
        const char *name = js_cstr(fn, "name", NULL);
        const char *id = js_cstr(from, "id", NULL);
        char made[48];
        if (!name || (args && !is(args, json_type_object)))
            return bad(in, where,
                       "tool_calls[%zu] must have function.name, and "
                       "function.arguments as an object",
                       i);
        snprintf(made, sizeof(made), "call_%zu_%zu", at, i);
        if (!id || !*id)
            id = made;
        if (!ol_calls_add(&in->calls, id, name))
            return bad(in, where, "there are more than %d tool calls",
                       OL_CALLS_MAX);
        call = json_object_new_object();
        f = json_object_new_object();
        put_new(call, "id", json_object_new_string(id));
        put_new(call, "type", json_object_new_string("function"));
        put_new(f, "name", json_object_new_string(name));
        put_new(f, "arguments",
                json_object_new_string(args ? js_text(args).p : "{}"));
        put_new(call, "function", f);
        json_object_array_add(out, call);
    }
    return 0;
}

static int read_result(struct in *in, js *m, js *msg, const char *where)
{
    const char *name = js_cstr(m, "tool_name", js_cstr(m, "name", NULL));
    const char *id;

    id = ol_calls_answer(&in->calls, js_cstr(m, "tool_call_id", NULL), name);
    if (!id)
        return bad(in, where,
                   "a tool's result answers no call of the assistant before "
                   "it; send that message with its tool_calls, too");
    put_new(msg, "tool_call_id", json_object_new_string(id));
    return 0;
}

static const char *role_of(js *m)
{
    static const char *const roles[] = {"system", "user", "assistant", "tool"};
    const char *role = js_cstr(m, "role", "");

    for (size_t i = 0; i < sizeof(roles) / sizeof(*roles); i++)
        if (strcasecmp(role, roles[i]) == 0)
            return roles[i];
    return NULL;
}

static int known_member(struct in *in, js *m, const char *where)
{
    static const char *const set[] = {
        "role",         "content",         "images",
        "thinking",     "tool_calls",      "tool_name",
        "tool_call_id", "patchbay_blocks", "name"};

    json_object_object_foreach (m, name, value) {
        size_t i = 0, n = sizeof(set) / sizeof(*set);
        while (i < n && strcmp(name, set[i]) != 0)
            i++;
        if (i == n && value)
            return bad(in, where, "this provider has no \"%.64s\" in a message",
                       name);
    }
    return 0;
}

static int read_message(struct in *in, js *m, size_t i)
{
    const char *role = role_of(m);
    char where[64];
    js *msg;

    snprintf(where, sizeof(where), "messages[%zu]", i);
    if (!role)
        return bad(in, where, "role must be system, user, assistant or tool");
    if (known_member(in, m, where) < 0)
        return -1;
    msg = message(in, role);
    if (js_get(m, "thinking") && *js_cstr(m, "thinking", ""))
        leave(in, "messages", "thinking");
    if (put_content(in, msg, js_get(m, "content"), js_get(m, "images"), where) <
        0)
        return -1;
    if (strcmp(role, "tool") == 0)
        return read_result(in, m, msg, where);
    if (js_get(m, "name"))
        leave(in, "messages", "name");
    if (strcmp(role, "assistant") != 0)
        return 0;
    if (js_typed(m, "patchbay_blocks", json_type_array))
        put(msg, "patchbay_blocks", js_get(m, "patchbay_blocks"));
    return read_calls(in, m, msg, i, where);
}

static int read_messages(struct in *in)
{
    js *list = js_get(in->src, "messages");
    int rc = 0;

    if (!list)
        return 0; /* loads the model, where a provider can */
    if (!is(list, json_type_array))
        return bad(in, "messages", "must be a list");
    for (size_t i = 0; rc == 0 && i < json_object_array_length(list); i++)
        rc = read_message(in, json_object_array_get_idx(list, i), i);
    return rc;
}

static int read_prompt(struct in *in)
{
    js *prompt = js_get(in->src, "prompt"), *system = js_get(in->src, "system");
    js *images = js_get(in->src, "images");

    if (system && !is(system, json_type_string))
        return bad(in, "system", "must be a string");
    if (prompt && !is(prompt, json_type_string))
        return bad(in, "prompt", "must be a string");
    if (system && json_object_get_string_len(system))
        put(message(in, "system"), "content", system);
    if ((!prompt || !json_object_get_string_len(prompt)) && !images)
        return 0;
    return put_content(in, message(in, "user"), prompt, images, "prompt");
}

/* --- the rest ------------------------------------------------------------ */

static int read_format(struct in *in)
{
    js *format = js_get(in->src, "format"), *out, *schema;

    if (!format ||
        (is(format, json_type_string) && !json_object_get_string_len(format)))
        return 0;
    out = json_object_new_object();
    put_new(in->dst, "response_format", out);
    if (is(format, json_type_object)) {
        schema = json_object_new_object();
        put_new(schema, "name", json_object_new_string("response"));
        put(schema, "schema", format);
        put_new(out, "type", json_object_new_string("json_schema"));
        put_new(out, "json_schema", schema);
        return 0;
    }
    if (!is(format, json_type_string) ||
        strcmp(json_object_get_string(format), "json") != 0)
        return bad(in, "format", "must be \"json\" or a JSON schema");
    put_new(out, "type", json_object_new_string("json_object"));
    return 0;
}

static int read_think(struct in *in)
{
    js *think = js_get(in->src, "think");

    if (!think)
        return 0;
    if (is(think, json_type_boolean))
        put_new(in->dst, "reasoning_effort",
                json_object_new_string(
                    json_object_get_boolean(think) ? "medium" : "none"));
    else if (is(think, json_type_string))
        put(in->dst, "reasoning_effort", think);
    else
        return bad(in, "think", "must be true, false or a word like \"high\"");
    return 0;
}

static int read_limit(struct in *in, js *v)
{
    if (!is(v, json_type_int))
        return bad(in, "options.num_predict", "must be a number of tokens");
    if (json_object_get_int64(v) >= 0)
        put(in->dst, "max_completion_tokens", v);
    return 0;
}

static int read_options(struct in *in)
{
    static const char *const same[] = {"temperature",
                                       "top_p",
                                       "top_k",
                                       "min_p",
                                       "seed",
                                       "stop",
                                       "presence_penalty",
                                       "frequency_penalty"};
    js *options = js_get(in->src, "options");
    size_t n = sizeof(same) / sizeof(*same), i;

    if (options && !is(options, json_type_object))
        return bad(in, "options", "must be an object");
    if (!options)
        return 0;
    json_object_object_foreach (options, name, value) {
        if (!value || empty_list(value))
            continue;
        for (i = 0; i < n && strcmp(name, same[i]) != 0; i++)
            ;
        if (i < n)
            put(in->dst, name, value);
        else if (strcmp(name, "num_predict") != 0)
            leave(in, "options", name);
        else if (read_limit(in, value) < 0)
            return -1;
    }
    return 0;
}

enum what {
    AS_IS,
    ELSEWHERE,
    LEFT,      /* with a warning */
    LEFT_TRUE, /* with a warning unless it is false */
    EMPTY      /* refused unless it says nothing */
};

struct field {
    const char *name;
    enum what what;
};

static const struct field both[] = {
    {"model", AS_IS},        {"logprobs", AS_IS},   {"top_logprobs", AS_IS},
    {"stream", ELSEWHERE},   {"format", ELSEWHERE}, {"think", ELSEWHERE},
    {"options", ELSEWHERE},  {"keep_alive", LEFT},  {"shift", LEFT},
    {"truncate", LEFT_TRUE}, {NULL, AS_IS}};
static const struct field of_chat[] = {
    {"messages", ELSEWHERE}, {"tools", AS_IS}, {NULL, AS_IS}};
static const struct field of_generate[] = {
    {"prompt", ELSEWHERE}, {"system", ELSEWHERE}, {"images", ELSEWHERE},
    {"raw", EMPTY},        {"template", EMPTY},   {"suffix", EMPTY},
    {"context", EMPTY},    {NULL, AS_IS}};

static const struct field *find(const struct field *f, const char *name)
{
    while (f->name && strcmp(f->name, name) != 0)
        f++;
    return f->name ? f : NULL;
}

static bool says_nothing(js *v)
{
    return !v || (is(v, json_type_boolean) && !json_object_get_boolean(v)) ||
           (is(v, json_type_string) && !json_object_get_string_len(v)) ||
           empty_list(v);
}

static int read_field(struct in *in, const struct field *f, js *value)
{
    switch (f->what) {
    case AS_IS:
        if (!empty_list(value))
            put(in->dst, f->name, value);
        break;
    case LEFT_TRUE:
        if (!says_nothing(value))
            leave(in, "", f->name);
        break;
    case LEFT:
        leave(in, "", f->name);
        break;
    case EMPTY:
        if (!says_nothing(value))
            return bad(in, f->name,
                       "cannot be said to a chat; a provider of Ollama's own "
                       "takes it under /raw/PROVIDER/api/generate");
        break;
    case ELSEWHERE:
        break;
    }
    return 0;
}

static int read_fields(struct in *in, const struct field *own)
{
    json_object_object_foreach (in->src, name, value) {
        const struct field *f = find(both, name);
        if (!f)
            f = find(own, name);
        if (!f)
            return bad(in, name, "there is no such field here; remove it");
        if (value && read_field(in, f, value) < 0)
            return -1;
    }
    return 0;
}

static int translate(pbay_str body, struct buf *out, struct ol_left *left,
                     struct err *e, const struct field *own,
                     int (*messages)(struct in *in))
{
    struct in in = {.e = e, .left = left};
    struct js_error je;
    int rc = -1;

    if (js_parse(body, PBAY_JSON_DEPTH, &in.src, &je) < 0 ||
        !is(in.src, json_type_object)) {
        err_set(e, ERR_BAD_BODY, "the body must be a JSON object");
        goto out;
    }
    in.dst = json_object_new_object();
    in.messages = json_object_new_array();
    put_new(in.dst, "messages", in.messages);
    put_new(in.dst, "stream",
            json_object_new_boolean(js_bool(in.src, "stream", true)));
    if (read_fields(&in, own) < 0 || messages(&in) < 0 ||
        read_format(&in) < 0 || read_think(&in) < 0 || read_options(&in) < 0)
        goto out;
    rc = buf_add(out, js_text(in.dst));
    if (rc < 0)
        err_set(e, ERR_INTERNAL, "out of memory");
out:
    ol_calls_forget(&in.calls);
    json_object_put(in.dst);
    json_object_put(in.src);
    return rc < 0 ? -1 : 0;
}

int ol_chat_to_canonical(pbay_str body, struct buf *out, struct ol_left *left,
                         struct err *e)
{
    return translate(body, out, left, e, of_chat, read_messages);
}

int ol_generate_to_canonical(pbay_str body, struct buf *out,
                             struct ol_left *left, struct err *e)
{
    return translate(body, out, left, e, of_generate, read_prompt);
}
