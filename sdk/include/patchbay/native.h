/* SPDX-License-Identifier: MIT */
/* The native extension: a provider that does its own work and may block.
 *
 * run() is called on a worker thread of the host, one thread for each call, at
 * most max_parallel at once for an instance; further calls wait in a bounded
 * queue.  It is for in-process inference, scanning files, odd protocols.
 * Cancellation is co-operative: emit() returns PBAY_STOPPED, cancelled() turns
 * true, and wake() is called so that a blocking wait can be interrupted.  The
 * configured time-outs of the provider cancel a call too.  run() is to return
 * soon then: its thread is taken until it has, and the host's end waits for it.
 *
 * Worker threads have all signals blocked but those of faults, and the system's
 * default stack.  How many there are and how long the queue is: workers and
 * native_queue of the configuration's section server.
 */
#ifndef PATCHBAY_NATIVE_H
#define PATCHBAY_NATIVE_H

#include <patchbay/request.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PBAY_EXT_NATIVE "patchbay.native/1"

typedef struct pbay_native {
    uint32_t size;
    uint32_t max_parallel; /* 0: as many as the host has workers */
    uint64_t ops;          /* PBAY_OP_BIT() */
    /* [call], blocking.  Emits the events of the reply in order; emit() blocks
     * while the client is slow.  PBAY_OK, PBAY_NOSYS, or PBAY_FAIL after an
     * ERROR event.  A chat that returns PBAY_OK without STOP is truncated. */
    pbay_rc (*run)(void *inst, pbay_call *call, const pbay_request *req);
    /* [any] The call is cancelled.  Called only between run()'s entry and its
     * return, on another thread than run()'s, which may be an event loop's: it
     * must not wait for anything.  May be NULL. */
    void (*wake)(void *inst, pbay_call *call);
} pbay_native;

PBAY_ASSERT(offsetof(pbay_native, ops) == 8, "no hole");

#ifdef __cplusplus
}
#endif
#endif
