/* SPDX-License-Identifier: MIT */
/* Its constructor ends the process, as if all were well. */
#define BAD_ID "ctor_exit"
#include "bad.h"

#include <stdlib.h>

__attribute__((constructor)) static void leave(void)
{
    exit(0);
}
