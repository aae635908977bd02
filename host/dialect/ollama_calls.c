/* SPDX-License-Identifier: MIT */
/* Which call a tool's result answers. */
#include "dialect/ollama_calls.h"

#include <stdlib.h>
#include <string.h>

void ol_calls_forget(struct ol_calls *c)
{
    for (size_t i = 0; i < c->n; i++) {
        free(c->v[i].id);
        free(c->v[i].name);
    }
    free(c->v);
    *c = (struct ol_calls){NULL, 0};
}

bool ol_calls_add(struct ol_calls *c, const char *id, const char *name)
{
    struct ol_call one = {strdup(id), strdup(name), false}, *v = NULL;

    if (one.id && one.name && c->n < OL_CALLS_MAX)
        v = realloc(c->v, (c->n + 1) * sizeof(*v));
    if (!v) {
        free(one.id);
        free(one.name);
        return false;
    }
    c->v = v;
    c->v[c->n++] = one;
    return true;
}

const char *ol_calls_answer(struct ol_calls *c, const char *id,
                            const char *name)
{
    struct ol_call *found = NULL;

    for (size_t i = 0; id && *id && i < c->n; i++)
        if (strcmp(c->v[i].id, id) == 0)
            return c->v[i].answered = true, c->v[i].id;
    if (id && *id)
        return NULL;
    for (size_t i = 0; !found && name && *name && i < c->n; i++)
        if (!c->v[i].answered && strcmp(c->v[i].name, name) == 0)
            found = &c->v[i];
    for (size_t i = 0; !found && (!name || !*name) && i < c->n; i++)
        if (!c->v[i].answered)
            found = &c->v[i];
    if (!found)
        return NULL;
    found->answered = true;
    return found->id;
}
