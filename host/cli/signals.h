/* SPDX-License-Identifier: MIT */
/* Being interrupted: SIGINT, SIGTERM and SIGHUP set a flag that every wait of
 * the command line looks at, so that what it started is ended in order.  A
 * second one ends the process at once.  Main thread. */
#ifndef PB_SIGNALS_H
#define PB_SIGNALS_H

/* A pipe without reader gives EPIPE instead of a signal. */
void signals_no_pipe(void);
/* Install the handlers; system calls are interrupted, not restarted.  `serve`
 * does without: the host has handlers of its own. */
void signals_install(void);
/* The signal that came, 0: none. */
int signals_got(void);
/* Forget it: a conversation goes on after ctrl-C. */
void signals_clear(void);
/* Wait until fd can be read.  1: it can; 0: timeout_ms (-1: none) is over;
 * -EINTR: a signal has come, be it before this call; else -errno. */
int signals_wait_read(int fd, int timeout_ms);

#endif
