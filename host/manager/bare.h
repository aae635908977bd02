/* SPDX-License-Identifier: MIT */
/* A body without one of its members. */
#ifndef PB_BARE_H
#define PB_BARE_H

#include "manager/call.h"

/* *body anew, as malloc'd text that is returned, its members in the arena.
 * NULL without memory: *body is as it was. */
char *bare_body(struct call_body *body, const char *without, struct arena *a);

#endif
