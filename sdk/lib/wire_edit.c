/* SPDX-License-Identifier: MIT */
/* A JSON object rewritten by pieces: what is not edited stays where and as it
 * is, so that a body of many megabytes is never copied. */
#include <patchbay/json.h>
#include <patchbay/wire.h>

#include <string.h>

#include "scan.h"

struct edit {
    pbay_str body;
    pbay_str *pieces;
    size_t n;
    const char *from; /* the body up to here is done */
    size_t kept;      /* members that stay */
};

static void put(struct edit *e, pbay_str piece)
{
    if (piece.n)
        e->pieces[e->n++] = piece;
}

/* The body from where we are up to `to`. */
static void put_body(struct edit *e, const char *to)
{
    if (to > e->from)
        put(e, (pbay_str){e->from, (size_t)(to - e->from)});
    e->from = to;
}

static const char *end_of(pbay_str s)
{
    return s.p + s.n;
}

/* Is the member's name (escaped) this plain one? */
static int named(pbay_str k, pbay_str name)
{
    const char *p = k.p, *end = k.p + k.n;
    char out[4];

    if (k.n == name.n && (!k.n || memcmp(k.p, name.p, k.n) == 0))
        return 1;
    if (!memchr(k.n ? k.p : "", '\\', k.n))
        return 0;
    while (p < end) {
        size_t n = pbay_scan_step(&p, end, out);
        if (n > name.n || memcmp(out, name.p, n) != 0)
            return 0;
        name.p += n;
        name.n -= n;
    }
    return name.n == 0;
}

static const pbay_kv *edit_for(const pbay_kv *edits, size_t n, pbay_str k)
{
    for (size_t i = 0; i < n; i++)
        if (named(k, edits[i].k))
            return &edits[i];
    return NULL;
}

/* Drop member i, with the comma that goes with it: the one before it if a
 * member stays before it, else the one after. */
static void drop(struct edit *e, const pbay_kv *members, size_t n, size_t i)
{
    if (e->kept) {
        const char *before = end_of(members[i - 1].v);
        if (before > e->from)
            put_body(e, before);
        e->from = end_of(members[i].v);
        return;
    }
    put_body(e, members[i].k.p - 1);
    e->from = i + 1 < n ? members[i + 1].k.p - 1 : end_of(members[i].v);
}

static int present(const pbay_kv *members, size_t n, pbay_str name)
{
    for (size_t i = 0; i < n; i++)
        if (named(members[i].k, name))
            return 1;
    return 0;
}

/* Add one behind the members that are there. */
static void add(struct edit *e, const pbay_kv *edit)
{
    static const pbay_str comma = PBAY_LIT(",\""), first = PBAY_LIT("\""),
                          colon = PBAY_LIT("\":");

    put(e, e->kept++ ? comma : first);
    put(e, edit->k);
    put(e, colon);
    put(e, edit->v);
}

/* Where a member can be added. */
static const char *tail(const struct edit *e, const pbay_kv *members, size_t n)
{
    const char *p = n ? end_of(members[n - 1].v) : e->body.p;

    if (!n)
        while (p < end_of(e->body) && *p++ != '{')
            ;
    return p;
}

pbay_rc pbay_edit(const pbay_host *host, pbay_call *call, pbay_str body,
                  const pbay_kv *members, size_t n_members,
                  const pbay_kv *edits, size_t n_edits, const pbay_str **pieces,
                  size_t *n_pieces)
{
    struct edit e = {.body = body, .from = body.p};

    /* An edit makes four pieces at most: the body before it, and `,"name":`
     * around its own two. */
    e.pieces = host->alloc(call, (5 * n_edits + 2) * sizeof *e.pieces);
    if (!e.pieces)
        return PBAY_NOMEM;
    for (size_t i = 0; i < n_members; i++) {
        const pbay_kv *edit = edit_for(edits, n_edits, members[i].k);
        if (edit && !edit->v.n) {
            drop(&e, members, n_members, i);
            continue;
        }
        if (edit) {
            put_body(&e, members[i].v.p);
            put(&e, edit->v);
            e.from = end_of(members[i].v);
        }
        e.kept++;
    }
    for (size_t i = 0; i < n_edits; i++) {
        if (!edits[i].v.n || present(members, n_members, edits[i].k))
            continue;
        put_body(&e, tail(&e, members, n_members));
        add(&e, &edits[i]);
    }
    put_body(&e, end_of(body));
    *pieces = e.pieces;
    *n_pieces = e.n;
    return PBAY_OK;
}
