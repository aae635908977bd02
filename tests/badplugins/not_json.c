/* SPDX-License-Identifier: MIT */
/* Its manifest is not JSON. */
#define BAD_ID   "not_json"
#define BAD_NOTE "id = not_json"
#include "bad.h"
