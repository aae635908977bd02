/* SPDX-License-Identifier: MIT */
/* It has no note. */
#define BAD_ID "no_note"
#define BAD_NO_NOTE
#include "bad.h"
