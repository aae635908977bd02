/* SPDX-License-Identifier: MIT */
/* A target's state as JSON, for the control socket and the API alike. */
#ifndef PB_HEALTH_TELL_H
#define PB_HEALTH_TELL_H

#include "base/buf.h"
#include "base/clock.h"
#include "manager/health.h"

/* The members "state", "failures" (in a row), "failed" and "of" (the last
 * attempts), "for_ms", "last" and "changes", without braces. */
int health_tell(struct buf *b, const struct health_state *s, struct clock *c);

#endif
