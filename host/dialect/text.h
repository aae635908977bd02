/* SPDX-License-Identifier: MIT */
/* This host's own conveniences for texts: /v1/summarize and /v1/translate. */
#ifndef PB_DIALECT_TEXT_H
#define PB_DIALECT_TEXT_H

#include "dialect/dialog.h"

extern const struct dl_route tx_routes[];

#endif
