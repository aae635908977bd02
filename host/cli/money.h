/* SPDX-License-Identifier: MIT */
/* Amounts of money for people. */
#ifndef PB_MONEY_H
#define PB_MONEY_H

#include "base/json.h"

/* 1e-9 of a currency: "0.00123 USD". */
const char *money_text(int64_t nano, const char *currency, char dst[64]);
/* {"nano":..,"currency":..}; "unknown" for NULL, never 0. */
const char *money_of(struct json_object *cost, char dst[64]);

#endif
