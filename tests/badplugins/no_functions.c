/* SPDX-License-Identifier: MIT */
/* Its table lacks create(). */
#define BAD_ID     "no_functions"
#define BAD_CREATE NULL
#include "bad.h"
