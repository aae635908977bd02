/* SPDX-License-Identifier: MIT */
/* ollama.so: writing a body in pieces.  Pictures and long texts stay where the
 * client's body has them. */
#include <string.h>

#include "ollama.h"

#define SHORT 128u /* up to this a span is copied */
#define CHUNK 4096u

static int more_pieces(struct body *b)
{
    size_t room = b->room ? b->room * 2 : 32;
    pbay_str *v = b->o->host->alloc(b->c->call, room * sizeof *v);

    if (!v) {
        b->failed = 1;
        return 0;
    }
    if (b->n)
        memcpy(v, b->v, b->n * sizeof *v);
    b->v = v;
    b->room = room;
    return 1;
}

static void piece(struct body *b, pbay_str s)
{
    if (b->n && b->v[b->n - 1].p + b->v[b->n - 1].n == s.p) {
        b->v[b->n - 1].n += s.n;
        return;
    }
    if (b->n < b->room || more_pieces(b))
        b->v[b->n++] = s;
}

void ol_raw(struct body *b, pbay_str bytes)
{
    if (!bytes.n || b->failed)
        return;
    if (bytes.n > SHORT) {
        piece(b, bytes);
        return;
    }
    if (b->size - b->used < bytes.n) {
        b->buf = b->o->host->alloc(b->c->call, CHUNK);
        b->used = 0;
        b->size = b->buf ? CHUNK : 0;
        if (!b->buf) {
            b->failed = 1;
            return;
        }
    }
    memcpy(b->buf + b->used, bytes.p, bytes.n);
    piece(b, (pbay_str){b->buf + b->used, bytes.n});
    b->used += bytes.n;
}

static void text(struct body *b, const char *s)
{
    ol_raw(b, (pbay_str){s, strlen(s)});
}

static void comma(struct body *b)
{
    if (b->comma)
        text(b, ",");
}

void ol_open(struct body *b, const char *bracket)
{
    comma(b);
    text(b, bracket);
    b->comma = 0;
}

void ol_close(struct body *b, const char *bracket)
{
    text(b, bracket);
    b->comma = 1;
}

void ol_key(struct body *b, const char *name)
{
    comma(b);
    text(b, "\"");
    text(b, name);
    text(b, "\":");
    b->comma = 0;
}

void ol_value(struct body *b, pbay_str json)
{
    comma(b);
    ol_raw(b, json);
    b->comma = 1;
}

void ol_string(struct body *b, pbay_str plain)
{
    void *with[2] = {b->o, b->c};
    pbay_out w = {.grow = ol_grow, .arg = with};

    pbay_out_string(&w, plain);
    if (w.failed)
        b->failed = 1;
    else
        ol_value(b, (pbay_str){w.p, w.n});
}
