/* SPDX-License-Identifier: MIT */
/* The manifest of its table is another one than that of its note. */
#define BAD_ID       "note_differs"
#define BAD_MANIFEST BAD_MANIFEST_OF("note-differs")
#include "bad.h"
