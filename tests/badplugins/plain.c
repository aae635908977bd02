/* SPDX-License-Identifier: MIT */
/* Nothing is wrong with it.  It is built in two versions, to replace one by the
 * other. */
#define BAD_ID   "plain"
#define BAD_MORE ",\"name\":\"" PLAIN_VERSION "\",\"aliases\":[\"simple\"]"
#include "bad.h"
