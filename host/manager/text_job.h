/* SPDX-License-Identifier: MIT */
/* A summary or a translation of a text of any length, by chats: cut into pieces
 * that fit the model's window, asked for piece by piece, put together.
 *
 * The window is the smallest that is known of the targets, or `text.window` of
 * the configuration.  A translation's pieces come out in their order, with the
 * white space between them as it was; a summary of several pieces is one of
 * their summaries, in as many rounds as it takes.  One loop's thread. */
#ifndef PB_TEXT_JOB_H
#define PB_TEXT_JOB_H

#include "manager/chats.h"
#include "text/task.h"

struct text_job;

/* How far it is. */
struct text_state {
    size_t first;        /* pieces of the first round */
    size_t pieces, done; /* of this round */
    unsigned rounds;
    size_t calls;    /* chats that have ended well, all rounds */
    pbay_str output; /* what there is of the result */
};

struct text_sink {
    /* A piece of the result, in order.  May be NULL. */
    void (*text)(void *arg, pbay_str piece);
    /* A chat has ended well.  May be NULL. */
    void (*progress)(void *arg);
    /* Last callback. */
    void (*end)(void *arg, const struct err *e);
};

/* The task's views must stay until the job is freed; `base` as chats_start()
 * has it, its model and stream aside.  NULL and *e: nothing was started. */
struct text_job *text_job_start(struct manager *m,
                                const struct call_request *base,
                                const struct text_task *task,
                                const struct text_sink *sink, void *arg,
                                struct err *e);
/* May be NULL; from any callback, too. */
void text_job_free(struct text_job *j);
void text_job_pause(struct text_job *j, bool on);
/* As chats_report(), over all rounds; NULL: nothing has been answered. */
const struct call_report *text_job_report(struct text_job *j);
void text_job_state(const struct text_job *j, struct text_state *out);

#endif
