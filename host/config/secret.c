/* SPDX-License-Identifier: MIT */
/* A provider's key: from api_key, from a file, or from the environment. */
#include "config/parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"

/* What can stand in a header's value. */
static bool secret_ok(pbay_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
            return false;
    return true;
}

/* Where api_key_file is; NULL after an issue. */
static const char *find_file(const struct section *s, const char *name)
{
    struct load *l = s->l;
    if (*name == '/')
        return name;
    if (!*name || strcmp(name, ".") == 0 || strstr(name, "..")) {
        section_issue(s, true, "api_key_file",
                      "the name of a file is wanted, "
                      "without \"..\"");
        return NULL;
    }
    const char *dir = load_env(l, "CREDENTIALS_DIRECTORY");
    if (dir) {
        const char *path = path_resolve(l, dir, name);
        if (access(path, F_OK) == 0)
            return path;
    }
    return path_resolve(l, s->doc ? s->doc->dir : NULL, name);
}

static void warn_exposed(const struct section *s, const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & S_IROTH))
        section_issue(s, false, "api_key_file",
                      "anybody on this machine can "
                      "read %s: chmod o-r it",
                      path);
}

static struct secret *read_file(const struct section *s, const char *name)
{
    const char *path = find_file(s, name);
    if (!path)
        return NULL;
    char *data = NULL;
    size_t n = 0;
    int rc = fs_read(path, LIM_SECRET, &data, &n);
    if (rc) {
        const char *also = "";
        if (rc == -ENOENT && *name != '/')
            also = load_env(s->l, "CREDENTIALS_DIRECTORY")
                       ? "; neither is it in CREDENTIALS_DIRECTORY"
                       : "; CREDENTIALS_DIRECTORY, where systemd puts a "
                         "service's credentials, is not set here";
        section_issue(
            s, !s->l->lenient, "api_key_file", "cannot read %s: %s%s", path,
            rc == -EFBIG ? "too large for a key" : strerror(-rc), also);
        return NULL;
    }
    warn_exposed(s, path);
    size_t all = n;
    while (n && (data[n - 1] == '\n' || data[n - 1] == '\r'))
        n--;
    struct secret *key = NULL;
    if (!n)
        section_issue(s, true, "api_key_file", "%s is empty", path);
    else if (!secret_ok(str_n(data, n)))
        section_issue(s, true, "api_key_file",
                      "%s holds spaces or control "
                      "characters: the key alone, on one line, is wanted",
                      path);
    else
        key = load_secret(s->l, str_n(data, n), false);
    explicit_bzero(data, all);
    free(data);
    return key;
}

/* A key in clear in a file that others can read. */
static void warn_clear(const struct section *s, const struct raw *raw)
{
    struct doc *d = NULL;
    for (size_t i = 0; i < s->l->n_docs; i++)
        if (s->l->docs[i] == s->doc)
            d = s->l->docs[i];
    if (!d || !d->exposed || d->warned || raw->origin.source != CFG_FILE ||
        raw->kind != RAW_STRING || strstr(raw->s, "${"))
        return;
    d->warned = true;
    section_issue(s, false, "api_key",
                  "anybody on this machine can read this file, and a key "
                  "stands in it in clear: use \"${VAR}\" or api_key_file, or "
                  "chmod o-r the file");
}

static struct secret *read_key(const struct section *s, const struct raw *raw)
{
    const struct node *v = section_value(s, "api_key");
    struct secret *key = NULL;
    if (!v->s)
        return NULL;
    pbay_str text = str_c(v->s);
    if (!text.n)
        section_issue(s, false, "api_key",
                      "it is empty, so that no key is "
                      "sent: leave it out if that is meant");
    else if (text.n > LIM_SECRET || !secret_ok(text))
        section_issue(s, true, "api_key",
                      "a key has neither spaces nor "
                      "control characters, and at most %zu bytes",
                      LIM_SECRET);
    else
        key = load_secret(s->l, text, false);
    warn_clear(s, raw);
    return key;
}

void provider_secret(const struct section *s, struct cfg_provider *p)
{
    struct raw key = section_raw(s, "api_key");
    const char *file = section_string(s, "api_key_file");
    /* A file that is named wins over a variable, but two places in the
     * configuration are a mistake. */
    if (file && key.kind != RAW_NONE && key.origin.source == CFG_FILE) {
        section_issue(s, true, "api_key_file",
                      "api_key is set as well: "
                      "remove one");
        return;
    }
    p->api_key = file ? read_file(s, file) : read_key(s, &key);
}
