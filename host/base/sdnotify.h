/* SPDX-License-Identifier: MIT */
/* Telling the service manager how we are: the datagram protocol of
 * sd_notify(3), without libsystemd.  [any thread] */
#ifndef PB_SDNOTIFY_H
#define PB_SDNOTIFY_H

#include <stdint.h>

/* Send "READY=1", "STATUS=...", lines separated by \n, to $NOTIFY_SOCKET (a
 * path, or an abstract name behind '@').  Nothing happens when it is not set;
 * a failure is a log line at debug, since nothing can be done about it.  Never
 * waits for the receiver. */
void sd_notify_send(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* How often, in milliseconds, "WATCHDOG=1" is expected (WATCHDOG_USEC), 0: not
 * at all, or not of this process (WATCHDOG_PID). */
int64_t sd_watchdog_ms(void);

#endif
