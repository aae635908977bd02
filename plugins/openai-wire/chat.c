/* SPDX-License-Identifier: MIT */
/* OpenAI's language: the choices of a chat, in the chunks of a stream or whole.
 * Both have the same form but for the name of the message (`delta`, `message`).
 */
#include <stdio.h>
#include <string.h>

#include "oai.h"

#define CHOICES_MAX 1024u
#define TOOLS_MAX   1024u

static pbay_rc too_many(struct openai *o, struct call *c)
{
    return oai_error(o, c, PBAY_E_PROTOCOL,
                     "the reply has more choices or tool calls than can be");
}

static struct choice *choice_at(struct openai *o, struct call *c,
                                uint32_t index)
{
    struct choice *at;

    for (at = c->choices; at; at = at->next)
        if (at->index == index)
            return at;
    if (c->n_choices == CHOICES_MAX)
        return NULL;
    at = o->host->alloc(c->call, sizeof *at);
    if (at) {
        at->index = index;
        at->next = c->choices;
        c->choices = at;
        c->n_choices++;
    }
    return at;
}

/* A string with something in it. */
static int filled(pbay_str value)
{
    return pbay_json_type(value) == 's' && value.n > 2;
}

/* Anything with something in it. */
static int present(pbay_str value)
{
    pbay_str v;
    size_t pos = 0;

    switch (pbay_json_type(value)) {
    case 's':
        return value.n > 2;
    case 'a':
    case 'o':
        return pbay_json_next(value, &pos, NULL, &v);
    default:
        return 0;
    }
}

/* ------------------------------------------------------------ text of parts */

static pbay_rc text_event(struct openai *o, struct call *c,
                          const struct choice *ch, uint32_t type,
                          pbay_str value, pbay_str logprobs)
{
    pbay_event ev = {.type = type, .choice = ch->index, .json = logprobs};

    if (!oai_wants(c, type))
        return PBAY_OK;
    if (filled(value))
        return oai_emit_text(o, c, &ev, value);
    return logprobs.n ? oai_emit(o, c, &ev) : PBAY_OK;
}

/* Mistral's content in parts: text, refusal, and thinking, which has parts of
 * its own. */
static pbay_rc parts(struct openai *o, struct call *c, const struct choice *ch,
                     pbay_str list, uint32_t type, int depth)
{
    static const pbay_str none = {NULL, 0};
    pbay_str part;
    size_t pos = 0;
    pbay_rc rc = PBAY_OK;

    while (rc == PBAY_OK && pbay_json_next(list, &pos, NULL, &part)) {
        pbay_str kind = pbay_json_get(part, "type");
        pbay_str inner = pbay_json_get(part, "thinking");
        if (pbay_json_is(kind, "thinking") && pbay_json_type(inner) == 'a') {
            if (depth == 0)
                rc = parts(o, c, ch, inner, PBAY_EV_REASONING, 1);
        } else if (pbay_json_is(kind, "thinking")) {
            rc = text_event(o, c, ch, PBAY_EV_REASONING, inner, none);
        } else if (pbay_json_is(kind, "refusal")) {
            rc = text_event(o, c, ch, PBAY_EV_REFUSAL,
                            pbay_json_get(part, "refusal"), none);
        } else if (pbay_json_is(kind, "text") ||
                   pbay_json_is(kind, "output_text")) {
            rc = text_event(o, c, ch, type, pbay_json_get(part, "text"), none);
        }
    }
    return rc;
}

/* --------------------------------------------------------------- tool calls */

/* The id that a server left out: unlike any other of this reply, and of others
 * as far as their ids differ. */
static pbay_str made_id(struct openai *o, struct call *c)
{
    char text[48];
    uint32_t h = 2166136261u;
    char *p;
    int n;

    for (size_t i = 0; i < c->reply_id.n; i++)
        h = (h ^ (unsigned char)c->reply_id.p[i]) * 16777619u;
    n = snprintf(text, sizeof text, "call_%08x_%u", h, c->n_calls_named++);
    p = o->host->alloc(c->call, (size_t)n);
    if (!p)
        return (pbay_str){NULL, 0};
    memcpy(p, text, (size_t)n);
    return (pbay_str){p, (size_t)n};
}

static struct tool *tool_new(struct openai *o, struct call *c,
                             struct choice *ch, uint32_t given)
{
    struct tool *t;

    if (ch->n_tools == TOOLS_MAX)
        return NULL;
    t = o->host->alloc(c->call, sizeof *t);
    if (t) {
        t->given = given;
        t->index = ch->n_tools++;
        t->next = ch->tools;
        ch->tools = t;
    }
    return t;
}

static int same_id(const struct tool *t, pbay_str id)
{
    return t->id.n == id.n && memcmp(t->id.p, id.p, id.n) == 0;
}

/* Which call is this fragment of?  By its index.  Without one: an id, or else a
 * name, that is new starts another call.  A new id under an index that is taken
 * is another call as well (some servers number every call 0). */
static struct tool *tool_of(struct openai *o, struct call *c, struct choice *ch,
                            pbay_str index, pbay_str id, int named)
{
    struct tool *t = ch->tools;
    int64_t given = -1;

    if (pbay_json_i64(index, &given) == 0 && given >= 0 &&
        given <= UINT32_MAX) {
        while (t && t->given != (uint32_t)given)
            t = t->next;
        if (t && !(t->started && id.n && t->id.n && !same_id(t, id)))
            return t;
    } else if (t &&
               !(id.n ? t->id.n && !same_id(t, id) : named && t->started)) {
        return t;
    }
    return tool_new(o, c, ch, given < 0 ? ch->n_tools : (uint32_t)given);
}

static pbay_rc tool_piece(struct openai *o, struct call *c,
                          const struct choice *ch, struct tool *t,
                          pbay_str name, pbay_str args)
{
    pbay_event ev = {
        .type = PBAY_EV_CALL, .choice = ch->index, .index = t->index};
    char type = pbay_json_type(args);

    if (!oai_wants(c, PBAY_EV_CALL))
        return PBAY_OK;
    if (!t->started) {
        if (!filled(name)) {
            if (!filled(args) && type != 'o')
                return PBAY_OK; /* the name may still come */
            return oai_error(o, c, PBAY_E_PROTOCOL,
                             "the reply calls a tool without naming it");
        }
        if (!t->id.n)
            t->id = made_id(o, c);
        ev.id = t->id;
        ev.name = pbay_text(o->host, c->call, name);
        if (!ev.id.n || !ev.name.n)
            return PBAY_NOMEM;
        t->started = 1;
    }
    if (type == 'o') {
        ev.text = args; /* Mistral may send the object itself */
        return oai_emit(o, c, &ev);
    }
    if (filled(args))
        return oai_emit_text(o, c, &ev, args);
    return ev.id.n ? oai_emit(o, c, &ev) : PBAY_OK;
}

static pbay_rc tool(struct openai *o, struct call *c, struct choice *ch,
                    pbay_str item, int whole)
{
    pbay_str fn = pbay_json_get(item, "function");
    pbay_str id = pbay_text(o->host, c->call, pbay_json_get(item, "id"));
    pbay_str name, args;
    struct tool *t;

    if (pbay_json_type(fn) == 'o') {
        args = pbay_json_get(fn, "arguments");
    } else {
        fn = pbay_json_get(item, "custom");
        args = pbay_json_get(fn, "input");
    }
    name = pbay_json_get(fn, "name");
    if (whole)
        t = tool_new(o, c, ch, ch->n_tools);
    else
        t = tool_of(o, c, ch, pbay_json_get(item, "index"), id, filled(name));
    if (!t)
        return too_many(o, c);
    if (!t->id.n)
        t->id = id;
    return tool_piece(o, c, ch, t, name, args);
}

static pbay_rc tools(struct openai *o, struct call *c, struct choice *ch,
                     pbay_str list, pbay_str old, int whole)
{
    pbay_str item;
    size_t pos = 0;
    pbay_rc rc = PBAY_OK;

    while (rc == PBAY_OK && pbay_json_next(list, &pos, NULL, &item))
        rc = tool(o, c, ch, item, whole);
    if (rc == PBAY_OK && pbay_json_type(old) == 'o') {
        struct tool *t = ch->tools ? ch->tools : tool_new(o, c, ch, 0);
        if (!t)
            return too_many(o, c);
        rc = tool_piece(o, c, ch, t, pbay_json_get(old, "name"),
                        pbay_json_get(old, "arguments"));
    }
    return rc;
}

/* -------------------------------------------------------------------- stops */

static const struct {
    const char *word;
    uint32_t code;
} stops[] = {
    {"stop", PBAY_STOP_END},
    {"length", PBAY_STOP_LENGTH},
    {"tool_calls", PBAY_STOP_TOOL},
    {"function_call", PBAY_STOP_TOOL},
    {"content_filter", PBAY_STOP_FILTER},
    {"eos", PBAY_STOP_END},              /* Together */
    {"model_length", PBAY_STOP_CONTEXT}, /* Mistral */
    {"end_turn", PBAY_STOP_END},
    {"max_tokens", PBAY_STOP_LENGTH},
    {"tool_use", PBAY_STOP_TOOL},
};

static pbay_rc stop_now(struct openai *o, struct call *c, struct choice *ch,
                        uint32_t code, pbay_str name)
{
    pbay_event ev = {
        .type = PBAY_EV_STOP, .choice = ch->index, .code = code, .name = name};

    pbay_rc rc = PBAY_OK;

    ch->stopped = 1;
    ch->held_stop = 0;
    if (o->hooks && o->hooks->before_stop)
        rc = o->hooks->before_stop(o, c, ch);
    return rc == PBAY_OK ? oai_emit(o, c, &ev) : rc;
}

static pbay_rc stop(struct openai *o, struct call *c, struct choice *ch,
                    pbay_str word, pbay_str native)
{
    uint32_t code = PBAY_STOP_END;
    pbay_str name;

    if (pbay_json_is(word, "error"))
        return oai_error(o, c, PBAY_E_UPSTREAM,
                         "the provider ended the answer with an error");
    if (pbay_json_is(word, "insufficient_system_resource")) /* DeepSeek */
        return oai_error(o, c, PBAY_E_OVERLOADED,
                         "the provider ran out of resources during the answer");
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++)
        if (pbay_json_is(word, stops[i].word))
            code = stops[i].code;
    /* Some servers say "stop" whatever the answer ended with. */
    if (pbay_json_is(word, "stop") && ch->n_tools)
        code = PBAY_STOP_TOOL;
    name = pbay_text(o->host, c->call,
                     o->native_stop && filled(native) ? native : word);
    if (o->end_at_finish && c->framing == PBAY_FRAME_SSE) {
        ch->held_stop = code;
        ch->held_name = name;
        return PBAY_OK;
    }
    return stop_now(o, c, ch, code, name);
}

pbay_rc oai_stops(struct openai *o, struct call *c)
{
    struct choice *ch, *lowest;
    pbay_rc rc = PBAY_OK;

    for (;;) {
        /* The list is in no order; stops come by choice. */
        for (lowest = NULL, ch = c->choices; ch; ch = ch->next)
            if (!ch->stopped && (!lowest || ch->index < lowest->index))
                lowest = ch;
        if (!lowest || rc != PBAY_OK)
            return rc;
        rc = stop_now(o, c, lowest,
                      lowest->held_stop ? lowest->held_stop
                      : lowest->n_tools ? (uint32_t)PBAY_STOP_TOOL
                                        : (uint32_t)PBAY_STOP_END,
                      lowest->held_name);
    }
}

/* ------------------------------------------------------------------ choices */

/* The members of a message, or of its delta.  The first ones mean something
 * here; all but the role have something of the answer in them if they are not
 * empty.  (A role, or an empty text, is prelude.) */
enum {
    M_CONTENT,
    M_REASONING,
    M_REASONING_CONTENT,
    M_REFUSAL,
    M_TOOL_CALLS,
    M_FUNCTION_CALL,
    M_AUDIO,
    M_DETAILS,
    M_IMAGES,
    M_COUNT
};
static const pbay_str message_names[M_COUNT] = {PBAY_LIT("content"),
                                                PBAY_LIT("reasoning"),
                                                PBAY_LIT("reasoning_content"),
                                                PBAY_LIT("refusal"),
                                                PBAY_LIT("tool_calls"),
                                                PBAY_LIT("function_call"),
                                                PBAY_LIT("audio"),
                                                PBAY_LIT("reasoning_details"),
                                                PBAY_LIT("images")};

static int answers(const pbay_str *m)
{
    for (size_t i = 0; i < M_COUNT; i++)
        if (m[i].n && present(m[i]))
            return 1;
    return 0;
}

static pbay_rc message(struct openai *o, struct call *c, struct choice *ch,
                       const pbay_str *m, pbay_str logprobs, int whole)
{
    static const pbay_str none = {NULL, 0};
    pbay_rc rc;

    rc = text_event(
        o, c, ch, PBAY_EV_REASONING,
        filled(m[M_REASONING]) ? m[M_REASONING] : m[M_REASONING_CONTENT], none);
    if (rc != PBAY_OK)
        return rc;
    if (pbay_json_type(m[M_CONTENT]) == 'a')
        rc = parts(o, c, ch, m[M_CONTENT], PBAY_EV_TEXT, 0);
    else
        rc = text_event(o, c, ch, PBAY_EV_TEXT, m[M_CONTENT], logprobs);
    if (rc == PBAY_OK)
        rc = text_event(o, c, ch, PBAY_EV_REFUSAL, m[M_REFUSAL], none);
    if (rc == PBAY_OK && (m[M_TOOL_CALLS].n || m[M_FUNCTION_CALL].n))
        rc = tools(o, c, ch, m[M_TOOL_CALLS], m[M_FUNCTION_CALL], whole);
    return rc;
}

enum {
    C_INDEX,
    C_DELTA,
    C_MESSAGE,
    C_FINISH,
    C_LOGPROBS,
    C_NATIVE,
    C_ERROR,
    C_COUNT
};
static const pbay_str choice_names[C_COUNT] = {
    PBAY_LIT("index"),    PBAY_LIT("delta"),
    PBAY_LIT("message"),  PBAY_LIT("finish_reason"),
    PBAY_LIT("logprobs"), PBAY_LIT("native_finish_reason"),
    PBAY_LIT("error")};

static pbay_rc one_choice(struct openai *o, struct call *c, pbay_str item,
                          uint32_t place)
{
    pbay_str f[C_COUNT], m[M_COUNT], logprobs, body;
    struct choice *ch;
    int64_t index;
    int whole;
    pbay_rc rc = PBAY_OK;

    oai_fields(item, choice_names, f, C_COUNT);
    whole = pbay_json_type(f[C_DELTA]) != 'o';
    if (present(f[C_ERROR])) /* OpenRouter: one choice failed */
        return oai_error_body(o, c, item);
    body = f[whole ? C_MESSAGE : C_DELTA];
    oai_fields(body, message_names, m, M_COUNT);
    logprobs = pbay_json_get(f[C_LOGPROBS], "content");
    if (!present(logprobs))
        logprobs = (pbay_str){NULL, 0};
    if (pbay_json_i64(f[C_INDEX], &index) < 0 || index < 0 ||
        index > UINT32_MAX)
        index = place;
    ch = choice_at(o, c, (uint32_t)index);
    if (!ch)
        return too_many(o, c);
    if (ch->stopped)
        return PBAY_OK; /* a stop is the last of its choice */
    if (!c->content && (answers(m) || logprobs.n || filled(f[C_FINISH])))
        rc = oai_content(o, c);
    if (rc == PBAY_OK && o->hooks && o->hooks->message)
        rc = o->hooks->message(o, c, ch, body);
    if (rc == PBAY_OK)
        rc = message(o, c, ch, m, logprobs, whole);
    if (rc == PBAY_OK && filled(f[C_FINISH]))
        rc = stop(o, c, ch, f[C_FINISH], f[C_NATIVE]);
    return rc;
}

pbay_rc oai_choices(struct openai *o, struct call *c, pbay_str choices)
{
    pbay_str item;
    size_t pos = 0;
    uint32_t place = 0;
    pbay_rc rc = PBAY_OK;

    while (rc == PBAY_OK && pbay_json_next(choices, &pos, NULL, &item))
        rc = one_choice(o, c, item, place++);
    return rc;
}
