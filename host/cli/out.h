/* SPDX-License-Identifier: MIT */
/* Where the command line writes: standard output and standard error.
 *
 * Bytes are gathered in a small buffer and go out with out_flush(), at the
 * latest when the buffer is full, straight to the descriptor: a stream is seen
 * as it comes.  Text of others passes through plain.h when the descriptor is a
 * terminal.  A failed write is remembered (`error`) and later output dropped,
 * so that callers need to look only where they could stop working.  One thread.
 */
#ifndef PB_OUT_H
#define PB_OUT_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/plain.h"

struct out {
    int fd;
    bool tty;
    bool mid_line; /* the last byte written was not a line feed */
    int error;     /* errno of the first write that failed; 0: none */
    struct buf b;
    struct plain plain;
};

void out_init(struct out *o, int fd);
void out_done(struct out *o);

/* Our own words. */
void out_raw(struct out *o, pbay_str s);
void out_c(struct out *o, const char *s);
void out_f(struct out *o, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Somebody else's, a whole text: made harmless on a terminal. */
void out_text(struct out *o, pbay_str s);
void out_textc(struct out *o, const char *s);
/* A piece of somebody else's text; out_text_end() behind the last one. */
void out_piece(struct out *o, pbay_str s);
void out_text_end(struct out *o);
/* End the line if something stands on it. */
void out_fresh_line(struct out *o);
/* 0, or the errno of the first failed write. */
int out_flush(struct out *o);

/* Columns of text, aligned when they are printed; a cell is somebody else's
 * text.  The last column is not padded. */
#define OUT_COLUMNS 10
struct out_table {
    char **cells;
    size_t n, room; /* cells */
    size_t widths[OUT_COLUMNS];
    unsigned columns;
    bool failed; /* no memory */
};
void out_table_init(struct out_table *t, unsigned columns);
/* One cell after the other, row by row; NULL counts as "". */
void out_cell(struct out_table *t, const char *text);
/* Print a row, from 0; empty cells at its end leave no blanks. */
void out_table_row(struct out *o, const struct out_table *t, size_t row);
void out_table_done(struct out *o, struct out_table *t);
/* All rows, then done. */
void out_table_print(struct out *o, struct out_table *t);

#endif
