/* SPDX-License-Identifier: MIT */
/* What came of the targets of routes: an API of this host's own. */
#ifndef PB_DIALECT_RESULTS_H
#define PB_DIALECT_RESULTS_H

#include "dialect/dialog.h"

extern const struct dl_route res_routes[];

#endif
