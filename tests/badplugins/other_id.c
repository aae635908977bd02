/* SPDX-License-Identifier: MIT */
/* Its id is not its file's name. */
#define BAD_ID "someone-else"
#include "bad.h"
