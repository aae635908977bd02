/* SPDX-License-Identifier: MIT */
/* The exit statuses of the program, as patchbay(1) documents them, and which
 * failure gives which. */
#ifndef PB_EXIT_H
#define PB_EXIT_H

enum {
    EXIT_OK = 0,
    EXIT_FAILED = 1,   /* it did not work, for a reason not listed below */
    EXIT_USAGE = 2,    /* the command line is wrong */
    EXIT_CONFIG = 3,   /* the configuration can't be used */
    EXIT_NO_HOST = 4,  /* no host is running where one is needed */
    EXIT_PROVIDER = 5, /* the provider failed or broke off */
    EXIT_DENIED = 6,   /* a key is missing, refused, or has no quota left */
    EXIT_REFUSED = 7,  /* the request can't be served as asked */
    EXIT_SIGNAL = 128, /* plus the signal: 130 ctrl-C, 143 SIGTERM */
    EXIT_PIPE = 141    /* the reader of our output has gone */
};

/* For an error of the control protocol, by its `kind`. */
int exit_for_kind(const char *kind);
/* What an operator does about such an error, where the provider's own words
 * cannot say it; NULL: nothing to add. */
const char *exit_mend(const char *kind);

#endif
