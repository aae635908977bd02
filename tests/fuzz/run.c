/* SPDX-License-Identifier: MIT */
/* A main() for fuzz targets where there is no libFuzzer: runs the files named
 * on the command line, or a number of random mutations of the target's seeds
 * (FUZZ_ROUNDS; FUZZ_SEED repeats a run).  --write-seeds DIR writes the seeds
 * as files, for a libFuzzer build to start from. */
#ifndef FUZZ_COVERAGE

#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

enum {
    ROOM = 8192
};

static uint64_t state;
static unsigned char input[ROOM];
static size_t input_n;

static uint32_t rnd(size_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return below ? (uint32_t)((state >> 16) % below) : 0;
}

/* The input is copied to memory of exactly its size, for the sanitizers. */
static void run_one(void)
{
    uint8_t *p = malloc(input_n ? input_n : 1);

    if (!p)
        abort();
    memcpy(p, input, input_n);
    LLVMFuzzerTestOneInput(p, input_n);
    free(p);
}

/* The input that crashed is kept, as libFuzzer does it. */
static void on_crash(int sig)
{
    FILE *f = fopen("crash-input", "wb");

    if (f) {
        fwrite(input, 1, input_n, f);
        fclose(f);
    }
    signal(sig, SIG_DFL);
    raise(sig);
}

static size_t count_seeds(void)
{
    size_t n = 0;

    while (fuzz_seeds[n].p)
        n++;
    return n;
}

static void take_seed(size_t n_seeds)
{
    const struct fuzz_seed *s = &fuzz_seeds[rnd(n_seeds)];

    input_n = s->n < ROOM ? s->n : ROOM;
    memcpy(input, s->p, input_n);
}

/* A piece of some seed put in at some place. */
static void splice(size_t n_seeds)
{
    const struct fuzz_seed *s = &fuzz_seeds[rnd(n_seeds)];
    size_t from = rnd(s->n), n = rnd(s->n - from + 1), at = rnd(input_n + 1);

    if (input_n + n > ROOM)
        n = ROOM - input_n;
    memmove(input + at + n, input + at, input_n - at);
    memcpy(input + at, s->p + from, n);
    input_n += n;
}

static void mutate(size_t n_seeds)
{
    static const char odd[] = "\0\n\r\t \"\\{}[]:,;0-\x7f\x80\xc3\xe4\xf0\xff";
    size_t at = rnd(input_n), n;

    if (!input_n) {
        splice(n_seeds);
        return;
    }
    switch (rnd(7)) {
    case 0:
        input[at] = (unsigned char)rnd(256);
        break;
    case 1:
        input[at] = (unsigned char)odd[rnd(sizeof odd - 1)];
        break;
    case 2:
        input[at] ^= (unsigned char)(1u << rnd(8));
        break;
    case 3:
        n = rnd(input_n - at) + 1;
        memmove(input + at, input + at + n, input_n - at - n);
        input_n -= n;
        break;
    case 4:
        input_n = at;
        break;
    default:
        splice(n_seeds);
        break;
    }
}

static int run_file(const char *name)
{
    FILE *f = fopen(name, "rb");

    if (!f) {
        perror(name);
        return 1;
    }
    input_n = fread(input, 1, ROOM, f);
    fclose(f);
    run_one();
    return 0;
}

static int write_seeds(const char *dir)
{
    for (size_t i = 0; fuzz_seeds[i].p; i++) {
        char name[4096];
        FILE *f;
        snprintf(name, sizeof name, "%s/seed-%zu", dir, i);
        f = fopen(name, "wb");
        if (!f) {
            perror(name);
            return 1;
        }
        fwrite(fuzz_seeds[i].p, 1, fuzz_seeds[i].n, f);
        fclose(f);
    }
    return 0;
}

int main(int argc, char **argv)
{
    const char *rounds_text = getenv("FUZZ_ROUNDS");
    const char *seed_text = getenv("FUZZ_SEED");
    size_t n_seeds = count_seeds();
    long rounds = getenv("PATCHBAY_LONG") ? 1000000 : 30000;
    uint64_t seed = (uint64_t)time(NULL) ^ (uint64_t)getpid() << 32;
    int failed = 0;

    if (argc == 3 && strcmp(argv[1], "--write-seeds") == 0)
        return write_seeds(argv[2]);
    signal(SIGABRT, on_crash);
    signal(SIGSEGV, on_crash);
    if (argc > 1) {
        for (int i = 1; i < argc; i++)
            failed |= run_file(argv[i]);
        return failed;
    }
    if (rounds_text)
        rounds = strtol(rounds_text, NULL, 10);
    if (seed_text)
        seed = strtoull(seed_text, NULL, 10);
    printf("FUZZ_SEED=%llu FUZZ_ROUNDS=%ld\n", (unsigned long long)seed,
           rounds);
    fflush(stdout);
    state = seed | 1;
    for (size_t i = 0; i < n_seeds; i++) {
        input_n = fuzz_seeds[i].n < ROOM ? fuzz_seeds[i].n : ROOM;
        memcpy(input, fuzz_seeds[i].p, input_n);
        run_one();
    }
    for (long i = 0; i < rounds; i++) {
        take_seed(n_seeds);
        for (uint32_t k = rnd(8) + 1; k > 0; k--)
            mutate(n_seeds);
        run_one();
    }
    return 0;
}

#else /* libFuzzer brings its own */

typedef int nothing_here;

#endif
