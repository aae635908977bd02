/* SPDX-License-Identifier: MIT */
/* SDK helper library: the beginning and the end of a reply that passes by in
 * pieces, and what is said there of its usage. */
#include <string.h>

#include <patchbay/json.h>
#include <patchbay/wire.h>

#define FIRST 4096
#define LAST  8192

struct pbay_ends {
    size_t n_first, n_last;
    char first[FIRST], last[LAST];
};

static int begins(pbay_str s, const char *word)
{
    size_t n = strlen(word);

    if (s.n < n)
        return 0;
    for (size_t i = 0; i < n; i++) {
        char c = s.p[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if (c != word[i])
            return 0;
    }
    return 1;
}

pbay_ends *pbay_ends_new(const pbay_host *host, pbay_call *call,
                         const pbay_head *head)
{
    pbay_str type = pbay_header(head->headers, head->n_headers, "content-type");

    if (head->status < 200 || head->status > 299 ||
        !(begins(type, "application/json") ||
          begins(type, "text/event-stream") ||
          begins(type, "application/x-ndjson")))
        return NULL;
    return host->alloc(call, sizeof(pbay_ends));
}

void pbay_ends_feed(pbay_ends *e, pbay_str bytes)
{
    size_t n;

    if (!e || !bytes.n)
        return;
    n = FIRST - e->n_first;
    n = bytes.n < n ? bytes.n : n;
    memcpy(e->first + e->n_first, bytes.p, n);
    e->n_first += n;
    if (bytes.n >= LAST) {
        memcpy(e->last, bytes.p + bytes.n - LAST, LAST);
        e->n_last = LAST;
        return;
    }
    if (e->n_last + bytes.n > LAST) {
        n = e->n_last + bytes.n - LAST;
        memmove(e->last, e->last + n, e->n_last - n);
        e->n_last -= n;
    }
    memcpy(e->last + e->n_last, bytes.p, bytes.n);
    e->n_last += bytes.n;
}

static size_t skip_blank(const char *p, size_t at, size_t n)
{
    while (at < n && p[at] && strchr(" \t\r\n", p[at]))
        at++;
    return at;
}

/* Where the value that begins at `at` ends; 0: not in here. */
static size_t value_end(const char *p, size_t at, size_t n)
{
    int depth = 0, quoted = 0;

    for (; at < n; at++) {
        char c = p[at];
        if (quoted && c == '\\') {
            at++;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && (c == '{' || c == '[')) {
            depth++;
        } else if (!quoted && (c == '}' || c == ']')) {
            if (!depth)
                return at;
            if (!--depth)
                return at + 1;
        } else if (!quoted && !depth && (c == ',' || c == '\n')) {
            return at;
        }
    }
    return 0;
}

/* "name" at `at`, as a member: its value. */
static pbay_str value_at(const char *p, size_t at, size_t n, size_t name_n)
{
    pbay_str v = {NULL, 0};
    size_t end;

    if (at && p[at - 1] == '\\')
        return v;
    at = skip_blank(p, at + name_n + 2, n);
    if (at == n || p[at] != ':')
        return v;
    at = skip_blank(p, at + 1, n);
    end = value_end(p, at, n);
    while (end > at && strchr(" \t\r\n", p[end - 1]))
        end--;
    if (end > at)
        v = (pbay_str){p + at, end - at};
    if (v.n && pbay_json_check(v, NULL) < 0)
        v = (pbay_str){NULL, 0};
    return v;
}

pbay_str pbay_ends_find(const pbay_ends *e, const char *name, int last)
{
    pbay_str found = {NULL, 0}, v;
    size_t name_n = strlen(name);
    const char *p = !e ? NULL : last ? e->last : e->first;
    size_t n = !e ? 0 : last ? e->n_last : e->n_first;

    for (size_t i = 0; i + name_n + 2 < n; i++) {
        if (p[i] != '"' || memcmp(p + i + 1, name, name_n) != 0 ||
            p[i + 1 + name_n] != '"')
            continue;
        v = value_at(p, i, n, name_n);
        if (!v.n || pbay_json_type(v) == '0')
            continue;
        found = v;
        if (!last)
            break;
    }
    return found;
}
