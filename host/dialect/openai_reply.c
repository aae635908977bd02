/* SPDX-License-Identifier: MIT */
/* Replies of the OpenAI dialect: errors, headers, writing with backpressure. */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "dialect/openai.h"

size_t oa_error_json(const struct err *e, char *dst, size_t room)
{
    const struct err_class *ec = err_class(e->kind);
    const char *code = e->code[0] && ec->pass_body ? e->code : ec->openai_code;
    struct buf b;
    size_t n;

    buf_init(&b, LIM_KIB(16));
    buf_addc(&b, "{\"error\":{\"message\":");
    buf_json(&b, str_c(err_text(e)));
    buf_addc(&b, ",\"type\":");
    buf_json(&b, str_c(ec->openai_type));
    buf_addc(&b, ",\"param\":");
    if (e->param[0])
        buf_json(&b, str_c(e->param));
    else
        buf_addc(&b, "null");
    buf_addc(&b, ",\"code\":");
    if (code)
        buf_json(&b, str_c(code));
    else
        buf_addc(&b, "null");
    buf_addc(&b, "}}");
    n = b.n < room ? b.n : 0;
    if (n)
        memcpy(dst, buf_str(&b).p, n);
    buf_done(&b);
    return n;
}

void oa_add_header(struct oa *x, const char *name, pbay_str value)
{
    char *clean;

    if (x->n_headers == sizeof(x->headers) / sizeof(*x->headers) || !value.n)
        return;
    clean = arena_bytes(&x->req->arena, value.n);
    if (!clean)
        return;
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        clean[i] = c < 32 || c > 126 ? '?' : (char)c;
    }
    x->headers[x->n_headers++] = (pbay_kv){str_c(name), str_n(clean, value.n)};
}

void oa_route_headers(struct oa *x, const struct call_report *r)
{
    char n[16];

    oa_add_header(x, "x-request-id", str_c(x->id));
    if (!r || !r->provider[0])
        return;
    snprintf(n, sizeof(n), "%u", r->attempts);
    oa_add_header(x, "x-patchbay-provider", str_c(r->provider));
    oa_add_header(x, "x-patchbay-model", r->model);
    oa_add_header(x, "x-patchbay-attempts", str_c(n));
}

void oa_json(struct oa *x, int status, pbay_str body)
{
    oa_add_header(x, "content-type", STR("application/json"));
    http_reply(x->req, status, x->headers, x->n_headers, body);
}

void oa_lost(struct err *e)
{
    err_clear(e);
    err_set(e, ERR_REPLY_TOO_LARGE,
            "the answer is larger than this host can show");
}

static void retry_header(struct oa *x, const struct err *e)
{
    char s[24];

    if (e->retry_after_ms < 0)
        return;
    snprintf(s, sizeof(s), "%lld", (long long)(e->retry_after_ms + 999) / 1000);
    oa_add_header(x, "retry-after", str_c(s));
}

void oa_error(struct oa *x, const struct err *e)
{
    char body[LIM_KIB(8)];
    size_t n = oa_error_json(e, body, sizeof(body));

    if (!x->n_headers)
        oa_add_header(x, "x-request-id", str_c(x->id));
    retry_header(x, e);
    if (err_class(e->kind)->status == 401)
        oa_add_header(x, "www-authenticate", STR("Bearer"));
    oa_json(x, err_class(e->kind)->status, str_n(body, n));
}

void oa_write(struct oa *x, pbay_str bytes)
{
    if (bytes.n && http_reply_write(x->req, bytes) > LIM_OUT_HIGH && x->call)
        call_pause(x->call, true);
}
