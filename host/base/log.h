/* SPDX-License-Identifier: MIT */
/* The log: text or JSON lines on stderr (or a file), written by a thread of
 * its own so that no event loop waits for a slow reader.
 *
 * Secrets: a value of type `struct secret` cannot be printed; log_secret()
 * writes "***".  In addition every value registered with redact_add() is
 * replaced in whatever text goes through the log or redact_text(), so that a
 * provider which repeats our key in an error text does not leak it.
 * [any thread] for all functions except log_start/log_stop.
 */
#ifndef PB_LOG_H
#define PB_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include <patchbay/types.h>

enum log_level { LOG_ERROR = 1, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

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

/* Before start (and in programs that never start it) lines are written at once
 * by the caller's thread.  fd is not closed.  stop flushes. */
int log_start(int fd);
void log_stop(void);
/* Lines that were dropped because the queue was full. */
uint64_t log_dropped(void);

/* --- secrets --- */

/* A secret's bytes.  Owned; zeroed when freed. */
struct secret;
struct secret *secret_new(pbay_str bytes); /* registers it for redaction */
void secret_free(struct secret *s);        /* NULL is fine; unregisters */
struct secret *secret_ref(struct secret *s);
/* The only way to the bytes: for the header that carries it, nothing else. */
pbay_str secret_expose(const struct secret *s);

/* Values under 6 bytes are not registered (they would eat ordinary text). */
void redact_add(pbay_str value);
void redact_remove(pbay_str value);
/* Replace every registered value in text by "***", in place of memory from
 * malloc; NULL when nothing had to be replaced. */
char *redact_text(pbay_str text, size_t *n);

#endif
