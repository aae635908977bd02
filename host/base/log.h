/* SPDX-License-Identifier: MIT */
/* The log: text or JSON lines on stderr (or a file), written by a thread of
 * its own so that no event loop waits for a slow reader.
 *
 * Secrets: a value of type `struct secret` cannot be printed; log_secret()
 * writes "***".  In addition every value registered with redact_add() is
 * replaced in whatever text goes through the log or redact_text(), so that a
 * provider which repeats our key in an error text does not leak it: as it is,
 * with JSON or percent escapes, or in base64.
 *
 * Whatever the values hold, a line is one line: control bytes, line separators
 * and marks that turn the direction of writing are escaped, what is not UTF-8
 * becomes U+FFFD, and a JSON line is always valid JSON.  Lines over
 * LIM_LOG_LINE are cut in the value that does not fit, and say so.
 *
 * [any thread] for all functions except log_start/log_stop.
 */
#ifndef PB_LOG_H
#define PB_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include <patchbay/types.h>

enum log_level {
    LOG_ERROR = 1,
    LOG_WARN,
    LOG_INFO,
    LOG_DEBUG
};
enum log_format {
    LOG_TEXT,
    LOG_JSON
};

/* A field of a line: make it with the functions below, end with LOG_END. */
struct log_field {
    const char *key; /* NULL: end */
    int type;
    pbay_str s;
    int64_t i;
};
#define LOG_END ((struct log_field){0})
struct log_field log_str(const char *key, pbay_str value);
struct log_field log_cstr(const char *key, const char *value);
struct log_field log_int(const char *key, int64_t value);
/* Text: key=1.234ms; JSON: "key_us":1234. */
struct log_field log_us(const char *key, int64_t microseconds);
struct log_field log_secret(const char *key);

/* log_line(LOG_INFO, "host", "listening", log_cstr("on", a), LOG_END);
 * `who`: the part that speaks.  Text: `TIME LEVEL who: msg key=value ...`. */
void log_line(enum log_level level, const char *who, const char *msg, ...);
/* printf form, for when there is nothing to filter by. */
void log_f(enum log_level level, const char *who, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Would a line of this level be written?  Cheap; check before work. */
bool log_on(enum log_level level);
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
/* "error" ...; -EINVAL for an unknown name. */
int log_level_parse(pbay_str name, enum log_level *out);
const char *log_level_name(enum log_level level);
void log_set_format(enum log_format format);

/* Before start and after stop (and in programs that never start it) lines are
 * written to stderr at once by the caller's thread.  fd is not closed.  stop
 * writes what is queued, but gives a reader that takes nothing no more than two
 * seconds.  0 or -errno. */
int log_start(int fd);
void log_stop(void);
/* Lines that were dropped because the queue was full or fd took no more.  The
 * log says so itself as soon as it can. */
uint64_t log_dropped(void);

/* --- secrets --- */

/* A secret's bytes, counted references.  When the last is freed the bytes are
 * zeroed, and no longer redacted. */
struct secret;
/* Registers it for redaction; NULL when memory is out. */
struct secret *secret_new(pbay_str bytes);
void secret_free(struct secret *s); /* NULL is fine */
struct secret *secret_ref(struct secret *s);
/* The only way to the bytes: for the header that carries it, nothing else.  A
 * NUL follows them. */
pbay_str secret_expose(const struct secret *s);

/* Values under 6 bytes are not registered (they would eat ordinary text).  As
 * many removes as adds.  When memory for the list runs out, everything is
 * replaced from then on: better blind than leaking. */
void redact_add(pbay_str value);
void redact_remove(pbay_str value);
/* Replace every registered value in text by "***": a NUL-terminated text from
 * malloc and its length; NULL when nothing had to be replaced. */
char *redact_text(pbay_str text, size_t *n);
/* The same into out (room > 0), always NUL-terminated; its length.  What does
 * not fit is cut off between characters, and *cut (may be NULL) says so.
 * Needs no memory. */
size_t redact_copy(char *out, size_t room, pbay_str text, bool *cut);

#endif
