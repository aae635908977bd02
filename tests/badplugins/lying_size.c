/* SPDX-License-Identifier: MIT */
/* Its table says it is larger than it is. */
#define BAD_ID   "lying_size"
#define BAD_SIZE 4096
#include "bad.h"
