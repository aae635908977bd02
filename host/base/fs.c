/* SPDX-License-Identifier: MIT */
/* Files and directories. */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"

#define READ_FIRST 4096u
#define TREE_DEPTH 64 /* of what fs_rmtree() removes */

/* ---------------------------------------------------------------- read */

/* How much to begin with: a regular file's size, so that its content, which
 * may be a secret, is not strewn over the heap by growing. */
static size_t first_room(const struct stat *st, size_t max)
{
    size_t room = READ_FIRST;

    if (S_ISREG(st->st_mode) && st->st_size > 0)
        room = (uintmax_t)st->st_size < SIZE_MAX - 2 ? (size_t)st->st_size + 2
                                                     : max;
    if (room < 2 || room > max)
        room = max < SIZE_MAX - 2 ? max + 2 : max;
    return room;
}

/* Room is always at least one byte more than max may fill, so that a file that
 * is too large shows, and one for the NUL. */
int fs_read_fd(int fd, size_t max, char **data, size_t *n)
{
    struct stat st;
    size_t room, have = 0;
    char *p;
    int rc;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    room = first_room(&st, max);
    p = malloc(room);
    if (!p)
        return -ENOMEM;
    for (;;) {
        ssize_t got = read(fd, p + have, room - 1 - have);

        if (got < 0 && errno == EINTR)
            continue;
        rc = got < 0 ? -errno : 0;
        if (got <= 0)
            break;
        have += (size_t)got;
        rc = -EFBIG;
        if (have > max)
            break;
        if (have == room - 1) {
            size_t more = room <= max / 2 ? room * 2 : max + 2;
            char *q = realloc(p, more);

            rc = -ENOMEM;
            if (!q)
                break;
            p = q;
            room = more;
        }
    }
    if (rc < 0) {
        explicit_bzero(p, have);
        free(p);
        return rc;
    }
    p[have] = '\0';
    *data = p;
    *n = have;
    return 0;
}

int fs_read(const char *path, size_t max, char **data, size_t *n)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int rc;

    if (fd < 0)
        return -errno;
    rc = fs_read_fd(fd, max, data, n);
    close(fd);
    return rc;
}

/* --------------------------------------------------------------- write */

static int write_all(int fd, pbay_str data)
{
    while (data.n) {
        ssize_t n = write(fd, data.p, data.n);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        data.p += n;
        data.n -= (size_t)n;
    }
    return 0;
}

/* Make the new name last a power failure.  Some file systems can't: then it
 * lasts when they say so. */
static void sync_parent(const char *path)
{
    const char *slash = strrchr(path, '/');
    char dir[PATH_MAX];
    int fd;

    if (!slash)
        snprintf(dir, sizeof(dir), ".");
    else
        snprintf(dir, sizeof(dir), "%.*s",
                 slash == path ? 1 : (int)(slash - path), path);
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)fsync(fd);
    close(fd);
}

int fs_write_atomic(const char *path, pbay_str data, unsigned mode)
{
    char tmp[PATH_MAX];
    int n = snprintf(tmp, sizeof(tmp), "%s.XXXXXX", path);
    int fd, rc;

    if (n < 0 || (size_t)n >= sizeof(tmp))
        return -ENAMETOOLONG;
    fd = mkostemp(tmp, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    rc = write_all(fd, data);
    if (rc == 0 && (fchmod(fd, (mode_t)mode & 07777) < 0 || fsync(fd) < 0))
        rc = -errno;
    if (close(fd) < 0 && rc == 0)
        rc = -errno;
    if (rc == 0 && rename(tmp, path) < 0)
        rc = -errno;
    if (rc < 0)
        unlink(tmp);
    else
        sync_parent(path);
    return rc;
}

/* --------------------------------------------------------- directories */

static int make_dir(const char *path, unsigned mode)
{
    struct stat st;
    int rc;

    if (mkdir(path, (mode_t)mode) == 0)
        return 0;
    rc = -errno;
    /* Also EROFS and EACCES may hide that it is there. */
    if (stat(path, &st) < 0)
        return rc;
    return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int fs_mkdirs(const char *path, unsigned mode)
{
    char part[PATH_MAX];
    int n = snprintf(part, sizeof(part), "%s", path);
    int rc;

    if (n < 0 || (size_t)n >= sizeof(part))
        return -ENAMETOOLONG;
    if (!n)
        return -ENOENT;
    for (char *p = part + 1; *p; p++) {
        if (*p != '/' || p[-1] == '/')
            continue;
        *p = '\0';
        rc = make_dir(part, mode);
        *p = '/';
        if (rc < 0)
            return rc;
    }
    return make_dir(part, mode);
}

int fs_private_dir(const char *path)
{
    char own[PATH_MAX];
    int n = snprintf(own, sizeof(own), "%s", path);
    struct stat st;
    char *slash;
    int rc;

    if (n < 0 || (size_t)n >= sizeof(own))
        return -ENAMETOOLONG;
    while (n > 1 && own[n - 1] == '/') /* else a link would be followed */
        own[--n] = '\0';
    slash = strrchr(own, '/');
    if (slash && slash != own) {
        *slash = '\0';
        rc = fs_mkdirs(own, 0755);
        *slash = '/';
        if (rc < 0)
            return rc;
    }
    if (mkdir(own, 0700) < 0 && errno != EEXIST)
        return -errno;
    if (lstat(own, &st) < 0)
        return -errno;
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077))
        return -EPERM;
    return 0;
}

/* -------------------------------------------------------------- remove */

static int remove_at(int dir, const char *name, int depth);

/* Everything in the directory behind fd, which is closed.  Goes on after a
 * failure; the first one counts. */
static int empty_dir(int fd, int depth)
{
    DIR *d = fdopendir(fd);
    struct dirent *e;
    int rc = 0, one;

    if (!d) {
        rc = -errno;
        close(fd);
        return rc;
    }
    while ((e = readdir(d))) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        one = remove_at(dirfd(d), e->d_name, depth);
        if (one < 0 && rc == 0)
            rc = one;
    }
    closedir(d);
    return rc;
}

static int remove_at(int dir, const char *name, int depth)
{
    int fd, rc;

    if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
        return 0;
    /* Linux says EISDIR, POSIX EPERM. */
    if (errno != EISDIR && errno != EPERM)
        return -errno;
    if (depth >= TREE_DEPTH)
        return -ELOOP;
    rc = -errno;
    fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOTDIR ? rc : -errno;
    rc = empty_dir(fd, depth + 1);
    if (rc == 0 && unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        rc = -errno;
    return rc;
}

int fs_rmtree(const char *path)
{
    return remove_at(AT_FDCWD, path, 0);
}

int fs_join(char *out, size_t room, const char *dir, const char *name)
{
    size_t len = strlen(dir);
    const char *sep = len && dir[len - 1] == '/' ? "" : "/";
    int n = snprintf(out, room, "%s%s%s", dir, sep, name);

    return n < 0 || (size_t)n >= room ? -ENAMETOOLONG : 0;
}
