/* SPDX-License-Identifier: MIT */
/* The beginning of a call: may it begin at all, and whom it may ask. */
#ifndef PB_CALL_PLAN_H
#define PB_CALL_PLAN_H

#include "manager/call.h"
#include "manager/router.h"

/* Operations that show how a target is; a list of models, say, may be missing
 * where all else is well. */
#define CALL_MEASURED                                         \
    (PBAY_OP_BIT(PBAY_OP_CHAT) | PBAY_OP_BIT(PBAY_OP_EMBED) | \
     PBAY_OP_BIT(PBAY_OP_MODERATE) | PBAY_OP_BIT(PBAY_OP_IMAGE))

/* The member `models` of a body that names models to stand in; empty: it has
 * none. */
pbay_str call_models(const struct call_request *r);
/* Is there room for one more?  0, or -1 and *e. */
int call_admit(const struct manager *m, struct err *e);
/* The targets of a request in the order in which they are to be tried: the
 * route's, with those behind the others that are thought to fail, to be too
 * small for the prompt or to have too little left of their rate limits.  0, or -1 and
 * *e. */
int call_plan(struct manager *m, const struct call_request *r, struct arena *a,
              struct plan *out, struct err *e);

#endif
