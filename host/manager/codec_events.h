/* SPDX-License-Identifier: MIT */
/* Inside the codec driver: a codec's events written down and held against the
 * rules of patchbay/event.h.  One for each call. */
#ifndef PB_CODEC_EVENTS_H
#define PB_CODEC_EVENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include <patchbay/event.h>

/* Text that may still grow: the last line of its choice. */
struct events_open {
    uint32_t type, choice, index;
    struct buf text, head; /* head: the line without its end */
};

struct events {
    uint32_t op;
    char **lines;
    size_t n, room;
    struct events_open open;
    unsigned count; /* events emitted */
    unsigned stops;
    uint8_t stopped[128]; /* bits of choices below 1024 */
    struct {
        uint32_t choice, index;
    } * called; /* tool calls begun */
    size_t n_called;
    bool begun, failed; /* BEGIN, ERROR seen */
    bool oom;
};

void events_init(struct events *e, uint32_t op);
void events_done(struct events *e);
void events_add(struct events *e, const pbay_event *ev);
/* A line of the driver's own: JSON text. */
void events_line(struct events *e, pbay_str json);
void events_violation(struct events *e, const char *what);
/* Write out what is still open. */
void events_flush(struct events *e);

#endif
