/* SPDX-License-Identifier: MIT */
/* Private copies of module files.
 *
 * The dynamic linker takes two files of one path or inode for the same, and a
 * file that is overwritten changes under the running code.  So every load gets
 * a copy of its own in a directory of its own: the file's name must stay,
 * because libltdl derives symbol prefixes from it.
 *
 * The directory is held by a lock, which is how another host knows that it is
 * still in use; it is removed at the end, and what killed hosts left behind by
 * the next one. */
#include "config.h"

#include "module/loader_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/sha256.h"

#define PREFIX "patchbay-gen-"

static char *own_dir;     /* NULL: not made yet */
static int own_lock = -1; /* the directory itself, locked */

/* patchbay-gen-PID-XXXXXX of ours, and nobody holds it? */
static bool is_stale(int base, const char *name)
{
    struct stat st;
    char *end = NULL;
    long pid = strtol(name + strlen(PREFIX), &end, 10);
    if (pid <= 0 || !end || *end != '-')
        return false;
    /* Made a moment ago, it may not be locked yet. */
    if (kill((pid_t)pid, 0) == 0 || errno != ESRCH)
        return false;
    int fd =
        openat(base, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return false;
    /* The lock tells about processes whose ids we cannot see. */
    bool stale = fstat(fd, &st) == 0 && st.st_uid == geteuid() &&
                 flock(fd, LOCK_EX | LOCK_NB) == 0;
    close(fd);
    return stale;
}

static void remove_stale(const char *base)
{
    DIR *d = opendir(base);
    struct dirent *e;
    char path[4096];
    while (d && (e = readdir(d))) {
        if (strncmp(e->d_name, PREFIX, strlen(PREFIX)) == 0 &&
            is_stale(dirfd(d), e->d_name) &&
            fs_join(path, sizeof path, base, e->d_name) == 0)
            fs_rmtree(path);
    }
    if (d)
        closedir(d);
}

/* 0 with own_dir and own_lock, or negative errno and *err. */
static int make_in(const char *base, char **err)
{
    struct statvfs fs;
    if (statvfs(base, &fs) < 0) {
        int rc = -errno;
        mf_fail(err, "%s: %s", base, strerror(-rc));
        return rc;
    }
    if (fs.f_flag & ST_NOEXEC) {
        mf_fail(err,
                "%s is mounted noexec, so that no module can be loaded "
                "from there",
                base);
        return -EACCES;
    }
    remove_stale(base);
    char *path = NULL;
    if (asprintf(&path, "%s/" PREFIX "%ld-XXXXXX", base, (long)getpid()) < 0)
        return -ENOMEM;
    int fd = mkdtemp(path)
                 ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
                 : -1;
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0) {
        int rc = -errno;
        mf_fail(err, "%s: no directory can be made: %s", base, strerror(-rc));
        if (fd >= 0)
            close(fd);
        free(path);
        return rc;
    }
    own_dir = path;
    own_lock = fd;
    return 0;
}

/* In the directory that was asked for, else in the first that will do. */
static int make_dir(const char *gen_dir, char **err)
{
    char *why = NULL;
    if (gen_dir) {
        int rc = fs_mkdirs(gen_dir, 0700);
        if (rc < 0)
            mf_fail(&why, "%s: %s", gen_dir, strerror(-rc));
        else
            rc = make_in(gen_dir, &why);
        if (rc < 0)
            mf_fail(err,
                    "needs a private copy, but %s: set generation_dir to "
                    "another directory",
                    why ? why : "memory is out");
        free(why);
        return rc;
    }
    const char *const bases[] = {RUNDIR, STATEDIR, getenv("XDG_RUNTIME_DIR"),
                                 getenv("TMPDIR"), "/tmp"};
    char *all = NULL;
    for (size_t i = 0; i < sizeof bases / sizeof *bases; i++) {
        if (!bases[i] || bases[i][0] != '/' || access(bases[i], W_OK) < 0)
            continue;
        int rc = make_in(bases[i], &why);
        if (rc == 0) {
            free(why);
            free(all);
            return 0;
        }
        char *more = NULL;
        if (asprintf(&more, "%s%s%s", all ? all : "", all ? "; " : "",
                     why ? why : strerror(-rc)) >= 0) {
            free(all);
            all = more;
        }
    }
    mf_fail(err,
            "needs a private copy, but there is no place for one (%s): "
            "set generation_dir",
            all ? all : "no directory is writable");
    free(why);
    free(all);
    return -EACCES;
}

static bool write_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t put = write(fd, p, n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        p += put;
        n -= (size_t)put;
    }
    return true;
}

/* From the start of `from` to `to`, at most LIM_MODULE_FILE bytes. */
static bool copy_bytes(int from, int to, EVP_MD_CTX *md, char **err)
{
    char data[65536];
    off_t at = 0;
    for (;;) {
        ssize_t n = pread(from, data, sizeof data, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return mf_fail(err, "cannot be read: %s", strerror(errno));
        if (n == 0)
            return true;
        at += n;
        if ((uint64_t)at > LIM_MODULE_FILE)
            return mf_fail(err, "grows while it is read: try again");
        if (EVP_DigestUpdate(md, data, (size_t)n) != 1)
            return mf_fail(err, "cannot be hashed: out of memory");
        if (!write_all(to, data, (size_t)n))
            return mf_fail(err, "cannot be copied to %s: %s", own_dir,
                           strerror(errno));
    }
}

static bool copy_file(int from, const char *path, char digits[65], char **err)
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    int to =
        open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
    if (to < 0)
        return mf_fail(err, "cannot be copied to %s: %s", path,
                       strerror(errno));
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;
    if (!ok)
        mf_fail(err, "cannot be hashed: out of memory");
    ok = ok && copy_bytes(from, to, md, err) &&
         EVP_DigestFinal_ex(md, sum, &n) == 1 && n == 32;
    EVP_MD_CTX_free(md);
    if (ok && fchmod(to, 0444) < 0)
        ok = mf_fail(err, "cannot be copied to %s: %s", path, strerror(errno));
    if (close(to) < 0 && ok)
        ok = mf_fail(err, "cannot be copied to %s: %s", path, strerror(errno));
    if (ok)
        hex(sum, n, digits);
    return ok;
}

char *gen_copy(const char *gen_dir, int fd, unsigned number, const char *name,
               char digits[65], char **err)
{
    char *dir = NULL, *path = NULL;
    if (!own_dir && make_dir(gen_dir, err) < 0)
        return NULL;
    if (asprintf(&dir, "%s/%u", own_dir, number) < 0 ||
        asprintf(&path, "%s/%s", dir, name) < 0) {
        free(dir);
        mf_fail(err, "out of memory");
        return NULL;
    }
    bool ok = mkdir(dir, 0700) == 0;
    if (!ok)
        mf_fail(err, "cannot be copied to %s: %s", dir, strerror(errno));
    else
        ok = copy_file(fd, path, digits, err);
    if (!ok) {
        fs_rmtree(dir);
        free(path);
        path = NULL;
    }
    free(dir);
    return path;
}

void gen_remove(const char *copy)
{
    const char *slash = copy ? strrchr(copy, '/') : NULL;
    char *dir = slash ? strndup(copy, (size_t)(slash - copy)) : NULL;
    if (dir)
        fs_rmtree(dir);
    free(dir);
}

void gen_remove_all(void)
{
    if (own_dir)
        fs_rmtree(own_dir);
    if (own_lock >= 0)
        close(own_lock);
    free(own_dir);
    own_dir = NULL;
    own_lock = -1;
}
