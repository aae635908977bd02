/* SPDX-License-Identifier: MIT */
/* llamacpp.so: the models in a directory.
 *
 * A file NAME.gguf is the model NAME; a folder with GGUF files in it is one
 * model under the folder's name, its first file that is no projector.  Of a
 * model in shards (NAME-00001-of-00003.gguf) the first stands for all, which
 * must be there.  A projector (mmproj) belongs to the model of its folder. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"

/* More shards than any model has. */
#define SHARDS_MAX 1024u
/* A folder, a slash, a file. */
#define NAME_ROOM 520

struct scan {
    const struct files_sink *to;
    int top; /* the directory itself */
    int stopped;
};

struct names {
    char **v;
    size_t n;
};

/* ---------------------------------------------------------------- the names */

static void names_free(struct names *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->v[i]);
    free(l->v);
    *l = (struct names){NULL, 0};
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The entries that are not hidden, in order; takes fd.  0, -ENOMEM, or another
 * negative errno. */
static int names_read(int fd, struct names *l)
{
    DIR *d = fdopendir(fd);
    struct dirent *e;
    int rc = d ? 0 : -errno;

    *l = (struct names){calloc(FILES_MAX, sizeof(char *)), 0};
    if (!d)
        close(fd);
    if (rc == 0 && !l->v)
        rc = -ENOMEM;
    while (rc == 0 && l->n < FILES_MAX) {
        errno = 0;
        e = readdir(d);
        if (!e) {
            rc = -errno;
            break;
        }
        if (e->d_name[0] == '.')
            continue;
        l->v[l->n] = strdup(e->d_name);
        if (!l->v[l->n])
            rc = -ENOMEM;
        else
            l->n++;
    }
    if (d)
        closedir(d);
    if (rc < 0)
        names_free(l);
    else
        qsort(l->v, l->n, sizeof *l->v, by_name);
    return rc;
}

static int is_gguf(const char *name)
{
    size_t n = strlen(name);

    return n > 5 && strcmp(name + n - 5, ".gguf") == 0;
}

static int is_projector(const char *name)
{
    return strstr(name, "mmproj") != NULL;
}

/* "...-00002-of-00003.gguf": which, of how many; 0 if it is no shard. */
static int shard_of(const char *name, unsigned *no, unsigned *of)
{
    static const char form[] = "-#####-of-#####.gguf";
    const size_t m = sizeof form - 1;
    size_t n = strlen(name);

    if (n <= m)
        return 0;
    name += n - m;
    for (size_t i = 0; i < m; i++)
        if (form[i] == '#' ? name[i] < '0' || name[i] > '9'
                           : name[i] != form[i])
            return 0;
    *no = (unsigned)strtoul(name + 1, NULL, 10);
    *of = (unsigned)strtoul(name + 10, NULL, 10);
    return 1;
}

/* ---------------------------------------------------------------- one model */

static void bad(const struct scan *s, const char *file, const char *why)
{
    s->to->bad(s->to->arg, file, why);
}

static int read_at(void *arg, uint64_t at, void *buf, size_t n)
{
    const int *fd = arg;
    char *p = buf;

    while (n) {
        ssize_t got = pread(*fd, p, n, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return -1;
        p += got;
        at += (uint64_t)got;
        n -= (size_t)got;
    }
    return 0;
}

/* Its header; also adds up its bytes.  0, or -1 after bad(). */
static int read_header(const struct scan *s, struct model_file *m)
{
    /* Not to be held up by what is no plain file. */
    int fd = openat(s->top, m->file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct gguf_source from = {read_at, &fd, 0};
    struct stat st;
    char why[256];
    int rc = -1;

    if (fd < 0 || fstat(fd, &st) < 0) {
        bad(s, m->file, strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        bad(s, m->file, "it is no plain file");
    } else {
        from.size = (uint64_t)st.st_size;
        m->bytes = from.size;
        m->changed = st.st_mtime;
        rc = gguf_read(&from, &m->gguf, why, sizeof why);
        if (rc < 0)
            bad(s, m->file, why);
    }
    if (fd >= 0)
        close(fd);
    return rc;
}

/* The other shards must be there.  0, or -1 after bad(). */
static int read_shards(const struct scan *s, struct model_file *m)
{
    char name[NAME_ROOM], why[128];
    size_t n = strlen(m->file);
    unsigned no, of;
    struct stat st;

    m->shards = 1;
    if (!shard_of(m->file, &no, &of))
        return 0;
    if (m->gguf.split_count && m->gguf.split_count != of) {
        bad(s, m->file,
            "its header and its name differ in how many shards "
            "there are");
        return -1;
    }
    if (!of || of > SHARDS_MAX) {
        bad(s, m->file, "no model has so many shards");
        return -1;
    }
    memcpy(name, m->file, n + 1);
    for (no = 2; no <= of; no++) {
        snprintf(name + n - 19, 20, "%05u-of-%05u.gguf", no, of);
        if (fstatat(s->top, name, &st, 0) < 0 || !S_ISREG(st.st_mode)) {
            snprintf(why, sizeof why, "shard %u of %u is not there", no, of);
            bad(s, m->file, why);
            return -1;
        }
        m->bytes += (uint64_t)st.st_size;
    }
    m->shards = of;
    return 0;
}

static void one(struct scan *s, const char *id, const char *file,
                const char *projector)
{
    struct model_file m = {.id = id, .file = file, .projector = projector};

    if (read_header(s, &m) < 0)
        return;
    /* What is in it counts, whatever it is called. */
    if (strcmp(m.gguf.type, "mmproj") == 0 ||
        strcmp(m.gguf.type, "adapter") == 0 ||
        strcmp(m.gguf.architecture, "clip") == 0)
        return;
    if (read_shards(s, &m) < 0)
        return;
    s->stopped = s->to->model(s->to->arg, &m);
}

/* ------------------------------------------------------------ the directory */

static void file(struct scan *s, const char *name)
{
    char id[NAME_ROOM];
    unsigned no, of;

    if (!is_gguf(name) || is_projector(name) ||
        (shard_of(name, &no, &of) && no != 1))
        return;
    snprintf(id, sizeof id, "%.*s", (int)strlen(name) - 5, name);
    one(s, id, name, NULL);
}

/* The folder's first model and its projector; neither: nothing. */
static void folder(struct scan *s, const char *name)
{
    int fd = openat(s->top, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char model[NAME_ROOM] = "", projector[NAME_ROOM] = "";
    struct names l;
    unsigned no, of;
    int rc = fd < 0 ? -errno : names_read(fd, &l);

    if (rc < 0) {
        bad(s, name, strerror(-rc));
        return;
    }
    for (size_t i = 0; i < l.n; i++) {
        char *to = is_projector(l.v[i]) ? projector : model;
        if (!is_gguf(l.v[i]) || *to || (shard_of(l.v[i], &no, &of) && no != 1))
            continue;
        snprintf(to, NAME_ROOM, "%s/%s", name, l.v[i]);
    }
    names_free(&l);
    if (*model)
        one(s, name, model, *projector ? projector : NULL);
}

static int open_top(const char *dir, char *err, size_t room)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        snprintf(err, room,
                 "models_dir \"%s\": %s; name a directory that the host may "
                 "read",
                 dir, strerror(errno));
    return fd;
}

int files_find(const char *dir, const char *id, const struct files_sink *to,
               char *err, size_t room)
{
    struct scan s = {.to = to};
    char name[NAME_ROOM];
    struct stat st;

    if (!*id || *id == '.' || strchr(id, '/') || strlen(id) > NAME_ROOM - 6)
        return 0;
    s.top = open_top(dir, err, room);
    if (s.top < 0)
        return -1;
    snprintf(name, sizeof name, "%s.gguf", id);
    if (fstatat(s.top, name, &st, 0) == 0 && !S_ISDIR(st.st_mode))
        file(&s, name);
    else if (fstatat(s.top, id, &st, 0) == 0 && S_ISDIR(st.st_mode))
        folder(&s, id);
    close(s.top);
    return 0;
}

int files_scan(const char *dir, const struct files_sink *to, char *err,
               size_t room)
{
    struct scan s = {.to = to};
    struct names l;
    struct stat st;
    int rc;

    s.top = open_top(dir, err, room);
    if (s.top < 0)
        return -1;
    int fd = openat(s.top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    rc = fd < 0 ? -errno : names_read(fd, &l);
    if (rc < 0) {
        snprintf(err, room,
                 "models_dir \"%s\": %s; name a directory that the host may "
                 "read",
                 dir, strerror(-rc));
        close(s.top);
        return -1;
    }
    for (size_t i = 0; i < l.n && !s.stopped; i++) {
        if (fstatat(s.top, l.v[i], &st, 0) < 0) {
            if (is_gguf(l.v[i]))
                bad(&s, l.v[i], strerror(errno));
        } else if (S_ISDIR(st.st_mode)) {
            folder(&s, l.v[i]);
        } else {
            file(&s, l.v[i]);
        }
    }
    if (l.n == FILES_MAX)
        bad(&s, ".", "the directory has more entries than are looked at");
    names_free(&l);
    close(s.top);
    return 0;
}
