/* SPDX-License-Identifier: MIT */
/* Its entry function returns an address where nothing is. */
#define BAD_ID    "wild_table"
#define BAD_ENTRY return (const pbay_plugin *)(uintptr_t)4096
#include "bad.h"
