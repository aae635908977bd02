/* SPDX-License-Identifier: MIT */
/* Inside the wire helpers. */
#ifndef PBAY_WIRE_IN_H
#define PBAY_WIRE_IN_H

#include <patchbay/wire.h>

/* The reply's Date header in milliseconds since 1970; -1. */
int64_t pbay_wire_date(const pbay_kv *headers, size_t n);

#endif
