/* SPDX-License-Identifier: MIT */
/* Its entry function returns NULL. */
#define BAD_ID    "null_table"
#define BAD_ENTRY return NULL
#include "bad.h"
