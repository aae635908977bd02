/* SPDX-License-Identifier: MIT */
/* patchbay batch: many requests from a file. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "cli/batch.h"
#include "cli/commands.h"
#include "cli/money.h"

static const char help[] =
    "Send the requests in a file of JSON lines, so many at once, and write a "
    "line for\neach as it is answered.  Run again, after a crash too, it asks "
    "only what has no\nresult yet.  A line of FILE:\n\n"
    "  "
    "{\"custom_id\":\"a\",\"method\":\"POST\",\"url\":\"/v1/chat/completions\","
    "\"body\":{..}}\n\n"
    "The url (that one if it is left out) is any of the HTTP API's for POST.  "
    "Exit\nstatus 5 if a request failed.\n\n"
    "  -o, --output FILE where the results go; wanted\n"
    "  -j, --at-once N   so many are under way (4; 64 at most)\n"
    "      --retries N   how often one is sent again that may work later (2)\n"
    "      --retry-failed\n                    ask again what failed in an "
    "earlier run\n"
    "      --sync        write each result through to the disk, not once a "
    "second\n";

static struct json_object *sums_json(const struct batch *b)
{
    struct json_object *o = json_object_new_object();
    int rc = o ? 0 : -1;

    rc = rc ? rc : js_add_int(o, "requests", (int64_t)b->n);
    rc = rc ? rc : js_add_int(o, "answered", (int64_t)(b->done - b->failed));
    rc = rc ? rc : js_add_int(o, "failed", (int64_t)b->failed);
    rc = rc ? rc : js_add_int(o, "earlier", (int64_t)b->before);
    rc = rc ? rc : js_add_int(o, "left", (int64_t)(b->n - b->done));
    rc = rc ? rc : js_add_int(o, "input_tokens", (int64_t)b->sums.input);
    rc = rc ? rc : js_add_int(o, "output_tokens", (int64_t)b->sums.output);
    rc = rc ? rc : js_add_int(o, "unpriced", (int64_t)b->sums.unpriced);
    if (!rc && b->sums.currency[0])
        rc = js_add_int(o, "cost_nano", b->sums.nano) |
             js_add_str(o, "currency", str_c(b->sums.currency));
    if (!rc)
        return o;
    json_object_put(o);
    return NULL;
}

/* Of all runs that wrote to this file. */
static void summary(struct cli *cli, const struct batch *b)
{
    struct out *o = &cli->err;
    struct json_object *sums;
    char cost[64];

    if (cli->json) {
        sums = sums_json(b);
        if (sums)
            cli_print_json(cli, sums);
        json_object_put(sums);
        return;
    }
    out_f(o, "%zu requests: %zu answered, %zu failed", b->n,
          b->done - b->failed, b->failed);
    if (b->before)
        out_f(o, " (%zu by an earlier run)", b->before);
    if (b->n > b->done)
        out_f(o, ", %zu not asked or not answered", b->n - b->done);
    out_f(o, "\n%llu tokens in, %llu out; cost ",
          (unsigned long long)b->sums.input,
          (unsigned long long)b->sums.output);
    if (b->sums.currency[0])
        out_c(o, money_text(b->sums.nano, b->sums.currency, cost));
    if (b->sums.unpriced)
        out_f(o, "%sunknown for %zu", b->sums.currency[0] ? ", " : "",
              b->sums.unpriced);
    else if (!b->sums.currency[0])
        out_c(o, "0");
    out_c(o, "\n");
    out_flush(o);
}

static int batch(struct cli *cli, struct batch *b,
                 const struct batch_options *o)
{
    int status = batch_open(cli, b);

    if (!status && b->done < b->n)
        status = cli_open(cli);
    else if (status)
        return status;
    if (!status && b->done < b->n)
        status = batch_run(cli, b, o);
    if (b->n > b->done)
        cli_warn(cli, "not all has a result; run it again to go on");
    summary(cli, b);
    return status || !b->failed ? status : EXIT_PROVIDER;
}

static int number(struct cli *cli, const char *name, uint64_t min, uint64_t max,
                  int64_t *out)
{
    uint64_t n;

    if (str_u64(str_c(optarg), &n) || n < min || n > max)
        return cli_usage(cli, "--%s %s: a number of %llu to %llu is wanted",
                         name, optarg, (unsigned long long)min,
                         (unsigned long long)max);
    *out = (int64_t)n;
    return EXIT_OK;
}

static int run(struct cli *cli, int argc, char **argv)
{
    static const struct option longs[] = {
        {"output", required_argument, NULL, 'o'},
        {"at-once", required_argument, NULL, 'j'},
        {"retries", required_argument, NULL, 'r'},
        {"retry-failed", no_argument, NULL, 'f'},
        {"sync", no_argument, NULL, 's'},
        {0}};
    struct batch b = {.in = -1, .out = -1};
    struct batch_options o = {.at_once = 4, .retries = 2};
    int opt, status = EXIT_OK;

    while (!status && (opt = cli_getopt(cli, argc, argv, "o:j:", longs)) >= 0) {
        if (opt == 'o')
            b.out_path = optarg;
        else if (opt == 'j')
            status = number(cli, "at-once", 1, 64, &o.at_once);
        else if (opt == 'r')
            status = number(cli, "retries", 0, 100, &o.retries);
        else if (opt == 'f')
            b.retry_failed = true;
        else
            b.sync = true;
    }
    if (status)
        return status;
    if (opt != -1)
        return cli_opt_status(opt);
    if (argc - optind != 2 || strcmp(argv[optind], "run"))
        return cli_usage(cli, "run and one file are wanted");
    if (!b.out_path)
        return cli_usage(cli, "--output is wanted");
    b.in_path = argv[optind + 1];
    status = batch(cli, &b, &o);
    batch_close(&b);
    return status;
}

const struct command cmd_batch = {
    .name = "batch",
    .summary = "send the requests in a file, many at once",
    .usage = "run --output FILE [OPTIONS] FILE",
    .help = help,
    .common = COMMON_ASK,
    .run = run};
