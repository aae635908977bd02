/* SPDX-License-Identifier: MIT */
/* What backend.c and the supervisor's thread share. */
#ifndef PB_BACKEND_RUN_H
#define PB_BACKEND_RUN_H

#include "module/backend_int.h"

struct backends {
    pthread_mutex_t lock;
    struct be_core core; /* under the lock */
    bool running;        /* likewise: there is a thread */
    pthread_t thread;
    int wake_fd;
};

/* 0 or -errno. */
int be_thread_start(struct backends *b);

#endif
