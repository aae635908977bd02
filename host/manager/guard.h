/* SPDX-License-Identifier: MIT */
/* Structured output: the answers of one call, checked against the JSON schema
 * that its client has given.
 *
 * The call tells its guard what it tells its sink.  A whole answer is held back
 * until it has been checked; one that does not match can then be asked for once
 * more, of the same target, with the answer and what is wrong with it.  Of a
 * stream that is not held back, the guard only reads along: what comes behind a
 * stop that should not be there is withheld.
 *
 * What was cut at the output limit, refused or withheld, and what calls a tool,
 * is no answer of that form and not checked.  Belongs to its call. */
#ifndef PB_GUARD_H
#define PB_GUARD_H

#include "config/config.h"
#include "manager/call.h"

struct guard;

/* The events that a guard has to see. */
#define GUARD_EVENTS                                     \
    (PBAY_WANT(PBAY_EV_TEXT) | PBAY_WANT(PBAY_EV_CALL) | \
     PBAY_WANT(PBAY_EV_REFUSAL))

/* *out NULL: the request gives no schema, or none is to be checked.  0, or -1
 * and *e: the schema is one that cannot be. */
int guard_new(const struct call_request *r, const struct cfg_structured *cfg,
              struct guard **out, struct err *e);
void guard_free(struct guard *g); /* may be NULL */

/* Are answers held back?  Then the call's sink is the guard's, in front of the
 * one it was started with. */
bool guard_holds(const struct guard *g); /* NULL: no */
const struct call_sink *guard_sink(struct guard *g,
                                   const struct call_sink *behind, void *arg);

/* Nobody listens any more, not even to what is being told just now. */
void guard_deaf(struct guard *g); /* NULL: nothing */

/* What the attempt says.  Nothing of it so far goes anywhere. */
void guard_event(struct guard *g, const pbay_event *ev);
/* Is what comes now to be withheld? */
bool guard_withholds(const struct guard *g);
/* A new attempt begins; own: with the client's request, not the repair's. */
void guard_again(struct guard *g, bool own);

/* The attempt has ended well.  true, or false and *e. */
bool guard_judge(struct guard *g, const struct call_report *r, struct err *e);
/* Can what guard_judge() has found be asked for once more?  Makes that request,
 * and keeps what this attempt has used. */
bool guard_repairs(struct guard *g, const struct call_request *r,
                   const pbay_usage *used);
/* What the next attempt is to ask: r, or the repair of it. */
const struct call_request *guard_request(const struct guard *g,
                                         const struct call_request *r);
/* Add what earlier attempts have used.  False: they have used nothing. */
bool guard_total(const struct guard *g, pbay_usage *used);

#endif
