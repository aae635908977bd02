/* SPDX-License-Identifier: MIT */
/* patchbay version: which program this is. */
#include "config.h"

#include <curl/curl.h>
#include <errno.h>
#include <event2/event.h>
#include <libconfig.h>
#include <openssl/crypto.h>
#include <patchbay/types.h>
#include <stdio.h>

#include "base/str.h"
#include "cli/commands.h"

static const char help[] =
    "Show the version of this program, of the provider ABI it offers, and of "
    "the\nlibraries it runs with.\n\n";

struct library {
    const char *name, *version;
};

static void libraries(struct library v[6])
{
    static char config[32];

    snprintf(config, sizeof(config), "%d.%d.%d", LIBCONFIG_VER_MAJOR,
             LIBCONFIG_VER_MINOR, LIBCONFIG_VER_REVISION);
    v[0] = (struct library){"libcurl",
                            curl_version_info(CURLVERSION_NOW)->version};
    v[1] = (struct library){"libevent", event_get_version()};
    v[2] = (struct library){"json-c", json_c_version()};
    v[3] = (struct library){"OpenSSL", OpenSSL_version(OPENSSL_VERSION_STRING)};
    v[4] = (struct library){"libconfig", config};
    v[5] = (struct library){NULL, NULL};
}

static int print_json(struct cli *cli, const char *abi,
                      const struct library *libs)
{
    struct json_object *o = json_object_new_object();
    struct json_object *list = json_object_new_object();
    bool bad = !o || !list || js_add_str(o, "version", STR(PACKAGE_VERSION)) ||
               js_add_str(o, "abi", str_c(abi));

    for (; libs->name && !bad; libs++)
        bad = js_add_str(list, libs->name, str_c(libs->version)) != 0;
    if (!bad)
        bad = js_add(o, "libraries", json_object_get(list)) != 0;
    if (!bad)
        cli_print_json(cli, o);
    json_object_put(list);
    json_object_put(o);
    return bad ? cli_error(cli, EXIT_FAILED, "out of memory") : EXIT_OK;
}

static int run(struct cli *cli, int argc, char **argv)
{
    int opt = cli_no_options(cli, argc, argv);
    struct library libs[6];
    char abi[32];

    if (opt)
        return cli_opt_status(opt);
    if (optind < argc)
        return cli_usage(cli, "unexpected operand %s", argv[optind]);
    snprintf(abi, sizeof(abi), "%u.%u", PBAY_ABI_MAJOR, PBAY_ABI_MINOR);
    libraries(libs);
    if (cli->json)
        return print_json(cli, abi, libs);
    out_f(&cli->out, "patchbay %s\nprovider ABI %s\n", PACKAGE_VERSION, abi);
    for (const struct library *l = libs; l->name; l++)
        out_f(&cli->out, "%s %s\n", l->name, l->version);
    return EXIT_OK;
}

const struct command cmd_version = {.name = "version",
                                    .summary = "show the version",
                                    .usage = "[OPTIONS]",
                                    .help = help,
                                    .common = COMMON_JSON,
                                    .run = run};
