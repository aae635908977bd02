/* SPDX-License-Identifier: MIT */
/* ${VAR} and ${VAR:-default} in strings; "$${" is a literal "${". */
#include "config/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

static bool name_byte(char c, bool first)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
           (!first && c >= '0' && c <= '9');
}

static size_t name_length(pbay_str s)
{
    size_t n = 0;
    while (n < s.n && name_byte(s.p[n], n == 0))
        n++;
    return n;
}

/* The inside of one ${...}; false and why[]. */
static bool one(struct load *l, pbay_str in, struct buf *out, char *why,
                size_t room)
{
    size_t n = name_length(in);
    char name[128];
    pbay_str rest = str_n(in.p + n, in.n - n);
    if (!n || n >= sizeof name || (rest.n && !str_starts(rest, ":-"))) {
        snprintf(why, room,
                 "only ${NAME} and ${NAME:-default} are known; a "
                 "literal \"${\" is written \"$${\"");
        return false;
    }
    memcpy(name, in.p, n);
    name[n] = '\0';
    const char *value = load_env(l, name);
    if (!value && rest.n)
        value = "";
    else if (value)
        rest = STR_NONE;
    if (!value) {
        snprintf(why, room,
                 "the environment variable %s is not set (or "
                 "empty): set it, or write ${%s:-default}",
                 name, name);
        return false;
    }
    pbay_str add = rest.n ? str_n(rest.p + 2, rest.n - 2) : str_c(value);
    int rc = buf_add(out, add);
    if (rc)
        snprintf(why, room, "longer than %zu KiB with ${%s} filled in",
                 LIM_CONF_STRING >> 10, name);
    return rc == 0;
}

static bool all(struct load *l, pbay_str in, struct buf *out, char *why,
                size_t room)
{
    for (size_t i = 0; i < in.n;) {
        if (in.p[i] != '$' || in.n - i < 2) {
            size_t run = 1;
            while (i + run < in.n && in.p[i + run] != '$')
                run++;
            if (buf_add(out, str_n(in.p + i, run)))
                goto too_long;
            i += run;
            continue;
        }
        if (str_starts(str_n(in.p + i, in.n - i), "$${")) {
            if (buf_add(out, STR("${")))
                goto too_long;
            i += 3;
            continue;
        }
        if (in.p[i + 1] != '{') {
            if (buf_add(out, STR("$")))
                goto too_long;
            i++;
            continue;
        }
        const char *end = memchr(in.p + i, '}', in.n - i);
        if (!end) {
            snprintf(why, room,
                     "\"${\" without its \"}\"; a literal \"${\" "
                     "is written \"$${\"");
            return false;
        }
        size_t start = i + 2, at = (size_t)(end - in.p);
        if (!one(l, str_n(in.p + start, at - start), out, why, room))
            return false;
        i = at + 1;
    }
    return true;
too_long:
    snprintf(why, room, "longer than %zu KiB", LIM_CONF_STRING >> 10);
    return false;
}

char *expand(struct load *l, const char *in, char *why, size_t room)
{
    if (!strchr(in, '$'))
        return load_dup(l, str_c(in));
    struct buf out;
    buf_init(&out, LIM_CONF_STRING);
    char *result = NULL;
    if (all(l, str_c(in), &out, why, room))
        result = load_dup(l, buf_str(&out));
    /* It may hold a key. */
    if (out.p)
        explicit_bzero(out.p, out.room);
    buf_done(&out);
    return result;
}
