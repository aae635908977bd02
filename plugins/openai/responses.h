/* SPDX-License-Identifier: MIT */
/* Inside openai.so: chats by OpenAI's Responses API.
 * Source: https://platform.openai.com/docs/api-reference/responses and
 * .../responses-streaming. */
#ifndef PBAY_OPENAI_RESPONSES_H
#define PBAY_OPENAI_RESPONSES_H

#include "../openai-wire/oai.h"

/* Key responses_api. */
enum {
    RS_PASS, /* for clients that ask in that form; chats go the usual way */
    RS_ALL,  /* for every chat */
    RS_NONE  /* the server has no such thing */
};

/* An instance; o is first, so that it is one of openai-wire, too. */
struct openai_own {
    struct openai o;
    pbay_str responses_path;
    pbay_str summary; /* reasoning_summary; "none": not asked for */
    int responses;    /* RS_* */
};

/* --- responses_body.c */
/* The hook `build`: chats that go this way; PBAY_NOSYS for all others. */
pbay_rc rs_build(struct openai *o, struct call *c, const pbay_request *req,
                 pbay_exchange *x);
/* Is it a chat in a dialect that this server, asked for this model, does not
 * take? */
int rs_declines(const struct openai_own *o, const pbay_request *req);

/* --- responses_feed.c */
/* The hook `record`. */
pbay_rc rs_record(struct openai *o, struct call *c, const pbay_record *rec,
                  pbay_str data);

#endif
