/* SPDX-License-Identifier: MIT */
/* Prints what the estimator of tokens makes of each file, or with -w of the
 * number of its words, which is what a poor one would count. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/tokens.h"

#define SIZE_LIMIT (4u << 20)

static unsigned long long words(const char *p, size_t n)
{
    unsigned long long k = 0;

    for (size_t i = 0; i < n; i++)
        k += !isspace((unsigned char)p[i]) &&
             (i == 0 || isspace((unsigned char)p[i - 1]));
    return k;
}

int main(int argc, char **argv)
{
    int poor = argc > 1 && strcmp(argv[1], "-w") == 0;
    char *p = malloc(SIZE_LIMIT);

    for (int i = 1 + poor; p && i < argc; i++) {
        FILE *f = fopen(argv[i], "rb");
        size_t n = f ? fread(p, 1, SIZE_LIMIT, f) : 0;
        if (!f || fclose(f) || !n) {
            perror(argv[i]);
            return EXIT_FAILURE;
        }
        printf("%llu\n",
               poor ? words(p, n) : (unsigned long long)tokens_of(str_n(p, n)));
    }
    free(p);
    return p ? EXIT_SUCCESS : EXIT_FAILURE;
}
