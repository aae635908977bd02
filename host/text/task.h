/* SPDX-License-Identifier: MIT */
/* What a client asks of a text, a summary or a translation, and the chats that
 * such a thing comes to: reading the request, writing the prompts. */
#ifndef PB_TEXT_TASK_H
#define PB_TEXT_TASK_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

enum text_kind {
    TEXT_SUMMARY,
    TEXT_TRANSLATION
};

/* Views into the request's arena. */
struct text_task {
    enum text_kind kind;
    pbay_str model, text;
    pbay_str to, from;     /* languages, as the client names them */
    pbay_str format;       /* one of the words of text_formats() */
    pbay_str instructions; /* the client's own, may be empty */
    unsigned words;        /* of a summary, about */
    uint64_t chunk_tokens; /* 0: by the model's window */
    bool stream;
};

/* A chat's place in the whole. */
enum text_step {
    TEXT_WHOLE, /* all of the text */
    TEXT_PART,  /* a part of it */
    TEXT_JOIN   /* the summaries of the parts */
};

/* From the members of a JSON object.  0, or -1 and *e, which names the
 * parameter.  `raw` text is copied into the arena. */
int text_task_read(enum text_kind kind, const pbay_kv *members, size_t n,
                   struct arena *a, struct text_task *t, struct err *e);
/* The canonical chat about a piece of the text.  0, or below. */
int text_task_chat(const struct text_task *t, enum text_step step,
                   pbay_str piece, struct buf *out);
/* Tokens that a chat has beside the piece. */
uint64_t text_task_overhead(const struct text_task *t);

/* What it is called: "summary", "translation". */
const char *text_kind_name(enum text_kind kind);

#endif
