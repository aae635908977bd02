/* SPDX-License-Identifier: MIT */
/* The tool calls of an assistant's message that still want a result: Ollama's
 * clients often name the tool, or nothing, where others give the call's id. */
#ifndef PB_DIALECT_OLLAMA_CALLS_H
#define PB_DIALECT_OLLAMA_CALLS_H

#include <stdbool.h>
#include <stddef.h>

#define OL_CALLS_MAX 256

struct ol_call {
    char *id, *name;
    bool answered;
};

struct ol_calls {
    struct ol_call *v;
    size_t n;
};

/* None, memory freed. */
void ol_calls_forget(struct ol_calls *c);
/* false: there are too many, or there is no memory. */
bool ol_calls_add(struct ol_calls *c, const char *id, const char *name);
/* The id of the call that a result answers: the one of that id, else the first
 * open one of that name; without either the first open one.  NULL: none.  Stays
 * until ol_calls_forget(). */
const char *ol_calls_answer(struct ol_calls *c, const char *id,
                            const char *name);

#endif
