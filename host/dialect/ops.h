/* SPDX-License-Identifier: MIT */
/* A URL for every operation that no client API has one for: providers, their
 * health and accounts, pulling and deleting models, counting tokens.  Errors in
 * OpenAI's form. */
#ifndef PB_OPS_H
#define PB_OPS_H

#include "dialect/dialog.h"
#include "manager/model_find.h"

extern const struct dl_route ops_routes[];

/* --- ops.c --- */
/* A call of x->op to `in` (NULL: as x->model says), with x->body (JSON text)
 * and its members; on failure the error is the reply. */
void ops_start(struct dialog *x, const struct instance *in,
               const struct call_sink *sink);
/* GET /v1/models/{id}?details=true: as the provider describes it. */
void ops_show(struct dialog *x, pbay_str model);

/* --- ops_models.c --- */
/* A query's value by its name, percent-decoded in the arena; {NULL,0}: it is
 * not there; what cannot be decoded counts as it stands. */
pbay_str ops_query(struct dialog *x, const char *name);
/* What a query wishes for of the models.  0, or -1 with *e. */
int ops_read_wish(struct dialog *x, struct model_wish *w, struct err *e);
/* POST /v1/models/pull, DELETE /v1/models/{id} */
void ops_pull(struct dialog *x, pbay_str body);
void ops_delete(struct dialog *x);

#endif
