/* SPDX-License-Identifier: MIT */
/* Whose files are run as code: root's and our own, in places where nobody else
 * can put or change one. */
#include "module/loader_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"

/* Root's group, or the one we run as. */
static bool own_group(gid_t group)
{
    return group == 0 || group == getegid();
}

static bool trusted(const struct stat *st, const char *what, char **err)
{
    if (st->st_uid != 0 && st->st_uid != geteuid())
        return mf_fail(err,
                       "%s belongs to user %u, not to root or user %u: "
                       "change its owner",
                       what, (unsigned)st->st_uid, (unsigned)geteuid());
    if (st->st_mode & S_IWOTH)
        return mf_fail(err,
                       "%s is world-writable (mode %04o): take write "
                       "permission from others (chmod o-w)",
                       what, (unsigned)st->st_mode & 07777);
    if ((st->st_mode & S_IWGRP) && !own_group(st->st_gid))
        return mf_fail(err,
                       "%s is writable by group %u (mode %04o): take "
                       "write permission from the group (chmod g-w)",
                       what, (unsigned)st->st_gid,
                       (unsigned)st->st_mode & 07777);
    return true;
}

int trusted_dir(const char *path, bool any_owner, char **err)
{
    struct stat st;
    if (stat(path, &st) < 0) {
        int rc = -errno;
        if (rc != -ENOENT)
            mf_fail(err, "cannot be looked at: %s", strerror(-rc));
        return rc;
    }
    if (!S_ISDIR(st.st_mode)) {
        mf_fail(err, "is not a directory");
        return -ENOTDIR;
    }
    return any_owner || trusted(&st, "the directory", err) ? 0 : -EPERM;
}

/* The directory a symbolic link leads to counts like the one it stands in. */
static char *follow(const char *path, bool any_owner, char **err)
{
    char *real = realpath(path, NULL);
    if (!real) {
        mf_fail(err, "is a symbolic link that leads nowhere: %s",
                strerror(errno));
        return NULL;
    }
    char *copy = strdup(real), *why = NULL;
    if (!copy || trusted_dir(dirname(copy), any_owner, &why) < 0) {
        mf_fail(err, "is a link to %s: %s", real, why ? why : "out of memory");
        free(real);
        real = NULL;
    }
    free(copy);
    free(why);
    return real;
}

static void identify(const struct stat *st, struct module_file *file)
{
    *file = (struct module_file){.device = st->st_dev,
                                 .inode = st->st_ino,
                                 .size = (uint64_t)st->st_size,
                                 .changed_s = st->st_ctim.tv_sec,
                                 .changed_ns = st->st_ctim.tv_nsec};
}

int trusted_open(const char *path, bool any_owner, struct module_file *file,
                 char **err)
{
    struct stat st;
    const int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    *file = (struct module_file){0};
    int fd = open(path, flags);
    if (fd < 0 && errno == ELOOP) {
        char *real = follow(path, any_owner, err);
        if (!real)
            return -1;
        fd = open(real, flags);
        free(real);
    }
    if (fd < 0) {
        mf_fail(err, "cannot be opened: %s", strerror(errno));
        return -1;
    }
    if (fstat(fd, &st) < 0) {
        mf_fail(err, "cannot be looked at: %s", strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        mf_fail(err, "is not a regular file: remove it");
    } else if ((uint64_t)st.st_size > LIM_MODULE_FILE) {
        mf_fail(err, "has %lld bytes: modules of up to %zu are loaded",
                (long long)st.st_size, LIM_MODULE_FILE);
    } else if (any_owner || trusted(&st, "the file", err)) {
        identify(&st, file);
        return fd;
    }
    close(fd);
    return -1;
}
