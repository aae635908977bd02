/* SPDX-License-Identifier: MIT */
/* How many tokens a text comes to, without any model's tokenizer: the one
 * estimator of this host, for limits, prices and windows.
 *
 * It counts what byte-pair tokenizers cut a text into before they merge (words,
 * numbers, runs of signs and of white space) and what such a piece costs on
 * average, by kind and length.  Words of languages that write beyond ASCII's
 * letters are dearer; how many there are of them decides between two tables.
 * Against o200k the error stays within 15 % over English, German, Chinese and
 * source code (tests/e2e/tokens.py has the texts and the figures); other
 * tokenizers differ from that one by about as much.
 *
 * Text may come in pieces, cut anywhere.  No allocation, no failure; what is
 * not UTF-8 counts by bytes.  [any thread] */
#ifndef PB_TOKENS_H
#define PB_TOKENS_H

#include <stdbool.h>
#include <stdint.h>

#include <patchbay/types.h>

struct tokens {
    uint64_t fixed;       /* thousandths of a token: all but plain words */
    uint64_t plain, rich; /* the words of ASCII letters by both tables */
    uint64_t words, wide; /* words; those with letters beyond ASCII */
    /* the piece under way */
    int kind;
    unsigned length;
    bool upper, ascii, newline;
    unsigned char partial[4]; /* of a character */
    unsigned n_partial;
};

void tokens_init(struct tokens *t);
void tokens_add(struct tokens *t, pbay_str text);
uint64_t tokens_sum(const struct tokens *t);
/* Of one whole text. */
uint64_t tokens_of(pbay_str text);

/* Of a canonical chat body (well-formed JSON): the texts of its messages with
 * what frames them, its tools and its schema, and TOKENS_IMAGE for each picture
 * that is not asked for in low detail, which is TOKENS_IMAGE_LOW.  A file or a
 * sound within the request counts one for TOKENS_FILE_BYTES bytes, which is no
 * more than an order of magnitude; one that is only named counts nothing. */
#define TOKENS_FILE_BYTES 8
#define TOKENS_IMAGE      765
#define TOKENS_IMAGE_LOW  85
#define TOKENS_MESSAGE    4
uint64_t tokens_of_chat(const pbay_kv *members, size_t n);
/* The same without files and sounds: no less than this, but for the estimate's
 * error.  Of a body in another form, what is found as in this one. */
uint64_t tokens_of_chat_text(const pbay_kv *members, size_t n);

#endif
