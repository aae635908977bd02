/* SPDX-License-Identifier: MIT */
/* The basic types of the provider ABI: strings, result codes, growth rules.
 *
 * Status: PROVISIONAL.  The ABI's major is 0: a plugin built for 0.x loads only
 * in a host that offers exactly 0.x.
 *
 * Rules that hold for every header of this directory
 *
 * Growth.    A struct that its reader cannot size by itself starts with `size`,
 *            set by whoever fills the struct to the sizeof it was compiled
 *            with.  A reader touches a member only if PBAY_HAS() says that it
 *            lies within `size`.  Members are only ever appended.  pbay_str,
 *            pbay_kv and the first 16 bytes of pbay_plugin never change.
 * Memory.    What is passed IN is borrowed for the duration of that one call,
 *            unless its comment says "request lifetime": then it stays valid
 *            and unchanged until finish() (codec) or run() (native) has
 *            returned.  What is passed OUT is static or comes from
 *            pbay_host.alloc.  Neither side ever frees the other's memory.
 * Threads.   Each function is tagged:
 *              [any]    any thread, at any time, several at once;
 *              [call]   one thread at a time for one call, not always the same
 *                       thread; different calls run at once;
 *              [admin]  exclusive for the instance: nothing else runs in it.
 * Control.   Nothing may unwind (C++ exception, Rust panic) or longjmp across
 *            a function of this ABI, in either direction.
 * Text.      UTF-8 without NUL termination, unless a comment says otherwise.
 * Time.      Milliseconds in an int64_t.  Money: 1e-9 of a currency unit.
 */
#ifndef PATCHBAY_TYPES_H
#define PATCHBAY_TYPES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#define PBAY_ASSERT(cond, text) static_assert(cond, text)
#else
#define PBAY_ASSERT(cond, text) _Static_assert(cond, text)
#endif

/* The ABI this header describes.  A plugin may define PBAY_ABI_MINOR to a
 * lower value before including it, to load in older hosts of the major. */
#define PBAY_ABI_MAJOR 0u
#ifndef PBAY_ABI_MINOR
#define PBAY_ABI_MINOR 1u
#endif

/* Does the object at `p` reach as far as member `f`? */
#define PBAY_HAS(p, f)                                                       \
    ((p)->size >=                                                            \
     (size_t)((const char *)&(p)->f - (const char *)(p)) + sizeof(p)->f)

/* A borrowed run of bytes.  p may be NULL only if n is 0.  Frozen. */
typedef struct pbay_str {
    const char *p;
    size_t n;
} pbay_str;

/* A name and its value: a header, an environment entry, or a member of a JSON
 * object (k: the key without its quotes, escapes untouched; v: the value as
 * written).  Frozen. */
typedef struct pbay_kv {
    pbay_str k, v;
} pbay_kv;

/* A pbay_str of a string literal, usable in initialisers. */
#define PBAY_LIT(s)                                                          \
    {                                                                        \
        (s), sizeof(s) - 1                                                   \
    }

/* One client request inside the host.  Opaque to the plugin. */
typedef struct pbay_call pbay_call;

/* What a function of the ABI returns.  An unknown negative value counts as
 * PBAY_FAIL, an unknown positive one as PBAY_OK. */
typedef int32_t pbay_rc;
enum {
    PBAY_OK = 0,
    /* feed(): this record was the reply's end mark; nothing that belongs to
     * the reply follows. */
    PBAY_END = 1,
    /* finish(): another exchange is needed; build() is called again with the
     * same state and request.step one higher. */
    PBAY_AGAIN = 2,
    /* feed(), with PBAY_RQ_PASS: do not forward this record to the client; it
     * is there only because the plugin asked for it. */
    PBAY_DROP = 3,
    /* The operation failed.  The reason is the ERROR event emitted before, if
     * there was one. */
    PBAY_FAIL = -1,
    PBAY_NOMEM = -2,
    /* This plugin has no such operation. */
    PBAY_NOSYS = -3,
    /* From emit(): the call is over, return at once. */
    PBAY_STOPPED = -4
};

PBAY_ASSERT(sizeof(pbay_str) == 2 * sizeof(void *), "pbay_str is frozen");
PBAY_ASSERT(sizeof(pbay_kv) == 4 * sizeof(void *), "pbay_kv is frozen");

#ifdef __cplusplus
}
#endif
#endif
