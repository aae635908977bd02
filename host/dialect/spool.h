/* SPDX-License-Identifier: MIT */
/* A body of unknown length on its way through: a little of it in memory, more
 * in a file that no name leads to.  One thread for each; the sum of all files
 * is counted for the whole process. */
#ifndef PB_SPOOL_H
#define PB_SPOOL_H

#include <stdbool.h>

#include "base/buf.h"

struct spool {
    struct buf memory; /* the beginning, until there is a file */
    int fd;            /* -1: none */
    size_t n, counted;
    size_t max, max_all; /* of this one, of all files together */
    const char *dir;     /* for the file; else the system's */
    void *map;
};

/* dir is copied by nobody: it stays. */
void spool_init(struct spool *s, const char *dir, size_t max, size_t max_all);
/* 0; -EMSGSIZE: larger than max; -EDQUOT: all files together are too large just
 * now; else what the file system says. */
int spool_add(struct spool *s, pbay_str bytes);
/* All of it; stays until spool_done().  0 or -errno. */
int spool_body(struct spool *s, pbay_str *body);
/* Give everything back; does nothing after itself. */
void spool_done(struct spool *s);
/* Bytes in all files of the process. [any] */
size_t spool_all(void);

#endif
