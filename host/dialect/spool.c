/* SPDX-License-Identifier: MIT */
/* Bodies in memory, then in an unlinked file, which is mapped to be sent.  What
 * is written stands in the page cache first, as with any file: the loop does
 * not wait for a disk. */
#include "config.h"

#include "dialect/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/str.h"

static _Atomic size_t all;

size_t spool_all(void)
{
    return atomic_load(&all);
}

void spool_init(struct spool *s, const char *dir, size_t max, size_t max_all)
{
    *s = (struct spool){.fd = -1, .max = max, .max_all = max_all, .dir = dir};
    buf_init(&s->memory, LIM_SPOOL_MEMORY);
}

/* Without a name from the start, or as soon as it is made. */
static int open_in(const char *dir)
{
    char name[4096];
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);

    if (fd >= 0)
        return fd;
    if ((size_t)snprintf(name, sizeof(name), "%s/upload-XXXXXX", dir) >=
        sizeof(name))
        return -ENAMETOOLONG;
    fd = mkostemp(name, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    unlink(name);
    return fd;
}

static int open_file(struct spool *s)
{
    const char *tmp = getenv("TMPDIR");
    int fd = s->dir ? open_in(s->dir) : -ENOENT;

    if (fd < 0 && tmp && *tmp)
        fd = open_in(tmp);
    if (fd < 0)
        fd = open_in("/var/tmp");
    s->fd = fd < 0 ? -1 : fd;
    return fd < 0 ? fd : 0;
}

static int write_all(int fd, pbay_str bytes)
{
    while (bytes.n) {
        ssize_t n = write(fd, bytes.p, bytes.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        bytes = str_n(bytes.p + n, bytes.n - (size_t)n);
    }
    return 0;
}

static int to_file(struct spool *s, pbay_str bytes)
{
    if (atomic_fetch_add(&all, bytes.n) + bytes.n > s->max_all) {
        atomic_fetch_sub(&all, bytes.n);
        return -EDQUOT;
    }
    s->counted += bytes.n;
    return write_all(s->fd, bytes);
}

int spool_add(struct spool *s, pbay_str bytes)
{
    int rc;

    if (bytes.n > s->max - s->n)
        return -EMSGSIZE;
    if (s->fd < 0 && s->n + bytes.n <= LIM_SPOOL_MEMORY) {
        rc = buf_add(&s->memory, bytes);
        s->n += rc < 0 ? 0 : bytes.n;
        return rc;
    }
    if (s->fd < 0) {
        rc = open_file(s);
        if (rc == 0)
            rc = to_file(s, buf_str(&s->memory));
        if (rc < 0)
            return rc;
        buf_done(&s->memory);
    }
    rc = to_file(s, bytes);
    s->n += rc < 0 ? 0 : bytes.n;
    return rc;
}

int spool_body(struct spool *s, pbay_str *body)
{
    void *p;

    if (s->fd < 0) {
        *body = buf_str(&s->memory);
        return 0;
    }
    p = mmap(NULL, s->n, PROT_READ, MAP_SHARED, s->fd, 0);
    if (p == MAP_FAILED)
        return -errno;
    s->map = p;
    *body = str_n(p, s->n);
    return 0;
}

void spool_done(struct spool *s)
{
    if (s->map)
        munmap(s->map, s->n);
    if (s->fd >= 0)
        close(s->fd);
    buf_done(&s->memory);
    atomic_fetch_sub(&all, s->counted);
    s->map = NULL;
    s->fd = -1;
    s->n = s->counted = 0;
}
