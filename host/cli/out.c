/* SPDX-License-Identifier: MIT */
/* Where the command line writes: standard output and standard error. */
#include "config.h"

#include "cli/out.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/str.h"

void out_init(struct out *o, int fd)
{
    *o = (struct out){.fd = fd, .tty = isatty(fd) == 1};
    buf_init(&o->b, LIM_CLI_OUT);
}

void out_done(struct out *o)
{
    buf_done(&o->b);
}

int out_flush(struct out *o)
{
    while (o->b.n && !o->error) {
        pbay_str s = buf_str(&o->b);
        ssize_t n = write(o->fd, s.p, s.n);
        if (n >= 0)
            buf_consume(&o->b, (size_t)n);
        else if (errno != EINTR)
            o->error = errno;
    }
    buf_reset(&o->b, LIM_CLI_OUT);
    return o->error;
}

/* Any amount, by way of the buffer. */
static void put(struct out *o, pbay_str s)
{
    if (s.n)
        o->mid_line = s.p[s.n - 1] != '\n';
    while (s.n && !o->error) {
        size_t room = LIM_CLI_OUT - o->b.n;
        size_t n = s.n < room ? s.n : room;
        if (buf_add(&o->b, str_n(s.p, n))) {
            o->error = ENOMEM;
            return;
        }
        s.p += n;
        s.n -= n;
        if (o->b.n == LIM_CLI_OUT)
            out_flush(o);
    }
}

void out_raw(struct out *o, pbay_str s)
{
    put(o, s);
}

void out_c(struct out *o, const char *s)
{
    put(o, str_c(s));
}

void out_f(struct out *o, const char *fmt, ...)
{
    va_list ap;
    char *text;
    int n;

    va_start(ap, fmt);
    n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n < 0) {
        o->error = ENOMEM;
        return;
    }
    put(o, str_n(text, (size_t)n));
    free(text);
}

/* The harmless form of a run is at most four times as long as the run. */
enum {
    RUN = 512,
    RUN_MAX = 4 * RUN + 64
};

void out_piece(struct out *o, pbay_str s)
{
    if (!o->tty) {
        put(o, s);
        return;
    }
    while (s.n && !o->error) {
        struct buf b;
        size_t n = s.n < RUN ? s.n : RUN;

        buf_init(&b, RUN_MAX);
        if (plain_feed(&o->plain, str_n(s.p, n), &b))
            o->error = ENOMEM;
        else
            put(o, buf_str(&b));
        buf_done(&b);
        s.p += n;
        s.n -= n;
    }
}

void out_text_end(struct out *o)
{
    struct buf b;

    if (!o->tty)
        return;
    buf_init(&b, RUN_MAX);
    if (plain_end(&o->plain, &b))
        o->error = ENOMEM;
    put(o, buf_str(&b));
    buf_done(&b);
}

void out_text(struct out *o, pbay_str s)
{
    out_piece(o, s);
    out_text_end(o);
}

void out_textc(struct out *o, const char *s)
{
    out_text(o, str_c(s));
}

void out_fresh_line(struct out *o)
{
    if (o->mid_line)
        out_c(o, "\n");
}

/* --- tables --- */

void out_table_init(struct out_table *t, unsigned columns)
{
    *t = (struct out_table){.columns =
                                columns < OUT_COLUMNS ? columns : OUT_COLUMNS};
}

/* Characters, as good as it gets without asking the terminal. */
static size_t width(const char *s)
{
    size_t n = 0;

    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

static bool make_room(struct out_table *t)
{
    size_t room = t->room ? 2 * t->room : 64;
    char **cells;

    if (t->n < t->room)
        return true;
    cells = realloc(t->cells, room * sizeof(*cells));
    if (!cells)
        return false;
    t->cells = cells;
    t->room = room;
    return true;
}

void out_cell(struct out_table *t, const char *text)
{
    size_t c = t->n % t->columns;
    char *copy = str_dup(text ? str_c(text) : STR(""));

    if (!copy || !make_room(t)) {
        t->failed = true;
        free(copy);
        return;
    }
    for (char *p = copy; *p; p++)
        if (*p == '\n' || *p == '\t')
            *p = ' '; /* a row is a line, whatever it is about */
    t->cells[t->n++] = copy;
    if (width(copy) > t->widths[c])
        t->widths[c] = width(copy);
}

void out_table_row(struct out *o, const struct out_table *t, size_t row)
{
    size_t first = row * t->columns, n = t->n > first ? t->n - first : 0;

    if (n > t->columns)
        n = t->columns;
    while (n && !*t->cells[first + n - 1])
        n--;
    for (size_t c = 0; c < n; c++) {
        out_textc(o, t->cells[first + c]);
        for (size_t w = width(t->cells[first + c]);
             c + 1 < n && w < t->widths[c] + 2; w++)
            out_c(o, " ");
    }
    out_c(o, "\n");
}

void out_table_done(struct out *o, struct out_table *t)
{
    for (size_t i = 0; i < t->n; i++)
        free(t->cells[i]);
    free(t->cells);
    if (t->failed)
        o->error = ENOMEM;
    *t = (struct out_table){0};
}

void out_table_print(struct out *o, struct out_table *t)
{
    for (size_t row = 0; row * t->columns < t->n && !t->failed; row++)
        out_table_row(o, t, row);
    out_table_done(o, t);
}
