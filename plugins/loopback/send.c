/* SPDX-License-Identifier: MIT */
/* Sending the answer to a chat, token by token. */
#include "chat.h"

#include <stdio.h>
#include <string.h>

pbay_rc chat_send_begin(struct chat *c)
{
    struct lb_run *r = c->r;
    char id[80];
    pbay_str rid = lb_cut(r->req->id, 64);
    int n = snprintf(id, sizeof id, "loopback-%.*s", (int)rid.n,
                     rid.n ? rid.p : "");
    pbay_event ev = {.type = PBAY_EV_BEGIN,
                     .id = {id, n > 0 ? (size_t)n : 0},
                     .name = r->model.n ? r->model : LB_STR("echo")};
    return lb_emit(r, &ev);
}

static void put_bytes(pbay_out *o, pbay_str s)
{
    pbay_out_cstr(o, "\"bytes\":[");
    for (size_t i = 0; i < s.n; i++) {
        if (i)
            pbay_out_cstr(o, ",");
        pbay_out_i64(o, (unsigned char)s.p[i]);
    }
    pbay_out_cstr(o, "]");
}

/* Everything loopback says is certain. */
static pbay_str logprobs(struct chat *c, pbay_str token)
{
    pbay_out o = lb_out(c->r);
    for (int pass = 0; pass < 2; pass++) {
        pbay_out_cstr(&o, pass ? ",\"top_logprobs\":[" : "[");
        if (!pass || c->top_logprobs) {
            pbay_out_cstr(&o, "{\"token\":");
            pbay_out_string(&o, token);
            pbay_out_cstr(&o, ",\"logprob\":0,");
            put_bytes(&o, token);
            if (pass)
                pbay_out_cstr(&o, "}");
        }
    }
    pbay_out_cstr(&o, "]}]");
    return o.failed ? (pbay_str){NULL, 0} : (pbay_str){o.p, o.n};
}

static pbay_rc send_stop(struct lb_run *r, uint32_t choice, uint32_t code,
                         pbay_str sequence)
{
    const char *name = code == PBAY_STOP_LENGTH ? "length"
                       : code == PBAY_STOP_TOOL ? "tool_calls"
                                                : "stop";
    pbay_event ev = {.type = PBAY_EV_STOP,
                     .choice = choice,
                     .code = code,
                     .name = {name, strlen(name)},
                     .text = sequence};
    return lb_emit(r, &ev);
}

/* The next token of one answer. */
static pbay_rc send_token(struct chat *c, uint32_t i)
{
    struct choice *ch = &c->choices[i];
    size_t end = lb_token_end(ch->text, ch->at);
    pbay_event ev = {.type = c->refuse ? PBAY_EV_REFUSAL : PBAY_EV_TEXT,
                     .choice = i,
                     .text = {ch->text.p + ch->at, end - ch->at}};
    if (c->logprobs && !c->refuse)
        ev.json = logprobs(c, ev.text);
    ch->at = end;
    pbay_rc rc = lb_step(c->r);
    return rc == PBAY_OK ? lb_emit(c->r, &ev) : rc;
}

static pbay_rc send_whole(struct chat *c, uint32_t i)
{
    struct choice *ch = &c->choices[i];
    pbay_event ev = {.type = c->refuse ? PBAY_EV_REFUSAL : PBAY_EV_TEXT,
                     .choice = i,
                     .text = ch->text};
    ch->at = ch->text.n;
    c->r->tokens += lb_token_count(ch->text);
    return ch->text.n ? lb_emit(c->r, &ev) : PBAY_OK;
}

/* The answers take turns, token by token, as a real server's do. */
pbay_rc chat_send_text(struct chat *c)
{
    pbay_rc rc = PBAY_OK;
    for (uint32_t left = c->n, i = 0; left && rc == PBAY_OK;
         i = (i + 1) % c->n) {
        struct choice *ch = &c->choices[i];
        if (ch->done)
            continue;
        if (ch->at < ch->text.n)
            rc = c->whole ? send_whole(c, i) : send_token(c, i);
        if (rc != PBAY_OK || ch->at < ch->text.n)
            continue;
        ch->done = true;
        if (--left == 0)
            rc = lb_last(c->r);
        if (rc == PBAY_OK)
            rc = send_stop(c->r, i, ch->stop, ch->stop_seq);
    }
    return rc;
}

pbay_rc chat_send_reasoning(struct chat *c)
{
    struct lb_run *r = c->r;
    int64_t n = r->script.reasoning;
    if (c->max_tokens >= 0 && n > c->max_tokens)
        n = c->max_tokens;
    if (!n)
        return PBAY_OK;
    pbay_str text = chat_fit(r, LB_STR("I think about what was said."), n);
    if (!text.p)
        return PBAY_NOMEM;
    pbay_rc rc = PBAY_OK;
    for (size_t at = 0; at < text.n && rc == PBAY_OK;) {
        size_t end = lb_token_end(text, at);
        pbay_event ev = {.type = PBAY_EV_REASONING,
                         .text = {text.p + at, end - at}};
        at = end;
        r->reasoned++;
        rc = lb_step(r);
        if (rc == PBAY_OK)
            rc = lb_emit(r, &ev);
    }
    return rc;
}

/* --- tool calls --- */

static pbay_rc send_call(struct chat *c, uint32_t choice, uint32_t index,
                         pbay_str args)
{
    struct lb_run *r = c->r;
    char id[40];
    int n = snprintf(id, sizeof id, "call_%016llx",
                     (unsigned long long)lb_hash(
                         c->tool.name, c->p.hash + choice * 64 + index));
    pbay_event ev = {.type = PBAY_EV_CALL,
                     .choice = choice,
                     .index = index,
                     .id = {id, (size_t)n},
                     .name = c->tool.name};
    pbay_rc rc = lb_step(r);
    if (rc == PBAY_OK)
        rc = lb_emit(r, &ev);
    ev.id = ev.name = (pbay_str){NULL, 0};
    for (size_t at = 0; at < args.n && rc == PBAY_OK;) {
        size_t end = c->whole ? args.n : lb_token_end(args, at);
        ev.text = (pbay_str){args.p + at, end - at};
        at = end;
        rc = lb_step(r);
        if (rc == PBAY_OK)
            rc = lb_emit(r, &ev);
    }
    return rc;
}

pbay_rc chat_send_calls(struct chat *c)
{
    struct lb_run *r = c->r;
    pbay_out o = lb_out(r);
    const char *why = lb_schema_value(r,
                                      pbay_json_type(c->tool.parameters) == 'o'
                                          ? c->tool.parameters
                                          : LB_STR("{\"type\":\"object\"}"),
                                      c->p.user, &o);
    if (why)
        return lb_invalid(r, "tools",
                          "loopback cannot satisfy the tool's parameters: %s",
                          why);
    int64_t calls = r->script.calls ? r->script.calls : 1;
    pbay_str parallel = lb_field(r, "parallel_tool_calls");
    if (pbay_json_type(parallel) == 'b' && !pbay_json_true(parallel))
        calls = 1;
    pbay_rc rc = PBAY_OK;
    for (uint32_t i = 0; i < c->n && rc == PBAY_OK; i++)
        for (int64_t k = 0; k < calls && rc == PBAY_OK; k++)
            rc = send_call(c, i, (uint32_t)k, (pbay_str){o.p, o.n});
    if (rc == PBAY_OK)
        rc = lb_last(r);
    for (uint32_t i = 0; i < c->n && rc == PBAY_OK; i++)
        rc = send_stop(r, i, PBAY_STOP_TOOL, (pbay_str){NULL, 0});
    return rc;
}
