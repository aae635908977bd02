/* SPDX-License-Identifier: MIT */
/* What loopback counts as a token: the white space before a word and up to
 * eight bytes of the word, never cut inside a character.  An estimate that
 * anybody can redo by hand, not what any real model counts. */
#include "lb.h"

#define WORD_BYTES 8

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

size_t lb_token_end(pbay_str text, size_t at)
{
    while (at < text.n && is_space(text.p[at]))
        at++;
    size_t start = at;
    while (at < text.n && !is_space(text.p[at]) && at - start < WORD_BYTES)
        at++;
    if (at == text.n)
        return at;
    /* Back to the start of a character that does not fit. */
    size_t back = at;
    while (back > start && ((unsigned char)text.p[back] & 0xc0) == 0x80)
        back--;
    return back > start ? back : at;
}

int64_t lb_token_count(pbay_str text)
{
    int64_t n = 0;
    for (size_t at = 0; at < text.n; n++)
        at = lb_token_end(text, at);
    return n;
}

pbay_str lb_token_cut(pbay_str text, int64_t n)
{
    size_t at = 0;
    while (at < text.n && n-- > 0)
        at = lb_token_end(text, at);
    return (pbay_str){text.p, at};
}
