/* SPDX-License-Identifier: MIT */
/* openrouter.so: errors.  {"error":{"code":402,"message":..,"metadata":{..}}},
 * with the status or in a stream, or the same inside a choice.  The metadata
 * say what kind it is, whose fault, and what the provider behind has written.
 */
#include <string.h>

#include "openrouter.h"

#define RAW_MAX 400u /* bytes of the words of a provider behind */

struct word {
    const char *word;
    uint32_t kind;
};

/* metadata.error_type that says more than a status. */
static const struct word strong[] = {
    {"context_length_exceeded", PBAY_E_CONTEXT},
    {"token_limit_exceeded", PBAY_E_CONTEXT},
    {"payment_required", PBAY_E_QUOTA},
    {"content_policy_violation", PBAY_E_FILTER},
    {"refusal", PBAY_E_FILTER},
    {"payload_too_large", PBAY_E_TOO_LARGE},
    {"provider_overloaded", PBAY_E_OVERLOADED},
};

/* The rest, for errors that have no status of their own. */
static const struct word weak[] = {
    {"authentication", PBAY_E_AUTH},
    {"permission_denied", PBAY_E_PERMISSION},
    {"rate_limit_exceeded", PBAY_E_RATE},
    {"not_found", PBAY_E_NOT_FOUND},
    {"provider_unavailable", PBAY_E_UPSTREAM},
    {"server", PBAY_E_UPSTREAM},
    {"timeout", PBAY_E_UPSTREAM},
    {"invalid_request", PBAY_E_INVALID},
    {"invalid_prompt", PBAY_E_INVALID},
    {"invalid_image", PBAY_E_INVALID},
    {"max_tokens_exceeded", PBAY_E_INVALID},
    {"string_too_long", PBAY_E_INVALID},
    {"unprocessable", PBAY_E_INVALID},
    {"precondition_failed", PBAY_E_INVALID},
};

static uint32_t kind_of(const struct word *list, size_t n, pbay_str word)
{
    for (size_t i = 0; i < n; i++)
        if (pbay_json_is(word, list[i].word))
            return list[i].kind;
    return 0;
}
#define KIND_OF(list, word) kind_of(list, sizeof list / sizeof *list, word)

static int64_t status_of(pbay_str error, const pbay_error *e)
{
    int64_t code;

    if (pbay_json_i64(pbay_json_get(error, "code"), &code) == 0 &&
        code >= 400 && code < 600)
        return code;
    return e->http_status >= 400 ? e->http_status : 0;
}

/* Characters are not cut. */
static pbay_str shorten(pbay_str s)
{
    if (s.n > RAW_MAX) {
        s.n = RAW_MAX;
        while (s.n && ((unsigned char)s.p[s.n] & 0xc0) == 0x80)
            s.n--;
    }
    return s;
}

/* The message inside a provider's own error, if it is one we can read. */
static pbay_str raw_text(const struct openai *o, struct call *c, pbay_str raw)
{
    pbay_error inner = {.size = sizeof inner};

    if (pbay_json_type(raw) == 's')
        raw = pbay_text(o->host, c->call, raw);
    if (!raw.n || (raw.n == 4 && memcmp(raw.p, "null", 4) == 0))
        return (pbay_str){NULL, 0};
    pbay_error_body(o->host, c->call, NULL, raw, &inner);
    return shorten(inner.message);
}

/* "Provider returned error (Anthropic: prompt is too long)" */
static void add_words(struct openai *o, struct call *c, pbay_error *e,
                      pbay_str name, pbay_str words)
{
    void *with[2] = {o, c};
    pbay_out w = {.grow = oai_grow, .arg = with};

    if (!name.n && !words.n)
        return;
    pbay_out_raw(&w, e->message);
    pbay_out_cstr(&w, e->message.n ? " (" : "(");
    pbay_out_raw(&w, shorten(name));
    if (name.n && words.n)
        pbay_out_cstr(&w, ": ");
    pbay_out_raw(&w, words);
    pbay_out_cstr(&w, ")");
    if (!w.failed)
        e->message = (pbay_str){w.p, w.n};
}

static int too_long(pbay_str words)
{
    return oai_contains(words, OA("maximum context length")) ||
           oai_contains(words, OA("prompt is too long")) ||
           oai_contains(words, OA("context_length_exceeded"));
}

/* The reasons of a moderation, joined. */
static pbay_str reasons(struct openai *o, struct call *c, pbay_str list)
{
    void *with[2] = {o, c};
    pbay_out w = {.grow = oai_grow, .arg = with};
    pbay_str v;
    size_t pos = 0;

    while (pbay_json_type(list) == 'a' && w.n < RAW_MAX &&
           pbay_json_next(list, &pos, NULL, &v)) {
        if (w.n)
            pbay_out_cstr(&w, ", ");
        pbay_out_raw(&w, shorten(pbay_text(o->host, c->call, v)));
    }
    return w.failed ? (pbay_str){NULL, 0} : (pbay_str){w.p, w.n};
}

static void scope(const struct call *c, pbay_error *e, int behind)
{
    static const char suffix[] = ":free";
    int is_free = c->model.n >= sizeof suffix - 1 &&
                  memcmp(c->model.p + c->model.n - (sizeof suffix - 1), suffix,
                         sizeof suffix - 1) == 0;

    switch (e->kind) {
    case PBAY_E_INVALID:
    case PBAY_E_CONTEXT:
    case PBAY_E_TOO_LARGE:
    case PBAY_E_FILTER:
        e->scope = PBAY_SCOPE_REQUEST;
        break;
    case PBAY_E_AUTH:
    case PBAY_E_PERMISSION:
    case PBAY_E_QUOTA:
        e->scope = PBAY_SCOPE_KEY;
        break;
    case PBAY_E_RATE:
        /* OpenRouter's own limits are for the account, but those on the free
         * models leave the others alone. */
        e->scope = behind || is_free || !c->model.n ? PBAY_SCOPE_MODEL
                                                    : PBAY_SCOPE_KEY;
        break;
    case PBAY_E_OVERLOADED:
    case PBAY_E_NOT_FOUND:
        /* Whoever serves this model; OpenRouter itself is there. */
        e->scope = PBAY_SCOPE_MODEL;
        break;
    default:
        if (behind)
            e->scope = PBAY_SCOPE_MODEL;
    }
}

static void availability(pbay_str a, pbay_error *e)
{
    pbay_str v = pbay_json_get(a, "retryable");

    if (!e->should_retry && pbay_json_type(v) == 'b')
        e->should_retry = pbay_json_true(v) ? 1 : -1;
}

void or_error(struct openai *o, struct call *c, pbay_str body, pbay_error *e)
{
    pbay_str error, meta, type, name, words;
    int64_t status;
    uint32_t kind;

    if (pbay_json_check(body, NULL) < 0 || pbay_json_type(body) != 'o')
        return;
    error = pbay_json_get(body, "error");
    meta = pbay_json_get(error, "metadata");
    type = pbay_json_get(meta, "error_type");
    name = pbay_text(o->host, c->call, pbay_json_get(meta, "provider_name"));
    status = status_of(error, e);
    words = raw_text(o, c, pbay_json_get(meta, "raw"));
    kind = KIND_OF(strong, type);
    if (!kind && !status)
        kind = KIND_OF(weak, type);
    if (kind)
        e->kind = kind;
    if (e->kind == PBAY_E_INVALID && too_long(words))
        e->kind = PBAY_E_CONTEXT;
    if (e->kind == PBAY_E_FILTER && !words.n)
        words = reasons(o, c, pbay_json_get(meta, "reasons"));
    if (!e->type.n)
        e->type = pbay_text(o->host, c->call, type);
    add_words(o, c, e, name, words);
    scope(c, e, name.n > 0);
    availability(pbay_json_get(error, "availability"), e);
    if (c->op == PBAY_OP_GENERATION && e->kind == PBAY_E_NOT_FOUND) {
        /* The statistics come a moment after the answer. */
        e->should_retry = 1;
        e->scope = PBAY_SCOPE_REQUEST;
    }
}
