/* SPDX-License-Identifier: MIT */
/* `patchbay replay`: what its two forms share.  Main thread. */
#ifndef PB_REPLAY_H
#define PB_REPLAY_H

#include "cli/cli.h"
#include "manager/transcript.h"

struct replay_file {
    const char *path;
    struct transcript *t;
};
struct replay {
    struct replay_file *files;
    size_t n;
    size_t chunk;       /* bytes at a time; 0: as recorded */
    const char *type;   /* --type; NULL: as the transcripts say */
    const char *listen; /* --serve; NULL: through the codec */
};

/* Serve the recorded replies over HTTP until a signal comes. */
int replay_serve(struct cli *cli, const struct replay *r);

#endif
