/* SPDX-License-Identifier: MIT */
/* A streamed chat that breaks after its first word: what of the answer its
 * client has, and how another target goes on with it.
 *
 * First those targets are asked that go on with an answer which was begun (the
 * capability "prefill" of their model in the manifest): the same conversation
 * with what has been sent as the last message.  Then the others, with the
 * client's own request: what they say is kept back as long as it repeats what
 * was sent, and given up where it differs.  Each target is asked once in each
 * way at most, those that are well before those that are not, and those before
 * the one that broke not again.
 *
 * Only an answer of words is rescued: one choice, no tool call, no sealed block
 * and no refusal before the break, RESCUE_MAX bytes at most.  What a later
 * target thinks aloud is not shown.  Belongs to its call. */
#ifndef PB_RESCUE_H
#define PB_RESCUE_H

#include "manager/call.h"
#include "manager/router.h"

#define RESCUE_MAX ((size_t)64 << 10) /* bytes of text kept */

/* The events that it has to see. */
#define RESCUE_EVENTS                                       \
    (PBAY_WANT(PBAY_EV_TEXT) | PBAY_WANT(PBAY_EV_REFUSAL) | \
     PBAY_WANT(PBAY_EV_CALL))

struct rescue;

/* NULL: this call is not rescued, or there is no memory for it. */
struct rescue *rescue_new(const struct manager *m, const struct call_request *r,
                          const struct plan *p);
void rescue_free(struct rescue *s); /* may be NULL */

enum rescue_say {
    RESCUE_SHOW,
    RESCUE_KEEP, /* the client has it, or is not to see it */
    RESCUE_WRONG /* this target says something else than what was sent */
};
/* What an attempt says, part of the answer or its stop.  *ev may become what is
 * left of it to show, in *room. */
enum rescue_say rescue_event(struct rescue *s, const pbay_event **ev,
                             pbay_event *room);
/* Of a passed reply: what is told now is of its record of that number, and one
 * record is told at a time. */
void rescue_record(struct rescue *s, uint64_t number);
/* That record does not go out. */
void rescue_withheld(struct rescue *s, uint64_t number);

/* The attempt at the target `at` failed with *e (NULL: it was WRONG).  True:
 * *next is to be asked, with rescue_request().  *used is what that attempt has
 * used, and estimated here where it did not say. */
bool rescue_next(struct rescue *s, size_t at, const struct err *e,
                 pbay_usage *used, size_t *next);
/* What to ask of the target: r, unless a rescue is under way. */
const struct call_request *rescue_request(const struct rescue *s,
                                          const struct call_request *r);
/* Is one under way, and in which way? */
bool rescue_active(const struct rescue *s);  /* NULL: no */
bool rescue_goes_on(const struct rescue *s); /* with what was begun */
/* The error for the client when nothing has helped: the first one. */
const struct err *rescue_error(const struct rescue *s, const struct err *last);
/* The last attempt has ended.  What it has used, estimated where it did not
 * say; NULL, or none is under way: as it is. */
void rescue_fill(struct rescue *s, pbay_usage *used);
/* With what those before it have used, and what all have cost, each at its own
 * target's price; the last was at the target `at`.  False: nobody knows what a
 * part of it has cost.  NULL: as it is. */
bool rescue_total(struct rescue *s, size_t at, pbay_usage *used);

#endif
