/* SPDX-License-Identifier: MIT */
/* Chat and counting: the parameters, and the order of what happens. */
#include "chat.h"

#include <stdio.h>

static pbay_rc read_count(struct lb_run *r, const char *name, int64_t min,
                          int64_t max, int64_t *out)
{
    pbay_str v = lb_field(r, name);
    int64_t n;
    if (!v.n)
        return PBAY_OK;
    if (pbay_json_i64(v, &n) < 0 || n < min || n > max)
        return lb_invalid(r, name,
                          "%s must be a whole number from %lld to "
                          "%lld",
                          name, (long long)min, (long long)max);
    *out = n;
    return PBAY_OK;
}

static pbay_rc read_parameters(struct chat *c)
{
    struct lb_run *r = c->r;
    int64_t n = 1;
    c->max_tokens = -1;
    pbay_rc rc = read_count(r, "n", 1, LB_MAX_CHOICES, &n);
    if (rc == PBAY_OK)
        rc = read_count(r, "max_tokens", 1, INT32_MAX, &c->max_tokens);
    if (rc == PBAY_OK)
        rc = read_count(r, "max_completion_tokens", 1, INT32_MAX,
                        &c->max_tokens);
    if (rc == PBAY_OK)
        rc = read_count(r, "top_logprobs", 0, 20, &c->top_logprobs);
    c->n = (uint32_t)n;
    c->logprobs = pbay_json_true(lb_field(r, "logprobs"));
    c->refuse = lb_is(r->model, "refuse");
    /* In one piece where nobody could tell the difference. */
    c->whole = !(r->req->flags & PBAY_RQ_STREAM) && r->script.rate <= 0 &&
               r->script.fault == LB_NO_FAULT && !c->logprobs;
    return rc;
}

static pbay_rc check_context(struct chat *c)
{
    struct lb_run *r = c->r;
    char text[200];
    if (!r->in->context_window || c->p.tokens <= r->in->context_window)
        return PBAY_OK;
    int n = snprintf(text, sizeof text,
                     "the prompt has %lld tokens, the context window %lld",
                     (long long)c->p.tokens, (long long)r->in->context_window);
    pbay_error e = {.size = sizeof e,
                    .kind = PBAY_E_CONTEXT,
                    .scope = PBAY_SCOPE_REQUEST,
                    .http_status = 400,
                    .retry_after_ms = -1,
                    .param = LB_STR("messages"),
                    .code = LB_STR("context_length_exceeded"),
                    .message = {text, n > 0 ? (size_t)n : 0}};
    pbay_event ev = {.type = PBAY_EV_ERROR, .error = &e};
    lb_emit(r, &ev);
    return PBAY_FAIL;
}

pbay_rc lb_chat(struct lb_run *r)
{
    struct chat c = {.r = r};
    pbay_rc rc = lb_prompt_read(r, &c.p);
    r->input = c.p.tokens;
    if (lb_is(r->model, "reason") && !r->script.reasoning)
        r->script.reasoning = 12;
    if (rc == PBAY_OK)
        rc = read_parameters(&c);
    if (rc == PBAY_OK)
        rc = check_context(&c);
    if (rc == PBAY_OK)
        rc = lb_tool_wanted(r, &c.p, &c.tool);
    if (rc == PBAY_OK && !c.tool.name.p)
        rc = chat_plan(&c);
    if (rc == PBAY_OK)
        rc = lb_first(r);
    if (rc == PBAY_OK)
        rc = chat_send_begin(&c);
    if (rc == PBAY_OK)
        rc = chat_send_reasoning(&c);
    if (rc == PBAY_OK)
        rc = c.tool.name.p ? chat_send_calls(&c) : chat_send_text(&c);
    return rc == PBAY_OK ? lb_usage(r) : rc;
}

pbay_rc lb_count(struct lb_run *r)
{
    struct lb_prompt p;
    pbay_rc rc = lb_prompt_read(r, &p);
    if (rc == PBAY_OK)
        rc = lb_first(r);
    if (rc == PBAY_OK)
        rc = lb_last(r);
    if (rc != PBAY_OK)
        return rc;
    pbay_out o = lb_out(r);
    pbay_out_cstr(&o, "{\"input_tokens\":");
    pbay_out_i64(&o, p.tokens);
    pbay_out_cstr(&o, "}");
    return lb_item(r, "count", 0, &o);
}
