/* SPDX-License-Identifier: MIT */
/* The operations by their names, and which provider takes one that is not about
 * a model it already has.  Pure. */
#ifndef PB_OP_H
#define PB_OP_H

#include "base/error.h"
#include "manager/snapshot.h"

/* "moderate" for PBAY_OP_MODERATE; "" for an unknown number. */
const char *op_name(int op);
/* PBAY_OP_*; 0: there is none of that name. */
int op_by_name(const char *name);

/* A model to be pulled is on nobody's list yet.  Either its name says the
 * provider ("ollama/llama3"), or only one can pull at all.  0 with the instance
 * and the model's name there, or -1 with *e. */
int op_pull_target(const struct snapshot *s, pbay_str model,
                   const struct instance **in, pbay_str *rest, struct err *e);

#endif
