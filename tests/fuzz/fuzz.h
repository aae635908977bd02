/* SPDX-License-Identifier: MIT */
/* What a fuzz target gives: the function that libFuzzer calls, and texts to
 * start from.  With clang and -fsanitize=fuzzer a target needs nothing else;
 * with any compiler tests/fuzz/run.c is its main(). */
#ifndef PB_FUZZ_H
#define PB_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct fuzz_seed {
    const char *p; /* NULL: end of the list */
    size_t n;
};

extern const struct fuzz_seed fuzz_seeds[];
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Unlike assert() it does not go away with NDEBUG. */
static inline void fuzz_check(int ok, const char *what, int line)
{
    if (!ok) {
        fprintf(stderr, "line %d: not so: %s\n", line, what);
        abort();
    }
}
#define FUZZ_CHECK(cond) fuzz_check((cond) != 0, #cond, __LINE__)

#endif
