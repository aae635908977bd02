/* SPDX-License-Identifier: MIT */
/* Its entry function aborts. */
#include <stdlib.h>

#define BAD_ID    "entry_crash"
#define BAD_ENTRY abort()
#include "bad.h"
