/* SPDX-License-Identifier: MIT */
/* JSON (RFC 8259), checked strictly in one pass, and the members of the
 * top-level object. */
#include <patchbay/json.h>

#include "scan.h"

/* A name is looked up among this many by hash; further ones are compared one
 * by one. */
#define HASHED 512u
#define SLOTS  1024u

struct check {
    const char *start, *p, *end;
    /* One bit for each open container: 1 object, 0 array. */
    uint64_t open[PBAY_JSON_DEPTH / 64];
    unsigned depth;
};

/* The quote is behind us; ends behind the closing one. */
static int check_string(struct check *c)
{
    const char *p = c->p, *end = c->end;

    for (;;) {
        p = scan_plain(p, end);
        c->p = p;
        if (p == end)
            return PBAY_JSON_SYNTAX;
        if (*p == '"') {
            c->p = p + 1;
            return 0;
        }
        if (*p == '\\') {
            if (end - p < 2)
                return PBAY_JSON_SYNTAX;
            if (p[1] == 'u') {
                if (end - p < 6 || scan_hex(p[2]) < 0 || scan_hex(p[3]) < 0 ||
                    scan_hex(p[4]) < 0 || scan_hex(p[5]) < 0)
                    return PBAY_JSON_SYNTAX;
                p += 6;
            } else if (p[1] != '\0' && strchr("\"\\/bfnrt", p[1])) {
                p += 2;
            } else {
                return PBAY_JSON_SYNTAX;
            }
            continue;
        }
        if ((unsigned char)*p < 0x20)
            return PBAY_JSON_SYNTAX;
        do {
            size_t n = scan_utf8(p, end);
            c->p = p;
            if (!n)
                return PBAY_JSON_UTF8;
            p += n;
        } while (p < end && (unsigned char)*p >= 0x80);
    }
}

static int check_digits(struct check *c)
{
    const char *from = c->p;

    while (c->p < c->end && scan_is_digit(*c->p))
        c->p++;
    return c->p > from ? 0 : PBAY_JSON_SYNTAX;
}

static int check_number(struct check *c)
{
    if (*c->p == '-')
        c->p++;
    if (c->p < c->end && *c->p == '0')
        c->p++;
    else if (check_digits(c) < 0)
        return PBAY_JSON_SYNTAX;
    if (c->p < c->end && *c->p == '.') {
        c->p++;
        if (check_digits(c) < 0)
            return PBAY_JSON_SYNTAX;
    }
    if (c->p < c->end && (*c->p == 'e' || *c->p == 'E')) {
        c->p++;
        if (c->p < c->end && (*c->p == '+' || *c->p == '-'))
            c->p++;
        if (check_digits(c) < 0)
            return PBAY_JSON_SYNTAX;
    }
    return 0;
}

static int check_word(struct check *c, const char *word)
{
    size_t n = strlen(word);

    if ((size_t)(c->end - c->p) < n || memcmp(c->p, word, n) != 0)
        return PBAY_JSON_SYNTAX;
    c->p += n;
    return 0;
}

/* Anything but a container. */
static int check_scalar(struct check *c)
{
    switch (*c->p) {
    case '"':
        c->p++;
        return check_string(c);
    case 't':
        return check_word(c, "true");
    case 'f':
        return check_word(c, "false");
    case 'n':
        return check_word(c, "null");
    default:
        return check_number(c);
    }
}

static inline void check_white(struct check *c)
{
    c->p = scan_space(c->p, c->end);
}

/* `"name" :` with white space around both. */
static int check_name(struct check *c)
{
    int rc;

    check_white(c);
    if (c->p == c->end || *c->p != '"')
        return PBAY_JSON_SYNTAX;
    c->p++;
    rc = check_string(c);
    if (rc < 0)
        return rc;
    check_white(c);
    if (c->p == c->end || *c->p != ':')
        return PBAY_JSON_SYNTAX;
    c->p++;
    check_white(c);
    return 0;
}

static int check_push(struct check *c, int object)
{
    uint64_t bit = UINT64_C(1) << (c->depth % 64);

    if (c->depth == PBAY_JSON_DEPTH)
        return PBAY_JSON_DEEP;
    if (object)
        c->open[c->depth / 64] |= bit;
    else
        c->open[c->depth / 64] &= ~bit;
    c->depth++;
    c->p++;
    return 0;
}

static int check_in_object(const struct check *c)
{
    unsigned d = c->depth - 1;

    return (int)(c->open[d / 64] >> (d % 64) & 1);
}

/* A container at c->p is entered.  1: its first value is next; 0: it was empty
 * and is closed again. */
static int check_enter(struct check *c)
{
    int object = *c->p == '{';
    int rc = check_push(c, object);

    if (rc < 0)
        return rc;
    check_white(c);
    if (c->p < c->end && *c->p == (object ? '}' : ']')) {
        c->p++;
        c->depth--;
        return 0;
    }
    if (object) {
        rc = check_name(c);
        if (rc < 0)
            return rc;
    }
    return 1;
}

/* Behind a value: close what is to be closed.  1: another value is next; 0: the
 * container at depth `floor` is reached. */
static int check_after(struct check *c, unsigned floor)
{
    while (c->depth > floor) {
        int object = check_in_object(c);
        check_white(c);
        if (c->p == c->end)
            return PBAY_JSON_SYNTAX;
        if (*c->p == ',') {
            int rc = 0;
            c->p++;
            if (object)
                rc = check_name(c);
            else
                check_white(c);
            return rc < 0 ? rc : 1;
        }
        if (*c->p != (object ? '}' : ']'))
            return PBAY_JSON_SYNTAX;
        c->p++;
        c->depth--;
    }
    return 0;
}

/* One value and everything in it; white space before it is behind us. */
static int check_value(struct check *c)
{
    unsigned floor = c->depth;
    int rc;

    do {
        if (c->p == c->end)
            return PBAY_JSON_SYNTAX;
        if (*c->p == '{' || *c->p == '[') {
            rc = check_enter(c);
            if (rc > 0)
                continue;
        } else {
            rc = check_scalar(c);
        }
        if (rc == 0)
            rc = check_after(c, floor);
    } while (rc > 0);
    return rc;
}

static void check_init(struct check *c, pbay_str text)
{
    memset(c, 0, sizeof *c);
    c->start = text.n ? text.p : "";
    c->p = c->start;
    c->end = c->start + text.n;
    check_white(c);
}

static int check_over(struct check *c, int rc, size_t *at)
{
    if (rc == 0) {
        check_white(c);
        if (c->p != c->end)
            rc = PBAY_JSON_SYNTAX;
    }
    if (at)
        *at = (size_t)(c->p - c->start);
    return rc;
}

int pbay_json_check(pbay_str text, size_t *at)
{
    struct check c;
    int rc;

    check_init(&c, text);
    rc = check_value(&c);
    return check_over(&c, rc, at);
}

/* ------------------------------------------------ members, and names twice */

struct names {
    const pbay_kv *members;
    size_t n;
    uint64_t hash[HASHED];
    uint16_t slot[SLOTS]; /* place in members + 1 */
};

/* Of the name as it reads unescaped.  Seeded with an address, so that names
 * which collide can't be prepared. */
static uint64_t name_hash(const struct names *names, pbay_str k)
{
    const char *p = k.p, *end = k.p + k.n;
    uint64_t h = (uint64_t)(uintptr_t)names | 1;
    char out[4];

    while (p < end) {
        size_t n = 1;
        if (*p == '\\')
            n = pbay_scan_step(&p, end, out);
        else
            out[0] = *p++;
        for (size_t i = 0; i < n; i++) {
            h = (h ^ (unsigned char)out[i]) * UINT64_C(0x9fb21c651e98df25);
            h ^= h >> 32;
        }
    }
    return h;
}

static int name_equal(pbay_str a, pbay_str b)
{
    const char *p = a.p, *p_end = a.p + a.n;
    const char *q = b.p, *q_end = b.p + b.n;
    char x[12], y[12]; /* at most three steps behind the other */

    while (p < p_end && q < q_end) {
        size_t n = pbay_scan_step(&p, p_end, x);
        size_t m = pbay_scan_step(&q, q_end, y);
        /* Both give one byte of plain text, or one whole escaped character:
         * compare byte by byte and take in the rest of the shorter. */
        while (n < m && p < p_end)
            n += pbay_scan_step(&p, p_end, x + n);
        while (m < n && q < q_end)
            m += pbay_scan_step(&q, q_end, y + m);
        if (n != m || memcmp(x, y, n) != 0)
            return 0;
    }
    return p == p_end && q == q_end;
}

/* Is the newest name new?  Takes it in. */
static int name_add(struct names *names, pbay_str k)
{
    uint64_t h;
    size_t i;

    if (names->n >= HASHED) {
        for (i = 0; i < names->n; i++)
            if (name_equal(names->members[i].k, k))
                return PBAY_JSON_TWICE;
        names->n++;
        return 0;
    }
    h = name_hash(names, k);
    for (i = h % SLOTS; names->slot[i]; i = (i + 1) % SLOTS) {
        size_t other = names->slot[i] - 1u;
        if (names->hash[other] == h && name_equal(names->members[other].k, k))
            return PBAY_JSON_TWICE;
    }
    names->hash[names->n] = h;
    names->slot[i] = (uint16_t)(++names->n);
    return 0;
}

/* One member; c->p is at its name. */
static int member(struct check *c, pbay_kv *kv)
{
    const char *from;
    int rc;

    check_white(c);
    from = c->p;
    if (from == c->end || *from != '"')
        return PBAY_JSON_SYNTAX;
    c->p++;
    rc = check_string(c);
    if (rc < 0)
        return rc;
    kv->k = (pbay_str){from + 1, (size_t)(c->p - from) - 2};
    check_white(c);
    if (c->p == c->end || *c->p != ':')
        return PBAY_JSON_SYNTAX;
    c->p++;
    check_white(c);
    from = c->p;
    rc = check_value(c);
    if (rc < 0)
        return rc;
    kv->v = (pbay_str){from, (size_t)(c->p - from)};
    return 0;
}

/* Each member of the object at c->p; `take` returns 0, or what is wrong with
 * it. */
static int each_member(struct check *c,
                       int (*take)(void *arg, const pbay_kv *kv), void *arg)
{
    int rc = check_push(c, 1);

    if (rc < 0)
        return rc;
    check_white(c);
    if (c->p < c->end && *c->p == '}') {
        c->p++;
        return 0;
    }
    for (;;) {
        pbay_kv kv;
        const char *from;
        check_white(c);
        from = c->p;
        rc = member(c, &kv);
        if (rc < 0)
            return rc;
        rc = take(arg, &kv);
        if (rc < 0) {
            c->p = from;
            return rc;
        }
        check_white(c);
        if (c->p == c->end || (*c->p != ',' && *c->p != '}'))
            return PBAY_JSON_SYNTAX;
        if (*c->p++ == '}')
            return 0;
    }
}

/* What pbay_json_members() fills. */
struct list {
    struct names names;
    pbay_kv *out;
    size_t room;
};

static int take_listed(void *arg, const pbay_kv *kv)
{
    struct list *l = arg;

    if (l->names.n == l->room)
        return PBAY_JSON_FULL;
    l->out[l->names.n] = *kv;
    return name_add(&l->names, kv->k);
}

int pbay_json_members(pbay_str text, pbay_kv *out, size_t room, size_t *n,
                      size_t *at)
{
    struct list l;
    struct check c;
    int rc;

    check_init(&c, text);
    *n = 0;
    if (c.p < c.end && *c.p == '{') {
        l.names.members = out;
        l.names.n = 0;
        memset(l.names.slot, 0, sizeof l.names.slot);
        l.out = out;
        l.room = room;
        rc = check_over(&c, each_member(&c, take_listed, &l), at);
        if (rc == 0)
            *n = l.names.n;
        return rc;
    }
    rc = check_value(&c);
    rc = check_over(&c, rc, at);
    if (rc == 0) {
        if (at)
            *at = (size_t)(scan_space(c.start, c.end) - c.start);
        rc = PBAY_JSON_TYPE;
    }
    return rc;
}

/* ------------------------------------------------------- members by name */

struct picks {
    const pbay_str *names;
    pbay_str *values;
    size_t n;
};

static int take_picked(void *arg, const pbay_kv *kv)
{
    const struct picks *p = arg;

    for (size_t i = 0; i < p->n; i++)
        if (kv->k.n == p->names[i].n &&
            memcmp(kv->k.p, p->names[i].p, kv->k.n) == 0) {
            p->values[i] = kv->v;
            break;
        }
    return 0;
}

int pbay_json_pick(pbay_str text, const pbay_str *names, pbay_str *values,
                   size_t n, size_t *at)
{
    struct picks p = {names, values, n};
    struct check c;
    int rc;

    memset(values, 0, n * sizeof *values);
    check_init(&c, text);
    if (c.p < c.end && *c.p == '{')
        rc = each_member(&c, take_picked, &p);
    else
        rc = check_value(&c);
    rc = check_over(&c, rc, at);
    if (rc < 0)
        memset(values, 0, n * sizeof *values);
    return rc;
}
