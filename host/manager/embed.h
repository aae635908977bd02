/* SPDX-License-Identifier: MIT */
/* Embeddings of more inputs than a provider takes at once: a call for each
 * part, so many at a time, put together again in order.
 *
 * The first part goes the way of any request.  Who answers it answers the
 * others as well, since vectors of two models have nothing to do with each
 * other; a part that fails is the failure of the whole.  The bounds are the
 * tightest of all targets that the request may have.
 *
 * Belongs to one loop, like the calls. */
#ifndef PB_MANAGER_EMBED_H
#define PB_MANAGER_EMBED_H

#include "manager/call.h"

struct embed_split;

/* Starts the calls if `r`, an embedding in canonical form (or one that is the
 * same: no translation), has to be split.  1: *out; the sink is called as by
 * call_start(), the answer in events only.  0: one call will do, start it.
 * -1: *e.  Body, members and headers stay until the end or embed_cancel(), and
 * so does *out, which is NULL again before the sink's end is called. */
int embed_start(struct manager *m, const struct call_request *r,
                const struct call_sink *sink, void *arg,
                struct embed_split **out, struct err *e);
/* No callback after this; NULL is fine. */
void embed_cancel(struct embed_split *s);

#endif
