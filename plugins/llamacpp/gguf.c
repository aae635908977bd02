/* SPDX-License-Identifier: MIT */
/* llamacpp.so: reading GGUF headers.
 *
 * A file starts with "GGUF", a u32 version (1 to 3), the number of tensors and
 * the number of metadata pairs (u64; u32 in version 1), then the pairs: a key
 * (length, bytes), a u32 type, a value.  Lengths are u64, in version 1 u32.
 * Version 3 may be big-endian: its version then reads as 0x03000000.
 * https://github.com/ggml-org/ggml/blob/master/docs/gguf.md */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "gguf.h"

enum {
    T_U8,
    T_I8,
    T_U16,
    T_I16,
    T_U32,
    T_I32,
    T_F32,
    T_BOOL,
    T_STRING,
    T_ARRAY,
    T_U64,
    T_I64,
    T_F64,
    T_COUNT
};
static const unsigned char sizes[T_COUNT] = {1, 1, 2, 2, 4, 4, 4,
                                             1, 0, 0, 8, 8, 8};

#define KEY_MAX   65535u               /* the format's own limit */
#define PAIRS_MAX 65536u               /* real files have some dozens */
#define WORK_MAX  (256u * 1024 * 1024) /* most of a header that is looked at */
#define DEPTH_MAX 4                    /* of arrays in arrays */
#define WINDOW    65536u

struct reader {
    const struct gguf_source *from;
    uint64_t at;    /* next byte */
    uint64_t start; /* of what is in buf */
    size_t have;
    struct gguf *g;
    char *err;
    size_t room;
    /* Keys that may not come twice; the context's waits for its architecture.
     */
    int seen_architecture, seen_name, seen_type, seen_label, seen_file_type,
        seen_split;
    char context_of[GGUF_ARCH];
    unsigned char buf[WINDOW];
};

static int fail(struct reader *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static int fail(struct reader *r, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(r->err, r->room, fmt, ap);
    va_end(ap);
    return -1;
}

static uint64_t left(const struct reader *r)
{
    return r->from->size - r->at;
}

static int cut(struct reader *r)
{
    return fail(r, "it ends inside its header (%" PRIu64 " bytes)",
                r->from->size);
}

/* The next n bytes, at most WINDOW; NULL at the end of the file. */
static const unsigned char *take(struct reader *r, size_t n)
{
    const unsigned char *p;

    if (n > left(r)) {
        cut(r);
        return NULL;
    }
    if (r->at < r->start || r->at + n > r->start + r->have) {
        size_t all = left(r) < WINDOW ? (size_t)left(r) : WINDOW;
        r->start = r->at;
        r->have = 0;
        if (r->from->read(r->from->arg, r->at, r->buf, all) < 0) {
            fail(r, "it cannot be read");
            return NULL;
        }
        r->have = all;
    }
    p = r->buf + (r->at - r->start);
    r->at += n;
    if (r->at > WORK_MAX) {
        fail(r, "its header is larger than %u MiB", WORK_MAX >> 20);
        return NULL;
    }
    return p;
}

static int skip(struct reader *r, uint64_t n)
{
    if (n > left(r))
        return cut(r);
    r->at += n;
    if (r->at > WORK_MAX)
        return fail(r, "its header is larger than %u MiB", WORK_MAX >> 20);
    return 0;
}

/* An unsigned number of 1, 2, 4 or 8 bytes in the file's order. */
static int number(struct reader *r, size_t n, uint64_t *v)
{
    const unsigned char *p = take(r, n);

    if (!p)
        return -1;
    *v = 0;
    for (size_t i = 0; i < n; i++)
        *v |= (uint64_t)p[i] << 8 * (r->g->big_endian ? n - 1 - i : i);
    return 0;
}

/* A length or count: u32 in version 1, u64 since. */
static int length(struct reader *r, uint64_t *v)
{
    return number(r, r->g->version == 1 ? 4 : 8, v);
}

/* ------------------------------------------------------------------- values */

static const char *type_name(uint64_t type)
{
    static const char *const names[T_COUNT] = {
        "u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
        "bool", "string", "array", "u64", "i64", "f64"};

    return type < T_COUNT ? names[type] : "?";
}

static int skip_string(struct reader *r)
{
    uint64_t n;

    return length(r, &n) < 0 ? -1 : skip(r, n);
}

static int skip_array(struct reader *r, const char *key, int depth)
{
    const uint64_t least = r->g->version == 1 ? 4 : 8;
    uint64_t type, n, size;

    if (depth == DEPTH_MAX)
        return fail(r, "%s: arrays nested more than %d deep", key, DEPTH_MAX);
    if (number(r, 4, &type) < 0 || length(r, &n) < 0)
        return -1;
    if (type >= T_COUNT)
        return fail(r, "%s: an array of the unknown type %" PRIu64, key, type);
    size = sizes[type] ? sizes[type] : least;
    if (n > left(r) / size)
        return fail(r,
                    "%s: an array of %" PRIu64 " values does not fit into the "
                    "file",
                    key, n);
    if (sizes[type])
        return skip(r, n * size);
    for (uint64_t i = 0; i < n; i++)
        if ((type == T_STRING ? skip_string(r)
                              : skip_array(r, key, depth + 1)) < 0)
            return -1;
    return 0;
}

static int skip_value(struct reader *r, const char *key, uint64_t type)
{
    if (type >= T_COUNT)
        return fail(r, "%s: a value of the unknown type %" PRIu64, key, type);
    if (type == T_STRING)
        return skip_string(r);
    if (type == T_ARRAY)
        return skip_array(r, key, 0);
    return skip(r, sizes[type]);
}

static int once(struct reader *r, const char *key, int *seen)
{
    if ((*seen)++)
        return fail(r, "%s is there twice", key);
    return 0;
}

/* A text into room; what is longer is cut, not inside a character. */
static int text(struct reader *r, const char *key, uint64_t type, char *to,
                size_t room)
{
    const unsigned char *p;
    uint64_t n;
    size_t got, keep;

    if (type != T_STRING)
        return fail(r, "%s is a %s, not a string", key, type_name(type));
    if (length(r, &n) < 0)
        return -1;
    if (n > left(r))
        return cut(r);
    got = n < room ? (size_t)n : room;
    p = take(r, got);
    if (!p)
        return -1;
    keep = got < room ? got : room - 1;
    while (keep && keep < got && (p[keep] & 0xc0) == 0x80)
        keep--;
    if (memchr(p, 0, keep))
        return fail(r, "%s has a NUL in it", key);
    memcpy(to, p, keep);
    to[keep] = '\0';
    return skip(r, n - got);
}

/* A whole number that is not negative. */
static int whole(struct reader *r, const char *key, uint64_t type, uint64_t *v)
{
    static const unsigned char is_signed[T_COUNT] = {
        [T_I8] = 1, [T_I16] = 1, [T_I32] = 1, [T_I64] = 1};

    if (type >= T_COUNT || !sizes[type] || type == T_F32 || type == T_F64 ||
        type == T_BOOL)
        return fail(r, "%s is a %s, not a whole number", key, type_name(type));
    if (number(r, sizes[type], v) < 0)
        return -1;
    if (is_signed[type] && *v >> (8 * sizes[type] - 1))
        return fail(r, "%s is negative", key);
    return 0;
}

/* -------------------------------------------------------------------- pairs */

static int architecture(struct reader *r, const char *key, uint64_t type)
{
    char *a = r->g->architecture;

    if (once(r, key, &r->seen_architecture) < 0 ||
        text(r, key, type, a, GGUF_ARCH) < 0)
        return -1;
    if (!*a || strlen(a) == GGUF_ARCH - 1)
        return fail(r, "%s is empty or too long", key);
    for (; *a; a++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789._-", *a))
            return fail(r, "%s has other characters than a-z 0-9 . _ -", key);
    return 0;
}

/* "NAME.context_length": of the architecture, whose name may come later. */
static int context(struct reader *r, const char *key, size_t prefix,
                   uint64_t type)
{
    if (r->context_of[0])
        return fail(r, "there is more than one context_length");
    if (!prefix || prefix >= GGUF_ARCH)
        return fail(r, "%s has no name of an architecture in front", key);
    memcpy(r->context_of, key, prefix);
    r->context_of[prefix] = '\0';
    if (whole(r, key, type, &r->g->context) < 0)
        return -1;
    if (!r->g->context || r->g->context > INT32_MAX)
        return fail(r, "%s is %" PRIu64 ", which is no size of a context", key,
                    r->g->context);
    return 0;
}

/* Does the key end with this?  Then the length of what stands before. */
static int ends(const char *key, const char *end, size_t *prefix)
{
    size_t n = strlen(key), m = strlen(end);

    if (n < m || strcmp(key + n - m, end) != 0)
        return 0;
    *prefix = n - m;
    return 1;
}

static int value(struct reader *r, const char *key, uint64_t type)
{
    struct gguf *g = r->g;
    uint64_t v;
    size_t prefix;

    if (strcmp(key, "general.architecture") == 0)
        return architecture(r, key, type);
    if (strcmp(key, "general.name") == 0)
        return once(r, key, &r->seen_name) < 0
                   ? -1
                   : text(r, key, type, g->name, GGUF_TEXT);
    if (strcmp(key, "general.type") == 0)
        return once(r, key, &r->seen_type) < 0
                   ? -1
                   : text(r, key, type, g->type, GGUF_TEXT);
    if (strcmp(key, "general.size_label") == 0)
        return once(r, key, &r->seen_label) < 0
                   ? -1
                   : text(r, key, type, g->size_label, GGUF_TEXT);
    if (strcmp(key, "split.count") == 0)
        return once(r, key, &r->seen_split) < 0
                   ? -1
                   : whole(r, key, type, &g->split_count);
    if (strcmp(key, "general.file_type") == 0) {
        if (once(r, key, &r->seen_file_type) < 0 || whole(r, key, type, &v) < 0)
            return -1;
        g->file_type = v > INT32_MAX ? -1 : (int64_t)v;
        return 0;
    }
    if (ends(key, ".context_length", &prefix) && !memchr(key, '.', prefix))
        return context(r, key, prefix, type);
    if (ends(key, ".pooling_type", &prefix))
        g->pools = 1;
    return skip_value(r, key, type);
}

/* A key of general interest is short and plain; any other is only passed by. */
static int pair(struct reader *r, int *done)
{
    const unsigned char *p;
    char key[GGUF_TEXT];
    uint64_t n, type;

    if (length(r, &n) < 0)
        return -1;
    if (!n || n > KEY_MAX)
        return fail(r, "it has a key of %" PRIu64 " bytes", n);
    p = take(r, (size_t)n);
    if (!p)
        return -1;
    for (uint64_t i = 0; i < n; i++)
        if (p[i] <= ' ' || p[i] >= 0x7f)
            return fail(r, "it has a key that is not plain ASCII");
    if (n < sizeof key) {
        memcpy(key, p, (size_t)n);
        key[n] = '\0';
    } else {
        snprintf(key, sizeof key, "a key of %" PRIu64 " bytes", n);
    }
    /* What is wanted comes before the vocabulary, which is megabytes long. */
    if (strncmp(key, "tokenizer.", 10) == 0 && r->seen_architecture &&
        r->context_of[0]) {
        *done = 1;
        return 0;
    }
    return number(r, 4, &type) < 0 ? -1 : value(r, key, type);
}

/* ------------------------------------------------------------------- header */

static int header(struct reader *r)
{
    struct gguf *g = r->g;
    const unsigned char *p;
    uint64_t version, least;

    if (left(r) < 4 || !(p = take(r, 4)) || memcmp(p, "GGUF", 4) != 0)
        return fail(r, "it is no GGUF file");
    if (number(r, 4, &version) < 0)
        return -1;
    if (version == 0x03000000u) {
        g->big_endian = 1;
        version = 3;
    }
    if (version < 1 || version > 3)
        return fail(r, "it is GGUF of version %" PRIu64 "; known are 1 to 3",
                    version);
    g->version = (uint32_t)version;
    if (length(r, &g->tensors) < 0 || length(r, &g->pairs) < 0)
        return -1;
    /* A pair has at least a key's length and byte, a type, and a value; a
     * tensor a name's length, a count, a type and an offset. */
    least = version == 1 ? 4 : 8;
    if (g->pairs > PAIRS_MAX || g->pairs > left(r) / (least + 1 + 4 + 1))
        return fail(r,
                    "it claims %" PRIu64 " pairs of metadata, more than can be",
                    g->pairs);
    if (g->tensors > left(r) / (least + 4 + 4 + 8))
        return fail(r, "it claims %" PRIu64 " tensors, more than can be",
                    g->tensors);
    return 0;
}

int gguf_read(const struct gguf_source *from, struct gguf *g, char *err,
              size_t room)
{
    struct reader r = {.from = from, .g = g, .err = err, .room = room};
    int done = 0;

    memset(g, 0, sizeof *g);
    g->file_type = -1;
    if (header(&r) < 0)
        return -1;
    for (uint64_t i = 0; i < g->pairs && !done; i++)
        if (pair(&r, &done) < 0)
            return -1;
    if (!r.seen_architecture)
        return fail(&r, "it does not say its architecture");
    if (r.context_of[0] && strcmp(r.context_of, g->architecture) != 0) {
        g->context = 0; /* of something else in it */
    }
    return 0;
}
