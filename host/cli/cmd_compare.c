/* SPDX-License-Identifier: MIT */
/* patchbay compare: one question to several models, side by side. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/money.h"
#include "cli/op.h"

#define MODELS 16
#define DEPTH  128 /* of what a host says */

static const char help[] =
    "Ask several models the same, at the same time; print each answer when it "
    "is\ncomplete, and at the end times, tokens and cost of all.  What a model "
    "cost is\nshown where it is known.  One that fails harms no other; exit "
    "status 5 if all\nfail.  Without TEXT, standard input.\n\n"
    "  -m, --model NAME  one of the models; at least one, 16 at most\n"
    "  -s, --system TEXT instructions for all of them\n"
    "      --max-tokens N\n                    the longest answer\n"
    "      --at-once N   so many are asked at the same time (8)\n";

struct side {
    const char *models[MODELS];
    size_t n, done, failed;
    const char *system;
    int64_t max_tokens, at_once; /* 0: not said */
    struct buf texts[MODELS];
    struct json_object *ends[MODELS]; /* the last event of each */
    struct buf in;                    /* of the reply: no whole line yet */
    int status;                       /* of the reply */
};

/* --- the request --- */

static struct json_object *message(const char *role, const char *text)
{
    struct json_object *m = json_object_new_object();

    if (m && !js_add_str(m, "role", str_c(role)) &&
        !js_add_str(m, "content", str_c(text)))
        return m;
    json_object_put(m);
    return NULL;
}

static int add_list(struct json_object *list, struct json_object *v)
{
    return list && v && !json_object_array_add(list, v) ? 0 : -ENOMEM;
}

static struct json_object *body_of(const struct side *c, const char *text,
                                   bool stream)
{
    struct json_object *b = json_object_new_object();
    struct json_object *models = json_object_new_array();
    struct json_object *list = json_object_new_array();
    int rc = b && models && list ? 0 : -ENOMEM;

    for (size_t i = 0; i < c->n && !rc; i++)
        rc = add_list(models, json_object_new_string(c->models[i]));
    if (c->system && !rc)
        rc = add_list(list, message("system", c->system));
    rc = rc ? rc : add_list(list, message("user", text));
    rc = rc ? rc : js_add_bool(b, "stream", stream);
    if (c->max_tokens && !rc)
        rc = js_add_int(b, "max_completion_tokens", c->max_tokens);
    if (c->at_once && !rc)
        rc = js_add_int(b, "max_concurrent", c->at_once);
    rc = rc ? rc : js_add(b, "models", json_object_get(models));
    rc = rc ? rc : js_add(b, "messages", json_object_get(list));
    json_object_put(models);
    json_object_put(list);
    if (!rc)
        return b;
    json_object_put(b);
    return NULL;
}

static int send_request(struct cli *cli, const struct side *c, const char *text)
{
    struct json_object *args = json_object_new_object();
    struct json_object *body = body_of(c, text, !cli->json);
    struct client_error e;
    int status = EXIT_OK;

    if (!args || !body || js_add_int(args, "n", 1) ||
        js_add_str(args, "path", STR("/v1/compare")) ||
        js_add(args, "body", json_object_get(body)))
        status = cli_error(cli, EXIT_FAILED, "out of memory");
    else if (client_send(cli->host.client, "http", STR("{}"), &e) ||
             client_send(cli->host.client, "request", js_text(args), &e) ||
             client_send(cli->host.client, "end", STR("{}"), &e))
        status = cli_fail(cli, &e);
    json_object_put(body);
    json_object_put(args);
    return status;
}

/* --- one answer --- */

static void show_numbers(struct out *o, struct json_object *a)
{
    int64_t first = js_int(a, "first_token_ms", -1);
    struct json_object *usage = js_get(a, "usage");
    char cost[64];

    out_f(o, "%.2f s", (double)js_int(a, "total_ms", 0) / 1000);
    if (first >= 0)
        out_f(o, ", first token %.2f s", (double)first / 1000);
    if (usage)
        out_f(o, ", %lld + %lld tokens%s",
              (long long)js_int(usage, "prompt_tokens", 0),
              (long long)js_int(usage, "completion_tokens", 0),
              js_bool(usage, "estimated", false) ? " (estimated)" : "");
    out_f(o, ", cost %s", money_of(js_get(a, "cost"), cost));
}

static void show_answer(struct cli *cli, struct side *c, size_t i)
{
    struct json_object *a = c->ends[i], *error = js_get(a, "error");
    const char *provider = js_cstr(a, "provider", NULL);
    struct out *o = &cli->out;

    out_f(o, "%s=== ", c->done ? "\n" : "");
    out_textc(o, c->models[i]);
    if (provider) {
        out_c(o, "  (");
        out_textc(o, provider);
        out_c(o, "/");
        out_text(o, js_str(a, "model_answered", STR("?")));
        out_c(o, ")");
    }
    out_c(o, "\n");
    if (c->texts[i].n) {
        out_text(o, buf_str(&c->texts[i]));
        out_fresh_line(o);
    }
    if (error) {
        out_c(o, "failed: ");
        out_text(o, js_str(error, "message", STR("?")));
        out_c(o, "\n");
    }
    out_c(o, "--- ");
    show_numbers(o, a);
    out_c(o, "\n");
    out_flush(o);
}

/* --- the reply --- */

static int take_event(struct cli *cli, struct side *c, pbay_str data)
{
    struct json_object *ev = NULL;
    size_t i;
    int rc = 0;

    if (js_parse(data, DEPTH, &ev, NULL) < 0)
        return 0; /* [DONE] */
    i = (size_t)js_int(ev, "index", MODELS);
    if (i < c->n && !strcmp(js_cstr(ev, "type", ""), "text")) {
        rc = buf_add(&c->texts[i], js_str(ev, "text", STR("")));
    } else if (i < c->n && !c->ends[i]) {
        c->ends[i] = json_object_get(ev);
        c->failed += js_get(ev, "error") != NULL;
        show_answer(cli, c, i);
        c->done++;
    }
    json_object_put(ev);
    return rc;
}

/* Lines of an event stream; of anything else, nothing before its end. */
static int take_data(struct cli *cli, struct side *c, pbay_str text)
{
    int rc = buf_add(&c->in, text);
    char *nl;

    while (!rc && !cli->json && c->status == 200 && c->in.n &&
           (nl = memchr(buf_str(&c->in).p, '\n', c->in.n)) != NULL) {
        pbay_str line =
            str_n(buf_str(&c->in).p, (size_t)(nl - buf_str(&c->in).p));
        if (str_starts(line, "data: "))
            rc = take_event(cli, c, str_n(line.p + 6, line.n - 6));
        buf_consume(&c->in, line.n + 1);
    }
    return rc;
}

static int receive(struct cli *cli, struct side *c)
{
    struct json_object *line;
    struct client_error e;
    int rc;

    while ((rc = client_next(cli->host.client, &line, &e)) > 0) {
        const char *event = js_cstr(line, "event", "");
        if (!strcmp(event, "head"))
            c->status = (int)js_int(line, "status", 0);
        if (!strcmp(event, "data") &&
            take_data(cli, c, js_str(line, "text", STR(""))))
            return cli_error(cli, EXIT_FAILED, "the answers are too large");
    }
    return rc < 0 ? cli_fail(cli, &e) : EXIT_OK;
}

static void summary(struct cli *cli, struct side *c)
{
    static const char *const head[] = {"MODEL", "FIRST", "TOTAL", "IN",
                                       "OUT",   "COST",  ""};
    struct out_table t;
    char text[64];

    out_table_init(&t, 7);
    for (size_t k = 0; k < 7; k++)
        out_cell(&t, head[k]);
    for (size_t i = 0; i < c->n; i++) {
        struct json_object *a = c->ends[i], *u = js_get(a, "usage");
        int64_t ms[2] = {js_int(a, "first_token_ms", -1),
                         js_int(a, "total_ms", -1)};
        out_cell(&t, c->models[i]);
        for (int k = 0; k < 2; k++) {
            snprintf(text, sizeof(text), "%lld ms", (long long)ms[k]);
            out_cell(&t, ms[k] < 0 ? "-" : text);
        }
        for (int k = 0; k < 2; k++) {
            snprintf(text, sizeof(text), "%lld",
                     (long long)js_int(
                         u, k ? "completion_tokens" : "prompt_tokens", 0));
            out_cell(&t, u ? text : "-");
        }
        out_cell(&t, money_of(js_get(a, "cost"), text));
        out_cell(&t, !a ? "no answer" : js_get(a, "error") ? "failed" : "");
    }
    out_c(&cli->out, "\n");
    out_table_print(&cli->out, &t);
    out_flush(&cli->out);
}

static int refused(struct cli *cli, struct side *c)
{
    struct json_object *o = NULL;
    int status;

    js_parse(buf_str(&c->in), DEPTH, &o, NULL);
    status = cli_error(cli, EXIT_REFUSED, "%s",
                       js_cstr(js_get(o, "error"), "message",
                               "the host did not take the request"));
    json_object_put(o);
    return status;
}

static int print_all(struct cli *cli, struct side *c)
{
    struct json_object *o = NULL, *list;
    size_t n;

    if (js_parse(buf_str(&c->in), DEPTH, &o, NULL) < 0)
        return cli_error(cli, EXIT_FAILED, "the host's reply is no JSON");
    cli_print_json(cli, o);
    list = js_typed(o, "results", json_type_array);
    n = list ? json_object_array_length(list) : 0;
    for (size_t i = 0; i < n; i++)
        c->failed +=
            js_get(json_object_array_get_idx(list, i), "error") != NULL;
    json_object_put(o);
    return EXIT_OK;
}

static int compare(struct cli *cli, struct side *c, const char *text)
{
    int status = cli_open(cli);

    status = status ? status : send_request(cli, c, text);
    status = status ? status : receive(cli, c);
    if (status)
        return status;
    if (c->status != 200)
        return refused(cli, c);
    if (cli->json)
        status = print_all(cli, c);
    else
        summary(cli, c);
    return status || c->failed < c->n ? status : EXIT_PROVIDER;
}

/* --- the command --- */

static int number(struct cli *cli, const char *name, const char *text,
                  int64_t max, int64_t *out)
{
    uint64_t n;

    if (str_u64(str_c(text), &n) || !n || n > (uint64_t)max)
        return cli_usage(cli, "--%s %s: a number of 1 to %lld is wanted", name,
                         text, (long long)max);
    *out = (int64_t)n;
    return EXIT_OK;
}

static int take_option(struct cli *cli, struct side *c, int opt)
{
    switch (opt) {
    case 'm':
        if (c->n == MODELS)
            return cli_usage(cli, "more than %d models", MODELS);
        c->models[c->n++] = optarg;
        return input_utf8(cli, str_c(optarg), "--model") ? EXIT_OK : EXIT_USAGE;
    case 's':
        c->system = optarg;
        return input_utf8(cli, str_c(optarg), "--system") ? EXIT_OK
                                                          : EXIT_USAGE;
    case 't':
        return number(cli, "max-tokens", optarg, 1 << 30, &c->max_tokens);
    default:
        return number(cli, "at-once", optarg, MODELS, &c->at_once);
    }
}

static int run(struct cli *cli, int argc, char **argv)
{
    static const struct option longs[] = {
        {"model", required_argument, NULL, 'm'},
        {"system", required_argument, NULL, 's'},
        {"max-tokens", required_argument, NULL, 't'},
        {"at-once", required_argument, NULL, 'a'},
        {0}};
    struct side c = {.n = 0};
    int opt, status = EXIT_OK;
    char *text;

    while (!status && (opt = cli_getopt(cli, argc, argv, "m:s:", longs)) >= 0)
        status = take_option(cli, &c, opt);
    if (status)
        return status;
    if (opt != -1)
        return cli_opt_status(opt);
    if (!c.n)
        return cli_usage(cli, "--model is wanted, once for each model");
    text = op_text(cli, argc - optind, argv + optind, &status);
    if (!text)
        return status;
    buf_init(&c.in, LIM_CLI_ANSWER);
    for (size_t i = 0; i < c.n; i++)
        buf_init(&c.texts[i], LIM_CLI_ANSWER);
    status = compare(cli, &c, text);
    for (size_t i = 0; i < c.n; i++) {
        buf_done(&c.texts[i]);
        json_object_put(c.ends[i]);
    }
    buf_done(&c.in);
    free(text);
    return status;
}

const struct command cmd_compare = {
    .name = "compare",
    .summary = "ask several models the same, side by side",
    .usage = "--model NAME --model NAME... [OPTIONS] [TEXT...]",
    .help = help,
    .common = COMMON_ASK,
    .run = run};
