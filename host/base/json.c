/* SPDX-License-Identifier: MIT */
/* Trees of JSON.  The text is checked by the strict reader of the SDK, since
 * json-c takes more than JSON and does not say well where it failed. */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <patchbay/json.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/str.h"

static int refuse(struct js_error *e, pbay_str text, size_t at, const char *why)
{
    unsigned line = 1;
    size_t begin = 0;

    if (!e)
        return -EINVAL;
    if (at > text.n)
        at = text.n;
    for (size_t i = 0; i < at; i++) {
        if (text.p[i] == '\n') {
            line++;
            begin = i + 1;
        }
    }
    e->at = at;
    e->line = line;
    e->column = (unsigned)(at - begin) + 1;
    snprintf(e->why, sizeof(e->why), "%s", why);
    return -EINVAL;
}

/* In well-formed text: where it is nested deeper than `depth`; its length if
 * nowhere. */
static size_t too_deep(pbay_str text, unsigned depth)
{
    bool string = false;
    unsigned now = 0;

    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];

        if (string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                string = false;
        } else if (c == '"') {
            string = true;
        } else if (c == '{' || c == '[') {
            if (++now > depth)
                return i;
        } else if (c == '}' || c == ']') {
            now--;
        }
    }
    return text.n;
}

static int check(pbay_str text, unsigned depth, struct js_error *e)
{
    size_t at = 0;
    int rc = pbay_json_check(text, &at);

    if (rc == PBAY_JSON_UTF8)
        return refuse(e, text, at, "a string that is not UTF-8");
    if (rc == PBAY_JSON_DEEP)
        return refuse(e, text, at, "nested too deep");
    if (rc < 0)
        return refuse(e, text, at,
                      at >= text.n ? "the text ends too early"
                                   : "a character that JSON has not here");
    at = too_deep(text, depth);
    if (at < text.n)
        return refuse(e, text, at, "nested too deep");
    if (text.n > INT_MAX)
        return refuse(e, text, 0, "too long");
    return 0;
}

int js_parse(pbay_str text, unsigned depth, struct json_object **out,
             struct js_error *e)
{
    enum json_tokener_error err;
    struct json_tokener *tok;
    struct json_object *o;
    int rc = check(text, depth, e);

    if (rc < 0)
        return rc;
    tok = json_tokener_new_ex(PBAY_JSON_DEPTH + 2);
    if (!tok)
        return -ENOMEM;
    o = json_tokener_parse_ex(tok, text.p, (int)text.n);
    err = json_tokener_get_error(tok);
    if (err == json_tokener_continue) { /* a number's end must be seen */
        o = json_tokener_parse_ex(tok, " ", 1);
        err = json_tokener_get_error(tok);
    }
    json_tokener_free(tok);
    if (err != json_tokener_success) {
        json_object_put(o);
        return refuse(e, text, 0, json_tokener_error_desc(err));
    }
    *out = o;
    return 0;
}

struct json_object *js_get(struct json_object *o, const char *name)
{
    struct json_object *v = NULL;

    if (!json_object_is_type(o, json_type_object))
        return NULL;
    return json_object_object_get_ex(o, name, &v) ? v : NULL;
}

struct json_object *js_typed(struct json_object *o, const char *name,
                             enum json_type type)
{
    struct json_object *v = js_get(o, name);

    return v && json_object_is_type(v, type) ? v : NULL;
}

pbay_str js_str(struct json_object *o, const char *name, pbay_str dflt)
{
    struct json_object *v = js_typed(o, name, json_type_string);

    return v ? str_n(json_object_get_string(v),
                     (size_t)json_object_get_string_len(v))
             : dflt;
}

const char *js_cstr(struct json_object *o, const char *name, const char *dflt)
{
    struct json_object *v = js_typed(o, name, json_type_string);

    return v ? json_object_get_string(v) : dflt;
}

int64_t js_int(struct json_object *o, const char *name, int64_t dflt)
{
    struct json_object *v = js_typed(o, name, json_type_int);

    return v ? json_object_get_int64(v) : dflt;
}

bool js_bool(struct json_object *o, const char *name, bool dflt)
{
    struct json_object *v = js_typed(o, name, json_type_boolean);

    return v ? json_object_get_boolean(v) : dflt;
}

int js_add(struct json_object *o, const char *name, struct json_object *v)
{
    if (json_object_object_add(o, name, v) < 0) {
        json_object_put(v);
        return -ENOMEM;
    }
    return 0;
}

static int add_new(struct json_object *o, const char *name,
                   struct json_object *v)
{
    return v ? js_add(o, name, v) : -ENOMEM;
}

static bool is_utf8(pbay_str s)
{
    size_t len;

    for (; s.n; s = str_n(s.p + len, s.n - len)) {
        len = str_utf8(s, NULL);
        if (!len)
            return false;
    }
    return true;
}

/* A copy with U+FFFD in place of each byte that is not UTF-8. */
static int repair(struct buf *b, pbay_str s)
{
    int rc = 0;

    while (s.n && rc == 0) {
        size_t len = str_utf8(s, NULL);

        rc = buf_add(b, len ? str_n(s.p, len) : STR("\xEF\xBF\xBD"));
        len = len ? len : 1;
        s = str_n(s.p + len, s.n - len);
    }
    return rc;
}

int js_add_str(struct json_object *o, const char *name, pbay_str v)
{
    struct buf fixed;
    int rc = 0;

    buf_init(&fixed, INT_MAX);
    if (!is_utf8(v)) {
        rc = repair(&fixed, v);
        v = buf_str(&fixed);
    }
    if (v.n > INT_MAX)
        rc = -EMSGSIZE;
    if (rc == 0)
        rc = add_new(o, name,
                     json_object_new_string_len(v.n ? v.p : "", (int)v.n));
    buf_done(&fixed);
    return rc;
}

int js_add_int(struct json_object *o, const char *name, int64_t v)
{
    return add_new(o, name, json_object_new_int64(v));
}

int js_add_bool(struct json_object *o, const char *name, bool v)
{
    return add_new(o, name, json_object_new_boolean(v));
}

pbay_str js_text(struct json_object *o)
{
    size_t n = 0;
    const char *p = json_object_to_json_string_length(
        o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &n);

    return p ? str_n(p, n) : STR_NONE;
}
