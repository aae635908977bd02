/* SPDX-License-Identifier: MIT */
/* patchbay config: show, check, begin and import a configuration. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/config_import.h"
#include "cli/manifests.h"

static const char help[] =
    "  show       what is in force and where each value comes from, secrets "
    "masked:\n             the running host's, else what a host would use "
    "now\n"
    "  check      find mistakes; prints FILE:LINE: KEY: MESSAGE for each, exit "
    "status\n             1 if there is an error\n"
    "  init       write a commented template for the providers that are "
    "found\n"
    "  import     read another program's configuration (JSON or YAML) and "
    "write "
    "it in\n             this host's form; what cannot be kept is named\n\n"
    "  -o, --output FILE init, import: write there; an existing file is kept\n"
    "      --force       import: replace existing files\n"
    "      --format FORM import: json or yaml, whatever the name says\n";

/* --- issues --- */

void config_print_issue(struct out *o, const struct cfg_issue *is)
{
    if (is->file) {
        out_textc(o, is->file);
        if (is->line)
            out_f(o, ":%d", is->line);
        out_c(o, ": ");
    }
    out_f(o, "%s", is->error ? "" : "warning: ");
    out_textc(o, is->text);
    out_c(o, "\n");
}

static struct json_object *issue_json(const struct cfg_issue *is)
{
    struct json_object *o = json_object_new_object();

    if (o && !js_add_bool(o, "error", is->error) &&
        (!is->file || !js_add_str(o, "file", str_c(is->file))) &&
        (!is->line || !js_add_int(o, "line", is->line)) &&
        !js_add_str(o, "text", str_c(is->text)))
        return o;
    json_object_put(o);
    return NULL;
}

static int print_issues_json(struct cli *cli, const struct cfg_issues *is)
{
    struct json_object *o = json_object_new_object();
    struct json_object *list = json_object_new_array();
    bool bad = !o || !list || js_add_bool(o, "ok", !is->errors);

    for (size_t i = 0; i < is->n && !bad; i++) {
        struct json_object *one = issue_json(&is->v[i]);
        bad = !one || json_object_array_add(list, one);
        if (bad)
            json_object_put(one);
    }
    if (!bad)
        bad = js_add(o, "issues", json_object_get(list)) != 0;
    if (!bad)
        cli_print_json(cli, o);
    json_object_put(list);
    json_object_put(o);
    return bad ? cli_error(cli, EXIT_FAILED, "out of memory") : EXIT_OK;
}

/* --- check --- */

static int check(struct cli *cli, const struct cfg_load_options *load)
{
    struct cfg_issues issues = {0};
    struct config *c = cfg_load(load, &issues);
    int status = EXIT_OK;

    if (!c)
        return cli_error(cli, EXIT_FAILED, "out of memory");
    if (cli->json)
        status = print_issues_json(cli, &issues);
    for (size_t i = 0; i < issues.n && !cli->json; i++)
        config_print_issue(&cli->out, &issues.v[i]);
    if (!issues.errors && !cli->json)
        out_f(&cli->out, "%s: ok\n",
              c->file ? c->file : "no file, environment");
    if (issues.errors)
        status = EXIT_FAILED;
    cfg_issues_done(&issues);
    cfg_free(c);
    return status;
}

/* --- show --- */

static int show_own(struct cli *cli, const struct cfg_load_options *load)
{
    struct cfg_issues issues = {0};
    struct config *c = cfg_load(load, &issues);
    char *text = c ? cfg_show(c, cli->json) : NULL;
    int status = issues.errors ? EXIT_CONFIG : EXIT_OK;

    if (!text) {
        status = cli_error(cli, EXIT_FAILED, "out of memory");
    } else {
        out_textc(&cli->out, text);
        out_flush(&cli->out);
    }
    for (size_t i = 0; i < issues.n; i++)
        config_print_issue(&cli->err, &issues.v[i]);
    out_flush(&cli->err);
    cfg_issues_done(&issues);
    free(text);
    if (c)
        cfg_free(c);
    return status;
}

/* *absent: nobody to ask. */
static int show_running(struct cli *cli, bool *absent)
{
    struct json_object *result;
    struct client_error e;
    int status;

    *absent = false;
    if (cli->reach.where == REACH_OWN) {
        *absent = true;
        return EXIT_OK;
    }
    if (reach_running(&cli->host, &cli->reach, absent, &e))
        return *absent && cli->reach.where != REACH_RUNNING &&
                       !cli->reach.control
                   ? EXIT_OK
                   : (*absent = false, cli_fail(cli, &e));
    status = cli_ask(cli, "config",
                     cli->json ? STR("{\"json\":true}") : STR("{}"), &result);
    if (!status)
        out_text(&cli->out, js_str(result, "text", STR("")));
    return status;
}

/* --- init --- */

/* New files only: a configuration is not ours to replace.  The template has no
 * secret in it, and a service under another user has to read root's. */
static int write_new(struct cli *cli, const char *path, const char *text)
{
    struct stat st;
    int rc = lstat(path, &st) ? 0 : -EEXIST;

    if (!rc)
        rc = fs_write_atomic(path, str_c(text), geteuid() ? 0600 : 0644);
    if (rc)
        return cli_error(cli, EXIT_FAILED, "%s: %s%s", path, strerror(-rc),
                         rc == -EEXIST ? "; it is kept, name another file"
                                       : "");
    out_text(&cli->out, str_c(path));
    out_c(&cli->out, "\n");
    return EXIT_OK;
}

static int init(struct cli *cli, const struct cfg_load_options *load,
                const char *output)
{
    char *text = cfg_template(load);
    int status = EXIT_OK;

    if (!text)
        return cli_error(cli, EXIT_FAILED, "out of memory");
    if (output)
        status = write_new(cli, output, text);
    else
        out_c(&cli->out, text);
    free(text);
    return status;
}

/* --- the command --- */

static int without_host(struct cli *cli, const char *verb, const char *output)
{
    struct cfg_load_options load = {.file = cli->reach.config};
    struct manifests m;
    int status = manifests_open(cli, &m, &load);

    if (status)
        return status;
    if (*verb == 's')
        status = show_own(cli, &load);
    else if (*verb == 'c')
        status = check(cli, &load);
    else
        status = init(cli, &load, output);
    manifests_close(&m);
    return status;
}

static int choose(struct cli *cli, const char *verb, const char *output)
{
    static const char *const verbs[] = {"show", "check", "init", "import",
                                        NULL};
    const char *near;
    bool absent = true;
    int status = EXIT_OK;

    if (strcmp(verb, "show") && strcmp(verb, "check") && strcmp(verb, "init")) {
        near = cli_nearest(verb, verbs);
        return cli_usage(cli, "no command \"config %s\"%s%s%s", verb,
                         near ? "; did you mean \"" : "", near ? near : "",
                         near ? "\"?" : "");
    }
    if (output && *verb != 'i')
        return cli_usage(cli, "--output is for init and import");
    if (*verb != 's' &&
        (cli->reach.control || cli->reach.where == REACH_RUNNING))
        return cli_usage(cli, "%s works on files and asks no host", verb);
    if (cli->json && *verb == 'i')
        return cli_usage(cli, "init writes a configuration file, not JSON");
    if (*verb == 's')
        status = show_running(cli, &absent);
    return absent ? without_host(cli, verb, output) : status;
}

static int import(struct cli *cli, int argc, char **argv,
                  struct config_import *ask)
{
    if (argc != 1)
        return cli_usage(cli, "import: one file is wanted, \"-\" is standard "
                              "input");
    if (cli->json || cli->reach.control || cli->reach.where == REACH_RUNNING)
        return cli_usage(cli, "import works on files, asks no host and writes "
                              "a configuration file");
    ask->input = argv[0];
    return config_import(cli, ask);
}

static int run(struct cli *cli, int argc, char **argv)
{
    static const struct option longs[] = {
        {"output", required_argument, NULL, 'o'},
        {"force", no_argument, NULL, 'F'},
        {"format", required_argument, NULL, 'f'},
        {0}};
    struct config_import ask = {.input = NULL};
    int opt;

    while ((opt = cli_getopt(cli, argc, argv, "o:", longs)) >= 0)
        if (opt == 'o')
            ask.output = optarg;
        else if (opt == 'F')
            ask.force = true;
        else
            ask.format = optarg;
    if (opt != -1)
        return cli_opt_status(opt);
    argc -= optind;
    argv += optind;
    if (argc && !strcmp(argv[0], "import"))
        return import(cli, argc - 1, argv + 1, &ask);
    if (argc != 1)
        return cli_usage(cli, "show, check, init or import is wanted");
    if (ask.force || ask.format)
        return cli_usage(cli, "--%s is for import",
                         ask.force ? "force" : "format");
    return choose(cli, argv[0], ask.output);
}

const struct command cmd_config = {
    .name = "config",
    .summary = "show, check, begin or import a configuration",
    .usage = "show [OPTIONS]\ncheck [OPTIONS]\ninit [--output FILE]\n"
             "import [--output FILE [--force]] FILE",
    .help = help,
    .common = COMMON_ASK,
    .run = run};
