/* SPDX-License-Identifier: MIT */
/* Having a text summarized or translated. */
#include "config.h"

#include "cli/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/str.h"
#include "cli/input.h"

struct text {
    struct json_object *body;
    const char *doing; /* for people */
    bool stream, started;
};

/* --- what is asked ------------------------------------------------------- */

/* The text of a file, or of standard input. */
static char *read_text(struct cli *cli, const char *path, int *status)
{
    char *text = NULL;
    size_t n = 0;
    int rc;

    if (!path || strcmp(path, "-") == 0)
        return input_stdin(cli, &n, status);
    rc = fs_read(path, LIM_CLI_INPUT, &text, &n);
    if (rc < 0)
        *status = cli_error(cli, EXIT_USAGE, "%s: %s", path, strerror(-rc));
    else if (memchr(text, '\0', n))
        *status = cli_error(cli, EXIT_USAGE, "%s: this is no text", path);
    else if (input_utf8(cli, str_n(text, n), path))
        return text;
    else
        *status = EXIT_USAGE;
    free(text);
    return NULL;
}

static const struct {
    int opt;
    const char *name; /* of the request's member */
} members[] = {{'m', "model"},           {'t', "target_language"},
               {'f', "source_language"}, {'l', "length"},
               {'F', "format"},          {'I', "instructions"},
               {'C', "chunk_tokens"}};

/* An option's value in the request; a number stays one. */
static int take(struct cli *cli, struct text *t, int opt, const char *value)
{
    const char *name = NULL;
    uint64_t n;

    for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++)
        if (members[i].opt == opt)
            name = members[i].name;
    if (!name) {
        t->stream = opt == 'S';
        return EXIT_OK;
    }
    if (!input_utf8(cli, str_c(value), "an option's value"))
        return EXIT_USAGE;
    if (opt == 'C' && str_u64(str_c(value), &n) < 0)
        return cli_usage(cli, "--chunk-tokens: a number of tokens is wanted");
    if ((opt == 'C' || opt == 'l') && str_u64(str_c(value), &n) == 0)
        return js_add_int(t->body, name, n > INT64_MAX ? INT64_MAX : (int64_t)n)
                   ? cli_error(cli, EXIT_FAILED, "out of memory")
                   : EXIT_OK;
    return js_add_str(t->body, name, str_c(value))
               ? cli_error(cli, EXIT_FAILED, "out of memory")
               : EXIT_OK;
}

static int options(struct cli *cli, struct text *t, const char *shorts,
                   const struct option *longs, int argc, char **argv)
{
    int opt, status = EXIT_OK;

    while (!status && (opt = cli_getopt(cli, argc, argv, shorts, longs)) >= 0)
        status = take(cli, t, opt, optarg);
    if (status)
        return status;
    if (opt != -1)
        return opt == OPT_DONE ? OPT_DONE : cli_opt_status(opt);
    if (argc - optind > 1)
        return cli_usage(cli, "one file at most; without it standard input");
    return EXIT_OK;
}

/* --- asking -------------------------------------------------------------- */

static void on_event(struct cli *cli, struct text *t, struct json_object *line)
{
    const char *event = js_cstr(line, "event", "");

    if (strcmp(event, "text") == 0) {
        if (cli->err.tty && !t->started)
            out_c(&cli->err, "\r\033[K");
        out_flush(&cli->err);
        t->started = true;
        out_piece(&cli->out, js_str(line, "text", STR_NONE));
        out_flush(&cli->out);
    } else if (strcmp(event, "progress") == 0 && cli->err.tty && !t->started) {
        int64_t n = js_int(line, "chunks", 0);
        if (n > 1)
            out_f(&cli->err, "\r%s: %lld of %lld parts", t->doing,
                  (long long)js_int(line, "chunks_done", 0), (long long)n);
        out_flush(&cli->err);
    }
}

static int show(struct cli *cli, struct text *t, struct json_object *result)
{
    if (cli->err.tty && !t->started) {
        out_c(&cli->err, "\r\033[K");
        out_flush(&cli->err);
    }
    if (cli->json) {
        cli_print_json(cli, result);
        return EXIT_OK;
    }
    if (t->started)
        out_text_end(&cli->out);
    else
        out_text(&cli->out, js_str(result, "output", STR_NONE));
    out_fresh_line(&cli->out);
    return EXIT_OK;
}

static int ask(struct cli *cli, struct text *t, const char *kind)
{
    struct json_object *args = json_object_new_object(), *line = NULL;
    struct client_error e;
    int rc;

    if (!args || js_add_str(args, "kind", str_c(kind)) ||
        js_add_bool(t->body, "stream", t->stream) ||
        js_add(args, "body", json_object_get(t->body))) {
        json_object_put(args);
        return cli_error(cli, EXIT_FAILED, "out of memory");
    }
    rc = client_send(cli->host.client, "text", js_text(args), &e);
    json_object_put(args);
    if (rc)
        return cli_fail(cli, &e);
    while ((rc = client_next(cli->host.client, &line, &e)) > 0)
        on_event(cli, t, line);
    if (rc == 0)
        return show(cli, t, line);
    if (t->started) {
        out_text_end(&cli->out);
        out_fresh_line(&cli->out);
        out_flush(&cli->out);
    } else if (cli->err.tty) {
        out_c(&cli->err, "\r\033[K");
    }
    return cli_fail(cli, &e);
}

int text_run(struct cli *cli, const char *kind, int argc, char **argv)
{
    static const struct option longs[] = {
        {"model", required_argument, NULL, 'm'},
        {"to", required_argument, NULL, 't'},
        {"from", required_argument, NULL, 'f'},
        {"format", required_argument, NULL, 'F'},
        {"instructions", required_argument, NULL, 'I'},
        {"chunk-tokens", required_argument, NULL, 'C'},
        {"stream", no_argument, NULL, 'S'},
        {"no-stream", no_argument, NULL, 'N'},
        {"length", required_argument, NULL, 'l'},
        {0}};
    bool summary = strcmp(kind, "summary") == 0;
    struct option mine[sizeof(longs) / sizeof(*longs)];
    struct text t = {.doing = summary ? "summarizing" : "translating"};
    char *text = NULL;
    int status;

    memcpy(mine, longs, sizeof(mine));
    if (!summary) /* the last one is a summary's alone */
        mine[sizeof(mine) / sizeof(*mine) - 2] = (struct option){0};
    t.body = json_object_new_object();
    if (!t.body)
        return cli_error(cli, EXIT_FAILED, "out of memory");
    t.stream = cli->out.tty;
    status =
        options(cli, &t, summary ? "m:t:f:l:" : "m:t:f:", mine, argc, argv);
    if (!status && !summary && !js_get(t.body, "target_language"))
        status = cli_usage(cli, "--to is missing: the language to translate "
                                "into");
    t.stream = t.stream && !cli->json;
    if (!status)
        text = read_text(cli, optind < argc ? argv[optind] : NULL, &status);
    if (text && js_add_str(t.body, "input", str_c(text)))
        status = cli_error(cli, EXIT_FAILED, "out of memory");
    free(text);
    if (!status)
        status = cli_open(cli);
    if (!status)
        status = ask(cli, &t, kind);
    json_object_put(t.body);
    return status == OPT_DONE ? EXIT_OK : status;
}
