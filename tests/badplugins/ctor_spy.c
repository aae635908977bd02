/* SPDX-License-Identifier: MIT */
/* Its constructor tells whether it can see a key of the host's environment. */
#define BAD_ID "ctor_spy"
#include "bad.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((constructor)) static void spy(void)
{
    const char *key = getenv("OPENAI_API_KEY");
    fprintf(stderr, "the key is\n\"%s\"\n", key ? key : "hidden");
    fflush(stderr);
    _exit(7);
}
