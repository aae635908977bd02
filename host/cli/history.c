/* SPDX-License-Identifier: MIT */
/* The file of a conversation's input lines. */
#include "config.h"

#include "cli/history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"

struct history_file {
    struct cli *cli;
    int fd;
    bool failed; /* a write did, which has been told */
};

/* XDG base directory specification: $XDG_STATE_HOME, else ~/.local/state. */
static int history_dir(char *dir, size_t room)
{
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    int n;

    if (state && *state == '/')
        n = snprintf(dir, room, "%s/patchbay", state);
    else if (home && *home == '/')
        n = snprintf(dir, room, "%s/.local/state/patchbay", home);
    else
        return -ENOENT;
    return n < 0 || (size_t)n >= room ? -ENAMETOOLONG : 0;
}

/* Ours, a regular file, and closed to others. */
static int open_private(const char *path)
{
    struct stat st;
    int fd =
        open(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return -errno;
    if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
        (!(st.st_mode & 077) || !fchmod(fd, 0600)))
        return fd;
    close(fd);
    return -EPERM;
}

/* Where the last `keep` lines of the text begin; *total: how many it has. */
static size_t last_lines(pbay_str s, size_t keep, size_t *total)
{
    size_t at = s.n, n = 0, start = 0;

    for (*total = 0; at > 0; at--) {
        if (s.p[at - 1] != '\n')
            continue;
        if (n++ == keep)
            start = at;
    }
    *total = n;
    return start;
}

static void hand_out(pbay_str s, void (*line)(void *arg, const char *text),
                     void *arg)
{
    while (s.n) {
        char *text = str_dup(str_cut(&s, '\n'));
        if (text && *text)
            line(arg, text);
        free(text);
    }
}

/* Read what there is; a file that has grown long is cut back. */
static int load(const char *path, int *fd,
                void (*line)(void *arg, const char *text), void *arg)
{
    size_t n, start, total;
    char *data;
    int rc = fs_read(path, LIM_CLI_HISTORY_FILE, &data, &n);

    if (rc)
        return rc;
    start = last_lines(str_n(data, n), LIM_CLI_HISTORY, &total);
    hand_out(str_n(data + start, n - start), line, arg);
    if (total > 2 * LIM_CLI_HISTORY &&
        !fs_write_atomic(path, str_n(data + start, n - start), 0600)) {
        close(*fd);
        *fd = open_private(path);
        rc = *fd < 0 ? *fd : 0;
    }
    free(data);
    return rc;
}

struct history_file *history_open(struct cli *cli,
                                  void (*line)(void *arg, const char *text),
                                  void *arg)
{
    struct history_file *f = calloc(1, sizeof(*f));
    char path[4096] = "the history's directory", dir[4096];
    int rc = f ? history_dir(dir, sizeof(dir)) : -ENOMEM;

    if (!rc)
        rc = fs_join(path, sizeof(path), dir, "history");
    if (!rc)
        rc = fs_mkdirs(dir, 0700);
    if (!rc) {
        f->cli = cli;
        f->fd = open_private(path);
        rc = f->fd < 0 ? f->fd : load(path, &f->fd, line, arg);
        if (rc && f->fd >= 0)
            close(f->fd);
    }
    if (!rc)
        return f;
    cli_warn(cli, "no history is kept: %s: %s", path, strerror(-rc));
    free(f);
    return NULL;
}

void history_add(struct history_file *f, const char *text)
{
    char *line;
    int n;

    if (!f || f->failed)
        return;
    n = asprintf(&line, "%s\n", text);
    if (n < 0)
        return;
    /* One write: lines of two conversations never mix.  A full disk costs the
     * history, not the conversation. */
    if (write(f->fd, line, (size_t)n) != n) {
        cli_warn(f->cli, "no more history is kept: %s", strerror(errno));
        f->failed = true;
    }
    free(line);
}

void history_close(struct history_file *f)
{
    if (!f)
        return;
    close(f->fd);
    free(f);
}
