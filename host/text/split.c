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

/* The best kind of unit that ends in front of i, white space up to `behind`
 * following. */
static enum place ends_at(pbay_str s, size_t i, size_t behind)
{
    unsigned lines = newlines(s, i, behind);

    return behind == s.n || lines > 1 ? PARAGRAPH
           : lines                    ? LINE
           : sentence_ends(s, i)      ? SENTENCE
           : behind > i               ? WORD
                                      : CHARACTER;
}

/* Inside a word it is asked after so many bytes whether there is room for it:
 * where it may have to be cut, and where it only has to be left. */
#define FINE   16
#define STRIDE 256

/* The longest run of whole units of the best kind of which one is within the
 * bound.  One way through the text, not further than the bound: a text is
 * walked over a few times in all, however it is made. */
static size_t cut(pbay_str s, uint64_t tokens)
{
    size_t best[CHARACTER + 1] = {0}, counted = 0, first = 0, n;
    struct tokens t;

    tokens_init(&t);
    for (size_t i = 0, behind; i < s.n; i = behind) {
        enum place kind;
        n = str_utf8(str_n(s.p + i, s.n - i), NULL);
        i += n ? n : 1;
        first = first ? first : i;
        behind = spaces(s, i);
        kind = ends_at(s, i, behind);
        if (kind == CHARACTER && i - counted < (best[WORD] ? STRIDE : FINE))
            continue;
        tokens_add(&t, str_n(s.p + counted, i - counted));
        if (tokens_sum(&t) > tokens)
            break;
        for (int k = (int)kind; k <= CHARACTER; k++)
            best[k] = behind;
        tokens_add(&t, str_n(s.p + i, behind - i));
        counted = behind;
    }
    for (n = PARAGRAPH; n < CHARACTER && !best[n];)
        n++;
    return best[n] ? best[n] : first;
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
