/* SPDX-License-Identifier: MIT */
/* An A/B split: which arm of a route a request belongs to.  The same
 * conversation (or user, or key) has the same arm on every loop and after every
 * restart, and nothing is kept for it: the arm follows from a hash.
 *
 * Weighted rendezvous hashing: each arm draws a number for whoever asks, from
 * both names, and the one with the largest -weight/ln(number) has it.  So each
 * has its share, and a changed weight moves only those who come to that arm or
 * leave it: Schindelhauer and Schomaker, "Weighted Distributed Hash Tables",
 * SPAA 2005. */
#ifndef PB_SPLIT_H
#define PB_SPLIT_H

#include "manager/router.h"

/* The targets from `from` on: the arm of the request first, then those whose
 * arm it would have been without it, and so on; p->arm and p->split_by say what
 * came of it. */
void split_plan(struct plan *p, size_t from, const struct cfg_route *r,
                const struct ask *q);

#endif
