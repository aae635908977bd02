/* SPDX-License-Identifier: MIT */
/* The program: hands the command line over to host/cli. */
#include "config.h"

#include <stdio.h>

int main(void)
{
    return puts(PACKAGE_STRING) < 0;
}
