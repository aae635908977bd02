/* SPDX-License-Identifier: MIT */
/* Directives: how a request asks loopback to behave, in the model's name
 * ("echo?delay=200&fault=cut@10") or in the body's "patchbay_loopback". */
#include "lb.h"

#include <stdio.h>
#include <string.h>

struct fault_word {
    const char *word;
    enum lb_fault fault;
    uint32_t error;
    int32_t status;
};

static const struct fault_word faults[] = {
    {"none", LB_NO_FAULT, 0, 0},
    {"cut", LB_CUT, 0, 0},
    {"stall", LB_STALL, 0, 0},
    {"slow", LB_SLOW, 0, 0},
    {"invalid", LB_ERROR, PBAY_E_INVALID, 400},
    {"context", LB_ERROR, PBAY_E_CONTEXT, 400},
    {"filter", LB_ERROR, PBAY_E_FILTER, 400},
    {"auth", LB_ERROR, PBAY_E_AUTH, 401},
    {"permission", LB_ERROR, PBAY_E_PERMISSION, 403},
    {"not_found", LB_ERROR, PBAY_E_NOT_FOUND, 404},
    {"too_large", LB_ERROR, PBAY_E_TOO_LARGE, 413},
    {"rate", LB_ERROR, PBAY_E_RATE, 429},
    {"quota", LB_ERROR, PBAY_E_QUOTA, 429},
    {"internal", LB_ERROR, PBAY_E_UPSTREAM, 500},
    {"protocol", LB_ERROR, PBAY_E_PROTOCOL, 502},
    {"overloaded", LB_ERROR, PBAY_E_OVERLOADED, 503},
    {"loading", LB_ERROR, PBAY_E_LOADING, 503},
};
#define N_FAULTS (sizeof faults / sizeof *faults)

/* The directives that are whole numbers, and where they go. */
struct number {
    const char *name;
    size_t at;
    int64_t min, max;
};
static const struct number numbers[] = {
    {"delay", offsetof(struct lb_script, delay_ms), 0, LB_MAX_MS},
    {"length", offsetof(struct lb_script, length), 0, LB_MAX_LENGTH},
    {"reasoning", offsetof(struct lb_script, reasoning), 0, LB_MAX_LENGTH},
    {"calls", offsetof(struct lb_script, calls), 1, LB_MAX_CALLS},
    {"every", offsetof(struct lb_script, every), 1, 1000000},
    {"retry_after", offsetof(struct lb_script, retry_after_ms), 0, 86400000},
};
#define N_NUMBERS (sizeof numbers / sizeof *numbers)

/* Decimal digits only. */
static bool whole(pbay_str s, int64_t max, int64_t *out)
{
    int64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9' || v > max)
            return false;
        v = v * 10 + (s.p[i] - '0');
    }
    *out = v;
    return s.n > 0 && v <= max;
}

/* "cut@10" */
static bool read_fault(struct lb_script *s, pbay_str value)
{
    pbay_str word = value;
    const char *at = value.n ? memchr(value.p, '@', value.n) : NULL;
    int64_t after = 0;
    if (at) {
        word.n = (size_t)(at - value.p);
        pbay_str n = {at + 1, value.n - word.n - 1};
        if (!whole(n, LB_MAX_LENGTH, &after))
            return false;
    }
    for (size_t i = 0; i < N_FAULTS; i++) {
        if (!lb_is(word, faults[i].word))
            continue;
        s->fault = faults[i].fault;
        s->error = faults[i].error;
        s->status = faults[i].status;
        s->fault_at = after;
        return true;
    }
    return false;
}

static bool number(struct lb_script *s, const struct number *n, pbay_str value,
                   char *why, size_t room)
{
    int64_t v;
    if (!whole(value, n->max, &v) || v < n->min) {
        snprintf(why, room,
                 "the directive \"%s\" takes a whole number from %lld to %lld",
                 n->name, (long long)n->min, (long long)n->max);
        return false;
    }
    memcpy((char *)s + n->at, &v, sizeof v);
    return true;
}

bool lb_directive(struct lb_script *s, pbay_str name, pbay_str value, char *why,
                  size_t room)
{
    for (size_t i = 0; i < N_NUMBERS; i++)
        if (lb_is(name, numbers[i].name))
            return number(s, &numbers[i], value, why, room);
    if (lb_is(name, "rate")) {
        double v = -1;
        if (pbay_json_f64(value, &v) == 0 &&
            (v == 0 || (v >= 0.01 && v <= 1e6))) {
            s->rate = v;
            return true;
        }
        snprintf(why, room,
                 "the directive \"rate\" takes tokens a second, "
                 "0 (no pause) or 0.01 to 1000000");
        return false;
    }
    if (lb_is(name, "usage")) {
        s->no_usage = lb_is(value, "0") || lb_is(value, "false");
        if (s->no_usage || lb_is(value, "1") || lb_is(value, "true"))
            return true;
        snprintf(why, room, "the directive \"usage\" takes 0 or 1");
        return false;
    }
    if (lb_is(name, "fault")) {
        if (read_fault(s, value))
            return true;
        int n = snprintf(why, room,
                         "the directive \"fault\" takes a word, and @TOKENS "
                         "for when; the words are");
        for (size_t i = 0; i < N_FAULTS && n > 0 && (size_t)n < room; i++)
            n += snprintf(why + n, room - (size_t)n, "%s %s", i ? "," : "",
                          faults[i].word);
        return false;
    }
    name = lb_cut(name, 40);
    snprintf(why, room,
             "unknown directive \"%.*s\": there are delay, rate, length, "
             "reasoning, calls, fault, every, retry_after, usage",
             (int)name.n, name.n ? name.p : "");
    return false;
}

static pbay_str cut(pbay_str *rest, char sep)
{
    const char *at = rest->n ? memchr(rest->p, sep, rest->n) : NULL;
    pbay_str head = *rest;
    if (!at) {
        *rest = (pbay_str){NULL, 0};
        return head;
    }
    head.n = (size_t)(at - rest->p);
    *rest = (pbay_str){at + 1, rest->n - head.n - 1};
    return head;
}

static pbay_rc from_model(struct lb_run *r)
{
    char why[400];
    pbay_str rest = r->req->model;
    r->model = cut(&rest, '?');
    while (rest.n) {
        pbay_str value = cut(&rest, '&'), name = cut(&value, '=');
        if (!lb_directive(&r->script, name, value, why, sizeof why))
            return lb_invalid(r, "model", "%s", why);
    }
    return PBAY_OK;
}

static pbay_rc from_body(struct lb_run *r)
{
    pbay_str o = lb_field(r, "patchbay_loopback"), key, value;
    char why[400];
    if (!o.n)
        return PBAY_OK;
    if (pbay_json_type(o) != 'o')
        return lb_invalid(r, "patchbay_loopback",
                          "patchbay_loopback must be an object of directives");
    for (size_t pos = 0; pbay_json_next(o, &pos, &key, &value);) {
        if (pbay_json_type(value) == 's') {
            value = lb_text(r, value);
            if (!value.p)
                return PBAY_NOMEM;
        }
        if (!lb_directive(&r->script, key, value, why, sizeof why))
            return lb_invalid(r, "patchbay_loopback", "%s", why);
    }
    return PBAY_OK;
}

pbay_rc lb_script_read(struct lb_run *r)
{
    pbay_rc rc = from_model(r);
    if (rc == PBAY_OK)
        rc = from_body(r);
    if (rc != PBAY_OK)
        return rc;
    if (!r->model.n || lb_model_known(r->model) || r->in->any_model)
        return PBAY_OK;
    pbay_error e = {.size = sizeof e,
                    .kind = PBAY_E_NOT_FOUND,
                    .scope = PBAY_SCOPE_MODEL,
                    .http_status = 404,
                    .retry_after_ms = -1,
                    .code = LB_STR("model_not_found"),
                    .param = LB_STR("model")};
    char text[400];
    pbay_str shown = lb_cut(r->model, 100);
    int n = snprintf(text, sizeof text,
                     "loopback has no model \"%.*s\": ask for its list of "
                     "models, or set any_model",
                     (int)shown.n, shown.p);
    e.message = (pbay_str){text, n > 0 ? (size_t)n : 0};
    pbay_event ev = {.type = PBAY_EV_ERROR, .error = &e};
    lb_emit(r, &ev);
    return PBAY_FAIL;
}
