/* SPDX-License-Identifier: MIT */
/* Error bodies, in all the shapes that providers send, read into one
 * pbay_error and classified. */
#include <patchbay/json.h>
#include <patchbay/wire.h>

#include <string.h>
#include <time.h>

#include "scan.h"
#include "wire_in.h"

#define MESSAGE_MAX  1000u /* bytes of a message that are kept */
#define RESET_MAX_MS INT64_C(86400000)

struct reader {
    const pbay_host *host;
    pbay_call *call;
    pbay_error *e;
    pbay_str hint;  /* a further word that says what happened */
    int32_t number; /* a numeric code */
};

/* ------------------------------------------------------------------ texts */

static int is_cont(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* Cut a text at a character. */
static pbay_str shorten(pbay_str s)
{
    if (s.n > MESSAGE_MAX) {
        s.n = MESSAGE_MAX;
        while (s.n && is_cont(s.p[s.n]))
            s.n--;
    }
    return s;
}

/* ASCII case is ignored; `lower` is in lower case. */
static int contains(pbay_str s, const char *lower)
{
    size_t n = strlen(lower);

    for (size_t i = 0; i + n <= s.n; i++) {
        size_t k = 0;
        while (k < n) {
            char c = s.p[i + k];
            if (c >= 'A' && c <= 'Z')
                c = (char)(c - 'A' + 'a');
            if (c != lower[k])
                break;
            k++;
        }
        if (k == n)
            return 1;
    }
    return 0;
}

static int is(pbay_str s, const char *word)
{
    return s.n == strlen(word) && memcmp(s.p, word, s.n) == 0;
}

/* Room that only ever appends; what does not fit is left out. */
struct text {
    char *p;
    size_t n, room;
};

static void text_add(struct text *t, pbay_str s)
{
    if (t->p && s.n && s.n <= t->room - t->n) {
        memcpy(t->p + t->n, s.p, s.n);
        t->n += s.n;
    }
}

/* Text that is not JSON: an HTML page's tags go, runs of white space become
 * one space, what is not UTF-8 becomes U+FFFD. */
static pbay_str plain(struct reader *r, pbay_str body)
{
    size_t room = body.n < MESSAGE_MAX ? body.n : MESSAGE_MAX;
    struct text t = {.room = room * 3 + 4};
    const char *p = body.p, *end = p + body.n;
    int html = contains(shorten(body), "<html") ||
               contains(shorten(body), "<!doctype");

    t.p = r->host->alloc(r->call, t.room);
    while (p < end && t.n < room) {
        size_t n = 1;
        if (html && *p == '<') {
            while (p < end && *p != '>')
                p++;
            p += p < end;
            text_add(&t, (pbay_str){" ", t.n && t.p[t.n - 1] != ' '});
        } else if ((unsigned char)*p <= 0x20 || *p == 0x7f) {
            text_add(&t, (pbay_str){" ", t.n && t.p[t.n - 1] != ' '});
            p++;
        } else if ((unsigned char)*p >= 0x80 && !(n = scan_utf8(p, end))) {
            text_add(&t, (pbay_str){"\xef\xbf\xbd", 3});
            p++;
        } else {
            text_add(&t, (pbay_str){p, n});
            p += n;
        }
        if (!t.p)
            break;
    }
    while (t.n && t.p[t.n - 1] == ' ')
        t.n--;
    return (pbay_str){t.p, t.n};
}

/* ----------------------------------------------------------------- shapes */

static pbay_str text_of(struct reader *r, pbay_str value)
{
    return shorten(pbay_text(r->host, r->call, value));
}

static void set_text(struct reader *r, pbay_str *to, pbay_str value)
{
    if (!to->n && pbay_json_type(value) == 's')
        *to = text_of(r, value);
}

static void set_code(struct reader *r, pbay_str value)
{
    int64_t v;

    set_text(r, &r->e->code, value);
    if (pbay_json_type(value) != 'n' || r->e->code.n)
        return;
    r->e->code = value;
    if (pbay_json_i64(value, &v) == 0 && v >= 100 && v < 600)
        r->number = (int32_t)v;
}

/* FastAPI: [{"loc":["body","n"],"msg":"..","type":".."}], the first of it. */
static void read_detail(struct reader *r, pbay_str list)
{
    pbay_str first, part, loc;
    struct text t = {.room = 256};
    size_t pos = 0;

    if (!pbay_json_next(list, &pos, NULL, &first))
        return;
    if (pbay_json_type(first) == 's') {
        set_text(r, &r->e->message, first);
        return;
    }
    set_text(r, &r->e->message, pbay_json_get(first, "msg"));
    set_text(r, &r->e->type, pbay_json_get(first, "type"));
    loc = pbay_json_get(first, "loc");
    t.p = r->host->alloc(r->call, t.room);
    pos = 0;
    while (t.p && pbay_json_next(loc, &pos, NULL, &part)) {
        pbay_str word = pbay_json_type(part) == 's' ? text_of(r, part) : part;
        if (is(word, "body") && !t.n)
            continue;
        if (t.n)
            text_add(&t, (pbay_str){".", 1});
        text_add(&t, word);
    }
    if (!r->e->param.n)
        r->e->param = (pbay_str){t.p, t.n};
}

/* An object that is itself the error. */
static void read_object(struct reader *r, pbay_str o)
{
    static const char *const names[] = {"message", "msg", "error_description",
                                        "detail", "title"};
    pbay_str meta = pbay_json_get(o, "metadata"), v;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        v = pbay_json_get(o, names[i]);
        set_text(r, &r->e->message, v);
        if (!r->e->message.n && pbay_json_type(v) == 'a')
            read_detail(r, v);
        if (!r->e->message.n && pbay_json_type(v) == 'o')
            r->e->message = shorten(v);
    }
    set_text(r, &r->e->type, pbay_json_get(o, "type"));
    set_text(r, &r->e->param, pbay_json_get(o, "param"));
    set_code(r, pbay_json_get(o, "code"));
    set_text(r, &r->hint, pbay_json_get(meta, "error_type"));
    if (!r->hint.n && pbay_json_type(pbay_json_get(meta, "reasons")) == 'a')
        r->hint = (pbay_str)PBAY_LIT("content_filter"); /* of moderation */
    set_text(r, &r->hint, pbay_json_get(o, "status"));
}

static void read_value(struct reader *r, pbay_str body)
{
    pbay_str error, first;
    size_t pos = 0;

    switch (pbay_json_type(body)) {
    case 's':
        set_text(r, &r->e->message, body);
        return;
    case 'a':
        if (pbay_json_next(body, &pos, NULL, &first) &&
            pbay_json_type(first) == 'o')
            read_value(r, first);
        return;
    case 'o':
        break;
    default:
        return;
    }
    error = pbay_json_get(body, "error");
    if (pbay_json_type(error) == 'o')
        read_object(r, error);
    else
        set_text(r, &r->e->message, error);
    if (!r->e->message.n) {
        error = pbay_json_get(body, "errors");
        pos = 0;
        if (pbay_json_next(error, &pos, NULL, &first)) {
            if (pbay_json_type(first) == 'o')
                read_object(r, first);
            else
                set_text(r, &r->e->message, first);
        }
    }
    if (pbay_json_type(pbay_json_get(body, "error")) != 'o')
        read_object(r, body);
    set_text(r, &r->e->request_id, pbay_json_get(body, "request_id"));
}

/* --------------------------------------------------------------- classify */

struct word {
    const char *word;
    uint32_t kind;
};

static const struct word words[] = {
    {"context_length_exceeded", PBAY_E_CONTEXT},
    {"exceed_context_size_error", PBAY_E_CONTEXT},
    {"insufficient_quota", PBAY_E_QUOTA},
    {"billing_hard_limit_reached", PBAY_E_QUOTA},
    {"billing_not_active", PBAY_E_QUOTA},
    {"billing_error", PBAY_E_QUOTA},
    {"insufficient_balance", PBAY_E_QUOTA},
    {"payment_required", PBAY_E_QUOTA},
    {"invalid_api_key", PBAY_E_AUTH},
    {"authentication_error", PBAY_E_AUTH},
    {"authentication", PBAY_E_AUTH},
    {"UNAUTHENTICATED", PBAY_E_AUTH},
    {"permission_error", PBAY_E_PERMISSION},
    {"permission_denied", PBAY_E_PERMISSION},
    {"PERMISSION_DENIED", PBAY_E_PERMISSION},
    {"unsupported_country_region_territory", PBAY_E_PERMISSION},
    {"model_not_found", PBAY_E_NOT_FOUND},
    {"not_found_error", PBAY_E_NOT_FOUND},
    {"not_found", PBAY_E_NOT_FOUND},
    {"NotFoundError", PBAY_E_NOT_FOUND},
    {"rate_limit_exceeded", PBAY_E_RATE},
    {"rate_limit_error", PBAY_E_RATE},
    {"overloaded_error", PBAY_E_OVERLOADED},
    {"provider_overloaded", PBAY_E_OVERLOADED},
    {"capacity_exceeded", PBAY_E_OVERLOADED},
    {"content_filter", PBAY_E_FILTER},
    {"content_policy_violation", PBAY_E_FILTER},
    {"moderation_blocked", PBAY_E_FILTER},
    {"request_too_large", PBAY_E_TOO_LARGE},
    {"server_error", PBAY_E_UPSTREAM},
    {"internal_error", PBAY_E_UPSTREAM},
    {"internal_server_error", PBAY_E_UPSTREAM},
    {"InternalServerError", PBAY_E_UPSTREAM},
    {"provider_unavailable", PBAY_E_UPSTREAM},
    {"api_error", PBAY_E_UPSTREAM},
};

/* Words that say less than the status does, used when there is none. */
static const struct word weak_words[] = {
    {"invalid_request_error", PBAY_E_INVALID},
    {"invalid_request", PBAY_E_INVALID},
    {"BadRequestError", PBAY_E_INVALID},
    {"INVALID_ARGUMENT", PBAY_E_INVALID},
    {"unavailable_error", PBAY_E_OVERLOADED},
};

#define COUNT(a) (sizeof(a) / sizeof *(a))

static uint32_t lookup(const struct word *list, size_t n, pbay_str s)
{
    for (size_t i = 0; i < n; i++)
        if (is(s, list[i].word))
            return list[i].kind;
    return 0;
}

static uint32_t of_status(int32_t status)
{
    switch (status) {
    case 401:
    case 498:
        return PBAY_E_AUTH;
    case 402:
        return PBAY_E_QUOTA;
    case 403:
        return PBAY_E_PERMISSION;
    case 404:
    case 410:
        return PBAY_E_NOT_FOUND;
    case 408:
    case 409:
    case 425:
    case 499:
        return PBAY_E_UPSTREAM;
    case 413:
        return PBAY_E_TOO_LARGE;
    case 429:
        return PBAY_E_RATE;
    case 503:
    case 529:
        return PBAY_E_OVERLOADED;
    default:
        if (status >= 400 && status < 500)
            return PBAY_E_INVALID;
        return PBAY_E_UPSTREAM;
    }
}

/* A status says more than the code's word where the word is about the request
 * in general; a prompt that does not fit is often told in the text alone. */
static uint32_t kind_of(const struct reader *r)
{
    const pbay_error *e = r->e;
    int32_t status = e->http_status >= 300 ? e->http_status : r->number;
    uint32_t kind = lookup(words, COUNT(words), e->code);

    if (!kind)
        kind = lookup(words, COUNT(words), r->hint);
    if (!kind)
        kind = lookup(words, COUNT(words), e->type);
    if ((kind == PBAY_E_UPSTREAM || !kind) && status >= 300)
        kind = of_status(status);
    if (!kind)
        kind = lookup(weak_words, COUNT(weak_words), e->code);
    if (!kind)
        kind = lookup(weak_words, COUNT(weak_words), e->type);
    if (!kind)
        kind = PBAY_E_UPSTREAM;
    if (kind == PBAY_E_OVERLOADED && contains(e->message, "loading model"))
        return PBAY_E_LOADING;
    if (kind == PBAY_E_INVALID && contains(e->message, "api key not valid"))
        return PBAY_E_AUTH; /* Gemini says 400 */
    if ((kind == PBAY_E_INVALID || kind == PBAY_E_TOO_LARGE) &&
        (contains(e->message, "maximum context length") ||
         contains(e->message, "prompt is too long") ||
         contains(e->message, "exceeds the available context size")))
        return PBAY_E_CONTEXT;
    return kind;
}

static uint32_t scope_of(const pbay_error *e)
{
    switch (e->kind) {
    case PBAY_E_INVALID:
    case PBAY_E_CONTEXT:
    case PBAY_E_TOO_LARGE:
    case PBAY_E_FILTER:
        return PBAY_SCOPE_REQUEST;
    case PBAY_E_AUTH:
    case PBAY_E_PERMISSION:
    case PBAY_E_QUOTA:
        return PBAY_SCOPE_KEY;
    case PBAY_E_NOT_FOUND:
    case PBAY_E_RATE: /* limits are counted for each model */
    case PBAY_E_LOADING:
        return PBAY_SCOPE_MODEL;
    case PBAY_E_OVERLOADED:
        return contains(e->message, "model") ? PBAY_SCOPE_MODEL
                                             : PBAY_SCOPE_PROVIDER;
    default:
        return 0;
    }
}

/* ---------------------------------------------------------------- headers */

/* OpenRouter: the time of the reset in milliseconds (or seconds) since 1970. */
static int64_t reset_at(const pbay_head *head, int64_t now)
{
    const pbay_kv *h = head->headers;
    size_t n = head->n_headers;
    int64_t at;

    if (!is(pbay_header(h, n, "x-ratelimit-remaining"), "0") ||
        pbay_json_i64(pbay_header(h, n, "x-ratelimit-reset"), &at) < 0 ||
        at < INT64_C(1000000000) || at > INT64_C(100000000000000))
        return -1;
    if (at < INT64_C(100000000000))
        at *= 1000;
    at -= now;
    return at < 0 ? 0 : at > RESET_MAX_MS ? RESET_MAX_MS : at;
}

/* A refusal for the rate without Retry-After: what was used up comes back at
 * its reset. */
static int64_t reset_after(const pbay_head *head, int64_t now)
{
    static const char *const names[][2] = {
        {"x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"},
        {"x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"}};
    int64_t most = -1;

    for (size_t i = 0; i < COUNT(names); i++) {
        pbay_str left =
            pbay_header(head->headers, head->n_headers, names[i][0]);
        int64_t ms = pbay_duration(
            pbay_header(head->headers, head->n_headers, names[i][1]));
        if (is(left, "0") && ms > most)
            most = ms;
    }
    return most < 0 ? reset_at(head, now) : most;
}

/* The time, in milliseconds, by the sender's clock if it tells. */
static int64_t now_of(const pbay_head *head)
{
    int64_t now = pbay_wire_date(head->headers, head->n_headers);

    return now < 0 ? (int64_t)time(NULL) * 1000 : now;
}

static void read_headers(struct reader *r, const pbay_head *head, int64_t now)
{
    static const char *const ids[] = {"x-request-id", "request-id",
                                      "apim-request-id", "x-generation-id"};
    const pbay_kv *h = head->headers;
    size_t n = head->n_headers;
    pbay_str v;

    r->e->retry_after_ms = pbay_retry_after(h, n, now);
    v = pbay_header(h, n, "x-should-retry");
    r->e->should_retry = is(v, "true") ? 1 : is(v, "false") ? -1 : 0;
    for (size_t i = 0; i < COUNT(ids) && !r->e->request_id.n; i++)
        r->e->request_id = pbay_header(h, n, ids[i]);
}

void pbay_error_body(const pbay_host *host, pbay_call *call,
                     const pbay_head *head, pbay_str body, pbay_error *e)
{
    struct reader r = {.host = host, .call = call};
    pbay_error all = {.size = e->size, .retry_after_ms = -1};
    size_t size = e->size < sizeof all ? e->size : sizeof all;
    int64_t now = 0;

    r.e = &all;
    if (head) {
        all.http_status = head->status;
        now = now_of(head);
        read_headers(&r, head, now);
    }
    while (body.n && scan_is_space(body.p[0])) {
        body.p++;
        body.n--;
    }
    while (body.n && scan_is_space(body.p[body.n - 1]))
        body.n--;
    if (body.n && pbay_json_check(body, NULL) == 0)
        read_value(&r, body);
    else if (body.n)
        all.message = plain(&r, body);
    all.kind = kind_of(&r);
    all.scope = scope_of(&all);
    if (all.kind == PBAY_E_RATE && all.retry_after_ms < 0 && head)
        all.retry_after_ms = reset_after(head, now);
    memcpy(e, &all, size);
}
