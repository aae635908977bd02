/* SPDX-License-Identifier: MIT */
/* The models in a directory: GGUF files, and folders of them, under the names
 * that llama-server as a router (--models-dir) gives them. */
#ifndef PBAY_LLAMACPP_FILES_H
#define PBAY_LLAMACPP_FILES_H

#include "gguf.h"

/* Entries of a directory that are looked at. */
#define FILES_MAX 4096

struct model_file {
    const char *id;        /* what to ask for */
    const char *file;      /* below the directory */
    const char *projector; /* the same for a mmproj file; NULL: none */
    unsigned shards;
    uint64_t bytes;  /* of all its shards */
    int64_t changed; /* seconds since 1970 */
    struct gguf gguf;
};

/* All borrowed for the call; model() returns nonzero to stop. */
struct files_sink {
    int (*model)(void *arg, const struct model_file *m);
    void (*bad)(void *arg, const char *file, const char *why);
    void *arg;
};

/* In the order of their names.  0; or -1 and a sentence in err. */
int files_scan(const char *dir, const struct files_sink *to, char *err,
               size_t room);

/* The one of that id, as files_scan() would list it; none: neither model() nor
 * bad() is called.  0; or -1 and a sentence in err. */
int files_find(const char *dir, const char *id, const struct files_sink *to,
               char *err, size_t room);

#endif
