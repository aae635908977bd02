/* SPDX-License-Identifier: MIT */
/* Its note asks for another ABI. */
#define BAD_ID  "abi_two"
#define BAD_ABI "2.0"
#include "bad.h"
