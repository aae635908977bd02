/* SPDX-License-Identifier: MIT */
/* Searching, filtering and ordering the models of all providers, as they are in
 * the model index, with those that only the configuration names. */
#ifndef PB_MODEL_FIND_H
#define PB_MODEL_FIND_H

#include "base/ability.h"
#include "base/arena.h"
#include "base/error.h"
#include "manager/models.h"
#include "manager/snapshot.h"

enum model_sort {
    MODEL_SORT_NONE,    /* as configured, then as listed */
    MODEL_SORT_PRICE,   /* input and output together; unknown ones last */
    MODEL_SORT_CONTEXT, /* the longest first */
    MODEL_SORT_CREATED, /* the newest first */
    MODEL_SORT_NAME,
    MODEL_SORT_BEST /* where capabilities are asked for and no other order: the
                     * largest window first */
};

struct model_wish {
    pbay_str search;   /* in id or name, whatever the case; empty: all */
    pbay_str provider; /* of this one only; empty: of all */
    pbay_str id;       /* this one only; empty: all */
    bool free;         /* no price for tokens and requests; a local provider's
                        * models without any price are free too */
    enum model_sort sort;
    uint32_t caps; /* ABLE_*: all of them */
};

struct model_row {
    const char *provider; /* the snapshot's */
    pbay_str id, json;    /* the provider's own id; the canonical item, with
                           * prices if they are known (pricing.h) */
    int64_t key;
};

/* One wish by its name, as a query or an option writes it: search, provider,
 * free, sort, capability (may be given again, or several with commas).  1: it
 * is none of these names; -1 and *e. */
int model_wish_set(struct model_wish *w, pbay_str name, pbay_str value,
                   struct err *e);
/* Copies of what is wished for, in the arena.  0, or -1: out of memory. */
int model_find(const struct snapshot *s, struct model_index *mi,
               const struct model_wish *w, struct arena *a,
               struct model_row **rows, size_t *n);

#endif
