/* SPDX-License-Identifier: MIT */
/* What unit tests share: running suites, comparing views, random numbers that
 * can be repeated, a directory of one's own. */
#ifndef PB_TESTS_UNIT_H
#define PB_TESTS_UNIT_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <check.h>

#include "base/fs.h"
#include "base/str.h"

/* A view equals a NUL-terminated text. */
#define ck_view_eq(view, text)                                               \
    do {                                                                     \
        pbay_str v_ = (view);                                                \
        const char *t_ = (text);                                             \
        ck_assert_msg(str_is(v_, t_), "\"%.*s\" is not \"%s\"", STR_ARG(v_), \
                      t_);                                                   \
    } while (0)

/* xorshift64*: good enough, the same everywhere, repeatable: the seed is
 * fixed unless PATCHBAY_SEED gives another. */
static inline uint64_t unit_random(uint64_t *state)
{
    uint64_t x = *state;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * UINT64_C(2685821657736338717);
}

/* 0 .. below-1 */
static inline size_t unit_below(uint64_t *state, size_t below)
{
    return (size_t)(unit_random(state) >> 16) % below;
}

static inline uint64_t unit_seed(uint64_t dflt)
{
    const char *given = getenv("PATCHBAY_SEED");
    uint64_t seed;

    if (given && str_u64(str_c(given), &seed) == 0 && seed)
        return seed;
    return dflt;
}

/* A new empty directory in out; fs_rmtree() it. */
static inline void unit_tmpdir(char out[64])
{
    snprintf(out, 64, "/tmp/patchbay-unit.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(out));
}

/* Run all suites; what main() returns. */
static inline int unit_main(Suite *const *suites, size_t n)
{
    SRunner *r = srunner_create(suites[0]);
    int failed;

    for (size_t i = 1; i < n; i++)
        srunner_add_suite(r, suites[i]);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
