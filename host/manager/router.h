/* SPDX-License-Identifier: MIT */
/* From a model's name to an ordered plan of targets.  Pure: reads a snapshot
 * and the model index, touches nothing.
 *
 * A name resolves in this order:
 *   1. an alias or a route of the configuration, exactly; no name at all, and
 *      "default" where no route has that name, is the default route (route.c);
 *   2. `provider/rest`, where provider is an instance's name;
 *   3. a bare name that an instance lists in its `models` or whose listing
 * (model index) has it; if there is none, one of whose manifest a pattern
 * matches it; several owners: configured order, or an error with strict_models;
 *   4. the name of a provider alone, for its default model;
 *   5. otherwise, if only one instance can take the operation at all (loopback
 *      aside) and its listing is not known, that one.
 */
#ifndef PB_ROUTER_H
#define PB_ROUTER_H

#include "base/ability.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "manager/models.h"
#include "manager/snapshot.h"
#include "manager/want.h"

#define PLAN_MAX      32
#define SCORE_UNKNOWN INT64_C(-1)
#define ASK_NAMES     8 /* models that a request may name to stand in */

struct target {
    struct instance *instance;
    pbay_str model;  /* the provider's own name; in the arena */
    unsigned weight; /* of its route's weights; for the router alone */
    const char *arm; /* of a route that is split; NULL: it has none */
    int64_t score;   /* what its route's strategy measured, the less the better:
                      * nano-USD, milliseconds, millionths of a limit, or how
                      * badly it fits (suit.h) */
};

struct plan {
    struct target targets[PLAN_MAX];
    size_t n;
    const char *route;   /* of the configuration, or "default"; NULL: none */
    const char *reason;  /* which rule decided, for logs and `route explain` */
    unsigned complexity; /* where its strategy goes by it */
    enum cfg_strategy strategy; /* of its route; fallback where there is none */
    const char *arm; /* the request's, of a route that is split; else NULL */
    enum cfg_split split_by; /* what it was chosen by */
    bool took_models; /* the request's `models` was read here */
    int64_t wait_ms;  /* until the first one may be asked; 0: now */
};

/* Who asks, and how. */
struct way {
    pbay_str key; /* the name of the client's key; empty: none */
    /* A header of the request, empty if it has none; NULL: it has no headers.
     */
    pbay_str (*header)(void *arg, const char *name);
    void *arg;
};

/* What is asked of a plan. */
struct ask {
    const struct way *way; /* NULL: nothing is known of it */
    int op;
    pbay_str model;
    pbay_str route;            /* in place of the model's name; empty: none */
    const pbay_str *fallbacks; /* names that stand in, after the others */
    size_t n_fallbacks;
    pbay_str models; /* JSON: the body's `models`, names as well, unless the
                      * first target reads them itself; empty: there is none */
    bool no_choice;  /* whoever asks may not choose the way */
    unsigned turn;           /* counts requests, for round_robin and lots */
    const struct task *task; /* NULL: none is named */
    struct want *want;       /* what the request is like; NULL: not known */
    struct clock *clock;     /* NULL: it is the beginning of 1970 */
};

/* How many requests are under way at a provider. */
uint64_t route_under_way(const struct instance *in);
/* 0, or -1 with *e (ERR_NO_MODEL names the nearest names). */
int plan_ask(const struct snapshot *s, struct model_index *models,
             const struct ask *q, struct arena *a, struct plan *out,
             struct err *e);
/* The error of a client that names its way by `what` and may not. */
void plan_no_choice(struct err *e, pbay_str key, const char *what);
/* The same for a name alone. */
int plan_make(const struct snapshot *s, struct model_index *models, int op,
              pbay_str model, struct arena *a, struct plan *out, struct err *e);

#endif
