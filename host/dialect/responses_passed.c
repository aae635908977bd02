/* SPDX-License-Identifier: MIT */
/* The Responses API: a provider's own stream on its way through.  Should it
 * break off, the error that the host adds has to go on with the count of the
 * events. */
#include <string.h>

#include "base/arena.h"
#include "base/str.h"
#include "dialect/responses.h"

static const char name[] = "\"sequence_number\"";
#define NAME (sizeof(name) - 1)

/* Where in `name`, or behind it, the bytes are; what was counted. */
struct passed {
    size_t at;
    bool number;
    unsigned now, next;
};

/* The name, spaces, a colon, spaces and digits. */
static void look_at(struct passed *p, char c)
{
    bool space = c == ' ' || c == '\t';

    if (p->number && c >= '0' && c <= '9' && p->now < 100000000) {
        p->now = p->now * 10 + (unsigned)(c - '0');
        return;
    }
    if (p->number) {
        if (p->now >= p->next)
            p->next = p->now + 1;
        p->number = false;
        p->at = 0;
    }
    if (p->at == NAME + 1 && c >= '0' && c <= '9') {
        p->number = true;
        p->now = (unsigned)(c - '0');
    } else if (p->at == NAME && c == ':') {
        p->at++;
    } else if (p->at < NAME && c == name[p->at]) {
        p->at++;
    } else if (p->at < NAME || !space) {
        p->at = c == name[0];
    }
}

void rs_passed(struct dialog *x, pbay_str raw)
{
    if (!x->own)
        x->own = arena_alloc(&x->req->arena, sizeof(struct passed));
    for (size_t i = 0; x->own && i < raw.n; i++)
        look_at(x->own, raw.p[i]);
}

unsigned rs_next(const struct dialog *x)
{
    const struct passed *p = x->own;

    return p ? p->next : 0;
}
