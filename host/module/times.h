/* SPDX-License-Identifier: MIT */
/* How long a module's callbacks take.
 *
 * One of these for each event loop, written by that loop alone with
 * module_times_add(), and one for the native workers, written by any of them
 * with module_times_add_shared().  Read by anybody with module_times_read():
 * each number is whole, but they need not be of the same moment. */
#ifndef PB_TIMES_H
#define PB_TIMES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct module_times {
    _Atomic uint64_t calls, us, max_us;
    _Atomic uint64_t slow; /* callbacks over LIM_CALLBACK_US on a loop */
};

/* Microseconds spent in one callback on an event loop.  true: it was longer
 * than LIM_CALLBACK_US, so that the caller can name the module in the log. */
bool module_times_add(struct module_times *t, int64_t us);
/* The same for a thread that is not the only writer.  on_loop: the callback
 * ran on an event loop; a worker may take its time. */
bool module_times_add_shared(struct module_times *t, int64_t us, bool on_loop);

struct module_times_sum {
    uint64_t calls, us, max_us, slow;
};
/* Together over n of them. */
struct module_times_sum module_times_read(const struct module_times *t,
                                          size_t n);

#endif
