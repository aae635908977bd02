/* SPDX-License-Identifier: MIT */
/* What the files of operations share. */
#ifndef PB_OPS_INT_H
#define PB_OPS_INT_H

#include "dialect/ops.h"

/* --- ops.c --- */
/* The provider that the URL names; NULL: it has been told. */
const struct instance *ops_find(struct dialog *x);

/* --- ops_providers.c --- */
void ops_providers(struct dialog *x);
void ops_drain(struct dialog *x);
void ops_disable(struct dialog *x);
void ops_enable(struct dialog *x);
void ops_reset(struct dialog *x);

/* --- ops_models.c --- */
/* Ask the provider for its list again: nobody waits for it. */
void ops_relist(struct dialog *x, const char *provider);
/* "provider/model" as a JSON string. */
void ops_put_id(struct buf *b, const struct call_report *r);

#endif
