/* SPDX-License-Identifier: MIT */
/* What is in force: configuration, provider instances and their generations, as
 * one immutable snapshot.
 *
 * The control thread makes snapshots and publishes them.  Each loop has its own
 * pointer to the current one and a plain count of its calls that still use
 * each: no atomics and no lock, hence no race between loading a pointer and
 * counting it.  A loop that has moved on and whose count of the old snapshot
 * has reached zero says so; when all have, the control thread destroys it, and
 * with it the instances that no newer snapshot shares.
 */
#ifndef PB_SNAPSHOT_H
#define PB_SNAPSHOT_H

#include <stdatomic.h>

#include "base/limits.h"
#include "config/config.h"
#include "module/loader.h"
#include "module/native_pool.h"

/* Counters of one instance on one loop; written by that loop alone (relaxed),
 * merged when read. */
struct instance_stats {
    _Atomic uint64_t calls, ok, failed, cancelled, active;
    _Atomic uint64_t input_tokens, output_tokens;
    _Atomic uint64_t cost_nano; /* USD, of what has a known price */
    _Atomic uint64_t unpriced;  /* answers whose cost is not known */
};

/* A provider that is set up. */
struct allowances;
struct instance {
    char *name;
    const struct cfg_provider *cfg; /* of the config it was made with */
    struct generation *gen;
    void *inst;
    const pbay_codec *codec; /* NULL unless it has that extension */
    const pbay_native *native;
    const pbay_backend *backend; /* NULL also where it has a base_url */
    uint64_t ops;   /* of codec and native together */
    pbay_host host; /* given to create(); priv is this */
    struct native_gate gate;
    struct allowances *left; /* of its rate limits; NULL: nothing is known */
    struct instance_stats *stats; /* [LIM_LOOPS + 1], by loop; see stats_of() */
};

struct snapshot {
    unsigned serial;
    struct config *cfg;
    struct instance **instances; /* those that work, in configured order */
    size_t n;
    /* The ones that do not: cfg provider and why. */
    struct snapshot_failed {
        const struct cfg_provider *cfg;
        char *why;
    } * failed;
    size_t n_failed;
    unsigned refs[LIM_LOOPS + 1]; /* by loop id; that loop only */
    bool left[LIM_LOOPS + 1];     /* the loop has moved on */
    unsigned holders;             /* control thread: loops not yet done */
};

/* [control] Make instances for every enabled provider of cfg; takes cfg over.
 * A provider that fails is listed in `failed` and logged; others go on.  NULL
 * only without memory. */
struct snapshot *snapshot_new(struct config *cfg, struct catalogue *modules);
/* [control] Destroy; no loop holds it any more. */
void snapshot_free(struct snapshot *s, struct catalogue *modules);
/* [control] The counters that go by a provider's name: they outlive every
 * configuration, so that a reload loses none.  NULL without memory. */
struct instance_stats *stats_of(const char *name);
/* [control] When no snapshot is left. */
void stats_free(void);
/* By its name or one of its aliases; NULL: none is called so. */
struct instance *snapshot_find(const struct snapshot *s, pbay_str name);
/* Does its codec take bodies of that dialect as they are? */
bool instance_speaks(const struct instance *in, pbay_str dialect);

#endif
