/* SPDX-License-Identifier: MIT */
/* What a provider's model can do, from whoever says it first: `capabilities` of
 * the provider's section, its own list of models, the patterns of its module's
 * manifest. */
#ifndef PB_SUIT_H
#define PB_SUIT_H

#include "base/ability.h"
#include "manager/models.h"
#include "manager/snapshot.h"
#include "manager/want.h"

struct suit {
    bool known;      /* somebody says what it can do */
    uint32_t can;    /* ABLE_* */
    uint64_t window; /* tokens; 0: not known */
    bool set;        /* by `context_windows` of the provider's section */
    bool loose;      /* a server of one's own may run it with less */
};

void suit_of(const struct instance *in, struct model_index *mi, pbay_str model,
             struct suit *out);
/* The same where the provider's item of the model is at hand; json empty: it
 * has none. */
void suit_from(const struct instance *in, pbay_str model, pbay_str json,
               struct suit *out);
/* The same, but for what it can do: its window alone. */
void suit_window(const struct instance *in, struct model_index *mi,
                 pbay_str model, struct suit *out);
/* What it lacks of that. */
uint32_t suit_lacks(const struct suit *s, struct want *w,
                    const struct task *task);
/* How badly it fits, 0: well.  100 for each thing that it lacks, a window that
 * is too small among them; 10 for each where nobody knows; 1 if the task
 * prefers another provider. */
int64_t suit_unfit(const struct instance *in, struct model_index *mi,
                   pbay_str model, struct want *w, const struct task *task);

#endif
