/* SPDX-License-Identifier: MIT */
/* The configuration keys that a manifest declares, checked so that a plugin
 * cannot declare a default which its own rules refuse. */
#include "module/manifest_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const type_names[] = {
    [KEY_STRING] = "string", [KEY_INT] = "int",           [KEY_FLOAT] = "float",
    [KEY_BOOL] = "bool",     [KEY_DURATION] = "duration", [KEY_SIZE] = "size",
    [KEY_SECRET] = "secret", [KEY_STRINGS] = "strings"};
#define N_TYPES (sizeof type_names / sizeof *type_names)

static const char *const known_members[] = {
    "name", "type", "default", "unit", "min", "max", "choices", "doc", NULL};

const char *key_type_name(enum key_type t)
{
    return (size_t)t < N_TYPES ? type_names[t] : "unknown";
}

static bool parse_type(struct manifest_key *k, struct json_object *o,
                       const char *where, char **err)
{
    pbay_str type = js_str(o, "type", STR_NONE);
    for (size_t i = 0; i < N_TYPES; i++) {
        if (str_is(type, type_names[i])) {
            k->type = (enum key_type)i;
            return true;
        }
    }
    return mf_fail(err,
                   "%s\"type\" must be one of string, int, float, bool, "
                   "duration, size, secret, strings",
                   where);
}

static bool parse_bound(struct json_object *o, const char *where,
                        const char *name, bool numeric, bool *has, double *out,
                        char **err)
{
    struct json_object *v = js_get(o, name);
    if (!v)
        return true;
    if (!numeric)
        return mf_fail(err, "%s\"%s\" is for numbers, durations and sizes",
                       where, name);
    if (!json_object_is_type(v, json_type_int) &&
        !json_object_is_type(v, json_type_double))
        return mf_fail(err, "%s\"%s\" must be a number", where, name);
    *has = true;
    *out = json_object_get_double(v);
    return true;
}

static bool parse_bounds(struct manifest_key *k, struct json_object *o,
                         const char *where, char **err)
{
    bool numeric = k->type == KEY_INT || k->type == KEY_FLOAT ||
                   k->type == KEY_DURATION || k->type == KEY_SIZE;
    if (!parse_bound(o, where, "min", numeric, &k->has_min, &k->min, err) ||
        !parse_bound(o, where, "max", numeric, &k->has_max, &k->max, err))
        return false;
    if (k->has_min && k->has_max && k->min > k->max)
        return mf_fail(err, "%s\"min\" is above \"max\"", where);
    return true;
}

static bool any_text(pbay_str s)
{
    return s.n <= 256;
}

/* DIGITS[.DIGITS] and a unit of the table, which may be left out for `plain`.
 * By hand: strtod() reads the point by the locale, and hexadecimal too. */
static bool with_unit(const char *text, const char *const *units,
                      const double *scale, double plain, double *out)
{
    double v = 0, place = 1;
    const char *p = text;
    for (; *p >= '0' && *p <= '9'; p++)
        v = v * 10 + (*p - '0');
    if (p == text)
        return false;
    if (*p == '.') {
        const char *point = p++;
        for (; *p >= '0' && *p <= '9'; p++)
            v += (*p - '0') * (place /= 10);
        if (p == point + 1)
            return false;
    }
    if (!*p) {
        *out = v * plain;
        return true;
    }
    for (size_t i = 0; units[i]; i++) {
        if (strcmp(p, units[i]) == 0) {
            *out = v * scale[i];
            return true;
        }
    }
    return false;
}

/* The default of a duration or size, in milliseconds or bytes. */
static bool measure(enum key_type type, struct json_object *v, double *out)
{
    static const char *const times[] = {"ms", "s", "m", "h", "d", NULL};
    static const double time_scale[] = {1, 1e3, 6e4, 3.6e6, 8.64e7};
    static const char *const sizes[] = {"K", "M", "G", NULL};
    static const double size_scale[] = {1024, 1048576, 1073741824};
    double plain = type == KEY_DURATION ? 1e3 : 1;
    if (json_object_is_type(v, json_type_int) ||
        json_object_is_type(v, json_type_double)) {
        *out = json_object_get_double(v) * plain;
        return *out >= 0;
    }
    if (!json_object_is_type(v, json_type_string))
        return false;
    const char *text = json_object_get_string(v);
    return type == KEY_DURATION
               ? with_unit(text, times, time_scale, plain, out)
               : with_unit(text, sizes, size_scale, plain, out);
}

static bool all_strings(struct json_object *v)
{
    if (!json_object_is_type(v, json_type_array))
        return false;
    for (size_t i = 0; i < json_object_array_length(v); i++)
        if (!json_object_is_type(json_object_array_get_idx(v, i),
                                 json_type_string))
            return false;
    return true;
}

/* Is v of the key's type?  *number: what the bounds are about. */
static bool right_type(const struct manifest_key *k, struct json_object *v,
                       double *number)
{
    switch (k->type) {
    case KEY_STRING:
        return json_object_is_type(v, json_type_string);
    case KEY_INT:
        *number = json_object_get_double(v);
        return json_object_is_type(v, json_type_int);
    case KEY_FLOAT:
        *number = json_object_get_double(v);
        return json_object_is_type(v, json_type_int) ||
               json_object_is_type(v, json_type_double);
    case KEY_BOOL:
        return json_object_is_type(v, json_type_boolean);
    case KEY_DURATION:
    case KEY_SIZE:
        return measure(k->type, v, number);
    case KEY_STRINGS:
        return all_strings(v);
    case KEY_SECRET:
        break;
    }
    return false;
}

static bool is_choice(const struct manifest_key *k, struct json_object *v)
{
    for (size_t i = 0; k->choices && k->choices[i]; i++)
        if (strcmp(k->choices[i], json_object_get_string(v)) == 0)
            return true;
    return !k->choices;
}

static bool parse_default(struct manifest_key *k, struct json_object *o,
                          const char *where, char **err)
{
    struct json_object *v = js_get(o, "default");
    if (!v)
        return true;
    if (k->type == KEY_SECRET)
        return mf_fail(err, "%sa secret has no \"default\": remove it", where);
    double number = 0;
    if (!right_type(k, v, &number))
        return mf_fail(err, "%s\"default\" must be a %s", where,
                       key_type_name(k->type));
    if ((k->has_min && number < k->min) || (k->has_max && number > k->max))
        return mf_fail(err, "%s\"default\" is outside \"min\" and \"max\"",
                       where);
    if (!is_choice(k, v))
        return mf_fail(err, "%s\"default\" is not among \"choices\"", where);
    k->def = str_dup(js_text(v));
    return k->def ? true : mf_fail(err, "out of memory");
}

static bool parse_key(struct manifest_key *k, struct json_object *o,
                      const char *where, char **err)
{
    if (!json_object_is_type(o, json_type_object))
        return mf_fail(err,
                       "%smust be an object with \"name\", \"type\" and "
                       "\"doc\"",
                       where);
    if (!mf_only(o, where, known_members, err) ||
        !mf_text(o, where, "name", true, &k->name, err))
        return false;
    if (!manifest_key_name_ok(str_c(k->name)))
        return mf_fail(err,
                       "%s\"name\" must be a small letter and up to 63 "
                       "small letters, digits or '_'",
                       where);
    if (!parse_type(k, o, where, err) ||
        !mf_text(o, where, "unit", false, &k->unit, err) ||
        !mf_text(o, where, "doc", true, &k->doc, err) ||
        !parse_bounds(k, o, where, err))
        return false;
    if (js_get(o, "choices")) {
        if (k->type != KEY_STRING)
            return mf_fail(err, "%s\"choices\" is for strings", where);
        if (!mf_strings(o, where, "choices", any_text, "a string", &k->choices,
                        err))
            return false;
    }
    return parse_default(k, o, where, err);
}

bool mf_keys(struct manifest *m, struct json_object *o, char **err)
{
    struct json_object *list = js_get(o, "keys");
    if (!list)
        return true;
    if (!json_object_is_type(list, json_type_array))
        return mf_fail(err, "\"keys\" must be a list of objects");
    size_t n = json_object_array_length(list);
    m->keys = calloc(n + 1, sizeof *m->keys);
    if (!m->keys)
        return mf_fail(err, "out of memory");
    for (size_t i = 0; i < n; i++) {
        char where[40];
        snprintf(where, sizeof where, "\"keys\"[%zu]: ", i);
        m->n_keys++;
        if (!parse_key(&m->keys[i], json_object_array_get_idx(list, i), where,
                       err))
            return false;
        for (size_t j = 0; j < i; j++)
            if (strcmp(m->keys[j].name, m->keys[i].name) == 0)
                return mf_fail(err, "%s\"%s\" is declared twice", where,
                               m->keys[i].name);
    }
    return true;
}

void mf_keys_free(struct manifest *m)
{
    for (size_t i = 0; i < m->n_keys; i++) {
        struct manifest_key *k = &m->keys[i];
        free(k->name);
        free(k->unit);
        free(k->doc);
        free(k->def);
        mf_strings_free(k->choices);
    }
    free(m->keys);
}

const struct manifest_key *manifest_key(const struct manifest *m, pbay_str name)
{
    for (size_t i = 0; i < m->n_keys; i++)
        if (str_is(name, m->keys[i].name))
            return &m->keys[i];
    return NULL;
}
