/* SPDX-License-Identifier: MIT */
/* Conditions of a route's targets: the list `when`. */
#include <string.h>

#include "config/parts.h"

/* "8:00" and "08:00": minutes of the day; "24:00" is its end.  -1: it is
 * none. */
static int minutes(pbay_str s)
{
    pbay_str rest = s, hour = str_cut(&rest, ':');
    uint64_t h, m;

    if (rest.n != 2 || str_u64(hour, &h) < 0 || str_u64(rest, &m) < 0 ||
        m > 59 || h * 60 + m > 1440)
        return -1;
    return (int)(h * 60 + m);
}

static bool read_time(pbay_str v, struct cfg_term *t)
{
    pbay_str to = v, from = str_cut(&to, '-');

    t->kind = WHEN_TIME;
    t->from = minutes(from);
    t->to = minutes(to);
    return t->from >= 0 && t->to >= 0 && t->from != t->to;
}

static bool read_prompt(pbay_str word, struct cfg_term *t)
{
    pbay_str n = str_n(word.p + 7, word.n - 7);

    t->kind = word.p[6] == '>' ? WHEN_OVER : WHEN_UNDER;
    return str_u64(n, &t->n) == 0;
}

static bool read_term(struct load *l, pbay_str word, struct cfg_term *t)
{
    static const struct {
        const char *name;
        enum cfg_when_kind kind;
    } names[] = {{"key", WHEN_KEY}, {"user", WHEN_USER}, {"tag", WHEN_TAG}};
    pbay_str value = word, name = str_cut(&value, '=');

    *t = (struct cfg_term){.value = value};
    if (str_starts(word, "prompt>") || str_starts(word, "prompt<"))
        return read_prompt(word, t);
    if (!value.n)
        return false;
    if (str_is(name, "time"))
        return read_time(value, t);
    if (str_starts(name, "header:") && name.n > 7) {
        t->kind = WHEN_HEADER;
        t->name = load_dup(l, str_n(name.p + 7, name.n - 7));
        return true;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (str_is(name, names[i].name)) {
            t->kind = names[i].kind;
            return true;
        }
    return false;
}

static bool read_one(const struct section *s, const char *text,
                     struct cfg_when *w)
{
    pbay_str rest = str_c(text), word;
    struct cfg_term t, *more;

    w->text = text;
    if (strcmp(text, "always") == 0)
        return true;
    while (rest.p) {
        word = str_cut(&rest, ' ');
        if (!word.n)
            continue;
        if (!read_term(s->l, word, &t)) {
            section_issue(s, true, "when",
                          "\"%.*s\" is no condition; they are key=NAME, "
                          "user=NAME, tag=NAME, header:NAME=VALUE, "
                          "prompt>TOKENS, prompt<TOKENS, time=HH:MM-HH:MM and "
                          "always",
                          STR_ARG(str_head(word, 64)));
            return false;
        }
        more = load_grow(s->l, w->terms, w->n, sizeof *more);
        if (!more)
            return false;
        more[w->n++] = t;
        w->terms = more;
    }
    return true;
}

void route_when(const struct section *s, struct cfg_route *r)
{
    char **v = section_list(s, "when");
    size_t n = 0, want = 0;

    if (!v[0])
        return;
    while (r->targets[want])
        want++;
    while (v[n])
        n++;
    if (n != want) {
        section_issue(s, true, "when",
                      "one condition for each of the %zu targets is wanted, "
                      "\"always\" where there is none: when = [ \"key=ci\", "
                      "\"always\" ]",
                      want);
        return;
    }
    r->when = load_alloc(s->l, n * sizeof *r->when);
    for (size_t i = 0; r->when && i < n; i++)
        if (!read_one(s, v[i], &r->when[i]))
            return;
}
