/* SPDX-License-Identifier: MIT */
/* A conversation: its state, and what its loop and its commands share.  Main
 * thread. */
#ifndef PB_TALK_H
#define PB_TALK_H

#include "cli/chat.h"

struct editor;

struct talk {
    struct cli *cli;
    struct chat *chat;
    struct editor *editor;
    struct json_object *messages; /* ends with a question if that has had no
                                   * answer */
    struct json_object *images;   /* for the next question; NULL: none */
    char *model, *system;         /* NULL: none */
    char *saved;                  /* the file this conversation wrote */
    bool over;
};

/* Ask the question at the end of the messages. */
void talk_ask(struct talk *t);
/* Remove the last message if it is of that role. */
void talk_drop_last(struct talk *t, const char *role);
bool talk_last_is(const struct talk *t, const char *role);
/* A line of our own on the terminal. */
void talk_say(struct talk *t, const char *text);
/* A line that begins with a slash. */
void talk_command(struct talk *t, const char *line);

#endif
