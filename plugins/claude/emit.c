/* SPDX-License-Identifier: MIT */
/* claude.so: events, and memory of a call. */
#include <string.h>

#include "claude.h"

static uint64_t characters(pbay_str s)
{
    uint64_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xC0) != 0x80;
    return n;
}

pbay_rc cl_emit(struct claude *o, struct call *c, pbay_event *ev)
{
    ev->size = sizeof *ev;
    if (ev->type == PBAY_EV_TEXT)
        c->chars += characters(ev->text);
    return o->host->emit(c->call, ev) == PBAY_STOPPED ? PBAY_STOPPED : PBAY_OK;
}

pbay_rc cl_content(struct claude *o, struct call *c)
{
    pbay_event ev = {.type = PBAY_EV_CONTENT};

    if (c->content)
        return PBAY_OK;
    c->content = 1;
    return c->flags & PBAY_RQ_PASS ? cl_emit(o, c, &ev) : PBAY_OK;
}

/* ASCII case is ignored; `lower` is in lower case. */
static int contains(pbay_str s, const char *lower)
{
    size_t n = strlen(lower);

    for (size_t i = 0; i + n <= s.n; i++) {
        size_t k = 0;
        while (k < n && (s.p[i + k] >= 'A' && s.p[i + k] <= 'Z'
                             ? s.p[i + k] + 32
                             : s.p[i + k]) == lower[k])
            k++;
        if (k == n)
            return 1;
    }
    return 0;
}

/* No money left: said with 400 and with 429, in the text or as
 * error.details.error_code. */
static int spent(const pbay_error *e)
{
    static const char *const words[] = {"spend limit",    "spend cap",
                                        "spending limit", "usage limits",
                                        "spend_limit",    "credit balance"};

    if (e->kind != PBAY_E_INVALID && e->kind != PBAY_E_RATE &&
        e->kind != PBAY_E_PERMISSION)
        return 0;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (contains(e->message, words[i]) || contains(e->code, words[i]))
            return 1;
    return 0;
}

static void classify(const struct call *c, pbay_error *e)
{
    if (e->kind == PBAY_E_INVALID &&
        contains(e->message, "exceed context limit")) {
        e->kind = PBAY_E_CONTEXT;
        e->scope = PBAY_SCOPE_REQUEST;
    } else if (spent(e)) {
        e->kind = PBAY_E_QUOTA;
        e->scope = PBAY_SCOPE_KEY;
    } else if (cl_is(e->code, "organization_on_hold")) {
        e->kind = PBAY_E_PERMISSION;
        e->scope = PBAY_SCOPE_KEY;
    }
    if (e->kind == PBAY_E_RATE && e->retry_after_ms < 0)
        e->retry_after_ms = cl_reset_after(&c->head);
}

pbay_rc cl_error_body(struct claude *o, struct call *c, pbay_str body)
{
    pbay_error e = {.size = sizeof e};
    pbay_event ev = {.type = PBAY_EV_ERROR, .error = &e};
    pbay_str details;

    pbay_error_body(o->host, c->call, &c->head, body, &e);
    if (pbay_json_check(body, NULL) == 0) {
        details = pbay_json_get(pbay_json_get(body, "error"), "details");
        details = pbay_json_get(details, "error_code");
        if (!e.code.n && pbay_json_type(details) == 's')
            e.code = pbay_text(o->host, c->call, details);
    }
    classify(c, &e);
    c->failed = 1;
    cl_emit(o, c, &ev);
    return PBAY_FAIL;
}

pbay_rc cl_error(struct claude *o, struct call *c, uint32_t kind,
                 const char *message)
{
    c->failed = 1;
    return pbay_fail(o->host, c->call, kind, NULL, message);
}

pbay_rc cl_emit_text(struct claude *o, struct call *c, pbay_event *ev,
                     pbay_str value)
{
    char buf[4096];
    size_t pos = 0, n;
    pbay_rc rc = PBAY_OK;

    if (!memchr(value.p, '\\', value.n)) {
        ev->text = (pbay_str){value.p + 1, value.n - 2};
        return cl_emit(o, c, ev);
    }
    while (rc == PBAY_OK &&
           (n = pbay_json_unescape_part(value, &pos, buf, sizeof buf)) > 0) {
        ev->text = (pbay_str){buf, n};
        rc = cl_emit(o, c, ev);
    }
    return rc;
}

pbay_str cl_copy(struct claude *o, struct call *c, pbay_str s)
{
    char *p = s.n ? o->host->alloc(c->call, s.n) : NULL;

    if (p)
        memcpy(p, s.p, s.n);
    return (pbay_str){p, p ? s.n : 0};
}

char *cl_grow(void *arg, char *old, size_t n, size_t room)
{
    void **with = arg;
    const struct claude *o = with[0];
    const struct call *c = with[1];
    char *p = o->host->alloc(c->call, room);

    if (p && n)
        memcpy(p, old, n);
    return p;
}
