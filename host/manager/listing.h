/* SPDX-License-Identifier: MIT */
/* Asking providers which models they have, into the model index.
 *
 * Belongs to one loop.  A provider that is down does no harm: what was known of
 * it stays, and it is not asked again for LISTING_RETRY_MS.  Nor does one that
 * is silent: nobody waits for it longer than LISTING_WAIT_MS, and what it says
 * by LISTING_CALL_MS is taken all the same.
 */
#ifndef PB_LISTING_H
#define PB_LISTING_H

#include "manager/call.h"

#define LISTING_FRESH_MS 60000 /* a list this young is not asked for again */
#define LISTING_RETRY_MS 10000 /* nor is a failure */
#define LISTING_WAIT_MS  5000  /* then it goes without those that are missing */
#define LISTING_CALL_MS  60000 /* for one list */

struct listing_job;

/* Ask every instance (or only `provider`) whose list is older than max_age_ms.
 * done() comes once, from the loop, when all have answered or the time is over,
 * possibly before this returns (then NULL is returned). */
struct listing_job *listing_start(struct manager *m, const char *provider,
                                  int64_t max_age_ms, void (*done)(void *arg),
                                  void *arg);
/* Nobody waits any more; done() is not called.  Lists under way still reach the
 * index. */
void listing_forget(struct listing_job *j);

#endif
