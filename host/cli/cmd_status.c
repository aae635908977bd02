/* SPDX-License-Identifier: MIT */
/* patchbay status: how the running host is. */
#include "config.h"

#include <stdio.h>
#include <time.h>

#include "base/price.h"
#include "base/str.h"
#include "cli/commands.h"

static const char help[] =
    "Show how the running host is: where it listens, what is under way, and "
    "for each\nprovider how many calls it has had and how they ended. Targets "
    "that have failed\nfollow: how they are, and the last changes of that; then\nwhat is left of "
    "providers' rate limits.\n\n";

static void print_host(struct out *o, struct json_object *version,
                       struct json_object *s)
{
    struct json_object *listeners = js_typed(s, "listeners", json_type_array);
    size_t n = listeners ? json_object_array_length(listeners) : 0;

    out_c(o, "patchbay ");
    out_text(o, js_str(version, "version", STR("?")));
    out_f(o, ", process %lld, up %lld s%s\n",
          (long long)js_int(version, "pid", 0),
          (long long)js_int(version, "uptime_ms", 0) / 1000,
          js_bool(s, "draining", false) ? ", draining" : "");
    out_c(o, "configuration  ");
    out_text(o, js_str(version, "config_file", STR("(environment)")));
    for (size_t i = 0; i < n; i++) {
        out_c(o, "\nlistening on   ");
        out_textc(
            o, json_object_get_string(json_object_array_get_idx(listeners, i)));
    }
    out_f(o, "\nconnections    %lld on %lld loops\n",
          (long long)js_int(s, "connections", 0),
          (long long)js_int(s, "loops", 0));
    out_f(o, "calls          %lld under way", (long long)js_int(s, "calls", 0));
    if (js_int(s, "waiting", 0))
        out_f(o, ", %lld of them wait for a limit",
              (long long)js_int(s, "waiting", 0));
    out_c(o, "\n");
    if (js_int(s, "log_dropped", 0))
        out_f(o, "log            %lld lines dropped\n",
              (long long)js_int(s, "log_dropped", 0));
}

static void number(struct out_table *t, struct json_object *p, const char *name)
{
    char text[32];

    snprintf(text, sizeof(text), "%lld", (long long)js_int(p, name, 0));
    out_cell(t, text);
}

/* What is known of it: "0.0125", with " + ?" if some answers have no price. */
static void cost(struct out_table *t, struct json_object *p)
{
    int64_t nano = js_int(p, "cost_nano", 0), more = js_int(p, "unpriced", 0);
    char amount[32], text[64];

    snprintf(text, sizeof(text), "%s%s",
             more && !nano ? "?" : cost_text(nano, amount),
             more && nano ? " + ?" : "");
    out_cell(t, text);
}

static void print_providers(struct out *o, struct json_object *all)
{
    static const char *const heads[] = {"provider",   "active",    "ok",
                                        "failed",     "cancelled", "tokens in",
                                        "tokens out", "USD"};
    static const char *const names[] = {
        "active", "ok", "failed", "cancelled", "input_tokens", "output_tokens"};
    size_t n = all ? json_object_array_length(all) : 0;
    struct out_table t;

    if (!n)
        return;
    out_table_init(&t, 8);
    for (size_t i = 0; i < 8; i++)
        out_cell(&t, heads[i]);
    for (size_t i = 0; i < n; i++) {
        struct json_object *p = json_object_array_get_idx(all, i);
        out_cell(&t, js_cstr(p, "name", "?"));
        for (size_t k = 0; k < 6; k++)
            number(&t, p, names[k]);
        cost(&t, p);
    }
    out_c(o, "\n");
    out_table_print(o, &t);
}

/* How long ago: "3 s", "12 min", "5 h". */
static void put_ago(char *to, size_t room, int64_t ms)
{
    int64_t s = ms > 0 ? ms / 1000 : 0;

    if (s < 120)
        snprintf(to, room, "%lld s", (long long)s);
    else if (s < 7200)
        snprintf(to, room, "%lld min", (long long)s / 60);
    else
        snprintf(to, room, "%lld h", (long long)s / 3600);
}

/* How targets came to be as they are, line by line, the newest first. */
static void print_changes(struct out *o, struct json_object *all)
{
    int64_t now = (int64_t)time(NULL) * 1000;
    bool any = false;

    for (size_t i = 0; all && i < json_object_array_length(all); i++) {
        struct json_object *p = json_object_array_get_idx(all, i);
        struct json_object *v = js_typed(p, "changes", json_type_array);
        size_t n = v ? json_object_array_length(v) : 0;
        const char *model = js_cstr(p, "model", "");

        if (!n)
            continue;
        out_c(o, any ? "" : "\nwhat became of them, the newest first\n");
        any = true;
        out_textc(o, js_cstr(p, "provider", "?"));
        out_c(o, *model ? "/" : "");
        out_textc(o, model);
        for (size_t k = 0; k < n; k++) {
            struct json_object *c = json_object_array_get_idx(v, k);
            const char *why = js_cstr(c, "why", "");
            char ago[32];

            put_ago(ago, sizeof(ago), now - js_int(c, "at_ms", now));
            out_c(o, k ? ", " : ": ");
            out_textc(o, js_cstr(c, "state", "?"));
            if (js_int(c, "for_ms", 0))
                out_f(o, " for %lld ms", (long long)js_int(c, "for_ms", 0));
            out_f(o, " %s ago%s", ago, *why ? " by " : "");
            out_textc(o, why);
        }
        out_c(o, "\n");
    }
}

/* Those that failed; a provider's own row, without a model, is of what concerns
 * all of them. */
static void print_targets(struct out *o, struct json_object *all)
{
    static const char *const heads[] = {"target",      "state",  "for ms",
                                        "in a row",    "failed", "of",
                                        "last failure"};
    size_t n = all ? json_object_array_length(all) : 0;
    struct out_table t;
    char name[512];

    if (!n)
        return;
    out_table_init(&t, 7);
    for (size_t i = 0; i < 7; i++)
        out_cell(&t, heads[i]);
    for (size_t i = 0; i < n; i++) {
        struct json_object *p = json_object_array_get_idx(all, i);
        const char *model = js_cstr(p, "model", "");
        snprintf(name, sizeof(name), "%s%s%s", js_cstr(p, "provider", "?"),
                 *model ? "/" : "", model);
        out_cell(&t, name);
        out_cell(&t, js_cstr(p, "state", "?"));
        number(&t, p, "for_ms");
        number(&t, p, "failures");
        number(&t, p, "failed");
        number(&t, p, "of");
        out_cell(&t, js_cstr(p, "last", ""));
    }
    out_c(o, "\n");
    out_table_print(o, &t);
}

/* What providers say is left of their rate limits. */
static void print_left(struct out *o, struct json_object *all)
{
    static const char *const heads[] = {"rate limits", "of", "left", "limit",
                                        "reset in ms"};
    static const char *const kinds[] = {"requests", "tokens", "input_tokens",
                                        "output_tokens"};
    size_t n = all ? json_object_array_length(all) : 0;
    struct out_table t;
    char name[700];

    if (!n)
        return;
    out_table_init(&t, 5);
    for (size_t i = 0; i < 5; i++)
        out_cell(&t, heads[i]);
    for (size_t i = 0; i < n * 4; i++) {
        struct json_object *p = json_object_array_get_idx(all, i / 4);
        struct json_object *k = js_typed(p, kinds[i % 4], json_type_object);
        if (!k)
            continue;
        snprintf(name, sizeof(name), "%s/%s", js_cstr(p, "provider", "?"),
                 js_cstr(p, "model", ""));
        out_cell(&t, name);
        out_cell(&t, kinds[i % 4]);
        number(&t, k, "left");
        if (js_get(k, "limit"))
            number(&t, k, "limit");
        else
            out_cell(&t, "?");
        number(&t, k, "reset_ms");
    }
    out_c(o, "\n");
    out_table_print(o, &t);
}

/* What is said of one beside its numbers. */
static const char *told(struct json_object *p, char *to, size_t room)
{
    const char *line = js_cstr(p, "line", ""), *why = js_cstr(p, "reason", "");
    int64_t retry = js_int(p, "retry_ms", 0);

    if (retry)
        snprintf(to, room, "again in %lld ms: %s", (long long)retry, why);
    else
        snprintf(to, room, "%s", *line ? line : why);
    return to;
}

/* The processes that run for providers. */
static void print_backends(struct out *o, struct json_object *all)
{
    static const char *const heads[] = {"process", "state",  "pid", "calls",
                                        "waiting", "for ms", "says"};
    size_t n = all ? json_object_array_length(all) : 0;
    struct out_table t;
    char text[512];

    if (!n)
        return;
    out_table_init(&t, 7);
    for (size_t i = 0; i < 7; i++)
        out_cell(&t, heads[i]);
    for (size_t i = 0; i < n; i++) {
        struct json_object *p = json_object_array_get_idx(all, i);
        snprintf(text, sizeof(text), "%s/%s", js_cstr(p, "provider", "?"),
                 js_cstr(p, "name", "?"));
        out_cell(&t, text);
        out_cell(&t, js_cstr(p, "state", "?"));
        number(&t, p, "pid");
        number(&t, p, "calls");
        number(&t, p, "waiting");
        number(&t, p, "for_ms");
        out_cell(&t, told(p, text, sizeof(text)));
    }
    out_c(o, "\n");
    out_table_print(o, &t);
}

static int both_json(struct cli *cli, struct json_object *version,
                     struct json_object *s)
{
    json_object_object_foreach (version, name, value) {
        if (js_add(s, name, json_object_get(value)))
            return cli_error(cli, EXIT_FAILED, "out of memory");
    }
    cli_print_json(cli, s);
    return EXIT_OK;
}

static int run(struct cli *cli, int argc, char **argv)
{
    int opt = cli_no_options(cli, argc, argv), status;
    struct json_object *version = NULL, *s;

    if (opt)
        return cli_opt_status(opt);
    if (optind < argc)
        return cli_usage(cli, "unexpected operand %s", argv[optind]);
    status = cli_open_running(cli);
    if (!status)
        status = cli_ask(cli, "version", STR("{}"), &version);
    if (status)
        return status;
    version = json_object_get(version); /* the next answer replaces it */
    status = cli_ask(cli, "status", STR("{}"), &s);
    if (!status && cli->json) {
        status = both_json(cli, version, s);
    } else if (!status) {
        print_host(&cli->out, version, s);
        print_providers(&cli->out, js_typed(s, "providers", json_type_array));
        print_backends(&cli->out, js_typed(s, "backends", json_type_array));
        print_targets(&cli->out, js_typed(s, "targets", json_type_array));
        print_changes(&cli->out, js_typed(s, "targets", json_type_array));
        print_left(&cli->out, js_typed(s, "rate_limits", json_type_array));
    }
    json_object_put(version);
    return status;
}

const struct command cmd_status = {.name = "status",
                                   .summary = "show how the running host is",
                                   .usage = "[OPTIONS]",
                                   .help = help,
                                   .common = COMMON_RUNNING,
                                   .run = run};
