/* SPDX-License-Identifier: MIT */
/* Its note says this ABI, its table another. */
#define BAD_ID    "table_abi"
#define BAD_MAJOR 2
#include "bad.h"
