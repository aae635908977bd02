/* SPDX-License-Identifier: MIT */
/* patchbay key: keys for clients. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "cli/commands.h"
#include "config/config.h"

static const char help[] =
    "  new        make a key for a client. The key is shown this once; the "
    "host keeps\n             only its hash, in the stanza printed below it, "
    "which belongs into\n             patchbay.conf\n\n"
    "  -n, --name NAME   how logs and reports call it (client)\n"
    "  -r, --rights LIST what it may do, separated by commas: chat, routes, "
    "raw,\n                    models, reports, admin (chat)\n";

enum {
    NAME_MAX_LEN = 64,
    RIGHTS = 8
};

struct new_key {
    const char *name;
    const char *rights[RIGHTS]; /* static words */
    size_t n_rights;
    char key[64], hash[65];
};

static int add_right(struct cli *cli, struct new_key *k, pbay_str word)
{
    const char *names[RIGHTS] = {NULL};
    int bit = right_parse(str_trim(word));
    char text[32];
    const char *near;
    size_t n = 0;

    for (int b = 1; b & RIGHT_ALL; b <<= 1)
        names[n++] = right_name(b);
    if (!bit) {
        snprintf(text, sizeof(text), "%.*s", STR_ARG(str_trim(word)));
        near = cli_nearest(text, names);
        return cli_usage(cli, "no right \"%s\"; %s%s%s", text,
                         near ? "did you mean \"" : "see --help",
                         near ? near : "", near ? "\"?" : "");
    }
    for (size_t i = 0; i < k->n_rights; i++)
        if (!strcmp(k->rights[i], right_name(bit)))
            return 0;
    k->rights[k->n_rights++] = right_name(bit);
    return 0;
}

static int set_rights(struct cli *cli, struct new_key *k, const char *list)
{
    pbay_str rest = str_c(list);
    int status = 0;

    k->n_rights = 0;
    do
        status = add_right(cli, k, str_cut(&rest, ','));
    while (!status && rest.p);
    return status;
}

static int set_name(struct cli *cli, struct new_key *k, const char *name)
{
    size_t n = strlen(name);

    if (!n || n > NAME_MAX_LEN || strpbrk(name, "\"\\\n\r\t$") ||
        utf8_valid(str_c(name)) != n)
        return cli_usage(cli,
                         "--name: 1 to %d bytes without quotes, "
                         "backslashes, \"$\" and control characters are "
                         "wanted",
                         NAME_MAX_LEN);
    k->name = name;
    return 0;
}

static void add_stanza(struct out *o, const struct new_key *k)
{
    out_f(o, "{ name = \"%s\";\n  sha256 = \"%s\";\n  rights = [ ", k->name,
          k->hash);
    for (size_t i = 0; i < k->n_rights; i++)
        out_f(o, "%s\"%s\"", i ? ", " : "", k->rights[i]);
    out_c(o, " ]; }");
}

static int print_json(struct cli *cli, const struct new_key *k)
{
    struct json_object *o = json_object_new_object();
    struct json_object *list = json_object_new_array();
    bool bad = !o || !list || js_add_str(o, "key", str_c(k->key)) ||
               js_add_str(o, "name", str_c(k->name)) ||
               js_add_str(o, "sha256", str_c(k->hash));

    for (size_t i = 0; i < k->n_rights && !bad; i++) {
        struct json_object *r = json_object_new_string(k->rights[i]);
        bad = !r || json_object_array_add(list, r);
    }
    if (!bad)
        bad = js_add(o, "rights", json_object_get(list)) != 0;
    if (!bad)
        cli_print_json(cli, o);
    json_object_put(list);
    json_object_put(o);
    return bad ? cli_error(cli, EXIT_FAILED, "out of memory") : EXIT_OK;
}

static int print(struct cli *cli, const struct new_key *k)
{
    struct out *o = &cli->out;

    if (cli->json)
        return print_json(cli, k);
    out_f(o,
          "%s\n\n# For patchbay.conf, one more group of \"keys\":\n"
          "keys = (\n",
          k->key);
    add_stanza(o, k);
    out_c(o, "\n);\n");
    return EXIT_OK;
}

static int run(struct cli *cli, int argc, char **argv)
{
    static const struct option longs[] = {
        {"name", required_argument, NULL, 'n'},
        {"rights", required_argument, NULL, 'r'},
        {0}};
    struct new_key k = {.name = "client", .rights = {"chat"}, .n_rights = 1};
    int opt, status = EXIT_OK;

    while ((opt = cli_getopt(cli, argc, argv, "n:r:", longs)) >= 0 && !status)
        status = opt == 'n' ? set_name(cli, &k, optarg)
                            : set_rights(cli, &k, optarg);
    if (status)
        return status;
    if (opt != -1)
        return cli_opt_status(opt);
    if (argc - optind != 1 || strcmp(argv[optind], "new"))
        return cli_usage(cli, "\"key new\" is the only form");
    if (cfg_new_key(k.key, k.hash))
        return cli_error(cli, EXIT_FAILED,
                         "the system gives no random numbers");
    status = print(cli, &k);
    explicit_bzero(k.key, sizeof(k.key));
    return status;
}

const struct command cmd_key = {.name = "key",
                                .summary = "make a key for a client",
                                .usage = "new [OPTIONS]",
                                .help = help,
                                .common = COMMON_JSON,
                                .run = run};
