/* SPDX-License-Identifier: MIT */
/* Files and directories: bounded reads, whole writes, private directories.
 * All of it blocks: never on an event loop.  No state.  [any thread]
 *
 * Results: 0 or a negative errno value. */
#ifndef PB_FS_H
#define PB_FS_H

#include <stdbool.h>
#include <stddef.h>

#include <patchbay/types.h>

/* The whole of a regular file (or a pipe, until its end).  *data comes from
 * malloc, has a NUL after its *n bytes, and is the caller's.  -EFBIG: over max
 * bytes; -EISDIR: a directory. */
int fs_read(const char *path, size_t max, char **data, size_t *n);
/* The same from an open descriptor, which stays open. */
int fs_read_fd(int fd, size_t max, char **data, size_t *n);
/* Replace the file by data: written beside it, synced, renamed over it.
 * Nobody ever sees half of it, and a failure leaves the old file.  A symbolic
 * link is replaced, not followed.  `mode` is exact, whatever the umask. */
int fs_write_atomic(const char *path, pbay_str data, unsigned mode);
/* The directory and its missing parents, with `mode` less the umask.  -ENOTDIR
 * if something else has that name. */
int fs_mkdirs(const char *path, unsigned mode);
/* A directory that only we can enter: made with mode 0700 when it is missing
 * (parents too, 0755); -EPERM if it is there but is a symbolic link, not ours,
 * or open to others. */
int fs_private_dir(const char *path);
/* Remove a file or a directory with all it holds; symbolic links are removed,
 * never followed.  0 also when there was nothing. */
int fs_rmtree(const char *path);
/* dir/name in out; -ENAMETOOLONG if it does not fit. */
int fs_join(char *out, size_t room, const char *dir, const char *name);

#endif
