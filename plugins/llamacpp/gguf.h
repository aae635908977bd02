/* SPDX-License-Identifier: MIT */
/* What the header of a GGUF file says about its model.  The reader believes
 * nothing: every length is held against what is left of the file, every count
 * against what could be in there, and only small things are copied.  No state;
 * any thread. */
#ifndef PBAY_LLAMACPP_GGUF_H
#define PBAY_LLAMACPP_GGUF_H

#include <stddef.h>
#include <stdint.h>

/* Longest names that are taken; longer ones are an error or cut, as said. */
#define GGUF_ARCH 64
#define GGUF_TEXT 256

struct gguf {
    uint32_t version;
    int big_endian;
    uint64_t tensors, pairs;
    char architecture[GGUF_ARCH]; /* of [a-z0-9._-] */
    char name[GGUF_TEXT];         /* cut after a whole character */
    char type[GGUF_TEXT];         /* "model", "adapter", "mmproj"; or empty */
    char size_label[GGUF_TEXT];   /* "8B"; or empty */
    uint64_t context;             /* 0: not said */
    int64_t file_type;            /* -1: not said */
    uint64_t split_count;         /* 0: not said */
    int pools;                    /* says how to pool: made for embeddings */
};

/* Where the bytes come from: fill buf with n bytes at `at`; 0, or -1. */
struct gguf_source {
    int (*read)(void *arg, uint64_t at, void *buf, size_t n);
    void *arg;
    uint64_t size;
};

/* 0 and *g; or -1 and a sentence in err (without the file's name). */
int gguf_read(const struct gguf_source *from, struct gguf *g, char *err,
              size_t room);

#endif
