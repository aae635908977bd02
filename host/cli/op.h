/* SPDX-License-Identifier: MIT */
/* What the commands for single operations share: asking, gathering items,
 * choosing providers.  Main thread. */
#ifndef PB_CLI_OP_H
#define PB_CLI_OP_H

#include "cli/cli.h"

/* A request of the verb "op", and what came of it. */
struct op_ask {
    const char *op;           /* "pull" */
    const char *provider;     /* NULL: the model's name decides */
    struct json_object *body; /* borrowed; NULL: {} */
    /* Each item as it comes; NULL: they are gathered in `items`.  0, or an exit
     * status that ends the request. */
    int (*item)(struct cli *cli, void *arg, struct json_object *item);
    void *arg;
    struct json_object *items;  /* array */
    struct json_object *report; /* object or NULL */
    struct client_error error;  /* when quiet and it failed */
    bool quiet;                 /* a failure is kept, not told */
};
/* On the open connection.  0, or the exit status. */
int op_run(struct cli *cli, struct op_ask *o);
void op_done(struct op_ask *o);

/* The names of the providers that are ready and have this operation (only
 * `provider` if it is not NULL), as an array of strings in *names.  None is a
 * failure that is told. */
int op_providers(struct cli *cli, const char *op, const char *provider,
                 struct json_object **names);
/* {"model": NAME} */
struct json_object *op_model_body(struct cli *cli, const char *model);
/* Operands, or else standard input. */
char *op_text(struct cli *cli, int argc, char **argv, int *status);
/* A size as people write it: "1.5 GB". */
const char *op_size(int64_t bytes, char dst[32]);

#endif
