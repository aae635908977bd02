/* SPDX-License-Identifier: MIT */
/* A copy of an event that outlives the plugin's emit(): one block of memory
 * with everything the event points to.  Belongs to whoever copied it. */
#ifndef PB_NATIVE_EVENT_H
#define PB_NATIVE_EVENT_H

#include <patchbay/event.h>

struct native_event {
    struct native_event *next;
    size_t bytes; /* of the block */
    pbay_event ev;
    pbay_usage usage;
    pbay_error error;
    char data[];
};

/* PBAY_OK and *out (from malloc), PBAY_NOMEM, or PBAY_FAIL when one of the
 * structs is smaller than this ABI has it. */
pbay_rc native_event_copy(const pbay_event *ev, struct native_event **out);

#endif
