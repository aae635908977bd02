/* SPDX-License-Identifier: MIT */
/* claude.so: writing a request body, and refusing to. */
#include <stdio.h>
#include <string.h>

#include "body.h"

/* The first failure is the one that counts. */
static int may(struct body *b)
{
    if (b->rc == PBAY_OK)
        b->rc = b->out.rc;
    return b->rc == PBAY_OK;
}

void body_raw(struct body *b, pbay_str s)
{
    if (may(b))
        pbay_body_raw(&b->out, s);
    may(b);
}

void body_put(struct body *b, const char *s)
{
    if (may(b))
        pbay_body_cstr(&b->out, s);
    may(b);
}

void body_int(struct body *b, int64_t v)
{
    if (may(b))
        pbay_body_i64(&b->out, v);
    may(b);
}

void body_name(struct body *b, const char *name, int *any)
{
    if (may(b))
        pbay_body_name(&b->out, name, any);
    may(b);
}

void body_string(struct body *b, pbay_str text)
{
    if (may(b))
        pbay_body_string(&b->out, text);
    may(b);
}

void body_refuse(struct body *b, const char *param, const char *message)
{
    if (b->rc != PBAY_OK)
        return;
    b->c->failed = 1;
    b->rc = pbay_fail(b->o->host, b->c->call, PBAY_E_INVALID, param, message);
}

void body_warn(struct body *b, const char *param, const char *text)
{
    pbay_event ev = {.type = PBAY_EV_WARNING};

    if (b->rc != PBAY_OK || !cl_wants(b->c, PBAY_EV_WARNING))
        return;
    ev.name = (pbay_str){param, strlen(param)};
    ev.text = (pbay_str){text, strlen(text)};
    b->rc = cl_emit(b->o, b->c, &ev);
}

int body_unsupported(struct body *b, const char *param, const char *mend)
{
    char text[512];

    if (b->o->drop) {
        body_warn(b, param, "left out: Claude has nothing like it");
        return 0;
    }
    snprintf(text, sizeof text,
             "Claude has nothing like %s; %s, or set unsupported = \"drop\" "
             "for this provider",
             param, mend);
    body_refuse(b, param, text);
    return 1;
}
