/* SPDX-License-Identifier: MIT */
/* ollama.so: a canonical chat as the body of POST /api/chat.  Every member is
 * translated, refused, or dropped with a warning: `fields` says which. */
#include <stdio.h>
#include <string.h>

#include "ollama.h"

static pbay_str find(const pbay_request *req, const char *name)
{
    return pbay_json_find(req->members, req->n_members, name);
}

static int is_empty(pbay_str value)
{
    pbay_str v;
    size_t pos = 0;

    switch (pbay_json_type(value)) {
    case 'a':
    case 'o':
        return !pbay_json_next(value, &pos, NULL, &v);
    case 0:
    case '0':
        return 1;
    default:
        return 0;
    }
}

static int ends(pbay_str s, const char *tail)
{
    size_t n = strlen(tail);

    return s.n >= n && memcmp(s.p + s.n - n, tail, n) == 0;
}

/* Models that run in Ollama's cloud. */
static int in_cloud(pbay_str model)
{
    return ends(model, "-cloud") || ends(model, ":cloud");
}

/* -------------------------------------------------------------------- tools */

/* What of a tool goes up but means nothing there. */
static pbay_rc ignored(struct body *b, pbay_str tool, size_t i)
{
    char at[64];

    if (!ol_absent(pbay_json_get(tool, "cache_control"))) {
        snprintf(at, sizeof at, "tools[%zu].cache_control", i);
        if (ol_cache_hint(b->o, b->c, at) != PBAY_OK)
            return PBAY_STOPPED;
    }
    if (!pbay_json_true(
            pbay_json_get(pbay_json_get(tool, "function"), "strict")))
        return PBAY_OK;
    snprintf(at, sizeof at, "tools[%zu].function.strict", i);
    return ol_warn(b->o, b->c, at,
                   "ignored: Ollama does not hold a model to the schema of a "
                   "tool's arguments");
}

static pbay_rc tools(struct body *b, const pbay_request *req)
{
    pbay_str list = find(req, "tools"), item;
    size_t pos = 0, n = 0, i = 0;
    pbay_rc rc = PBAY_OK;

    /* To forbid tools is to send none. */
    if (ol_absent(list) || pbay_json_is(find(req, "tool_choice"), "none"))
        return PBAY_OK;
    if (pbay_json_type(list) != 'a')
        return ol_invalid(b->o, b->c, "tools", "it must be a list");
    for (; rc == PBAY_OK && pbay_json_next(list, &pos, NULL, &item); i++) {
        char at[48];
        if (!pbay_json_is(pbay_json_get(item, "type"), "function")) {
            snprintf(at, sizeof at, "tools[%zu].type", i);
            rc = ol_unsupported(b->o, b->c, at,
                                "has only tools of type function");
            continue;
        }
        if (!n++) {
            ol_key(b, "tools");
            ol_open(b, "[");
        }
        ol_value(b, item);
        rc = ignored(b, item, i);
    }
    if (n)
        ol_close(b, "]");
    return rc;
}

static pbay_rc tool_choice(struct body *b, pbay_str v)
{
    if (pbay_json_is(v, "auto") || pbay_json_is(v, "none"))
        return PBAY_OK;
    return ol_unsupported(b->o, b->c, "tool_choice",
                          "leaves it to the model whether it calls a tool "
                          "(auto and none are possible)");
}

/* ----------------------------------------------------------- form of answers
 */

static pbay_rc format(struct body *b, const pbay_request *req, pbay_str v)
{
    pbay_str type = pbay_json_get(v, "type"), schema;

    if (pbay_json_is(type, "text"))
        return PBAY_OK;
    if (in_cloud(req->model))
        return ol_unsupported(b->o, b->c, "response_format",
                              "has no structured output for models in its "
                              "cloud");
    if (pbay_json_is(type, "json_object")) {
        ol_key(b, "format");
        ol_value(b, OL("\"json\""));
        return PBAY_OK;
    }
    if (!pbay_json_is(type, "json_schema"))
        return ol_unsupported(b->o, b->c, "response_format.type",
                              "knows text, json_object and json_schema");
    schema = pbay_json_get(pbay_json_get(v, "json_schema"), "schema");
    if (pbay_json_type(schema) != 'o')
        return ol_invalid(b->o, b->c, "response_format.json_schema.schema",
                          "it must be a JSON Schema, an object");
    ol_key(b, "format");
    ol_value(b, schema);
    return PBAY_OK;
}

static pbay_rc effort(struct body *b, pbay_str v, pbay_str *think)
{
    static const struct {
        const char *effort;
        pbay_str think;
        const char *changed;
    } known[] = {
        {"none", PBAY_LIT("false"), NULL},
        {"minimal", PBAY_LIT("\"low\""), "minimal became low"},
        {"low", PBAY_LIT("\"low\""), NULL},
        {"medium", PBAY_LIT("\"medium\""), NULL},
        {"high", PBAY_LIT("\"high\""), NULL},
        {"xhigh", PBAY_LIT("\"max\""), "xhigh became max"},
        {"max", PBAY_LIT("\"max\""), NULL},
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!pbay_json_is(v, known[i].effort))
            continue;
        *think = known[i].think;
        return known[i].changed
                   ? ol_warn(b->o, b->c, "reasoning_effort", known[i].changed)
                   : PBAY_OK;
    }
    return ol_unsupported(b->o, b->c, "reasoning_effort",
                          "knows none, low, medium, high and max");
}

static pbay_rc think(struct body *b, const pbay_request *req)
{
    pbay_str v = find(req, "reasoning_effort"), own = find(req, "think");
    pbay_str out = b->o->think;
    pbay_rc rc = PBAY_OK;

    if (!ol_absent(pbay_json_get(req->model_config, "think")))
        out = pbay_json_get(req->model_config, "think");
    if (!ol_absent(own))
        out = own;
    if (!ol_absent(v))
        rc = effort(b, v, &out);
    if (rc == PBAY_OK && out.n) {
        ol_key(b, "think");
        ol_value(b, out);
    }
    return rc;
}

/* ------------------------------------------------------------------- members
 */

enum what {
    HANDLED, /* elsewhere: here, in options.c, messages.c, or by the host */
    AS_IS,   /* Ollama has the same */
    FORMAT,
    CHOICE,
    ONE,      /* only 1 is possible */
    TRUE,     /* only true is possible */
    FALSE,    /* only false is possible */
    TEXT,     /* only ["text"] is possible */
    TIER,     /* auto and default mean nothing here */
    LABEL,    /* changes nothing about the answer: a warning is enough */
    NOT_THERE /* refused, or dropped where the configuration says so */
};

static const struct field {
    const char *name;
    enum what what;
    const char *why; /* Ollama .. */
} fields[] = {
    {"model", HANDLED, NULL},
    {"messages", HANDLED, NULL},
    {"stream", HANDLED, NULL},
    {"stream_options", HANDLED, NULL}, /* the usage always comes */
    {"temperature", HANDLED, NULL},
    {"top_p", HANDLED, NULL},
    {"top_k", HANDLED, NULL},
    {"min_p", HANDLED, NULL},
    {"typical_p", HANDLED, NULL},
    {"seed", HANDLED, NULL},
    {"stop", HANDLED, NULL},
    {"max_tokens", HANDLED, NULL},
    {"max_completion_tokens", HANDLED, NULL},
    {"frequency_penalty", HANDLED, NULL},
    {"presence_penalty", HANDLED, NULL},
    {"repetition_penalty", HANDLED, NULL},
    {"repeat_penalty", HANDLED, NULL},
    {"num_ctx", HANDLED, NULL},
    {"options", HANDLED, NULL},
    {"keep_alive", HANDLED, NULL},
    {"think", HANDLED, NULL},
    {"reasoning_effort", HANDLED, NULL},
    {"tools", HANDLED, NULL},
    {"tool_choice", CHOICE, NULL},
    {"response_format", FORMAT, NULL},
    {"logprobs", AS_IS, NULL},
    {"top_logprobs", AS_IS, NULL},
    {"n", ONE, "makes one answer to a request; ask several times"},
    {"parallel_tool_calls", TRUE, "cannot keep a model from several calls"},
    {"store", FALSE, "stores no answers"},
    {"modalities", TEXT, "answers with text alone"},
    {"service_tier", TIER, "has no service tiers"},
    {"user", LABEL, "dropped: Ollama keeps no record of users"},
    {"safety_identifier", LABEL, "dropped: Ollama keeps no record of users"},
    {"metadata", LABEL, "dropped: Ollama stores no answers"},
    {"prompt_cache_key", LABEL, "dropped: Ollama caches prompts by itself"},
    {"prompt_cache_retention", LABEL,
     "dropped: Ollama caches prompts by itself"},
    {"prediction", LABEL, "dropped: Ollama cannot be told what to expect"},
    {"logit_bias", NOT_THERE, "cannot weigh single tokens"},
    {"verbosity", NOT_THERE, "has no such setting; say it in the prompt"},
    {"audio", NOT_THERE, "answers with text alone"},
    {"web_search_options", NOT_THERE, "does not search the web in a chat"},
    {"functions", NOT_THERE, "knows tools, their successor"},
    {"function_call", NOT_THERE, "knows tools, their successor"},
};
#define FIELDS (sizeof fields / sizeof *fields)

static const struct field *field_of(pbay_str name)
{
    for (size_t i = 0; i < FIELDS; i++)
        if (strlen(fields[i].name) == name.n &&
            memcmp(fields[i].name, name.p, name.n) == 0)
            return &fields[i];
    return NULL;
}

static int possible(const struct field *f, pbay_str v)
{
    pbay_str first = {NULL, 0}, second;
    int64_t n;
    size_t pos = 0;

    switch (f->what) {
    case ONE:
        return pbay_json_i64(v, &n) == 0 && n == 1;
    case TRUE:
        return pbay_json_true(v);
    case FALSE:
        return pbay_json_type(v) == 'b' && !pbay_json_true(v);
    case TEXT:
        return pbay_json_next(v, &pos, NULL, &first) &&
               pbay_json_is(first, "text") &&
               !pbay_json_next(v, &pos, NULL, &second);
    case TIER:
        return pbay_json_is(v, "auto") || pbay_json_is(v, "default");
    default:
        return 0;
    }
}

static pbay_rc member(struct body *b, const pbay_request *req, const pbay_kv *m)
{
    const struct field *f = field_of(m->k);
    char name[OL_NAME];

    if (is_empty(m->v))
        return PBAY_OK;
    if (!f)
        return ol_unsupported(b->o, b->c, ol_name(m->k, name),
                              "has no such field");
    switch (f->what) {
    case HANDLED:
        return PBAY_OK;
    case AS_IS:
        ol_key(b, f->name);
        ol_value(b, m->v);
        return PBAY_OK;
    case FORMAT:
        return format(b, req, m->v);
    case CHOICE:
        return tool_choice(b, m->v);
    case LABEL:
        return ol_warn(b->o, b->c, f->name, f->why);
    default:
        return possible(f, m->v) ? PBAY_OK
                                 : ol_unsupported(b->o, b->c, f->name, f->why);
    }
}

pbay_rc ol_chat_body(struct ollama *o, struct call *c, const pbay_request *req,
                     struct body *b)
{
    pbay_rc rc;

    if (req->flags & PBAY_RQ_CONTINUE)
        return ol_invalid(o, c, "messages",
                          "this provider cannot go on with an answer that was "
                          "begun; end the messages with a turn of the user");
    ol_open(b, "{");
    ol_key(b, "model");
    ol_string(b, req->model);
    rc = ol_messages(b, find(req, "messages"));
    ol_key(b, "stream");
    ol_value(b, req->flags & PBAY_RQ_STREAM ? OL("true") : OL("false"));
    for (size_t i = 0; rc == PBAY_OK && i < req->n_members; i++)
        rc = member(b, req, &req->members[i]);
    if (rc == PBAY_OK)
        rc = tools(b, req);
    if (rc == PBAY_OK)
        rc = think(b, req);
    if (rc == PBAY_OK && o->no_truncate) {
        ol_key(b, "truncate");
        ol_value(b, OL("false"));
        ol_key(b, "shift");
        ol_value(b, OL("false"));
    }
    if (rc == PBAY_OK)
        rc = ol_options(b, req);
    ol_close(b, "}");
    return rc;
}
