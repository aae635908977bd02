/* SPDX-License-Identifier: MIT */
/* Problems found in a configuration, and which key was probably meant. */
#include "config/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What an issue quotes comes from files and variables: nothing of it may reach
 * a terminal as a control sequence. */
static void make_printable(char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            *s = '?';
}

static char *dup_printable(const char *s)
{
    char *copy = s ? strdup(s) : NULL;
    if (copy)
        make_printable(copy);
    return copy;
}

static void push(struct cfg_issues *is, bool error, const char *file, int line,
                 char *text)
{
    struct cfg_issue *v = realloc(is->v, (is->n + 1) * sizeof *v);
    if (!v || !text) {
        is->v = v ? v : is->v;
        free(text);
        return;
    }
    make_printable(text);
    is->v = v;
    v[is->n++] = (struct cfg_issue){.error = error,
                                    .file = dup_printable(file),
                                    .line = line,
                                    .text = text};
}

void issue_add(struct cfg_issues *is, bool error, const char *file, int line,
               const char *fmt, va_list ap)
{
    char *text = NULL;
    if (!is)
        return;
    is->errors += error; /* counted even if there is no room for the text */
    if (is->n > LIM_CONF_ISSUES)
        return;
    if (is->n == LIM_CONF_ISSUES)
        push(is, false, NULL, 0,
             strdup("there are more problems than can be listed: mend these "
                    "first"));
    else if (vasprintf(&text, fmt, ap) >= 0)
        push(is, error, file, line, text);
}

static size_t rank(const struct cfg_issue *v, const char *const *files,
                   size_t n)
{
    for (size_t i = 0; v->file && i < n; i++)
        if (strcmp(v->file, files[i]) == 0)
            return i;
    return n;
}

void issues_sort(struct cfg_issues *is, const char *const *files, size_t n)
{
    /* Stable, and there are not many. */
    for (size_t i = 1; i < is->n; i++) {
        struct cfg_issue v = is->v[i];
        size_t at = i, r = rank(&v, files, n);
        for (; at; at--) {
            size_t before = rank(&is->v[at - 1], files, n);
            if (before < r || (before == r && is->v[at - 1].line <= v.line))
                break;
            is->v[at] = is->v[at - 1];
        }
        is->v[at] = v;
    }
}

void cfg_issues_done(struct cfg_issues *is)
{
    for (size_t i = 0; i < is->n; i++) {
        free(is->v[i].file);
        free(is->v[i].text);
    }
    free(is->v);
    *is = (struct cfg_issues){0};
}

void nearest_offer(struct nearest *n, const char *name)
{
    pbay_str candidate = str_c(name);
    unsigned far = str_distance(n->wanted, candidate);
    /* A third of the letters may be wrong; a key that starts with the whole of
     * what was written is as near as that. */
    size_t longer = candidate.n > n->wanted.n ? candidate.n : n->wanted.n;
    size_t allowed = longer / 3 ? longer / 3 : 1;
    if (far > allowed && n->wanted.n >= 3 && candidate.n > n->wanted.n &&
        memcmp(candidate.p, n->wanted.p, n->wanted.n) == 0)
        far = (unsigned)allowed;
    if (far <= allowed && (!n->name || far < n->far)) {
        n->name = name;
        n->far = far;
    }
}

const char *nearest_hint(const struct nearest *n, char *dst, size_t room)
{
    if (n->name)
        snprintf(dst, room, "; did you mean \"%s\"?", n->name);
    else
        dst[0] = '\0';
    return dst;
}
