/* SPDX-License-Identifier: MIT */
/* When the host's own estimate may stand in for a provider's count of tokens:
 * where it has no such operation, or cannot be reached just now.  A request
 * that is wrong, or a key that is, gets its error.  Pure. */
#ifndef PB_COUNT_H
#define PB_COUNT_H

#include "base/error.h"

bool count_may_estimate(const struct err *e);

#endif
