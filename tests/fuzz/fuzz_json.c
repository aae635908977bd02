/* SPDX-License-Identifier: MIT */
/* Fuzz target: the JSON helpers of the SDK on any bytes, and what must hold
 * between them; json-c is the second opinion on what is JSON. */
#include <string.h>

#include <json-c/json.h>

#include <patchbay/json.h>

#include "fuzz.h"

#define SEED(lit)              \
    {                          \
        (lit), sizeof(lit) - 1 \
    }
const struct fuzz_seed fuzz_seeds[] = {
    SEED("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":"
         "\"Z\\u00fcrich \\ud83d\\ude00 \xe4\xb8\xad\"}],\"n\":1,\"t\":-0.5e+3,"
         "\"stream\":true,\"stop\":null}"),
    SEED("[[],{},\"\",0,-0,1e5,\"\\\\\\\"\\/\\b\\f\\n\\r\\t\",[[[[1]]]]]"),
    SEED("{\"a\":1,\"\\u0061\":2}"),
    SEED("\"0123456789abcdef0123456789abcdef\xf0\x9f\x98\x80\""),
    {NULL, 0},
};

static char *grow(void *arg, char *old, size_t n, size_t room)
{
    (void)arg;
    (void)n;
    return realloc(old, room);
}

/* A string, unescaped, written and read again, is the same. */
static void round_trip(pbay_str value)
{
    char *one = malloc(value.n), *two;
    int64_t n = pbay_json_unescape(value, one, value.n), m;
    pbay_out o = {.grow = grow};

    FUZZ_CHECK(n >= 0);
    pbay_out_string(&o, (pbay_str){one, (size_t)n});
    FUZZ_CHECK(!o.failed);
    FUZZ_CHECK(pbay_json_check((pbay_str){o.p, o.n}, NULL) == 0);
    two = malloc(o.n);
    m = pbay_json_unescape((pbay_str){o.p, o.n}, two, o.n);
    FUZZ_CHECK(m == n && memcmp(one, two, (size_t)n) == 0);
    free(two);
    free(o.p);
    free(one);
}

/* Every value of checked text is checked text itself. */
static void walk(pbay_str value, int depth)
{
    pbay_str key, v;
    size_t pos = 0;

    FUZZ_CHECK(pbay_json_check(value, NULL) == 0);
    if (pbay_json_type(value) == 's')
        round_trip(value);
    while (depth < 6 && pbay_json_next(value, &pos, &key, &v)) {
        FUZZ_CHECK(pbay_json_type(v) != 0);
        walk(v, depth + 1);
    }
}

/* Does json-c take it?  (In strict mode it takes a little more than RFC 8259
 * says, so only its refusals count.) */
static int json_c_accepts(pbay_str s)
{
    json_tokener *tok = json_tokener_new_ex(PBAY_JSON_DEPTH + 1);
    char *text = malloc(s.n + 1);
    int ok;

    if (!tok || !text)
        abort();
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    json_tokener_set_flags(tok,
                           JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    json_object_put(json_tokener_parse_ex(tok, text, (int)s.n + 1));
    ok = json_tokener_get_error(tok) == json_tokener_success;
    free(text);
    json_tokener_free(tok);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pbay_str s = {(const char *)data, size}, v;
    pbay_kv kv[16];
    size_t n, at, at2, pos = 0;
    int rc = pbay_json_check(s, &at);
    int rc2 = pbay_json_members(s, kv, 16, &n, &at2);

    static const pbay_str names[] = {PBAY_LIT("model"), PBAY_LIT("a")};
    pbay_str picked[2];
    size_t at3;

    FUZZ_CHECK(at <= size && at2 <= size);
    FUZZ_CHECK(pbay_json_pick(s, names, picked, 2, &at3) == rc && at3 == at);
    if (rc == 0) {
        const char *p = s.p;
        size_t left = size;
        while (strchr(" \t\r\n", *p) && *p)
            p++, left--;
        while (left && strchr(" \t\r\n", p[left - 1]) && p[left - 1])
            left--;
        walk((pbay_str){p, left}, 0);
        FUZZ_CHECK(rc2 == 0 || rc2 == PBAY_JSON_TYPE || rc2 == PBAY_JSON_FULL ||
                   rc2 == PBAY_JSON_TWICE);
        FUZZ_CHECK((rc2 == PBAY_JSON_TYPE) == (*p != '{'));
        for (size_t i = 0; rc2 == 0 && i < n; i++)
            if (kv[i].k.n == 5 && memcmp(kv[i].k.p, "model", 5) == 0)
                FUZZ_CHECK(picked[0].p == kv[i].v.p &&
                           picked[0].n == kv[i].v.n);
        if (size < 4096 && !memchr(data, 0, size))
            FUZZ_CHECK(json_c_accepts(s));
    } else {
        FUZZ_CHECK(rc2 < 0);
    }
    /* Harmless on whatever it is. */
    while (pbay_json_next(s, &pos, NULL, &v))
        FUZZ_CHECK(v.p >= s.p && v.p + v.n <= s.p + s.n);
    pbay_json_get(s, "model");
    return 0;
}
