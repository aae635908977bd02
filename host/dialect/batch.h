/* SPDX-License-Identifier: MIT */
/* Many requests in one: an API of this host's own. */
#ifndef PB_DIALECT_BATCH_H
#define PB_DIALECT_BATCH_H

#include "dialect/dialog.h"

extern const struct dl_route bt_routes[];

#endif
