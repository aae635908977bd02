/* SPDX-License-Identifier: MIT */
/* It needs a function that nobody has. */
#define BAD_ID "undefined"
#define BAD_ENTRY      \
    nobody_has_this(); \
    return &bad_plugin
extern void nobody_has_this(void);
#include "bad.h"
