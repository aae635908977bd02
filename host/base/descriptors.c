/* SPDX-License-Identifier: MIT */
/* File descriptors; see descriptors.h. */
#include "config.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/descriptors.h"

void descriptors_take_all(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
        r.rlim_cur = r.rlim_max;
        setrlimit(RLIMIT_NOFILE, &r);
    }
}

void descriptors_reserve(size_t n)
{
    struct rlimit r;
    int some, last;

    if (getrlimit(RLIMIT_NOFILE, &r) < 0)
        return;
    if (n > r.rlim_cur)
        n = r.rlim_cur;
    if (n > INT_MAX)
        n = INT_MAX;
    some = n ? eventfd(0, EFD_CLOEXEC) : -1;
    if (some < 0)
        return;
    last = fcntl(some, F_DUPFD_CLOEXEC, (int)(n - 1));
    if (last >= 0)
        close(last);
    close(some);
}
