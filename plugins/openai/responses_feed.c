/* SPDX-License-Identifier: MIT */
/* openai.so: the reply of POST /responses, whole or as a stream of events.
 * Exactly one of response.completed, .incomplete and .failed ends a stream; one
 * that ends without is truncated.  Events that are not known mean nothing. */
#include <string.h>

#include "responses.h"

/* The calls of an answer, by their place in its output. */
struct fn {
    struct fn *next;
    int64_t place;
    uint32_t index;
    int filled; /* something of its arguments was told */
};

/* In call.more. */
struct told {
    struct fn *calls;
    uint32_t n_calls;
};

static int none(pbay_str v)
{
    return !v.n || pbay_json_type(v) == '0';
}

static int text_in(pbay_str v)
{
    return pbay_json_type(v) == 's' && v.n > 2;
}

static pbay_str type_of(pbay_str v)
{
    return pbay_json_get(v, "type");
}

static struct told *told(struct openai *o, struct call *c)
{
    if (!c->more) {
        c->more = o->host->alloc(c->call, sizeof(struct told));
        if (c->more)
            memset(c->more, 0, sizeof(struct told));
    }
    return c->more;
}

/* ------------------------------------------------------------------- pieces */

static pbay_rc text(struct openai *o, struct call *c, uint32_t type,
                    pbay_str value, pbay_str logprobs)
{
    pbay_event ev = {.type = type};
    pbay_str first;
    size_t pos = 0;
    pbay_rc rc;

    if (!text_in(value))
        return PBAY_OK;
    rc = oai_content(o, c);
    if (rc != PBAY_OK || !oai_wants(c, type))
        return rc;
    if (pbay_json_type(logprobs) == 'a' &&
        pbay_json_next(logprobs, &pos, NULL, &first))
        ev.json = logprobs;
    return oai_emit_text(o, c, &ev, value);
}

static pbay_rc break_between(struct openai *o, struct call *c)
{
    pbay_event ev = {.type = PBAY_EV_REASONING, .text = OA("\n\n")};

    return oai_wants(c, PBAY_EV_REASONING) ? oai_emit(o, c, &ev) : PBAY_OK;
}

static struct fn *fn_at(struct told *t, int64_t place)
{
    struct fn *f = t ? t->calls : NULL;

    while (f && f->place != place)
        f = f->next;
    return f;
}

static pbay_rc call_begins(struct openai *o, struct call *c, pbay_str item,
                           int64_t place)
{
    struct told *t = told(o, c);
    pbay_event ev = {.type = PBAY_EV_CALL};
    struct fn *f;
    pbay_rc rc;

    f = t ? o->host->alloc(c->call, sizeof *f) : NULL;
    if (!f)
        return PBAY_NOMEM;
    *f = (struct fn){t->calls, place, t->n_calls++, 0};
    t->calls = f;
    rc = oai_content(o, c);
    if (rc != PBAY_OK || !oai_wants(c, PBAY_EV_CALL))
        return rc;
    ev.index = f->index;
    ev.id = pbay_text(o->host, c->call, pbay_json_get(item, "call_id"));
    ev.name = pbay_text(o->host, c->call, pbay_json_get(item, "name"));
    if (!ev.id.n || !ev.name.n)
        return oai_error(o, c, PBAY_E_PROTOCOL,
                         "the reply calls a function without naming it");
    return oai_emit(o, c, &ev);
}

static pbay_rc arguments(struct openai *o, struct call *c, struct fn *f,
                         pbay_str value)
{
    pbay_event ev = {.type = PBAY_EV_CALL};

    if (!f || !text_in(value))
        return PBAY_OK;
    f->filled = 1;
    ev.index = f->index;
    return oai_wants(c, PBAY_EV_CALL) ? oai_emit_text(o, c, &ev, value)
                                      : PBAY_OK;
}

/* A thought that is sealed has to come back in the next request. */
static pbay_rc sealed(struct openai *o, struct call *c, pbay_str item)
{
    pbay_event ev = {.type = PBAY_EV_BLOCK, .json = item};
    pbay_rc rc;

    if (!text_in(pbay_json_get(item, "encrypted_content")))
        return PBAY_OK;
    rc = oai_content(o, c);
    return rc == PBAY_OK && oai_wants(c, PBAY_EV_BLOCK) ? oai_emit(o, c, &ev)
                                                        : rc;
}

/* ---------------------------------------------------------------------- end */

static pbay_rc failed(struct openai *o, struct call *c, pbay_str error)
{
    pbay_error e = {
        .size = sizeof e, .retry_after_ms = -1, .kind = PBAY_E_UPSTREAM};
    pbay_event ev = {.type = PBAY_EV_ERROR, .error = &e};
    pbay_str code = pbay_json_get(error, "code");

    if (pbay_json_is(code, "rate_limit_exceeded"))
        e.kind = PBAY_E_RATE;
    else if (pbay_json_is(code, "context_length_exceeded"))
        e.kind = PBAY_E_CONTEXT;
    else if (pbay_json_is(code, "insufficient_quota"))
        e.kind = PBAY_E_QUOTA;
    else if (pbay_json_is(code, "invalid_prompt"))
        e.kind = PBAY_E_INVALID;
    e.code = pbay_text(o->host, c->call, code);
    e.message = pbay_text(o->host, c->call, pbay_json_get(error, "message"));
    if (!e.message.n)
        e.message = OA("the provider ended the answer with an error");
    c->failed = 1;
    oai_emit(o, c, &ev);
    return PBAY_FAIL;
}

static pbay_rc stop(struct openai *o, struct call *c, uint32_t code,
                    pbay_str word)
{
    pbay_event ev = {.type = PBAY_EV_STOP, .code = code};

    ev.name = pbay_text(o->host, c->call, word);
    return oai_emit(o, c, &ev);
}

static int has_failed(pbay_str response)
{
    return pbay_json_is(pbay_json_get(response, "status"), "failed") ||
           !none(pbay_json_get(response, "error"));
}

/* The response object that ends an answer. */
static pbay_rc ended(struct openai *o, struct call *c, pbay_str response)
{
    pbay_str status = pbay_json_get(response, "status");
    pbay_str why =
        pbay_json_get(pbay_json_get(response, "incomplete_details"), "reason");
    struct told *t = c->more;
    pbay_rc rc;

    if (has_failed(response))
        return failed(o, c, pbay_json_get(response, "error"));
    if (pbay_json_is(status, "incomplete"))
        rc = stop(o, c,
                  pbay_json_is(why, "content_filter") ? PBAY_STOP_FILTER
                                                      : PBAY_STOP_LENGTH,
                  why);
    else if (pbay_json_is(status, "completed") || (c->flags & PBAY_RQ_PASS))
        rc = stop(o, c, t && t->n_calls ? PBAY_STOP_TOOL : PBAY_STOP_END,
                  status); /* passed on also while it runs elsewhere */
    else
        return oai_error(o, c, PBAY_E_PROTOCOL,
                         "the answer is neither complete nor incomplete");
    if (rc == PBAY_OK)
        rc = oai_usage(o, c, pbay_json_get(response, "usage"));
    c->ended = 1;
    return rc;
}

/* -------------------------------------------------------------- whole reply */

static pbay_rc parts(struct openai *o, struct call *c, pbay_str list,
                     uint32_t type)
{
    static const pbay_str no = {NULL, 0};
    pbay_str p;
    size_t pos = 0;
    int n = 0;
    pbay_rc rc = PBAY_OK;

    while (rc == PBAY_OK && pbay_json_next(list, &pos, NULL, &p)) {
        if (type == PBAY_EV_REASONING && n++)
            rc = break_between(o, c);
        if (rc != PBAY_OK)
            return rc;
        if (pbay_json_is(type_of(p), "refusal"))
            rc = text(o, c, PBAY_EV_REFUSAL, pbay_json_get(p, "refusal"), no);
        else
            rc = text(o, c, type, pbay_json_get(p, "text"),
                      pbay_json_get(p, "logprobs"));
    }
    return rc;
}

static pbay_rc whole_item(struct openai *o, struct call *c, pbay_str item,
                          int64_t place)
{
    pbay_rc rc = PBAY_OK;

    if (pbay_json_is(type_of(item), "message")) {
        rc = parts(o, c, pbay_json_get(item, "content"), PBAY_EV_TEXT);
    } else if (pbay_json_is(type_of(item), "reasoning")) {
        rc = parts(o, c, pbay_json_get(item, "summary"), PBAY_EV_REASONING);
        if (rc == PBAY_OK)
            rc = parts(o, c, pbay_json_get(item, "content"), PBAY_EV_REASONING);
        if (rc == PBAY_OK)
            rc = sealed(o, c, item);
    } else if (pbay_json_is(type_of(item), "function_call")) {
        rc = call_begins(o, c, item, place);
        if (rc == PBAY_OK)
            rc = arguments(o, c, fn_at(c->more, place),
                           pbay_json_get(item, "arguments"));
    }
    return rc;
}

static pbay_rc whole(struct openai *o, struct call *c, pbay_str data)
{
    pbay_str list = pbay_json_get(data, "output"), item;
    size_t pos = 0;
    int64_t place = 0;
    pbay_rc rc;

    if (!none(pbay_json_get(data, "error")) && pbay_json_type(list) != 'a')
        return oai_error_body(o, c, data);
    if (!pbay_json_is(pbay_json_get(data, "object"), "response") &&
        pbay_json_type(list) != 'a')
        return oai_error(o, c, PBAY_E_PROTOCOL,
                         "the reply is no response: it has no output");
    rc = oai_begin(o, c, pbay_json_get(data, "id"),
                   pbay_json_get(data, "model"));
    while (rc == PBAY_OK && pbay_json_next(list, &pos, NULL, &item))
        rc = whole_item(o, c, item, place++);
    return rc == PBAY_OK ? ended(o, c, data) : rc;
}

/* ------------------------------------------------------------------- stream */

static int64_t place_of(pbay_str data)
{
    int64_t n = -1;

    pbay_json_i64(pbay_json_get(data, "output_index"), &n);
    return n;
}

static pbay_rc on_created(struct openai *o, struct call *c, pbay_str data)
{
    pbay_str r = pbay_json_get(data, "response");

    return oai_begin(o, c, pbay_json_get(r, "id"), pbay_json_get(r, "model"));
}

static pbay_rc on_added(struct openai *o, struct call *c, pbay_str data)
{
    pbay_str item = pbay_json_get(data, "item");

    return pbay_json_is(type_of(item), "function_call")
               ? call_begins(o, c, item, place_of(data))
               : PBAY_OK;
}

static pbay_rc on_text(struct openai *o, struct call *c, pbay_str data)
{
    return text(o, c, PBAY_EV_TEXT, pbay_json_get(data, "delta"),
                pbay_json_get(data, "logprobs"));
}

static pbay_rc on_refusal(struct openai *o, struct call *c, pbay_str data)
{
    return text(o, c, PBAY_EV_REFUSAL, pbay_json_get(data, "delta"),
                (pbay_str){NULL, 0});
}

static pbay_rc on_reasoning(struct openai *o, struct call *c, pbay_str data)
{
    return text(o, c, PBAY_EV_REASONING, pbay_json_get(data, "delta"),
                (pbay_str){NULL, 0});
}

static pbay_rc on_summary_part(struct openai *o, struct call *c, pbay_str data)
{
    int64_t n = 0;

    pbay_json_i64(pbay_json_get(data, "summary_index"), &n);
    return n > 0 ? break_between(o, c) : PBAY_OK;
}

static pbay_rc on_arguments(struct openai *o, struct call *c, pbay_str data)
{
    return arguments(o, c, fn_at(c->more, place_of(data)),
                     pbay_json_get(data, "delta"));
}

/* Servers that send a call in one piece send no fragments of it. */
static pbay_rc on_done(struct openai *o, struct call *c, pbay_str data)
{
    pbay_str item = pbay_json_get(data, "item");
    int64_t place = place_of(data);
    struct fn *f;
    pbay_rc rc = PBAY_OK;

    if (pbay_json_is(type_of(item), "reasoning"))
        return sealed(o, c, item);
    if (!pbay_json_is(type_of(item), "function_call"))
        return PBAY_OK;
    if (!fn_at(c->more, place))
        rc = call_begins(o, c, item, place);
    f = fn_at(c->more, place);
    return rc == PBAY_OK && f && !f->filled
               ? arguments(o, c, f, pbay_json_get(item, "arguments"))
               : rc;
}

static pbay_rc on_end(struct openai *o, struct call *c, pbay_str data)
{
    pbay_str response = pbay_json_get(data, "response");
    pbay_rc rc = on_created(o, c, data);

    /* An answer may be empty.  One that failed is none: before it began,
     * another target may be asked. */
    if (rc == PBAY_OK && !has_failed(response))
        rc = oai_content(o, c);
    if (rc == PBAY_OK)
        rc = ended(o, c, response);
    return rc == PBAY_OK ? PBAY_END : rc;
}

static pbay_rc on_error(struct openai *o, struct call *c, pbay_str data)
{
    pbay_str inner = pbay_json_get(data, "error");

    return failed(o, c, pbay_json_type(inner) == 'o' ? inner : data);
}

static const struct {
    const char *type;
    pbay_rc (*on)(struct openai *o, struct call *c, pbay_str data);
} events[] = {
    {"response.output_text.delta", on_text},
    {"response.function_call_arguments.delta", on_arguments},
    {"response.reasoning_summary_text.delta", on_reasoning},
    {"response.reasoning_text.delta", on_reasoning},
    {"response.reasoning_summary_part.added", on_summary_part},
    {"response.refusal.delta", on_refusal},
    {"response.output_item.added", on_added},
    {"response.output_item.done", on_done},
    {"response.created", on_created},
    {"response.in_progress", on_created},
    {"response.completed", on_end},
    {"response.incomplete", on_end},
    {"response.failed", on_end},
    {"error", on_error},
};

pbay_rc rs_record(struct openai *o, struct call *c, const pbay_record *rec,
                  pbay_str data)
{
    pbay_str type;

    if (c->ended) /* a [DONE] behind the end, say */
        return PBAY_END;
    if (pbay_json_check(data, NULL) < 0 || pbay_json_type(data) != 'o')
        return oai_error(o, c, PBAY_E_PROTOCOL,
                         c->framing == PBAY_FRAME_SSE
                             ? "an event of the reply is not a JSON object"
                             : "the reply is not a JSON object");
    if (c->framing != PBAY_FRAME_SSE)
        return whole(o, c, data);
    type = type_of(data);
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        if (pbay_json_is(type, events[i].type))
            return events[i].on(o, c, data);
    if (!type.n && (!none(pbay_json_get(data, "error")) ||
                    (rec->event.n == 5 && !memcmp(rec->event.p, "error", 5))))
        return on_error(o, c, data);
    return PBAY_OK;
}
