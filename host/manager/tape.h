/* SPDX-License-Identifier: MIT */
/* What a sink was told, kept to be told again: an append-only list of copies.
 * Nothing in it changes once it is appended, so that readers need the lock of
 * whoever owns the tape only to follow `next`. */
#ifndef PB_TAPE_H
#define PB_TAPE_H

#include "manager/call.h"

enum tape_kind {
    TAPE_BEGIN,
    TAPE_BYTES,
    TAPE_EVENT,
    TAPE_END
};

struct tape_begin {
    struct call_head head;
    struct call_report report;
};

struct tape_end {
    const struct err *err; /* NULL: it is complete */
    struct call_report report;
};

struct tape_item {
    struct tape_item *next;
    enum tape_kind kind;
    uint64_t serial; /* 1.. */
    size_t size;     /* bytes it costs */
    struct arena arena;
    union {
        struct tape_begin *begin; /* in the arena */
        pbay_str bytes;           /* text behind the item; so the event's */
        pbay_event event;
        struct tape_end *end; /* in the arena */
    };
    /* Of BYTES and EVENT: their text, beyond the member of the union, so that
     * one of the thousands that a stream is made of costs what it has to. */
};

/* Copies; NULL without memory. */
struct tape_item *tape_begin(const struct call_head *h,
                             const struct call_report *r);
struct tape_item *tape_bytes(pbay_str raw);
struct tape_item *tape_event(const pbay_event *ev);
struct tape_item *tape_end(const struct err *e, const struct call_report *r);
/* An end that can be made a failure later, without memory: *err is its own. */
struct tape_item *tape_spare(struct err **err);
void tape_item_free(struct tape_item *it);
/* Tell it to a sink, with the request id of the one who listens.  `id` must
 * stay for the callback. */
void tape_tell(const struct tape_item *it, const struct call_sink *sink,
               void *arg, pbay_str id, int64_t waited_ms);

#endif
