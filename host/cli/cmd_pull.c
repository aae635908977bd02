/* SPDX-License-Identifier: MIT */
/* patchbay pull: get a model, and show how far it is. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/op.h"

static const char help[] =
    "Make a provider that keeps models itself (Ollama, say) fetch one. MODEL "
    "is\nprovider/model, or a model's name where only one provider can pull. "
    "On a\nterminal a bar shows how far it is, elsewhere a line each step. "
    "With --json\neach step is a line of JSON.\n\n"
    "  -p, --provider NAME\n                    the provider that is to pull\n";

enum {
    BAR = 24,
    WIDTH = 78
};

struct pull {
    char status[160]; /* the last one told */
    int permille;     /* of the bar that stands there; -1: none */
    size_t width;     /* of what stands on the line */
};

/* The line anew, over what stood there. */
static void draw(struct out *o, struct pull *p, const char *bar, pbay_str text)
{
    char pad[WIDTH + 2];
    size_t used = text.n + strlen(bar);
    size_t more = used < p->width ? p->width - used : 0;

    out_c(o, "\r");
    out_text(o, text);
    more = more < sizeof(pad) - 1 ? more : sizeof(pad) - 1;
    memset(pad, ' ', more);
    out_raw(o, str_n(pad, more));
    out_c(o, bar);
    p->width = used;
    out_flush(o);
}

static void draw_step(struct cli *cli, struct pull *p, int64_t done,
                      int64_t total)
{
    int permille = total > 0 && done >= 0 && done <= total
                       ? (int)((double)done / (double)total * 1000)
                       : -1;
    char bar[128] = "", cells[BAR + 1], a[32], b[32];

    if (permille == p->permille)
        return;
    p->permille = permille;
    if (permille >= 0) {
        for (int i = 0; i < BAR; i++)
            cells[i] = i < permille * BAR / 1000 ? '#' : '.';
        cells[BAR] = '\0';
        snprintf(bar, sizeof(bar), " [%s] %3d%% %s of %s", cells, permille / 10,
                 op_size(done, a), op_size(total, b));
    }
    draw(&cli->err, p, bar, str_head(str_c(p->status), 24));
}

static int on_item(struct cli *cli, void *arg, struct json_object *item)
{
    struct pull *p = arg;
    const char *status = js_cstr(item, "status", "");
    bool other = strncmp(status, p->status, sizeof(p->status) - 1) != 0;

    if (cli->json) {
        out_raw(&cli->out, js_text(item));
        out_c(&cli->out, "\n");
        out_flush(&cli->out);
        return 0;
    }
    if (other) {
        snprintf(p->status, sizeof(p->status), "%s", status);
        p->permille = -2;
        if (cli->err.tty && p->width)
            out_c(&cli->err, "\n");
        p->width = 0;
    }
    if (cli->err.tty) {
        draw_step(cli, p, js_int(item, "completed", -1),
                  js_int(item, "total", 0));
    } else if (other) {
        out_textc(&cli->err, status);
        out_c(&cli->err, "\n");
        out_flush(&cli->err);
    }
    return 0;
}

static int pull(struct cli *cli, const char *provider, const char *model)
{
    struct pull p = {.permille = -2};
    struct op_ask o = {
        .op = "pull", .provider = provider, .item = on_item, .arg = &p};
    int status = cli_open(cli);

    if (status)
        return status;
    o.body = op_model_body(cli, model);
    if (!o.body)
        return EXIT_FAILED;
    status = op_run(cli, &o);
    if (cli->err.tty && p.width) {
        out_c(&cli->err, "\n");
        out_flush(&cli->err);
    }
    json_object_put(o.body);
    op_done(&o);
    return status;
}

static int run(struct cli *cli, int argc, char **argv)
{
    static const struct option longs[] = {
        {"provider", required_argument, NULL, 'p'}, {0}};
    const char *provider = NULL;
    int opt;

    while ((opt = cli_getopt(cli, argc, argv, "p:", longs)) >= 0)
        provider = optarg;
    if (opt != -1)
        return cli_opt_status(opt);
    if (argc - optind != 1)
        return cli_usage(cli, "the name of one model is wanted");
    if ((provider && !input_utf8(cli, str_c(provider), "--provider")) ||
        !input_utf8(cli, str_c(argv[optind]), "the model's name"))
        return EXIT_USAGE;
    return pull(cli, provider, argv[optind]);
}

const struct command cmd_pull = {.name = "pull",
                                 .summary = "make a provider fetch a model",
                                 .usage = "[OPTIONS] MODEL",
                                 .help = help,
                                 .common = COMMON_ASK,
                                 .run = run};
