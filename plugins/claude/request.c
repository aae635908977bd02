/* SPDX-License-Identifier: MIT */
/* claude.so: a canonical chat as the body of /v1/messages, or of
 * /v1/messages/count_tokens, which has fewer members.  What each member of the
 * canonical request becomes is told in README.md. */
#include <stdio.h>
#include <string.h>

#include "body.h"

static pbay_str find(const struct body *b, const char *name)
{
    return pbay_json_find(b->req->members, b->req->n_members, name);
}

static int counting(const struct body *b)
{
    return b->c->op == PBAY_OP_COUNT;
}

/* ----------------------------------------------------- what Claude has not */

/* A member that says nothing: null, or what holds without it anyway. */
static int is_plain(pbay_str v, const char *plain)
{
    pbay_str first;
    double d, p;

    switch (pbay_json_type(v)) {
    case 0:
    case '0':
        return 1;
    case 'n':
        p = strcmp(plain, "1") == 0 ? 1 : 0;
        return plain[0] && pbay_json_f64(v, &d) == 0 && d >= p && d <= p;
    case 'b':
        return strcmp(plain, "false") == 0 && !pbay_json_true(v);
    case 'o':
    case 'a': {
        size_t pos = 0;
        return !pbay_json_next(v, &pos, NULL, &first);
    }
    default:
        return pbay_json_is(v, plain);
    }
}

static void has_not(struct body *b)
{
    static const struct {
        const char *name, *plain, *mend;
    } list[] = {
        {"n", "1", "ask once for each answer"},
        {"seed", "", "leave it out"},
        {"logprobs", "false", "leave it out"},
        {"top_logprobs", "0", "leave it out"},
        {"logit_bias", "", "leave it out"},
        {"presence_penalty", "0", "leave it out"},
        {"frequency_penalty", "0", "leave it out"},
        {"audio", "", "ask for text"},
        {"prediction", "", "leave it out"},
        {"verbosity", "medium", "ask for it in the prompt"},
        {"web_search_options", "", "use a tool"},
        {"store", "false", "leave it out"},
        {"prompt_cache_key", "",
         "mark what is to be cached with "
         "cache_control"},
        {"prompt_cache_retention", "", "say it in cache_control.ttl"},
        {"functions", "", "use tools"},
        {"function_call", "", "use tool_choice"},
        {"moderation", "", "leave it out"},
    };

    for (size_t i = 0; i < sizeof list / sizeof *list && b->rc == PBAY_OK; i++)
        if (!is_plain(find(b, list[i].name), list[i].plain))
            body_unsupported(b, list[i].name, list[i].mend);
}

static void modalities(struct body *b)
{
    pbay_str list = find(b, "modalities"), v;
    size_t pos = 0;

    while (pbay_json_next(list, &pos, NULL, &v))
        if (!pbay_json_is(v, "text")) {
            body_unsupported(b, "modalities", "ask for text");
            return;
        }
}

/* Members that no table knows: the canonical request is OpenAI's, and OpenAI
 * adds to it. */
static void unheard_of(struct body *b)
{
    static const char *const known[] = {
        "model", "messages", "max_tokens", "max_completion_tokens", "stream",
        "stream_options", "stop", "temperature", "top_p", "top_k", "tools",
        "tool_choice", "parallel_tool_calls", "response_format",
        "reasoning_effort", "user", "safety_identifier", "metadata",
        "service_tier", "cache_control", "thinking", "modalities",
        /* told of by has_not() */
        "n", "seed", "logprobs", "top_logprobs", "logit_bias",
        "presence_penalty", "frequency_penalty", "audio", "prediction",
        "verbosity", "web_search_options", "store", "prompt_cache_key",
        "prompt_cache_retention", "functions", "function_call", "moderation"};

    for (size_t i = 0; i < b->req->n_members && b->rc == PBAY_OK; i++) {
        pbay_str k = b->req->members[i].k;
        char name[64];
        size_t j = 0, n = sizeof known / sizeof *known;
        while (j < n && !cl_is(k, known[j]))
            j++;
        if (j < n || is_null(b->req->members[i].v))
            continue;
        snprintf(name, sizeof name, "%.*s", k.n < 48 ? (int)k.n : 0, k.p);
        body_unsupported(b, name[0] ? name : "a member of the request",
                         "leave it out");
    }
}

/* ------------------------------------------------------------------- limits */

/* What the client allows; -1 if it does not say. */
static int64_t asked_limit(const struct body *b)
{
    pbay_str v = find(b, "max_completion_tokens");
    int64_t n;

    if (is_null(v))
        v = find(b, "max_tokens");
    return pbay_json_i64(v, &n) == 0 ? n : -1;
}

/* What holds where the client does not say: of this model, or of all. */
static int64_t own_limit(const struct body *b)
{
    pbay_str v = pbay_json_get(b->req->model_config, "max_tokens");
    int64_t n;

    return pbay_json_i64(v, &n) == 0 && n > 0 ? n : b->o->max_tokens;
}

/* Thinking is part of the output; so a limit of ours leaves room for it. */
static void max_tokens(struct body *b, int64_t budget, int *any)
{
    static const char *const names[] = {"max_completion_tokens", "max_tokens"};
    int64_t limit = asked_limit(b);

    for (int i = 0; i < 2; i++) {
        pbay_str v = find(b, names[i]);
        int64_t n;
        if (!is_null(v) && (pbay_json_i64(v, &n) < 0 || n < 0)) {
            body_refuse(b, names[i], "it must be a whole number, not negative");
            return;
        }
    }
    if (counting(b))
        return;
    body_name(b, "max_tokens", any);
    body_int(b, limit >= 0 ? limit : own_limit(b) + budget);
}

/* ----------------------------------------------------------------- sampling */

/* Taken by the older models under the older version; the rest refuse even
 * their own default values. */
static void sampling(struct body *b, int *any)
{
    static const char *const names[] = {"temperature", "top_p", "top_k"};
    int may = b->o->api == API_2023_06_01 && b->model.sampling;
    double d;

    for (size_t i = 0; i < 3 && b->rc == PBAY_OK; i++) {
        pbay_str v = find(b, names[i]);
        if (is_plain(v, i < 2 ? "1" : ""))
            continue;
        if (!may) {
            body_unsupported(b, names[i],
                             "leave it out (api_version = \"2023-06-01\" has "
                             "it for models up to Claude 4.6)");
        } else if (pbay_json_f64(v, &d) < 0 || d < 0 || (i < 2 && d > 1)) {
            body_refuse(b, names[i],
                        i < 2 ? "for Claude it must be a number from 0 to 1"
                              : "it must be a whole number, not negative");
        } else {
            body_name(b, names[i], any);
            body_raw(b, v);
        }
    }
}

static void stop_sequences(struct body *b, int *any)
{
    pbay_str v = find(b, "stop");
    char type = pbay_json_type(v);

    if (is_plain(v, ""))
        return;
    if (type != 's' && type != 'a') {
        body_refuse(b, "stop", "it must be a string or a list of strings");
        return;
    }
    body_name(b, "stop_sequences", any);
    body_put(b, type == 's' ? "[" : "");
    body_raw(b, v);
    body_put(b, type == 's' ? "]" : "");
}

/* -------------------------------------------------------------------- tools */

/* A schema as Claude wants it: always an object with a type. */
static void input_schema(struct body *b, pbay_str schema)
{
    size_t pos = 0;
    pbay_str inside;

    body_put(b, ",\"input_schema\":");
    if (pbay_json_type(schema) != 'o' ||
        !pbay_json_next(schema, &pos, NULL, &inside)) {
        body_put(b, "{\"type\":\"object\"}");
    } else if (!pbay_json_get(schema, "type").n) {
        inside = (pbay_str){schema.p + 1, schema.n - 1};
        body_put(b, "{\"type\":\"object\",");
        body_raw(b, inside);
    } else {
        body_raw(b, schema);
    }
}

static void tool(struct body *b, pbay_str item, unsigned place, int *n)
{
    pbay_str fn = pbay_json_get(item, "function");
    pbay_str name = pbay_json_get(fn, "name");
    pbay_str text = pbay_json_get(fn, "description");
    char param[32];

    snprintf(param, sizeof param, "tools[%u]", place);
    if (!pbay_json_is(pbay_json_get(item, "type"), "function")) {
        body_unsupported(b, param, "use tools of type function");
        return;
    }
    if (pbay_json_type(name) != 's') {
        body_refuse(b, param, "a tool needs a function.name");
        return;
    }
    body_put(b, (*n)++ ? ",{\"name\":" : "{\"name\":");
    body_raw(b, name);
    if (pbay_json_type(text) == 's') {
        body_put(b, ",\"description\":");
        body_raw(b, text);
    }
    input_schema(b, pbay_json_get(fn, "parameters"));
    if (pbay_json_true(pbay_json_get(fn, "strict")))
        body_put(b, ",\"strict\":true");
    body_cache(b, pbay_json_get(item, "cache_control").n ? item : fn);
    body_put(b, "}");
}

/* The name that tool_choice asks for; empty if it asks for none. */
static pbay_str forced(pbay_str choice)
{
    pbay_str fn = pbay_json_get(choice, "function");

    return pbay_json_is(pbay_json_get(choice, "type"), "function")
               ? pbay_json_get(fn, "name")
               : (pbay_str){NULL, 0};
}

static void write_choice(struct body *b, const char *type, pbay_str name,
                         int one_call, int *any)
{
    body_name(b, "tool_choice", any);
    body_put(b, "{\"type\":\"");
    body_put(b, type);
    body_put(b, "\"");
    if (name.n) {
        body_put(b, ",\"name\":");
        body_raw(b, name);
    }
    if (one_call)
        body_put(b, ",\"disable_parallel_tool_use\":true");
    body_put(b, "}");
}

static void tool_choice(struct body *b, int has_tools, int *any)
{
    pbay_str v = find(b, "tool_choice"), name = forced(v);
    pbay_str parallel = find(b, "parallel_tool_calls");
    int one_call = pbay_json_type(parallel) == 'b' && !pbay_json_true(parallel);
    int must = name.n || pbay_json_is(v, "required");

    if (must && !has_tools) {
        body_refuse(b, "tool_choice", "there are no tools to choose from");
    } else if (must && b->model.no_forced_tool) {
        body_unsupported(b, "tool_choice",
                         "this model has auto and none only: ask for the tool "
                         "in the prompt");
        if (one_call)
            write_choice(b, "auto", (pbay_str){NULL, 0}, 1, any);
    } else if (must) {
        write_choice(b, name.n ? "tool" : "any", name, one_call, any);
    } else if (pbay_json_is(v, "none")) {
        if (has_tools)
            write_choice(b, "none", name, 0, any);
    } else if (is_null(v) || pbay_json_is(v, "auto")) {
        if (has_tools && (one_call || !is_null(v)))
            write_choice(b, "auto", name, one_call, any);
    } else {
        body_unsupported(b, "tool_choice",
                         "use auto, none, required or one function");
    }
}

static void tools(struct body *b, int *any)
{
    pbay_str list = find(b, "tools"), item;
    size_t pos = 0;
    unsigned place = 0;
    int n = 0;

    if (!is_plain(list, "") && pbay_json_type(list) != 'a') {
        body_refuse(b, "tools", "tools must be a list");
        return;
    }
    while (b->rc == PBAY_OK && pbay_json_next(list, &pos, NULL, &item)) {
        if (!place) {
            body_name(b, "tools", any);
            body_put(b, "[");
        }
        tool(b, item, place++, &n);
    }
    if (place)
        body_put(b, "]");
    tool_choice(b, n > 0, any);
}

/* ---------------------------------------------------- thinking and the form */

enum {
    EFFORT_UNSET = -1,
    EFFORT_NONE,
    EFFORT_LOW,
    EFFORT_MEDIUM,
    EFFORT_HIGH,
    EFFORT_XHIGH,
    EFFORT_MAX
};

static int effort_of(struct body *b)
{
    static const char *const words[] = {"none", "low",   "medium",
                                        "high", "xhigh", "max"};
    pbay_str v = find(b, "reasoning_effort");

    if (is_null(v))
        return EFFORT_UNSET;
    for (int i = 0; i < 6; i++)
        if (pbay_json_is(v, words[i]))
            return i;
    if (pbay_json_is(v, "minimal")) {
        body_warn(b, "reasoning_effort", "minimal was changed to low");
        return EFFORT_LOW;
    }
    body_refuse(b, "reasoning_effort",
                "it must be none, minimal, low, medium, high, xhigh or max");
    return EFFORT_UNSET;
}

/* Tokens to think with, for models that want them told.  At least 1024, and
 * fewer than the whole output. */
static int64_t budget_of(struct body *b, int effort)
{
    static const int64_t budgets[] = {0, 2048, 8192, 16384, 32000, 32000};
    int64_t limit = asked_limit(b), budget;

    if (b->model.adaptive || effort <= EFFORT_NONE)
        return 0;
    budget = budgets[effort];
    if (limit >= 0 && budget > limit / 2)
        budget = limit / 2;
    if (budget < 1024)
        body_refuse(b, "reasoning_effort",
                    "this model needs 1024 tokens or more to think with, half "
                    "of max_tokens: allow 2048 or leave one of the two out");
    return budget;
}

static void no_thinking(struct body *b, int *any)
{
    if (b->model.always_thinks) {
        body_unsupported(b, "reasoning_effort",
                         "this model always thinks: use low or more");
        return;
    }
    body_name(b, "thinking", any);
    body_put(b, b->model.between_tools ? "{\"type\":\"between_tools\"}"
                                       : "{\"type\":\"disabled\"}");
}

static void thinking(struct body *b, int effort, int64_t budget, int *any)
{
    pbay_str own = find(b, "thinking");

    if (pbay_json_type(own) == 'o') {
        body_name(b, "thinking", any);
        body_raw(b, own);
        return;
    }
    if (effort == EFFORT_NONE)
        no_thinking(b, any);
    if (effort <= EFFORT_NONE)
        return;
    body_name(b, "thinking", any);
    if (b->model.adaptive) {
        body_put(b, "{\"type\":\"adaptive\",\"display\":\"");
        body_put(b, b->o->hide_thinking ? "omitted\"}" : "summarized\"}");
    } else {
        body_put(b, "{\"type\":\"enabled\",\"budget_tokens\":");
        body_int(b, budget);
        body_put(b, "}");
    }
}

/* The schema of response_format; its description goes with it. */
static void schema(struct body *b, pbay_str format)
{
    pbay_str form = pbay_json_get(format, "json_schema");
    pbay_str schema = pbay_json_get(form, "schema");
    pbay_str text = pbay_json_get(form, "description"), first;
    size_t pos = 0;

    if (pbay_json_type(schema) != 'o') {
        body_refuse(b, "response_format", "json_schema.schema is missing");
        return;
    }
    body_put(b, "\"format\":{\"type\":\"json_schema\",\"schema\":");
    if (pbay_json_type(text) == 's' &&
        !pbay_json_get(schema, "description").n &&
        pbay_json_next(schema, &pos, NULL, &first)) {
        body_put(b, "{\"description\":");
        body_raw(b, text);
        body_put(b, ",");
        body_raw(b, (pbay_str){schema.p + 1, schema.n - 1});
    } else {
        body_raw(b, schema);
    }
    body_put(b, "}");
}

static void output_config(struct body *b, int effort, int *any)
{
    static const char *const words[] = {"",     "low",   "medium",
                                        "high", "xhigh", "max"};
    pbay_str format = find(b, "response_format");
    pbay_str type = pbay_json_get(format, "type");
    int told = effort > EFFORT_NONE && b->model.adaptive;
    int formed = pbay_json_is(type, "json_schema");

    if (!is_null(format) && !formed && !pbay_json_is(type, "text"))
        body_unsupported(b, "response_format",
                         "use json_schema, or ask for JSON in the prompt");
    if (!told && !formed)
        return;
    body_name(b, "output_config", any);
    body_put(b, "{");
    if (told) {
        body_put(b, "\"effort\":\"");
        body_put(b, words[effort]);
        body_put(b, formed ? "\"," : "\"");
    }
    if (formed)
        schema(b, format);
    body_put(b, "}");
}

/* ------------------------------------------------------------------ the rest
 */

/* Claude knows one entry of metadata: who the user is. */
static void metadata(struct body *b, int *any)
{
    pbay_str all = find(b, "metadata"), key, value;
    pbay_str user = find(b, "safety_identifier");
    size_t pos = 0;

    if (pbay_json_type(user) != 's')
        user = find(b, "user");
    while (b->rc == PBAY_OK && pbay_json_next(all, &pos, &key, &value)) {
        if (cl_is(key, "user_id") && pbay_json_type(value) == 's') {
            if (pbay_json_type(user) != 's')
                user = value;
        } else {
            body_unsupported(b, "metadata", "keep it on your side");
            break;
        }
    }
    if (pbay_json_type(user) != 's' || user.n == 2)
        return;
    body_name(b, "metadata", any);
    body_put(b, "{\"user_id\":");
    body_raw(b, user);
    body_put(b, "}");
}

static void service_tier(struct body *b, int *any)
{
    pbay_str v = find(b, "service_tier");
    int standard =
        pbay_json_is(v, "default") || pbay_json_is(v, "standard_only");

    if (is_null(v))
        return;
    if (!standard && !pbay_json_is(v, "auto")) {
        body_unsupported(b, "service_tier", "use auto or default");
        return;
    }
    body_name(b, "service_tier", any);
    body_put(b, standard ? "\"standard_only\"" : "\"auto\"");
}

static void model_name(struct body *b, int *any)
{
    pbay_str v = find(b, "model");

    body_name(b, "model", any);
    if (b->req->model.n)
        body_string(b, b->req->model);
    else if (pbay_json_type(v) == 's')
        body_raw(b, v);
    else
        body_refuse(b, "model", "which model?");
}

/* What shapes the answer and is no part of the prompt. */
static void answer_side(struct body *b, int *any)
{
    has_not(b);
    modalities(b);
    unheard_of(b);
    sampling(b, any);
    stop_sequences(b, any);
    metadata(b, any);
    service_tier(b, any);
    if (b->req->flags & PBAY_RQ_STREAM) {
        body_name(b, "stream", any);
        body_put(b, "true");
    }
}

pbay_rc cl_request(struct claude *o, struct call *c, const pbay_request *req,
                   const pbay_str **pieces, size_t *n_pieces)
{
    struct body b = {
        .o = o, .c = c, .req = req, .out = {.host = o->host, .call = c->call}};
    int64_t budget;
    int any = 0, effort;

    cl_traits(req->model, &b.model);
    body_put(&b, "{");
    model_name(&b, &any);
    effort = effort_of(&b);
    budget = budget_of(&b, effort);
    max_tokens(&b, budget, &any);
    body_messages(&b, find(&b, "messages"), &any);
    tools(&b, &any);
    thinking(&b, effort, budget, &any);
    output_config(&b, effort, &any);
    if (pbay_json_type(find(&b, "cache_control")) == 'o') {
        body_name(&b, "cache_control", &any);
        body_raw(&b, find(&b, "cache_control"));
    }
    if (!counting(&b))
        answer_side(&b, &any);
    body_put(&b, "}");
    *pieces = b.out.pieces;
    *n_pieces = b.out.n;
    return b.rc;
}
