/* SPDX-License-Identifier: MIT */
/* The library that missing_dep is linked with, and that is then taken away. */
void nowhere_function(void);

void nowhere_function(void)
{
}
