/* SPDX-License-Identifier: MIT */
/* What a request is like, as far as routes go by it.  Each figure is worked out
 * when it is asked for, once: most requests have one target, and need none. */
#ifndef PB_WANT_H
#define PB_WANT_H

#include <stdbool.h>
#include <stdint.h>

#include <patchbay/types.h>

#define WANT_OUTPUT 500 /* tokens of an answer, as far as anybody knows */

struct want {
    int op;         /* PBAY_OP_* */
    bool canonical; /* the body is in the canonical form */
    pbay_str body;
    const pbay_kv *members;
    size_t n_members;
    /* worked out */
    bool has_input, has_text, has_needs;
    uint64_t input, text;
    uint32_t needs;
    unsigned turns; /* messages; with needs */
};

/* What it takes to answer it, ABLE_*: by its operation, its tools, pictures,
 * schema, a wish for reasoning, and its length. */
uint32_t want_needs(struct want *w);
/* How hard it is, 0 to 100: 1 for each hundred tokens of the prompt, 40 at
 * most; 20 for tools, 10 for a schema, 10 for a wish for reasoning; 2 for each
 * message after the first, 20 at most. */
unsigned want_complexity(struct want *w);

/* Tokens of the prompt, estimated. */
uint64_t want_input(struct want *w);
/* Tokens of a chat's texts alone, whatever its dialect: the least that its
 * prompt comes to; 0 where they are not found. */
uint64_t want_text(struct want *w);
/* Tokens of an answer to expect: WANT_OUTPUT, or the client's own limit where
 * that is lower; none where the operation gives none. */
uint64_t want_output(const struct want *w);
/* The most tokens of an answer that a body allows; 0: it does not say. */
uint64_t want_most(const pbay_kv *members, size_t n);

#endif
