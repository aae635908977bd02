/* SPDX-License-Identifier: MIT */
/* The text of a configuration file, looked over before libconfig reads it.
 *
 * libconfig 1.5 takes numbers that do not fit (99999999999 becomes 1215752191),
 * comments that never end, unknown escapes and "\x00" without a word, and calls
 * every mistake a "syntax error".  Here each gets its line and its mend; what
 * is left for libconfig to find are names written twice and mixed arrays.
 */
#include "config/parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What the last thing that counts was. */
enum last {
    L_START,
    L_NAME,
    L_ASSIGN,
    L_VALUE,
    L_STRING,
    L_SEP,
    L_OPEN
};

struct scan {
    pbay_str in;
    size_t i;
    int line;
    enum last last;
    int last_line;      /* of L_STRING */
    char last_name[40]; /* of L_NAME and L_ASSIGN */
    char open[LIM_CONF_DEPTH];
    int open_line[LIM_CONF_DEPTH];
    int names[LIM_CONF_DEPTH + 1]; /* settings or elements so far */
    size_t depth;
    char *out;
    size_t n;
    struct scan_error *e;
};

static bool bad(struct scan *s, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static bool bad(struct scan *s, int line, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    s->e->line = line;
    vsnprintf(s->e->why, sizeof s->e->why, fmt, ap);
    va_end(ap);
    return false;
}

static int peek(const struct scan *s, size_t ahead)
{
    return s->i + ahead < s->in.n ? (unsigned char)s->in.p[s->i + ahead] : -1;
}

static void take(struct scan *s, size_t n)
{
    memcpy(s->out + s->n, s->in.p + s->i, n);
    s->n += n;
    s->i += n;
}

size_t utf8_step(pbay_str t, size_t i)
{
    const unsigned char *p = (const unsigned char *)t.p + i;
    size_t left = t.n - i, n;
    unsigned long c;
    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        n = 2;
        c = p[0] & 0x1f;
    } else if ((p[0] & 0xf0) == 0xe0) {
        n = 3;
        c = p[0] & 0x0f;
    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        n = 4;
        c = p[0] & 0x07;
    } else {
        return 0;
    }
    if (left < n)
        return 0;
    for (size_t k = 1; k < n; k++) {
        if ((p[k] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[k] & 0x3f);
    }
    if ((n == 3 && c < 0x800) || (n == 4 && c < 0x10000) || c > 0x10ffff ||
        (c >= 0xd800 && c <= 0xdfff))
        return 0;
    return n;
}

static bool check_bytes(struct scan *s)
{
    int line = 1;
    for (size_t i = 0, n; i < s->in.n; i += n) {
        unsigned char c = (unsigned char)s->in.p[i];
        if (c == '\n')
            line++;
        if (!c)
            return bad(s, line, "a NUL byte: this is not a text file");
        if ((c < 0x20 && !strchr("\t\n\r\f", c)) || c == 0x7f)
            return bad(s, line,
                       "a control byte (0x%02x); in a string it is "
                       "written \"\\x%02x\"",
                       c, c);
        n = utf8_step(s->in, i);
        if (!n)
            return bad(s, line,
                       "byte 0x%02x is not UTF-8: save the file in "
                       "that encoding",
                       c);
    }
    return true;
}

/* --- white space and comments --- */

static bool skip_block_comment(struct scan *s)
{
    int start = s->line;
    take(s, 2);
    for (; s->i < s->in.n; take(s, 1)) {
        if (peek(s, 0) == '*' && peek(s, 1) == '/') {
            take(s, 2);
            return true;
        }
        s->line += peek(s, 0) == '\n';
    }
    return bad(s, start, "this comment is never closed: */ is missing");
}

/* True: something was skipped. */
static bool skip_blank(struct scan *s, bool *ok)
{
    int c = peek(s, 0);
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f') {
        s->line += c == '\n';
        take(s, 1);
        return true;
    }
    if (c == '#' || (c == '/' && peek(s, 1) == '/')) {
        while (s->i < s->in.n && peek(s, 0) != '\n')
            take(s, 1);
        return true;
    }
    if (c == '/' && peek(s, 1) == '*') {
        *ok = skip_block_comment(s);
        return true;
    }
    return false;
}

/* --- what may stand where --- */

static bool in_list(const struct scan *s)
{
    return s->depth && s->open[s->depth - 1] != '{';
}

static bool after_name(struct scan *s)
{
    if (s->last == L_NAME)
        return bad(s, s->line, "%s is not followed by \"=\"", s->last_name);
    return true;
}

/* A value is about to start. */
static bool value_fits(struct scan *s, bool string)
{
    if (!after_name(s))
        return false;
    if (in_list(s)) {
        if (s->last == L_VALUE || (s->last == L_STRING && !string))
            return bad(s, s->line,
                       "a comma is missing between two elements "
                       "of a list");
        return true;
    }
    if (s->last == L_ASSIGN || (s->last == L_STRING && string))
        return true;
    return bad(s, s->line, "a value without a name: NAME = VALUE is wanted");
}

static bool value_given(struct scan *s)
{
    if (s->last == L_ASSIGN)
        return bad(s, s->line, "%s has no value", s->last_name);
    return after_name(s);
}

/* --- the tokens --- */

static bool hex_digit(int c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
           (c >= 'A' && c <= 'F');
}

static bool scan_escape(struct scan *s)
{
    int c = peek(s, 1);
    if (c == 'x') {
        if (!hex_digit(peek(s, 2)) || !hex_digit(peek(s, 3)))
            return bad(s, s->line,
                       "\\x is followed by two hexadecimal "
                       "digits");
        if (peek(s, 2) == '0' && peek(s, 3) == '0')
            return bad(s, s->line, "\\x00 cannot be part of a string");
        take(s, 4);
        return true;
    }
    if (c < 0 || !strchr("\\\"nrtf", c))
        return bad(s, s->line,
                   "unknown escape in a string: \\\\, \\\", \\n, "
                   "\\r, \\t, \\f and \\xNN are known");
    take(s, 2);
    return true;
}

static bool scan_string(struct scan *s)
{
    if (!value_fits(s, true))
        return false;
    take(s, 1);
    for (;;) {
        int c = peek(s, 0);
        if (c < 0 || c == '\n')
            return bad(s, s->line,
                       "this string is not closed on its line: "
                       "a \" is missing (long ones: \"a\" \"b\" are joined)");
        if (c == '\\') {
            if (!scan_escape(s))
                return false;
            continue;
        }
        take(s, 1);
        if (c == '"')
            break;
    }
    s->last = L_STRING;
    s->last_line = s->line;
    return true;
}

static bool scan_open(struct scan *s, char c)
{
    if (!value_fits(s, false))
        return false;
    if (s->depth == LIM_CONF_DEPTH)
        return bad(s, s->line, "more than %d brackets within each other",
                   LIM_CONF_DEPTH);
    s->open[s->depth] = c;
    s->open_line[s->depth++] = s->line;
    s->names[s->depth] = 0;
    s->last = L_OPEN;
    take(s, 1);
    return true;
}

static bool scan_close(struct scan *s, char c)
{
    char wanted = c == '}' ? '{' : c == ']' ? '[' : '(';
    if (!value_given(s))
        return false;
    if (!s->depth)
        return bad(s, s->line, "\"%c\" closes nothing", c);
    if (s->open[s->depth - 1] != wanted)
        return bad(s, s->line, "\"%c\" does not close the \"%c\" of line %d", c,
                   s->open[s->depth - 1], s->open_line[s->depth - 1]);
    if (c != '}' && s->last == L_SEP)
        return bad(s, s->line, "a comma before \"%c\": remove it", c);
    s->depth--;
    s->last = L_VALUE;
    take(s, 1);
    return true;
}

static bool scan_separator(struct scan *s, char c)
{
    if (!value_given(s))
        return false;
    if (in_list(s)) {
        if (c == ';')
            return bad(s, s->line,
                       "\";\" within a list: its elements are "
                       "separated by \",\"");
        if (s->last == L_SEP || s->last == L_OPEN)
            return bad(s, s->line,
                       "an element of a list is missing before "
                       "\",\"");
        if (++s->names[s->depth] >= LIM_CONF_ELEMENTS)
            return bad(s, s->line, "more than %d elements in one list",
                       LIM_CONF_ELEMENTS);
    } else if (s->last != L_VALUE && s->last != L_STRING) {
        return bad(s, s->line, "\"%c\" without a setting before it", c);
    }
    s->last = L_SEP;
    take(s, 1);
    return true;
}

static bool scan_assign(struct scan *s, char c)
{
    if (s->last != L_NAME)
        return bad(s, s->line, "\"%c\" without a name before it", c);
    s->last = L_ASSIGN;
    take(s, 1);
    return true;
}

/* --- words: names, numbers, true and false --- */

static bool word_byte(int c)
{
    return c > ' ' && !strchr(",;=:(){}[]\"#@", c);
}

static size_t word_length(const struct scan *s)
{
    size_t n = 0;
    while (word_byte(peek(s, n)) &&
           !(peek(s, n) == '/' &&
             (peek(s, n + 1) == '/' || peek(s, n + 1) == '*')))
        n++;
    return n;
}

static bool letter(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '*';
}

/* A name to be quoted in an error, unless it might be a key that strayed
 * here. */
static const char *quotable(pbay_str w, char *dst, size_t room)
{
    int digits = 0;
    for (size_t i = 0; i < w.n; i++)
        digits += w.p[i] >= '0' && w.p[i] <= '9';
    if (w.n > 24 || digits > 3)
        snprintf(dst, room, "a long name");
    else
        snprintf(dst, room, "\"%.*s\"", STR_ARG(w));
    return dst;
}

static bool scan_name(struct scan *s, pbay_str w)
{
    if (s->last == L_STRING && s->last_line == s->line)
        return bad(s, s->line,
                   "text behind a string: is a quote at the wrong "
                   "place, or a separator missing?");
    char name[40];
    bool good = letter((unsigned char)w.p[0]);
    for (size_t i = 1; i < w.n && good; i++)
        good = letter((unsigned char)w.p[i]) ||
               (w.p[i] >= '0' && w.p[i] <= '9') || w.p[i] == '-' ||
               w.p[i] == '_';
    if (!good)
        return bad(s, s->line,
                   "%s cannot be a name: a letter, then letters, "
                   "digits, \"-\" and \"_\"",
                   quotable(w, name, sizeof name));
    if (++s->names[s->depth] > LIM_CONF_NAMES)
        return bad(s, s->line, "more than %d settings in one group",
                   LIM_CONF_NAMES);
    quotable(w, s->last_name, sizeof s->last_name);
    s->last = L_NAME;
    take(s, w.n);
    return true;
}

static bool all_digits(pbay_str w, bool hex)
{
    for (size_t i = 0; i < w.n; i++)
        if (hex ? !hex_digit((unsigned char)w.p[i])
                : w.p[i] < '0' || w.p[i] > '9')
            return false;
    return w.n > 0;
}

/* An integer gets the "L" without which libconfig cuts it to 32 bits.  0: w is
 * no integer; -1: it does not fit at all. */
static int scan_integer(struct scan *s, pbay_str w)
{
    pbay_str digits = w;
    bool is_long = false,
         hex = w.n > 2 && w.p[0] == '0' && (w.p[1] == 'x' || w.p[1] == 'X');
    for (int k = 0; k < 2 && digits.n && digits.p[digits.n - 1] == 'L'; k++) {
        digits.n--;
        is_long = true;
    }
    pbay_str number = digits;
    if (hex)
        number = str_n(digits.p + 2, digits.n - 2);
    else if (number.n && (number.p[0] == '-' || number.p[0] == '+'))
        number = str_n(digits.p + 1, digits.n - 1);
    if (!all_digits(number, hex))
        return 0;
    char text[32];
    if (digits.n >= sizeof text)
        return -1;
    memcpy(text, digits.p, digits.n);
    text[digits.n] = '\0';
    errno = 0;
    long long v = strtoll(text, NULL, hex ? 16 : 10);
    if (errno)
        return -1;
    take(s, w.n);
    if (!is_long && (v > INT32_MAX || v < INT32_MIN))
        s->out[s->n++] = 'L';
    return 1;
}

/* DIGITS[.DIGITS][eN] as libconfig's own grammar has it. */
static bool is_float(pbay_str w)
{
    size_t i = w.n && (w.p[0] == '-' || w.p[0] == '+'), digits = 0;
    bool point = false;
    for (; i < w.n && (w.p[i] == '.' || (w.p[i] >= '0' && w.p[i] <= '9'));
         i++) {
        if (w.p[i] == '.' && point)
            return false;
        point = point || w.p[i] == '.';
        digits += w.p[i] != '.';
    }
    if (!digits)
        return false;
    if (i == w.n)
        return point;
    if (w.p[i] != 'e' && w.p[i] != 'E')
        return false;
    i++;
    if (i < w.n && (w.p[i] == '-' || w.p[i] == '+'))
        i++;
    return all_digits(str_n(w.p + i, w.n - i), false);
}

/* What was found is not repeated: it may be a key that wants its quotes. */
static bool scan_bare(struct scan *s, pbay_str w)
{
    static const char *const booleans[] = {"yes", "no", "on", "off", NULL};
    for (size_t i = 0; booleans[i]; i++)
        if (str_ieq(w, str_c(booleans[i])))
            return bad(s, s->line, "\"%s\": write true or false", booleans[i]);
    return bad(s, s->line,
               "a value that is neither a number nor true or "
               "false: strings are written in double quotes");
}

static bool scan_word(struct scan *s)
{
    pbay_str w = str_n(s->in.p + s->i, word_length(s));
    if (!w.n)
        return bad(s, s->line, "unexpected \"%c\"", peek(s, 0));
    if (!in_list(s) && s->last != L_ASSIGN)
        return after_name(s) && scan_name(s, w);
    if (!value_fits(s, false))
        return false;
    if (str_ieq(w, STR("true")) || str_ieq(w, STR("false"))) {
        take(s, w.n);
    } else {
        int n = scan_integer(s, w);
        if (n < 0)
            return bad(s, s->line, "a number that does not fit in 64 bits");
        if (!n && !is_float(w))
            return scan_bare(s, w);
        if (!n)
            take(s, w.n);
    }
    s->last = L_VALUE;
    return true;
}

static bool scan_token(struct scan *s)
{
    int c = peek(s, 0);
    switch (c) {
    case '"':
        return scan_string(s);
    case '(':
    case '[':
    case '{':
        return scan_open(s, (char)c);
    case ')':
    case ']':
    case '}':
        return scan_close(s, (char)c);
    case ',':
    case ';':
        return scan_separator(s, (char)c);
    case '=':
    case ':':
        return scan_assign(s, (char)c);
    case '@':
        return bad(s, s->line,
                   "@include is not read here: put providers into "
                   "files of their own, providers.d/NAME.conf");
    default:
        return scan_word(s);
    }
}

static bool scan_end(struct scan *s)
{
    if (!value_given(s))
        return false;
    if (s->depth)
        return bad(s, s->open_line[s->depth - 1],
                   "this \"%c\" is never "
                   "closed",
                   s->open[s->depth - 1]);
    return true;
}

char *scan_text(pbay_str in, struct scan_error *e)
{
    *e = (struct scan_error){0};
    if (str_starts(in, "\xef\xbb\xbf"))
        in = str_n(in.p + 3, in.n - 3); /* a byte order mark */
    /* A number that gets an "L" has ten digits at least. */
    struct scan s = {
        .in = in, .line = 1, .e = e, .out = malloc(in.n + in.n / 10 + 2)};
    if (!s.out)
        return NULL;
    bool ok = check_bytes(&s);
    while (ok && s.i < in.n)
        if (!skip_blank(&s, &ok))
            ok = scan_token(&s);
    if (ok && scan_end(&s)) {
        s.out[s.n] = '\0';
        return s.out;
    }
    free(s.out);
    return NULL;
}
