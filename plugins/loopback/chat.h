/* SPDX-License-Identifier: MIT */
/* Between the files of loopback's chat: planned in answer.c, sent in send.c,
 * both told by chat.c. */
#ifndef LB_CHAT_H
#define LB_CHAT_H

#include "lb.h"

/* One of the n answers. */
struct choice {
    pbay_str text;
    size_t at;
    uint32_t stop;     /* PBAY_STOP_* when all of text is sent */
    pbay_str stop_seq; /* that ended it */
    bool done;
};

struct chat {
    struct lb_run *r;
    struct lb_prompt p;
    struct lb_call tool;
    struct choice choices[LB_MAX_CHOICES];
    uint32_t n;
    int64_t max_tokens; /* for each choice; -1: no bound */
    bool refuse, whole, logprobs;
    int64_t top_logprobs;
};

/* What each choice says.  PBAY_FAIL after an ERROR event. */
pbay_rc chat_plan(struct chat *c);
/* Exactly n tokens of a text: cut, or said again and again; {NULL,0} without
 * memory. */
pbay_str chat_fit(struct lb_run *r, pbay_str text, int64_t n);

pbay_rc chat_send_begin(struct chat *c);
pbay_rc chat_send_reasoning(struct chat *c);
pbay_rc chat_send_text(struct chat *c);
pbay_rc chat_send_calls(struct chat *c);

#endif
