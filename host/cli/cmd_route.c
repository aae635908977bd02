/* SPDX-License-Identifier: MIT */
/* patchbay route: why a request goes where it goes, and what came of it. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/price.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/input.h"

static const char help[] =
    "  explain    which targets a request for MODEL would have, in their "
    "order, "
    "and\n             why; and which of its route's are left out. MODEL is a "
    "model, an\n             alias or a route; without it that of the "
    "request,\n             or the default route. Nothing is asked\n"
    "  results    what came of each arm and target of ROUTE, or of every "
    "route:"
    "\n             attempts, mean times, tokens and cost since the host "
    "started\n\n"
    "      --task WORD   explain: as with the header x-patchbay-task\n"
    "      --key NAME    explain: as asked with the client's key of that name\n"
    "      --header NAME=VALUE\n                    explain: with that header, "
    "x-patchbay-session say; may be\n                    repeated\n"
    "      --tokens N    explain: a prompt of so many tokens; 1000 without it\n"
    "      --request     explain: standard input is a chat request in OpenAI's "
    "form,\n                    whose model, prompt, tools, pictures and schema "
    "count\n"
    "      --reset       results: forget them after that\n";

static void number(struct out_table *t, long long n)
{
    char text[32];

    snprintf(text, sizeof(text), "%lld", n);
    out_cell(t, text);
}

/* What strategies measure, and how it is called here. */
static const struct {
    const char *name, *head;
} scores[] = {{"cost_nano", "USD"},
              {"pace_ms", "pace ms"},
              {"used_ppm", "used"},
              {"unfit", "unfit"}};

#define SCORES (sizeof(scores) / sizeof(*scores))

static void score(struct out_table *t, struct json_object *p, const char *name)
{
    int64_t v = js_int(p, name, -1);
    char text[32];

    if (v < 0)
        snprintf(text, sizeof(text), "?");
    else if (strcmp(name, "cost_nano") == 0)
        cost_text(v, text);
    else if (strcmp(name, "used_ppm") == 0)
        snprintf(text, sizeof(text), "%lld%%", (long long)v / 10000);
    else
        snprintf(text, sizeof(text), "%lld", (long long)v);
    out_cell(t, text);
}

/* Has the first of them a member of that name?  Then all have. */
static bool have(struct json_object *all, size_t n, const char *name)
{
    return n && js_get(json_object_array_get_idx(all, 0), name);
}

static void print_targets(struct out *o, struct json_object *all,
                          const char *measured)
{
    static const char *const heads[] = {"",       "target", "state",
                                        "for ms", "active", "window"};
    size_t n = all ? json_object_array_length(all) : 0;
    bool arms = have(all, n, "arm"), weights = have(all, n, "weight");
    struct out_table t;
    char name[700];

    out_table_init(&t, 6u + (measured != NULL) + arms + weights);
    for (size_t i = 0; i < 6; i++)
        out_cell(&t, heads[i]);
    if (arms)
        out_cell(&t, "arm");
    if (weights)
        out_cell(&t, "weight");
    for (size_t i = 0; measured && i < SCORES; i++)
        if (strcmp(measured, scores[i].name) == 0)
            out_cell(&t, scores[i].head);
    for (size_t i = 0; i < n; i++) {
        struct json_object *p = json_object_array_get_idx(all, i);
        number(&t, (long long)js_int(p, "place", 0));
        snprintf(name, sizeof(name), "%s/%s", js_cstr(p, "provider", "?"),
                 js_cstr(p, "model", ""));
        out_cell(&t, name);
        out_cell(&t, js_cstr(p, "state", "?"));
        number(&t, (long long)js_int(p, "for_ms", 0));
        number(&t, (long long)js_int(p, "active", 0));
        if (js_int(p, "window", 0))
            number(&t, (long long)js_int(p, "window", 0));
        else
            out_cell(&t, "?");
        if (arms)
            out_cell(&t, js_cstr(p, "arm", "-"));
        if (weights)
            number(&t, (long long)js_int(p, "weight", 0));
        if (measured)
            score(&t, p, measured);
    }
    out_table_print(o, &t);
}

/* What targets lack that the request needs. */
static void print_lacks(struct out *o, struct json_object *all)
{
    size_t n = all ? json_object_array_length(all) : 0;

    for (size_t i = 0; i < n; i++) {
        struct json_object *p = json_object_array_get_idx(all, i);
        struct json_object *lacks = js_typed(p, "lacks", json_type_array);
        size_t m = lacks ? json_object_array_length(lacks) : 0;

        for (size_t k = 0; k < m; k++) {
            out_c(o, k ? ", " : "");
            if (!k) {
                out_textc(o, js_cstr(p, "provider", "?"));
                out_c(o, "/");
                out_textc(o, js_cstr(p, "model", ""));
                out_c(o, " lacks: ");
            }
            out_textc(
                o, json_object_get_string(json_object_array_get_idx(lacks, k)));
        }
        out_c(o, m ? "\n" : "");
    }
}

/* Targets that are too small for the prompt. */
static void print_small(struct out *o, struct json_object *all)
{
    size_t n = all ? json_object_array_length(all) : 0;

    for (size_t i = 0; i < n; i++) {
        struct json_object *p = json_object_array_get_idx(all, i);
        if (!js_get(p, "prompt_tokens"))
            continue;
        out_textc(o, js_cstr(p, "provider", "?"));
        out_c(o, "/");
        out_textc(o, js_cstr(p, "model", ""));
        out_f(o, " is behind: a prompt of %lld tokens exceeds its window\n",
              (long long)js_int(p, "prompt_tokens", 0));
    }
}

/* Targets of whose rate limits too little is left. */
static void print_low(struct out *o, struct json_object *all)
{
    size_t n = all ? json_object_array_length(all) : 0;

    for (size_t i = 0; i < n; i++) {
        struct json_object *p = json_object_array_get_idx(all, i);
        struct json_object *low = js_typed(p, "low", json_type_object);
        if (!low)
            continue;
        out_textc(o, js_cstr(p, "provider", "?"));
        out_c(o, "/");
        out_textc(o, js_cstr(p, "model", ""));
        out_f(o, " is spared for %lld ms: %lld",
              (long long)js_int(p, "for_ms", 0),
              (long long)js_int(low, "left", 0));
        if (js_int(low, "limit", -1) >= 0)
            out_f(o, " of %lld", (long long)js_int(low, "limit", 0));
        out_c(o, " ");
        out_textc(o, js_cstr(low, "of", "?"));
        out_f(o, " were left, %lld are needed\n",
              (long long)js_int(low, "needed", 0));
    }
}

static void print_left_out(struct out *o, struct json_object *all,
                           const char *when)
{
    size_t n = all ? json_object_array_length(all) : 0;

    for (size_t i = 0; i < n; i++) {
        struct json_object *p = json_object_array_get_idx(all, i);
        out_c(o, when);
        out_textc(o, js_cstr(p, "target", "?"));
        out_c(o, ": ");
        out_textc(o, js_cstr(p, "why", "?"));
        out_c(o, "\n");
    }
}

/* Where a prompt goes that does not fit the first target. */
static void print_overflow(struct out *o, struct json_object *overflow)
{
    struct json_object *next = js_typed(overflow, "next", json_type_array);
    size_t n = next ? json_object_array_length(next) : 0;

    if (!overflow)
        return;
    out_c(o, "if the prompt does not fit: ");
    out_c(o, n ? "" : "nobody else");
    for (size_t i = 0; i < n; i++) {
        out_c(o, i ? ", " : "");
        out_textc(o,
                  json_object_get_string(json_object_array_get_idx(next, i)));
    }
    out_c(o, "\n");
    print_left_out(o, js_typed(overflow, "left_out", json_type_array),
                   "  and not ");
}

#define HEADERS_MAX 16
#define DEPTH       100 /* of a request's JSON */

struct about {
    const char *model, *task, *tokens, *key;
    const char *headers[HEADERS_MAX]; /* "name=value" */
    size_t n_headers;
    bool request;
};

/* The model that the request names, unless the command line does.  What is no
 * request the host tells. */
static int add_its_model(struct json_object *args, pbay_str text)
{
    struct json_object *body;
    int rc;

    if (js_parse(text, DEPTH, &body, NULL) < 0)
        return 0;
    rc = js_add_str(args, "model", js_str(body, "model", STR("")));
    json_object_put(body);
    return rc;
}

/* 0, or the exit status. */
static int add_request(struct cli *cli, struct json_object *args,
                       const struct about *a)
{
    int status = EXIT_FAILED;
    size_t n;
    char *text = input_stdin(cli, &n, &status);

    if (!text)
        return status;
    status = js_add_str(args, "body", str_n(text, n)) ||
                     (!*a->model && add_its_model(args, str_n(text, n)))
                 ? cli_error(cli, EXIT_FAILED, "out of memory")
                 : EXIT_OK;
    free(text);
    return status;
}

/* {"x-patchbay-session":"..."}; false: no memory. */
static bool add_headers(struct json_object *args, const struct about *a)
{
    struct json_object *o = a->n_headers ? json_object_new_object() : NULL;

    for (size_t i = 0; o && i < a->n_headers; i++) {
        pbay_str value = str_c(a->headers[i]), name = str_cut(&value, '=');
        char lower[128];
        size_t n = 0;
        for (; n < name.n && n + 1 < sizeof(lower); n++)
            lower[n] = name.p[n] >= 'A' && name.p[n] <= 'Z'
                           ? (char)(name.p[n] + 32)
                           : name.p[n];
        lower[n] = '\0';
        if (js_add_str(o, lower, value))
            return false;
    }
    return !a->n_headers ||
           (o && json_object_object_add(args, "headers", o) == 0);
}

static int add_about(struct cli *cli, struct json_object *args,
                     const struct about *a)
{
    uint64_t n = 0;

    if (a->tokens && (str_u64(str_c(a->tokens), &n) < 0 || n > INT32_MAX))
        return cli_usage(cli, "--tokens: a number is wanted");
    if (js_add_str(args, "model", str_c(a->model)) ||
        (a->task && js_add_str(args, "task", str_c(a->task))) ||
        (a->key && js_add_str(args, "key", str_c(a->key))) ||
        !add_headers(args, a) ||
        (a->tokens && js_add_int(args, "input_tokens", (int64_t)n)))
        return cli_error(cli, EXIT_FAILED, "out of memory");
    return a->request ? add_request(cli, args, a) : EXIT_OK;
}

static void print_explained(struct out *o, struct json_object *r)
{
    out_textc(o, js_cstr(r, "reason", ""));
    if (js_cstr(r, "route", NULL)) {
        out_c(o, ": ");
        out_textc(o, js_cstr(r, "route", ""));
    }
    if (js_cstr(r, "strategy", NULL)) {
        out_c(o, ", ");
        out_textc(o, js_cstr(r, "strategy", ""));
    }
    if (js_cstr(r, "arm", NULL)) {
        out_c(o, ", arm ");
        out_textc(o, js_cstr(r, "arm", ""));
        out_c(o, " by ");
        out_textc(o, js_cstr(r, "split_by", ""));
    }
    if (js_get(r, "complexity"))
        out_f(o, ", complexity %lld of 100",
              (long long)js_int(r, "complexity", 0));
    out_c(o, "\n");
    print_targets(o, js_typed(r, "targets", json_type_array),
                  js_cstr(r, "measured", NULL));
    print_lacks(o, js_typed(r, "targets", json_type_array));
    print_small(o, js_typed(r, "targets", json_type_array));
    print_low(o, js_typed(r, "targets", json_type_array));
    print_left_out(o, js_typed(r, "left_out", json_type_array), "left out: ");
    print_overflow(o, js_typed(r, "overflow", json_type_object));
}

static int explain(struct cli *cli, const struct about *about)
{
    struct json_object *args = json_object_new_object(), *r;
    int status;

    status = args ? add_about(cli, args, about)
                  : cli_error(cli, EXIT_FAILED, "out of memory");
    if (!status)
        status = cli_open(cli);
    if (!status)
        status = cli_ask(cli, "route.explain", js_text(args), &r);
    if (!status && cli->json)
        cli_print_json(cli, r);
    else if (!status)
        print_explained(&cli->out, r);
    json_object_put(args);
    return status;
}

/* --- results ------------------------------------------------------------- */

static void mean(struct out_table *t, struct json_object *row, const char *name)
{
    if (js_get(row, name))
        number(t, (long long)js_int(row, name, 0));
    else
        out_cell(t, "-");
}

/* What a target's failures were. */
static void print_errors(struct out *o, struct json_object *row)
{
    struct json_object *errors = js_typed(row, "errors", json_type_object);
    const char *sep = ": ";

    if (!errors || !json_object_object_length(errors))
        return;
    out_textc(o, js_cstr(row, "route", "?"));
    out_c(o, js_cstr(row, "arm", NULL) ? " " : "");
    out_textc(o, js_cstr(row, "arm", ""));
    out_c(o, ", ");
    out_textc(o, js_cstr(row, "provider", "?"));
    out_c(o, "/");
    out_textc(o, js_cstr(row, "model", ""));
    out_c(o, " failed");
    json_object_object_foreach (errors, name, value) {
        out_c(o, sep);
        out_textc(o, name);
        out_f(o, " %lld", (long long)json_object_get_int64(value));
        sep = ", ";
    }
    out_c(o, "\n");
}

static void print_results(struct out *o, struct json_object *all)
{
    static const char *const heads[] = {"route",  "arm",   "target",   "ok",
                                        "failed", "first", "total ms", "p95",
                                        "tokens", "USD"};
    size_t n = all ? json_object_array_length(all) : 0;
    struct out_table t;
    char text[700];

    out_table_init(&t, 10);
    for (size_t i = 0; i < 10; i++)
        out_cell(&t, heads[i]);
    for (size_t i = 0; i < n; i++) {
        struct json_object *r = json_object_array_get_idx(all, i);
        bool known = js_int(r, "unpriced", 0) == 0 && js_int(r, "ok", 0) > 0;
        out_cell(&t, js_cstr(r, "route", "?"));
        out_cell(&t, js_cstr(r, "arm", "-"));
        snprintf(text, sizeof(text), "%s/%s", js_cstr(r, "provider", "?"),
                 js_cstr(r, "model", ""));
        out_cell(&t, text);
        number(&t, (long long)js_int(r, "ok", 0));
        number(&t, (long long)js_int(r, "failed", 0));
        mean(&t, r, "first_token_ms");
        mean(&t, r, "total_ms");
        mean(&t, r, "total_p95_ms");
        snprintf(text, sizeof(text), "%lld + %lld",
                 (long long)js_int(r, "input_tokens", 0),
                 (long long)js_int(r, "output_tokens", 0));
        out_cell(&t, text);
        if (known)
            cost_text(js_int(r, "cost_nano", 0), text);
        out_cell(&t, known ? text : "unknown");
    }
    out_table_print(o, &t);
    for (size_t i = 0; i < n; i++)
        print_errors(o, json_object_array_get_idx(all, i));
}

static int results(struct cli *cli, const char *route, bool reset)
{
    struct json_object *args = json_object_new_object(), *r;
    int status;

    if (!args || js_add_str(args, "route", str_c(route)) ||
        js_add_bool(args, "reset", reset))
        status = cli_error(cli, EXIT_FAILED, "out of memory");
    else
        status = cli_open_running(cli);
    if (!status)
        status = cli_ask(cli, "route.results", js_text(args), &r);
    if (!status && cli->json)
        cli_print_json(cli, r);
    else if (!status)
        print_results(&cli->out, js_typed(r, "results", json_type_array));
    json_object_put(args);
    return status;
}

/* What may be wrong with the options for explain.  0, or the exit status. */
static int check_about(struct cli *cli, const struct about *a)
{
    if (!input_utf8(cli, str_c(a->model), "the name") ||
        (a->task && !input_utf8(cli, str_c(a->task), "--task")) ||
        (a->key && !input_utf8(cli, str_c(a->key), "--key")))
        return EXIT_USAGE;
    for (size_t i = 0; i < a->n_headers; i++) {
        if (!input_utf8(cli, str_c(a->headers[i]), "--header"))
            return EXIT_USAGE;
        if (!strchr(a->headers[i], '=') || a->headers[i][0] == '=')
            return cli_usage(cli, "--header: NAME=VALUE is wanted");
    }
    return EXIT_OK;
}

static int take_option(struct cli *cli, struct about *a, int opt)
{
    switch (opt) {
    case 't':
        a->task = optarg;
        break;
    case 'n':
        a->tokens = optarg;
        break;
    case 'k':
        a->key = optarg;
        break;
    case 'r':
        a->request = true;
        break;
    case 'H':
        if (a->n_headers == HEADERS_MAX)
            return cli_usage(cli, "--header: %d of them at most", HEADERS_MAX);
        a->headers[a->n_headers++] = optarg;
        break;
    }
    return EXIT_OK;
}

static int run(struct cli *cli, int argc, char **argv)
{
    static const struct option longs[] = {
        {"task", required_argument, NULL, 't'},
        {"tokens", required_argument, NULL, 'n'},
        {"key", required_argument, NULL, 'k'},
        {"header", required_argument, NULL, 'H'},
        {"request", no_argument, NULL, 'r'},
        {"reset", no_argument, NULL, 'f'},
        {0}};
    struct about about = {.model = ""};
    bool reset = false, explains;
    char **operands;
    int opt, n;

    while ((opt = cli_getopt(cli, argc, argv, "", longs)) >= 0) {
        if (opt == 'f')
            reset = true;
        else if (take_option(cli, &about, opt))
            return EXIT_USAGE;
    }
    if (opt != -1)
        return cli_opt_status(opt);
    n = argc - optind;
    operands = argv + optind;
    explains = n && strcmp(operands[0], "explain") == 0;
    if (!explains && (n < 1 || strcmp(operands[0], "results") != 0))
        return cli_usage(cli, "explain [MODEL] or results [ROUTE] is wanted");
    if (n > 2)
        return cli_usage(cli, "%s takes one name at most", operands[0]);
    if (n == 2)
        about.model = operands[1];
    if (check_about(cli, &about))
        return EXIT_USAGE;
    if (explains && reset)
        return cli_usage(cli, "--reset is for results");
    if (!explains && (about.task || about.tokens || about.request ||
                      about.key || about.n_headers))
        return cli_usage(cli, "--task, --key, --header, --tokens and --request "
                              "are for explain");
    return explains ? explain(cli, &about) : results(cli, about.model, reset);
}

const struct command cmd_route = {
    .name = "route",
    .summary = "tell who would answer a request, and who has",
    .usage = "explain [OPTIONS] [MODEL]\nresults [OPTIONS] [ROUTE]",
    .help = help,
    .common = COMMON_ASK,
    .run = run};
