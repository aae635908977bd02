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
    bool has_input;
    uint64_t input;
};

/* Tokens of the prompt, estimated. */
uint64_t want_input(struct want *w);
/* Tokens of an answer to expect: WANT_OUTPUT, or the client's own limit where
 * that is lower; none where the operation gives none. */
uint64_t want_output(const struct want *w);
/* The most tokens of an answer that a body allows; 0: it does not say. */
uint64_t want_most(const pbay_kv *members, size_t n);

#endif
