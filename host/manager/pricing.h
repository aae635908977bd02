/* SPDX-License-Identifier: MIT */
/* What a provider's model costs, from whoever says it first: the provider's
 * section of the configuration, its own list of models, the price list; a model
 * on this machine costs nothing.  Prices and costs are base/price.h's, in USD.
 */
#ifndef PB_PRICING_H
#define PB_PRICING_H

#include "base/buf.h"
#include "base/price.h"
#include "manager/models.h"
#include "manager/snapshot.h"

struct pricing {
    struct price price;
    const char *source; /* "config", "provider", "list" or "local" */
};

/* For a prompt of so many tokens at that time (ms since 1970).  false: nobody
 * says it, or it depends on what nobody here knows. */
bool pricing_of(const struct instance *in, struct model_index *mi,
                pbay_str model, uint64_t tokens, int64_t wall_ms,
                struct pricing *out);
/* The same where the provider's item of the model is at hand; json empty: it
 * has none. */
bool pricing_from(const struct instance *in, pbay_str model, pbay_str json,
                  uint64_t tokens, int64_t wall_ms, struct pricing *out);
/* What that use cost, in nano-USD: the provider's own figure, else by the
 * configuration or the price list, else COST_UNKNOWN.  Where only the
 * provider's list has prices, it is for the provider to say what it took. */
int64_t pricing_cost(const struct instance *in, pbay_str model,
                     const pbay_usage *u, int64_t wall_ms);
/* The member "prices" of a canonical model item. */
int pricing_put(struct buf *b, const struct pricing *p);

#endif
