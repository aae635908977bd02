/* SPDX-License-Identifier: MIT */
/* host/config: providers: from files and the environment, their secrets, how
 * they are reached, what their modules are told. */
#include "config_fixture.h"

#include <string.h>
#include <sys/stat.h>

#include <json-c/json.h>
#include <libconfig.h>

#include "base/limits.h"

static void has_key(const char *provider, const char *key)
{
    const struct cfg_provider *p = fx_provider(provider);
    ck_assert_msg(p != NULL, "no provider %s", provider);
    if (!key) {
        ck_assert_ptr_null(p->api_key);
        return;
    }
    ck_assert_msg(p->api_key != NULL, "%s has no key", provider);
    ck_view_eq(secret_expose(p->api_key), key);
}

/* --- the environment --- */

START_TEST(nothing_at_all)
{
    const struct config *c = fx_load_clean(NULL);
    ck_assert_uint_eq(c->n_providers, 1);
    ck_assert_str_eq(c->providers[0].name, "loopback");
    ck_assert(c->providers[0].from_env);
    ck_assert_ptr_null(c->providers[0].problem);
    /* a file without providers leaves them to the environment as well */
    c = fx_load_clean("log: { level = \"warn\"; };");
    ck_assert_uint_eq(c->n_providers, 1);
}
END_TEST

START_TEST(environment_decides)
{
    fx_env("OPENAI_API_KEY", "sk-env");
    fx_env("OPENAI_ORG_ID", "org-1");
    fx_env("OPENAI_TRIES", "7");
    fx_load_clean(NULL);
    ck_assert_uint_eq(fx.c->n_providers, 2);
    const struct cfg_provider *p = fx_provider("openai");
    has_key("openai", "sk-env");
    ck_assert_str_eq(p->base_url, "https://api.openai.com/v1");
    ck_assert_int_eq(p->origin.source, CFG_ENV);
    ck_assert_str_eq(p->origin.name, "OPENAI_API_KEY");
    ck_assert_ptr_nonnull(
        strstr(p->plugin_config, "\"organization\":\"org-1\""));
    ck_assert_ptr_nonnull(strstr(p->plugin_config, "\"tries\":7"));

    fx_env("OPENAI_TRIES", "seven");
    fx_load(NULL);
    fx_has(true, "OPENAI_TRIES", 0, "providers.openai.tries|whole number");

    fx_env("OPENAI_TRIES", NULL);
    fx_env("OPENAI_API_KEY", "");
    fx_load_clean(NULL);
    ck_assert_ptr_null(fx_provider("openai"));

    fx_env("OPENAI_BASE_URL", "http://127.0.0.1:9999/v1/");
    fx_load_clean(NULL);
    ck_assert_str_eq(fx_provider("openai")->base_url,
                     "http://127.0.0.1:9999/v1");
    has_key("openai", NULL);

    fx_env("OPENAI_BASE_URL", "api.example.com/v1");
    fx_load(NULL);
    fx_has(true, "OPENAI_BASE_URL", 0, "providers.openai.base_url|https://");
}
END_TEST

START_TEST(module_not_installed)
{
    fx_env("ANTHROPIC_API_KEY", "sk-ant-secret");
    fx_env("LLAMACPP_URL", "http://127.0.0.1:8080");
    fx_load(NULL);
    fx_has(false, "ANTHROPIC_API_KEY", 0, "\"claude\"|installed");
    fx_has(false, "LLAMACPP_URL", 0, "\"llamacpp\"|installed");
    fx_count(0, 2);
    fx_not_said("secret");
    fx_load("providers: { claude: { }; };");
    fx_error(1, "no module is installed for type \"claude\"|openai");
}
END_TEST

START_TEST(ollama_host)
{
    static const struct {
        const char *value, *url;
    } cases[] = {
        {"http://127.0.0.1:11434", "http://127.0.0.1:11434"},
        {"http://127.0.0.1:11434/", "http://127.0.0.1:11434"},
        {"0.0.0.0", "http://127.0.0.1:11434"},
        {"0.0.0.0:8000", "http://127.0.0.1:8000"},
        {"http://0.0.0.0:8000/x", "http://127.0.0.1:8000/x"},
        {":8000", "http://127.0.0.1:8000"},
        {"gpu.lan", "http://gpu.lan:11434"},
        {"gpu.lan:1/base/", "http://gpu.lan:1/base"},
        {"gpu.lan/base", "http://gpu.lan:11434/base"},
        {" 10.1.2.3 ", "http://10.1.2.3:11434"},
        {"[::]:5", "http://[::1]:5"},
        {"[::]", "http://[::1]:11434"},
        {"::1", "http://[::1]:11434"},
        {"https://ollama.example", "https://ollama.example"},
        {"http://ollama.example", "http://ollama.example"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fx_env("OLLAMA_HOST", cases[i].value);
        fx_load_clean(NULL);
        ck_assert_str_eq(fx_provider("ollama")->base_url, cases[i].url);
    }
    static const char *const wrong[] = {"ftp://h",    "http://", "h:99999",
                                        "h:x",        "a b",     "http://u@h",
                                        "http://h?x", "[::1",    "::::"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        fx_env("OLLAMA_HOST", wrong[i]);
        fx_load(NULL);
        fx_has(true, "OLLAMA_HOST", 0, "providers.ollama.base_url");
        ck_assert_ptr_null(fx_provider("ollama")->base_url);
        ck_assert_ptr_nonnull(fx_provider("ollama")->problem);
    }
    fx_env("OLLAMA_HOST", "a:1");
    fx_env("OLLAMA_URL", "http://b:1");
    fx_load(NULL);
    fx_has(false, "OLLAMA_URL", 0, "OLLAMA_HOST is used");
    fx_count(0, 1);
    ck_assert_str_eq(fx_provider("ollama")->base_url, "http://a:1");
}
END_TEST

START_TEST(custom_provider)
{
    fx_env("CUSTOM_PROVIDER_NAME", "My Server, No. 2!");
    fx_env("CUSTOM_PROVIDER_BASE_URL", "http://127.0.0.1:8000/v1");
    fx_env("CUSTOM_PROVIDER_API_KEY", "tok-1");
    fx_env("OPENAI_API_KEY", "sk-env");
    fx_load_clean(NULL);
    const struct cfg_provider *p = fx_provider("my-server-no-2");
    ck_assert_ptr_nonnull(p);
    ck_assert_str_eq(p->type, "openai");
    ck_assert_str_eq(p->base_url, "http://127.0.0.1:8000/v1");
    has_key("my-server-no-2", "tok-1");
    has_key("openai", "sk-env");

    fx_env("CUSTOM_PROVIDER_NAME", "openai");
    fx_load(NULL);
    fx_has(true, "CUSTOM_PROVIDER_NAME", 0, "another provider \"openai\"");

    fx_env("CUSTOM_PROVIDER_NAME", "123");
    fx_load_clean(NULL);
    ck_assert_ptr_nonnull(fx_provider("custom-123"));

    fx_env("CUSTOM_PROVIDER_NAME", NULL);
    fx_env("CUSTOM_PROVIDER_API_KEY", NULL);
    fx_load_clean(NULL);
    has_key("custom", NULL);

    fx_env("CUSTOM_PROVIDER_BASE_URL", NULL);
    fx_env("CUSTOM_PROVIDER_NAME", "x");
    fx_load(NULL);
    fx_has(true, "CUSTOM_PROVIDER_NAME", 0, "CUSTOM_PROVIDER_BASE_URL is not");
    fx_count(1, 0);
}
END_TEST

/* Looked after by default: what is one's own, and nothing that is paid. */
START_TEST(checks_by_default)
{
    static const struct {
        const char *more;
        int64_t ms;
    } cases[] = {
        {"type = \"openai\"; api_key = \"sk-1\";", 0},
        {"type = \"openai\"; base_url = \"http://127.0.0.1:1/v1\";", 60000},
        {"type = \"openai\"; base_url = \"http://10.0.0.1:1/v1\";", 60000},
        {"type = \"openai\"; base_url = \"http://127.0.0.1:1/v1\"; "
         "api_key = \"sk-1\";",
         0},
        {"type = \"ollama\";", 60000},
        {"type = \"ollama\"; base_url = \"http://127.0.0.1:1\"; api_key = "
         "\"sk-1\";",
         60000},
        {"type = \"ollama\"; base_url = \"https://ollama.example\"; api_key "
         "= \"sk-1\";",
         0},
        {"type = \"ollama\"; check_interval = \"0s\";", 0},
        {"type = \"openai\"; api_key = \"sk-1\"; check_interval = \"5s\";",
         5000},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        snprintf(text, sizeof text, "providers: { p: { %s }; };",
                 cases[i].more);
        fx_load(text);
        ck_assert_msg(fx_provider("p")->check_ms == cases[i].ms, "%s",
                      cases[i].more);
    }
}
END_TEST

START_TEST(file_and_environment)
{
    fx_env("OPENAI_API_KEY", "sk-env");
    fx_env("OLLAMA_HOST", "10.0.0.9");
    /* what the file lacks is filled in, what it says stays */
    fx_load_clean("providers: { openai: { tries = 3; }; };");
    ck_assert_uint_eq(fx.c->n_providers, 1);
    has_key("openai", "sk-env");
    ck_assert(!fx_provider("openai")->from_env);
    fx_load_clean("providers: { openai: { api_key = \"${OTHER:-sk-file}\"; "
                  "}; };");
    has_key("openai", "sk-file");
    /* a second instance is somebody else's server: not this key */
    fx_load_clean("providers: { vllm: { type = \"openai\"; base_url = "
                  "\"https://vllm.example/v1\"; }; };");
    has_key("vllm", NULL);
    /* further ones only when they are asked for */
    fx_load_clean("server: { environment = \"add\"; };\n"
                  "providers: { openai: { }; };");
    ck_assert_uint_eq(fx.c->n_providers, 3);
    ck_assert_str_eq(fx_provider("ollama")->base_url, "http://10.0.0.9:11434");
    fx_load("server: { environment = \"off\"; };\n"
            "providers: { openai: { }; };");
    fx_warning(2, "providers.openai|not set up|api_key (OPENAI_API_KEY)");
    fx_count(0, 1);
    has_key("openai", NULL);
    ck_assert_ptr_nonnull(fx_provider("openai")->problem);
    fx_load_clean("server: { environment = \"off\"; };");
    ck_assert_uint_eq(fx.c->n_providers, 0);
}
END_TEST

/* --- modules --- */

START_TEST(types)
{
    fx_load_clean("providers: { a: { type = \"echo\"; }; ollama: { }; };");
    ck_assert_str_eq(fx_provider("a")->manifest->id, "loopback");
    ck_assert_str_eq(fx_provider("a")->type, "echo");
    ck_assert_str_eq(fx_provider("ollama")->base_url, "http://127.0.0.1:11434");
    ck_assert_ptr_null(fx_provider("ollama")->problem);

    fx_wrong("providers: { a: {\n type = \"opnai\"; }; };", 2,
             "providers.a.type|\"opnai\"|installed: openai, loopback, "
             "ollama)|did you mean \"openai\"?");
    ck_assert_ptr_null(fx_provider("a")->manifest);
    ck_assert_ptr_nonnull(fx_provider("a")->problem);

    /* one that is there but broken does not stop the others */
    const char *const broken[] = {"opnai", NULL};
    fx.o.broken = broken;
    fx_load("providers: { a: {\n type = \"opnai\"; }; loopback: { }; };");
    fx_warning(2, "providers.a.type|patchbay plugins");
    fx_count(0, 1);
    ck_assert_ptr_nonnull(fx_provider("a")->problem);
    ck_assert_ptr_null(fx_provider("loopback")->problem);
}
END_TEST

START_TEST(disabled)
{
    fx_load("providers: { openai: { enabled = false; api_key = \"${GONE}\"; "
            "api_key_file = 5; }; x: { type = \"nope\"; enabled = false; }; "
            "loopback: { }; };");
    fx_warning(1, "GONE");
    fx_warning(1, "\"nope\"");
    fx_error(1, "api_key_file");
    fx_count(1, 2);
    ck_assert(!fx_provider("openai")->enabled);
    ck_assert_str_eq(fx_provider("openai")->problem, "enabled = false");
}
END_TEST

START_TEST(what_a_module_is_told)
{
    fx_load_clean("providers: { openai: { api_key = \"${X:-k}\"; }; };");
    ck_assert_str_eq(fx_provider("openai")->plugin_config,
                     "{\"tries\":2,\"ratio\":0.5,\"quiet\":false,"
                     "\"pause\":1500,\"chunk\":4096,\"style\":\"plain\","
                     "\"tags\":[\"a\",\"b\"]}");
    ck_assert_str_eq(fx_provider("openai")->model_config, "{}");
    fx_env("PIN", "1234\"x");
    fx_load_clean(
        "providers: { openai: { api_key = \"${X:-k}\"; organization = "
        "\"a\\n\\\"b\\\"\"; tries = 9; ratio = 2; quiet = true; pause = "
        "\"10ms\"; chunk = \"1M\"; style = \"fancy\"; tags = [ ]; pin = "
        "\"${PIN}\"; }; };");
    ck_assert_str_eq(fx_provider("openai")->plugin_config,
                     "{\"organization\":\"a\\n\\\"b\\\"\",\"tries\":9,"
                     "\"ratio\":2.0,\"quiet\":true,\"pause\":10,"
                     "\"chunk\":1048576,\"style\":\"fancy\",\"tags\":[],"
                     "\"pin\":\"1234\\\"x\"}");
    static const struct {
        const char *setting, *error;
    } wrong[] = {{"tries = 10", "tries|10|maximum of 9"},
                 {"tries = \"2\"", "tries|a whole number"},
                 {"ratio = \"x\"", "ratio|a number"},
                 {"quiet = 1", "quiet|true or false"},
                 {"pause = \"9ms\"", "pause|9ms|minimum of 10ms"},
                 {"chunk = \"x\"", "chunk|a size"},
                 {"style = \"fance\"", "style|\"plain\", \"fancy\"|did you "
                                       "mean \"fancy\"?"},
                 {"tags = 5", "tags|a list of strings"},
                 {"pin = 1234", "pin|the number|a string is wanted"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[200];
        snprintf(text, sizeof text,
                 "providers: { openai: { base_url = "
                 "\"https://h\";\n %s; }; };",
                 wrong[i].setting);
        fx_wrong(text, 2, wrong[i].error);
    }
}
END_TEST

START_TEST(single_models)
{
    fx_env("EFFORT", "high");
    fx_load_clean(
        "providers: { loopback: { default_model = \"m\"; models = [ \"m\", "
        "\"org/x:1\" ];\n model_config = ( { model = \"org/x:1\"; effort = "
        "\"${EFFORT}\"; n = 5000000000; f = 1.5; b = true; list = ( 1, "
        "\"a\" ); deep: { x = [ 1 ]; }; }, { model = \"m\"; } ); }; };");
    const struct cfg_provider *p = fx_provider("loopback");
    ck_assert_str_eq(p->default_model, "m");
    ck_assert_str_eq(p->models[1], "org/x:1");
    ck_assert_ptr_null(p->models[2]);
    ck_assert_str_eq(p->model_config,
                     "{\"org/x:1\":{\"model\":\"org/x:1\",\"effort\":\"high\","
                     "\"n\":5000000000,\"f\":1.5,\"b\":true,\"list\":[1,"
                     "\"a\"],\"deep\":{\"x\":[1]}},\"m\":{\"model\":\"m\"}}");
    fx_wrong("providers: { loopback: { model_config = ( { a = 1; } ); }; };", 1,
             "model_config[0].model|missing");
    fx_wrong("providers: { loopback: { model_config = ( 5 ); }; };", 1,
             "model_config[0]|a group");
    fx_wrong("providers: { loopback: { model_config: { }; }; };", 1,
             "model_config|a list of groups");
    fx_wrong("providers: { loopback: { model_config = ( { model = \"m\"; },\n"
             "{ model = \"m\"; } ); }; };",
             2, "twice");
    fx_wrong("providers: { loopback: { model_config = ( { model = \"m\"; deep"
             ": { x = \"${GONE}\"; }; } ); }; };",
             1, "model_config[0].deep.x|GONE");
}
END_TEST

/* --- secrets --- */

START_TEST(key_files)
{
    fx_file("key", "sk-from-file\r\n\n");
    fx_load_clean("providers: { openai: { api_key_file = \"key\"; }; };");
    has_key("openai", "sk-from-file");
    /* a file in the configuration wins over a variable */
    fx_env("OPENAI_API_KEY", "sk-env");
    fx_load_clean("providers: { openai: { api_key_file = \"key\"; }; };");
    has_key("openai", "sk-from-file");
    /* credentials of the service come first */
    fx_file("creds/key", "sk-credential");
    fx_env("CREDENTIALS_DIRECTORY", fx_path("creds"));
    fx_load_clean("providers: { openai: { api_key_file = \"key\"; }; };");
    has_key("openai", "sk-credential");
    fx_file("other", "sk-other");
    fx_load_clean("providers: { openai: { api_key_file = \"other\"; }; };");
    has_key("openai", "sk-other");

    ck_assert_int_eq(chmod(fx_path("other"), 0644), 0);
    fx_load("providers: { openai: {\n api_key_file = \"other\"; }; };");
    fx_warning(2, "api_key_file|chmod o-r");
    fx_count(0, 1);
    has_key("openai", "sk-other");

    fx_wrong("providers: { openai: { api_key_file = \"other\";\n api_key = "
             "\"x\"; }; };",
             1, "api_key is set as well");
    fx_wrong("providers: { openai: { api_key_file = \"gone\"; }; };", 1,
             "providers.openai.api_key_file|gone|No such file");
    fx_wrong("providers: { openai: { api_key_file = \"../key\"; }; };", 1,
             "without \"..\"");
    fx_file("empty", "\n");
    fx_wrong("providers: { openai: { api_key_file = \"empty\"; }; };", 1,
             "is empty");
    fx_file("two", "sk-a\nsk-b\n");
    fx_wrong("providers: { openai: { api_key_file = \"two\"; }; };", 1,
             "on one line");
    fx_not_said("sk-");
}
END_TEST

START_TEST(keys_in_the_file)
{
    const char *text = "providers: { openai: {\n api_key = \"sk-clear\"; }; };";
    fx_load_clean(text);
    ck_assert_int_eq(chmod(fx_path("patchbay.conf"), 0644), 0);
    cfg_free(fx.c);
    fx.c = cfg_load(&fx.o, &fx.issues);
    fx_warning(2, "api_key|chmod o-r");
    fx_count(0, 1);
    fx_not_said("sk-clear");

    fx_wrong("providers: { openai: { api_key = \"a b\"; }; };", 1, "spaces");
    fx_wrong("providers: { openai: { api_key = \"a\\nb: c\"; }; };", 1,
             "control characters");
    fx_wrong("providers: { openai: { api_key = \"***\"; }; };", 1,
             "config show");
    fx_wrong("providers: { openai: { api_key = 12345678; }; };", 1,
             "a string is wanted");
    fx_load("providers: { openai: { api_key = \"\"; base_url = "
            "\"https://h\"; }; };");
    fx_warning(1, "api_key|empty");
    fx_count(0, 1);
}
END_TEST

/* --- how it is reached --- */

START_TEST(base_urls)
{
    static const struct {
        const char *in, *out; /* NULL: refused */
        bool loopback;
        const char *error;
    } cases[] = {
        {"https://h", "https://h", false, NULL},
        {"https://h/v1/", "https://h/v1", false, NULL},
        {"https://h:8443/a/b", "https://h:8443/a/b", false, NULL},
        {"HTTPS://H//", "HTTPS://H", false, NULL},
        {"http://127.0.0.1:1", "http://127.0.0.1:1", true, NULL},
        {"http://localhost/v1", "http://localhost/v1", true, NULL},
        {"http://a.localhost", "http://a.localhost", true, NULL},
        {"http://[::1]:80/v1", "http://[::1]:80/v1", true, NULL},
        {"http://[2001:db8::1]", "http://[2001:db8::1]", false, NULL},
        {"http://127.evil.example", "http://127.evil.example", false, NULL},
        {"https://h/a%20b", "https://h/a%20b", false, NULL},
        {"h/v1", NULL, false, "begin with https://"},
        {"", NULL, false, "begin with https://"},
        {"https:/h", NULL, false, "begin with https://"},
        {"ftp://h", NULL, false, "http:// and https://"},
        {"https://", NULL, false, "the host is missing"},
        {"https:///v1", NULL, false, "the host is missing"},
        {"https://:80", NULL, false, "the host is missing"},
        {"https://h h", NULL, false, "cannot be one"},
        {"https://user:pw@h", NULL, false, "use api_key"},
        {"https://sk-key@h/v1", NULL, false, "use api_key"},
        {"https://h/v1?key=x", NULL, false, "ends with the path"},
        {"https://h/v1#x", NULL, false, "ends with the path"},
        {"https://h?x", NULL, false, "ends with the path"},
        {"https://h:0", NULL, false, "1 to 65535"},
        {"https://h:99999", NULL, false, "1 to 65535"},
        {"https://h:", NULL, false, "1 to 65535"},
        {"https://[::1", NULL, false, "cannot be one"},
        {"https://[::1]x", NULL, false, "1 to 65535"},
        {"https://[g::1]", NULL, false, "cannot be one"},
        {"https://h/a b", NULL, false, "%XX"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[200];
        snprintf(text, sizeof text,
                 "providers: { v: { type = \"openai\";\n "
                 "base_url = \"%s\"; }; };",
                 cases[i].in);
        if (!cases[i].out) {
            fx_wrong(text, 2, "providers.v.base_url");
            fx_error(2, cases[i].error);
            fx_not_said("pw@");
            fx_not_said("sk-key");
            ck_assert_ptr_null(fx_provider("v")->base_url);
            char *shown = cfg_show(fx.c, false);
            ck_assert_ptr_null(strstr(shown, "sk-key"));
            free(shown);
            continue;
        }
        fx_load_clean(text);
        ck_assert_str_eq(fx_provider("v")->base_url, cases[i].out);
        ck_assert_int_eq(fx_provider("v")->loopback, cases[i].loopback);
    }
}
END_TEST

START_TEST(warnings_about_the_way)
{
    fx_load("providers: { v: { type = \"openai\"; api_key = \"k\";\n base_url "
            "= \"http://10.0.0.1\"; }; };");
    fx_warning(2, "base_url|in clear|https://");
    fx_count(0, 1);
    fx_load_clean("providers: { v: { type = \"openai\"; api_key = \"k\"; "
                  "base_url = \"http://127.0.0.1\"; }; };");
    fx_load_clean("providers: { v: { type = \"openai\"; base_url = "
                  "\"http://10.0.0.1\"; }; };");
    fx_load("providers: { v: { type = \"openai\"; base_url = "
            "\"https://h\"; tls: {\n verify = false; }; }; };");
    fx_warning(2, "tls.verify|ANY certificate");
    fx_count(0, 1);
    ck_assert(fx_provider("v")->tx.insecure);
}
END_TEST

START_TEST(reach)
{
    fx_file("ca.pem", "x");
    fx_file("me.pem", "x");
    fx_load_clean(
        "providers: { v: { type = \"openai\"; base_url = \"https://h\"; http2 "
        "= true; unix_socket = \"s.sock\"; max_reply = \"1M\"; max_record = "
        "\"2M\"; call_memory = \"3M\";\n timeouts: { connect = 1; headers = "
        "1.5; first_token = \"2s\"; idle = \"3s\"; total = \"4s\"; };\n tls: { "
        "ca_file = "
        "\"ca.pem\"; client_certificate = \"me.pem\"; client_key = "
        "\"me.pem\"; };\n headers: { X-Title = \"a b\"; X-N = \"  c \"; }; "
        "}; };");
    const struct cfg_provider *p = fx_provider("v");
    ck_assert(p->tx.http2 && !p->tx.insecure);
    ck_assert_str_eq(p->tx.unix_socket, fx_path("s.sock"));
    ck_assert_str_eq(p->tx.ca_file, fx_path("ca.pem"));
    ck_assert_str_eq(p->tx.client_cert, fx_path("me.pem"));
    ck_assert_str_eq(p->tx.client_key, fx_path("me.pem"));
    ck_assert_uint_eq(p->max_reply, LIM_MIB(1));
    ck_assert_uint_eq(p->max_record, LIM_MIB(2));
    ck_assert_uint_eq(p->call_memory, LIM_MIB(3));
    ck_assert_int_eq(p->timeouts.connect_ms, 1000);
    ck_assert_int_eq(p->tx.connect_ms, 1000);
    ck_assert_int_eq(p->timeouts.headers_ms, 1500);
    ck_assert_int_eq(p->timeouts.first_ms, 2000);
    ck_assert_int_eq(p->timeouts.idle_ms, 3000);
    ck_assert_int_eq(p->timeouts.total_ms, 4000);
    ck_assert_uint_eq(p->n_headers, 2);
    ck_view_eq(p->headers[0].k, "X-Title");
    ck_view_eq(p->headers[0].v, "a b");
    ck_view_eq(p->headers[1].v, "c");
    fx_wrong("providers: { loopback: { tls: {\n ca_file = \"no.pem\"; }; }; "
             "};",
             2, "tls.ca_file|no.pem|No such file");
    fx_wrong("providers: { loopback: { tls: {\n client_key = \"me.pem\"; }; "
             "}; };",
             2, "client_certificate is missing");
}
END_TEST

START_TEST(windows)
{
    fx_load_clean("providers: { v: { type = \"openai\"; base_url = "
                  "\"https://h\"; context_windows = [ \"a* 8192\", \" b 1 \", "
                  "\"* 1000000000\" ]; }; };");
    const struct cfg_provider *p = fx_provider("v");
    ck_assert_uint_eq(p->n_windows, 3);
    ck_view_eq(p->windows[0].model, "a*");
    ck_assert_uint_eq(p->windows[0].tokens, 8192);
    ck_view_eq(p->windows[1].model, "b");
    ck_assert_uint_eq(p->windows[1].tokens, 1);
    ck_assert_uint_eq(p->windows[2].tokens, 1000000000);
    static const char *const wrong[] = {
        "a", " ", "a 0", "a -1", "a 8k", "a 1000000001", "a 8192 tokens"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        char text[256];
        snprintf(text, sizeof(text),
                 "providers: { loopback: {\n context_windows = [ \"%s\" ]; }; "
                 "};",
                 wrong[i]);
        fx_wrong(text, 2, "context_windows|qwen3* 8192");
    }
}
END_TEST

START_TEST(headers)
{
    static const struct {
        const char *header, *error;
    } wrong[] = {{"Authorization = \"x\"", "use api_key"},
                 {"x-api-key = \"x\"", "use api_key"},
                 {"X-Goog-Api-Key = \"x\"", "use api_key"},
                 {"Cookie = \"x\"", "use api_key"},
                 {"Proxy-Authorization = \"x\"", "use api_key"},
                 {"X-Auth-Token = \"x\"", "use api_key"},
                 {"Host = \"x\"", "sets this header itself"},
                 {"content-LENGTH = \"5\"", "sets this header itself"},
                 {"X-A = 5", "a string is wanted"},
                 {"X-A = \"a\\r\\nEvil: b\"", "control characters"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[200];
        snprintf(text, sizeof text,
                 "providers: { loopback: { headers: {\n "
                 "%s; }; }; };",
                 wrong[i].header);
        fx_wrong(text, 2, "providers.loopback.headers.");
        fx_error(2, wrong[i].error);
        ck_assert_uint_eq(fx_provider("loopback")->n_headers, 0);
    }
    fx_wrong("providers: { loopback: { headers: { X-A = \"1\";\n x-a = \"2\"; "
             "}; }; };",
             2, "twice");
}
END_TEST

START_TEST(proxies)
{
    const struct cfg_provider *p;
    const char *text = "providers: { v: { type = \"openai\"; base_url = "
                       "\"https://api.example.com/v1\"; }; };";
    fx_env("https_proxy", "http://user:p%40ss@proxy.lan:3128/");
    fx_load_clean(text);
    p = fx_provider("v");
    ck_assert_str_eq(p->tx.proxy, "http://proxy.lan:3128");
    ck_view_eq(secret_expose(p->tx.proxy_auth), "user:p@ss");
    char *shown = cfg_show(fx.c, false);
    ck_assert_ptr_nonnull(strstr(shown, "proxy = \"http://proxy.lan:3128\"; "
                                        "# environment https_proxy"));
    ck_assert_ptr_null(strstr(shown, "p%40ss"));
    free(shown);
    fx_env("no_proxy", "other, .example.com");
    fx_load_clean(text);
    ck_assert_ptr_null(fx_provider("v")->tx.proxy);
    fx_env("no_proxy", "xample.com");
    fx_load_clean(text);
    ck_assert_ptr_nonnull(fx_provider("v")->tx.proxy);
    static const struct {
        const char *no_proxy, *url;
        bool direct;
    } excepted[] = {
        {"10.0.0.0/8", "https://10.1.2.3", true},
        {"10.0.0.0/8", "https://11.1.2.3", false},
        {"10.1.2.2/31", "https://10.1.2.3", true},
        {"10.1.2.2/32", "https://10.1.2.3", false},
        {"10.1.2.2/33", "https://10.1.2.2", false},
        {"fd00::/8", "https://[fd12::1]", true},
        {"fd00::/8", "https://[fe80::1]", false},
        {"0.0.0.0/0", "https://h", false},
        {"10.1.2.3", "https://10.1.2.3:8443/v1", true},
        {"*", "https://h", true},
        {"H", "https://h", true},
        {"", "https://h", false},
        {",, /8, .", "https://h", false},
    };
    for (size_t i = 0; i < sizeof excepted / sizeof *excepted; i++) {
        char url[200];
        snprintf(url, sizeof url,
                 "providers: { v: { type = \"openai\"; base_url = \"%s\"; }; "
                 "};",
                 excepted[i].url);
        fx_env("no_proxy", excepted[i].no_proxy);
        fx_load_clean(url);
        ck_assert_msg(!fx_provider("v")->tx.proxy == excepted[i].direct,
                      "%s: %s", excepted[i].no_proxy, excepted[i].url);
    }
    fx_env("no_proxy", NULL);
    fx_load_clean("providers: { v: { type = \"openai\"; proxy = \"none\"; "
                  "base_url = \"https://api.example.com/v1\"; }; };");
    ck_assert_ptr_null(fx_provider("v")->tx.proxy);
    /* this machine is reached directly */
    fx_load_clean("providers: { v: { type = \"openai\"; base_url = "
                  "\"https://127.0.0.1/v1\"; }; };");
    ck_assert_ptr_null(fx_provider("v")->tx.proxy);
    fx_load_clean("providers: { v: { type = \"openai\"; proxy = "
                  "\"socks5h://[::1]:1080\"; proxy_auth = \"a:b\"; base_url = "
                  "\"https://api.example.com/v1\"; }; };");
    p = fx_provider("v");
    ck_assert_str_eq(p->tx.proxy, "socks5h://[::1]:1080");
    ck_view_eq(secret_expose(p->tx.proxy_auth), "a:b");

    static const char *const wrong[] = {"ftp://h", "http://", "http://h:0",
                                        "http://h/x", "http://pw@h h"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char bad[200];
        snprintf(bad, sizeof bad,
                 "providers: { loopback: {\n proxy = \"%s\"; "
                 "}; };",
                 wrong[i]);
        fx_wrong(bad, 2, "providers.loopback.proxy");
        fx_not_said("pw@");
    }
    fx_wrong("providers: { loopback: {\n proxy_auth = \"a:b\"; }; };", 2,
             "there is no proxy");
    fx_env("https_proxy", "gopher://x");
    fx_load("providers: { v: { type = \"openai\"; base_url = "
            "\"https://api.example.com/v1\"; }; };");
    fx_has(true, "https_proxy", 0, "socks5h");
}
END_TEST

START_TEST(too_many)
{
    char *text = malloc(64 * (LIM_PROVIDERS + 4)), *at = text;
    ck_assert_ptr_nonnull(text);
    at += sprintf(at, "providers: {");
    for (int i = 0; i < LIM_PROVIDERS + 1; i++)
        at += sprintf(at, "p%d: { type = \"loopback\"; };\n", i);
    sprintf(at, "};");
    fx_wrong(text, LIM_PROVIDERS + 1, "more than 256 providers");
    ck_assert_uint_eq(fx.c->n_providers, LIM_PROVIDERS);
    free(text);
}
END_TEST

/* --- showing --- */

START_TEST(shown)
{
    fx_env("OPENAI_API_KEY", "sk-env-secret");
    fx_env("PIN", "pin-secret");
    fx_load_clean("server: { loops = 2; };\nkeys = ( { name = \"ci\"; sha256 "
                  "= \"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff6"
                  "1f20015ad\"; } );\nproviders: {\n openai: { pin = "
                  "\"${PIN}\"; style = \"fancy\"; };\n};");
    char *text = cfg_show(fx.c, false);
    static const char *const lines[] = {
        "/patchbay.conf:1\n",
        "loops = 2; # ",
        "max_body = \"64M\"; # default",
        "api_key = \"***\"; # environment OPENAI_API_KEY",
        "pin = \"***\"; # ",
        "style = \"fancy\"; # ",
        "pause = \"1500ms\"; # default",
        "sha256 = \"***\"; # ",
        "rights = [\"chat\"]; # default",
        "# organization: not set"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        ck_assert_msg(strstr(text, lines[i]), "not shown: %s\n%s", lines[i],
                      text);
    ck_assert_ptr_null(strstr(text, "secret"));
    ck_assert_ptr_null(strstr(text, "ba7816"));
    config_t conf;
    config_init(&conf);
    ck_assert_msg(config_read_string(&conf, text), "line %d: %s",
                  config_error_line(&conf), config_error_text(&conf));
    config_destroy(&conf);

    char *json = cfg_show(fx.c, true);
    ck_assert_ptr_null(strstr(json, "secret"));
    struct json_object *o = json_tokener_parse(json), *v = NULL;
    ck_assert_ptr_nonnull(o);
    ck_assert(json_pointer_get(o, "/providers/openai/api_key/value", &v) == 0);
    ck_assert_str_eq(json_object_get_string(v), "***");
    ck_assert(
        json_pointer_get(o, "/providers/openai/api_key/origin/name", &v) == 0);
    ck_assert_str_eq(json_object_get_string(v), "OPENAI_API_KEY");
    ck_assert(json_pointer_get(o, "/server/loops/origin/line", &v) == 0);
    ck_assert_int_eq(json_object_get_int(v), 1);
    json_object_put(o);
    free(json);
    free(text);
}
END_TEST

START_TEST(what_is_shown_can_be_loaded)
{
    fx_env("OLLAMA_HOST", "10.0.0.9");
    fx_load_clean("server: { listen = ( { address = \"0.0.0.0:1\"; auth = "
                  "\"none\"; }, \"unix:/tmp/x\" ); max_body = 4000000000L; "
                  "plugin_dirs = [ \"/x\", \"/$${y}\\\"\\\\\" ]; };\n"
                  "providers: { loopback: { headers: { X-A = \"\xc3\xa9\"; }; "
                  "model_config = ( { model = \"m\"; a = ( 1, { b = 2.0; }, "
                  "[ ] ); } ); }; ollama: { }; };");
    char *first = cfg_show(fx.c, false);
    fx_load_clean(first);
    char *again = cfg_show(fx.c, false);
    /* the same but for where it comes from */
    const char *a = first, *b = again;
    for (int line = 1; *a && *b; line++) {
        size_t na = strcspn(a, "\n"), nb = strcspn(b, "\n");
        const char *ca = memmem(a, na, " # ", 3), *cb = memmem(b, nb, " # ", 3);
        size_t va = ca ? (size_t)(ca - a) : na, vb = cb ? (size_t)(cb - b) : nb;
        if (memmem(a, na, ": not set", 9))
            va = vb; /* a comment as a whole */
        ck_assert_msg(va == vb && (va > na || memcmp(a, b, va) == 0),
                      "line %d: %.*s / %.*s", line, (int)na, a, (int)nb, b);
        a += na + (a[na] == '\n');
        b += nb + (b[nb] == '\n');
    }
    ck_assert(!*a && !*b);
    free(first);
    free(again);
}
END_TEST

START_TEST(templates)
{
    char *text = cfg_template(&fx.o);
    ck_assert_ptr_nonnull(text);
    fx_load_clean(text);
    ck_assert_uint_eq(fx.c->n_providers, 1);
    ck_assert_ptr_nonnull(strstr(text, "\n    loopback: {"));
    ck_assert_ptr_nonnull(strstr(text, "\n    #openai: {"));
    for (const char *p = text; *p; p += strcspn(p, "\n") + 1) {
        size_t n = strcspn(p, "\n");
        ck_assert_msg(n <= 80, "%.*s", (int)n, p);
        if (!p[n])
            break;
    }
    free(text);

    fx_env("OPENAI_API_KEY", "sk-template");
    fx_env("OPENAI_BASE_URL", "https://eu.example/v1");
    fx_env("OLLAMA_HOST", "0.0.0.0");
    fx_env("CUSTOM_PROVIDER_NAME", "box");
    fx_env("CUSTOM_PROVIDER_BASE_URL", "http://127.0.0.1:1/v1");
    fx_env("CUSTOM_PROVIDER_API_KEY", "tok-template");
    text = cfg_template(&fx.o);
    ck_assert_ptr_null(strstr(text, "sk-template"));
    ck_assert_ptr_null(strstr(text, "tok-template"));
    fx_load_clean(text);
    ck_assert_uint_eq(fx.c->n_providers, 4);
    has_key("openai", "sk-template");
    has_key("box", "tok-template");
    ck_assert_str_eq(fx_provider("openai")->base_url, "https://eu.example/v1");
    free(text);
}
END_TEST

/* --- what is shipped --- */

static char *shipped(const char *name)
{
    const char *top = getenv("top_srcdir");
    char path[512], *data;
    size_t n;
    snprintf(path, sizeof path, "%s/etc/%s", top ? top : ".", name);
    ck_assert_msg(fs_read(path, LIM_CONF_FILE, &data, &n) == 0,
                  "%s (set top_srcdir)", path);
    return data;
}

/* "#name" becomes a setting; "# text" stays a comment. */
static void uncomment(char *text)
{
    for (char *p = text; p && *p; p = strchr(p, '\n')) {
        p += *p == '\n';
        char *hash = p + strspn(p, " ");
        if (*hash == '#' && hash[1] && !strchr(" \n#", hash[1]))
            *hash = ' ';
    }
}

START_TEST(shipped_files)
{
    static const char *const names[] = {
        "patchbay.conf", "providers.d/openai.conf", "providers.d/custom.conf",
        "providers.d/loopback.conf"};
    fx_env("OPENAI_API_KEY", "sk-x");
    fx_env("VLLM_API_KEY", "sk-y");
    fx_env("GATEWAY_KEY", "sk-z");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *text = shipped(names[i]);
        fx_load_clean(text);
        ck_assert_ptr_nonnull(fx_provider("loopback"));
        /* Each setting that is offered is one: right name, right type. */
        uncomment(text);
        fx_load(text);
        for (size_t k = 0; k < fx.issues.n; k++) {
            const struct cfg_issue *is = &fx.issues.v[k];
            /* files named as examples are not there; the module of the test
             * has no keys of its own like the real one */
            if (!is->error || strstr(is->text, "cannot read"))
                continue;
            fx_print_issues();
            ck_abort_msg("%s: %s", names[i], is->text);
        }
        ck_assert_msg(i == 0 || fx.c->n_providers > 0, "%s: no provider",
                      names[i]);
        free(text);
    }
}
END_TEST

Suite *config_provider_suite(void)
{
    Suite *s = suite_create("config providers");
    TCase *t = tcase_create("providers");
    tcase_add_checked_fixture(t, fx_setup, fx_teardown);
    tcase_add_test(t, nothing_at_all);
    tcase_add_test(t, environment_decides);
    tcase_add_test(t, module_not_installed);
    tcase_add_test(t, ollama_host);
    tcase_add_test(t, custom_provider);
    tcase_add_test(t, checks_by_default);
    tcase_add_test(t, file_and_environment);
    tcase_add_test(t, types);
    tcase_add_test(t, disabled);
    tcase_add_test(t, what_a_module_is_told);
    tcase_add_test(t, single_models);
    tcase_add_test(t, key_files);
    tcase_add_test(t, keys_in_the_file);
    tcase_add_test(t, base_urls);
    tcase_add_test(t, warnings_about_the_way);
    tcase_add_test(t, reach);
    tcase_add_test(t, windows);
    tcase_add_test(t, headers);
    tcase_add_test(t, proxies);
    tcase_add_test(t, too_many);
    tcase_add_test(t, shown);
    tcase_add_test(t, what_is_shown_can_be_loaded);
    tcase_add_test(t, templates);
    tcase_add_test(t, shipped_files);
    suite_add_tcase(s, t);
    return s;
}
