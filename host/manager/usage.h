/* SPDX-License-Identifier: MIT */
/* Usage of several answers as one.  Pure. */
#ifndef PB_USAGE_H
#define PB_USAGE_H

#include <patchbay/event.h>

/* What is known of either is known of the sum. */
void usage_add(pbay_usage *to, const pbay_usage *from);

#endif
