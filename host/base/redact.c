/* SPDX-License-Identifier: MIT */
/* Secrets: the type that holds one, and the list of values that are taken out
 * of every text on its way to a log or a client. */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/log.h"
#include "base/str.h"

#define SHORTEST 6u
#define LONGEST  ((size_t)1 << 20)
#define MASK     "***"

struct entry {
    struct entry *next;
    unsigned refs;
    pbay_str value;
    pbay_str base64; /* of value, without padding */
    char bytes[];    /* both of them */
};

static struct {
    pthread_mutex_t lock;
    struct entry *list;
    unsigned first[256]; /* how many patterns begin with that byte */
    bool blind;          /* an entry is missing: replace everything */
} registry = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ------------------------------------------------------------- matching */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* `digits` hexadecimal digits at p, or -1. */
static long hex_number(const char *p, size_t digits)
{
    long v = 0;

    for (size_t i = 0; i < digits; i++) {
        int d = hex_digit(p[i]);

        if (d < 0)
            return -1;
        v = v * 16 + d;
    }
    return v;
}

static size_t utf8_put(long cp, char out[3])
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xC0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3F));
        return 2;
    }
    out[0] = (char)(0xE0 | cp >> 12);
    out[1] = (char)(0x80 | (cp >> 6 & 0x3F));
    out[2] = (char)(0x80 | (cp & 0x3F));
    return 3;
}

/* What the JSON escape at the start of s stands for: its bytes in out, *n of
 * them; its own length, or 0 if it is none. */
static size_t json_unescape(pbay_str s, char out[3], size_t *n)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *at;
    long cp;

    if (s.n < 2)
        return 0;
    if (s.p[1] == 'u') {
        cp = s.n >= 6 ? hex_number(s.p + 2, 4) : -1;
        if (cp < 0)
            return 0;
        *n = utf8_put(cp, out);
        return 6;
    }
    at = s.p[1] ? strchr(from, s.p[1]) : NULL;
    if (!at)
        return 0;
    out[0] = to[at - from];
    *n = 1;
    return 2;
}

static size_t percent_unescape(pbay_str s, char out[3], size_t *n)
{
    long byte = s.n >= 3 ? hex_number(s.p + 1, 2) : -1;

    if (byte < 0)
        return 0;
    out[0] = (char)byte;
    *n = 1;
    return 3;
}

/* Bytes at the start of text that are `value` written with escapes that begin
 * with `mark`; 0: they are not. */
static size_t match_escaped(pbay_str text, pbay_str value, char mark)
{
    size_t i = 0, at = 0;

    while (i < value.n) {
        char out[3];
        size_t n = 1, len = 1;

        if (at >= text.n)
            return 0;
        out[0] = text.p[at];
        if (out[0] == mark) {
            pbay_str rest = str_n(text.p + at, text.n - at);

            len = mark == '%' ? percent_unescape(rest, out, &n)
                              : json_unescape(rest, out, &n);
            if (!len)
                return 0;
        }
        if (n > value.n - i || memcmp(out, value.p + i, n) != 0)
            return 0;
        i += n;
        at += len;
    }
    return at;
}

/* A text to look through. */
struct search {
    pbay_str text;
    bool json, percent; /* it has such escapes at all */
};

static struct search search_begin(pbay_str text)
{
    return (struct search){
        .text = text,
        .json = text.n && memchr(text.p, '\\', text.n),
        .percent = text.n && memchr(text.p, '%', text.n),
    };
}

static bool begins(pbay_str text, pbay_str with)
{
    return text.n >= with.n && memcmp(text.p, with.p, with.n) == 0;
}

static size_t max_of(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* The longest registered value at that place, as it is or escaped. */
static size_t match(const struct search *s, size_t at)
{
    pbay_str text = str_n(s->text.p + at, s->text.n - at);
    unsigned char c = (unsigned char)text.p[0];
    bool plain = registry.first[c] > 0;
    size_t best = 0;

    if (!plain && c != '\\' && c != '%')
        return 0;
    for (const struct entry *e = registry.list; e; e = e->next) {
        if (plain && begins(text, e->value))
            best = max_of(best, e->value.n);
        if (plain && begins(text, e->base64))
            best = max_of(best, e->base64.n);
        if (s->json)
            best = max_of(best, match_escaped(text, e->value, '\\'));
        if (s->percent)
            best = max_of(best, match_escaped(text, e->value, '%'));
    }
    return best;
}

/* The next run of text that has to go, from `at` on: overlapping values are one
 * run.  False: there is none. */
static bool next_run(const struct search *s, size_t at, size_t *from,
                     size_t *to)
{
    size_t n = 0;

    for (; at < s->text.n; at++) {
        n = match(s, at);
        if (n)
            break;
    }
    if (!n)
        return false;
    *from = at;
    *to = at + n;
    for (at++; at < *to; at++)
        *to = max_of(*to, at + match(s, at));
    return true;
}

/* ------------------------------------------------------------- the list */

static struct entry **find(pbay_str value)
{
    struct entry **at = &registry.list;

    while (*at && !str_eq((*at)->value, value))
        at = &(*at)->next;
    return at;
}

static struct entry *entry_new(pbay_str value)
{
    size_t room = value.n + 4 * (value.n / 3 + 1) + 1;
    struct entry *e = value.n <= LONGEST ? malloc(sizeof(*e) + room) : NULL;
    int n;

    if (!e)
        return NULL;
    memcpy(e->bytes, value.p, value.n);
    n = EVP_EncodeBlock((unsigned char *)e->bytes + value.n,
                        (const unsigned char *)value.p, (int)value.n);
    e->value = str_n(e->bytes, value.n);
    e->base64 = str_n(e->bytes + value.n, n > 0 ? (size_t)n : 0);
    while (e->base64.n && e->base64.p[e->base64.n - 1] == '=')
        e->base64.n--;
    e->refs = 1;
    e->next = NULL;
    return e;
}

static void count_first(const struct entry *e, int by)
{
    registry.first[(unsigned char)e->value.p[0]] += (unsigned)by;
    registry.first[(unsigned char)e->base64.p[0]] += (unsigned)by;
}

static int add(pbay_str value)
{
    struct entry *e;

    if (value.n < SHORTEST)
        return 0;
    e = *find(value);
    if (e) {
        e->refs++;
        return 0;
    }
    e = entry_new(value);
    if (!e)
        return -ENOMEM;
    e->next = registry.list;
    registry.list = e;
    count_first(e, 1);
    return 0;
}

void redact_add(pbay_str value)
{
    pthread_mutex_lock(&registry.lock);
    if (add(value) < 0)
        registry.blind = true;
    pthread_mutex_unlock(&registry.lock);
}

void redact_remove(pbay_str value)
{
    struct entry **at, *e;

    pthread_mutex_lock(&registry.lock);
    at = find(value);
    e = *at;
    if (e && --e->refs == 0) {
        *at = e->next;
        count_first(e, -1);
        explicit_bzero(e->bytes, e->value.n + e->base64.n);
        free(e);
    }
    pthread_mutex_unlock(&registry.lock);
}

/* ------------------------------------------------------------ replacing */

/* Append to out[0..room), as much as fits whole characters. */
static bool put(char *out, size_t room, size_t *n, pbay_str s)
{
    pbay_str fits = str_head(s, room - *n);

    if (fits.n)
        memcpy(out + *n, fits.p, fits.n);
    *n += fits.n;
    return fits.n == s.n;
}

/* With the lock held.  False: it was cut. */
static bool copy(char *out, size_t room, size_t *n, pbay_str text)
{
    struct search s = search_begin(text);
    size_t at = 0, from, to;

    *n = 0;
    if (registry.blind && text.n)
        return put(out, room, n, STR(MASK));
    while (registry.list && next_run(&s, at, &from, &to)) {
        if (!put(out, room, n, str_n(text.p + at, from - at)))
            return false;
        if (room - *n < sizeof(MASK) - 1)
            return false;
        put(out, room, n, STR(MASK));
        at = to;
    }
    return put(out, room, n, str_n(text.p + at, text.n - at));
}

size_t redact_copy(char *out, size_t room, pbay_str text, bool *cut)
{
    bool whole;
    size_t n;

    if (!text.n)
        text.p = "";
    pthread_mutex_lock(&registry.lock);
    whole = copy(out, room - 1, &n, text);
    pthread_mutex_unlock(&registry.lock);
    out[n] = '\0';
    if (cut)
        *cut = !whole;
    return n;
}

/* A mask for every value takes no more than the value did; only a blind one
 * may be longer than the text. */
char *redact_text(pbay_str text, size_t *n)
{
    struct search s = search_begin(text);
    char *out = NULL;
    size_t from, to;
    bool any;

    pthread_mutex_lock(&registry.lock);
    any = text.n &&
          (registry.blind || (registry.list && next_run(&s, 0, &from, &to)));
    if (any) {
        size_t room = text.n + sizeof(MASK);

        out = malloc(room);
        if (!out)
            abort(); /* to give NULL would be to give the secret away */
        copy(out, room - 1, n, text);
        out[*n] = '\0';
    }
    pthread_mutex_unlock(&registry.lock);
    return out;
}

/* -------------------------------------------------------------- secrets */

struct secret {
    atomic_uint refs;
    size_t n;
    char bytes[];
};

struct secret *secret_new(pbay_str bytes)
{
    struct secret *s = malloc(sizeof(*s) + bytes.n + 1);
    int rc;

    if (!s)
        return NULL;
    pthread_mutex_lock(&registry.lock);
    rc = add(bytes);
    pthread_mutex_unlock(&registry.lock);
    if (rc < 0) {
        free(s);
        errno = ENOMEM;
        return NULL;
    }
    atomic_init(&s->refs, 1);
    s->n = bytes.n;
    if (bytes.n)
        memcpy(s->bytes, bytes.p, bytes.n);
    s->bytes[bytes.n] = '\0';
    return s;
}

struct secret *secret_ref(struct secret *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void secret_free(struct secret *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) > 1)
        return;
    redact_remove(str_n(s->bytes, s->n));
    explicit_bzero(s->bytes, s->n);
    free(s);
}

pbay_str secret_expose(const struct secret *s)
{
    return s ? str_n(s->bytes, s->n) : STR_NONE;
}
