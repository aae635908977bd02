/* SPDX-License-Identifier: MIT */
/* llamacpp.so: the reply.  Answers in OpenAI's form are read by openai-wire;
 * here is what llama-server says besides: timings, errors in its own words,
 * counts, health. */
#include <stdio.h>
#include <string.h>

#include "llama.h"

/* ------------------------------------------------------------------- errors */

static int contains(pbay_str s, const char *part)
{
    return s.n && memmem(s.p, s.n, part, strlen(part)) != NULL;
}

static int is(pbay_str s, const char *text)
{
    return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

static void judge(pbay_error *e, uint32_t kind, uint32_t scope)
{
    e->kind = kind;
    e->scope = scope;
}

/* llama-server says 500 for much that only this request is to blame for, and
 * 400 for models that a router does not have. */
void ll_error(struct openai *o, struct call *c, pbay_str body, pbay_error *e)
{
    const struct ask *a = (const struct ask *)(const void *)c;

    (void)o;
    (void)body;
    if (is(e->type, "not_supported_error") ||
        (e->kind == PBAY_E_UPSTREAM &&
         (contains(e->message, "not supported") ||
          contains(e->message, "Unsupported") ||
          contains(e->message, "Failed to parse tools"))))
        judge(e, PBAY_E_INVALID, PBAY_SCOPE_REQUEST);
    else if (contains(e->message, "ontext size has been exceeded"))
        judge(e, PBAY_E_CONTEXT, PBAY_SCOPE_REQUEST);
    else if (e->kind == PBAY_E_INVALID && contains(e->message, "model '") &&
             contains(e->message, "' not found"))
        judge(e, PBAY_E_NOT_FOUND, PBAY_SCOPE_MODEL);
    else if (contains(e->message, "failed to load"))
        judge(e, PBAY_E_UPSTREAM, PBAY_SCOPE_MODEL);
    if (!is(e->message, "File Not Found"))
        return;
    judge(e, PBAY_E_NOT_FOUND, PBAY_SCOPE_PROVIDER);
    e->message =
        a->op == PBAY_OP_COUNT
            ? OA("this server has no such route (File Not Found); if it is an "
                 "old llama-server, set count_route = \"template\" for this "
                 "provider")
            : OA("this server has no such route (File Not Found); base_url "
                 "must be llama-server's address without \"/v1\"");
}

static pbay_rc protocol(struct llama *l, struct ask *a, const char *message)
{
    return oai_error(&l->oai, &a->c, PBAY_E_PROTOCOL, message);
}

/* --------------------------------------------------------------------- chat */

static uint64_t number(pbay_str object, const char *name, int *known)
{
    int64_t v;

    *known = pbay_json_i64(pbay_json_get(object, name), &v) == 0 && v >= 0;
    return *known ? (uint64_t)v : 0;
}

/* Usage by the timings, where the reply has no usage itself.  prompt_n is what
 * was worked on, cache_n what was there already. */
static pbay_rc timings(struct llama *l, struct ask *a, pbay_str t)
{
    pbay_usage u = {.size = sizeof u};
    pbay_event ev = {.type = PBAY_EV_USAGE, .usage = &u};
    int has_cache, has_prompt, has_output;

    u.cache_read = number(t, "cache_n", &has_cache);
    u.input = number(t, "prompt_n", &has_prompt) + u.cache_read;
    u.output = number(t, "predicted_n", &has_output);
    u.known = (has_cache ? PBAY_U_CACHE_READ : 0u) |
              (has_cache && has_prompt ? PBAY_U_INPUT : 0u) |
              (has_output ? PBAY_U_OUTPUT : 0u);
    return u.known ? oai_emit(&l->oai, &a->c, &ev) : PBAY_OK;
}

/* With n > 1 a stream has one usage for each choice, with that choice's tokens;
 * the whole is their sum. */
static pbay_rc summed(struct llama *l, struct ask *a, pbay_str usage)
{
    pbay_usage u = {.size = sizeof u, .known = PBAY_U_OUTPUT};
    pbay_event ev = {.type = PBAY_EV_USAGE, .usage = &u};
    int known;

    a->written += number(usage, "completion_tokens", &known);
    u.output = a->written;
    return known ? oai_emit(&l->oai, &a->c, &ev) : PBAY_OK;
}

static pbay_rc after_chunk(struct llama *l, struct ask *a, pbay_str data)
{
    static const pbay_str names[] = {PBAY_LIT("usage"), PBAY_LIT("timings")};
    pbay_str f[2];

    oai_fields(data, names, f, 2);
    if (pbay_json_type(f[0]) == 'o')
        return a->choices > 1 && a->c.framing == PBAY_FRAME_SSE
                   ? summed(l, a, f[0])
                   : PBAY_OK;
    return pbay_json_type(f[1]) == 'o' && a->choices <= 1 ? timings(l, a, f[1])
                                                          : PBAY_OK;
}

static pbay_rc feed_chat(struct llama *l, struct ask *a, const pbay_record *rec)
{
    pbay_rc rc, more;

    rc = oai_feed(&l->oai, &a->c, rec);
    if ((rc != PBAY_OK && rc != PBAY_DROP) || a->c.failed)
        return rc;
    if (!contains(rec->data, "\"timings\"") &&
        !contains(rec->data, "\"usage\""))
        return rc;
    more = after_chunk(l, a, rec->data);
    return more == PBAY_OK ? rc : more;
}

/* ------------------------------------------------------------------- counts */

static pbay_rc emit_count(struct llama *l, struct ask *a, int64_t n)
{
    char text[64];

    snprintf(text, sizeof text, "{\"input_tokens\":%lld}", (long long)n);
    return oai_item(&l->oai, &a->c, "count", 0, (pbay_str){text, strlen(text)});
}

static pbay_rc feed_count(struct llama *l, struct ask *a, pbay_str body)
{
    pbay_str v = pbay_json_get(body, "input_tokens"), token;
    size_t pos = 0;
    int64_t n = 0;

    if (pbay_json_i64(v, &n) == 0 && n >= 0)
        return emit_count(l, a, n);
    v = pbay_json_get(body, "prompt");
    if (l->count_by_template && !a->prompt.n && pbay_json_type(v) == 's') {
        a->prompt = ll_copy(l, a, v);
        a->more = 1;
        return a->prompt.n ? PBAY_OK : PBAY_NOMEM;
    }
    v = pbay_json_get(body, "tokens");
    if (!a->prompt.n || pbay_json_type(v) != 'a')
        return protocol(l, a, "the reply has no count of tokens");
    while (pbay_json_next(v, &pos, NULL, &token))
        n++;
    return emit_count(l, a, n);
}

/* ------------------------------------------------------------------- health */

static pbay_rc feed_health(struct llama *l, struct ask *a, pbay_str body)
{
    void *with[2] = {l, a};
    pbay_out w = {.grow = oai_grow, .arg = with};
    pbay_str build = pbay_json_get(body, "build_info");

    if (pbay_json_is(pbay_json_get(body, "status"), "ok")) {
        a->more = 1;
        return PBAY_OK;
    }
    if (!pbay_json_get(body, "default_generation_settings").n && !build.n)
        return protocol(l, a, "this is not the reply of a llama-server");
    pbay_out_cstr(&w, "{\"ok\":true");
    if (pbay_json_type(build) == 's') {
        pbay_out_cstr(&w, ",\"detail\":");
        pbay_out_raw(&w, build);
    }
    pbay_out_cstr(&w, "}");
    if (w.failed)
        return PBAY_NOMEM;
    return oai_item(&l->oai, &a->c, "health", 0, (pbay_str){w.p, w.n});
}

/* ------------------------------------------------------------------- record */

static pbay_rc feed_own(struct llama *l, struct ask *a, pbay_str body)
{
    pbay_str error;

    if (pbay_json_check(body, NULL) < 0)
        return protocol(l, a, "the reply is not JSON");
    error = pbay_json_get(body, "error");
    if (error.n && pbay_json_type(error) != '0')
        return oai_error_body(&l->oai, &a->c, body);
    switch (a->op) {
    case PBAY_OP_COUNT:
        return feed_count(l, a, body);
    case PBAY_OP_HEALTH:
        return feed_health(l, a, body);
    default:
        return ll_models(l, a, body);
    }
}

pbay_rc ll_feed(struct llama *l, struct ask *a, const pbay_record *rec)
{
    int32_t status = a->c.head.status;

    if (a->c.failed)
        return PBAY_FAIL;
    if (status >= 300 && status < 400)
        return oai_feed(&l->oai, &a->c, rec);
    if (status < 200 || status > 299)
        return oai_error_body(&l->oai, &a->c, rec->data);
    switch (a->op) {
    case PBAY_OP_CHAT:
        return feed_chat(l, a, rec);
    case PBAY_OP_EMBED:
    case PBAY_OP_RAW:
        return oai_feed(&l->oai, &a->c, rec);
    default:
        return feed_own(l, a, rec->data);
    }
}
