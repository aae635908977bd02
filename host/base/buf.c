/* SPDX-License-Identifier: MIT */
/* The bounded buffer. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"

#define ROOM_FIRST 256u

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_done(struct buf *b)
{
    free(b->p);
    buf_init(b, b->max);
}

/* Make room for `more` bytes behind those held.  Moving to the front is
 * preferred to growing only when at least as much was consumed as is moved, so
 * that the cost of moving is paid for; at the bound there is no choice. */
static int make_room(struct buf *b, size_t more)
{
    size_t need, room;
    char *p;

    if (more > b->max - b->n)
        return -EMSGSIZE;
    if (more <= b->room - b->off - b->n)
        return 0;
    need = b->n + more;
    if (b->off) {
        bool enough = need <= b->room && (b->off >= b->n || b->room >= b->max);

        memmove(b->p, b->p + b->off, b->n);
        b->off = 0;
        if (enough)
            return 0;
    }
    room = b->room ? b->room : ROOM_FIRST / 2;
    do {
        room = room <= b->max / 2 ? room * 2 : b->max;
    } while (room < need);
    p = realloc(b->p, room);
    if (!p)
        return -ENOMEM;
    b->p = p;
    b->room = room;
    return 0;
}

int buf_add(struct buf *b, pbay_str s)
{
    int rc;

    if (!s.n)
        return 0;
    rc = make_room(b, s.n);
    if (rc < 0)
        return rc;
    memcpy(b->p + b->off + b->n, s.p, s.n);
    b->n += s.n;
    return 0;
}

int buf_addc(struct buf *b, const char *s)
{
    return buf_add(b, str_c(s));
}

int buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
    va_list again;
    char small[128];
    int n, rc;

    va_copy(again, ap);
    n = vsnprintf(small, sizeof(small), fmt, again);
    va_end(again);
    if (n < 0)
        return -EINVAL;
    if ((size_t)n < sizeof(small))
        return buf_add(b, str_n(small, (size_t)n));
    if ((size_t)n > b->max - b->n)
        return -EMSGSIZE;
    /* vsnprintf wants a place for its NUL, which may not fit the bound. */
    if ((size_t)n < b->max - b->n) {
        rc = make_room(b, (size_t)n + 1);
        if (rc < 0)
            return rc;
        vsnprintf(b->p + b->off + b->n, (size_t)n + 1, fmt, ap);
        b->n += (size_t)n;
    } else {
        char *text = malloc((size_t)n + 1);

        if (!text)
            return -ENOMEM;
        vsnprintf(text, (size_t)n + 1, fmt, ap);
        rc = buf_add(b, str_n(text, (size_t)n));
        free(text);
        return rc;
    }
    return 0;
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    int rc;

    va_start(ap, fmt);
    rc = buf_vprintf(b, fmt, ap);
    va_end(ap);
    return rc;
}

/* The escape of a byte that can't stand in a JSON string as it is. */
static pbay_str json_escape(unsigned char c, char out[7])
{
    static const char digits[] = "0123456789abcdef";
    static const char named[] = "b\bf\fn\nr\rt\t\"\"\\\\";

    for (size_t i = 0; i + 1 < sizeof(named); i += 2) {
        if ((unsigned char)named[i + 1] == c) {
            out[0] = '\\';
            out[1] = named[i];
            return str_n(out, 2);
        }
    }
    memcpy(out, "\\u00", 4);
    out[4] = digits[c >> 4];
    out[5] = digits[c & 15];
    return str_n(out, 6);
}

static int add_json_text(struct buf *b, pbay_str s)
{
    char esc[7];
    size_t i = 0, plain = 0; /* s[plain..i) can be copied as it is */
    int rc;

    while (i < s.n) {
        unsigned char c = (unsigned char)s.p[i];
        size_t len = c >= 0x80 ? str_utf8(str_n(s.p + i, s.n - i), NULL) : 1;

        if (len && c >= 0x20 && c != '"' && c != '\\') {
            i += len;
            continue;
        }
        rc = buf_add(b, str_n(s.p + plain, i - plain));
        if (rc == 0)
            rc = buf_add(b, len ? json_escape(c, esc) : STR("\xEF\xBF\xBD"));
        if (rc < 0)
            return rc;
        plain = ++i;
    }
    return buf_add(b, str_n(s.p + plain, i - plain));
}

int buf_json(struct buf *b, pbay_str s)
{
    size_t before = b->n;
    int rc = buf_add(b, STR("\""));

    if (rc == 0 && s.n)
        rc = add_json_text(b, s);
    if (rc == 0)
        rc = buf_add(b, STR("\""));
    if (rc < 0)
        b->n = before;
    return rc;
}

char *buf_space(struct buf *b, size_t n)
{
    int rc = make_room(b, n ? n : 1);

    if (rc == -EMSGSIZE && !n && b->p)
        rc = 0;
    if (rc < 0) {
        errno = -rc;
        return NULL;
    }
    return b->p + b->off + b->n;
}

void buf_grew(struct buf *b, size_t n)
{
    size_t free_bytes = b->room - b->off - b->n;

    b->n += n < free_bytes ? n : free_bytes;
}

void buf_consume(struct buf *b, size_t n)
{
    if (n >= b->n) {
        b->off = b->n = 0;
        return;
    }
    b->off += n;
    b->n -= n;
}

void buf_reset(struct buf *b, size_t keep)
{
    b->off = b->n = 0;
    if (b->room > keep) {
        free(b->p);
        b->p = NULL;
        b->room = 0;
    }
}
