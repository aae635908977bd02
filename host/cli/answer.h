/* SPDX-License-Identifier: MIT */
/* One question to a model: send the chat, show the answer as it comes, keep it.
 * Main thread. */
#ifndef PB_ANSWER_H
#define PB_ANSWER_H

#include "cli/cli.h"

/* What is asked; everything is borrowed. */
struct question {
    const char *model;            /* NULL: the host chooses */
    const char *system;           /* NULL: none */
    struct json_object *messages; /* an array in canonical form */
    struct json_object *fields;   /* further request fields; NULL: none */
    bool stream;
};

struct answer_call {
    char *id, *name;      /* NULL: not said */
    struct buf arguments; /* JSON text */
};
struct answer {
    struct buf text, reasoning, refusal;
    struct answer_call *calls;
    size_t n_calls;
    struct json_object *warnings; /* array; NULL: none */
    char *model, *provider, *stop;
    struct json_object *report; /* of the control protocol; NULL: no end */
};
void answer_init(struct answer *a);
void answer_done(struct answer *a);

enum {
    ANSWER_SHOW = 1,   /* print the text */
    ANSWER_VERBOSE = 2 /* and on standard error reasoning, route and usage */
};
/* 0: complete.  -1: *e; what came until then is in *a and, if it was shown,
 * its line has been ended.  After a signal *e has no text. */
int answer_ask(struct cli *cli, const struct question *q, unsigned how,
               struct answer *a, struct client_error *e);
/* Route, tokens and times on standard error. */
void answer_report(struct cli *cli, const struct answer *a);
/* The whole as one object; error NULL: none. NULL without memory. */
struct json_object *answer_json(const struct answer *a,
                                const struct client_error *error);

#endif
