/* SPDX-License-Identifier: MIT */
/* openai.so: a chat as the body of POST /responses.  A client's own body goes
 * up with another model's name; a canonical one is written anew.
 *
 * What becomes of a member of the canonical request:
 *
 *   model, stream, temperature, top_p, parallel_tool_calls, service_tier, user,
 *   safety_identifier, prompt_cache_key, prompt_cache_options,
 *   prompt_cache_retention, metadata    as they are
 *   max_completion_tokens, max_tokens   max_output_tokens
 *   messages          input: items of type message, function_call,
 *                     function_call_output; patchbay_blocks that are reasoning
 *                     items go back as they came, others are left out
 *   tools, tool_choice  the same, flat
 *   response_format, verbosity          text
 *   reasoning_effort                    reasoning.effort
 *   logprobs, top_logprobs              include, top_logprobs
 *   n 1, store false, penalties 0, stream_options
 *                     say nothing here, and are left out
 *   anything else     refused, or left out with a warning (unsupported)
 *
 * store is false: whoever asks brings the whole conversation along. */
#include <stdio.h>
#include <string.h>

#include "responses.h"

struct body {
    struct openai_own *own;
    struct call *c;
    const pbay_request *req;
    pbay_body out;
    pbay_rc rc; /* the first failure */
};

static int none(pbay_str v)
{
    return !v.n || pbay_json_type(v) == '0';
}

static pbay_str find(const struct body *b, const char *name)
{
    return pbay_json_find(b->req->members, b->req->n_members, name);
}

static void put(struct body *b, const char *s)
{
    pbay_body_cstr(&b->out, s);
}

static void raw(struct body *b, pbay_str s)
{
    pbay_body_raw(&b->out, s);
}

/* `,"name":value`, if there is one. */
static void member(struct body *b, const char *name, pbay_str value)
{
    int any = 1;

    if (none(value))
        return;
    pbay_body_name(&b->out, name, &any);
    raw(b, value);
}

static void refuse(struct body *b, const char *param, const char *message)
{
    if (b->rc != PBAY_OK)
        return;
    b->c->failed = 1;
    b->rc =
        pbay_fail(b->own->o.host, b->c->call, PBAY_E_INVALID, param, message);
}

static void warn(struct body *b, const char *param, const char *text)
{
    pbay_event ev = {.type = PBAY_EV_WARNING,
                     .name = {param, strlen(param)},
                     .text = {text, strlen(text)}};

    if (b->rc == PBAY_OK && oai_wants(b->c, PBAY_EV_WARNING))
        b->rc = oai_emit(&b->own->o, b->c, &ev);
}

static void unsupported(struct body *b, const char *param)
{
    char text[256];

    if (b->own->o.drop) {
        warn(b, param, "left out: the Responses API has nothing like it");
        return;
    }
    snprintf(text, sizeof text,
             "the Responses API has nothing like %s; leave it out, or set "
             "unsupported = \"drop\" for this provider",
             param);
    refuse(b, param, text);
}

/* ------------------------------------------------------------------ content */

static int named(pbay_str o, const char *type)
{
    return pbay_json_is(pbay_json_get(o, "type"), type);
}

static void image(struct body *b, pbay_str part)
{
    pbay_str url = pbay_json_get(part, "image_url");

    put(b, "{\"type\":\"input_image\"");
    member(b, "image_url", pbay_json_get(url, "url"));
    member(b, "detail", pbay_json_get(url, "detail"));
    put(b, "}");
}

static void file(struct body *b, pbay_str part)
{
    static const char *const kept[] = {"file_data", "file_id", "filename"};
    pbay_str f = pbay_json_get(part, "file");

    put(b, "{\"type\":\"input_file\"");
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        member(b, kept[i], pbay_json_get(f, kept[i]));
    put(b, "}");
}

static void part(struct body *b, pbay_str p)
{
    if (named(p, "text")) {
        put(b, "{\"type\":\"input_text\"");
        member(b, "text", pbay_json_get(p, "text"));
        put(b, "}");
    } else if (named(p, "image_url")) {
        image(b, p);
    } else if (named(p, "file")) {
        file(b, p);
    } else {
        refuse(b, "messages",
               "the Responses API takes text, images and files in a message, "
               "and nothing else");
    }
}

static void content(struct body *b, pbay_str v)
{
    pbay_str p;
    size_t pos = 0;
    int n = 0;

    if (pbay_json_type(v) != 'a') {
        raw(b, none(v) ? OA("\"\"") : v);
        return;
    }
    put(b, "[");
    while (b->rc == PBAY_OK && pbay_json_next(v, &pos, NULL, &p)) {
        put(b, n++ ? "," : "");
        part(b, p);
    }
    put(b, "]");
}

/* ----------------------------------------------------------------- messages */

static void comma(struct body *b, int *items)
{
    put(b, (*items)++ ? "," : "");
}

static void said(struct body *b, pbay_str text, int *items)
{
    if (pbay_json_type(text) != 's' || text.n == 2)
        return;
    comma(b, items);
    put(b, "{\"type\":\"message\",\"role\":\"assistant\"");
    member(b, "content", text);
    put(b, "}");
}

/* Thoughts that came from this API go back; nobody else's do. */
static void blocks(struct body *b, pbay_str list, int *items)
{
    pbay_str block;
    size_t pos = 0;
    int left_out = 0;

    while (pbay_json_next(list, &pos, NULL, &block)) {
        if (!named(block, "reasoning")) {
            left_out = 1;
            continue;
        }
        comma(b, items);
        raw(b, block);
    }
    if (left_out)
        warn(b, "patchbay_blocks",
             "left out: blocks that an answer of another provider gave");
}

static void calls(struct body *b, pbay_str list, int *items)
{
    pbay_str call;
    size_t pos = 0;

    while (b->rc == PBAY_OK && pbay_json_next(list, &pos, NULL, &call)) {
        pbay_str fn = pbay_json_get(call, "function");
        if (pbay_json_type(fn) != 'o') {
            refuse(b, "messages", "only calls of functions can be sent on");
            return;
        }
        comma(b, items);
        put(b, "{\"type\":\"function_call\"");
        member(b, "call_id", pbay_json_get(call, "id"));
        member(b, "name", pbay_json_get(fn, "name"));
        member(b, "arguments", pbay_json_get(fn, "arguments"));
        put(b, "}");
    }
}

static void assistant(struct body *b, pbay_str m, int *items)
{
    pbay_str text = pbay_json_get(m, "content"), p;
    size_t pos = 0;

    blocks(b, pbay_json_get(m, "patchbay_blocks"), items);
    if (pbay_json_type(text) == 'a')
        while (pbay_json_next(text, &pos, NULL, &p))
            said(b, pbay_json_get(p, named(p, "refusal") ? "refusal" : "text"),
                 items);
    else
        said(b, text, items);
    said(b, pbay_json_get(m, "refusal"), items);
    calls(b, pbay_json_get(m, "tool_calls"), items);
}

static void result(struct body *b, pbay_str m, int *items)
{
    comma(b, items);
    put(b, "{\"type\":\"function_call_output\"");
    member(b, "call_id", pbay_json_get(m, "tool_call_id"));
    put(b, ",\"output\":");
    content(b, pbay_json_get(m, "content"));
    put(b, "}");
}

static void message(struct body *b, pbay_str m, int *items)
{
    pbay_str role = pbay_json_get(m, "role");

    if (pbay_json_is(role, "assistant")) {
        assistant(b, m, items);
    } else if (pbay_json_is(role, "tool")) {
        result(b, m, items);
    } else if (pbay_json_is(role, "user") || pbay_json_is(role, "system") ||
               pbay_json_is(role, "developer")) {
        comma(b, items);
        put(b, "{\"type\":\"message\"");
        member(b, "role", role);
        put(b, ",\"content\":");
        content(b, pbay_json_get(m, "content"));
        put(b, "}");
        if (!none(pbay_json_get(m, "name")))
            warn(b, "messages.name",
                 "left out: the Responses API has no names of speakers");
    } else {
        refuse(b, "messages",
               "a role must be system, developer, user, assistant or tool");
    }
}

static void input(struct body *b)
{
    pbay_str list = find(b, "messages"), m;
    size_t pos = 0;
    int items = 0;

    if (pbay_json_type(list) != 'a') {
        refuse(b, "messages", "required, a list");
        return;
    }
    put(b, ",\"input\":[");
    while (b->rc == PBAY_OK && pbay_json_next(list, &pos, NULL, &m))
        message(b, m, &items);
    put(b, "]");
}

/* -------------------------------------------------------------------- tools */

static void tools(struct body *b)
{
    static const char *const kept[] = {"name", "description", "parameters",
                                       "strict"};
    pbay_str list = find(b, "tools"), tool;
    size_t pos = 0;
    int n = 0;

    if (none(list))
        return;
    put(b, ",\"tools\":[");
    while (b->rc == PBAY_OK && pbay_json_next(list, &pos, NULL, &tool)) {
        pbay_str fn = pbay_json_get(tool, "function");
        if (pbay_json_type(fn) != 'o') {
            unsupported(b, "tools");
            continue;
        }
        put(b, n++ ? ",{\"type\":\"function\"" : "{\"type\":\"function\"");
        for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
            member(b, kept[i], pbay_json_get(fn, kept[i]));
        /* Strict where nothing is said, unlike in chat completions. */
        if (none(pbay_json_get(fn, "strict")))
            put(b, ",\"strict\":false");
        put(b, "}");
    }
    put(b, "]");
}

static void function_ref(struct body *b, pbay_str ref)
{
    put(b, "{\"type\":\"function\"");
    member(b, "name", pbay_json_get(pbay_json_get(ref, "function"), "name"));
    put(b, "}");
}

static void tool_choice(struct body *b)
{
    pbay_str v = find(b, "tool_choice"), list, ref;
    pbay_str allowed = pbay_json_get(v, "allowed_tools");
    size_t pos = 0;
    int n = 0;

    if (pbay_json_type(v) != 'o') {
        member(b, "tool_choice", v);
        return;
    }
    put(b, ",\"tool_choice\":");
    if (pbay_json_type(allowed) != 'o') {
        function_ref(b, v);
        return;
    }
    put(b, "{\"type\":\"allowed_tools\"");
    member(b, "mode", pbay_json_get(allowed, "mode"));
    put(b, ",\"tools\":[");
    list = pbay_json_get(allowed, "tools");
    while (pbay_json_next(list, &pos, NULL, &ref)) {
        put(b, n++ ? "," : "");
        function_ref(b, ref);
    }
    put(b, "]}");
}

/* ----------------------------------------------------------------- the rest */

static void text(struct body *b)
{
    static const char *const kept[] = {"name", "schema", "strict",
                                       "description"};
    pbay_str format = find(b, "response_format");
    pbay_str schema = pbay_json_get(format, "json_schema");
    pbay_str verbosity = find(b, "verbosity");

    if (none(format) && none(verbosity))
        return;
    put(b, ",\"text\":{");
    if (!none(format)) {
        put(b, "\"format\":{\"type\":");
        raw(b, pbay_json_get(format, "type"));
        for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
            member(b, kept[i], pbay_json_get(schema, kept[i]));
        put(b, "}");
    }
    if (!none(verbosity)) {
        put(b, none(format) ? "\"verbosity\":" : ",\"verbosity\":");
        raw(b, verbosity);
    }
    put(b, "}");
}

static void reasoning(struct body *b)
{
    pbay_str effort = find(b, "reasoning_effort");
    pbay_str summary = b->own->summary;
    int sums = !(summary.n == 4 && memcmp(summary.p, "none", 4) == 0);

    if (none(effort) ||
        (pbay_json_is(effort, "none") && oai_never_reasons(b->req->model)))
        return;
    put(b, ",\"reasoning\":{\"effort\":");
    raw(b, effort);
    if (sums) {
        put(b, ",\"summary\":");
        pbay_body_string(&b->out, summary);
    }
    put(b, "}");
}

static void include(struct body *b)
{
    int logprobs = pbay_json_true(find(b, "logprobs"));
    /* Others refuse to be asked. */
    int sealed = !none(find(b, "reasoning_effort")) &&
                 !pbay_json_is(find(b, "reasoning_effort"), "none");

    if (logprobs)
        member(b, "top_logprobs", find(b, "top_logprobs"));
    if (!logprobs && !sealed)
        return;
    put(b, ",\"include\":[");
    put(b, sealed ? "\"reasoning.encrypted_content\"" : "");
    put(b, sealed && logprobs ? "," : "");
    put(b, logprobs ? "\"message.output_text.logprobs\"" : "");
    put(b, "]");
}

/* A value that asks for nothing. */
static int idle(pbay_str v)
{
    pbay_str first;
    size_t pos = 0;
    double d;

    switch (pbay_json_type(v)) {
    case 'n':
        return pbay_json_f64(v, &d) == 0 && d >= 0 && d <= 0;
    case 'b':
        return !pbay_json_true(v);
    case 'a':
    case 'o':
        return !pbay_json_next(v, &pos, NULL, &first);
    default:
        return none(v);
    }
}

/* What says nothing that would not hold without it. */
static int plain(const char *name, pbay_str v)
{
    pbay_str first;
    size_t pos = 0;
    int64_t n;

    if (strcmp(name, "n") == 0)
        return pbay_json_i64(v, &n) == 0 && n == 1;
    if (strcmp(name, "modalities") == 0)
        return pbay_json_next(v, &pos, NULL, &first) &&
               pbay_json_is(first, "text") &&
               !pbay_json_next(v, &pos, NULL, &first);
    return 0;
}

static const char *const as_is[] = {
    "temperature",           "top_p",    "parallel_tool_calls",
    "service_tier",          "user",     "safety_identifier",
    "prompt_cache_key",      "metadata", "prompt_cache_options",
    "prompt_cache_retention"};

/* Written elsewhere, or without a meaning here. */
static const char *const seen[] = {
    "model",          "stream",       "stream_options",
    "messages",       "tools",        "tool_choice",
    "verbosity",      "logprobs",     "max_completion_tokens",
    "max_tokens",     "top_logprobs", "reasoning_effort",
    "response_format"};

static int listed(pbay_str k, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (k.n == strlen(list[i]) && memcmp(k.p, list[i], k.n) == 0)
            return 1;
    return 0;
}

static void others(struct body *b)
{
    for (size_t i = 0; i < b->req->n_members && b->rc == PBAY_OK; i++) {
        const pbay_kv *m = &b->req->members[i];
        char name[64];
        snprintf(name, sizeof name, "%.*s", m->k.n < 60 ? (int)m->k.n : 0,
                 m->k.p);
        if (listed(m->k, as_is, sizeof as_is / sizeof *as_is))
            member(b, name, m->v);
        else if (!listed(m->k, seen, sizeof seen / sizeof *seen) &&
                 !idle(m->v) && !plain(name, m->v))
            unsupported(b, name[0] ? name : "a member of the request");
    }
}

static void limit(struct body *b)
{
    pbay_str v = find(b, "max_completion_tokens");

    member(b, "max_output_tokens", none(v) ? find(b, "max_tokens") : v);
}

static pbay_rc translate(struct openai_own *own, struct call *c,
                         const pbay_request *req, pbay_exchange *x)
{
    struct body b = {.own = own,
                     .c = c,
                     .req = req,
                     .out = {.host = own->o.host, .call = c->call}};

    put(&b, "{\"model\":");
    pbay_body_string(&b.out, req->model);
    put(&b, req->flags & PBAY_RQ_STREAM ? ",\"stream\":true,\"store\":false"
                                        : ",\"store\":false");
    input(&b);
    tools(&b);
    tool_choice(&b);
    text(&b);
    reasoning(&b);
    include(&b);
    limit(&b);
    others(&b);
    put(&b, "}");
    x->method = OA("POST");
    x->path = own->responses_path;
    x->body = b.out.pieces;
    x->n_body = b.out.n;
    return b.rc != PBAY_OK ? b.rc : b.out.rc;
}

/* -------------------------------------------------------------------- build */

static int is(pbay_str s, const char *text)
{
    return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

/* Of this model, else of the provider. */
static int way(const struct openai_own *o, const pbay_request *req)
{
    static const char *const words[] = {"pass", "all", "none"};
    pbay_str v = pbay_json_get(req->model_config, "responses_api");

    for (int i = 0; i < 3; i++)
        if (pbay_json_is(v, words[i]))
            return i;
    return o->responses;
}

int rs_declines(const struct openai_own *o, const pbay_request *req)
{
    int own_form = is(req->dialect, "openai.responses/1");

    if (req->op != PBAY_OP_CHAT || !(req->flags & PBAY_RQ_PASS))
        return 0;
    return own_form ? way(o, req) == RS_NONE : way(o, req) == RS_ALL;
}

pbay_rc rs_build(struct openai *o, struct call *c, const pbay_request *req,
                 pbay_exchange *x)
{
    struct openai_own *own = (struct openai_own *)(void *)o;
    struct edits e = {.n = 0};
    int pass = is(req->dialect, "openai.responses/1");

    if (req->op != PBAY_OP_CHAT || (!pass && way(own, req) != RS_ALL))
        return PBAY_NOSYS;
    if (req->flags & PBAY_RQ_CONTINUE) {
        c->failed = 1;
        return pbay_fail(o->host, c->call, PBAY_E_INVALID, "messages",
                         "this provider cannot go on with an answer that was "
                         "begun; end the messages with a turn of the user");
    }
    c->other_form = 1;
    x->framing =
        req->flags & PBAY_RQ_STREAM ? PBAY_FRAME_SSE : PBAY_FRAME_WHOLE;
    return pass ? oai_post(o, c, req, own->responses_path, &e, x)
                : translate(own, c, req, x);
}
