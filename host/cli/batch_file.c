/* SPDX-License-Identifier: MIT */
/* The files of a batch. */
#include "config.h"

#include "cli/batch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/sha256.h"
#include "base/str.h"

#define DEPTH   128
#define ID_MAX  256
#define TOLD    10      /* mistakes of the input that are told */
#define SYNC_US 1000000 /* between two syncs */

/* --- reading ------------------------------------------------------------- */

struct lines {
    FILE *f;
    char *text;
    size_t room;
    int64_t at;
    int line;
};

/* The next line without its feed: 1; 0: the end; -1: too long or unreadable.
 * *whole: it had a line feed. */
static int next_line(struct lines *l, pbay_str *out, int64_t *at, bool *whole)
{
    ssize_t n = getline(&l->text, &l->room, l->f);

    if (n < 0)
        return ferror(l->f) ? -1 : 0;
    *at = l->at;
    l->at += n;
    l->line++;
    *whole = l->text[n - 1] == '\n';
    *out = str_n(l->text, (size_t)n - *whole);
    return (size_t)n > LIM_BATCH_LINE ? -1 : 1;
}

static int lines_of(struct cli *cli, struct lines *l, int fd, const char *path)
{
    int copy = dup(fd);

    *l = (struct lines){.f = copy < 0 ? NULL : fdopen(copy, "r")};
    if (!l->f || fseek(l->f, 0, SEEK_SET) < 0)
        return cli_error(cli, EXIT_FAILED, "%s: %s", path, strerror(errno));
    return EXIT_OK;
}

static void lines_done(struct lines *l)
{
    if (l->f)
        fclose(l->f);
    free(l->text);
}

/* --- the input ----------------------------------------------------------- */

/* Is that a URL a batch may ask?  Not the raw door, not another batch. */
static bool path_ok(const char *path)
{
    return (!strncmp(path, "/v1/", 4) || !strncmp(path, "/api/", 5)) &&
           strncmp(path, "/v1/batch", 9) != 0;
}

/* What is wrong with it; NULL: nothing. */
static const char *item_wrong(struct json_object *o)
{
    pbay_str id = js_str(o, "custom_id", STR_NONE);

    if (!json_object_is_type(o, json_type_object))
        return "it is no JSON object";
    if (!id.n || id.n > ID_MAX || memchr(id.p, '\0', id.n))
        return "\"custom_id\" has to be a text of 1 to 256 bytes";
    if (strcmp(js_cstr(o, "method", "POST"), "POST"))
        return "\"method\" has to be \"POST\"";
    if (js_get(o, "url") && !js_typed(o, "url", json_type_string))
        return "\"url\" has to be a text";
    if (!path_ok(js_cstr(o, "url", "/v1/chat/completions")))
        return "\"url\" has to be one of the HTTP API, below /v1/ or /api/, "
               "and none of the raw door or of batches";
    if (!js_typed(o, "body", json_type_object))
        return "\"body\" has to be an object";
    if (js_bool(js_get(o, "body"), "stream", false))
        return "\"stream\" has no place in a batch";
    return NULL;
}

static int add_item(struct batch *b, const struct lines *l, int64_t at,
                    pbay_str text, struct json_object *o)
{
    struct batch_item *v = b->items, *it;
    char hash[65];

    if ((b->n & (b->n - 1)) == 0)
        v = realloc(v, (b->n ? 2 * b->n : 1) * sizeof(*v));
    if (!v)
        return -1;
    b->items = v;
    it = &v[b->n];
    *it = (struct batch_item){.at = at, .n = text.n, .line = l->line};
    sha256_hex(text, hash);
    memcpy(it->sha, hash, sizeof(it->sha) - 1);
    it->id = str_dup(js_str(o, "custom_id", STR("")));
    if (!it->id)
        return -1;
    b->n++;
    return 0;
}

static int by_id(const void *a, const void *b)
{
    const struct batch_item *const *x = a, *const *y = b;

    return strcmp((*x)->id, (*y)->id);
}

static struct batch_item *find(const struct batch *b, const char *id)
{
    struct batch_item key = {.id = (char *)(uintptr_t)id}, *k = &key;
    struct batch_item **found =
        bsearch(&k, b->by_id, b->n, sizeof(*b->by_id), by_id);

    return found ? *found : NULL;
}

static int index_items(struct cli *cli, struct batch *b)
{
    b->by_id = calloc(b->n + 1, sizeof(*b->by_id));
    if (!b->by_id)
        return cli_error(cli, EXIT_FAILED, "out of memory");
    for (size_t i = 0; i < b->n; i++)
        b->by_id[i] = &b->items[i];
    qsort(b->by_id, b->n, sizeof(*b->by_id), by_id);
    for (size_t i = 1; i < b->n; i++)
        if (!strcmp(b->by_id[i]->id, b->by_id[i - 1]->id))
            return cli_error(cli, EXIT_REFUSED,
                             "%s: lines %d and %d have the same custom_id "
                             "\"%.64s\"; nothing was asked",
                             b->in_path, b->by_id[i - 1]->line,
                             b->by_id[i]->line, b->by_id[i]->id);
    return EXIT_OK;
}

static int one_item(struct cli *cli, struct batch *b, const struct lines *l,
                    int64_t at, pbay_str text, size_t *wrong)
{
    struct json_object *o = NULL;
    struct js_error je;
    const char *why = NULL;
    int rc = 0;

    if (js_parse(text, DEPTH, &o, &je) < 0)
        why = je.why;
    else
        why = item_wrong(o);
    if (!why)
        rc = b->n == LIM_BATCH_LINES ? -1 : add_item(b, l, at, text, o);
    else if ((*wrong)++ < TOLD)
        cli_error(cli, EXIT_REFUSED, "%s:%d: %s", b->in_path, l->line, why);
    json_object_put(o);
    return rc < 0 ? cli_error(cli, EXIT_FAILED,
                              "%s:%d: more lines than memory or %d", b->in_path,
                              l->line, LIM_BATCH_LINES)
                  : EXIT_OK;
}

static int read_input(struct cli *cli, struct batch *b)
{
    struct lines l;
    size_t wrong = 0;
    pbay_str text;
    int64_t at;
    bool whole;
    int rc = 1, status = lines_of(cli, &l, b->in, b->in_path);

    while (!status && (rc = next_line(&l, &text, &at, &whole)) > 0)
        if (str_trim(text).n && !str_is(text, "\r"))
            status = one_item(cli, b, &l, at, text, &wrong);
    lines_done(&l);
    if (!status && rc < 0)
        return cli_error(cli, EXIT_FAILED,
                         "%s:%d: it cannot be read, or the line is longer than "
                         "%zu MiB",
                         b->in_path, l.line, LIM_BATCH_LINE >> 20);
    if (!status && wrong)
        return cli_error(cli, EXIT_REFUSED,
                         "%s: %zu lines are wrong; nothing was asked",
                         b->in_path, wrong);
    return status ? status : index_items(cli, b);
}

/* --- the output ---------------------------------------------------------- */

static bool is_failure(struct json_object *result)
{
    int64_t status = js_int(js_get(result, "response"), "status_code", 0);

    return status < 200 || status > 299;
}

void batch_count(struct batch_sums *s, struct json_object *result)
{
    struct json_object *u = js_get(js_get(result, "patchbay"), "usage");
    const char *currency = js_cstr(u, "currency", "");

    s->input += (uint64_t)js_int(u, "input", 0);
    s->output += (uint64_t)js_int(u, "output", 0);
    if (!js_get(u, "cost_nano") || !*currency ||
        (s->currency[0] && strcmp(s->currency, currency))) {
        s->unpriced += !is_failure(result);
        return;
    }
    snprintf(s->currency, sizeof(s->currency), "%s", currency);
    s->nano += js_int(u, "cost_nano", 0);
}

static int one_result(struct cli *cli, struct batch *b, int line, pbay_str text,
                      bool *again)
{
    struct json_object *o = NULL;
    struct batch_item *it;
    const char *why = NULL;

    js_parse(text, DEPTH, &o, NULL);
    it = find(b, js_cstr(o, "custom_id", ""));
    if (!it)
        why = "it is no result of this batch";
    else if (strcmp(it->sha,
                    js_cstr(js_get(o, "patchbay"), "request_sha256", "")))
        why = "the request of that custom_id was another one";
    if (why) {
        json_object_put(o);
        return cli_error(cli, EXIT_REFUSED,
                         "%s:%d: %s; name another file for the results",
                         b->out_path, line, why);
    }
    if (is_failure(o) && b->retry_failed) {
        *again = true;
    } else if (!it->done) {
        it->done = true;
        it->failed = is_failure(o);
        b->done++;
        b->failed += it->failed;
        batch_count(&b->sums, o);
    }
    json_object_put(o);
    return EXIT_OK;
}

/* A line that a crash has cut begins as put_result() writes it; what does not
 * is somebody else's file, of which nothing is taken. */
static int cut(struct cli *cli, const struct batch *b, int line, pbay_str text,
               int64_t at)
{
    static const char begin[] = "{\"id\":\"";
    size_t n = text.n < sizeof(begin) - 1 ? text.n : sizeof(begin) - 1;

    if (memcmp(text.p, begin, n) != 0)
        return cli_error(cli, EXIT_REFUSED,
                         "%s:%d: it is no result of this batch; name another "
                         "file for the results",
                         b->out_path, line);
    cli_warn(cli,
             "%s: its last line is not whole; it is cut off and asked "
             "again",
             b->out_path);
    return ftruncate(b->out, at) < 0 ? cli_error(cli, EXIT_FAILED, "%s: %s",
                                                 b->out_path, strerror(errno))
                                     : EXIT_OK;
}

static int read_output(struct cli *cli, struct batch *b, bool *again)
{
    struct lines l;
    pbay_str text;
    int64_t at;
    bool whole;
    int rc = 1, status = lines_of(cli, &l, b->out, b->out_path);

    while (!status && (rc = next_line(&l, &text, &at, &whole)) > 0)
        status = whole ? one_result(cli, b, l.line, text, again)
                       : cut(cli, b, l.line, text, at);
    lines_done(&l);
    if (!status && rc < 0)
        return cli_error(cli, EXIT_FAILED, "%s:%d: it cannot be read",
                         b->out_path, l.line);
    b->before = b->done;
    return status;
}

/* Results that are to be asked for again are taken out: the file is written
 * anew beside itself. */
static int drop_failed(struct cli *cli, struct batch *b)
{
    char *real = realpath(b->out_path, NULL), *path = NULL;
    struct lines l = {0};
    pbay_str text;
    int64_t at;
    bool whole;
    FILE *to = NULL;
    int status = EXIT_OK, fd = -1;

    if (!real || asprintf(&path, "%s.new", real) < 0) {
        free(real);
        return cli_error(cli, EXIT_FAILED, "out of memory");
    }
    /* Ours of a run that was killed; nobody else's, nor where a link leads. */
    unlink(path);
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    to = fd < 0 ? NULL : fdopen(dup(fd), "w");
    status = to ? lines_of(cli, &l, b->out, b->out_path) : EXIT_FAILED;
    while (!status && next_line(&l, &text, &at, &whole) > 0) {
        struct json_object *o = NULL;
        js_parse(text, DEPTH, &o, NULL);
        if (!is_failure(o) && fprintf(to, "%.*s\n", STR_ARG(text)) < 0)
            status = EXIT_FAILED;
        json_object_put(o);
    }
    lines_done(&l);
    if (to && (fclose(to) || fsync(fd)))
        status = EXIT_FAILED;
    if (status || flock(fd, LOCK_EX | LOCK_NB) || rename(path, real)) {
        status = cli_error(cli, EXIT_FAILED, "%s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
    } else {
        close(b->out);
        b->out = fd;
    }
    free(path);
    free(real);
    return status;
}

/* Both have to be plain files, and two: a batch is read again where it stands,
 * and its results are what a later run goes by. */
static int check_file(struct cli *cli, int fd, const char *path,
                      struct stat *st)
{
    if (fstat(fd, st) < 0)
        return cli_error(cli, EXIT_FAILED, "%s: %s", path, strerror(errno));
    return S_ISREG(st->st_mode) ? EXIT_OK
                                : cli_error(cli, EXIT_FAILED,
                                            "%s: a plain file is wanted", path);
}

static int open_output(struct cli *cli, struct batch *b, const struct stat *in)
{
    struct stat out, named;
    int status;

    /* Prompts and answers are nobody else's business. */
    b->out = open(b->out_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (b->out < 0)
        return cli_error(cli, EXIT_FAILED, "%s: %s", b->out_path,
                         strerror(errno));
    status = check_file(cli, b->out, b->out_path, &out);
    if (status)
        return status;
    if (in->st_dev == out.st_dev && in->st_ino == out.st_ino)
        return cli_error(cli, EXIT_REFUSED,
                         "%s: it is the file with the requests; name another "
                         "one for the results",
                         b->out_path);
    /* The other run may just have put a new one in its place. */
    if (flock(b->out, LOCK_EX | LOCK_NB) || stat(b->out_path, &named) < 0 ||
        named.st_ino != out.st_ino || named.st_dev != out.st_dev)
        return cli_error(cli, EXIT_FAILED, "%s: another run writes to it",
                         b->out_path);
    return EXIT_OK;
}

int batch_open(struct cli *cli, struct batch *b)
{
    bool again = false;
    struct stat in;
    int status;

    b->in = open(b->in_path, O_RDONLY | O_CLOEXEC);
    if (b->in < 0)
        return cli_error(cli, EXIT_FAILED, "%s: %s", b->in_path,
                         strerror(errno));
    status = check_file(cli, b->in, b->in_path, &in);
    if (!status)
        status = read_input(cli, b);
    if (!status)
        status = open_output(cli, b, &in);
    if (!status)
        status = read_output(cli, b, &again);
    if (!status && again)
        status = drop_failed(cli, b);
    if (!status && lseek(b->out, 0, SEEK_END) < 0)
        status =
            cli_error(cli, EXIT_FAILED, "%s: %s", b->out_path, strerror(errno));
    return status;
}

void batch_close(struct batch *b)
{
    if (b->unsynced)
        fdatasync(b->out);
    if (b->in >= 0)
        close(b->in);
    if (b->out >= 0)
        close(b->out);
    for (size_t i = 0; i < b->n; i++)
        free(b->items[i].id);
    free(b->items);
    free(b->by_id);
}

/* --- one request, one result --------------------------------------------- */

struct json_object *batch_request(struct cli *cli, const struct batch *b,
                                  const struct batch_item *it, int64_t n)
{
    struct json_object *o = NULL, *args = json_object_new_object();
    char *text = malloc(it->n + 1), hash[65] = "";
    bool same = text && pread(b->in, text, it->n, it->at) == (ssize_t)it->n;

    if (same)
        sha256_hex(str_n(text, it->n), hash);
    if (!same || strncmp(hash, it->sha, sizeof(it->sha) - 1) ||
        js_parse(str_n(text, it->n), DEPTH, &o, NULL) < 0 || !args ||
        js_add_int(args, "n", n) ||
        js_add_str(args, "path",
                   js_str(o, "url", STR("/v1/chat/completions"))) ||
        js_add(args, "body", json_object_get(js_get(o, "body")))) {
        cli_error(cli, EXIT_FAILED, "%s:%d: the file has changed meanwhile",
                  b->in_path, it->line);
        json_object_put(args);
        args = NULL;
    }
    json_object_put(o);
    free(text);
    return args;
}

int batch_append(struct cli *cli, struct batch *b, struct batch_item *it,
                 pbay_str line)
{
    off_t at = lseek(b->out, 0, SEEK_END);
    char *text = malloc(line.n + 1);
    ssize_t n = -1;
    int64_t now = clock_us();

    if (text) {
        memcpy(text, line.p, line.n);
        text[line.n] = '\n';
        do
            n = write(b->out, text, line.n + 1);
        while (n < 0 && errno == EINTR);
    }
    free(text);
    if (n != (ssize_t)line.n + 1) {
        int error = n < 0 ? errno : ENOSPC;
        /* No half line stays, if that can be helped. */
        if (n > 0 && ftruncate(b->out, at) < 0)
            error = errno;
        return cli_error(cli, EXIT_FAILED, "%s: %s", b->out_path,
                         strerror(error));
    }
    it->done = true;
    b->done++;
    b->unsynced = true;
    if (b->sync || now - b->synced_us > SYNC_US) {
        fdatasync(b->out);
        b->synced_us = now;
        b->unsynced = false;
    }
    return EXIT_OK;
}
