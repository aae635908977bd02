/* SPDX-License-Identifier: MIT */
/* The validator against the public JSON-Schema-Test-Suite (draft 2020-12), a
 * copy of which is in suite/.  Of every file, each group of tests either passes
 * whole, or its schema is refused for the reason that is expected of this
 * file, as often as expected: a keyword that is claimed cannot quietly become
 * one that is not. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/str.h"
#include "text/schema.h"
#include <patchbay/json.h>

#define OTHER_ID    "\"$id\" is not supported below the top"
#define OUTSIDE     "leads out of it"
#define UNEVALUATED "\"unevaluatedProperties\" is not supported"
#define PROPERTY    "\\p{...} is not supported"

static const struct file {
    const char *name;
    unsigned refused;   /* groups */
    const char *why[3]; /* each refusal has one of them */
} files[] = {
    {"additionalProperties", 0, {NULL}},
    {"allOf", 0, {NULL}},
    {"anchor", 3, {OTHER_ID}},
    {"anyOf", 0, {NULL}},
    {"boolean_schema", 0, {NULL}},
    {"const", 0, {NULL}},
    {"contains", 0, {NULL}},
    {"content", 0, {NULL}},
    {"default", 0, {NULL}},
    {"defs", 1, {OUTSIDE}},
    {"dependentRequired", 0, {NULL}},
    {"dependentSchemas", 0, {NULL}},
    {"enum", 0, {NULL}},
    {"exclusiveMaximum", 0, {NULL}},
    {"exclusiveMinimum", 0, {NULL}},
    {"if-then-else", 0, {NULL}},
    {"infinite-loop-detection", 0, {NULL}},
    {"items", 0, {NULL}},
    {"maxContains", 0, {NULL}},
    {"maxItems", 0, {NULL}},
    {"maxLength", 0, {NULL}},
    {"maxProperties", 0, {NULL}},
    {"maximum", 0, {NULL}},
    {"minContains", 0, {NULL}},
    {"minItems", 0, {NULL}},
    {"minLength", 0, {NULL}},
    {"minProperties", 0, {NULL}},
    {"minimum", 0, {NULL}},
    {"multipleOf", 0, {NULL}},
    {"not", 1, {UNEVALUATED}},
    {"oneOf", 0, {NULL}},
    {"pattern", 1, {PROPERTY}},
    {"patternProperties", 1, {PROPERTY}},
    {"prefixItems", 0, {NULL}},
    {"properties", 0, {NULL}},
    {"propertyNames", 0, {NULL}},
    {"ref", 14, {OTHER_ID, OUTSIDE, UNEVALUATED}},
    {"required", 0, {NULL}},
    {"type", 0, {NULL}},
    {"uniqueItems", 0, {NULL}},
    {"optional/anchor", 0, {NULL}},
    {"optional/bignum", 0, {NULL}},
    {"optional/ecmascript-regex", 4, {PROPERTY}},
    {"optional/float-overflow", 0, {NULL}},
    {"optional/non-bmp-regex", 0, {NULL}},
};

static unsigned passed, groups, refused, wrong;

static pbay_str member(pbay_str object, const char *name)
{
    return pbay_json_get(object, name);
}

static void complain(const struct file *f, pbay_str group, pbay_str test,
                     const char *what)
{
    printf("%s: %.*s: %.*s: %s\n", f->name, STR_ARG(group), STR_ARG(test),
           what);
    wrong++;
}

static void run_test(const struct file *f, pbay_str group,
                     const struct schema *s, pbay_str test)
{
    bool want = pbay_json_true(member(test, "valid"));
    struct buf faults;
    enum schema_result is;

    buf_init(&faults, LIM_KIB(64));
    is = schema_check(s, member(test, "data"), &faults);
    if (is == SCHEMA_UNKNOWN)
        complain(f, group, member(test, "description"), "gave up");
    else if ((is == SCHEMA_VALID) != want)
        complain(f, group, member(test, "description"),
                 want ? "should be valid" : "should be invalid");
    else if (is == SCHEMA_INVALID && !faults.n)
        complain(f, group, member(test, "description"), "no word about why");
    else if (is == SCHEMA_VALID && faults.n)
        complain(f, group, member(test, "description"), "faults in the valid");
    else
        passed++;
    buf_done(&faults);
}

static bool expected(const struct file *f, const char *why)
{
    for (size_t i = 0; i < 3 && f->why[i]; i++)
        if (strstr(why, f->why[i]))
            return true;
    return false;
}

/* How many of its schemas are refused: 0 or 1. */
static unsigned run_group(const struct file *f, pbay_str group)
{
    pbay_str name = member(group, "description"), test;
    struct schema *s;
    struct arena a;
    char why[512];
    size_t pos = 0;
    unsigned no = 0;

    groups++;
    arena_init(&a, LIM_MIB(32));
    if (schema_compile(member(group, "schema"), &a, &s, why, sizeof(why)) < 0) {
        no = 1;
        refused++;
        if (!expected(f, why))
            complain(f, name, STR("refused"), why);
    } else {
        while (pbay_json_next(member(group, "tests"), &pos, NULL, &test) > 0)
            run_test(f, name, s, test);
    }
    arena_done(&a);
    return no;
}

static void run_file(const struct file *f)
{
    char path[512];
    const char *top = getenv("top_srcdir");
    size_t pos = 0, n = 0;
    char *p = NULL;
    unsigned no = 0;
    pbay_str text, group;

    snprintf(path, sizeof(path), "%s/tests/schema/suite/%s.json",
             top ? top : ".", f->name);
    if (fs_read(path, LIM_MIB(4), &p, &n) < 0 ||
        pbay_json_check(str_n(p, n), NULL) < 0) {
        printf("%s cannot be read\n", path);
        wrong++;
        free(p);
        return;
    }
    text = str_n(p, n);
    while (pbay_json_next(text, &pos, NULL, &group) > 0)
        no += run_group(f, group);
    if (no != f->refused) {
        printf("%s: %u schemas refused, %u expected\n", f->name, no,
               f->refused);
        wrong++;
    }
    free(p);
}

/* What the reference says of numbers, names and bounds. */
static const struct {
    const char *schema, *value;
    enum schema_result is;
} claims[] = {
    {"{\"const\":9007199254740993}", "9007199254740992", SCHEMA_INVALID},
    {"{\"const\":9007199254740993}", "9007199254740993.0", SCHEMA_VALID},
    {"{\"maximum\":18446744073709551616}", "18446744073709551617",
     SCHEMA_INVALID},
    {"{\"multipleOf\":0.1}", "0.3", SCHEMA_VALID},
    {"{\"multipleOf\":0.1}", "0.35", SCHEMA_INVALID},
    {"{\"multipleOf\":3}", "1e1000000000000000000000", SCHEMA_INVALID},
    {"{\"multipleOf\":5}", "1e1000000000000000000000", SCHEMA_VALID},
    {"{\"type\":\"integer\"}", "1.0", SCHEMA_VALID},
    {"{\"type\":\"integer\"}", "1e-1", SCHEMA_INVALID},
    {"{\"minimum\":0}", "-0.0", SCHEMA_VALID},
    {"true", "{\"a\":1,\"\\u0061\":2}", SCHEMA_INVALID},
    {"{\"pattern\":\"^(a+)+$\"}",
     "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\"",
     SCHEMA_INVALID},
    {"{\"x-own\":1}", " null\n", SCHEMA_VALID},
};

static void check_claims(void)
{
    for (size_t i = 0; i < sizeof(claims) / sizeof(*claims); i++) {
        enum schema_result is = SCHEMA_UNKNOWN;
        struct schema *s;
        struct arena a;
        struct buf faults;
        char why[512];

        arena_init(&a, LIM_MIB(32));
        buf_init(&faults, LIM_KIB(64));
        if (schema_compile(str_c(claims[i].schema), &a, &s, why, sizeof(why)) ==
            0)
            is = schema_check(s, str_c(claims[i].value), &faults);
        if (is != claims[i].is) {
            printf("%s of %s: %d\n", claims[i].schema, claims[i].value, is);
            wrong++;
        }
        buf_done(&faults);
        arena_done(&a);
    }
}

/* Schemas and values that would keep an event loop for seconds or minutes, if
 * only steps and not what they look at were counted; spread() makes them. */
static const struct {
    const char *what, *schema, *value;
} costly[] = {
#define AGAIN(leaf)                                      \
    "{\"$defs\":{\"a\":" leaf ",\"b\":{\"allOf\":["      \
    "|400 {\"$ref\":\"#/$defs/a\"},|true]}},\"allOf\":[" \
    "|400 {\"$ref\":\"#/$defs/b\"},|true]}"
    {"a long text's length", AGAIN("{\"maxLength\":99999999}"),
     "\"|900000 x|\""},
    {"a long constant", AGAIN("{\"const\":\"|120000 x|\"}"), "\"|119999 x|y\""},
    {"long alternatives", AGAIN("{\"enum\":[\"|120000 x|\",\"|120000 y|\"]}"),
     "\"|120000 y|\""},
    {"a long number", AGAIN("{\"maximum\":10}"), "|900000 1|"},
    {"a long number's type", AGAIN("{\"type\":\"number\"}"), "|900000 1|"},
    {"a long number's divisor", AGAIN("{\"multipleOf\":7}"), "|900000 7|"},
    {"long items that differ at their ends", AGAIN("{\"uniqueItems\":true}"),
     "[\"|400000 x|1\",\"|400000 x|2\"]"},
    {"a long name", AGAIN("{\"required\":[\"|100000 x|\"]}"),
     "{\"|100000 x|\":1}"},
    {"many names that are not there",
     "{\"items\":{\"dependentRequired\":{|1000 \"n%\":[],|\"n\":[]}}}",
     "[|24000 {\"a\":1},|1]"},
    {"many schemas of names that are not there",
     "{\"items\":{\"dependentSchemas\":{|1000 \"n%\":true,|\"n\":{}}}}",
     "[|24000 {\"a\":1},|1]"},
    {"patterns of empty texts", "{\"items\":{\"pattern\":\"(a?){1000}b\"}}",
     "[|49000 \"\",|1]"},
    {"patterns that fit at once", "{\"items\":{\"pattern\":\"(a?){1000}\"}}",
     "[|49000 \"a\",|1]"},
    {"references by name",
     "{\"$defs\":{|8000 \"d%\":{\"$ref\":\"#z\"},|\"z\":{\"$anchor\":\"z\"}}}",
     NULL},
    {"counts of nothing", "{\"pattern\":\"((){1000}){199}\"}", NULL},
    {"patterns without end",
     "{\"patternProperties\":{|9000 \"(a?){999}%\":true,|\"a\":true}}", NULL},
#undef AGAIN
};

/* "|N TEXT|" is TEXT N times, with "%" as the count. */
static void spread(struct buf *to, const char *form)
{
    while (*form) {
        const char *end, *text;
        unsigned long n;
        if (*form != '|') {
            buf_printf(to, "%c", *form++);
            continue;
        }
        n = strtoul(form + 1, (char **)(uintptr_t)&text, 10);
        end = strchr(++text, '|');
        for (unsigned long i = 0; i < n; i++)
            for (const char *p = text; p < end; p++)
                if (*p == '%')
                    buf_printf(to, "%lu", i);
                else
                    buf_add(to, str_n(p, 1));
        form = end + 1;
    }
}

/* Each gives up, or is refused, in next to no time. */
static void check_costs(void)
{
    for (size_t i = 0; i < sizeof(costly) / sizeof(*costly); i++) {
        enum schema_result is = SCHEMA_UNKNOWN;
        clock_t start = clock();
        char why[512] = "";
        struct schema *s;
        struct arena a;
        struct buf faults, schema, value;
        bool made;

        arena_init(&a, LIM_MIB(16));
        buf_init(&faults, LIM_KIB(64));
        buf_init(&schema, SCHEMA_BYTES);
        buf_init(&value, SCHEMA_VALUE);
        spread(&schema, costly[i].schema);
        spread(&value, costly[i].value ? costly[i].value : "1");
        start = clock();
        made = schema_compile(buf_str(&schema), &a, &s, why, sizeof(why)) == 0;
        if (made)
            is = schema_check(s, buf_str(&value), &faults);
        start = clock() - start;
        if (made != (costly[i].value != NULL) || is != SCHEMA_UNKNOWN ||
            start > 3 * CLOCKS_PER_SEC) {
            printf("%s: %s, %d after %.2f s of CPU\n", costly[i].what,
                   made ? "made" : why, is, (double)start / CLOCKS_PER_SEC);
            wrong++;
        }
        buf_done(&value);
        buf_done(&schema);
        buf_done(&faults);
        arena_done(&a);
    }
}

/* The reference names every keyword, as code. */
static void check_reference(void)
{
    char path[512], word[64];
    const char *top = getenv("top_srcdir");
    char *p = NULL;
    size_t n = 0;

    snprintf(path, sizeof(path), "%s/host/dialect/README.md", top ? top : ".");
    if (fs_read(path, LIM_MIB(1), &p, &n) < 0) {
        printf("%s cannot be read\n", path);
        wrong++;
        return;
    }
    for (size_t i = 0; schema_keyword(i); i++) {
        snprintf(word, sizeof(word), "`%s`", schema_keyword(i));
        if (!memmem(p, n, word, strlen(word))) {
            printf("%s does not name %s\n", path, word);
            wrong++;
        }
    }
    free(p);
}

int main(void)
{
    check_reference();
    check_claims();
    check_costs();
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
        run_file(&files[i]);
    printf("%zu files, %u groups, %u tests passed, %u groups refused by name, "
           "%u wrong\n",
           sizeof(files) / sizeof(*files), groups, passed, refused, wrong);
    return wrong != 0;
}
