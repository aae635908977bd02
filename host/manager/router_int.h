/* SPDX-License-Identifier: MIT */
/* What router.c (names) and route.c (routes) share. */
#ifndef PB_ROUTER_INT_H
#define PB_ROUTER_INT_H

#include "manager/router.h"

/* --- router.c --- */
bool plan_able(const struct instance *in, int op);
bool plan_is_loopback(const struct instance *in);
/* At the end, unless it is there. */
void plan_add(struct plan *out, struct instance *in, pbay_str model,
              struct arena *a);
/* Adds what a name leads to, aliases and routes aside.  0, or -1 with *e. */
int plan_name(const struct snapshot *s, struct model_index *models, int op,
              pbay_str model, struct arena *a, struct plan *out, struct err *e);

/* Adds what a request's model, or the route that it names, leads to.  0, or -1
 * with *e. */
int plan_first(const struct snapshot *s, struct model_index *models,
               const struct ask *q, struct arena *a, struct plan *out,
               struct err *e);

/* --- stand_in.c --- */
/* Add what the request names beside its model.  0, or -1 with *e. */
int plan_fallbacks(const struct snapshot *s, struct model_index *models,
                   const struct ask *q, struct arena *a, struct plan *out,
                   struct err *e);
int plan_models(const struct snapshot *s, struct model_index *models,
                const struct ask *q, struct arena *a, struct plan *out,
                struct err *e);
/* Does it name its models there and nowhere else? */
bool plan_by_models(const struct ask *q);

/* --- route.c --- */
/* Adds what an alias, a route or the default route leads to.  1; 0: there is
 * nothing of that name; -1 and *e. */
int plan_route(const struct snapshot *s, struct model_index *models,
               const struct ask *q, pbay_str name, struct arena *a,
               struct plan *out, struct err *e);

/* --- route_default.c --- */
/* Adds the targets of the route "default", where none is written.  1, or -1
 * and *e. */
int route_default(const struct snapshot *s, struct model_index *models,
                  const struct ask *q, struct arena *a, struct plan *out,
                  struct err *e);

/* --- route_order.c --- */
/* Puts the targets from `from` on in the order of a strategy. */
void route_order(struct plan *p, size_t from, enum cfg_strategy how,
                 const struct ask *q, struct model_index *models);
/* In an order of the request's conversation: each has its own, in which the
 * targets stay where they are when others come or go. */
void route_stick(struct plan *p, size_t from, const struct ask *q);

#endif
