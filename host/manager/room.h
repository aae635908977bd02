/* SPDX-License-Identifier: MIT */
/* Which targets of a plan have room for a prompt: before anybody is asked, and
 * after one has said that it does not fit.  Pure but for the index of models.
 *
 * What a model holds is said by `context_windows` of its provider, the
 * provider's list or its module (suit.h).  An estimate of a prompt only puts
 * targets behind others; what leaves one out is a provider's own word, and a
 * window that is known not to be larger than the one that was too small. */
#ifndef PB_ROOM_H
#define PB_ROOM_H

#include "manager/router.h"

/* Bytes of a body below which its windows are not looked at beforehand. */
#define ROOM_LOOK 4096

/* Targets that were taken out of a plan. */
struct room_left {
    struct {
        struct target target;
        char why[160];
    } of[PLAN_MAX];
    size_t n;
};

/* Is the prompt, by its texts alone and with the estimate's error taken off,
 * larger than that window? */
bool room_exceeds(struct want *w, uint64_t window);
/* Targets whose window is known to be smaller than the prompt come behind the
 * others; of chats only.  How many they are. */
size_t room_order(struct plan *p, struct model_index *models, struct want *w);
/* The target `at` has said that the prompt does not fit.  Of those behind it
 * the ones with a larger window come first, then those of which it is not
 * known; the others are taken out of the plan.  left NULL: nobody wants to
 * know. */
void room_larger(struct plan *p, size_t at, struct model_index *models,
                 struct want *w, struct room_left *left);

#endif
