/* SPDX-License-Identifier: MIT */
/* How the targets are: one state for each, shared by all loops, guarded by a
 * mutex that is taken at the beginning and the end of an attempt.
 *
 * A target is a provider's model.  What a failure says of the whole provider or
 * of our key (its scope) goes to the provider as such, and counts for all its
 * models.
 *
 * Circuit breaker: closed -> open after HEALTH_FAILURES failures in a row, or
 * when half of the last HEALTH_WINDOW attempts failed; open for
 * HEALTH_OPEN_MS, twice as long each time it opens again, HEALTH_OPEN_MAX_MS at
 * most; then half-open: one attempt is let through, whose success closes it and
 * whose failure opens it again.  Only what the error table says counts against
 * health does.
 *
 * Cooldown: a Retry-After from the newest reply keeps everybody away until it
 * is over, HEALTH_COOL_MAX_MS at most; or until one succeeds that was asked all
 * the same.
 *
 * What was under way when a breaker opened, or a cooldown began, proves nothing
 * about the time after that: neither its success nor its failure counts.
 *
 * [any] for all functions; times are of the loops' clock.
 */
#ifndef PB_HEALTH_H
#define PB_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "manager/health_log.h"
#include <patchbay/types.h>

#define HEALTH_FAILURES    3
#define HEALTH_WINDOW      20
#define HEALTH_OPEN_MS     5000
#define HEALTH_OPEN_MAX_MS 300000
#define HEALTH_COOL_MAX_MS 3600000
#define HEALTH_TARGETS                                   \
    4096 /* states kept; then the one unused for longest \
          * goes */

struct health;

enum health_say {
    HEALTH_GO,
    HEALTH_COOLING, /* it has said when to come back */
    HEALTH_OPEN,    /* it fails; also while another one probes it */
    HEALTH_HELD     /* an operator has taken it out */
};

struct health *health_new(void);
void health_free(struct health *h);

/* May this target be tried?  *until_ms: when it may, if not. */
enum health_say health_look(struct health *h, const char *provider,
                            pbay_str model, int64_t now_ms, int64_t *until_ms);
/* How things stood when an attempt began. */
struct health_ticket {
    struct health_stand {
        unsigned opened, cooled; /* how often that had happened */
        bool probes;             /* it is the probe of a half-open breaker */
    } provider, model;
};
/* An attempt begins; its ticket is for its end.  False: another one probes the
 * target just now. */
bool health_begin(struct health *h, const char *provider, pbay_str model,
                  int64_t now_ms, struct health_ticket *t);
/* It has ended: e NULL, well. */
void health_end(struct health *h, const char *provider, pbay_str model,
                int64_t now_ms, const struct err *e,
                const struct health_ticket *t);
/* It was given up, which says nothing of the target. */
void health_dismiss(struct health *h, const char *provider, pbay_str model,
                    const struct health_ticket *t);
/* What an operator wants of a provider, by name; it outlives configurations,
 * not the process.  What is under way there goes on in any case. */
enum health_hold {
    HOLD_NONE,
    HOLD_DRAIN,  /* nothing new goes there */
    HOLD_DISABLE /* nor is it looked after */
};
/* -1 without memory. */
int health_hold(struct health *h, const char *provider, enum health_hold hold);
enum health_hold health_held(struct health *h, const char *provider);
#define HEALTH_CHECKS 8 /* how many of a provider are remembered */
/* A check of a provider as such, on an interval. */
struct health_check {
    int64_t at_ms;    /* Unix time */
    int64_t ms;       /* how long it took */
    const char *kind; /* "ok", or the failure's class; a constant */
    bool ok;
};
void health_checked(struct health *h, const char *provider,
                    const struct health_check *check);
/* The last ones, the newest first, to `out`; how many. */
size_t health_checks(struct health *h, const char *provider,
                     struct health_check out[HEALTH_CHECKS]);
/* Forget what is held against a provider and its models. */
void health_reset(struct health *h, const char *provider, int64_t now_ms);

struct health_state {
    const char *provider, *model; /* model "": the provider as such */
    const char *say;              /* "closed", "open", "half_open", "cooling" */
    unsigned in_a_row, failed, of; /* failures; of the last attempts */
    int64_t for_ms;                /* still open or cooling for so long */
    const char *last;              /* class of the last failure; "" */
    /* How it came to be so, the newest first. */
    struct health_change changes[HEALTH_CHANGES];
    size_t n_changes;
};
/* Walk them under the lock: fn must not call back.  Targets that never failed
 * are left out. */
void health_each(struct health *h, int64_t now_ms,
                 void (*fn)(void *arg, const struct health_state *s),
                 void *arg);

#endif
