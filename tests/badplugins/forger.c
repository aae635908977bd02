/* SPDX-License-Identifier: MIT */
/* Nothing is wrong with it, but its constructor prints what looks like the
 * report of a probe. */
#define BAD_ID "forger"
#include "bad.h"

#include <stdio.h>

__attribute__((constructor)) static void forge(void)
{
    fputs("phase table\nbad 4\nlies", stdout);
    fflush(stdout);
}
