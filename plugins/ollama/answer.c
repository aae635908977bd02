/* SPDX-License-Identifier: MIT */
/* ollama.so: a chat's answer.  The lines of a stream and the whole reply have
 * the same form; the line with "done": true ends both. */
#include <stdio.h>
#include <string.h>

#include "ollama.h"

#define CALLS_MAX 1024u

enum {
    R_MODEL,
    R_MESSAGE,
    R_DONE,
    R_REASON,
    R_LOGPROBS,
    R_INPUT,
    R_OUTPUT,
    R_COUNT
};
static const pbay_str reply_names[R_COUNT] = {
    PBAY_LIT("model"),      PBAY_LIT("message"),
    PBAY_LIT("done"),       PBAY_LIT("done_reason"),
    PBAY_LIT("logprobs"),   PBAY_LIT("prompt_eval_count"),
    PBAY_LIT("eval_count"),
};

enum {
    M_CONTENT,
    M_THINKING,
    M_CALLS,
    M_COUNT
};
static const pbay_str message_names[M_COUNT] = {
    PBAY_LIT("content"), PBAY_LIT("thinking"), PBAY_LIT("tool_calls")};

static int has_items(pbay_str list)
{
    pbay_str v;
    size_t pos = 0;

    return pbay_json_type(list) == 'a' && pbay_json_next(list, &pos, NULL, &v);
}

/* -------------------------------------------------------------------- usage */

pbay_rc ol_usage(struct ollama *o, struct call *c, pbay_str in, pbay_str out,
                 int out_known)
{
    pbay_usage u = {.size = sizeof u};
    pbay_event ev = {.type = PBAY_EV_USAGE, .usage = &u};
    int64_t v;

    if (pbay_json_i64(in, &v) == 0 && v >= 0) {
        u.input = (uint64_t)v;
        u.known |= PBAY_U_INPUT;
    }
    if (pbay_json_i64(out, &v) == 0 && v >= 0) {
        u.output = (uint64_t)v;
        u.known |= PBAY_U_OUTPUT;
    } else if (out_known && !out.n) {
        u.known |= PBAY_U_OUTPUT; /* a zero is left out */
    }
    return u.known ? ol_emit(o, c, &ev) : PBAY_OK;
}

/* --------------------------------------------------------------------- text */

static pbay_rc text(struct ollama *o, struct call *c, uint32_t type,
                    pbay_str value, pbay_str logprobs)
{
    pbay_event ev = {.type = type, .json = logprobs};

    if (!ol_wants(c, type))
        return PBAY_OK;
    if (ol_filled(value))
        return ol_emit_text(o, c, &ev, value);
    return logprobs.n ? ol_emit(o, c, &ev) : PBAY_OK;
}

/* -------------------------------------------------------------------- calls */

/* Older servers give calls no id. */
static pbay_str id_of(struct ollama *o, struct call *c, pbay_str item,
                      pbay_str fn, uint32_t index)
{
    pbay_str id = pbay_json_get(item, "id");
    char *p;
    int n;

    if (!ol_filled(id))
        id = pbay_json_get(fn, "id");
    if (ol_filled(id))
        return pbay_text(o->host, c->call, id);
    p = o->host->alloc(c->call, 32);
    if (!p)
        return (pbay_str){NULL, 0};
    n = snprintf(p, 32, "call_%08x_%u", c->seed, index);
    return (pbay_str){p, (size_t)n};
}

static pbay_rc tool(struct ollama *o, struct call *c, pbay_str item)
{
    pbay_event ev = {.type = PBAY_EV_CALL, .index = c->n_calls};
    pbay_str fn = pbay_json_get(item, "function");
    pbay_str name = pbay_json_get(fn, "name");
    pbay_str args = pbay_json_get(fn, "arguments");

    if (c->n_calls == CALLS_MAX)
        return ol_error(o, c, PBAY_E_PROTOCOL,
                        "the reply has more tool calls than can be");
    c->n_calls++;
    if (!ol_wants(c, PBAY_EV_CALL))
        return PBAY_OK;
    if (!ol_filled(name))
        return ol_error(o, c, PBAY_E_PROTOCOL,
                        "the reply calls a tool without naming it");
    ev.id = id_of(o, c, item, fn, ev.index);
    ev.name = pbay_text(o->host, c->call, name);
    if (!ev.id.n || !ev.name.n)
        return PBAY_NOMEM;
    if (ol_filled(args)) /* as OpenAI has it; not Ollama itself */
        return ol_emit_text(o, c, &ev, args);
    ev.text = pbay_json_type(args) == 'o' ? args : OL("{}");
    return ol_emit(o, c, &ev);
}

static pbay_rc tools(struct ollama *o, struct call *c, pbay_str list)
{
    pbay_str item;
    size_t pos = 0;
    pbay_rc rc = PBAY_OK;

    while (rc == PBAY_OK && pbay_json_next(list, &pos, NULL, &item))
        rc = tool(o, c, item);
    return rc;
}

/* --------------------------------------------------------------------- ends */

/* There is no reason for tools: calls were seen, or not.  "load" and "unload"
 * answer a chat without messages. */
static pbay_rc done(struct ollama *o, struct call *c, const pbay_str *r)
{
    pbay_event ev = {.type = PBAY_EV_STOP, .code = PBAY_STOP_END};
    pbay_rc rc;

    if (pbay_json_is(r[R_REASON], "length"))
        ev.code = PBAY_STOP_LENGTH;
    else if (c->n_calls)
        ev.code = PBAY_STOP_TOOL;
    if (ol_filled(r[R_REASON]))
        ev.name = pbay_text(o->host, c->call, r[R_REASON]);
    c->ended = 1;
    rc = ol_emit(o, c, &ev);
    /* A prompt is never empty: one without a count came from a cache. */
    if (rc == PBAY_OK)
        rc = ol_usage(o, c, r[R_INPUT], r[R_OUTPUT], 1);
    return rc == PBAY_OK ? PBAY_END : rc;
}

pbay_rc ol_answer(struct ollama *o, struct call *c, pbay_str data)
{
    static const pbay_str none = {NULL, 0};
    pbay_str r[R_COUNT], m[M_COUNT];
    int last;
    pbay_rc rc;

    ol_fields(data, reply_names, r, R_COUNT);
    ol_fields(r[R_MESSAGE], message_names, m, M_COUNT);
    last = pbay_json_true(r[R_DONE]);
    if (!last && c->framing != PBAY_FRAME_NDJSON)
        return ol_error(o, c, PBAY_E_PROTOCOL,
                        "the reply is no complete chat: done is not true");
    if (!last && pbay_json_type(r[R_MESSAGE]) != 'o')
        return ol_error(o, c, PBAY_E_PROTOCOL,
                        "a line of the reply has no message");
    if (!has_items(r[R_LOGPROBS]))
        r[R_LOGPROBS] = none;
    rc = ol_begin(o, c, r[R_MODEL]);
    if (rc == PBAY_OK &&
        (last || ol_filled(m[M_CONTENT]) || ol_filled(m[M_THINKING]) ||
         has_items(m[M_CALLS]) || r[R_LOGPROBS].n))
        rc = ol_content(o, c);
    if (rc == PBAY_OK)
        rc = text(o, c, PBAY_EV_REASONING, m[M_THINKING], none);
    if (rc == PBAY_OK)
        rc = text(o, c, PBAY_EV_TEXT, m[M_CONTENT], r[R_LOGPROBS]);
    if (rc == PBAY_OK)
        rc = tools(o, c, m[M_CALLS]);
    return rc == PBAY_OK && last ? done(o, c, r) : rc;
}
