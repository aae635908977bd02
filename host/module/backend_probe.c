/* SPDX-License-Identifier: MIT */
/* Asking a process over and over whether it is ready: GET PATH on its port.
 * Refused, silent and anything but 200 all mean: not yet. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fs.h"
#include "module/backend_int.h"

#define FIRST_MS   20   /* between two questions at first, */
#define MOST_MS    250  /* and later */
#define PATIENT_MS 5000 /* for an answer */

void be_probe_begin(struct be_probe *p, int port, const char *path, int64_t now)
{
    *p = (struct be_probe){.port = port, .fd = -1, .next = now + FIRST_MS};
    p->path = strdup(path);
}

void be_probe_end(struct be_probe *p)
{
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
}

void be_probe_again(struct be_probe *p, int64_t now)
{
    int64_t pause = FIRST_MS * (int64_t)(++p->asked);

    be_probe_end(p);
    p->next = now + (pause > MOST_MS ? MOST_MS : pause);
}

static void begin(struct be_probe *p, int64_t now)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)p->port)};

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    p->sent = false;
    p->n = 0;
    p->until = now + PATIENT_MS;
    if (p->fd < 0 || (connect(p->fd, (struct sockaddr *)&a, sizeof(a)) < 0 &&
                      errno != EINPROGRESS))
        be_probe_again(p, now);
}

static void ask(struct be_probe *p, int64_t now)
{
    char text[1200];
    int n = snprintf(text, sizeof(text),
                     "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                     "User-Agent: patchbay\r\nConnection: close\r\n\r\n",
                     p->path ? p->path : "/", p->port);
    ssize_t put = send(p->fd, text, (size_t)n, MSG_NOSIGNAL);

    if (put == n)
        p->sent = true; /* so little always fits a fresh socket */
    else if (put >= 0 || (errno != EAGAIN && errno != EINTR))
        be_probe_again(p, now);
}

/* "HTTP/1.1 200 ..." */
static bool good(const struct be_probe *p)
{
    return p->n >= 12 && memcmp(p->head, "HTTP/1.", 7) == 0 &&
           memcmp(p->head + 8, " 200", 4) == 0;
}

bool be_probe_look(struct be_probe *p, int64_t now)
{
    if (p->fd < 0 && now >= p->next)
        begin(p, now);
    if (p->fd >= 0 && !p->sent)
        ask(p, now);
    while (p->fd >= 0 && p->sent) {
        ssize_t got = recv(p->fd, p->head + p->n, sizeof(p->head) - p->n, 0);
        if (got > 0) {
            p->n += (size_t)got;
            if (good(p))
                return true;
            if (p->n >= 12)
                be_probe_again(p, now);
        } else if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            break;
        } else {
            be_probe_again(p, now);
        }
    }
    if (p->fd >= 0 && now >= p->until)
        be_probe_again(p, now);
    return false;
}

/* --- who listens --------------------------------------------------------- */

#define LISTENS 0x0a /* TCP_LISTEN */

/* "0: 0100007F:1F90 00000000:0000 0A 0:0 0:0 0 UID ..." */
static bool line_is_strange(const char *line, int port, unsigned uid)
{
    unsigned at, state, owner;

    return sscanf(line,
                  " %*u: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %u",
                  &at, &state, &owner) == 3 &&
           at == (unsigned)port && state == LISTENS && owner != uid;
}

bool be_port_strange_in(const char *text, int port, unsigned uid)
{
    const char *end = text + strlen(text);
    char line[256]; /* sscanf() looks for the end of all that it is given */

    while (text < end) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t n = (size_t)((stop ? stop : end) - text), kept = n;
        if (kept >= sizeof(line))
            kept = sizeof(line) - 1;
        memcpy(line, text, kept);
        line[kept] = '\0';
        if (line_is_strange(line, port, uid))
            return true;
        text += n + (stop != NULL);
    }
    return false;
}

bool be_port_is_strange(int port)
{
    static const char *const files[] = {"/proc/self/net/tcp",
                                        "/proc/self/net/tcp6"};
    bool strange = false;

    for (size_t i = 0; i < 2 && !strange; i++) {
        char *text;
        size_t n;

        /* Where the system does not tell there is nothing to go by. */
        if (fs_read(files[i], LIM_MIB(64), &text, &n) < 0)
            continue;
        strange = be_port_strange_in(text, port, geteuid());
        free(text);
    }
    return strange;
}
