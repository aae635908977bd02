/* SPDX-License-Identifier: MIT */
/* The directory of model files as the configuration names it, in this system's
 * words. */
#ifndef PBAY_LLAMACPP_PATH_H
#define PBAY_LLAMACPP_PATH_H

#include <stddef.h>

/* Is this Windows' subsystem for Linux? */
int path_is_wsl(void);

/* "D:\models" becomes "/mnt/d/models" on WSL; elsewhere, and for what is not
 * absolute, NULL and a sentence that names the path and the mend.  What is
 * returned is free()d by the caller; NULL with an empty err: out of memory. */
char *path_models_dir(const char *given, int wsl, char *err, size_t room);

#endif
