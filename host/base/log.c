/* SPDX-License-Identifier: MIT */
/* Log lines: levels, fields, and the two forms a line can have. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/log_writer.h"
#include "base/str.h"

static atomic_int the_level = LOG_INFO;
static atomic_int the_format = LOG_TEXT;

enum {
    FIELD_STR,
    FIELD_INT,
    FIELD_US,
    FIELD_SECRET
};

/* ------------------------------------------------------ levels and fields */

static const char *const level_names[] = {"", "error", "warn", "info", "debug"};

bool log_on(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&the_level, memory_order_relaxed);
}

void log_set_level(enum log_level level)
{
    atomic_store(&the_level, (int)level);
}

enum log_level log_get_level(void)
{
    return (enum log_level)atomic_load(&the_level);
}

int log_level_parse(pbay_str name, enum log_level *out)
{
    for (int i = LOG_ERROR; i <= LOG_DEBUG; i++) {
        if (str_is(name, level_names[i])) {
            *out = (enum log_level)i;
            return 0;
        }
    }
    return -EINVAL;
}

const char *log_level_name(enum log_level level)
{
    return level >= LOG_ERROR && level <= LOG_DEBUG ? level_names[level] : "?";
}

void log_set_format(enum log_format format)
{
    atomic_store(&the_format, (int)format);
}

struct log_field log_str(const char *key, pbay_str value)
{
    return (struct log_field){.key = key, .type = FIELD_STR, .s = value};
}

struct log_field log_cstr(const char *key, const char *value)
{
    return log_str(key, str_c(value));
}

struct log_field log_int(const char *key, int64_t value)
{
    return (struct log_field){.key = key, .type = FIELD_INT, .i = value};
}

struct log_field log_us(const char *key, int64_t microseconds)
{
    return (struct log_field){.key = key, .type = FIELD_US, .i = microseconds};
}

struct log_field log_secret(const char *key)
{
    return (struct log_field){.key = key, .type = FIELD_SECRET};
}

/* ------------------------------------------------------------ one line */

/* Kept free at the end: a closing quote, the mark of a cut line, the closing
 * brace and the newline. */
#define LINE_TAIL 24
#define LINE_END  (LIM_LOG_LINE - LINE_TAIL)
#define WHO_MAX   256

struct line {
    char p[LIM_LOG_LINE];
    size_t n;
    bool cut; /* something did not fit: nothing more is added */
};

static bool put(struct line *l, pbay_str s)
{
    if (l->cut || l->n + s.n > LINE_END) {
        l->cut = true;
        return false;
    }
    if (s.n)
        memcpy(l->p + l->n, s.p, s.n);
    l->n += s.n;
    return true;
}

/* Into the part kept free; only a few fixed bytes ever go there. */
static void put_tail(struct line *l, const char *s)
{
    size_t n = strlen(s);

    memcpy(l->p + l->n, s, n);
    l->n += n;
}

/* May the character stand in a line as it is?  Not if a terminal or a viewer
 * would make of it a command, a new line, or another direction of writing. */
static bool harmless(uint32_t cp)
{
    if (cp < 0x20 || (cp >= 0x7F && cp < 0xA0))
        return false;
    if (cp == 0x200E || cp == 0x200F || cp == 0xFEFF)
        return false;
    return !(cp >= 0x2028 && cp <= 0x202E) && !(cp >= 0x2066 && cp <= 0x2069);
}

/* The character at the start of s, as it is to be written; *len: its bytes in
 * s.  What is not harmless lies below U+10000. */
static pbay_str escape(pbay_str s, bool quoted, size_t *len, char out[8])
{
    uint32_t cp = 0;

    *len = str_utf8(s, &cp);
    if (!*len) {
        *len = 1;
        return STR("\xEF\xBF\xBD");
    }
    if (quoted && (cp == '"' || cp == '\\')) {
        snprintf(out, 8, "\\%c", (int)cp);
        return str_n(out, 2);
    }
    if (cp == '\n')
        return STR("\\n");
    if (cp == '\t')
        return STR("\\t");
    if (harmless(cp))
        return str_n(s.p, *len);
    snprintf(out, 8, "\\u%04x", (unsigned)cp & 0xFFFF);
    return str_n(out, 6);
}

static bool is_plain(char c, bool quoted)
{
    return c >= 0x20 && c < 0x7F && !(quoted && (c == '"' || c == '\\'));
}

static void put_escaped(struct line *l, pbay_str s, bool quoted)
{
    char out[8];
    size_t len;

    while (s.n && !l->cut) {
        for (len = 0; len < s.n && is_plain(s.p[len], quoted);)
            len++;
        if (l->n + len > LINE_END && l->n < LINE_END)
            len = LINE_END - l->n; /* fill the line, then be cut */
        if (len)
            put(l, str_n(s.p, len));
        else
            put(l, escape(s, quoted, &len, out));
        s.p += len;
        s.n -= len;
    }
}

/* Text from outside: without secrets, escaped. */
static void put_text(struct line *l, pbay_str s, bool quoted)
{
    char clean[LIM_LOG_LINE]; /* more than a line has room for */
    size_t n = redact_copy(clean, sizeof(clean), s, NULL);

    put_escaped(l, str_n(clean, n), quoted);
}

/* With quotes.  False: not even the first of them; else the other is there
 * too. */
static bool put_quoted(struct line *l, pbay_str s)
{
    if (!put(l, STR("\"")))
        return false;
    put_text(l, s, true);
    put_tail(l, "\"");
    return true;
}

/* Does a value in a text line need no quotes? */
static bool is_bare(pbay_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c <= ' ' || c >= 0x7F || c == '"' || c == '\\' || c == '=')
            return false;
    }
    return s.n > 0;
}

static pbay_str time_text(char out[32])
{
    struct timespec ts;
    struct tm tm;
    int n;

    clock_gettime(CLOCK_REALTIME, &ts);
    gmtime_r(&ts.tv_sec, &tm);
    n = snprintf(out, 32, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ",
                 tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
                 tm.tm_min, tm.tm_sec, ts.tv_nsec / 1000000);
    return str_n(out, n > 0 && n < 32 ? (size_t)n : 0);
}

/* ---------------------------------------------------------------- text */

static void text_field(struct line *l, const struct log_field *f)
{
    char number[32];
    int n = 0;

    if (!put(l, STR(" ")) || !put(l, str_c(f->key)) || !put(l, STR("=")))
        return;
    if (f->type == FIELD_INT) {
        n = snprintf(number, sizeof(number), "%" PRId64, f->i);
    } else if (f->type == FIELD_US) {
        uint64_t us = f->i < 0 ? -(uint64_t)f->i : (uint64_t)f->i;

        n = snprintf(number, sizeof(number), "%s%" PRIu64 ".%03ums",
                     f->i < 0 ? "-" : "", us / 1000, (unsigned)(us % 1000));
    } else if (f->type == FIELD_SECRET) {
        n = snprintf(number, sizeof(number), "***");
    } else if (is_bare(f->s)) {
        put_text(l, f->s, false);
        return;
    } else {
        put_quoted(l, f->s);
        return;
    }
    put(l, str_n(number, (size_t)n));
}

static void text_head(struct line *l, enum log_level level, const char *who,
                      pbay_str msg)
{
    char when[32];

    put(l, time_text(when));
    put(l, STR(" "));
    put(l, str_c(log_level_name(level)));
    put(l, STR(" "));
    put_text(l, str_head(str_c(who), WHO_MAX), false);
    put(l, STR(": "));
    put_text(l, msg, false);
}

static void text_end(struct line *l)
{
    if (l->cut)
        put_tail(l, " (cut)");
    put_tail(l, "\n");
}

/* ---------------------------------------------------------------- JSON */

/* Names that every line has of itself. */
static bool is_reserved(const char *key)
{
    static const char *const names[] = {"time", "level", "who", "msg", "cut"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(key, names[i]) == 0)
            return true;
    }
    return false;
}

/* All of a field or nothing of it, but for its text: that may be cut. */
static void json_field(struct line *l, const struct log_field *f)
{
    size_t before = l->n;
    bool there = false;
    char number[32];
    int n;

    put(l, STR(",\""));
    put_escaped(l, str_c(f->key), true);
    put(l, f->type == FIELD_US   ? STR("_us\":")
           : is_reserved(f->key) ? STR("_\":")
                                 : STR("\":"));
    if (f->type == FIELD_STR) {
        there = put_quoted(l, f->s);
    } else if (f->type == FIELD_SECRET) {
        there = put(l, STR("\"***\""));
    } else {
        n = snprintf(number, sizeof(number), "%" PRId64, f->i);
        there = put(l, str_n(number, (size_t)n));
    }
    if (!there)
        l->n = before;
}

static void json_head(struct line *l, enum log_level level, const char *who,
                      pbay_str msg)
{
    char when[32];

    put(l, STR("{\"time\":\""));
    put(l, time_text(when));
    put(l, STR("\",\"level\":\""));
    put(l, str_c(log_level_name(level)));
    put(l, STR("\",\"who\":"));
    put_quoted(l, str_head(str_c(who), WHO_MAX));
    put(l, STR(",\"msg\":"));
    put_quoted(l, msg);
}

static void json_end(struct line *l)
{
    if (l->cut)
        put_tail(l, ",\"cut\":true");
    put_tail(l, "}\n");
}

/* --------------------------------------------------------------- lines */

static void emit(enum log_level level, const char *who, pbay_str msg,
                 va_list *ap)
{
    bool json = atomic_load(&the_format) == LOG_JSON;
    struct line l;

    l.n = 0;
    l.cut = false;
    if (json)
        json_head(&l, level, who, msg);
    else
        text_head(&l, level, who, msg);
    while (ap) {
        struct log_field f = va_arg(*ap, struct log_field);

        if (!f.key)
            break;
        if (l.cut)
            continue;
        if (json)
            json_field(&l, &f);
        else
            text_field(&l, &f);
    }
    if (json)
        json_end(&l);
    else
        text_end(&l);
    log_writer_put(str_n(l.p, l.n));
}

void log_line(enum log_level level, const char *who, const char *msg, ...)
{
    va_list ap;

    if (!log_on(level))
        return;
    va_start(ap, msg);
    emit(level, who, str_c(msg), &ap);
    va_end(ap);
}

/* A secret must not be cut before it is recognised: so the whole text is made
 * first, then redacted, then cut. */
void log_f(enum log_level level, const char *who, const char *fmt, ...)
{
    char small[512], *text = small;
    va_list ap;
    int n;

    if (!log_on(level))
        return;
    va_start(ap, fmt);
    n = vsnprintf(small, sizeof(small), fmt, ap);
    va_end(ap);
    if (n >= (int)sizeof(small)) {
        text = malloc((size_t)n + 1);
        if (text) {
            va_start(ap, fmt);
            n = vsnprintf(text, (size_t)n + 1, fmt, ap);
            va_end(ap);
        }
    }
    if (text && n >= 0)
        emit(level, who, str_n(text, (size_t)n), NULL);
    else
        emit(level, who, STR("(a message too large for the memory left)"),
             NULL);
    if (text != small)
        free(text);
}
