/* SPDX-License-Identifier: MIT */
/* A batch: requests from a file of JSON lines, results into another, which is
 * the journal as well.
 *
 * Results are appended, each with one write; a line that a crash has torn is
 * cut off at the next start, and what has a whole line is not asked again. What
 * was under way at a crash has none: whether its provider answered cannot be
 * known, and it is asked again.  Main thread. */
#ifndef PB_BATCH_H
#define PB_BATCH_H

#include "cli/cli.h"

/* A line of the input. */
struct batch_item {
    int64_t at; /* offset and length in the file */
    size_t n;
    int line;
    char *id;     /* custom_id */
    char sha[17]; /* the beginning of the line's SHA-256, in hex */
    bool done;    /* it has a result */
    bool failed;  /* which is an error */
};

struct batch_sums {
    uint64_t input, output; /* tokens */
    int64_t nano;           /* of `currency` */
    char currency[8];
    size_t unpriced; /* answers of which nobody says what they cost */
};

struct batch {
    const char *in_path, *out_path;
    int in, out; /* descriptors */
    struct batch_item *items;
    size_t n, done, failed, before; /* before: done by an earlier run */
    struct batch_item **by_id;      /* sorted */
    struct batch_sums sums;
    bool retry_failed; /* ask again what has failed in an earlier run */
    bool sync;         /* every result is synced, not one a second */
    int64_t synced_us;
    bool unsynced;
};

/* --- batch_file.c --- */
/* Reads and checks all of the input, then what the output has.  0, or the exit
 * status (told). */
int batch_open(struct cli *cli, struct batch *b);
void batch_close(struct batch *b);
/* A line of the input as a request: {"n":..,"method","path","body"} for the
 * control protocol's verb "request".  NULL: told. */
struct json_object *batch_request(struct cli *cli, const struct batch *b,
                                  const struct batch_item *it, int64_t n);
/* Append a result (no line feed in it); 0, or the exit status (told). */
int batch_append(struct cli *cli, struct batch *b, struct batch_item *it,
                 pbay_str line);
/* What a result says of tokens and cost. */
void batch_count(struct batch_sums *s, struct json_object *result);

/* --- batch_run.c --- */
struct batch_options {
    int64_t at_once;
    int64_t retries; /* of what may work later */
};
/* Asks what has no result yet; 0, or the exit status (told). */
int batch_run(struct cli *cli, struct batch *b, const struct batch_options *o);

#endif
