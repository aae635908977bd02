/* SPDX-License-Identifier: MIT */
/* The table of failures, and the failure on its way to a client. */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/str.h"

/* How the columns were decided
 *
 * same    The target's fault, and likely to pass within a backoff.  Not where
 *         silence was the fault: a silent route is left, waiting for it twice
 *         costs the client twice.
 * next    Another target may answer what this one did not.  Not where the
 *         request itself is at fault, nor after a refusal for its content:
 *         to ask around until somebody gives in is for the user to decide.
 * health  The target has failed.  Being full for us (rate) is no illness: its
 *         cooldown comes from Retry-After.
 * key     AUTH, PERMISSION and QUOTA concern our key at the provider.  A client
 *         that got 401 or 429 insufficient_quota would doubt its own key or
 *         account, so it gets a server error, in our words: 502 where the
 *         operator has to change something, 503 where he has to pay.  RATE
 *         stays 429: waiting helps, and clients know how to.
 * status, types, codes: OpenAI's error object is {"error":{"message","type",
 *         "param","code"}}; its types and codes are listed in
 *         https://platform.openai.com/docs/guides/error-codes, Anthropic's
 * types in https://docs.anthropic.com/en/api/errors.  499 is never seen: that
 *         client has gone.
 */
#define Y        true
#define N        false
#define REQUEST  PBAY_SCOPE_REQUEST
#define MODEL    PBAY_SCOPE_MODEL
#define KEY      PBAY_SCOPE_KEY
#define PROVIDER PBAY_SCOPE_PROVIDER
#define INVALID  "invalid_request_error"
#define SERVER   "server_error"

/* clang-format off */
static const struct err_class table[] = {
    /* kind, name,
     *   same next health pass key, scope, status, OpenAI type, code,
     *   Anthropic type, text */
    {PBAY_E_INVALID, "invalid",
        N, N, N, Y, N, REQUEST, 400, INVALID, NULL,
        INVALID, "The provider finds the request invalid."},
    {PBAY_E_AUTH, "auth",
        N, Y, Y, N, Y, KEY, 502, SERVER, "provider_auth_failed",
        "api_error", "The provider refused the key this gateway has for it; "
        "its operator has to mend that."},
    {PBAY_E_PERMISSION, "permission",
        N, Y, Y, N, Y, MODEL, 502, SERVER, "provider_permission_denied",
        "api_error", "The key this gateway has for the provider may not do "
        "this; its operator has to mend that."},
    {PBAY_E_NOT_FOUND, "not_found",
        N, Y, N, Y, N, MODEL, 404, INVALID, "model_not_found",
        "not_found_error", "The provider has no such model or object."},
    {PBAY_E_TOO_LARGE, "too_large",
        N, Y, N, Y, N, REQUEST, 413, INVALID, "request_too_large",
        "request_too_large", "The request is too large for the provider."},
    {PBAY_E_CONTEXT, "context",
        N, Y, N, Y, N, REQUEST, 400, INVALID, "context_length_exceeded",
        INVALID, "The prompt does not fit the model's context window."},
    {PBAY_E_FILTER, "filter",
        N, N, N, Y, N, REQUEST, 400, INVALID, "content_policy_violation",
        INVALID, "The provider refused the request for its content."},
    {PBAY_E_RATE, "rate_limit",
        Y, Y, N, N, N, MODEL, 429, "rate_limit_error", "rate_limit_exceeded",
        "rate_limit_error", "The provider's rate limit is reached; try again "
        "later."},
    {PBAY_E_QUOTA, "quota",
        N, Y, Y, N, Y, KEY, 503, SERVER, "provider_quota_exhausted",
        "api_error", "This gateway's account with the provider is exhausted; "
        "its operator has to mend that."},
    {PBAY_E_OVERLOADED, "overloaded",
        Y, Y, Y, N, N, PROVIDER, 503, SERVER, "provider_overloaded",
        "overloaded_error", "The provider is overloaded; try again later."},
    {PBAY_E_LOADING, "loading",
        Y, Y, N, N, N, MODEL, 503, SERVER, "model_loading",
        "overloaded_error", "The provider is still loading the model; try "
        "again later."},
    {PBAY_E_UPSTREAM, "upstream",
        Y, Y, Y, N, N, PROVIDER, 502, SERVER, "provider_error",
        "api_error", "The provider failed to answer the request."},
    {PBAY_E_PROTOCOL, "protocol",
        N, Y, Y, N, N, PROVIDER, 502, SERVER, "provider_bad_reply",
        "api_error", "The provider's reply does not follow its protocol."},

    {ERR_CONNECT, "connect",
        Y, Y, Y, N, N, PROVIDER, 502, SERVER, "provider_unreachable",
        "api_error", "No connection to the provider could be made."},
    {ERR_RESET, "reset",
        Y, Y, Y, N, N, PROVIDER, 502, SERVER, "provider_unreachable",
        "api_error", "The provider closed the connection without a reply."},
    {ERR_CONNECT_TIMEOUT, "connect_timeout",
        N, Y, Y, N, N, PROVIDER, 504, SERVER, "provider_timeout",
        "timeout_error", "The connection to the provider took too long."},
    {ERR_HEADERS_TIMEOUT, "headers_timeout",
        N, Y, Y, N, N, MODEL, 504, SERVER, "provider_timeout",
        "timeout_error", "The provider did not begin its reply in time."},
    {ERR_FIRST_TIMEOUT, "first_token_timeout",
        N, Y, Y, N, N, MODEL, 504, SERVER, "provider_timeout",
        "timeout_error", "The provider did not begin to answer in time."},
    {ERR_IDLE_TIMEOUT, "idle_timeout",
        N, Y, Y, N, N, MODEL, 504, SERVER, "provider_timeout",
        "timeout_error", "The provider stopped in the middle of its answer."},
    {ERR_DEADLINE, "deadline",
        N, N, N, N, N, REQUEST, 504, SERVER, "deadline_exceeded",
        "timeout_error", "The request took longer than it may."},
    {ERR_TRUNCATED, "truncated",
        Y, Y, Y, N, N, PROVIDER, 502, SERVER, "provider_truncated",
        "api_error", "The provider's answer broke off before its end."},
    {ERR_REPLY_TOO_LARGE, "reply_too_large",
        N, Y, N, N, N, REQUEST, 502, SERVER, "provider_reply_too_large",
        "api_error", "The provider's answer is larger than this gateway "
        "takes."},
    {ERR_CANCELLED, "cancelled",
        N, N, N, N, N, REQUEST, 499, INVALID, "request_cancelled",
        "api_error", "The request was cancelled."},
    {ERR_UNAVAILABLE, "unavailable",
        N, Y, N, N, N, PROVIDER, 503, SERVER, "service_unavailable",
        "overloaded_error", "Nothing can take this request just now; try "
        "again later."},
    {ERR_INTERNAL, "internal",
        N, Y, N, N, N, REQUEST, 500, SERVER, "internal_error",
        "api_error", "The gateway failed; its log says more."},
    {ERR_CLIENT_AUTH, "client_auth",
        N, N, N, N, N, REQUEST, 401, INVALID, "invalid_api_key",
        "authentication_error", "The API key is missing or not known here."},
    {ERR_CLIENT_RIGHT, "client_right",
        N, N, N, N, N, REQUEST, 403, INVALID, "insufficient_permissions",
        "permission_error", "The API key has no right to do this."},
    {ERR_NO_MODEL, "no_model",
        N, N, N, N, N, REQUEST, 404, INVALID, "model_not_found",
        "not_found_error", "No provider here has that model."},
    {ERR_NOT_SUPPORTED, "not_supported",
        N, Y, N, N, N, MODEL, 400, INVALID, "unsupported_operation",
        INVALID, "The provider of that model has no such operation."},
    {ERR_NO_ROUTE, "no_route",
        N, N, N, N, N, REQUEST, 404, INVALID, "unknown_url",
        "not_found_error", "There is no such URL here."},
    {ERR_METHOD, "method",
        N, N, N, N, N, REQUEST, 405, INVALID, "method_not_supported",
        INVALID, "The URL does not take this HTTP method."},
    {ERR_BODY_TOO_LARGE, "body_too_large",
        N, N, N, N, N, REQUEST, 413, INVALID, "request_too_large",
        "request_too_large", "The request body is larger than this gateway "
        "takes."},
    {ERR_BAD_BODY, "bad_body",
        N, N, N, N, N, REQUEST, 400, INVALID, NULL,
        INVALID, "The request body can't be read."},
    {ERR_LIMIT, "limit",
        N, Y, N, N, N, REQUEST, 429, "rate_limit_error", "rate_limit_exceeded",
        "rate_limit_error", "This gateway's limit for the provider is used up; "
        "try again later."},
    {ERR_KEY_LIMIT, "key_limit",
        N, N, N, N, N, REQUEST, 429, "rate_limit_error", "rate_limit_exceeded",
        "rate_limit_error", "The limit of the API key is used up; try again "
        "later."},
    {ERR_SCHEMA, "schema",
        N, Y, N, N, N, REQUEST, 502, SERVER, "schema_violation",
        "api_error", "The answer does not match the request's JSON schema."},
    {.kind = ERR_NONE},
};
/* clang-format on */

#undef Y
#undef N
#undef REQUEST
#undef MODEL
#undef KEY
#undef PROVIDER
#undef INVALID
#undef SERVER

const struct err_class *err_table(void)
{
    return table;
}

const struct err_class *err_class(int kind)
{
    const struct err_class *internal = NULL;

    for (const struct err_class *c = table; c->kind != ERR_NONE; c++) {
        if (c->kind == kind)
            return c;
        if (c->kind == ERR_INTERNAL)
            internal = c;
    }
    return internal;
}

/* What the statuses mean with the providers we know; those beyond the standard:
 * 498 Cohere (token), 524 and 529 Cloudflare and Anthropic. */
int err_from_status(int status)
{
    switch (status) {
    case 401:
    case 498:
        return PBAY_E_AUTH;
    case 402:
        return PBAY_E_QUOTA;
    case 403:
    case 451:
        return PBAY_E_PERMISSION;
    case 404:
    case 410:
        return PBAY_E_NOT_FOUND;
    case 405:
    case 501:
        return ERR_NOT_SUPPORTED;
    case 408: /* it gave up on us, or met a conflict: worth another try */
    case 409:
    case 425:
    case 499:
        return PBAY_E_UPSTREAM;
    case 413:
    case 414:
        return PBAY_E_TOO_LARGE;
    case 429:
        return PBAY_E_RATE;
    case 503:
    case 529:
        return PBAY_E_OVERLOADED;
    case 504:
    case 524:
        return ERR_FIRST_TIMEOUT;
    default:
        break;
    }
    if (status >= 200 && status < 300)
        return ERR_NONE;
    if (status >= 400 && status < 500)
        return PBAY_E_INVALID;
    if (status >= 500 && status < 600)
        return PBAY_E_UPSTREAM;
    return PBAY_E_PROTOCOL; /* a redirect, or no HTTP at all */
}

void err_clear(struct err *e)
{
    /* Not all of it: it is large, and cleared several times a request. */
    e->kind = e->scope = e->upstream_status = e->should_retry = 0;
    e->retry_after_ms = -1;
    e->provider[0] = e->code[0] = e->type[0] = e->param[0] = '\0';
    e->request_id[0] = e->message[0] = '\0';
}

/* The whole message is made before it is redacted and cut, so that the cut
 * can't go through a secret. */
void err_set(struct err *e, int kind, const char *fmt, ...)
{
    char small[1024], *text = small;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(small, sizeof(small), fmt, ap);
    va_end(ap);
    if (n >= (int)sizeof(small)) {
        text = malloc((size_t)n + 1);
        if (text) {
            va_start(ap, fmt);
            n = vsnprintf(text, (size_t)n + 1, fmt, ap);
            va_end(ap);
        }
    }
    err_clear(e); /* only now: the arguments may point into it */
    e->kind = kind;
    e->scope = err_class(kind)->scope;
    if (text && n > 0)
        redact_copy(e->message, sizeof(e->message), str_n(text, (size_t)n),
                    NULL);
    if (text != small)
        free(text);
}

/* Does the event reach as far as member f? */
#define GIVES(ev, f) ((ev) && PBAY_HAS(ev, f))

#define TAKE(e, ev, f)                                          \
    do {                                                        \
        if (GIVES(ev, f))                                       \
            redact_copy((e)->f, sizeof((e)->f), (ev)->f, NULL); \
    } while (0)

void err_from_event(struct err *e, const pbay_error *ev)
{
    uint32_t kind = GIVES(ev, kind) ? ev->kind : PBAY_E_UPSTREAM;
    uint32_t scope = GIVES(ev, scope) ? ev->scope : 0;

    err_clear(e);
    if (kind < PBAY_E_INVALID || kind > PBAY_E_PROTOCOL)
        kind = PBAY_E_UPSTREAM;
    e->kind = (int)kind;
    e->scope = scope >= PBAY_SCOPE_REQUEST && scope <= PBAY_SCOPE_PROVIDER
                   ? (int)scope
                   : err_class((int)kind)->scope;
    if (GIVES(ev, http_status))
        e->upstream_status = ev->http_status;
    if (GIVES(ev, retry_after_ms) && ev->retry_after_ms >= 0)
        e->retry_after_ms = ev->retry_after_ms;
    if (GIVES(ev, should_retry))
        e->should_retry = (ev->should_retry > 0) - (ev->should_retry < 0);
    TAKE(e, ev, code);
    TAKE(e, ev, type);
    TAKE(e, ev, param);
    TAKE(e, ev, message);
    TAKE(e, ev, request_id);
}

const char *err_text(const struct err *e)
{
    const struct err_class *c = err_class(e->kind);

    return e->message[0] && !c->our_key ? e->message : c->text;
}
