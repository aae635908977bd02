/* SPDX-License-Identifier: MIT */
/* From a model's name to an ordered plan of targets.  Pure: reads a snapshot
 * and the model index, touches nothing.
 *
 * A name resolves in this order:
 *   1. `provider/rest`, where provider is an instance's name;
 *   2. a bare name that an instance lists in its `models`, whose listing (model
 *      index) has it, or that a pattern of its manifest matches; several
 *      owners: configured order;
 *   3. no name at all: the first instance with a default model, keyed
 *      providers before local ones, loopback last;
 *   4. otherwise, if only one instance can take the operation at all (loopback
 *      aside) and its listing is not known, that one.
 */
#ifndef PB_ROUTER_H
#define PB_ROUTER_H

#include "base/arena.h"
#include "base/error.h"
#include "manager/models.h"
#include "manager/snapshot.h"

#define PLAN_MAX 8

struct target {
    struct instance *instance;
    pbay_str model; /* the provider's own name; in the arena */
};

struct plan {
    struct target targets[PLAN_MAX];
    size_t n;
    const char *reason; /* which rule decided, for logs and `route explain` */
};

/* 0, or -1 with *e (ERR_NO_MODEL names the nearest names). */
int plan_make(const struct snapshot *s, struct model_index *models, int op,
              pbay_str model, struct arena *a, struct plan *out, struct err *e);

#endif
