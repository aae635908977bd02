/* SPDX-License-Identifier: MIT */
/* host/config: the server's side: table, values, files, listeners, keys. */
#include "config_fixture.h"

#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "config/parts.h"

/* --- the table --- */

START_TEST(defaults_are_the_limits)
{
    const struct config *c = fx_load_clean(NULL);
    ck_assert_uint_eq(c->http.head, LIM_HTTP_HEAD);
    ck_assert_uint_eq(c->http.body, LIM_HTTP_BODY);
    ck_assert_uint_eq(c->http.conns, LIM_HTTP_CONNS);
    ck_assert_int_eq(c->http.idle_ms, LIM_HTTP_IDLE_MS);
    ck_assert_int_eq(c->http.head_ms, LIM_HTTP_HEAD_MS);
    ck_assert_int_eq(c->http.body_ms, LIM_HTTP_BODY_MS);
    ck_assert_int_eq(c->http.write_ms, LIM_HTTP_WRITE_MS);
    ck_assert_uint_eq(c->max_calls, LIM_CALLS);
    ck_assert_uint_eq(c->workers, LIM_WORKERS);
    ck_assert_uint_eq(c->native_queue, LIM_NATIVE_QUEUE);
    ck_assert_int_eq(c->drain_ms, LIM_DRAIN_MS);
    ck_assert_uint_ge(c->loops, 1);
    ck_assert_uint_le(c->loops, LIM_LOOPS);
    ck_assert_int_eq(c->log_level, LOG_INFO);
    ck_assert_int_eq(c->log_format, LOG_TEXT);
    ck_assert_uint_eq(c->n_listen, 1);
    ck_assert_str_eq(c->listen[0].addr, "127.0.0.1:8080");
    const struct cfg_provider *p = fx_provider("loopback");
    ck_assert_ptr_nonnull(p);
    ck_assert_int_eq(p->timeouts.connect_ms, LIM_CONNECT_MS);
    ck_assert_int_eq(p->timeouts.first_ms, LIM_FIRST_MS);
    ck_assert_int_eq(p->timeouts.idle_ms, LIM_UP_IDLE_MS);
    ck_assert_int_eq(p->timeouts.total_ms, LIM_TOTAL_MS);
    ck_assert_int_eq(p->tx.connect_ms, LIM_CONNECT_MS);
    ck_assert_uint_eq(p->max_reply, LIM_REPLY);
    ck_assert_uint_eq(p->max_record, LIM_RECORD);
    ck_assert_uint_eq(p->call_memory, LIM_CALL_ARENA);
}
END_TEST

START_TEST(table_is_sound)
{
    size_t n = 0;
    for (const struct cfg_key *k = cfg_keys(); k->section; k++, n++) {
        const char *end = k->doc + strlen(k->doc) - 1;
        ck_assert_msg(*end == '.', "%s.%s: doc", k->section, k->name);
        ck_assert_msg(k->min <= k->max, "%s.%s: bounds", k->section, k->name);
        for (const struct cfg_key *o = cfg_keys(); o != k; o++)
            ck_assert(strcmp(o->section, k->section) != 0 ||
                      strcmp(o->name, k->name) != 0);
        /* The default passes the key's own rules, and durations and sizes are
         * written in the shortest form, as `config show` has them. */
        struct load l;
        struct cfg_issues is = {0};
        ck_assert(load_begin(&l, &fx.o, &is));
        struct spec spec = spec_row(k);
        struct raw raw = raw_default(&l, &spec);
        struct node v;
        char text[32];
        ck_assert_msg(!k->def || value_read(&l, k->name, &spec, &raw, &v),
                      "%s.%s: default", k->section, k->name);
        if (k->def && k->type == KEY_DURATION)
            ck_assert_str_eq(cfg_duration_text(v.i, text), k->def);
        if (k->def && k->type == KEY_SIZE)
            ck_assert_str_eq(cfg_size_text(v.i, text), k->def);
        ck_assert_uint_eq(is.n, 0);
        cfg_free(l.c);
    }
    ck_assert_uint_gt(n, 40);
}
END_TEST

/* --- values --- */

START_TEST(durations_and_sizes)
{
    static const struct {
        const char *text;
        int rc;
        int64_t v;
    } times[] = {{"30s", 0, 30000},
                 {"500ms", 0, 500},
                 {"5m", 0, 300000},
                 {"1h", 0, 3600000},
                 {"2d", 0, 172800000},
                 {"7", 0, 7000},
                 {"1.5s", 0, 1500},
                 {"0.25", 0, 250},
                 {" 3s ", 0, 3000},
                 {"", -EINVAL, 0},
                 {"s", -EINVAL, 0},
                 {"-1s", -EINVAL, 0},
                 {"1 s", -EINVAL, 0},
                 {"1.s", -EINVAL, 0},
                 {".5s", -EINVAL, 0},
                 {"1e3", -EINVAL, 0},
                 {"5 min", -EINVAL, 0},
                 {"5S", -EINVAL, 0},
                 {"99999999999999999999s", -ERANGE, 0},
                 {"9223372036854775807d", -ERANGE, 0}},
      sizes[] = {{"64K", 0, 65536},    {"10M", 0, 10485760},
                 {"1G", 0, 1 << 30},   {"12", 0, 12},
                 {"64KiB", 0, 65536},  {"1.5K", 0, 1536},
                 {"64KB", -EINVAL, 0}, {"iB", -EINVAL, 0},
                 {"M", -EINVAL, 0},    {"9999999999999G", -ERANGE, 0}};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        int64_t v = 0;
        int rc = cfg_duration(str_c(times[i].text), &v);
        ck_assert_msg(rc == times[i].rc && (rc || v == times[i].v),
                      "\"%s\": %d, %lld", times[i].text, rc, (long long)v);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int64_t v = 0;
        int rc = cfg_size(str_c(sizes[i].text), &v);
        ck_assert_msg(rc == sizes[i].rc && (rc || v == sizes[i].v),
                      "\"%s\": %d, %lld", sizes[i].text, rc, (long long)v);
    }
}
END_TEST

START_TEST(units_read_back)
{
    uint64_t seed = unit_seed(7);
    for (int i = 0; i < 20000; i++) {
        int64_t v = (int64_t)(unit_random(&seed) >> (20 + i % 44)), back = -1;
        char text[32];
        ck_assert_int_eq(cfg_duration(str_c(cfg_duration_text(v, text)), &back),
                         0);
        ck_assert_int_eq(back, v);
        ck_assert_int_eq(cfg_size(str_c(cfg_size_text(v, text)), &back), 0);
        ck_assert_int_eq(back, v);
    }
}
END_TEST

START_TEST(values_of_a_file)
{
    const struct config *c = fx_load_clean(
        "server: {\n"
        "  listen = [ \"127.0.0.1:1234\", \"unix:/tmp/a.sock\" ];\n"
        "  max_head = \"128K\"; max_body = 1000000; max_connections = 5;\n"
        "  max_calls = 7; loops = 3; workers = 2; native_queue = 0;\n"
        "  drain = 2.5; control_socket = \"/tmp/c.sock\";\n"
        "  state_dir = \"state\"; generation_dir = \"/tmp/gen\";\n"
        "  plugin_dirs = [ \"mods\", \"/opt/mods\" ];\n"
        "  timeouts: { idle = 10; head = \"2s\"; body = 3.5;\n"
        "              write = \"4m\"; };\n"
        "};\n"
        "log: { level = \"debug\"; format = \"json\"; };\n");
    ck_assert_uint_eq(c->n_listen, 2);
    ck_assert_str_eq(c->listen[1].addr, "unix:/tmp/a.sock");
    ck_assert_int_eq(c->listen[1].origin.line, 2);
    ck_assert_uint_eq(c->http.head, 131072);
    ck_assert_uint_eq(c->http.body, 1000000);
    ck_assert_uint_eq(c->http.conns, 5);
    ck_assert_uint_eq(c->max_calls, 7);
    ck_assert_uint_eq(c->loops, 3);
    ck_assert_uint_eq(c->workers, 2);
    ck_assert_uint_eq(c->native_queue, 0);
    ck_assert_int_eq(c->drain_ms, 2500);
    ck_assert_str_eq(c->control_socket, "/tmp/c.sock");
    ck_assert_str_eq(c->state_dir, fx_path("state"));
    ck_assert_str_eq(c->gen_dir, "/tmp/gen");
    ck_assert_str_eq(c->plugin_dirs[0], fx_path("mods"));
    ck_assert_str_eq(c->plugin_dirs[1], "/opt/mods");
    ck_assert_ptr_null(c->plugin_dirs[2]);
    ck_assert_int_eq(c->http.idle_ms, 10000);
    ck_assert_int_eq(c->http.head_ms, 2000);
    ck_assert_int_eq(c->http.body_ms, 3500);
    ck_assert_int_eq(c->http.write_ms, 240000);
    ck_assert_int_eq(c->log_level, LOG_DEBUG);
    ck_assert_int_eq(c->log_format, LOG_JSON);
    ck_assert_str_eq(c->file, fx_path("patchbay.conf"));
}
END_TEST

START_TEST(large_numbers_are_not_cut)
{
    /* libconfig 1.5 alone reads this as 1 */
    const struct config *c =
        fx_load_clean("server: { max_body = 4294967296; };");
    ck_assert_uint_eq(c->http.body, 4294967296);
    c = fx_load_clean("server: { max_body = 0xFFFFFFFF; };");
    ck_assert_uint_eq(c->http.body, 4294967295);
}
END_TEST

START_TEST(wrong_values)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"server: { loops = \"four\"; };",
         "server.loops|the string \"four\"|a whole number is wanted"},
        {"server: { loops = 4.5; };", "server.loops|4.5|whole number"},
        {"server: { loops = true; };", "server.loops|true|whole number"},
        {"server: { loops = 65; };", "server.loops|65|maximum of 64"},
        {"server: { loops = -1; };", "server.loops|-1|minimum of 0"},
        {"server: { max_body = 1.5; };", "server.max_body|1.5|a size"},
        {"server: { max_body = \"1T\"; };", "server.max_body|\"1T\"|\"10M\""},
        {"server: { max_body = -4; };", "server.max_body|-4|a size"},
        {"server: { max_body = 5; };", "server.max_body|5|minimum of 1K"},
        {"server: { drain = \"soon\"; };", "server.drain|\"soon\"|\"30s\""},
        {"server: { drain = \"9d\"; };", "server.drain|9d|maximum of 1d"},
        {"server: { drain = [ 1 ]; };", "server.drain|a list|a duration"},
        {"server: { drain = 1e300; };", "server.drain|a duration"},
        {"server: { drain = { }; };", "server.drain|a group|a duration"},
        {"server: { auth = \"off\"; };",
         "server.auth|\"off\"|\"auto\", \"keys\", \"none\""},
        {"server: { environment = \"filll\"; };", "did you mean \"fill\"?"},
        {"server: { state_dir = 5; };", "server.state_dir|5|a string"},
        {"server: { state_dir = \"\"; };", "server.state_dir|empty"},
        {"server: { state_dir = \"a\\x01\"; };",
         "server.state_dir|control characters"},
        {"server: { state_dir = \"\\xff\"; };", "server.state_dir|UTF-8"},
        {"server: { plugin_dirs = [ 1, 2 ]; };",
         "server.plugin_dirs|element 1 is not a string"},
        {"server: { plugin_dirs = [ \"\" ]; };",
         "server.plugin_dirs|element 1 is empty"},
        {"server: { timeouts = 5; };", "server.timeouts|5|a group is wanted"},
        {"server = 5;", "server|5|a group is wanted"},
        {"log = [ ];", "log|a list|a group is wanted"},
        {"log: { level = \"warning\"; };", "log.level|\"warning\"|\"warn\""},
        {"keys: { };", "keys|a list of groups"},
        {"keys = ( 5 );", "keys[0]|a group is wanted"},
        {"providers = ( );", "providers|a group of groups"},
        {"providers: { openai = 1; };", "providers.openai|a group"},
        {"providers: { OpenAI: { }; };", "providers.OpenAI|small letters"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        fx_wrong(cases[i].text, 1, cases[i].error);
}
END_TEST

START_TEST(unknown_names)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"\nserver: {\n max_boby = 1;\n};", "server.max_boby|\"max_body\""},
        {"\nserver: {\n timeout: { };\n};", "server.timeout|\"timeouts\""},
        {"\nserver: { timeouts: {\n idel = 1;\n}; };",
         "server.timeouts.idel|\"idle\""},
        {"\nserver: {\n zzzz = 1;\n};", "server.zzzz: there is no such key"},
        {"\nserver: {\n level = 1;\n};", "it belongs into \"log\""},
        {"\n\nmax_body = 1;", "max_body|it belongs into \"server\""},
        {"\n\nprovider: { };", "provider|did you mean \"providers\"?"},
        {"\n\nServer: { };", "Server|did you mean \"server\"?"},
        {"\nproviders: { loopback: {\n api_kee = \"x\";\n }; };",
         "providers.loopback.api_kee|\"api_key\""},
        {"\nproviders: { openai: { base_url = \"https://h\";\n"
         " organisation = \"x\"; }; };",
         "providers.openai.organisation|\"organization\""},
        {"\nproviders: { loopback: { tls: {\n verfy = false; }; }; };",
         "providers.loopback.tls.verfy|\"verify\""},
        {"\nproviders: { loopback: {\n patience: { }; }; };",
         "providers.loopback.patience: there is no such key"},
        {"\nserver: { listen = ( { address = \"127.0.0.1:1\";\n"
         " adress = 1; } ); };",
         "server.listen[0].adress|\"address\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        fx_wrong(cases[i].text, 3, cases[i].error);
}
END_TEST

START_TEST(in_the_order_of_the_files)
{
    fx_file("providers.d/a.conf", "openai: { };\nlog: { };\n");
    fx_env("CUSTOM_PROVIDER_NAME", "x");
    fx_load("log: { levl = 1; };\nopenai: { };\nserver: { loop = 1;\n"
            " lisen = 1; };\nkeys = ( { name = 5; } );\n");
    static const struct {
        const char *file, *text;
        int line;
    } wanted[] = {
        {"patchbay.conf", "log.levl", 1},
        {"patchbay.conf", "openai: there is no such section", 2},
        {"patchbay.conf", "server.loop", 3},
        {"patchbay.conf", "server.lisen", 4},
        {"patchbay.conf", "keys[0].name", 5},
        {"patchbay.conf", "keys[0].sha256", 5},
        {"a.conf", "openai: a provider stands within providers", 1},
        {"a.conf", "log: a file of providers.d", 2},
        {"CUSTOM_PROVIDER_NAME", "CUSTOM_PROVIDER_BASE_URL is not", 0},
    };
    size_t n = sizeof wanted / sizeof *wanted;
    if (fx.issues.n != n)
        fx_print_issues();
    ck_assert_uint_eq(fx.issues.n, n);
    for (size_t i = 0; i < n; i++) {
        ck_assert_int_eq(fx.issues.v[i].line, wanted[i].line);
        ck_assert(str_ends(str_c(fx.issues.v[i].file), wanted[i].file));
        ck_assert(str_starts(str_c(fx.issues.v[i].text), wanted[i].text) ||
                  strstr(fx.issues.v[i].text, wanted[i].text));
    }
    fx_error(2, "within providers: { openai: { ... }; };");
}
END_TEST

START_TEST(not_more_than_can_be_read)
{
    static char text[64 * LIM_CONF_ISSUES];
    char *at = text;
    at += sprintf(at, "keys = (");
    for (int i = 0; i < LIM_CONF_ISSUES; i++)
        at += sprintf(at, "%s{ x = 1; }", i ? "," : "");
    sprintf(at, ");");
    fx_load(text);
    ck_assert_uint_gt(fx.issues.errors, 2 * LIM_CONF_ISSUES);
    ck_assert_uint_eq(fx.issues.n, LIM_CONF_ISSUES + 1);
    fx_has(false, NULL, 0, "more problems than can be listed");
}
END_TEST

START_TEST(variables_are_filled_in)
{
    fx_env("DIR", "/data");
    fx_env("N", "5");
    fx_env("FLAG", "false");
    fx_env("EMPTY", "");
    const struct config *c = fx_load_clean(
        "server: { state_dir = \"${DIR}/x${NONE:-}y${NONE:-z}\";\n"
        " generation_dir = \"/$${DIR}$DIR$\"; loops = \"${N}\";\n"
        " drain = \"${N}s\"; max_body = \"${EMPTY:-1M}\";\n"
        " plugin_dirs = [ \"${DIR}/mods\" ]; };\n"
        "providers: { loopback: { enabled = \"${FLAG}\"; }; };");
    ck_assert_str_eq(c->state_dir, "/data/xyz");
    ck_assert_str_eq(c->gen_dir, "/${DIR}$DIR$");
    ck_assert_uint_eq(c->loops, 5);
    ck_assert_int_eq(c->drain_ms, 5000);
    ck_assert_uint_eq(c->http.body, LIM_MIB(1));
    ck_assert_str_eq(c->plugin_dirs[0], "/data/mods");
    ck_assert(!fx_provider("loopback")->enabled);

    fx_wrong("\nserver: {\n state_dir = \"${GONE}\"; };", 3,
             "server.state_dir|variable GONE is not set|${GONE:-default}");
    fx_wrong("server: { state_dir = \"${EMPTY}\"; };", 1, "EMPTY is not set");
    fx_wrong("server: { state_dir = \"${DIR\"; };", 1, "without its \"}\"");
    fx_wrong("server: { state_dir = \"${DIR:?x}\"; };", 1, "${NAME:-default}");
    fx_wrong("server: { state_dir = \"${}\"; };", 1, "${NAME}");
    fx_wrong("server: { state_dir = \"${1X}\"; };", 1, "${NAME}");
    fx_wrong("server: { loops = \"5\"; };", 1, "a whole number is wanted");
    fx_env("N", "5x");
    fx_wrong("server: { loops = \"${N}\"; };", 1, "a whole number is wanted");
}
END_TEST

START_TEST(what_a_variable_holds_is_not_repeated)
{
    fx_env("KEY", "sk-very-secret");
    fx_load("server: { auth = \"${KEY}\"; loops = \"${KEY}\"; drain = "
            "\"${KEY}\"; listen = \"${KEY}\"; };\n"
            "providers: { openai: { base_url = \"${KEY}\"; proxy = "
            "\"${KEY}:x\"; tries = \"${KEY}\"; style = \"${KEY}\"; "
            "api_key = \"a ${KEY}\"; api_key_file = 5; }; };");
    ck_assert_uint_ge(fx.issues.errors, 7);
    fx_not_said("very-secret");
}
END_TEST

/* --- files --- */

START_TEST(fragments)
{
    fx_file("providers.d/20-b.conf", "providers: { b: { type = \"loopback\"; "
                                     "}; };");
    fx_file("providers.d/10-a.conf", "# a\nproviders: { a: { type = \"echo\"; "
                                     "}; };");
    fx_file("providers.d/.hidden.conf", "nonsense");
    fx_file("providers.d/old.conf~", "nonsense");
    fx_file("providers.d/README", "nonsense");
    const struct config *c =
        fx_load_clean("providers: { z: { type = \"loopback\"; }; };");
    ck_assert_uint_eq(c->n_providers, 3);
    ck_assert_str_eq(c->providers[0].name, "z");
    ck_assert_str_eq(c->providers[1].name, "a");
    ck_assert_str_eq(c->providers[2].name, "b");
    ck_assert(
        str_ends(str_c(c->providers[1].origin.name), "providers.d/10-a.conf"));
    ck_assert_int_eq(c->providers[1].origin.line, 2);

    fx_file("providers.d/30-c.conf", "log: { };\nproviders: {\n a: { }; };");
    fx_load("");
    fx_has(true, "30-c.conf", 1, "log|main file");
    fx_has(true, "30-c.conf", 3, "providers.a|10-a.conf:2");
    fx_count(2, 0);
    ck_assert_uint_eq(fx.c->n_providers, 2);

    fx_file("providers.d/30-c.conf", "providers: { d: { type = \"loopback\"; "
                                     "};\n");
    fx_load("");
    fx_has(true, "30-c.conf", 1, "never closed");
    fx_count(1, 0);
    ck_assert_uint_eq(fx.c->n_providers, 2);
}
END_TEST

START_TEST(files_that_cannot_be_read)
{
    fx.o.file = fx_path("gone.conf");
    fx.c = cfg_load(&fx.o, &fx.issues);
    fx_has(true, "gone.conf", 0, "cannot read|No such file");
    fx_count(1, 0);
    /* The environment does not step in for a file that was meant. */
    ck_assert_uint_eq(fx.c->n_providers, 0);
    cfg_free(fx.c);
    cfg_issues_done(&fx.issues);

    fx.o.file = fx.dir;
    fx.c = cfg_load(&fx.o, &fx.issues);
    fx_has(true, NULL, 0, "cannot read|directory");
    cfg_free(fx.c);
    cfg_issues_done(&fx.issues);

    char *big = malloc(LIM_CONF_FILE + 2);
    ck_assert_ptr_nonnull(big);
    memset(big, ' ', LIM_CONF_FILE + 1);
    big[LIM_CONF_FILE + 1] = '\0';
    fx.c = NULL;
    fx_load(big);
    free(big);
    fx_error(0, "larger than a configuration may be");
}
END_TEST

START_TEST(which_file)
{
    fx_file("xdg/patchbay/patchbay.conf", "server: { loops = 2; };");
    fx_file("named.conf", "server: { loops = 3; };");
    fx_file("option.conf", "server: { loops = 4; };");
    fx_env("XDG_CONFIG_HOME", fx_path("xdg"));
    fx.c = cfg_load(&fx.o, &fx.issues);
    ck_assert_uint_eq(fx.c->loops, 2);
    cfg_free(fx.c);

    fx_env("XDG_CONFIG_HOME", NULL);
    fx_env("HOME", fx.dir);
    fx_file(".config/patchbay/patchbay.conf", "server: { loops = 5; };");
    fx.c = cfg_load(&fx.o, &fx.issues);
    ck_assert_uint_eq(fx.c->loops, 5);
    cfg_free(fx.c);

    fx_env("PATCHBAY_CONFIG", fx_path("named.conf"));
    fx.c = cfg_load(&fx.o, &fx.issues);
    ck_assert_uint_eq(fx.c->loops, 3);
    cfg_free(fx.c);

    fx.o.file = fx_path("option.conf");
    fx.c = cfg_load(&fx.o, &fx.issues);
    ck_assert_uint_eq(fx.c->loops, 4);
    fx_count(0, 0);
}
END_TEST

START_TEST(plugin_directories)
{
    fx.o.file = fx_file("p.conf", "server: { plugin_dirs = [ \"mods\" ]; };");
    fx_env("PATCHBAY_PLUGIN_PATH", "/one::/two");
    char **d = cfg_plugin_dirs(&fx.o, NULL);
    ck_assert_ptr_nonnull(d);
    ck_assert_str_eq(d[0], "/one");
    ck_assert_str_eq(d[1], "/two");
    ck_assert_str_eq(d[2], fx_path("mods"));
    ck_assert_str_eq(d[3], LOCALPLUGINDIR);
    ck_assert_str_eq(d[4], PLUGINDIR);
    ck_assert_ptr_null(d[5]);
    for (size_t i = 0; d[i]; i++)
        free(d[i]);
    free(d);
}
END_TEST

START_TEST(control_socket)
{
    char *path;
    fx.o.file = fx_file("p.conf", "server: { control_socket = \"c.sock\"; };");
    path = cfg_control_path(&fx.o);
    ck_assert_str_eq(path, fx_path("c.sock"));
    free(path);
    fx_env("PATCHBAY_CONTROL", "/tmp/named.sock");
    path = cfg_control_path(&fx.o);
    ck_assert_str_eq(path, "/tmp/named.sock");
    free(path);
    fx_env("PATCHBAY_CONTROL", NULL);
    fx.o.file = "/dev/null";
    fx_env("RUNTIME_DIRECTORY", "/run/a:/run/b");
    path = cfg_control_path(&fx.o);
    ck_assert_str_eq(path, "/run/a/control.sock");
    free(path);
    fx_env("RUNTIME_DIRECTORY", NULL);
    fx_env("XDG_RUNTIME_DIR", "/run/user/1");
    path = cfg_control_path(&fx.o);
    ck_assert_str_eq(path, geteuid() ? "/run/user/1/patchbay/control.sock"
                                     : RUNDIR "/control.sock");
    free(path);
}
END_TEST

/* --- listeners --- */

#define KEY_LINE                                                               \
    "keys = ( { name = \"k\"; sha256 = "                                       \
    "\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"; } " \
    ");"

START_TEST(listeners)
{
    static const struct {
        const char *listen, *addr; /* NULL: refused with error */
        const char *error;
    } cases[] = {
        {"127.0.0.1:8080", "127.0.0.1:8080", NULL},
        {"127.9.9.9:0", "127.9.9.9:0", NULL},
        {"localhost:80", "127.0.0.1:80", NULL},
        {"[::1]:65535", "[::1]:65535", NULL},
        {"[::ffff:127.0.0.1]:1", "[::ffff:127.0.0.1]:1", NULL},
        {"unix:/tmp/x", "unix:/tmp/x", NULL},
        {"unix:x", NULL, "starts with \"/\""},
        {"unix:/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         NULL, "at most 107 bytes"},
        {"8080", NULL, "an IP address and a port"},
        {":8080", NULL, "an IP address and a port"},
        {"127.0.0.1", NULL, "an IP address and a port"},
        {"127.0.0.1:", NULL, "an IP address and a port"},
        {"127.0.0.1:65536", NULL, "an IP address and a port"},
        {"127.0.0.1:-1", NULL, "an IP address and a port"},
        {"::1:80", NULL, "an IP address and a port"},
        {"[::1:80", NULL, "an IP address and a port"},
        {"example.com:80", NULL, "an IP address and a port"},
        {"", NULL, "empty|an IP address"},
        {"0.0.0.0:80", NULL, "no client key|patchbay key new|auth = \"none\""},
        {"[::]:80", NULL, "no client key|auth = \"none\""},
        {"192.168.1.1:80", NULL, "no client key|auth = \"none\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[300];
        snprintf(text, sizeof text, "server: { listen = \"%s\"; };",
                 cases[i].listen);
        fx_load(text);
        if (cases[i].addr) {
            fx_count(0, 0);
            ck_assert_str_eq(fx.c->listen[0].addr, cases[i].addr);
            continue;
        }
        ck_assert_uint_eq(fx.issues.errors, 1);
        if (*cases[i].listen)
            fx_error(1, cases[i].error);
    }
}
END_TEST

START_TEST(who_may_come_in)
{
    /* open to others: with a key, or when it is said */
    fx_load_clean("server: { listen = \"0.0.0.0:1\"; };" KEY_LINE);
    ck_assert(!fx.c->listen[0].auth_none);
    fx_load_clean("server: { listen = \"0.0.0.0:1\"; auth = \"none\"; };");
    ck_assert(fx.c->listen[0].auth_none);
    fx_load_clean("server: { listen = ( { address = \"0.0.0.0:1\"; auth = "
                  "\"none\"; }, \"127.0.0.1:2\" ); };");
    ck_assert(fx.c->listen[0].auth_none && !fx.c->listen[1].auth_none);
    fx_load_clean("server: { auth = \"none\"; listen = ( { address = "
                  "\"127.0.0.1:1\"; auth = \"keys\"; } ); };" KEY_LINE);
    ck_assert(!fx.c->listen[0].auth_none);
    fx_wrong("server: { auth = \"none\";\n listen = (\n { address = "
             "\"0.0.0.0:1\"; auth = \"auto\"; } ); };",
             3, "server.listen[0]|0.0.0.0:1|no client key");
    fx_wrong("server: {\n auth = \"keys\"; };", 2,
             "server.auth|nobody could get in");
    fx_wrong("server: { listen = ( { address = \"127.0.0.1:1\";\n auth = "
             "\"keys\"; } ); };",
             2, "server.listen[0].auth|nobody");
    fx_wrong("server: { listen = ( ); };", 1, "the list is empty");
    fx_wrong("server: { listen = ( { } ); };", 1, "address|it is missing");
    fx_wrong("server: { listen = [ \"127.0.0.1:1\", \"127.0.0.1:1\" ]; };", 1,
             "twice");
    fx_load_clean("server: { listen = [ \"127.0.0.1:0\", \"127.0.0.1:0\" ]; "
                  "};");
}
END_TEST

START_TEST(listen_option)
{
    const char *const option[] = {"0.0.0.0:99", "unix:/tmp/y", NULL};
    fx.o.listen = option;
    fx_load_clean("server: { listen = \"127.0.0.1:1\"; auth = \"none\"; };");
    ck_assert_uint_eq(fx.c->n_listen, 2);
    ck_assert_str_eq(fx.c->listen[0].addr, "0.0.0.0:99");
    ck_assert_int_eq(fx.c->listen[0].origin.source, CFG_OPTION);
    fx_load(NULL);
    fx_has(true, "--listen", 0, "0.0.0.0:99|no client key");
    fx_count(1, 0);
}
END_TEST

START_TEST(listen_tls)
{
    fx_file("cert.pem", "x");
    fx_file("key.pem", "x");
    fx_load_clean("server: { tls: { certificate = \"cert.pem\"; key = "
                  "\"key.pem\"; }; listen = ( \"127.0.0.1:1\", "
                  "\"unix:/tmp/x\", { address = \"127.0.0.1:2\"; tls = false; "
                  "} ); };");
    ck_assert(fx.c->listen[0].tls);
    ck_assert(!fx.c->listen[1].tls);
    ck_assert(!fx.c->listen[2].tls);
    ck_assert_str_eq(fx.c->tls_cert, fx_path("cert.pem"));
    fx_wrong("server: { listen = ( { address = \"127.0.0.1:2\";\n tls = true; "
             "} ); };",
             2, "server.listen[0].tls|server.tls");
    fx_wrong("server: { listen = ( { address = \"unix:/tmp/x\";\n tls = true; "
             "} ); };",
             2, "a Unix socket speaks no TLS");
    fx_wrong("server: { tls: {\n certificate = \"cert.pem\"; }; };", 2,
             "certificate and key are needed");
    fx_wrong("server: { tls: { certificate = \"cert.pem\";\n key = "
             "\"gone.pem\"; }; };",
             2, "server.tls.key|gone.pem|No such file");
}
END_TEST

/* --- client keys --- */

START_TEST(client_keys)
{
    /* SHA-256 of "abc", FIPS 180-2, and of "b" */
    fx_load_clean(
        "keys = ( { name = \"a\"; sha256 = "
        "\"BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD\"; "
        "}, { name = \"b\"; sha256 = "
        "\"3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d\"; "
        "rights = [ \"chat\", \"routes\", \"reports\" ]; }, { name = \"c\"; "
        "rights = [ \"admin\" ]; sha256 = "
        "\"2e7d2c03a9507ae265ecf5b5356885a53393a2029d241394997265a1a25aefc6\"; "
        "} );");
    const struct cfg_client_key *k = cfg_find_key(fx.c, STR("abc"));
    ck_assert_ptr_nonnull(k);
    ck_assert_str_eq(k->name, "a");
    ck_assert_uint_eq(k->rights, RIGHT_CHAT);
    k = cfg_find_key(fx.c, STR("b"));
    ck_assert_ptr_nonnull(k);
    ck_assert_uint_eq(k->rights, RIGHT_CHAT | RIGHT_ROUTES | RIGHT_REPORTS);
    k = cfg_find_key(fx.c, STR("c"));
    ck_assert_ptr_nonnull(k);
    ck_assert_uint_eq(k->rights, RIGHT_ALL);
    ck_assert_ptr_null(cfg_find_key(fx.c, STR("ab")));
    ck_assert_ptr_null(cfg_find_key(fx.c, STR("abcd")));
    ck_assert_ptr_null(cfg_find_key(fx.c, STR_NONE));
}
END_TEST

#define HASH_A \
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

START_TEST(wrong_client_keys)
{
    fx_wrong("keys = ( { name = \"a\";\n key = \"pbk_x\"; } );", 2,
             "keys[0].key|patchbay key new");
    fx_not_said("pbk_x");
    fx_wrong("keys = ( { name = \"a\";\n key_file = \"x\"; } );", 2,
             "keys[0].key_file|patchbay key new");
    fx_wrong("keys = ( { name = \"a\"; } );", 1, "keys[0].sha256|missing");
    fx_wrong("keys = ( { sha256 = \"" HASH_A "\"; } );", 1, "keys[0].name");
    fx_wrong("keys = ( { name = \"\"; sha256 = \"" HASH_A "\"; } );", 1,
             "keys[0].name|1 to 64");
    fx_wrong("keys = ( { name = \"a\";\n sha256 = \"12\"; } );", 2,
             "keys[0].sha256|2 bytes|64");
    fx_wrong("keys = ( { name = \"a\";\n sha256 = \"pbk_secret\"; } );", 2,
             "keys[0].sha256|the key itself");
    fx_not_said("pbk_secret");
    fx_wrong("keys = ( { name = \"a\"; sha256 = \"***\"; } );", 1, "masks");
    fx_wrong("keys = ( { name = \"a\"; sha256 = \"e3b0c44298fc1c149afbf4c8996f"
             "b92427ae41e4649b934ca495991b7852b855\"; } );",
             1, "of nothing");
    fx_wrong("keys = ( { name = \"a\"; sha256 = \"" HASH_A "\"; rights = [ "
             "\"chat\", \"admn\" ]; } );",
             1, "keys[0].rights|\"admn\"|did you mean \"admin\"");
    fx_wrong("keys = ( { name = \"a\"; sha256 = \"" HASH_A "\"; },\n"
             " { name = \"b\"; sha256 = \"" HASH_A "\"; } );",
             2, "keys[1].sha256|line 1");
    ck_assert_uint_eq(fx.c->n_keys, 1);
    fx_wrong("keys = ( { name = \"a\"; sha256 = \"" HASH_A "\"; },\n { name = "
             "\"a\"; sha256 = \"3e23e8160039594a33894f6564e1b1348bbd7a0088d42c"
             "4acb73eeaed59c009d\"; } );",
             2, "keys[1].name|line 1");
}
END_TEST

START_TEST(new_keys)
{
    char key[64], hash[65], other[64];
    ck_assert_int_eq(cfg_new_key(key, hash), 0);
    ck_assert_uint_eq(strlen(key), 47);
    ck_assert(str_starts(str_c(key), "pbk_"));
    ck_assert_uint_eq(strspn(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
                                  "qrstuvwxyz0123456789-_"),
                      47);
    char text[256];
    snprintf(text, sizeof text,
             "keys = ( { name = \"n\"; sha256 = \"%s\"; } "
             ");",
             hash);
    fx_load_clean(text);
    ck_assert_ptr_nonnull(cfg_find_key(fx.c, str_c(key)));
    ck_assert_int_eq(cfg_new_key(other, hash), 0);
    ck_assert_str_ne(key, other);
    ck_assert_ptr_null(cfg_find_key(fx.c, str_c(other)));
    ck_assert_int_eq(right_parse(STR("raw")), RIGHT_RAW);
    ck_assert_int_eq(right_parse(STR("root")), 0);
    ck_assert_str_eq(right_name(RIGHT_MODELS), "models");
}
END_TEST

Suite *config_server_suite(void)
{
    Suite *s = suite_create("config");
    TCase *t = tcase_create("server");
    tcase_add_checked_fixture(t, fx_setup, fx_teardown);
    tcase_add_test(t, defaults_are_the_limits);
    tcase_add_test(t, table_is_sound);
    tcase_add_test(t, durations_and_sizes);
    tcase_add_test(t, units_read_back);
    tcase_add_test(t, values_of_a_file);
    tcase_add_test(t, large_numbers_are_not_cut);
    tcase_add_test(t, wrong_values);
    tcase_add_test(t, unknown_names);
    tcase_add_test(t, in_the_order_of_the_files);
    tcase_add_test(t, not_more_than_can_be_read);
    tcase_add_test(t, variables_are_filled_in);
    tcase_add_test(t, what_a_variable_holds_is_not_repeated);
    tcase_add_test(t, fragments);
    tcase_add_test(t, files_that_cannot_be_read);
    tcase_add_test(t, which_file);
    tcase_add_test(t, plugin_directories);
    tcase_add_test(t, control_socket);
    tcase_add_test(t, listeners);
    tcase_add_test(t, who_may_come_in);
    tcase_add_test(t, listen_option);
    tcase_add_test(t, listen_tls);
    tcase_add_test(t, client_keys);
    tcase_add_test(t, wrong_client_keys);
    tcase_add_test(t, new_keys);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    Suite *const suites[] = {config_server_suite(), config_provider_suite(),
                             config_broken_suite()};
    return unit_main(suites, sizeof suites / sizeof *suites);
}
