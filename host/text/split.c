/* SPDX-License-Identifier: MIT */
/* Where a long text may be cut. */
#include "text/split.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/str.h"
#include "base/tokens.h"

enum place {
    PARAGRAPH,
    LINE,
    SENTENCE,
    WORD,
    CHARACTER
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static size_t spaces(pbay_str s, size_t from)
{
    size_t i = from;

    while (i < s.n && is_space(s.p[i]))
        i++;
    return i;
}

static unsigned newlines(pbay_str s, size_t from, size_t to)
{
    unsigned n = 0;

    for (size_t i = from; i < to; i++)
        n += s.p[i] == '\n';
    return n;
}

/* Does a sentence end in front of i? */
static bool sentence_ends(pbay_str s, size_t i)
{
    static const char *const wide[] = {"。", "！", "？"};

    if (i && strchr(".!?:;", s.p[i - 1]))
        return i < s.n && is_space(s.p[i]);
    for (size_t k = 0; i >= 3 && k < sizeof(wide) / sizeof(*wide); k++)
        if (memcmp(s.p + i - 3, wide[k], 3) == 0)
            return true;
    return false;
}

/* The next place behind `from` where this kind of unit ends, white space that
 * follows included. */
static size_t unit_end(pbay_str s, size_t from, enum place kind)
{
    size_t i = from;

    while (i < s.n) {
        size_t behind, n = str_utf8(str_n(s.p + i, s.n - i), NULL);

        i += n ? n : 1;
        if (kind == CHARACTER)
            return i;
        behind = spaces(s, i);
        if (kind == SENTENCE && sentence_ends(s, i))
            return behind;
        if (behind == i)
            continue;
        if (kind == WORD || (kind == LINE && newlines(s, i, behind)) ||
            (kind == PARAGRAPH && newlines(s, i, behind) > 1))
            return behind;
        if (kind != SENTENCE)
            i = behind;
    }
    return s.n;
}

/* The longest run of whole units within the bound; 0: not even one is. */
static size_t run_of(pbay_str s, enum place kind, uint64_t tokens)
{
    struct tokens t;
    size_t good = 0, end;

    tokens_init(&t);
    while (good < s.n) {
        end = unit_end(s, good, kind);
        tokens_add(&t, str_n(s.p + good, end - good));
        if (tokens_sum(&t) > tokens)
            break;
        good = end;
    }
    return good;
}

static size_t cut(pbay_str s, uint64_t tokens)
{
    for (enum place kind = PARAGRAPH; kind < CHARACTER; kind++) {
        size_t n = run_of(s, kind, tokens);
        if (n)
            return n;
    }
    size_t n = run_of(s, CHARACTER, tokens);
    return n ? n : unit_end(s, 0, CHARACTER);
}

pbay_str text_visible(pbay_str s)
{
    size_t from = spaces(s, 0), n = s.n;

    while (n > from && is_space(s.p[n - 1]))
        n--;
    return str_n(s.p + from, n - from);
}

/* A run begins with something visible. */
static struct piece piece_of(pbay_str run)
{
    size_t n = text_visible(run).n;

    return (struct piece){str_n(run.p, n), str_n(run.p + n, run.n - n)};
}

int text_split(pbay_str text, uint64_t tokens, size_t most, struct arena *a,
               struct pieces *out)
{
    size_t at = spaces(text, 0);

    *out = (struct pieces){.lead = str_n(text.p, at)};
    out->at = arena_alloc(a, most * sizeof(*out->at));
    if (!out->at)
        return -ENOMEM;
    while (at < text.n) {
        pbay_str rest = str_n(text.p + at, text.n - at);
        size_t n = cut(rest, tokens);
        /* Characters may be cut off in front of white space. */
        n = spaces(rest, n);
        if (out->n == most)
            return -E2BIG;
        out->at[out->n++] = piece_of(str_n(rest.p, n));
        at += n;
    }
    return 0;
}
