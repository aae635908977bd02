/* SPDX-License-Identifier: MIT */
/* patchbay config import: files in, files out; import/ does the rest. */
#include "config.h"

#include "cli/config_import.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/str.h"
#include "cli/manifests.h"
#include "import/import.h"

/* dir(output)/name; malloc'd. */
static char *beside(const char *output, const char *name)
{
    const char *slash = strrchr(output, '/');
    char *path = NULL;

    if (asprintf(&path, "%.*s%s", slash ? (int)(slash - output) + 1 : 0, output,
                 name) < 0)
        return NULL;
    return path;
}

static int is_free(struct cli *cli, const struct config_import *ask,
                   const char *path)
{
    struct stat st;

    if (lstat(path, &st) || ask->force)
        return EXIT_OK;
    return cli_error(cli, EXIT_FAILED,
                     "%s: File exists; it is kept, name another file or say "
                     "--force",
                     path);
}

static int write_file(struct cli *cli, const char *path, pbay_str text)
{
    int rc = fs_write_atomic(path, text, 0600);

    return rc ? cli_error(cli, EXIT_FAILED, "%s: %s", path, strerror(-rc))
              : EXIT_OK;
}

/* Nothing is written unless everything can be. */
static int write_all(struct cli *cli, const struct config_import *ask,
                     const struct import *im)
{
    int status = is_free(cli, ask, ask->output);
    char *path;

    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < im->n_keys && !status; i++) {
            path = beside(ask->output, im->keys[i].file);
            if (!path)
                status = cli_error(cli, EXIT_FAILED, "out of memory");
            else if (!strcmp(path, ask->output))
                status = cli_error(cli, EXIT_FAILED,
                                   "%s: a provider's key is to be written "
                                   "there; name another file",
                                   path);
            else if (!pass)
                status = is_free(cli, ask, path);
            else
                status = write_file(cli, path, str_c(im->keys[i].value));
            if (pass && !status)
                cli_warn(cli,
                         "%s:%d: a key stands there in clear; it is in %s now",
                         ask->input, im->keys[i].line, path);
            free(path);
        }
    if (!status)
        status = write_file(cli, ask->output, buf_str(&im->text));
    if (!status) {
        out_textc(&cli->out, ask->output);
        out_c(&cli->out, "\n");
    }
    return status;
}

/* What a host would say of it, here and now. */
static int check(struct cli *cli, struct cfg_load_options *load,
                 const char *path)
{
    struct cfg_issues issues = {0};
    struct config *c;
    int status = EXIT_OK;

    load->file = path;
    c = cfg_load(load, &issues);
    if (!c)
        return cli_error(cli, EXIT_FAILED, "out of memory");
    for (size_t i = 0; i < issues.n; i++)
        config_print_issue(&cli->err, &issues.v[i]);
    if (issues.errors)
        status = cli_error(cli, EXIT_FAILED,
                           "%s is written, and has to be mended before a host "
                           "takes it",
                           path);
    out_flush(&cli->err);
    cfg_issues_done(&issues);
    cfg_free(c);
    return status;
}

static int read_input(struct cli *cli, const char *path, char **text, size_t *n)
{
    bool std = !strcmp(path, "-");
    int rc = std ? fs_read_fd(STDIN_FILENO, LIM_CONF_FILE, text, n)
                 : fs_read(path, LIM_CONF_FILE, text, n);

    if (rc)
        return cli_error(cli, EXIT_FAILED, "%s: %s",
                         std ? "standard input" : path,
                         rc == -EFBIG ? "larger than a configuration can be"
                                      : strerror(-rc));
    return EXIT_OK;
}

static int convert(struct cli *cli, const struct config_import *ask,
                   struct cfg_load_options *load, pbay_str text)
{
    struct import_options o = {.name = ask->input,
                               .manifests = load->manifests,
                               .n_manifests = load->n_manifests,
                               .keep_secrets = ask->output != NULL};
    struct import im;
    int rc, status = EXIT_OK;

    o.format = !ask->format ? import_format_of(ask->input, text)
               : strcmp(ask->format, "json") ? IMPORT_YAML
                                             : IMPORT_JSON;
    rc = import_read(&o, text, &im);
    for (size_t i = 0; i < im.issues.n; i++)
        config_print_issue(&cli->err, &im.issues.v[i]);
    out_flush(&cli->err);
    if (rc == -ENOMEM)
        status = cli_error(cli, EXIT_FAILED, "out of memory");
    else if (rc)
        status = EXIT_FAILED;
    else if (!ask->output)
        out_text(&cli->out, buf_str(&im.text));
    else
        status = write_all(cli, ask, &im);
    import_done(&im);
    if (!status && ask->output)
        status = check(cli, load, ask->output);
    return status;
}

int config_import(struct cli *cli, const struct config_import *ask)
{
    struct cfg_load_options load = {.file = cli->reach.config};
    struct manifests m;
    char *text = NULL;
    size_t n = 0;
    int status;

    if (ask->format && strcmp(ask->format, "json") &&
        strcmp(ask->format, "yaml"))
        return cli_usage(cli, "--format %s: json or yaml is wanted",
                         ask->format);
    if (ask->force && !ask->output)
        return cli_usage(cli, "--force goes with --output");
    status = read_input(cli, ask->input, &text, &n);
    if (!status)
        status = manifests_open(cli, &m, &load);
    if (!status) {
        status = convert(cli, ask, &load, str_n(text, n));
        manifests_close(&m);
    }
    if (text)
        explicit_bzero(text, n);
    free(text);
    return status;
}
