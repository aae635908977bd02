/* SPDX-License-Identifier: MIT */
/* Its constructor never returns. */
#define BAD_ID "ctor_hang"
#include "bad.h"

#include <unistd.h>

__attribute__((constructor)) static void hang(void)
{
    for (;;)
        pause();
}
