/* SPDX-License-Identifier: MIT */
/* Worker threads for native providers, and the bridge that carries their events
 * to an event loop.
 *
 * emit() on a worker copies the event into the run's queue and posts the loop;
 * when the queue holds more than LIM_NATIVE_EVENTS bytes, emit() blocks until
 * the loop has taken some (that is the backpressure).  An event that cannot be
 * kept (no memory, not the size of this ABI) ends the call with PBAY_NOMEM or
 * PBAY_FAIL instead of being lost.
 */
#ifndef PB_NATIVE_POOL_H
#define PB_NATIVE_POOL_H

#include "base/loop.h"
#include <patchbay/provider.h>

struct native_pool;
struct native_run;

struct native_ops {
    /* [loop] An event, borrowed. */
    void (*event)(void *arg, const pbay_event *ev);
    /* [loop] run() has returned; last callback; the run is gone after it. */
    void (*end)(void *arg, pbay_rc rc);
};

/* workers: at most; threads are started when needed. */
struct native_pool *native_pool_new(unsigned workers, size_t queue);
/* Cancels what runs and waits for it; calls that were not cancelled before end
 * with PBAY_STOPPED.  To be called when no loop runs any more, and before the
 * loops are freed: their last callbacks come from loop_free(). */
void native_pool_free(struct native_pool *p);

/* [loop] Run native->run(inst, call, req) on a worker.  `gate` bounds how many
 * of one instance run at once: the same counter for all its calls, its maximum
 * from pbay_native.max_parallel (0: no bound).  -EAGAIN: the queue is full.
 * Everything given stays valid until end() or, after native_run_cancel(), until
 * the worker has returned, when `released` is called [loop].  *out is written
 * before a worker can enter run(), so that emit() finds the run there. */
struct native_gate {
    unsigned max, running;
}; /* guarded by the pool */
struct native_job {
    struct loop *loop;
    const pbay_native *native;
    void *inst;
    pbay_call *call;
    const pbay_request *req;
    struct native_gate *gate;
    const struct native_ops *ops;
    void *arg;
    void (*released)(void *arg);
    struct module_times *times; /* may be NULL */
    const char *name;           /* of the instance, for the log; may be NULL */
};
int native_run_start(struct native_pool *p, const struct native_job *job,
                     struct native_run **out);
/* [loop] No more ops callbacks; wake() is called if run() is inside.  May be
 * called from inside event(), not from end(). */
void native_run_cancel(struct native_run *r);
/* [loop] While paused no events are delivered. */
void native_run_pause(struct native_run *r, bool on);
/* [worker] pbay_host.emit for a call that is a native run.  Only between
 * run()'s entry and its return. */
pbay_rc native_run_emit(struct native_run *r, const pbay_event *ev);
/* [any] */
bool native_run_cancelled(const struct native_run *r);

#endif
