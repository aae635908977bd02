/* SPDX-License-Identifier: MIT */
/* Starting threads. */
#include "config.h"

#include <signal.h>
#include <stdio.h>

#include "base/thread.h"

int thread_start(pthread_t *t, const char *name, void *(*run)(void *arg),
                 void *arg)
{
    /* A blocked fault ends the process without its handler. */
    static const int faults[] = {SIGSEGV, SIGBUS,  SIGFPE, SIGILL,
                                 SIGSYS,  SIGTRAP, SIGABRT};
    char label[16]; /* the kernel's limit */
    sigset_t block, before;
    int rc;

    sigfillset(&block);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        sigdelset(&block, faults[i]);
    /* The new thread inherits the mask: there is no moment without it. */
    rc = pthread_sigmask(SIG_SETMASK, &block, &before);
    if (rc)
        return -rc;
    rc = pthread_create(t, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc)
        return -rc;
    snprintf(label, sizeof(label), "%s", name);
    pthread_setname_np(*t, label); /* no harm when it fails */
    return 0;
}
