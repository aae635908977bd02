/* SPDX-License-Identifier: MIT */
/* Fuzz target: the JSON Schema validator.  Any schema is refused with words or
 * checks any value within its bounds; what is invalid has words about why; and
 * "not" and "allOf" around a schema give what they must.
 *
 * Input: a schema, a line feed, a value. */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "text/schema.h"

#include "fuzz.h"

#define SEED(lit)              \
    {                          \
        (lit), sizeof(lit) - 1 \
    }
const struct fuzz_seed fuzz_seeds[] = {
    SEED("{\"type\":\"object\",\"properties\":{\"a\":{\"$ref\":\"#/$defs/n\"},"
         "\"b\":{\"type\":[\"string\",\"null\"],\"minLength\":2}},\"required\":"
         "[\"a\"],\"additionalProperties\":false,\"$defs\":{\"n\":{\"type\":"
         "\"integer\",\"multipleOf\":0.5,\"minimum\":1e3}}}\n"
         "{\"a\":12e2,\"b\":\"x\\ud83d\\ude00\"}"),
    SEED("{\"prefixItems\":[{\"const\":1.0},{\"enum\":[\"a\",{\"b\":[]}]}],"
         "\"items\":{\"pattern\":\"^(a|b{2,3}|[^c-e\\\\d])+\\\\b.?$\"},"
         "\"uniqueItems\":true,\"contains\":{\"type\":\"string\"},"
         "\"maxContains\":3}\n[1,\"a\",\"abbb\"]"),
    SEED("{\"patternProperties\":{\"^x(?:yz)*\":{\"not\":{\"type\":\"null\"}}},"
         "\"propertyNames\":{\"maxLength\":9},\"dependentRequired\":{\"x\":"
         "[\"y\"]},\"dependentSchemas\":{\"y\":{\"minProperties\":2}}}\n"
         "{\"x\":1,\"y\":null}"),
    SEED("{\"if\":{\"exclusiveMinimum\":-1.5e-3},\"then\":{\"oneOf\":[{"
         "\"type\":\"integer\"},{\"exclusiveMaximum\":2}]},\"else\":{\"anyOf\":"
         "[{\"maximum\":-10},true]}}\n0.001"),
    SEED("{\"$ref\":\"#a\",\"$defs\":{\"t\":{\"$anchor\":\"a\",\"items\":{"
         "\"$ref\":\"#\"}}}}\n[[],[[1]]]"),
    SEED("{\"pattern\":\"(?:a{1000}){4}(|b)\"}\n\"x\""),
    {NULL, 0},
};

static enum schema_result check(pbay_str schema, pbay_str value, bool *made)
{
    enum schema_result is = SCHEMA_UNKNOWN;
    struct schema *s;
    struct arena a;
    struct buf faults;
    char why[512] = "";

    arena_init(&a, LIM_MIB(16));
    buf_init(&faults, LIM_KIB(64));
    *made = schema_compile(schema, &a, &s, why, sizeof(why)) == 0;
    FUZZ_CHECK(*made == !why[0]);
    if (*made) {
        is = schema_check(s, value, &faults);
        if (is != SCHEMA_UNKNOWN)
            FUZZ_CHECK((is == SCHEMA_INVALID) == (faults.n > 0));
    }
    buf_done(&faults);
    arena_done(&a);
    return is;
}

static enum schema_result around(const char *before, pbay_str schema,
                                 const char *behind, pbay_str value)
{
    enum schema_result is;
    struct buf b;
    bool made;

    buf_init(&b, LIM_MIB(1));
    buf_addc(&b, before);
    buf_add(&b, schema);
    buf_addc(&b, behind);
    is = check(buf_str(&b), value, &made);
    buf_done(&b);
    return made ? is : SCHEMA_UNKNOWN;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pbay_str value = str_n((const char *)data, size), schema;
    enum schema_result is, other;
    bool made;

    schema = str_cut(&value, '\n');
    is = check(schema, value, &made);
    /* What looks at its own place in the schema cannot be put elsewhere. */
    if (!made || is == SCHEMA_UNKNOWN || memchr(schema.p, '$', schema.n) ||
        memchr(schema.p, '\\', schema.n))
        return 0;
    other = around("{\"allOf\":[", schema, "]}", value);
    FUZZ_CHECK(other == is || other == SCHEMA_UNKNOWN);
    if (check(STR("true"), value, &made) != SCHEMA_VALID)
        return 0; /* no JSON, or a member twice: fits nothing */
    other = around("{\"not\":", schema, "}", value);
    FUZZ_CHECK(other != is || other == SCHEMA_UNKNOWN);
    return 0;
}
