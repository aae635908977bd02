/* SPDX-License-Identifier: MIT */
/* claude.so: what a model's name tells of it.  A name that is not understood is
 * taken for a model of the newest generation.
 *
 * Sources: https://platform.claude.com/docs (models, extended and adaptive
 * thinking, tool use, migration to 2026-10-21), and `skills/claude-api` of
 * https://github.com/anthropics/skills. */
#include <string.h>

#include "claude.h"

#define NEWEST 9999

static int is_digit(char b)
{
    return b >= '0' && b <= '9';
}

static int starts(pbay_str s, const char *prefix)
{
    size_t n = strlen(prefix);

    return s.n >= n && memcmp(s.p, prefix, n) == 0;
}

/* A number of one or two digits between hyphens at *at (a date is longer). */
static int small_number(pbay_str s, size_t *at, int *out)
{
    size_t i = *at;
    int v = 0;

    while (i < s.n && is_digit(s.p[i]) && i - *at < 3)
        v = v * 10 + (s.p[i++] - '0');
    if (i == *at || i - *at > 2 || (i < s.n && s.p[i] != '-'))
        return 0;
    *out = v;
    *at = i < s.n ? i + 1 : i;
    return 1;
}

/* "opus-4-6", "opus-4-20250514", "sonnet-5"; and "3-5-sonnet-20241022", as the
 * names were up to 3.7. */
static int generation(pbay_str name)
{
    size_t at = 0;
    int major = 0, minor = 0;

    if (!small_number(name, &at, &major)) {
        while (at < name.n && name.p[at] != '-')
            at++;
        at += at < name.n;
        if (!small_number(name, &at, &major))
            return 0;
    }
    if (!small_number(name, &at, &minor))
        minor = 0;
    return major * 100 + minor;
}

void cl_traits(pbay_str model, struct traits *t)
{
    pbay_str name = model;
    int fable, g;

    memset(t, 0, sizeof *t);
    for (size_t i = 0; i + 7 <= model.n; i++)
        if (memcmp(model.p + i, "claude-", 7) == 0)
            name = (pbay_str){model.p + i + 7, model.n - i - 7};
    if (name.n != model.n)
        t->generation = generation(name);
    t->known = t->generation > 0;
    if (!t->known)
        t->generation = NEWEST;
    g = t->generation;
    fable = starts(name, "fable-");
    t->sampling = g <= 406;
    t->adaptive = g >= 406;
    t->prefill = g < 406;
    t->always_thinks =
        t->known && (fable || (starts(name, "opus-") && g == 505));
    t->between_tools = starts(name, "sonnet-") && g == 505;
    t->no_forced_tool = starts(name, "sonnet-") && g == 505;
}
