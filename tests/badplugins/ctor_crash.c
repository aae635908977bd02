/* SPDX-License-Identifier: MIT */
/* Its constructor writes to address 0. */
#define BAD_ID "ctor_crash"
#include "bad.h"

__attribute__((constructor)) static void crash(void)
{
    volatile int *volatile nowhere = NULL;
    *nowhere = 1;
}
