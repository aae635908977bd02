/* SPDX-License-Identifier: MIT */
/* A body without one of its members; see bare.h. */
#include "manager/bare.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static pbay_str put(char **at, pbay_str s)
{
    char *p = *at;

    memcpy(p, s.p, s.n);
    *at = p + s.n;
    return str_n(p, s.n);
}

char *bare_body(struct call_body *body, const char *without, struct arena *a)
{
    /* Nothing is longer than it was: {"a":1,"b":2} has no byte to spare. */
    char *text = malloc(body->text.n + 2), *at = text;
    pbay_kv *kept = arena_alloc(a, sizeof(*kept) * (body->n_members + 1));
    size_t n = 0;

    if (!text || !kept) {
        free(text);
        return NULL;
    }
    *at++ = '{';
    for (size_t i = 0; i < body->n_members; i++) {
        const pbay_kv *m = &body->members[i];
        if (str_is(m->k, without))
            continue;
        put(&at, n ? STR(",\"") : STR("\""));
        kept[n].k = put(&at, m->k);
        put(&at, STR("\":"));
        kept[n++].v = put(&at, m->v);
    }
    *at++ = '}';
    *body = (struct call_body){str_n(text, (size_t)(at - text)), kept, n};
    return text;
}
