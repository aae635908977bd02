/* SPDX-License-Identifier: MIT */
/* patchbay replay: recorded exchanges again, through the provider's codec or as
 * an upstream. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/manifests.h"
#include "cli/replay.h"
#include "manager/codec_driver.h"

static const char help[] =
    "Run recorded exchanges through the codec of their provider, without "
    "network, and\nprint the events that come of it, a line of JSON each. "
    "Where a transcript says\nwhat to expect, only differences are shown. With "
    "--serve, be the provider:\nanswer each request with a recorded reply to "
    "one like it.\n\n"
    "  -n, --chunk N     feed N bytes at a time, instead of as recorded\n"
    "      --type TYPE   the provider's type, where a transcript names one of "
    "your\n                    own (an instance) that is not configured here\n"
    "      --serve ADDR  serve on ADDRESS:PORT (port 0: a free one, which is\n"
    "                    printed) until interrupted\n";

enum {
    TRANSCRIPT_MAX_MIB = 128
};

/* --- the codec --- */

/* What transcripts are run with. */
struct codecs {
    struct manifests m;
    struct config *config; /* NULL: out of memory */
};

/* Which module, and with which keys of its own. */
struct target {
    struct module *module;
    const char *config; /* JSON; NULL: none */
};

/* A provider's name is that of one in the configuration, else of a module. */
static struct target find_target(struct codecs *b, const struct replay *r,
                                 const struct transcript *t)
{
    const struct config *c = b->config;
    struct target to = {NULL, NULL};

    if (r->type) {
        to.module = catalogue_find(&b->m.modules, str_c(r->type));
        return to;
    }
    for (size_t i = 0; c && i < c->n_providers && !to.module; i++) {
        const struct cfg_provider *p = &c->providers[i];
        if (!str_is(t->provider, p->name) || !p->manifest)
            continue;
        to.module = catalogue_find(&b->m.modules, str_c(p->manifest->id));
        to.config = p->plugin_config;
    }
    if (!to.module)
        to.module = catalogue_find(&b->m.modules, t->provider);
    return to;
}

/* Line by line; the first that differs is told. */
static bool as_expected(struct cli *cli, const struct replay_file *f,
                        const struct driver_result *got)
{
    const struct transcript *t = f->t;
    size_t n = got->n > t->n_expect ? got->n : t->n_expect;

    for (size_t i = 0; i < n; i++) {
        const char *line = i < got->n ? got->lines[i] : "(nothing)";
        pbay_str want = i < t->n_expect ? t->expect[i] : STR("(nothing)");
        if (str_is(want, line))
            continue;
        cli_error(cli, EXIT_FAILED,
                  "%s: event %zu is\n  %s\nwhere\n  %.*s\n"
                  "is expected",
                  f->path, i + 1, line, STR_ARG(want));
        return false;
    }
    out_textc(&cli->out, f->path);
    out_f(&cli->out, ": ok, %zu events as expected\n", got->n);
    return true;
}

/* Print what happened; an end that is the codec's own failing is ours, too. */
static bool show(struct cli *cli, const struct replay_file *f,
                 const struct driver_result *got)
{
    bool good = true;

    if (f->t->has_expect)
        return as_expected(cli, f, got);
    for (size_t i = 0; i < got->n; i++) {
        pbay_str line = str_c(got->lines[i]);
        out_text(&cli->out, line);
        out_c(&cli->out, "\n");
        if (str_starts(line, "{\"violation\"") ||
            str_starts(line, "{\"end\":\"failed\"") ||
            str_starts(line, "{\"end\":\"nosys\""))
            good = false;
    }
    if (!good)
        cli_error(cli, EXIT_FAILED,
                  "%s: the codec broke a rule, or failed "
                  "without a reason (see above)",
                  f->path);
    return good;
}

static int run_codec(struct cli *cli, const struct replay *r,
                     const struct replay_file *f, const pbay_plugin *plugin,
                     pbay_str config)
{
    struct driver_how how = DRIVER_AS_RECORDED;
    struct driver_result result = {0};
    char err[512] = "out of memory";
    struct driver *d;
    bool good;

    how.piece = r->chunk;
    d = driver_new(plugin, config, err, sizeof(err));
    if (!d)
        return cli_error(cli, EXIT_FAILED, "%s: %s", f->path, err);
    if (driver_replay(d, f->t, &how, &result)) {
        driver_free(d);
        return cli_error(cli, EXIT_FAILED, "out of memory");
    }
    good = show(cli, f, &result);
    driver_result_done(&result);
    driver_free(d);
    return good ? EXIT_OK : EXIT_FAILED;
}

static int replay_one(struct cli *cli, const struct replay *r,
                      const struct replay_file *f, struct codecs *b)
{
    struct target to = find_target(b, r, f->t);
    struct module *mod = to.module;
    pbay_str config = f->t->config;
    struct generation *g;
    int status;

    if (!mod)
        return cli_error(cli, EXIT_REFUSED,
                         "%s: no module and no configured provider is called "
                         "\"%.*s\"; --type names the module",
                         f->path,
                         STR_ARG(r->type ? str_c(r->type) : f->t->provider));
    if (mod->manifest && !mod->manifest->codec)
        return cli_error(cli, EXIT_REFUSED,
                         "%s: \"%s\" is no codec: there are no bytes to run "
                         "through it",
                         f->path, mod->id);
    g = module_load(&b->m.modules, mod);
    if (!g)
        return cli_error(cli, EXIT_FAILED, "%s: %s", mod->path,
                         mod->reason ? mod->reason : "it can't be loaded");
    if (!config.n)
        config = to.config ? str_c(to.config) : STR("{}");
    generation_ref(g);
    status = run_codec(cli, r, f, g->plugin, config);
    generation_unref(&b->m.modules, g);
    return status;
}

/* A configuration with mistakes still names providers; whoever wants to know
 * about the mistakes asks `config check`. */
static int replay_all(struct cli *cli, const struct replay *r)
{
    struct cfg_load_options load = {.file = cli->reach.config};
    struct cfg_issues issues = {0};
    struct codecs b;
    int worst = EXIT_OK, status = manifests_open(cli, &b.m, &load);

    if (status)
        return status;
    b.config = cfg_load(&load, &issues);
    cfg_issues_done(&issues);
    if (b.config)
        loader_set_gen_dir(b.config->gen_dir);
    for (size_t i = 0; i < r->n && !cli->out.error; i++) {
        status = replay_one(cli, r, &r->files[i], &b);
        if (status && !worst)
            worst = status;
    }
    if (b.config)
        cfg_free(b.config);
    manifests_close(&b.m);
    return worst;
}

/* --- files and options --- */

static int read_file(struct cli *cli, struct replay_file *f)
{
    char err[512] = "out of memory";
    char *data;
    size_t n;
    int rc = fs_read(f->path, LIM_MIB(TRANSCRIPT_MAX_MIB), &data, &n);

    if (rc)
        return cli_error(cli, EXIT_FAILED, "%s: %s", f->path, strerror(-rc));
    f->t = transcript_read(str_n(data, n), err, sizeof(err));
    free(data);
    if (!f->t)
        return cli_error(cli, EXIT_REFUSED, "%s: %s", f->path, err);
    return 0;
}

static int replay(struct cli *cli, struct replay *r, char **paths)
{
    int status = EXIT_OK;

    r->files = calloc(r->n, sizeof(*r->files));
    if (!r->files)
        return cli_error(cli, EXIT_FAILED, "out of memory");
    for (size_t i = 0; i < r->n && !status; i++) {
        r->files[i].path = paths[i];
        status = read_file(cli, &r->files[i]);
    }
    if (!status)
        status = r->listen ? replay_serve(cli, r) : replay_all(cli, r);
    for (size_t i = 0; i < r->n; i++)
        transcript_free(r->files[i].t);
    free(r->files);
    return status;
}

static int take_chunk(struct cli *cli, struct replay *r, const char *text)
{
    uint64_t n;

    if (str_u64(str_c(text), &n) || !n || n > LIM_REPLY)
        return cli_usage(cli, "--chunk %s: a number of bytes is wanted", text);
    r->chunk = (size_t)n;
    return 0;
}

static int run(struct cli *cli, int argc, char **argv)
{
    static const struct option longs[] = {
        {"chunk", required_argument, NULL, 'n'},
        {"type", required_argument, NULL, 't'},
        {"serve", required_argument, NULL, 's'},
        {0}};
    struct replay r = {0};
    int opt, status = 0;

    while ((opt = cli_getopt(cli, argc, argv, "n:", longs)) >= 0 && !status) {
        if (opt == 'n')
            status = take_chunk(cli, &r, optarg);
        else if (opt == 't')
            r.type = optarg;
        else
            r.listen = optarg;
    }
    if (status)
        return status;
    if (opt != -1)
        return cli_opt_status(opt);
    if (optind == argc)
        return cli_usage(cli, "which transcripts?");
    if (r.listen && r.type)
        return cli_usage(cli, "--type is for the codec, which --serve leaves "
                              "out");
    r.n = (size_t)(argc - optind);
    return replay(cli, &r, argv + optind);
}

const struct command cmd_replay = {.name = "replay",
                                   .summary = "run recorded exchanges again",
                                   .usage =
                                       "[--chunk N] [--type TYPE] FILE...\n"
                                       "--serve ADDR:PORT [--chunk N] FILE...",
                                   .help = help,
                                   .common = COMMON_CONFIG,
                                   .run = run};
