/* SPDX-License-Identifier: MIT */
/* The service manager's notification socket. */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sdnotify.h"
#include "base/str.h"

#define TEXT_MAX 2048

/* The socket's address and its length; 0 or -errno. */
static int address(const char *name, struct sockaddr_un *sa, socklen_t *len)
{
    size_t n = strlen(name);

    if ((name[0] != '/' && name[0] != '@') || n < 2)
        return -EAFNOSUPPORT;
    if (n >= sizeof(sa->sun_path))
        return -ENAMETOOLONG;
    memset(sa, 0, sizeof(*sa));
    sa->sun_family = AF_UNIX;
    memcpy(sa->sun_path, name, n);
    if (name[0] == '@')
        sa->sun_path[0] = '\0'; /* abstract: the length says where it ends */
    *len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    return 0;
}

static int send_text(const char *name, const char *text, size_t n)
{
    struct sockaddr_un sa;
    socklen_t len;
    int fd, rc = address(name, &sa, &len);

    if (rc < 0)
        return rc;
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (sendto(fd, text, n, MSG_NOSIGNAL, (struct sockaddr *)&sa, len) < 0)
        rc = -errno;
    close(fd);
    return rc;
}

void sd_notify_send(const char *fmt, ...)
{
    const char *name = getenv("NOTIFY_SOCKET");
    char text[TEXT_MAX];
    va_list ap;
    int n, rc;

    if (!name || !*name)
        return;
    va_start(ap, fmt);
    n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    if ((size_t)n >= sizeof(text))
        n = sizeof(text) - 1;
    rc = send_text(name, text, (size_t)n);
    if (rc < 0)
        log_line(LOG_DEBUG, "host", "cannot notify the service manager",
                 log_cstr("socket", name), log_cstr("why", strerror(-rc)),
                 LOG_END);
}

int64_t sd_watchdog_ms(void)
{
    const char *usec = getenv("WATCHDOG_USEC");
    const char *pid = getenv("WATCHDOG_PID");
    uint64_t us, whose;

    if (!usec || str_u64(str_c(usec), &us) < 0 || us > INT64_MAX)
        return 0;
    if (pid && (str_u64(str_c(pid), &whose) < 0 || whose != (uint64_t)getpid()))
        return 0;
    return (int64_t)(us / 1000);
}
