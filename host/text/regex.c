/* SPDX-License-Identifier: MIT */
/* The compiler of regular expressions; regex_match.c runs what it makes. */
#include <string.h>

#include "base/str.h"
#include "text/regex_int.h"

#define DEEP_MAX 32   /* groups within groups */
#define BRANCHES 2000 /* alternatives, all together */

struct maker {
    struct regex *r;
    struct arena *a;
    const char *p, *end;
    const char *why;
    size_t *work;              /* left */
    unsigned groups, branches; /* one within the other */
};

/* A class under construction. */
struct set {
    struct range ranges[CLASS_RANGES];
    size_t n;
    bool full;
};

static void alternatives(struct maker *m);

static void fail(struct maker *m, const char *why)
{
    if (!m->why)
        m->why = why;
    m->p = m->end;
}

static void work(struct maker *m)
{
    if (*m->work)
        --*m->work;
    else
        fail(m, "it is too large, with those before it");
}

static size_t emit(struct maker *m, enum rx_op op, uint32_t x, uint32_t y)
{
    struct regex *r = m->r;

    if (r->n == REGEX_STEPS) {
        fail(m, "it is too large");
        return r->n - 1;
    }
    r->code[r->n] = (struct rx_step){op, x, y};
    return r->n++;
}

static bool at(const struct maker *m, const char *what)
{
    return str_starts(str_n(m->p, (size_t)(m->end - m->p)), what);
}

static bool take(struct maker *m, const char *what)
{
    if (!at(m, what))
        return false;
    m->p += strlen(what);
    return true;
}

/* --- classes ------------------------------------------------------------- */

static void set_add(struct set *s, uint32_t from, uint32_t to)
{
    if (s->n == CLASS_RANGES)
        s->full = true;
    else
        s->ranges[s->n++] = (struct range){from, to};
}

static const struct range digits[] = {{'0', '9'}};
static const struct range words[] = {
    {'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
/* WhiteSpace and LineTerminator of ECMA-262. */
static const struct range spaces[] = {
    {0x09, 0x0d},     {0x20, 0x20},     {0xa0, 0xa0},     {0x1680, 0x1680},
    {0x2000, 0x200a}, {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f},
    {0x3000, 0x3000}, {0xfeff, 0xfeff}};
static const struct range line_ends[] = {
    {0x0a, 0x0a}, {0x0d, 0x0d}, {0x2028, 0x2029}};

/* Sorted ranges, or all that is between them. */
static void set_known(struct set *s, const struct range *r, size_t n, bool not )
{
    uint32_t next = 0;

    for (size_t i = 0; i < n; i++) {
        if (!not )
            set_add(s, r[i].from, r[i].to);
        else if (r[i].from > next)
            set_add(s, next, r[i].from - 1);
        next = r[i].to + 1;
    }
    if (not )
        set_add(s, next, 0x10ffff);
}

#define KNOWN(r) (r), sizeof(r) / sizeof(*(r))

/* \d and its like. */
static bool set_letter(struct set *s, char c)
{
    switch (c) {
    case 'd':
    case 'D':
        set_known(s, KNOWN(digits), c == 'D');
        return true;
    case 'w':
    case 'W':
        set_known(s, KNOWN(words), c == 'W');
        return true;
    case 's':
    case 'S':
        set_known(s, KNOWN(spaces), c == 'S');
        return true;
    default:
        return false;
    }
}

static void emit_set(struct maker *m, const struct set *s, bool not )
{
    struct rx_class *c = arena_alloc(m->a, sizeof(*c));
    struct range *r = arena_alloc(m->a, s->n * sizeof(*r));

    if (!c || !r) {
        fail(m, "there is no memory for it");
        return;
    }
    if (s->full || m->r->n_classes == CLASSES) {
        fail(m, "it is too large");
        return;
    }
    if (s->n)
        memcpy(r, s->ranges, s->n * sizeof(*r));
    *c = (struct rx_class){r, s->n, not };
    m->r->classes[m->r->n_classes] = c;
    emit(m, RX_CLASS, (uint32_t)m->r->n_classes++, 0);
}

/* --- escapes ------------------------------------------------------------- */

static bool hex(struct maker *m, size_t n, uint32_t *out)
{
    uint32_t v = 0;

    if ((size_t)(m->end - m->p) < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        char c = m->p[i];
        uint32_t d = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                     : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a') + 10
                     : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A') + 10
                                            : 16;
        if (d == 16)
            return false;
        v = v << 4 | d;
    }
    m->p += n;
    *out = v;
    return true;
}

static uint32_t unicode_escape(struct maker *m)
{
    uint32_t c = 0, low = 0;
    const char *back;

    if (take(m, "{")) {
        size_t n = 0;
        while (m->p + n < m->end && m->p[n] != '}')
            n++;
        if (n && n <= 6 && hex(m, n, &c) && take(m, "}") && c <= 0x10ffff)
            return c;
    } else if (hex(m, 4, &c)) {
        back = m->p;
        if (c >= 0xd800 && c < 0xdc00 && take(m, "\\u") && hex(m, 4, &low) &&
            low >= 0xdc00 && low < 0xe000)
            return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        m->p = back;
        return c;
    }
    fail(m, "\\u is not followed by the number of a character");
    return 0;
}

/* One character behind a backslash that is none of the classes. */
static uint32_t escape(struct maker *m, bool in_class)
{
    static const char letters[] = "tnvfr", stands[] = "\t\n\v\f\r";
    const char *known;
    uint32_t v = 0;
    char c = *m->p++;

    known = c ? strchr(letters, c) : NULL;
    if (known)
        return (unsigned char)stands[known - letters];
    if (c == 'u')
        return unicode_escape(m);
    if (c == 'x') {
        if (!hex(m, 2, &v))
            fail(m, "\\x is not followed by two hex digits");
        return v;
    }
    if (c == 'c' && m->p < m->end &&
        ((*m->p >= 'a' && *m->p <= 'z') || (*m->p >= 'A' && *m->p <= 'Z')))
        return (uint32_t)*m->p++ & 31;
    if (c == 'b' && in_class)
        return 8;
    if (c == '0' && !(m->p < m->end && *m->p >= '0' && *m->p <= '9'))
        return 0;
    if (c == 'p' || c == 'P')
        fail(m, "\\p{...} is not supported");
    else if ((c >= '0' && c <= '9') || c == 'k')
        fail(m, "back references are not supported");
    else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c & 0x80)
        fail(m, "there is an unknown escape");
    return (unsigned char)c;
}

static uint32_t character(struct maker *m)
{
    uint32_t c = 0xfffd;
    size_t n = str_utf8(str_n(m->p, (size_t)(m->end - m->p)), &c);

    m->p += n ? n : 1;
    return c;
}

/* One end of a range, or a whole class (false). */
static bool class_atom(struct maker *m, struct set *s, uint32_t *c)
{
    if (!take(m, "\\")) {
        *c = character(m);
        return true;
    }
    if (m->p == m->end) {
        fail(m, "it ends with a backslash");
        return false;
    }
    if (set_letter(s, *m->p)) {
        m->p++;
        return false;
    }
    *c = escape(m, true);
    return true;
}

static void class(struct maker *m)
{
    struct set s = {.n = 0};
    bool not = take(m, "^");

    while (m->p < m->end && *m->p != ']') {
        uint32_t from, to;
        if (!class_atom(m, &s, &from))
            continue;
        if (m->end - m->p > 1 && *m->p == '-' && m->p[1] != ']') {
            m->p++;
            if (!class_atom(m, &s, &to)) {
                set_add(&s, from, from);
                set_add(&s, '-', '-');
                continue;
            }
            if (to < from)
                fail(m, "a range in [...] is the wrong way round");
            set_add(&s, from, to);
        } else {
            set_add(&s, from, from);
        }
    }
    if (!take(m, "]"))
        fail(m, "a [ is not closed");
    else
        emit_set(m, &s, not );
}

/* --- atoms and quantifiers ----------------------------------------------- */

static void group(struct maker *m)
{
    if (take(m, "?:")) {
        /* goes without a number */
    } else if (at(m, "?=") || at(m, "?!") || at(m, "?<=") || at(m, "?<!")) {
        fail(m, "looking ahead or behind is not supported");
    } else if (take(m, "?<")) {
        while (m->p < m->end && *m->p != '>')
            m->p++;
        if (!take(m, ">"))
            fail(m, "a group's name does not end");
    } else if (at(m, "?")) {
        fail(m, "inline modifiers are not supported");
    }
    if (++m->groups > DEEP_MAX)
        fail(m, "its groups are nested too deeply");
    alternatives(m);
    m->groups--;
    if (!take(m, ")"))
        fail(m, "a ( is not closed");
}

/* false: what stands here takes no quantifier. */
static bool atom(struct maker *m)
{
    struct set s = {.n = 0};

    if (take(m, "(")) {
        group(m);
    } else if (take(m, "[")) {
        class(m);
    } else if (take(m, ".")) {
        set_known(&s, KNOWN(line_ends), false);
        emit_set(m, &s, true);
    } else if (take(m, "^")) {
        emit(m, RX_START, 0, 0);
        return false;
    } else if (take(m, "$")) {
        emit(m, RX_END, 0, 0);
        return false;
    } else if (take(m, "\\b")) {
        emit(m, RX_EDGE, 0, 0);
        return false;
    } else if (take(m, "\\B")) {
        emit(m, RX_NO_EDGE, 0, 0);
        return false;
    } else if (take(m, "\\")) {
        if (m->p == m->end)
            fail(m, "it ends with a backslash");
        else if (set_letter(&s, *m->p))
            m->p++, emit_set(m, &s, false);
        else
            emit(m, RX_CHAR, escape(m, false), 0);
    } else if (at(m, "*") || at(m, "+") || at(m, "?")) {
        fail(m, "there is nothing to repeat");
    } else {
        emit(m, RX_CHAR, character(m), 0);
    }
    return true;
}

static bool number(const char **p, const char *end, unsigned *out)
{
    const char *from = *p;
    unsigned v = 0;

    while (*p < end && **p >= '0' && **p <= '9') {
        if (v <= REGEX_TIMES)
            v = v * 10 + (unsigned)(**p - '0');
        (*p)++;
    }
    *out = v;
    return *p > from;
}

/* {n}, {n,} and {n,m}; anything else in braces is just text. */
static bool braces(struct maker *m, unsigned *min, unsigned *max)
{
    const char *p = m->p + 1;

    if (!number(&p, m->end, min))
        return false;
    *max = *min;
    if (p < m->end && *p == ',') {
        p++;
        if (!number(&p, m->end, max))
            *max = UINT32_MAX;
    }
    if (p == m->end || *p != '}')
        return false;
    m->p = p + 1;
    if (*min > REGEX_TIMES || (*max > REGEX_TIMES && *max != UINT32_MAX))
        fail(m, "a count in {...} is above 1000");
    else if (*max < *min)
        fail(m, "a count in {...} is the wrong way round");
    return true;
}

static bool quantifier(struct maker *m, unsigned *min, unsigned *max)
{
    bool found = true;

    *min = 0;
    *max = UINT32_MAX;
    if (take(m, "+"))
        *min = 1;
    else if (take(m, "?"))
        *max = 1;
    else if (!take(m, "*"))
        found = at(m, "{") && braces(m, min, max);
    if (found)
        take(m, "?"); /* whether it is greedy does not matter here */
    return found;
}

/* The atom again, from its text. */
static void again(struct maker *m, const char *from)
{
    const char *behind = m->p;

    work(m);
    if (m->why)
        return;
    m->p = from;
    atom(m);
    if (!m->why)
        m->p = behind;
}

/* The atom at `from`, whose code begins at `code`, min to max times. */
static void repeat(struct maker *m, const char *from, size_t code, unsigned min,
                   unsigned max)
{
    size_t splits[REGEX_TIMES + 1], n = 0, loop;

    m->r->n = code;
    for (unsigned i = 0; i < min && !m->why; i++)
        again(m, from);
    if (max == UINT32_MAX) {
        loop = emit(m, RX_SPLIT, (uint32_t)m->r->n + 1, 0);
        again(m, from);
        emit(m, RX_JUMP, (uint32_t)loop, 0);
        m->r->code[loop].y = (uint32_t)m->r->n;
        return;
    }
    for (unsigned i = min; i < max && !m->why; i++) {
        splits[n++] = emit(m, RX_SPLIT, (uint32_t)m->r->n + 1, 0);
        again(m, from);
    }
    while (n)
        m->r->code[splits[--n]].y = (uint32_t)m->r->n;
}

static void piece(struct maker *m)
{
    const char *from = m->p;
    size_t code = m->r->n, classes = m->r->n_classes;
    unsigned min, max;

    work(m);
    if (m->why)
        return;
    if (!atom(m) || m->why || !quantifier(m, &min, &max) || m->why)
        return;
    m->r->n_classes = classes;
    repeat(m, from, code, min, max);
}

/* Room for one step before those that are there already from `code` on. */
static void split_before(struct maker *m, size_t code)
{
    struct regex *r = m->r;

    emit(m, RX_JUMP, 0, 0);
    if (m->why)
        return;
    memmove(&r->code[code + 1], &r->code[code],
            (r->n - 1 - code) * sizeof(*r->code));
    for (size_t i = code + 1; i < r->n; i++) {
        struct rx_step *s = &r->code[i];
        if (s->op == RX_JUMP || s->op == RX_SPLIT) {
            s->x += s->x >= code;
            s->y += s->op == RX_SPLIT && s->y >= code;
        }
    }
    r->code[code] = (struct rx_step){RX_SPLIT, (uint32_t)code + 1, 0};
}

static void alternatives(struct maker *m)
{
    size_t code = m->r->n, jump;

    while (m->p < m->end && *m->p != '|' && *m->p != ')')
        piece(m);
    if (!take(m, "|"))
        return;
    split_before(m, code);
    if (m->why)
        return;
    jump = emit(m, RX_JUMP, 0, 0);
    m->r->code[code].y = (uint32_t)m->r->n;
    if (++m->branches > BRANCHES)
        fail(m, "it has too many alternatives");
    alternatives(m);
    m->branches--;
    if (!m->why)
        m->r->code[jump].x = (uint32_t)m->r->n;
}

struct regex *regex_compile(pbay_str pattern, struct arena *a, size_t *work,
                            const char **why)
{
    struct regex *r = arena_alloc(a, sizeof(*r));
    struct rx_step code[REGEX_STEPS];
    struct rx_class *classes[CLASSES];
    struct maker m = {.r = r, .a = a, .p = pattern.p, .work = work};

    *why = "there is no memory for it";
    if (!r)
        return NULL;
    m.end = pattern.p + pattern.n;
    r->code = code;
    r->classes = classes;
    alternatives(&m);
    if (!m.why && m.p < m.end)
        fail(&m, "a ) has no (");
    emit(&m, RX_MATCH, 0, 0);
    *why = m.why;
    if (m.why || regex_keep(r, a) == 0)
        return m.why ? NULL : r;
    *why = "there is no memory for it";
    return NULL;
}
