/* SPDX-License-Identifier: MIT */
/* Running a regular expression: all steps that can be reached are followed at
 * once, character by character. */
#include <string.h>

#include "base/str.h"
#include "text/regex_int.h"

static int list_keep(struct rx_list *l, size_t n, struct arena *a)
{
    l->steps = arena_alloc(a, n * sizeof(*l->steps));
    l->place = arena_alloc(a, n * sizeof(*l->place));
    return l->steps && l->place ? 0 : -1;
}

int regex_keep(struct regex *r, struct arena *a)
{
    struct rx_step *code = arena_alloc(a, r->n * sizeof(*code));
    struct rx_class **classes =
        arena_alloc(a, r->n_classes * sizeof(struct rx_class *));

    /* Every step pushes two at most. */
    r->todo = arena_alloc(a, (2 * r->n + 1) * sizeof(*r->todo));
    if (!code || !classes || !r->todo || list_keep(&r->now, r->n, a) < 0 ||
        list_keep(&r->next, r->n, a) < 0)
        return -1;
    memcpy(code, r->code, r->n * sizeof(*code));
    if (r->n_classes)
        memcpy(classes, r->classes, r->n_classes * sizeof(*classes));
    r->code = code;
    r->classes = classes;
    return 0;
}

static bool in_list(const struct rx_list *l, uint32_t step)
{
    return l->place[step] < l->n && l->steps[l->place[step]] == step;
}

static bool is_word(pbay_str text, size_t i)
{
    char c = i < text.n ? text.p[i] : ' ';

    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z') || c == '_';
}

/* Does a step that takes no character hold here? */
static bool holds(enum rx_op op, pbay_str text, size_t i)
{
    bool edge = is_word(text, i) != (i > 0 && is_word(text, i - 1));

    return op == RX_START ? i == 0
           : op == RX_END ? i == text.n
                          : edge == (op == RX_EDGE);
}

/* Add a step and all that can be reached without a character.  How many were
 * looked at; *match. */
static size_t add(struct regex *r, struct rx_list *l, uint32_t first,
                  pbay_str text, size_t i, bool *match)
{
    size_t n = 0, seen = 0;

    r->todo[n++] = first;
    while (n) {
        uint32_t at = r->todo[--n];
        const struct rx_step *s = &r->code[at];
        seen++;
        if (in_list(l, at))
            continue;
        l->place[at] = (uint32_t)l->n;
        l->steps[l->n++] = at;
        if (s->op == RX_MATCH) {
            *match = true;
        } else if (s->op == RX_JUMP) {
            r->todo[n++] = s->x;
        } else if (s->op == RX_SPLIT) {
            r->todo[n++] = s->x;
            r->todo[n++] = s->y;
        } else if (s->op != RX_CHAR && s->op != RX_CLASS) {
            if (holds(s->op, text, i))
                r->todo[n++] = at + 1;
        }
    }
    return seen;
}

static bool takes(const struct regex *r, const struct rx_step *s, uint32_t c)
{
    const struct rx_class *k;

    if (s->op == RX_CHAR)
        return s->x == c;
    if (s->op != RX_CLASS)
        return false;
    k = r->classes[s->x];
    for (size_t i = 0; i < k->n; i++)
        if (c >= k->ranges[i].from && c <= k->ranges[i].to)
            return !k->not ;
    return k->not ;
}

static bool pay(uint64_t *budget, size_t cost)
{
    bool can = *budget >= cost;

    *budget -= can ? cost : *budget;
    return can;
}

int regex_match(struct regex *r, pbay_str text, uint64_t *budget)
{
    bool match = false;
    size_t i = 0;

    r->now.n = 0;
    for (;;) {
        uint32_t c = 0xfffd;
        size_t n, cost = 1;
        struct rx_list swap;

        cost += add(r, &r->now, 0, text, i, &match);
        if (!pay(budget, cost))
            return -1;
        if (match || i == text.n)
            return match;
        cost = 0;
        n = str_utf8(str_n(text.p + i, text.n - i), &c);
        i += n ? n : 1;
        r->next.n = 0;
        for (size_t k = 0; k < r->now.n; k++) {
            uint32_t at = r->now.steps[k];
            cost++;
            if (takes(r, &r->code[at], c))
                cost += add(r, &r->next, at + 1, text, i, &match);
        }
        if (!pay(budget, cost))
            return -1;
        if (match)
            return 1;
        swap = r->now;
        r->now = r->next;
        r->next = swap;
    }
}
