/* SPDX-License-Identifier: MIT */
/* OpenAI's language: events. */
#include <string.h>

#include "oai.h"

pbay_rc oai_emit(struct openai *o, struct call *c, pbay_event *ev)
{
    ev->size = sizeof *ev;
    return o->host->emit(c->call, ev) == PBAY_STOPPED ? PBAY_STOPPED : PBAY_OK;
}

pbay_rc oai_begin(struct openai *o, struct call *c, pbay_str id, pbay_str model)
{
    pbay_event ev = {.type = PBAY_EV_BEGIN};

    if (c->begun)
        return PBAY_OK;
    ev.id = pbay_text(o->host, c->call, id);
    ev.name = pbay_text(o->host, c->call, model);
    /* A first chunk may have neither (Azure's filter results). */
    if (!ev.id.n && !ev.name.n)
        return PBAY_OK;
    c->begun = 1;
    c->reply_id = ev.id;
    return oai_emit(o, c, &ev);
}

pbay_rc oai_content(struct openai *o, struct call *c)
{
    pbay_event ev = {.type = PBAY_EV_CONTENT};

    if (c->content)
        return PBAY_OK;
    c->content = 1;
    return c->flags & PBAY_RQ_PASS ? oai_emit(o, c, &ev) : PBAY_OK;
}

pbay_rc oai_error_body(struct openai *o, struct call *c, pbay_str body)
{
    pbay_error e = {.size = sizeof e};
    pbay_event ev = {.type = PBAY_EV_ERROR, .error = &e};

    pbay_error_body(o->host, c->call, &c->head, body, &e);
    if (o->hooks && o->hooks->error)
        o->hooks->error(o, c, body, &e);
    c->failed = 1;
    oai_emit(o, c, &ev);
    return PBAY_FAIL;
}

pbay_rc oai_error(struct openai *o, struct call *c, uint32_t kind,
                  const char *message)
{
    c->failed = 1;
    return pbay_fail(o->host, c->call, kind, NULL, message);
}

pbay_rc oai_emit_text(struct openai *o, struct call *c, pbay_event *ev,
                      pbay_str value)
{
    char buf[4096];
    size_t pos = 0, n;
    pbay_rc rc = PBAY_OK;

    if (!memchr(value.p, '\\', value.n)) {
        ev->text = (pbay_str){value.p + 1, value.n - 2};
        return oai_emit(o, c, ev);
    }
    while (rc == PBAY_OK &&
           (n = pbay_json_unescape_part(value, &pos, buf, sizeof buf)) > 0) {
        ev->text = (pbay_str){buf, n};
        rc = oai_emit(o, c, ev);
        ev->json = (pbay_str){NULL, 0};
        ev->id = ev->name = (pbay_str){NULL, 0};
    }
    return rc;
}
