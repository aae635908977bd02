/* SPDX-License-Identifier: MIT */
/* Where log lines go: a bounded queue and the thread that empties it.  Only
 * log.c uses this.  [any thread] */
#ifndef PB_LOG_WRITER_H
#define PB_LOG_WRITER_H

#include <patchbay/types.h>

/* One whole line with its newline, at most LIM_LOG_LINE bytes. */
void log_writer_put(pbay_str line);

#endif
