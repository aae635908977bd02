/* SPDX-License-Identifier: MIT */
/* One chat to several models, side by side: an API of this host's own. */
#ifndef PB_DIALECT_COMPARE_H
#define PB_DIALECT_COMPARE_H

#include "dialect/dialog.h"

extern const struct dl_route cmp_routes[];

#endif
