/* SPDX-License-Identifier: MIT */
/* Copying an event that a native provider emits. */
#include "module/native_event.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

/* The strings of an event and what it points to. */
#define STRINGS 10

static size_t strings_of(struct native_event *e, pbay_str **out)
{
    size_t n = 0;
    out[n++] = &e->ev.id;
    out[n++] = &e->ev.name;
    out[n++] = &e->ev.text;
    out[n++] = &e->ev.json;
    if (e->ev.usage)
        out[n++] = &e->usage.units;
    if (e->ev.error) {
        out[n++] = &e->error.code;
        out[n++] = &e->error.type;
        out[n++] = &e->error.param;
        out[n++] = &e->error.message;
        out[n++] = &e->error.request_id;
    }
    return n;
}

pbay_rc native_event_copy(const pbay_event *ev, struct native_event **out)
{
    struct native_event head = {0};
    pbay_str *s[STRINGS];
    if (ev->size < sizeof head.ev ||
        (ev->usage && ev->usage->size < sizeof head.usage) ||
        (ev->error && ev->error->size < sizeof head.error))
        return PBAY_FAIL;
    head.ev = *ev;
    if (ev->usage)
        head.usage = *ev->usage;
    if (ev->error)
        head.error = *ev->error;
    size_t n = strings_of(&head, s), total = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i]->n > LIM_REPLY - total)
            return PBAY_NOMEM;
        total += s[i]->n;
    }
    struct native_event *e = malloc(sizeof *e + total);
    if (!e)
        return PBAY_NOMEM;
    *e = head;
    e->bytes = sizeof *e + total;
    e->ev.size = sizeof e->ev;
    e->ev.usage = ev->usage ? &e->usage : NULL;
    e->ev.error = ev->error ? &e->error : NULL;
    char *to = e->data;
    n = strings_of(e, s);
    for (size_t i = 0; i < n; i++) {
        if (s[i]->n)
            memcpy(to, s[i]->p, s[i]->n);
        s[i]->p = to;
        to += s[i]->n;
    }
    *out = e;
    return PBAY_OK;
}
