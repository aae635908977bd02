/* SPDX-License-Identifier: MIT */
/* One value: what is written, checked against what is wanted. */
#include "config/parts.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

struct spec spec_row(const struct cfg_key *k)
{
    bool bound = k->min < k->max;
    return (struct spec){.name = k->name,
                         .type = k->type,
                         .choices = k->choices,
                         .has_min = bound,
                         .has_max = bound,
                         .min = k->min,
                         .max = k->max,
                         .def = k->def};
}

struct spec spec_manifest(const struct manifest_key *k)
{
    return (struct spec){.name = k->name,
                         .type = k->type,
                         .list = k->choices,
                         .has_min = k->has_min,
                         .has_max = k->has_max,
                         .min = k->min,
                         .max = k->max,
                         .json = k->def,
                         .any_text = true};
}

struct raw raw_setting(const struct doc *d, const config_setting_t *s)
{
    struct raw r = {.set = s};
    r.origin =
        (struct cfg_origin){CFG_FILE, d->path, config_setting_source_line(s)};
    switch (config_setting_type(s)) {
    case CONFIG_TYPE_STRING:
        r.kind = RAW_STRING;
        r.s = config_setting_get_string(s);
        break;
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        r.kind = RAW_INT;
        r.i = config_setting_get_int64(s);
        break;
    case CONFIG_TYPE_FLOAT:
        r.kind = RAW_FLOAT;
        r.f = config_setting_get_float(s);
        break;
    case CONFIG_TYPE_BOOL:
        r.kind = RAW_BOOL;
        r.b = config_setting_get_bool(s);
        break;
    case CONFIG_TYPE_GROUP:
        r.kind = RAW_GROUP;
        break;
    default:
        r.kind = RAW_LIST;
    }
    return r;
}

/* --- defaults --- */

static char **list_new(struct load *l, size_t n)
{
    static char *none[1];
    char **v = load_alloc(l, (n + 1) * sizeof *v);
    return v ? v : none;
}

static char **split(struct load *l, const char *text)
{
    pbay_str rest = str_c(text);
    size_t n = 1;
    for (const char *p = text; *p; p++)
        n += *p == ' ';
    char **v = list_new(l, n);
    for (size_t i = 0; i < n && !l->nomem; i++)
        v[i] = load_dup(l, str_cut(&rest, ' '));
    return v;
}

static struct raw default_of_row(struct load *l, const struct spec *k)
{
    struct raw r = {.kind = RAW_STRING, .s = k->def, .literal = true};
    if (k->type == KEY_STRINGS) {
        r.kind = RAW_LIST;
        r.list = split(l, k->def);
    }
    return r;
}

static struct raw default_of_manifest(struct load *l, const struct spec *k)
{
    struct raw r = {.literal = true};
    struct json_object *v = NULL;
    if (js_parse(str_c(k->json), 4, &v, NULL))
        return r;
    switch (json_object_get_type(v)) {
    case json_type_string:
        r.kind = RAW_STRING;
        r.s = load_dup(l, str_c(json_object_get_string(v)));
        break;
    case json_type_int:
        r.kind = RAW_INT;
        r.i = json_object_get_int64(v);
        break;
    case json_type_double:
        r.kind = RAW_FLOAT;
        r.f = json_object_get_double(v);
        break;
    case json_type_boolean:
        r.kind = RAW_BOOL;
        r.b = json_object_get_boolean(v);
        break;
    case json_type_array: {
        size_t n = json_object_array_length(v);
        r.kind = RAW_LIST;
        r.list = list_new(l, n);
        for (size_t i = 0; i < n && !l->nomem; i++)
            r.list[i] = load_dup(l, str_c(json_object_get_string(
                                        json_object_array_get_idx(v, i))));
        break;
    }
    default:
        break;
    }
    json_object_put(v);
    return r;
}

struct raw raw_default(struct load *l, const struct spec *k)
{
    if (k->def)
        return default_of_row(l, k);
    if (k->json)
        return default_of_manifest(l, k);
    return (struct raw){.kind = RAW_NONE};
}

/* --- words --- */

const char *raw_found(const struct raw *r, bool secret, char *dst, size_t room)
{
    switch (r->kind) {
    case RAW_NONE:
        return "nothing";
    case RAW_STRING:
        if (secret)
            return "a string";
        /* Cut at a character. */
        size_t n = strnlen(r->s, 40);
        while (n == 40 && n && ((unsigned char)r->s[n] & 0xc0) == 0x80)
            n--;
        snprintf(dst, room, "the string \"%.*s%s\"", (int)n, r->s,
                 r->s[n] ? "..." : "");
        return dst;
    case RAW_INT:
        snprintf(dst, room, "the number %" PRId64, r->i);
        return dst;
    case RAW_FLOAT:
        snprintf(dst, room, "the number %g", r->f);
        return dst;
    case RAW_BOOL:
        return r->b ? "true" : "false";
    case RAW_LIST:
        return "a list";
    case RAW_GROUP:
        return "a group";
    }
    return "something else";
}

static const char *wanted(enum key_type t)
{
    switch (t) {
    case KEY_STRING:
    case KEY_SECRET:
        return "a string";
    case KEY_INT:
        return "a whole number";
    case KEY_FLOAT:
        return "a number";
    case KEY_BOOL:
        return "true or false";
    case KEY_DURATION:
        return "a duration: \"500ms\", \"30s\", \"5m\" or a number of "
               "seconds";
    case KEY_SIZE:
        return "a size: \"64K\", \"10M\", \"1G\" or a number of bytes";
    case KEY_STRINGS:
        return "a list of strings";
    }
    return "something else";
}

bool text_is_clean(const char *s, bool any)
{
    pbay_str t = str_c(s);
    for (size_t i = 0, n; i < t.n; i += n) {
        unsigned char c = (unsigned char)t.p[i];
        n = utf8_step(t, i);
        if (!n || (!any && (c < 0x20 || c == 0x7f)))
            return false;
    }
    return true;
}

/* --- checking --- */

struct check {
    struct load *l;
    const char *label;
    const struct spec *k;
    const struct raw *raw;
};

static bool fail(const struct check *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static bool fail(const struct check *c, const char *fmt, ...)
{
    char why[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    load_issue_at(c->l, true, &c->raw->origin, "%s: %s", c->label, why);
    return false;
}

static bool wrong_type(const struct check *c)
{
    char found[80];
    return fail(
        c, "%s was found, %s is wanted",
        raw_found(c->raw, c->k->type == KEY_SECRET, found, sizeof found),
        wanted(c->k->type));
}

/* A string with ${...} filled in; NULL after an issue. */
static const char *text_of(const struct check *c, const char *as_written)
{
    const char *s = as_written;
    if (!c->raw->literal) {
        char why[320];
        s = expand(c->l, as_written, why, sizeof why);
        if (!s) {
            load_issue_at(c->l, !c->l->lenient, &c->raw->origin, "%s: %s",
                          c->label, why);
            return NULL;
        }
    }
    if (text_is_clean(s, c->k->any_text))
        return s;
    fail(c, c->k->any_text ? "it is not UTF-8"
                           : "control characters, or bytes that are not "
                             "UTF-8, cannot be part of it");
    return NULL;
}

static bool is_choice(const struct spec *k, const char *s)
{
    pbay_str rest = str_c(k->choices);
    if (!k->choices && !k->list)
        return true;
    while (rest.n)
        if (str_is(str_cut(&rest, '|'), s))
            return true;
    for (size_t i = 0; k->list && k->list[i]; i++)
        if (strcmp(k->list[i], s) == 0)
            return true;
    return false;
}

static bool check_choice(const struct check *c, const char *s,
                         const char *as_written)
{
    if (is_choice(c->k, s))
        return true;
    struct raw r = {.kind = RAW_STRING, .s = as_written};
    char found[80], all[256] = "";
    size_t n = 0;
    pbay_str rest = str_c(c->k->choices);
    struct nearest near = {.wanted = str_c(s)};
    for (size_t i = 0;; i++) {
        pbay_str one = STR_NONE;
        if (c->k->list)
            one = str_c(c->k->list[i]);
        else
            one = str_cut(&rest, '|');
        if (!one.n)
            break;
        nearest_offer(&near, load_dup(c->l, one));
        n += (size_t)snprintf(all + n, sizeof all - n, "%s\"%.*s\"",
                              i ? ", " : "", STR_ARG(one));
        if (n >= sizeof all)
            break;
    }
    char hint[96];
    return fail(c, "%s was found, one of %s is wanted%s",
                raw_found(&r, false, found, sizeof found), all,
                nearest_hint(&near, hint, sizeof hint));
}

static const char *amount(enum key_type t, double v, char dst[32])
{
    if (t == KEY_DURATION)
        return cfg_duration_text((int64_t)v, dst);
    if (t == KEY_SIZE)
        return cfg_size_text((int64_t)v, dst);
    snprintf(dst, 32, "%.10g", v);
    return dst;
}

static bool check_range(const struct check *c, double v)
{
    char is[32], bound[32];
    enum key_type t = c->k->type;
    if (c->k->has_min && v < c->k->min)
        return fail(c, "%s is below the minimum of %s", amount(t, v, is),
                    amount(t, c->k->min, bound));
    if (c->k->has_max && v > c->k->max)
        return fail(c, "%s is above the maximum of %s", amount(t, v, is),
                    amount(t, c->k->max, bound));
    return true;
}

/* Numbers and booleans may come as text from the environment. */
static bool from_text(const struct check *c, struct raw *r)
{
    bool ours = c->raw->literal || strstr(r->s, "${");
    const char *s = ours ? text_of(c, r->s) : NULL;
    if (!s)
        return ours ? false : wrong_type(c);
    char *end = NULL;
    if (c->k->type == KEY_BOOL) {
        r->kind = RAW_BOOL;
        r->b = strcmp(s, "true") == 0 || strcmp(s, "1") == 0;
        if (r->b || strcmp(s, "false") == 0 || strcmp(s, "0") == 0)
            return true;
        return wrong_type(c);
    }
    if (c->k->type == KEY_INT) {
        r->kind = RAW_INT;
        /* Within 2^53, so that the bounds are exact. */
        r->i = strtoll(s, &end, 10);
        if (!*s || *end || r->i > INT64_C(1) << 53 ||
            r->i < -(INT64_C(1) << 53))
            return wrong_type(c);
        return true;
    }
    r->kind = RAW_FLOAT;
    r->f = strtod(s, &end);
    return *s && !*end ? true : wrong_type(c);
}

static bool read_number(const struct check *c, struct node *out)
{
    struct raw r = *c->raw;
    if (r.kind == RAW_STRING && !from_text(c, &r))
        return false;
    if (c->k->type == KEY_BOOL) {
        out->b = r.b;
        return r.kind == RAW_BOOL ? true : wrong_type(c);
    }
    if (c->k->type == KEY_INT) {
        out->i = r.i;
        return r.kind == RAW_INT ? check_range(c, (double)r.i) : wrong_type(c);
    }
    if (r.kind != RAW_INT && r.kind != RAW_FLOAT)
        return wrong_type(c);
    out->f = r.kind == RAW_INT ? (double)r.i : r.f;
    if (!isfinite(out->f))
        return fail(c, "this number is too large");
    return check_range(c, out->f);
}

static bool read_measure(const struct check *c, struct node *out)
{
    const struct raw *r = c->raw;
    bool time = c->k->type == KEY_DURATION;
    int64_t largest = INT64_MAX / 1000 - 1;
    switch (r->kind) {
    case RAW_STRING: {
        const char *s = text_of(c, r->s);
        if (!s)
            return false;
        int rc = time ? cfg_duration(str_c(s), &out->i)
                      : cfg_size(str_c(s), &out->i);
        if (rc)
            return wrong_type(c);
        break;
    }
    case RAW_INT:
        if (r->i < 0 || r->i > largest)
            return wrong_type(c);
        out->i = time ? r->i * 1000 : r->i;
        break;
    case RAW_FLOAT:
        if (!time || !isfinite(r->f) || r->f < 0 || r->f > 1e12)
            return wrong_type(c);
        out->i = (int64_t)(r->f * 1000 + 0.5);
        break;
    default:
        return wrong_type(c);
    }
    return check_range(c, (double)out->i);
}

static bool read_text(const struct check *c, struct node *out)
{
    if (c->raw->kind != RAW_STRING)
        return wrong_type(c);
    const char *s = text_of(c, c->raw->s);
    if (!s || !check_choice(c, s, c->raw->s))
        return false;
    if (c->k->type == KEY_SECRET && strcmp(s, "***") == 0)
        return fail(c, "\"***\" is how \"patchbay config show\" masks it: "
                       "write the real one, or \"${VAR}\"");
    out->s = s;
    return true;
}

static bool add_element(const struct check *c, struct node *out, size_t i,
                        const char *as_written)
{
    const char *s = text_of(c, as_written);
    if (!s || !check_choice(c, s, as_written))
        return false;
    if (!*s)
        return fail(c, "element %zu is empty", i + 1);
    out->list[i] = load_dup(c->l, str_c(s));
    return true;
}

static bool read_list(const struct check *c, struct node *out)
{
    const struct raw *r = c->raw;
    if (r->kind == RAW_STRING) { /* one alone needs no brackets */
        out->list = list_new(c->l, 1);
        return !c->l->nomem && add_element(c, out, 0, r->s);
    }
    if (r->kind != RAW_LIST)
        return wrong_type(c);
    size_t n = 0;
    if (r->set)
        n = (size_t)config_setting_length(r->set);
    else
        while (r->list[n])
            n++;
    out->list = list_new(c->l, n);
    for (size_t i = 0; i < n && !c->l->nomem; i++) {
        const char *s = r->set ? config_setting_get_string_elem(r->set, (int)i)
                               : r->list[i];
        if (!s)
            return fail(c, "element %zu is not a string", i + 1);
        if (!add_element(c, out, i, s))
            return false;
    }
    return true;
}

bool value_read(struct load *l, const char *label, const struct spec *k,
                const struct raw *raw, struct node *out)
{
    const struct check c = {l, label, k, raw};
    *out = (struct node){.kind = NODE_VALUE,
                         .name = k->name,
                         .type = k->type,
                         .set = true,
                         .secret = k->type == KEY_SECRET,
                         .origin = raw->origin};
    bool ok = false;
    switch (k->type) {
    case KEY_STRING:
    case KEY_SECRET:
        ok = read_text(&c, out);
        break;
    case KEY_INT:
    case KEY_FLOAT:
    case KEY_BOOL:
        ok = read_number(&c, out);
        break;
    case KEY_DURATION:
    case KEY_SIZE:
        ok = read_measure(&c, out);
        break;
    case KEY_STRINGS:
        ok = read_list(&c, out);
        break;
    }
    return ok && !l->nomem;
}
