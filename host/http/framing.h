/* SPDX-License-Identifier: MIT */
/* Cutting a response body into records: SSE events, NDJSON lines, the whole
 * body, or raw pieces.
 *
 * Zero-copy where a record lies inside one piece.  SSE: LF, CRLF and CR end
 * lines, comments and unknown fields are skipped, several data lines are joined
 * with \n, a byte order mark at the start is skipped; an event with neither
 * data nor a name is no record.
 * Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
#ifndef PB_HTTP_FRAMING_H
#define PB_HTTP_FRAMING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include <patchbay/codec.h>

/* Owned by whoever called framing_init(); one thread at a time.  The members
 * are framing.c's own; offsets count from the start of the current record's raw
 * bytes, wherever these lie. */
struct framing {
    int kind; /* PBAY_FRAME_* */
    size_t max;
    struct buf held;   /* raw bytes of the record that is not complete yet */
    struct buf joined; /* its data, when it has several data lines */
    size_t scanned;    /* no line end before this */
    size_t line;       /* start of the current line */
    size_t idle;       /* end of the keep-alives in front of the record */
    size_t data_at, data_n, name_at, name_n;
    unsigned data_lines;
    bool begun;      /* not the first line of the body */
    bool in_block;   /* a field of the current event was seen */
    bool after_cr;   /* the last line ended with CR; LF may follow */
    bool cr_lines;   /* it ended with CR alone */
};

/* event, data: as in pbay_record.  raw: the record's own bytes with everything
 * before it since the last record (comments, blank lines) and its end, so that
 * the raws joined are the body, byte for byte.  The function must not call
 * framing_*() on the same framing; to be done with it, it returns non-zero. */
typedef int framing_record(void *arg, pbay_str event, pbay_str data,
                           pbay_str raw);

/* max: bound on one record (or on the whole body). */
void framing_init(struct framing *f, int kind, size_t max);
void framing_done(struct framing *f);
/* Records complete in `bytes` (with what was held) go to fn; stops and returns
 * its result when that is not 0.  -EMSGSIZE: a record over the bound; -ENOMEM.
 * *used, if not NULL: how many of `bytes` belong to records already given or
 * are held, when fn stopped it (the rest was not looked at). */
int framing_feed(struct framing *f, pbay_str bytes, framing_record *fn,
                 void *arg, size_t *used);
/* The body has ended.  WHOLE gives its record; NDJSON gives a last line without
 * \n; SSE gives nothing for an event whose blank line never came (it is not
 * complete): returns 1 if such bytes were left, 0 if not, or fn's result.
 * Keep-alives behind the last record can still be taken. */
int framing_end(struct framing *f, framing_record *fn, void *arg);
/* Comments and blank lines that came since the last record (keep-alives),
 * taken out so that a pass-through can forward them without waiting; empty
 * unless a pause between events was reached.  Valid until the next call. */
pbay_str framing_take_idle(struct framing *f);

#endif
