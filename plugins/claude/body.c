/* SPDX-License-Identifier: MIT */
/* claude.so: writing a request body by pieces. */
#include <stdio.h>
#include <string.h>

#include "body.h"

#define LONG_TEXT 512u /* from here on it is not copied */
#define CHUNK     2048u

static void *room(struct body *b, size_t n)
{
    void *p = b->o->host->alloc(b->c->call, n);

    if (!p)
        b->rc = PBAY_NOMEM;
    return p;
}

static void piece(struct body *b, pbay_str s)
{
    if (b->n == b->room) {
        size_t more = b->room ? b->room * 2 : 16;
        pbay_str *p = room(b, more * sizeof *p);
        if (!p)
            return;
        if (b->n)
            memcpy(p, b->pieces, b->n * sizeof *p);
        b->pieces = p;
        b->room = more;
    }
    b->pieces[b->n++] = s;
}

static void copied(struct body *b, pbay_str s)
{
    pbay_str *last = b->n ? &b->pieces[b->n - 1] : NULL;

    if (!b->chunk || b->chunk_room - b->chunk_n < s.n) {
        b->chunk = room(b, CHUNK);
        b->chunk_room = b->chunk ? CHUNK : 0;
        b->chunk_n = 0;
        if (!b->chunk)
            return;
    }
    memcpy(b->chunk + b->chunk_n, s.p, s.n);
    if (last && last->p + last->n == b->chunk + b->chunk_n && b->chunk_n)
        last->n += s.n;
    else
        piece(b, (pbay_str){b->chunk + b->chunk_n, s.n});
    b->chunk_n += s.n;
}

void body_raw(struct body *b, pbay_str s)
{
    if (b->rc != PBAY_OK || !s.n)
        return;
    if (s.n >= LONG_TEXT)
        piece(b, s);
    else
        copied(b, s);
}

void body_put(struct body *b, const char *s)
{
    body_raw(b, (pbay_str){s, strlen(s)});
}

void body_int(struct body *b, int64_t v)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%lld", (long long)v);

    body_raw(b, (pbay_str){text, (size_t)n});
}

void body_name(struct body *b, const char *name, int *any)
{
    body_put(b, *any ? ",\"" : "\"");
    body_put(b, name);
    body_put(b, "\":");
    *any = 1;
}

void body_string(struct body *b, pbay_str text)
{
    void *with[2] = {b->o, b->c};
    pbay_out w = {.grow = cl_grow, .arg = with};

    if (b->rc != PBAY_OK)
        return;
    pbay_out_string(&w, text);
    if (w.failed)
        b->rc = PBAY_NOMEM;
    else
        body_raw(b, (pbay_str){w.p, w.n});
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
