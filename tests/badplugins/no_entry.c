/* SPDX-License-Identifier: MIT */
/* It has no entry function. */
#define BAD_ID "no_entry"
#define BAD_NO_ENTRY
#include "bad.h"
