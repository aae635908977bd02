/* SPDX-License-Identifier: MIT */
/* A value for a JSON schema: type, properties, required, items, prefixItems,
 * enum, const, anyOf, oneOf, allOf, local $ref, and the bounds of numbers,
 * strings and lists. */
#include "lb.h"

#include <stdio.h>
#include <string.h>

#define DEPTH_MAX  24
#define VALUES_MAX 5000
#define ITEMS_MAX  1000
#define STRING_MAX 10000
#define LAYERS_MAX 8
/* From here on optional things are left out, so that a schema that contains
 * itself comes to an end. */
#define DEPTH_SHORT 6

struct gen {
    struct lb_run *r;
    pbay_str root, hint;
    pbay_out *o;
    unsigned values, nth; /* nth: makes the items of a list differ */
    const char *why;
};

/* An object's schema and what its allOf adds. */
struct layers {
    pbay_str v[LAYERS_MAX];
    size_t n;
};

static bool value(struct gen *g, pbay_str schema, unsigned depth);

static bool give_up(struct gen *g, const char *why)
{
    if (!g->why)
        g->why = why;
    return false;
}

/* One step of a JSON pointer (RFC 6901) down from `at`. */
static pbay_str pointer_step(pbay_str at, pbay_str token)
{
    char name[128];
    size_t n = 0;
    for (size_t i = 0; i < token.n && n < sizeof name - 1; i++) {
        char c = token.p[i];
        if (c == '~' && i + 1 < token.n)
            c = token.p[++i] == '1' ? '/' : '~';
        name[n++] = c;
    }
    name[n] = '\0';
    return pbay_json_get(at, name);
}

static pbay_str resolve(struct gen *g, pbay_str schema)
{
    for (int hops = 0; hops < 16; hops++) {
        pbay_str ref = pbay_json_get(schema, "$ref");
        if (pbay_json_type(ref) != 's' && schema.n)
            return schema;
        pbay_str path = lb_text(g->r, ref);
        if (!path.n || path.p[0] != '#')
            break;
        schema = g->root;
        size_t at = 1;
        while (at < path.n && schema.n) {
            size_t end = at + 1;
            while (end < path.n && path.p[end] != '/')
                end++;
            schema =
                pointer_step(schema, (pbay_str){path.p + at + 1, end - at - 1});
            at = end;
        }
    }
    give_up(g, "its $ref leads nowhere in the schema");
    return schema;
}

static void collect(struct gen *g, pbay_str schema, struct layers *l,
                    unsigned depth)
{
    pbay_str all = pbay_json_get(schema, "allOf"), one;
    if (l->n == LAYERS_MAX || depth > LAYERS_MAX)
        return;
    l->v[l->n++] = schema;
    if (pbay_json_type(all) != 'a')
        return;
    for (size_t pos = 0; pbay_json_next(all, &pos, NULL, &one);)
        collect(g, resolve(g, one), l, depth + 1);
}

/* The first layer that has the keyword says what it is. */
static pbay_str keyword(const struct layers *l, const char *name)
{
    pbay_str v = {NULL, 0};
    for (size_t i = 0; i < l->n && !v.n; i++)
        v = pbay_json_get(l->v[i], name);
    return v;
}

static bool number_of(const struct layers *l, const char *name, double *out)
{
    return pbay_json_f64(keyword(l, name), out) == 0;
}

static int64_t count_of(const struct layers *l, const char *name, int64_t dflt)
{
    int64_t n;
    return pbay_json_i64(keyword(l, name), &n) == 0 && n >= 0 ? n : dflt;
}

/* --- strings --- */

static bool formatted(struct gen *g, const struct layers *l)
{
    static const struct {
        const char *format, *value;
    } formats[] = {{"date-time", "2026-01-02T03:04:05Z"},
                   {"date", "2026-01-02"},
                   {"time", "03:04:05Z"},
                   {"duration", "PT1M"},
                   {"email", "user@example.org"},
                   {"hostname", "example.org"},
                   {"ipv4", "192.0.2.1"},
                   {"ipv6", "2001:db8::1"},
                   {"uri", "https://example.org/"},
                   {"uuid", "00000000-0000-4000-8000-000000000000"}};
    pbay_str format = keyword(l, "format");
    for (size_t i = 0; format.n && i < sizeof formats / sizeof *formats; i++) {
        if (!pbay_json_is(format, formats[i].format))
            continue;
        pbay_out_string(g->o,
                        (pbay_str){formats[i].value, strlen(formats[i].value)});
        return true;
    }
    return false;
}

/* The first n characters. */
static pbay_str cut_characters(pbay_str s, int64_t n)
{
    size_t at = 0;
    while (at < s.n && n-- > 0) {
        at++;
        while (at < s.n && ((unsigned char)s.p[at] & 0xc0) == 0x80)
            at++;
    }
    return (pbay_str){s.p, at};
}

static int64_t characters(pbay_str s)
{
    int64_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

static bool string(struct gen *g, const struct layers *l)
{
    int64_t min = count_of(l, "minLength", 0);
    int64_t max = count_of(l, "maxLength", 64);
    if (formatted(g, l))
        return true;
    if (min > STRING_MAX)
        return give_up(g, "it asks for a string of over 10000 characters");
    if (keyword(l, "maxLength").n && min > max)
        return give_up(g, "its minLength is above its maxLength");
    if (max > 64)
        max = 64;
    char number[24];
    int digits = g->nth ? snprintf(number, sizeof number, "%u", g->nth) : 0;
    pbay_str text = cut_characters(g->hint, max > digits ? max - digits : 0);
    size_t room = text.n + (size_t)digits + (size_t)min;
    char *p = lb_alloc(g->r, room + 1);
    if (!p)
        return give_up(g, "there is no memory for it");
    if (text.n)
        memcpy(p, text.p, text.n);
    memcpy(p + text.n, number, (size_t)digits);
    size_t n = text.n + (size_t)digits;
    for (int64_t have = characters((pbay_str){p, n}); have < min; have++)
        p[n++] = '.';
    pbay_out_string(g->o, (pbay_str){p, n});
    return true;
}

/* --- numbers --- */

static void put_number(struct gen *g, double v)
{
    char text[40];
    if (v >= -9e15 && v <= 9e15 && (double)(int64_t)v == v) {
        pbay_out_i64(g->o, (int64_t)v);
        return;
    }
    int n = snprintf(text, sizeof text, "%.17g", v);
    for (int i = 0; i < n; i++)
        if (text[i] == ',') /* the locale's point */
            text[i] = '.';
    pbay_out_raw(g->o, (pbay_str){text, (size_t)n});
}

/* The nearest to zero that the bounds allow. */
static bool number(struct gen *g, const struct layers *l, bool integer)
{
    double low = -1e15, high = 1e15, limit, step = integer ? 1 : 0;
    bool open_low = false, open_high = false;
    number_of(l, "minimum", &low);
    number_of(l, "maximum", &high);
    if (number_of(l, "exclusiveMinimum", &limit) && limit >= low) {
        low = limit;
        open_low = true;
    }
    if (number_of(l, "exclusiveMaximum", &limit) && limit <= high) {
        high = limit;
        open_high = true;
    }
    if (number_of(l, "multipleOf", &limit) && limit > 1e-9 && limit < 1e15)
        step = integer && limit < 1 ? 1 : limit;
    if (low < -9e15 || low > 9e15 || high < -9e15 || high > 9e15)
        return give_up(g, "it asks for a number beyond 9e15");
    double v = low > 0 || (open_low && low >= 0) ? low : 0;
    if (high < 0 || (open_high && high <= 0))
        v = high;
    bool up = v == low && low >= 0;
    if (step > 0 && v != 0 && v / step > -9e15 && v / step < 9e15) {
        int64_t times = (int64_t)(v / step);
        v = (double)times * step;
        if (up && v < low)
            v += step;
        else if (!up && v > high)
            v -= step;
    }
    if ((open_low && v == low) || (open_high && v == high)) {
        double room = high - low;
        double by = step > 0 ? step : room < 2 ? room / 2 : 1;
        v += up || v == low ? by : -by;
    }
    double nth = v + (double)g->nth * (step > 0 ? step : 1);
    if (nth < high || (nth == high && !open_high))
        v = nth;
    if (v < low || v > high || (open_low && v <= low) ||
        (open_high && v >= high))
        return give_up(g, "no number is within its bounds");
    put_number(g, v);
    return true;
}

/* --- containers --- */

static bool array(struct gen *g, const struct layers *l, unsigned depth)
{
    pbay_str items = keyword(l, "items"), prefix = keyword(l, "prefixItems");
    bool any = pbay_json_type(items) == 'o';
    int64_t min = count_of(l, "minItems", any && depth < DEPTH_SHORT ? 1 : 0);
    int64_t max = count_of(l, "maxItems", ITEMS_MAX), i = 0;
    bool differ = pbay_json_true(keyword(l, "uniqueItems"));
    size_t pos = 0;
    pbay_str item;
    if (min > max && !keyword(l, "minItems").n)
        min = max;
    if (min > ITEMS_MAX)
        return give_up(g, "it asks for over 1000 items");
    if (min > max)
        return give_up(g, "its minItems is above its maxItems");
    pbay_out_cstr(g->o, "[");
    bool more = pbay_json_type(prefix) == 'a';
    for (;; i++) {
        more = more && i < max && pbay_json_next(prefix, &pos, NULL, &item);
        if (!more && i >= min)
            break;
        if (!more)
            item = any ? items : LB_STR("{}");
        if (i)
            pbay_out_cstr(g->o, ",");
        unsigned outer = g->nth;
        if (differ)
            g->nth = (unsigned)i;
        if (!value(g, item, depth + 1))
            return false;
        g->nth = outer;
    }
    pbay_out_cstr(g->o, "]");
    return true;
}

/* Is the name, as it stands between its quotes, in a list of strings? */
static bool listed(pbay_str list, pbay_str name)
{
    pbay_str one;
    if (pbay_json_type(list) != 'a')
        return false;
    for (size_t pos = 0; pbay_json_next(list, &pos, NULL, &one);)
        if (one.n == name.n + 2 && memcmp(one.p + 1, name.p, name.n) == 0)
            return true;
    return false;
}

static bool has_member(pbay_str object, pbay_str name)
{
    pbay_str key, v;
    for (size_t pos = 0; pbay_json_next(object, &pos, &key, &v);)
        if (key.n == name.n && memcmp(key.p, name.p, name.n) == 0)
            return true;
    return false;
}

/* Did a layer before the i-th have it among its properties? */
static bool earlier(const struct layers *l, size_t i, pbay_str name)
{
    for (size_t k = 0; k < i; k++)
        if (has_member(pbay_json_get(l->v[k], "properties"), name))
            return true;
    return false;
}

static bool is_required(const struct layers *l, pbay_str name)
{
    for (size_t i = 0; i < l->n; i++)
        if (listed(pbay_json_get(l->v[i], "required"), name))
            return true;
    return false;
}

static bool member(struct gen *g, pbay_str name, pbay_str schema,
                   unsigned depth, bool *first)
{
    pbay_out_cstr(g->o, *first ? "\"" : ",\"");
    pbay_out_raw(g->o, name);
    pbay_out_cstr(g->o, "\":");
    *first = false;
    return value(g, schema, depth + 1);
}

/* The required members; without a list of those, all that are described. */
static bool object(struct gen *g, const struct layers *l, unsigned depth)
{
    bool first = true;
    bool all = !keyword(l, "required").n && depth < DEPTH_SHORT;
    pbay_str name, schema;
    pbay_out_cstr(g->o, "{");
    for (size_t i = 0; i < l->n; i++) {
        pbay_str props = pbay_json_get(l->v[i], "properties");
        for (size_t pos = 0; pbay_json_type(props) == 'o' &&
                             pbay_json_next(props, &pos, &name, &schema);) {
            if ((!all && !is_required(l, name)) || earlier(l, i, name))
                continue;
            if (!member(g, name, schema, depth, &first))
                return false;
        }
    }
    pbay_str extra = keyword(l, "additionalProperties");
    if (pbay_json_type(extra) != 'o')
        extra = LB_STR("{}");
    for (size_t i = 0; i < l->n; i++) {
        pbay_str list = pbay_json_get(l->v[i], "required");
        for (size_t pos = 0; pbay_json_type(list) == 'a' &&
                             pbay_json_next(list, &pos, NULL, &name);) {
            if (pbay_json_type(name) != 's')
                continue;
            name = (pbay_str){name.p + 1, name.n - 2};
            if (!earlier(l, l->n, name) &&
                !member(g, name, extra, depth, &first))
                return false;
        }
    }
    pbay_out_cstr(g->o, "}");
    return true;
}

/* --- choosing --- */

/* One of anyOf or oneOf: the first that is not null, or null when it is time
 * to come to an end. */
static pbay_str alternative(struct gen *g, pbay_str list, unsigned depth)
{
    pbay_str one, take = {NULL, 0};
    for (size_t pos = 0; pbay_json_next(list, &pos, NULL, &one);) {
        bool null =
            pbay_json_is(pbay_json_get(resolve(g, one), "type"), "null");
        if (!take.n || (null && depth >= DEPTH_SHORT))
            take = one;
        if (!null && depth < DEPTH_SHORT)
            return one;
    }
    return take;
}

/* The type's name, {NULL,0} if any will do. */
static pbay_str type_of(const struct layers *l, unsigned depth)
{
    pbay_str list = keyword(l, "type"), one, type = {NULL, 0};
    if (pbay_json_type(list) != 'a')
        return list;
    for (size_t pos = 0; pbay_json_next(list, &pos, NULL, &one);) {
        bool null = pbay_json_is(one, "null");
        if (!type.n || (null && depth >= DEPTH_SHORT) ||
            (pbay_json_is(type, "null") && depth < DEPTH_SHORT))
            type = one;
    }
    return type;
}

static bool typed(struct gen *g, const struct layers *l, unsigned depth)
{
    pbay_str type = type_of(l, depth);
    if (pbay_json_is(type, "object") ||
        (!type.n && (keyword(l, "properties").n || keyword(l, "required").n)))
        return object(g, l, depth);
    if (pbay_json_is(type, "array") ||
        (!type.n && (keyword(l, "items").n || keyword(l, "prefixItems").n)))
        return array(g, l, depth);
    if (!type.n || pbay_json_is(type, "string"))
        return string(g, l);
    if (pbay_json_is(type, "integer") || pbay_json_is(type, "number"))
        return number(g, l, pbay_json_is(type, "integer"));
    if (pbay_json_is(type, "boolean"))
        pbay_out_cstr(g->o, g->nth ? "false" : "true");
    else if (pbay_json_is(type, "null"))
        pbay_out_cstr(g->o, "null");
    else
        return give_up(g, "it has a type that JSON does not have");
    return true;
}

static bool value(struct gen *g, pbay_str schema, unsigned depth)
{
    struct layers l = {.n = 0};
    if (depth > DEPTH_MAX)
        return give_up(g, "it is nested without end");
    if (++g->values > VALUES_MAX)
        return give_up(g, "it asks for over 5000 values");
    if (pbay_json_type(schema) == 'b' && !pbay_json_true(schema))
        return give_up(g, "a part of it (false) allows nothing");
    schema = resolve(g, schema);
    collect(g, schema, &l, 0);
    if (g->why)
        return false;
    pbay_str fixed = keyword(&l, "const"), list = keyword(&l, "enum");
    if (!fixed.n && pbay_json_type(list) == 'a') {
        size_t pos = 0;
        for (unsigned i = 0; i <= g->nth; i++)
            if (!pbay_json_next(list, &pos, NULL, &fixed))
                break;
        if (!fixed.n)
            return give_up(g, "an enum of it is empty");
    }
    if (fixed.n) {
        pbay_out_raw(g->o, fixed);
        return true;
    }
    list = keyword(&l, "anyOf");
    if (pbay_json_type(list) != 'a')
        list = keyword(&l, "oneOf");
    if (pbay_json_type(list) == 'a')
        return value(g, alternative(g, list, depth), depth + 1);
    return typed(g, &l, depth);
}

const char *lb_schema_value(struct lb_run *r, pbay_str schema, pbay_str hint,
                            pbay_out *o)
{
    struct gen g = {.r = r, .root = schema, .hint = hint, .o = o};
    if (!hint.n)
        g.hint = LB_STR("text");
    if (!value(&g, schema, 0))
        return g.why;
    return o->failed ? "there is no memory for it" : NULL;
}
