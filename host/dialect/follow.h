/* SPDX-License-Identifier: MIT */
/* Reading along in a stream whose bytes are passed on: just so much that it
 * could be gone on with as events. */
#ifndef PB_DIALECT_FOLLOW_H
#define PB_DIALECT_FOLLOW_H

#include <stdbool.h>
#include <stdint.h>

#include <patchbay/types.h>

/* follow.c: the data of the next line of *raw (whole events) that has any, and
 * *raw behind it; empty: there is none. */
pbay_str follow_data(pbay_str *raw);

/* openai_follow.c: of a chat in OpenAI's form. */
struct oa_place {
    bool begun;      /* a piece of the answer, so the role, has been passed */
    int64_t created; /* 0: not said yet */
    bool ended;      /* why it stopped has been passed */
    unsigned looked; /* at so many pieces */
};
void oa_follow(struct oa_place *at, pbay_str raw);

/* anthropic_follow.c: of Anthropic's messages. */
enum an_open {
    AN_NONE,
    AN_TEXT,
    AN_THINKING,
    AN_OTHER
};
struct an_place {
    bool begun;        /* message_start has been passed */
    unsigned blocks;   /* how many have been begun */
    enum an_open open; /* the last of them */
    bool lost;         /* that cannot be said */
};
void an_follow(struct an_place *at, pbay_str raw);

#endif
