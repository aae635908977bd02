/* SPDX-License-Identifier: MIT */
/* Its table does not begin with the magic number. */
#define BAD_ID    "wrong_magic"
#define BAD_MAGIC 0xdeadbeefu
#include "bad.h"
