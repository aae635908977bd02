/* SPDX-License-Identifier: MIT */
/* Conditions of targets, and the conversation that a request belongs to. */
#ifndef PB_WHEN_H
#define PB_WHEN_H

#include "manager/router.h"

/* Does it hold for that request? */
bool when_holds(const struct cfg_when *w, const struct ask *q);
/* The end user, as the client's body names it; empty: it does not. */
pbay_str when_user(const struct ask *q);
/* A number for the conversation: by the header x-patchbay-session, else by
 * what all its requests begin with, the instructions and the first message of
 * the user.  false: it has neither. */
bool when_session(const struct ask *q, uint64_t *out);

#endif
