/* SPDX-License-Identifier: MIT */
/* ollama.so: the member "options" of a request, and "keep_alive".  What the
 * request says comes before what is configured for the model, that before what
 * is configured for the provider. */
#include <stdio.h>
#include <string.h>

#include "ollama.h"

struct options {
    pbay_kv kv[OL_OPTIONS];
    size_t n;
    int full;
};

static void set(struct options *s, pbay_str name, pbay_str value)
{
    size_t i = 0;

    while (i < s->n && !(s->kv[i].k.n == name.n &&
                         memcmp(s->kv[i].k.p, name.p, name.n) == 0))
        i++;
    if (i == OL_OPTIONS) {
        s->full = 1;
        return;
    }
    s->kv[i] = (pbay_kv){name, value};
    if (i == s->n)
        s->n++;
}

static void set_all(struct options *s, pbay_str object)
{
    pbay_str key, value;
    size_t pos = 0;

    if (pbay_json_type(object) != 'o')
        return;
    while (pbay_json_next(object, &pos, &key, &value))
        set(s, key, value);
}

static pbay_str find(const pbay_request *req, const char *name)
{
    return pbay_json_find(req->members, req->n_members, name);
}

/* ---------------------------------------------------------- the request's own
 */

/* Later entries come before earlier ones of the same option. */
static const struct {
    const char *name, *option;
} renamed[] = {
    {"temperature", "temperature"},
    {"top_p", "top_p"},
    {"top_k", "top_k"},
    {"min_p", "min_p"},
    {"typical_p", "typical_p"},
    {"seed", "seed"},
    {"frequency_penalty", "frequency_penalty"},
    {"presence_penalty", "presence_penalty"},
    {"repetition_penalty", "repeat_penalty"},
    {"repeat_penalty", "repeat_penalty"},
    {"num_ctx", "num_ctx"},
};

static pbay_rc set_numbers(struct body *b, struct options *s,
                           const pbay_request *req)
{
    for (size_t i = 0; i < sizeof renamed / sizeof *renamed; i++) {
        pbay_str v = find(req, renamed[i].name);
        if (ol_absent(v))
            continue;
        if (pbay_json_type(v) != 'n')
            return ol_invalid(b->o, b->c, renamed[i].name,
                              "it must be a number");
        set(s, (pbay_str){renamed[i].option, strlen(renamed[i].option)}, v);
    }
    return PBAY_OK;
}

static pbay_rc set_limit(struct body *b, struct options *s,
                         const pbay_request *req)
{
    static const char *const names[] = {"max_tokens", "max_completion_tokens"};
    int64_t n;

    for (size_t i = 0; i < 2; i++) {
        pbay_str v = find(req, names[i]);
        if (ol_absent(v))
            continue;
        if (pbay_json_i64(v, &n) < 0 || n < 1 || n > INT32_MAX)
            return ol_invalid(b->o, b->c, names[i],
                              "it must be a whole number of tokens, 1 or more");
        set(s, OL("num_predict"), v);
    }
    return PBAY_OK;
}

static pbay_rc set_stop(struct body *b, struct options *s,
                        const pbay_request *req)
{
    pbay_str v = find(req, "stop"), item;
    char type = pbay_json_type(v);
    size_t pos = 0;
    char *p;

    if (ol_absent(v))
        return PBAY_OK;
    if (type == 's') {
        p = b->o->host->alloc(b->c->call, v.n + 2);
        if (!p)
            return PBAY_NOMEM;
        p[0] = '[';
        memcpy(p + 1, v.p, v.n);
        p[v.n + 1] = ']';
        set(s, OL("stop"), (pbay_str){p, v.n + 2});
        return PBAY_OK;
    }
    while (type == 'a' && pbay_json_next(v, &pos, NULL, &item))
        if (pbay_json_type(item) != 's')
            type = 0;
    if (type != 'a')
        return ol_invalid(b->o, b->c, "stop",
                          "it must be a string or a list of strings");
    set(s, OL("stop"), v);
    return PBAY_OK;
}

/* -------------------------------------------------------------- configuration
 */

static pbay_rc configured(struct body *b, struct options *s,
                          const pbay_request *req)
{
    struct ollama *o = b->o;
    pbay_str own = pbay_json_get(req->model_config, "num_ctx");
    char *p;
    int n;

    for (size_t i = 0; i < o->n_options; i++)
        set(s, o->options[i].k, o->options[i].v);
    if (o->num_ctx) {
        p = o->host->alloc(b->c->call, 24);
        if (!p)
            return PBAY_NOMEM;
        n = snprintf(p, 24, "%lld", (long long)o->num_ctx);
        set(s, OL("num_ctx"), (pbay_str){p, (size_t)n});
    }
    set_all(s, pbay_json_get(req->model_config, "options"));
    if (pbay_json_type(own) == 'n')
        set(s, OL("num_ctx"), own);
    return PBAY_OK;
}

/* A number of seconds may be written as a string in a configuration. */
static pbay_str keep_alive(const struct body *b, const pbay_request *req)
{
    pbay_str v = find(req, "keep_alive");

    if (ol_absent(v))
        v = pbay_json_get(req->model_config, "keep_alive");
    return ol_absent(v) ? b->o->keep_alive : v;
}

pbay_rc ol_options(struct body *b, const pbay_request *req)
{
    struct options s = {.n = 0};
    pbay_str given = find(req, "options"), v = keep_alive(b, req);
    pbay_rc rc = configured(b, &s, req);

    if (rc == PBAY_OK && !ol_absent(given) && pbay_json_type(given) != 'o')
        rc = ol_invalid(b->o, b->c, "options", "it must be an object");
    set_all(&s, given);
    if (rc == PBAY_OK)
        rc = set_numbers(b, &s, req);
    if (rc == PBAY_OK && req->op == PBAY_OP_CHAT)
        rc = set_limit(b, &s, req);
    if (rc == PBAY_OK && req->op == PBAY_OP_CHAT)
        rc = set_stop(b, &s, req);
    if (rc == PBAY_OK && s.full)
        rc = ol_invalid(b->o, b->c, "options", "there are more than 64");
    if (rc != PBAY_OK)
        return rc;
    if (v.n) {
        ol_key(b, "keep_alive");
        ol_value(b, v);
    }
    if (!s.n)
        return PBAY_OK;
    ol_key(b, "options");
    ol_open(b, "{");
    for (size_t i = 0; i < s.n; i++) {
        /* The name as it is written in its source, escapes included. */
        ol_open(b, "\"");
        ol_raw(b, s.kv[i].k);
        ol_raw(b, OL("\":"));
        ol_value(b, s.kv[i].v);
    }
    ol_close(b, "}");
    return PBAY_OK;
}
