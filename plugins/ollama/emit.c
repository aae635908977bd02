/* SPDX-License-Identifier: MIT */
/* ollama.so: events, and the errors among them. */
#include <stdio.h>
#include <string.h>

#include "ollama.h"

pbay_rc ol_emit(struct ollama *o, struct call *c, pbay_event *ev)
{
    ev->size = sizeof *ev;
    return o->host->emit(c->call, ev) == PBAY_STOPPED ? PBAY_STOPPED : PBAY_OK;
}

pbay_rc ol_item(struct ollama *o, struct call *c, const char *name,
                uint32_t index, pbay_str json)
{
    pbay_event ev = {.type = PBAY_EV_ITEM, .index = index, .json = json};

    ev.name = (pbay_str){name, strlen(name)};
    return ol_wants(c, PBAY_EV_ITEM) ? ol_emit(o, c, &ev) : PBAY_OK;
}

pbay_rc ol_begin(struct ollama *o, struct call *c, pbay_str model)
{
    pbay_event ev = {.type = PBAY_EV_BEGIN};

    if (c->begun)
        return PBAY_OK;
    c->begun = 1;
    ev.name = pbay_text(o->host, c->call, model);
    return ol_emit(o, c, &ev);
}

pbay_rc ol_content(struct ollama *o, struct call *c)
{
    pbay_event ev = {.type = PBAY_EV_CONTENT};

    if (c->content)
        return PBAY_OK;
    c->content = 1;
    return c->flags & PBAY_RQ_PASS ? ol_emit(o, c, &ev) : PBAY_OK;
}

/* ------------------------------------------------------------------ errors */

static int contains(pbay_str s, const char *what)
{
    return s.n && memmem(s.p, s.n, what, strlen(what)) != NULL;
}

/* Ollama's errors are a text and a status.  What the text says more: */
static void classify(struct call *c, pbay_error *e, pbay_str body)
{
    if (contains(e->message, "exceeds the context length") ||
        contains(e->message, "exceeds maximum context length")) {
        e->kind = PBAY_E_CONTEXT;
        e->scope = PBAY_SCOPE_REQUEST;
    } else if (contains(e->message, "does not support tools")) {
        e->param = OL("tools");
    } else if (contains(e->message, "does not support thinking")) {
        e->param = OL("reasoning_effort");
    } else if (contains(e->message, "requires more system memory")) {
        e->scope = PBAY_SCOPE_MODEL; /* smaller ones still run */
    }
    /* Its URL names the account that would be signed in: not for clients. */
    if (c->head.status == 401 &&
        pbay_json_type(pbay_json_get(body, "signin_url")) == 's')
        e->message = OL("unauthorized: this model runs in Ollama's cloud; sign "
                        "the server in with \"ollama signin\", or set api_key "
                        "and base_url = \"https://ollama.com\"");
}

pbay_rc ol_error_body(struct ollama *o, struct call *c, pbay_str body)
{
    pbay_error e = {.size = sizeof e};
    pbay_event ev = {.type = PBAY_EV_ERROR, .error = &e};

    pbay_error_body(o->host, c->call, &c->head, body, &e);
    classify(c, &e, body);
    c->failed = 1;
    ol_emit(o, c, &ev);
    return PBAY_FAIL;
}

pbay_rc ol_error(struct ollama *o, struct call *c, uint32_t kind,
                 const char *message)
{
    c->failed = 1;
    return pbay_fail(o->host, c->call, kind, NULL, message);
}

pbay_rc ol_invalid(struct ollama *o, struct call *c, const char *param,
                   const char *message)
{
    c->failed = 1;
    return pbay_fail(o->host, c->call, PBAY_E_INVALID, param, message);
}

pbay_rc ol_unsupported(struct ollama *o, struct call *c, const char *param,
                       const char *why)
{
    char text[400];

    if (o->drop) {
        snprintf(text, sizeof text, "dropped: Ollama %s", why);
        return ol_warn(o, c, param, text);
    }
    snprintf(text, sizeof text,
             "%s: Ollama %s; leave it out, or set unsupported = \"drop\" for "
             "this provider",
             param, why);
    return ol_invalid(o, c, param, text);
}

const char *ol_name(pbay_str key, char *to)
{
    size_t i = 0;

    while (i < key.n && key.p[i] > ' ' && key.p[i] < 0x7f)
        i++;
    if (i < key.n || i >= OL_NAME)
        return "(unknown)";
    memcpy(to, key.p, i);
    to[i] = '\0';
    return to;
}

pbay_rc ol_warn(struct ollama *o, struct call *c, const char *param,
                const char *text)
{
    pbay_event ev = {.type = PBAY_EV_WARNING};

    ev.name = (pbay_str){param, strlen(param)};
    ev.text = (pbay_str){text, strlen(text)};
    return ol_emit(o, c, &ev);
}

pbay_rc ol_cache_hint(struct ollama *o, struct call *c, const char *param)
{
    if (c->hinted)
        return PBAY_OK;
    c->hinted = 1;
    return ol_warn(o, c, param, "dropped: Ollama caches prompts by itself");
}

/* -------------------------------------------------------------------- text */

pbay_rc ol_emit_text(struct ollama *o, struct call *c, pbay_event *ev,
                     pbay_str value)
{
    char buf[4096];
    size_t pos = 0, n;
    pbay_rc rc = PBAY_OK;

    if (!memchr(value.p, '\\', value.n)) {
        ev->text = (pbay_str){value.p + 1, value.n - 2};
        return ol_emit(o, c, ev);
    }
    while (rc == PBAY_OK &&
           (n = pbay_json_unescape_part(value, &pos, buf, sizeof buf)) > 0) {
        ev->text = (pbay_str){buf, n};
        rc = ol_emit(o, c, ev);
        ev->json = (pbay_str){NULL, 0};
        ev->id = ev->name = (pbay_str){NULL, 0};
    }
    return rc;
}

char *ol_grow(void *arg, char *old, size_t n, size_t room)
{
    void **with = arg;
    const struct ollama *o = with[0];
    const struct call *c = with[1];
    char *p = o->host->alloc(c->call, room);

    if (p && n)
        memcpy(p, old, n);
    return p;
}
