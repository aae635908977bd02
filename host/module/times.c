/* SPDX-License-Identifier: MIT */
/* Counting the time spent in plugin callbacks. */
#include "module/times.h"

#include "base/limits.h"

/* A plain addition as far as the processor is concerned: there is one writer,
 * and readers only need whole numbers. */
static void bump(_Atomic uint64_t *at, uint64_t by)
{
    uint64_t old = atomic_load_explicit(at, memory_order_relaxed);
    atomic_store_explicit(at, old + by, memory_order_relaxed);
}

bool module_times_add(struct module_times *t, int64_t us)
{
    uint64_t took = us > 0 ? (uint64_t)us : 0;
    bool slow = took > LIM_CALLBACK_US;
    bump(&t->calls, 1);
    bump(&t->us, took);
    if (took > atomic_load_explicit(&t->max_us, memory_order_relaxed))
        atomic_store_explicit(&t->max_us, took, memory_order_relaxed);
    if (slow)
        bump(&t->slow, 1);
    return slow;
}

bool module_times_add_shared(struct module_times *t, int64_t us, bool on_loop)
{
    uint64_t took = us > 0 ? (uint64_t)us : 0;
    bool slow = on_loop && took > LIM_CALLBACK_US;
    atomic_fetch_add_explicit(&t->calls, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&t->us, took, memory_order_relaxed);
    uint64_t max = atomic_load_explicit(&t->max_us, memory_order_relaxed);
    while (took > max && !atomic_compare_exchange_weak_explicit(
                             &t->max_us, &max, took, memory_order_relaxed,
                             memory_order_relaxed))
        ;
    if (slow)
        atomic_fetch_add_explicit(&t->slow, 1, memory_order_relaxed);
    return slow;
}

struct module_times_sum module_times_read(const struct module_times *t,
                                          size_t n)
{
    struct module_times_sum sum = {0};
    for (size_t i = 0; i < n; i++) {
        uint64_t max = atomic_load_explicit(&t[i].max_us, memory_order_relaxed);
        sum.calls += atomic_load_explicit(&t[i].calls, memory_order_relaxed);
        sum.us += atomic_load_explicit(&t[i].us, memory_order_relaxed);
        sum.slow += atomic_load_explicit(&t[i].slow, memory_order_relaxed);
        if (max > sum.max_us)
            sum.max_us = max;
    }
    return sum;
}
