/* SPDX-License-Identifier: MIT */
/* patchbay provider: the providers that are set up. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/input.h"

static const char help[] =
    "  list       name, type, state and address of each provider\n"
    "  info NAME  all that is known of one\n"
    "  test NAME  make the cheapest call that proves address and key\n"
    "  reset NAME  forget the failures that keep requests from it\n"
    "  drain NAME  send nothing new there; what is under way ends in peace\n"
    "  disable NAME  the same, and look after it no more\n"
    "  enable NAME  take it back\n\n";

static struct json_object *providers_of(struct json_object *result)
{
    return js_typed(result, "providers", json_type_array);
}

static const char *cell(struct json_object *p, const char *name)
{
    const char *s = js_cstr(p, name, "");

    return *s ? s : "-";
}

/* --- list --- */

/* "one, alias, alias" */
static void put_names(struct out_table *t, struct json_object *p)
{
    struct json_object *more = js_typed(p, "aliases", json_type_array);
    size_t n = more ? json_object_array_length(more) : 0;
    struct buf b;

    buf_init(&b, LIM_KIB(64));
    buf_addc(&b, cell(p, "name"));
    for (size_t i = 0; i < n; i++) {
        buf_addc(&b, ", ");
        buf_addc(&b,
                 json_object_get_string(json_object_array_get_idx(more, i)));
    }
    out_cell(t,
             buf_add(&b, str_n("", 1)) == 0 ? buf_str(&b).p : cell(p, "name"));
    buf_done(&b);
}

static int list(struct cli *cli, struct json_object *result)
{
    struct json_object *all = providers_of(result);
    size_t n = all ? json_object_array_length(all) : 0;
    struct out_table t;

    if (cli->json) {
        cli_print_json(cli, result);
        return EXIT_OK;
    }
    out_table_init(&t, 5);
    for (size_t i = 0; i < n; i++) {
        struct json_object *p = json_object_array_get_idx(all, i);
        put_names(&t, p);
        out_cell(&t, cell(p, "type"));
        out_cell(&t, cell(p, "state"));
        out_cell(&t, cell(p, "base_url"));
        out_cell(&t, js_cstr(p, "reason", ""));
    }
    out_table_print(&cli->out, &t);
    return EXIT_OK;
}

/* --- info --- */

static void print_value(struct out *o, struct json_object *v)
{
    if (!json_object_is_type(v, json_type_array)) {
        out_textc(o, v ? json_object_get_string(v) : "-");
        return;
    }
    for (size_t i = 0; i < json_object_array_length(v); i++) {
        out_c(o, i ? ", " : "");
        out_textc(o, json_object_get_string(json_object_array_get_idx(v, i)));
    }
}

static void print_info(struct out *o, struct json_object *p)
{
    static const char *const names[] = {
        "name",   "aliases",  "type",   "state", "reason",        "check",
        "module", "base_url", "key",    "local", "default_model", "models",
        "weight", "ops",      "source", NULL};

    for (const char *const *n = names; *n; n++) {
        struct json_object *v = js_get(p, *n);
        if (!v ||
            (json_object_is_type(v, json_type_string) &&
             !json_object_get_string_len(v)) ||
            (json_object_is_type(v, json_type_array) && *n == names[1] &&
             !json_object_array_length(v)))
            continue;
        out_f(o, "%-14s", *n);
        print_value(o, v);
        out_c(o, "\n");
    }
}

static struct json_object *find(struct json_object *all, const char *name)
{
    size_t n = all ? json_object_array_length(all) : 0;

    for (size_t i = 0; i < n; i++) {
        struct json_object *p = json_object_array_get_idx(all, i);
        struct json_object *more = js_typed(p, "aliases", json_type_array);
        if (str_is(js_str(p, "name", STR("")), name))
            return p;
        for (size_t k = 0; more && k < json_object_array_length(more); k++)
            if (strcmp(
                    json_object_get_string(json_object_array_get_idx(more, k)),
                    name) == 0)
                return p;
    }
    return NULL;
}

static int no_provider(struct cli *cli, struct json_object *all,
                       const char *name)
{
    const char *names[257] = {NULL};
    size_t n = all ? json_object_array_length(all) : 0;
    const char *near;

    for (size_t i = 0; i < n && i < 256; i++)
        names[i] = js_cstr(json_object_array_get_idx(all, i), "name", "");
    near = cli_nearest(name, names);
    return cli_error(cli, EXIT_REFUSED, "no provider \"%s\"; %s%s%s", name,
                     near ? "did you mean \"" : "see `patchbay provider list`",
                     near ? near : "", near ? "\"?" : "");
}

static int info(struct cli *cli, struct json_object *result, const char *name)
{
    struct json_object *p = find(providers_of(result), name);

    if (!p)
        return no_provider(cli, providers_of(result), name);
    if (cli->json)
        cli_print_json(cli, p);
    else
        print_info(&cli->out, p);
    return EXIT_OK;
}

static int list_or_info(struct cli *cli, const char *name)
{
    struct json_object *result;
    int status = cli_open(cli);

    if (!status)
        status = cli_ask(cli, "providers", STR("{}"), &result);
    if (status)
        return status;
    return name ? info(cli, result, name) : list(cli, result);
}

/* --- test --- */

/* The detail, without the name that stands before it already. */
static const char *detail_of(struct json_object *result, const char *name)
{
    const char *s = js_cstr(result, "detail", "");
    size_t n = strlen(name);

    return !strncmp(s, name, n) && !strncmp(s + n, ": ", 2) ? s + n + 2 : s;
}

static int tell_test(struct cli *cli, struct json_object *result,
                     const char *name)
{
    bool ok = js_bool(result, "ok", false);
    const char *mend = exit_mend(js_cstr(result, "kind", ""));

    if (cli->json) {
        cli_print_json(cli, result);
    } else {
        out_textc(&cli->out, name);
        out_f(&cli->out, ": %s", ok ? "ok" : "failed");
        if (*js_cstr(result, "detail", "")) {
            out_c(&cli->out, ", ");
            out_textc(&cli->out, detail_of(result, name));
        }
        out_f(&cli->out, " (%lld ms)\n", (long long)js_int(result, "ms", 0));
        if (!ok && mend)
            out_f(&cli->out, "    %s\n", mend);
    }
    if (ok)
        return EXIT_OK;
    return js_get(result, "kind") ? exit_for_kind(js_cstr(result, "kind", ""))
                                  : EXIT_PROVIDER;
}

static int test(struct cli *cli, const char *name)
{
    struct json_object *args = json_object_new_object();
    struct json_object *result;
    int status;

    if (!args || js_add_str(args, "name", str_c(name)))
        status = cli_error(cli, EXIT_FAILED, "out of memory");
    else
        status = cli_open(cli);
    if (!status)
        status = cli_ask(cli, "provider.test", js_text(args), &result);
    if (!status)
        status = tell_test(cli, result, name);
    json_object_put(args);
    return status;
}

/* --- reset, drain, disable, enable --- */

static int set(struct cli *cli, const char *what, const char *name)
{
    struct json_object *args = json_object_new_object(), *result;
    char verb[32];
    int status;

    snprintf(verb, sizeof(verb), "provider.%s", what);

    if (!args || js_add_str(args, "name", str_c(name)))
        status = cli_error(cli, EXIT_FAILED, "out of memory");
    else
        status = cli_open_running(cli);
    if (!status)
        status = cli_ask(cli, verb, js_text(args), &result);
    if (!status && cli->json) {
        cli_print_json(cli, result);
    } else if (!status && js_get(result, "state")) {
        out_textc(&cli->out, name);
        out_c(&cli->out, ": ");
        out_textc(&cli->out, js_cstr(result, "state", ""));
        out_c(&cli->out, "\n");
    }
    json_object_put(args);
    return status;
}

static int run(struct cli *cli, int argc, char **argv)
{
    static const char *const verbs[] = {"list",  "info",    "test",   "reset",
                                        "drain", "disable", "enable", NULL};
    int opt = cli_no_options(cli, argc, argv), n;
    const char *const *v;
    char **operands;
    const char *near;

    if (opt)
        return cli_opt_status(opt);
    n = argc - optind;
    operands = argv + optind;
    if (!n)
        return cli_usage(cli, "list, or info, test, reset, drain, disable or "
                              "enable and a NAME, is wanted");
    if (!strcmp(operands[0], "list")) {
        if (n > 1)
            return cli_usage(cli, "list takes no operand");
        return list_or_info(cli, NULL);
    }
    for (v = verbs; *v && strcmp(operands[0], *v) != 0; v++)
        ;
    if (!*v) {
        near = cli_nearest(operands[0], verbs);
        return cli_usage(cli, "no command \"provider %s\"%s%s%s", operands[0],
                         near ? "; did you mean \"" : "", near ? near : "",
                         near ? "\"?" : "");
    }
    if (n != 2)
        return cli_usage(cli, "%s takes the name of one provider", operands[0]);
    if (!input_utf8(cli, str_c(operands[1]), "the provider's name"))
        return EXIT_USAGE;
    if (*operands[0] == 'i')
        return list_or_info(cli, operands[1]);
    return *operands[0] == 't' ? test(cli, operands[1])
                               : set(cli, operands[0], operands[1]);
}

const struct command cmd_provider = {
    .name = "provider",
    .summary = "list, show, test and hold back the providers that are set up",
    .usage = "list [OPTIONS]\ninfo [OPTIONS] NAME\ntest [OPTIONS] NAME\n"
             "reset [OPTIONS] NAME\ndrain [OPTIONS] NAME\n"
             "disable [OPTIONS] NAME\nenable [OPTIONS] NAME",
    .help = help,
    .common = COMMON_ASK,
    .run = run};
