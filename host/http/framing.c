/* SPDX-License-Identifier: MIT */
/* Cutting a response body into records, without copying a record that lies
 * inside one piece; see framing.h. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "http/framing.h"

/* Memory an idle framing keeps, so that a stream whose records straddle pieces
 * does not allocate for each. */
#define KEEP LIM_KIB(4)

void framing_init(struct framing *f, int kind, size_t max)
{
    memset(f, 0, sizeof *f);
    f->kind = kind;
    f->max = max;
    buf_init(&f->held, max);
    buf_init(&f->joined, max);
}

void framing_done(struct framing *f)
{
    buf_done(&f->held);
    buf_done(&f->joined);
}

/* Forget the record: the next one's raw bytes start here. */
static void next_record(struct framing *f)
{
    f->scanned = f->line = f->idle = 0;
    f->data_at = f->data_n = f->name_at = f->name_n = 0;
    f->data_lines = 0;
    f->in_block = false;
}

/* --- line ends: where the next CR and LF are, each byte looked at once --- */

struct ends {
    const char *p;
    size_t n;
    size_t lf, cr; /* position of the next one; n: none */
    bool want_cr;
};

static size_t find(const char *p, size_t from, size_t n, char c)
{
    const char *hit = from < n ? memchr(p + from, c, n - from) : NULL;

    return hit ? (size_t)(hit - p) : n;
}

static void ends_init(struct ends *e, pbay_str s, size_t from, bool want_cr)
{
    e->p = s.p;
    e->n = s.n;
    e->want_cr = want_cr;
    e->lf = find(s.p, from, s.n, '\n');
    e->cr = want_cr ? find(s.p, from, s.n, '\r') : s.n;
}

/* The first line-ending byte at or after `from`; n: none. */
static size_t ends_next(struct ends *e, size_t from)
{
    if (e->lf < from)
        e->lf = find(e->p, from, e->n, '\n');
    if (e->want_cr && e->cr < from)
        e->cr = find(e->p, from, e->n, '\r');
    return e->lf < e->cr ? e->lf : e->cr;
}

/* What was p[by] is p[0] now. */
static void ends_shift(struct ends *e, size_t by)
{
    e->p += by;
    e->n -= by;
    e->lf = e->lf >= by ? e->lf - by : find(e->p, 0, e->n, '\n');
    if (!e->want_cr)
        e->cr = e->n;
    else
        e->cr = e->cr >= by ? e->cr - by : find(e->p, 0, e->n, '\r');
}

/* --- SSE --- */

/* One more data line.  The first stays where it is; from the second on they are
 * gathered in `joined`. */
static int add_data(struct framing *f, const char *p, size_t at, size_t n)
{
    int rc = 0;

    if (++f->data_lines == 1) {
        f->data_at = at;
        f->data_n = n;
        return 0;
    }
    if (f->data_lines == 2) {
        buf_reset(&f->joined, KEEP);
        rc = buf_add(&f->joined, str_n(p + f->data_at, f->data_n));
    }
    if (!rc)
        rc = buf_add(&f->joined, STR("\n"));
    if (!rc)
        rc = buf_add(&f->joined, str_n(p + at, n));
    return rc;
}

/* A line that is neither blank nor a comment: [at, end). */
static int field(struct framing *f, const char *p, size_t at, size_t end)
{
    size_t colon = find(p, at, end, ':');
    size_t value = colon < end ? colon + 1 : end;
    pbay_str name = {p + at, colon - at};

    if (value < end && p[value] == ' ')
        value++;
    f->in_block = true;
    if (str_eq(name, STR("data")))
        return add_data(f, p, value, end - value);
    if (str_eq(name, STR("event"))) {
        f->name_at = value;
        f->name_n = end - value;
    }
    return 0;
}

/* The line [f->line, end) is complete and ends before `next`.  1: it was the
 * blank line that completes a record; 0: go on. */
static int sse_line(struct framing *f, const char *p, size_t end, size_t next)
{
    size_t at = f->line;
    int rc = 0;

    if (!f->begun && end - at >= 3 && memcmp(p + at, "\xef\xbb\xbf", 3) == 0)
        at += 3;
    f->begun = true;
    if (at == end) {
        if (f->data_lines || f->name_n)
            rc = 1;
        else
            f->in_block = false;
    } else if (p[at] != ':') {
        rc = field(f, p, at, end);
    }
    f->line = f->scanned = next;
    if (!rc && !f->in_block)
        f->idle = next;
    return rc;
}

/* Would the line that ends at `end` complete a record? */
static bool completes(const struct framing *f, size_t end)
{
    return end == f->line && (f->data_lines || f->name_n);
}

/* Scan the raw bytes p[0..n) of the current record from where the last scan
 * stopped.  1: complete, f->line is where it ends; 0: more is needed.
 *
 * A CR at the very end may be half of a CRLF.  A line is not held up by that,
 * since a LF that follows is skipped; but a record ends there at once only if
 * the line before ended with a CR alone, so that records are cut at the same
 * places however the bytes arrive. */
static int sse_scan(struct framing *f, struct ends *e)
{
    const char *p = e->p;
    size_t n = e->n;

    for (;;) {
        size_t end, next;
        bool cr;
        int rc;

        if (f->after_cr && f->line < n) {
            f->after_cr = false;
            f->cr_lines = p[f->line] != '\n';
            if (!f->cr_lines) {
                /* with nothing of an event before it, it belongs to what is
                 * in front */
                if (f->idle == f->line)
                    f->idle++;
                f->line++;
            }
            if (f->scanned < f->line)
                f->scanned = f->line;
        }
        end = ends_next(e, f->scanned);
        if (end == n) {
            f->scanned = n;
            return 0;
        }
        cr = p[end] == '\r';
        next = end + 1;
        if (cr && completes(f, end) && !f->cr_lines) {
            if (next == n) {
                f->scanned = end;
                return 0;
            }
            cr = p[next] != '\n';
            next += !cr;
        }
        rc = sse_line(f, p, end, next);
        f->after_cr = cr;
        f->cr_lines = false;
        if (rc)
            return rc;
    }
}

/* --- NDJSON --- */

static int line_scan(struct framing *f, struct ends *e)
{
    for (;;) {
        size_t end = ends_next(e, f->scanned);
        size_t stop = end;

        f->scanned = end;
        if (end == e->n)
            return 0;
        if (stop > f->line && e->p[stop - 1] == '\r')
            stop--;
        f->data_at = f->line;
        f->data_n = stop - f->line;
        f->line = f->scanned = end + 1;
        if (f->data_n)
            return 1;
        f->idle = f->line;
    }
}

/* --- both --- */

static int scan(struct framing *f, struct ends *e)
{
    int rc = f->kind == PBAY_FRAME_SSE ? sse_scan(f, e) : line_scan(f, e);

    if (rc >= 0 && f->line > f->max)
        return -EMSGSIZE;
    return rc;
}

/* Hand over the record that ends at f->line. */
static int give(struct framing *f, const char *p, framing_record *fn, void *arg)
{
    pbay_str raw = {p, f->line};
    pbay_str name = {p + f->name_at, f->name_n};
    pbay_str data = {p + f->data_at, f->data_n};
    bool many = f->data_lines > 1;
    int rc;

    if (many)
        data = buf_str(&f->joined);
    next_record(f);
    rc = fn(arg, f->kind == PBAY_FRAME_SSE ? name : STR(""), data, raw);
    if (many)
        buf_reset(&f->joined, KEEP);
    return rc;
}

/* With part of a record held: add lines to it until it is complete or `bytes`
 * is used up.  Nothing is held any more when it was given. */
static int feed_held(struct framing *f, pbay_str bytes, size_t *at,
                     framing_record *fn, void *arg)
{
    struct ends in;

    ends_init(&in, bytes, *at, f->kind == PBAY_FRAME_SSE);
    while (*at < bytes.n) {
        size_t end = ends_next(&in, *at);
        size_t n = (end < bytes.n ? end + 1 : end) - *at;
        struct ends e;
        pbay_str held;
        int rc = buf_add(&f->held, str_n(bytes.p + *at, n));

        if (rc)
            return rc;
        *at += n;
        held = buf_str(&f->held);
        ends_init(&e, held, f->scanned, f->kind == PBAY_FRAME_SSE);
        rc = scan(f, &e);
        if (rc < 0)
            return rc;
        if (rc) {
            /* the scan may have stopped short of the last byte: what follows
             * a CR that turned out to be alone */
            *at -= held.n - f->line;
            rc = give(f, held.p, fn, arg);
            buf_reset(&f->held, KEEP);
            return rc;
        }
    }
    return 0;
}

/* Records that lie in bytes[*at..) as a whole; then hold what is left. */
static int feed_direct(struct framing *f, pbay_str bytes, size_t *at,
                       framing_record *fn, void *arg)
{
    struct ends e;

    ends_init(&e, str_n(bytes.p + *at, bytes.n - *at), f->scanned,
              f->kind == PBAY_FRAME_SSE);
    while (e.n) {
        size_t n;
        int rc = scan(f, &e);

        if (rc < 0)
            return rc;
        if (!rc) {
            rc = buf_add(&f->held, str_n(e.p, e.n));
            if (!rc)
                *at = bytes.n;
            return rc;
        }
        n = f->line;
        rc = give(f, e.p, fn, arg);
        *at += n;
        if (rc)
            return rc;
        ends_shift(&e, n);
    }
    return 0;
}

int framing_feed(struct framing *f, pbay_str bytes, framing_record *fn,
                 void *arg, size_t *used)
{
    size_t at = 0;
    int rc = 0;

    if (!bytes.n) {
        /* nothing to look at */
    } else if (f->kind == PBAY_FRAME_RAW) {
        at = bytes.n;
        rc = fn(arg, STR(""), bytes, bytes);
    } else if (f->kind == PBAY_FRAME_WHOLE) {
        rc = buf_add(&f->held, bytes);
        at = rc ? 0 : bytes.n;
    } else {
        if (f->held.n)
            rc = feed_held(f, bytes, &at, fn, arg);
        if (!rc && !f->held.n)
            rc = feed_direct(f, bytes, &at, fn, arg);
    }
    if (used)
        *used = at;
    return rc;
}

/* What is left of an SSE body when it ends. */
static int end_sse(struct framing *f, framing_record *fn, void *arg)
{
    pbay_str held = buf_str(&f->held);
    int rc;

    /* A blank line whose CR was the last byte: no LF will come any more. */
    if (f->line + 1 == held.n && held.p[f->line] == '\r' &&
        completes(f, f->line)) {
        f->line++;
        rc = give(f, held.p, fn, arg);
        buf_reset(&f->held, 0);
        return rc;
    }
    if (f->in_block)
        return 1;
    return f->line < held.n && held.p[f->line] != ':';
}

static int end_line(struct framing *f, framing_record *fn, void *arg)
{
    pbay_str held = buf_str(&f->held);
    size_t stop = held.n;
    int rc;

    if (stop > f->line && held.p[stop - 1] == '\r')
        stop--;
    if (stop == f->line)
        return 0;
    f->data_at = f->line;
    f->data_n = stop - f->line;
    f->line = held.n;
    rc = give(f, held.p, fn, arg);
    buf_reset(&f->held, 0);
    return rc;
}

int framing_end(struct framing *f, framing_record *fn, void *arg)
{
    int rc;

    switch (f->kind) {
    case PBAY_FRAME_WHOLE:
        rc = fn(arg, STR(""), buf_str(&f->held), buf_str(&f->held));
        buf_reset(&f->held, 0);
        return rc;
    case PBAY_FRAME_NDJSON:
        return end_line(f, fn, arg);
    case PBAY_FRAME_SSE:
        return end_sse(f, fn, arg);
    default:
        return 0;
    }
}

pbay_str framing_take_idle(struct framing *f)
{
    size_t n = f->idle;

    if (!n || f->in_block || f->kind == PBAY_FRAME_RAW ||
        f->kind == PBAY_FRAME_WHOLE)
        return STR_NONE;
    /* `joined` is free between events; it carries the copy out, since adding
     * to `held` may move it. */
    buf_reset(&f->joined, KEEP);
    if (buf_add(&f->joined, str_n(buf_str(&f->held).p, n)))
        return STR_NONE;
    buf_consume(&f->held, n);
    f->idle = 0;
    f->line -= n;
    f->scanned -= n;
    return buf_str(&f->joined);
}
