/* SPDX-License-Identifier: MIT */
/* Starting a thread the way all of the host's threads are. */
#ifndef PB_THREAD_H
#define PB_THREAD_H

#include <pthread.h>

/* With every signal blocked but those a fault raises in the thread itself, so
 * that signals go to the main thread; `name` (cut to 15 bytes) is what ps and
 * gdb show.  0 or -errno. */
int thread_start(pthread_t *t, const char *name, void *(*run)(void *arg),
                 void *arg);

#endif
