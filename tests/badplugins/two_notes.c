/* SPDX-License-Identifier: MIT */
/* It has two notes. */
#define BAD_ID "two_notes"
#include "bad.h"

#define pbay_plugin_note pbay_plugin_note_too
PBAY_PLUGIN_NOTE(BAD_NOTE);
