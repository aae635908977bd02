/* SPDX-License-Identifier: MIT */
/* What the files of pulling and deleting share. */
#ifndef PB_OPS_INT_H
#define PB_OPS_INT_H

#include "dialect/ops.h"

/* Ask the provider for its list again: nobody waits for it. */
void ops_relist(struct dialog *x, const char *provider);
/* "provider/model" as a JSON string. */
void ops_put_id(struct buf *b, const struct call_report *r);

#endif
