/* SPDX-License-Identifier: MIT */
/* Fuzz target: the raw door's path, which has to stay below the base URL
 * whoever reads it, the headers that stay here, and what is read of a raw reply
 * (pbay_ends) however it is cut. */
#include "config.h"

#include <ctype.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "dialect/raw.h"
#include "dialect/raw_path.h"
#include "fuzz.h"
#include <patchbay/json.h>
#include <patchbay/wire.h>

#define SEED(lit)              \
    {                          \
        (lit), sizeof(lit) - 1 \
    }
const struct fuzz_seed fuzz_seeds[] = {
    SEED("/raw/up/files/f-1/content"),
    SEED("/raw/up/%2e%2e/%2E./..%2f..%5c/..;a/%252e%252e"),
    SEED("/raw/up/m%C3%BCll/a%2Fb//c?x"),
    SEED("/raw/up/http://host/@user:pw"),
    SEED("{\"a\":\"\\\"usage\\\":{}\",\"usage\":{\"x\":[1,\"}\"]},\"n\":1}"),
    SEED("data: {\"usage\":null}\n\ndata: {\"usage\":{\"a\":1}}\n\n"),
    SEED("X-Api-Key, Connection, Cookie, Accept"),
    {NULL, 0},
};

static int hex(char c)
{
    return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

static int dots(pbay_str part)
{
    pbay_str name = str_cut(&part, ';');

    return str_is(name, ".") || str_is(name, "..");
}

/* Does some part climb, when it is decoded once and again? */
static int climbs(char *s, size_t n)
{
    for (int round = 0; round < 3; round++) {
        pbay_str rest = str_n(s, n);
        size_t k = 0;
        while (rest.p)
            if (dots(str_cut(&rest, '/')))
                return 1;
        for (size_t i = 0; i < n; i++) {
            char c = s[i];
            if (c == '%' && n - i > 2 && isxdigit((unsigned char)s[i + 1]) &&
                isxdigit((unsigned char)s[i + 2])) {
                c = (char)(hex(s[i + 1]) << 4 | hex(s[i + 2]));
                i += 2;
            }
            s[k++] = c == '\\' ? '/' : c;
        }
        n = k;
    }
    return 0;
}

static void path(pbay_str in)
{
    struct arena a;
    pbay_str provider, out;
    const char *why = NULL;
    char *copy;

    arena_init(&a, LIM_MIB(8));
    if (raw_path(in, &a, &provider, &out, &why) < 0) {
        FUZZ_CHECK(why != NULL);
    } else {
        FUZZ_CHECK(provider.n && !memchr(provider.p, '%', provider.n));
        FUZZ_CHECK(out.n && out.p[0] == '/');
        for (size_t i = 0; i < out.n; i++) {
            FUZZ_CHECK(out.p[i] > 32 && out.p[i] < 127);
            FUZZ_CHECK(!strchr("?#\\\"<>", out.p[i]));
            FUZZ_CHECK(!i || out.p[i] != '/' || out.p[i - 1] != '/');
        }
        copy = malloc(out.n);
        memcpy(copy, out.p, out.n);
        FUZZ_CHECK(!climbs(copy, out.n));
        free(copy);
        /* What went out once is what goes out again. */
        pbay_str twice, again;
        char *full = malloc(out.n + 7);
        memcpy(full, "/raw/up", 7);
        memcpy(full + 7, out.p, out.n);
        FUZZ_CHECK(raw_path(str_n(full, out.n + 7), &a, &twice, &again, &why) ==
                       0 &&
                   str_eq(again, out));
        free(full);
    }
    arena_done(&a);
}

struct pbay_call {
    void *block;
};

static void *call_alloc(pbay_call *call, size_t n)
{
    return call->block = calloc(1, n);
}

static void ends(pbay_str in)
{
    static const char *const names[] = {"usage", "n", "a", ""};
    pbay_kv type = {PBAY_LIT("content-type"), PBAY_LIT("application/json")};
    pbay_host host = {.size = sizeof host, .alloc = call_alloc};
    pbay_head head = {
        .size = sizeof head, .status = 200, .headers = &type, .n_headers = 1};
    struct pbay_call one = {0}, two = {0};
    pbay_ends *whole = pbay_ends_new(&host, &one, &head);
    pbay_ends *cut = pbay_ends_new(&host, &two, &head);

    pbay_ends_feed(whole, in);
    for (size_t i = 0; i < in.n;) {
        size_t n = 1 + (unsigned char)in.p[i] % 17;
        n = n < in.n - i ? n : in.n - i;
        pbay_ends_feed(cut, str_n(in.p + i, n));
        i += n;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        for (int last = 0; last < 2; last++) {
            pbay_str v = pbay_ends_find(whole, names[i], last);
            FUZZ_CHECK(str_eq(v, pbay_ends_find(cut, names[i], last)));
            FUZZ_CHECK(!v.n || pbay_json_check(v, NULL) == 0);
        }
    free(one.block);
    free(two.block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pbay_str in = str_n((const char *)data, size), rest = in, name;

    path(in);
    ends(in);
    name = str_cut(&rest, ',');
    raw_drops(name, rest);
    FUZZ_CHECK(raw_drops(STR("authorization"), in));
    /* What Connection names is dropped. */
    FUZZ_CHECK(raw_drops(str_trim(name), in));
    (void)raw_query_ok(in);
    return 0;
}
