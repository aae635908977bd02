/* SPDX-License-Identifier: MIT */
/* File descriptors: as many as may be, and room for them beforehand. */
#ifndef PB_DESCRIPTORS_H
#define PB_DESCRIPTORS_H

#include <stddef.h>

/* A stream takes two descriptors, and shells start programs with 1,024.  What
 * the administrator has set as the most is what may be used. */
void descriptors_take_all(void);

/* Have the kernel's table of this process hold n descriptors, or as many as may
 * be open.  Linux doubles the table when it is full, and where threads share it
 * whoever opens a descriptor then waits for every core to have passed through
 * the scheduler: 5 to 30 ms in which an event loop serves nobody.  The table
 * never shrinks; a place in it is a pointer of kernel memory. */
void descriptors_reserve(size_t n);

#endif
