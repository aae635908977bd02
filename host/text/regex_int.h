/* SPDX-License-Identifier: MIT */
/* The inside of a regular expression, for regex.c and regex_match.c only. */
#ifndef PB_TEXT_REGEX_INT_H
#define PB_TEXT_REGEX_INT_H

#include "text/regex.h"

#define CLASS_RANGES 256
#define CLASSES      512

enum rx_op {
    RX_CHAR,  /* x */
    RX_CLASS, /* classes[x] */
    RX_START,
    RX_END,
    RX_EDGE, /* of a word */
    RX_NO_EDGE,
    RX_JUMP,  /* to x */
    RX_SPLIT, /* both x and y */
    RX_MATCH
};

struct rx_step {
    enum rx_op op;
    uint32_t x, y;
};

struct range {
    uint32_t from, to;
};

struct rx_class {
    struct range *ranges;
    size_t n;
    bool not ;
};

/* Steps reached at one character: a list, and each one's place in it. */
struct rx_list {
    uint32_t *steps, *place;
    size_t n;
};

struct regex {
    struct rx_step *code;
    size_t n;
    struct rx_class **classes;
    size_t n_classes;
    struct rx_list now, next;
    uint32_t *todo;
};

/* --- regex_match.c --- */
/* Copies of code and classes, and room to run, in the arena.  0, or -1. */
int regex_keep(struct regex *r, struct arena *a);

#endif
