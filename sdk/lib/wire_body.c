/* SPDX-License-Identifier: MIT */
/* A request body written by pieces: what is long stays where it is. */
#include <patchbay/json.h>
#include <patchbay/wire.h>

#include <stdio.h>
#include <string.h>

#define LONG_TEXT 512u /* from here on it is not copied */
#define CHUNK     2048u

static void *room(pbay_body *b, size_t n)
{
    void *p = b->host->alloc(b->call, n);

    if (!p)
        b->rc = PBAY_NOMEM;
    return p;
}

static void piece(pbay_body *b, pbay_str s)
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

static void copied(pbay_body *b, pbay_str s)
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

void pbay_body_raw(pbay_body *b, pbay_str s)
{
    if (b->rc != PBAY_OK || !s.n)
        return;
    if (s.n >= LONG_TEXT)
        piece(b, s);
    else
        copied(b, s);
}

void pbay_body_cstr(pbay_body *b, const char *s)
{
    size_t n = strlen(s);

    if (b->rc == PBAY_OK && n)
        copied(b, (pbay_str){s, n < CHUNK ? n : CHUNK});
    if (n > CHUNK)
        pbay_body_cstr(b, s + CHUNK);
}

void pbay_body_i64(pbay_body *b, int64_t v)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%lld", (long long)v);

    pbay_body_raw(b, (pbay_str){text, (size_t)n});
}

static char *grow(void *arg, char *old, size_t n, size_t want)
{
    pbay_body *b = arg;
    char *p = b->host->alloc(b->call, want);

    if (p && n)
        memcpy(p, old, n);
    return p;
}

void pbay_body_string(pbay_body *b, pbay_str text)
{
    pbay_out w = {.grow = grow, .arg = b};

    if (b->rc != PBAY_OK)
        return;
    pbay_out_string(&w, text);
    if (w.failed)
        b->rc = PBAY_NOMEM;
    else
        pbay_body_raw(b, (pbay_str){w.p, w.n});
}

void pbay_body_name(pbay_body *b, const char *name, int *any)
{
    pbay_body_cstr(b, *any ? ",\"" : "\"");
    pbay_body_cstr(b, name);
    pbay_body_cstr(b, "\":");
    *any = 1;
}
