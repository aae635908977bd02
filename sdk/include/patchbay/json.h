/* SPDX-License-Identifier: MIT */
/* SDK helper library: reading JSON in place, without building a tree.
 *
 * Not part of the ABI: it is linked statically into whoever uses it.  All
 * functions work on borrowed text, allocate nothing, keep no state, and are
 * safe on any bytes whatsoever.  [any]
 */
#ifndef PATCHBAY_JSON_H
#define PATCHBAY_JSON_H

#include <patchbay/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Deepest nesting that any function here accepts. */
#define PBAY_JSON_DEPTH 128u

/* Results below zero. */
enum {
    PBAY_JSON_SYNTAX = -1, /* not JSON (RFC 8259), or trailing bytes */
    PBAY_JSON_DEEP = -2,   /* nested deeper than PBAY_JSON_DEPTH */
    PBAY_JSON_UTF8 = -3,   /* a string is not UTF-8 */
    PBAY_JSON_TYPE = -4,   /* well-formed, but not of the type asked for */
    PBAY_JSON_FULL = -5,   /* more members than room */
    PBAY_JSON_TWICE = -6   /* a top-level name occurs twice */
};

/* Check the whole text strictly (one value, white space around it).  0, or a
 * negative result with the byte offset in *at (may be NULL). */
int pbay_json_check(pbay_str text, size_t *at);

/* Check the whole text strictly and list the members of the top-level object:
 * at most `room`, *n how many.  The spans point into text.  A name that occurs
 * twice (compared after unescaping) is PBAY_JSON_TWICE. */
int pbay_json_members(pbay_str text, pbay_kv *out, size_t room, size_t *n,
                      size_t *at);

/* Check the whole text strictly and find first-level members in the same pass:
 * values[i] is the value of names[i], written as it stands there, without
 * escapes; {NULL,0} where there is none or the text is no object.  Of a name
 * that occurs twice it is the last value. */
int pbay_json_pick(pbay_str text, const pbay_str *names, pbay_str *values,
                   size_t n, size_t *at);

/* The rest works on text that pbay_json_check() accepted; on other text the
 * result is unspecified but harmless. */

/* The value of a first-level member; {NULL,0} if absent or not an object. */
pbay_str pbay_json_get(pbay_str object, const char *name);
/* The same in a list from pbay_json_members(). */
pbay_str pbay_json_find(const pbay_kv *members, size_t n, const char *name);
/* Walk an array or object: start with *pos = 0.  1 with the next element (and
 * its key for an object; key may be NULL), 0 at the end. */
int pbay_json_next(pbay_str container, size_t *pos, pbay_str *key,
                   pbay_str *value);

/* 's' string, 'n' number, 'o' object, 'a' array, 'b' true or false, '0' null,
 * 0 for an empty span. */
char pbay_json_type(pbay_str value);
/* Is it this string? (compares unescaped) */
int pbay_json_is(pbay_str value, const char *text);
int pbay_json_true(pbay_str value);
/* A whole number; 0 and *out, or PBAY_JSON_TYPE (also for fractions and what
 * does not fit). */
int pbay_json_i64(pbay_str value, int64_t *out);
int pbay_json_f64(pbay_str value, double *out);
/* Unescape a string value (quotes included in `value`).  dst needs value.n
 * bytes at most; the result's length, or PBAY_JSON_TYPE.  Unpaired surrogates
 * become U+FFFD. */
int64_t pbay_json_unescape(pbay_str value, char *dst, size_t room);
/* The same piece by piece, with a small buffer: start with *pos = 0; the length
 * of the next piece (room must be 8 or more), 0 at the end.  A character is
 * never cut. */
size_t pbay_json_unescape_part(pbay_str value, size_t *pos, char *dst,
                               size_t room);

/* A growing piece of JSON text, in memory of the caller's choice. */
typedef struct pbay_out {
    char *p;
    size_t n, room;
    /* Return at least `room` bytes that start with the old n bytes, or NULL;
     * NULL here means fixed room. */
    char *(*grow)(void *arg, char *old, size_t n, size_t room);
    void *arg;
    int failed; /* set when anything did not fit; check once at the end */
} pbay_out;

void pbay_out_raw(pbay_out *o, pbay_str bytes);
void pbay_out_cstr(pbay_out *o, const char *s);
/* The text as a JSON string with its quotes; what is not UTF-8 becomes
 * U+FFFD. */
void pbay_out_string(pbay_out *o, pbay_str text);
void pbay_out_i64(pbay_out *o, int64_t v);

#ifdef __cplusplus
}
#endif
#endif
