/* SPDX-License-Identifier: MIT */
/* Fuzz target: llamacpp.so's reader of GGUF headers on any bytes.  What it
 * takes must be sound: texts that end, an architecture of plain characters, a
 * context that can be one; what it does not take has a reason. */
#include <string.h>

#include "../../plugins/llamacpp/gguf.h"

#include "fuzz.h"

#define SEED(lit)              \
    {                          \
        (lit), sizeof(lit) - 1 \
    }
#define N(n)    n "\0\0\0\0\0\0\0"
#define ARCH    N("\x14") "general.architecture\x08\0\0\0" N("\x05") "llama"
#define CONTEXT N("\x14") "llama.context_length\x04\0\0\0\0\x10\0\0"
#define TAGS  \
    N("\x0c") \
    "general.tags\x09\0\0\0\x08\0\0\0" N("\x02") N("\x01") "a" N("\x01") "b"
const struct fuzz_seed fuzz_seeds[] = {
    SEED("GGUF\x03\0\0\0" N("\0") N("\x03") ARCH CONTEXT TAGS),
    SEED("GGUF\x02\0\0\0" N("\0") N("\x03") TAGS CONTEXT ARCH),
    SEED("GGUF\x01\0\0\0\0\0\0\0\x01\0\0\0\x14\0\0\0general.architecture"
         "\x08\0\0\0\x04\0\0\0"
         "bert"),
    SEED("GGUF\0\0\0\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x14"
         "general.architecture\0\0\0\x08\0\0\0\0\0\0\0\x04gpt2"),
    SEED("GGUF\x03\0\0\0" N("\0") N("\x02")
             ARCH N("\x01") "x\x09\0\0\0"
                            "\x09\0\0\0" N("\x01") "\x09\0\0\0" N(
                                "\x01") "\0\0\0\0" N("\x01") "z"),
    {NULL, 0},
};

struct bytes {
    const uint8_t *p;
    size_t n;
};

static int read_at(void *arg, uint64_t at, void *buf, size_t n)
{
    const struct bytes *b = arg;

    FUZZ_CHECK(at <= b->n && n <= b->n - at);
    memcpy(buf, b->p + at, n);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes b = {data, size};
    struct gguf_source from = {read_at, &b, size};
    struct gguf g;
    char err[128] = "";

    if (gguf_read(&from, &g, err, sizeof err) < 0) {
        FUZZ_CHECK(err[0] != '\0');
        return 0;
    }
    FUZZ_CHECK(memchr(g.architecture, 0, sizeof g.architecture));
    FUZZ_CHECK(memchr(g.name, 0, sizeof g.name));
    FUZZ_CHECK(memchr(g.type, 0, sizeof g.type));
    FUZZ_CHECK(memchr(g.size_label, 0, sizeof g.size_label));
    FUZZ_CHECK(g.architecture[0]);
    FUZZ_CHECK(
        strspn(g.architecture, "abcdefghijklmnopqrstuvwxyz0123456789._-") ==
        strlen(g.architecture));
    FUZZ_CHECK(g.context <= INT32_MAX);
    FUZZ_CHECK(g.version >= 1 && g.version <= 3);
    FUZZ_CHECK(g.pairs > 0 && g.pairs <= size);
    FUZZ_CHECK(!g.big_endian || g.version == 3);
    return 0;
}
