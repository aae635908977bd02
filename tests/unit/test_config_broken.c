/* SPDX-License-Identifier: MIT */
/* host/config against broken and hostile files: each mistake is named with its
 * line, and nothing, however mutilated, does harm. */
#include "config_fixture.h"

#include <string.h>

#include "base/limits.h"
#include "config/parts.h"

/* One mistake each: text, its line, what has to be said. */
static const struct {
    const char *text;
    int line;
    const char *error;
} corpus[] = {
    {"server: {\n loops = 1;\n", 1, "this \"{\" is never closed"},
    {"keys = (\n{ name = \"a\"; }", 1, "this \"(\" is never closed"},
    {"server: {\n loops = 1; ];\n", 2,
     "\"]\" does not close the \"{\" of "
     "line 1"},
    {"\n};", 2, "\"}\" closes nothing"},
    {"log: {\n level = \"debug; \n};", 2, "not closed on its line"},
    {"log: {\n level = \"a\\q\"; };", 2, "unknown escape"},
    {"log: {\n level = \"a\\x4\"; };", 2, "two hexadecimal digits"},
    {"log: {\n level = \"a\\x00\"; };", 2, "\\x00"},
    {"log: {\n level = \"a\\", 2, "unknown escape"},
    {"log: {\n level = debug; };", 2, "double quotes"},
    {"providers: {\n openai: { api_key = sk-abc; }; };", 2, "double quotes"},
    {"server: { max_body = 64M; };", 1, "double quotes"},
    {"providers: { v: { http2 = yes; }; };", 1, "write true or false"},
    {"server: {\n loops = ;\n};", 2, "\"loops\" has no value"},
    {"server: {\n loops = };", 2, "\"loops\" has no value"},
    {"server: {\n loops 1;\n};", 2, "\"loops\" is not followed by \"=\""},
    {"server {\n loops = 1;\n};", 1, "\"server\" is not followed by \"=\""},
    {"server: {\n loops = 1\n workers = };", 3, "\"workers\" has no value"},
    {"server:", 1, "\"server\" has no value"},
    {"server", 1, "\"server\" is not followed"},
    {"= 5;", 1, "\"=\" without a name"},
    {"a = = 5;", 1, "\"=\" without a name"},
    {"server: {\n 5 = 1; };", 2, "cannot be a name"},
    {"server: {\n a.b = 1; };", 2, "cannot be a name"},
    {"server: {\n \"loops\" = 1; };", 2, "a value without a name"},
    {"server: {\n ; };", 2, "without a setting before it"},
    {"server: {\n loops = 1;; };", 2, "without a setting before it"},
    {"server: { listen = [ \"a\",\n ]; };", 2, "a comma before \"]\""},
    {"server: { listen = [ \"a\"\n 5 ]; };", 2, "a comma is missing"},
    {"server: { listen = [ , ]; };", 1, "an element of a list is missing"},
    {"keys = ( { a = 1; }\n { a = 1; } );", 2, "a comma is missing"},
    {"keys = ( { a = 1; };\n );", 1, "separated by \",\""},
    {"server: { listen = [ \"a\", 5 ]; };", 1, "all of one type"},
    {"server: { listen = [ { } ]; };", 1, "syntax error"},
    {"server: {\n loops = 1;\n loops = 2;\n};", 3, "written twice"},
    {"server: { };\nserver: { };", 2, "written twice"},
    {"a = 99999999999999999999;", 1, "does not fit in 64 bits"},
    {"a = 0xFFFFFFFFFFFFFFFFF;", 1, "does not fit in 64 bits"},
    {"a = 12abc;", 1, "double quotes"},
    {"a = 1.2.3;", 1, "double quotes"},
    {"a = 0x;", 1, "double quotes"},
    {"log: { level = \"info\";\n level2 = \"x\"y; };", 2, "behind a string"},
    {"/* never\n closed", 1, "never closed"},
    {"a = 1;\n/* *", 2, "never closed"},
    {"@include \"/etc/passwd\"", 1, "@include|providers.d"},
    {"a = 1;\n  @include \"x\"", 2, "@include|providers.d"},
    {"a = \"x\x01y\";", 1, "control byte (0x01)"},
    {"a = \"\xff\";", 1, "not UTF-8"},
    {"a = \"\xc3\";", 1, "not UTF-8"},
    {"\n# \xed\xa0\x80", 2, "not UTF-8"},
    {"a = $x;", 1, "double quotes"},
    {"a = !;", 1, "double quotes"},
    {"<?xml version=\"1.0\"?>", 1, "cannot be a name"},
    {"{\"server\":{}}", 1, "a value without a name"},
    {"[server]\nloops = 1", 1, "a value without a name"},
    {"---\nserver:\n  loops: 1\n", 1, "cannot be a name"},
};

START_TEST(each_mistake_is_named)
{
    for (size_t i = 0; i < sizeof corpus / sizeof *corpus; i++) {
        fx_wrong(corpus[i].text, corpus[i].line, corpus[i].error);
        ck_assert(str_ends(str_c(fx.issues.v[0].file), "patchbay.conf"));
        fx_not_said("sk-abc");
    }
}
END_TEST

START_TEST(good_oddities)
{
    fx_load_clean("\xef\xbb\xbf# a byte order mark\r\nlog: {\r\n level = "
                  "\"in\" \"fo\" ; // joined\r\n};");
    fx_load_clean("server:{loops=2,workers=+3}log={level=\"warn\"}");
    ck_assert_uint_eq(fx.c->workers, 3);
    fx_load_clean("");
    fx_load_clean("/* \" [ { */ # \" [\n// ( \n");
    fx_load_clean("server = { timeouts = { idle = 1.e1; head = .5e1; body = "
                  "+1.5; }; drain = 0x10L; };");
    ck_assert_int_eq(fx.c->http.idle_ms, 10000);
    ck_assert_int_eq(fx.c->drain_ms, 16000);
}
END_TEST

START_TEST(nul_and_binary)
{
    static const char elf[] = "\x7f"
                              "ELF\x02\x01\x01\0\0\0";
    const char *path = fx_path("patchbay.conf");
    ck_assert_int_eq(fs_write_atomic(path, str_n(elf, sizeof elf), 0600), 0);
    fx.o.file = path;
    fx.c = cfg_load(&fx.o, &fx.issues);
    fx_error(1, "control byte");
    cfg_free(fx.c);
    cfg_issues_done(&fx.issues);
    ck_assert_int_eq(fs_write_atomic(path, str_n("a\n\0b", 4), 0600), 0);
    fx.c = cfg_load(&fx.o, &fx.issues);
    fx_error(2, "NUL byte");
}
END_TEST

/* Depth, width and length beyond all reason end in an error, soon. */
START_TEST(too_much)
{
    size_t n = 3 << 20;
    char *text = malloc(n + 64);
    ck_assert_ptr_nonnull(text);
    strcpy(text, "a=");
    memset(text + 2, '(', n);
    text[n + 2] = '\0';
    fx_wrong(text, 1, "brackets within each other");
    size_t at = 0;
    for (unsigned i = 0; at < n; i++)
        at += (size_t)sprintf(text + at, "n%u=1;\n", i);
    fx_wrong(text, LIM_CONF_NAMES + 1, "more than 1024 settings");
    at = (size_t)sprintf(text, "log: { level = \"");
    memset(text + at, 'x', n);
    strcpy(text + at + n, "\"; };");
    fx_wrong(text, 1, "log.level");
    ck_assert_uint_lt(strlen(fx.issues.v[0].text), 1000);
    /* libconfig makes room for 16 more elements at a time */
    at = (size_t)sprintf(text, "server: { plugin_dirs = [ 1");
    while (at < n)
        at += (size_t)sprintf(text + at, ",1");
    strcpy(text + at, " ]; };");
    fx_wrong(text, 1, "more than 8192 elements");
    /* a string that doubles with each variable */
    fx_env("B",
           "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
           "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    at = (size_t)sprintf(text, "log: { level = \"");
    while (at < 64 << 10)
        at += (size_t)sprintf(text + at, "${B}");
    strcpy(text + at, "\"; };");
    fx_wrong(text, 1, "longer than 1024 KiB");
    free(text);
}
END_TEST

/* A bit of everything. */
static const char seed_text[] =
    "server: {\n"
    "  listen = ( \"127.0.0.1:1\", { address = \"unix:/tmp/x\"; tls = false; "
    "} );\n"
    "  max_body = \"64M\"; max_head = 0x10000; loops = 2; drain = 1.5;\n"
    "  timeouts: { idle = \"75s\"; }; /* c */ tls: { }; # d\n"
    "};\n"
    "log: { level = \"info\"; format = \"json\"; };\n"
    "keys = ( { name = \"ci\"; rights = [ \"chat\", \"raw\" ]; sha256 = "
    "\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"; } "
    ");\n"
    "providers: {\n"
    "  openai: { api_key = \"${OPENAI_API_KEY:-k}\"; tries = 3; pause = "
    "\"1s\"; tags = [ \"a\" ]; headers: { X-A = \"b\"; }; };\n"
    "  vllm: { type = \"openai\"; base_url = \"http://[::1]:1/v1\"; proxy = "
    "\"http://u:p@h:1\"; timeouts: { total = \"1m\"; }; model_config = ( { "
    "model = \"m\"; x: { y = ( 1, \"z\" ); }; } ); };\n"
    "  loopback: { enabled = false; };\n"
    "};\n";

/* The bound on memory is met at every place in turn. */
START_TEST(out_of_memory)
{
    fx_file("providers.d/a.conf", "providers: { a: { type = \"echo\"; }; };");
    fx_env("OPENAI_BASE_URL", "http://127.0.0.1/v1");
    fx_env("https_proxy", "http://u:p@proxy:1");
    fx.o.file = fx_file("patchbay.conf", seed_text);
    size_t step = 16, refused = 0;
    for (size_t max = 0;; max += step) {
        struct load l;
        ck_assert(load_begin(&l, &fx.o, &fx.issues));
        l.arena->max = l.arena->used + max;
        struct config *c = load_run(&l);
        cfg_issues_done(&fx.issues);
        cfg_free(c);
        if (c)
            break;
        refused++;
    }
    ck_assert_uint_gt(refused, 200);
}
END_TEST

START_TEST(too_much_for_memory)
{
    static char big[2040];
    memset(big, 'x', sizeof big - 1);
    fx_env("B", big);
    char *text = malloc(1 << 20), *at = text;
    ck_assert_ptr_nonnull(text);
    at += sprintf(at, "providers: { loopback: { models = [ \"a\"");
    for (int i = 0; i < 80; i++) {
        at += sprintf(at, ", \"");
        for (int k = 0; k < 500; k++)
            at += sprintf(at, "${B}");
        at += sprintf(at, "\"");
    }
    sprintf(at, " ]; }; };");
    fx.o.file = fx_file("patchbay.conf", text);
    ck_assert_ptr_null(cfg_load(&fx.o, &fx.issues));
    fx_error(0, "more than 64 MiB of memory");
    free(text);
}
END_TEST

/* --- mutations --- */

static size_t mutate(uint64_t *rnd, char *text, size_t n, size_t room)
{
    static const char spice[] = "{}[]()\"\\;,:=$#/*@\n\0\xff L-.0x";
    size_t at = unit_below(rnd, n), len = 1 + unit_below(rnd, 16);
    if (len > n - at)
        len = n - at;
    switch (unit_below(rnd, 6)) {
    case 0: /* another byte */
        text[at] = (char)unit_random(rnd);
        return n;
    case 1: /* one that means something */
        text[at] = spice[unit_below(rnd, sizeof spice)];
        return n;
    case 2: /* a piece less */
        memmove(text + at, text + at + len, n - at - len);
        return n - len;
    case 3: /* a piece twice */
        if (n + len > room)
            return n;
        memmove(text + at + len, text + at, n - at);
        return n + len;
    case 4: { /* a piece elsewhere */
        size_t to = unit_below(rnd, n - len + 1);
        memmove(text + to, text + at, len);
        return n;
    }
    default: /* the end is missing */
        return unit_below(rnd, 20) ? n : at + 1;
    }
}

START_TEST(mutations)
{
    static char text[2 * sizeof seed_text];
    const char *path = fx_path("patchbay.conf");
    uint64_t rnd = unit_seed(20261120);
    const char *more = getenv("PATCHBAY_LONG");
    int rounds = more && *more ? 40000 : 4000, errors = 0;
    fx.o.file = path;
    for (int i = 0; i < rounds; i++) {
        size_t n = sizeof seed_text - 1;
        memcpy(text, seed_text, n);
        for (size_t k = 1 + unit_below(&rnd, 4); k && n; k--)
            n = mutate(&rnd, text, n, sizeof text);
        FILE *f = fopen(path, "w");
        ck_assert_ptr_nonnull(f);
        ck_assert_uint_eq(fwrite(text, 1, n, f), n);
        fclose(f);
        struct cfg_issues is = {0};
        struct config *c = cfg_load(&fx.o, &is);
        ck_assert_ptr_nonnull(c);
        for (size_t k = 0; k < is.n; k++) {
            ck_assert(is.v[k].text && *is.v[k].text);
            ck_assert_msg(is.v[k].file && (is.v[k].line || !is.v[k].error),
                          "no place: %s", is.v[k].text);
        }
        errors += is.errors > 0;
        /* whatever was read can be shown, and that is sound */
        char *shown = cfg_show(c, false);
        struct scan_error e;
        char *clean = scan_text(str_c(shown), &e);
        ck_assert_msg(clean != NULL, "line %d: %s\n%s", e.line, e.why, shown);
        free(clean);
        free(shown);
        cfg_free(c);
        cfg_issues_done(&is);
    }
    /* most of them were mistakes, and some were none */
    ck_assert_int_gt(errors, rounds / 2);
    ck_assert_int_lt(errors, rounds);
}
END_TEST

Suite *config_broken_suite(void)
{
    Suite *s = suite_create("config broken");
    TCase *t = tcase_create("broken");
    tcase_add_checked_fixture(t, fx_setup, fx_teardown);
    tcase_set_timeout(t, 600);
    tcase_add_test(t, each_mistake_is_named);
    tcase_add_test(t, good_oddities);
    tcase_add_test(t, nul_and_binary);
    tcase_add_test(t, too_much);
    tcase_add_test(t, out_of_memory);
    tcase_add_test(t, too_much_for_memory);
    tcase_add_test(t, mutations);
    suite_add_tcase(s, t);
    return s;
}
