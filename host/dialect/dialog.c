/* SPDX-License-Identifier: MIT */
/* What all dialects need of a request and a reply. */
#include "dialect/dialog.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "manager/debug.h"
#include <patchbay/json.h>

#define DEBUG_HEADER "x-patchbay-debug"
#define WARNINGS_MAX 8 /* headers; the log has all of them */

/* --- what comes in ------------------------------------------------------- */

void dl_bad(struct err *e, const char *param, const char *code, const char *fmt,
            ...)
{
    char text[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    err_set(e, PBAY_E_INVALID, "%s", text);
    snprintf(e->param, sizeof(e->param), "%s", param);
    snprintf(e->code, sizeof(e->code), "%s", code);
}

static void bad_json(struct err *e, int rc, size_t at)
{
    const char *what = rc == PBAY_JSON_DEEP    ? "is nested too deeply"
                       : rc == PBAY_JSON_UTF8  ? "is not UTF-8"
                       : rc == PBAY_JSON_TWICE ? "has a member twice"
                       : rc == PBAY_JSON_FULL  ? "has too many members"
                                               : "is not valid JSON";

    if (rc == PBAY_JSON_TYPE)
        err_set(e, ERR_BAD_BODY, "the body must be a JSON object");
    else
        err_set(e, ERR_BAD_BODY, "the body %s (at byte %zu)", what, at);
}

int dl_scan(struct dialog *x, struct err *e)
{
    pbay_kv found[LIM_MEMBERS];
    size_t at = 0;
    int rc = pbay_json_members(x->body, found, LIM_MEMBERS, &x->n_members, &at);

    if (rc < 0) {
        x->n_members = 0;
        bad_json(e, rc, at);
        return -1;
    }
    x->members = arena_alloc(&x->req->arena, x->n_members * sizeof(pbay_kv));
    if (!x->members) {
        err_set(e, ERR_INTERNAL, "out of memory");
        return -1;
    }
    memcpy(x->members, found, x->n_members * sizeof(pbay_kv));
    return 0;
}

int dl_keep_body(struct dialog *x, pbay_str text, struct call_body *out,
                 struct err *e)
{
    pbay_kv found[LIM_MEMBERS];
    pbay_kv *members = NULL;
    int rc = 0;

    out->text = arena_dup(&x->req->arena, text);
    if (out->text.p)
        rc = pbay_json_members(out->text, found, LIM_MEMBERS, &out->n_members,
                               NULL);
    if (rc == PBAY_JSON_DEEP) {
        /* A form may need a level more than the client's own. */
        err_set(e, ERR_BAD_BODY, "the body is nested too deeply");
        return -1;
    }
    if (out->text.p && rc == 0)
        members =
            arena_alloc(&x->req->arena, out->n_members * sizeof(*members));
    if (!members) {
        err_set(e, ERR_INTERNAL, "out of memory");
        return -1;
    }
    memcpy(members, found, out->n_members * sizeof(*members));
    out->members = members;
    return 0;
}

void dl_use_body(struct dialog *x, const struct call_body *body)
{
    /* Ours already: see dl_keep_body(). */
    x->members = (pbay_kv *)(uintptr_t)body->members;
    x->n_members = body->n_members;
    x->body = body->text;
    x->translate = NULL;
    x->dialect = STR("canonical/1");
}

int dl_read_bool(struct dialog *x, const char *name, bool *out, struct err *e)
{
    pbay_str v = pbay_json_find(x->members, x->n_members, name);
    char type = pbay_json_type(v);

    if (type == 'b') {
        *out = pbay_json_true(v);
    } else if (v.p && type != '0') {
        dl_bad(e, name, "invalid_type", "\"%s\" must be true or false", name);
        return -1;
    }
    return 0;
}

int dl_read_model(struct dialog *x, struct err *e)
{
    pbay_str v = pbay_json_find(x->members, x->n_members, "model");
    char *p;
    int64_t n;

    if (!v.p || pbay_json_type(v) == '0')
        return 0;
    p = arena_bytes(&x->req->arena, v.n + 1);
    n = p ? pbay_json_unescape(v, p, v.n) : -1;
    if (n < 0) {
        dl_bad(e, "model", "invalid_type", "\"%s\" must be a string", "model");
        return -1;
    }
    x->model = str_n(p, (size_t)n);
    return 0;
}

/* --- what goes out ------------------------------------------------------- */

void dl_add_header(struct dialog *x, const char *name, pbay_str value)
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

static bool is_warning(const pbay_kv *h)
{
    return strcmp(h->k.p, "x-patchbay-warning") == 0;
}

/* Each is said once, and so many of them at most. */
void dl_warn(struct dialog *x, pbay_str field, pbay_str text)
{
    const pbay_kv *last;
    size_t was = x->n_headers;
    int before = 0;
    char line[256];

    snprintf(line, sizeof(line), "%.*s%s%.*s", STR_ARG(field),
             field.n ? ": " : "", STR_ARG(text));
    dl_add_header(x, "x-patchbay-warning", str_c(line));
    if (x->n_headers == was)
        return;
    last = &x->headers[was];
    for (size_t i = 0; i < was; i++) {
        if (!is_warning(&x->headers[i]))
            continue;
        if (++before == WARNINGS_MAX || str_eq(x->headers[i].v, last->v)) {
            x->n_headers = was;
            return;
        }
    }
}

/* One header for each field that was dropped or changed. */
static void warning_headers(struct dialog *x, const struct call_warning *w)
{
    for (; w; w = w->next)
        dl_warn(x, w->name, w->text);
}

/* In place of what was said before. */
static void debug_header(struct dialog *x)
{
    pbay_str text = debug_text(x->debug);

    for (size_t i = x->n_headers; i-- > 0;)
        if (str_is(x->headers[i].k, DEBUG_HEADER))
            x->headers[i] = x->headers[--x->n_headers];
    dl_add_header(x, DEBUG_HEADER, text);
}

void dl_route_headers(struct dialog *x, const struct call_report *r)
{
    static const char *const cached[] = {
        [CACHE_MISS] = "miss", [CACHE_HIT] = "hit", [CACHE_JOINED] = "joined"};
    char n[16];

    dl_add_header(x, "x-request-id", str_c(x->id));
    if (x->debug)
        debug_header(x);
    if (!r || !r->provider[0])
        return;
    snprintf(n, sizeof(n), "%u", r->attempts);
    dl_add_header(x, "x-patchbay-provider", str_c(r->provider));
    dl_add_header(x, "x-patchbay-model", r->model);
    dl_add_header(x, "x-patchbay-attempts", str_c(n));
    if (r->route)
        dl_add_header(x, "x-patchbay-route", str_c(r->route));
    if (r->arm)
        dl_add_header(x, "x-patchbay-arm", str_c(r->arm));
    if (x->shared.how != CACHE_NONE)
        dl_add_header(x, "x-patchbay-cache", str_c(cached[x->shared.how]));
    warning_headers(x, r->warnings);
}

void dl_json(struct dialog *x, int status, pbay_str body)
{
    dl_add_header(x, "content-type", STR("application/json"));
    http_reply(x->req, status, x->headers, x->n_headers, body);
}

void dl_lost(struct err *e)
{
    err_clear(e);
    err_set(e, ERR_REPLY_TOO_LARGE,
            "the answer is larger than this host can show");
}

static void retry_header(struct dialog *x, const struct err *e)
{
    char s[24];

    if (e->retry_after_ms < 0)
        return;
    snprintf(s, sizeof(s), "%lld", (long long)(e->retry_after_ms + 999) / 1000);
    dl_add_header(x, "retry-after", str_c(s));
}

void dl_error_headers(struct dialog *x, const struct err *e)
{
    if (!x->n_headers)
        dl_add_header(x, "x-request-id", str_c(x->id));
    retry_header(x, e);
    dl_add_header(x, "x-patchbay-error", str_c(err_class(e->kind)->name));
    if (err_class(e->kind)->status == 401)
        dl_add_header(x, "www-authenticate", STR("Bearer"));
}

void dl_error(struct dialog *x, const struct err *e)
{
    char body[LIM_KIB(8)];
    size_t n = x->form->error_json(x, e, body, sizeof(body));

    dl_error_headers(x, e);
    dl_json(x, err_class(e->kind)->status, str_n(body, n));
}

void dl_write(struct dialog *x, pbay_str bytes)
{
    if (!bytes.n || http_reply_write(x->req, bytes) <= LIM_OUT_HIGH)
        return;
    if (x->call)
        call_pause(x->call, true);
    cache_pause(&x->shared, true);
}
