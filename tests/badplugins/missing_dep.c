/* SPDX-License-Identifier: MIT */
/* It needs a library that is not installed. */
#define BAD_ID "missing_dep"
#define BAD_ENTRY       \
    nowhere_function(); \
    return &bad_plugin
extern void nowhere_function(void);
#include "bad.h"
