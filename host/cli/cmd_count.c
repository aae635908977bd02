/* SPDX-License-Identifier: MIT */
/* patchbay count: how many tokens a text is to a model. */
#include "config.h"

#include <stdlib.h>

#include "base/str.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/op.h"

static const char help[] =
    "Count the tokens that a question would be to a model, with what the "
    "model's form\nof a conversation adds. The text is the operands, joined by "
    "spaces, or standard\ninput. A number that was estimated is marked so.\n\n"
    "  -m, --model NAME  provider/model, or a model's name\n"
    "  -s, --system TEXT instructions that go with it\n";

static int add_message(struct json_object *list, const char *role,
                       const char *text)
{
    struct json_object *m = json_object_new_object();

    if (m && !js_add_str(m, "role", str_c(role)) &&
        !js_add_str(m, "content", str_c(text)) &&
        !json_object_array_add(list, m))
        return 0;
    json_object_put(m);
    return -1;
}

static struct json_object *body_of(const char *model, const char *system,
                                   const char *text)
{
    struct json_object *body = json_object_new_object();
    struct json_object *list = json_object_new_array();

    if (body && list && (!model || !js_add_str(body, "model", str_c(model))) &&
        (!system || !add_message(list, "system", system)) &&
        !add_message(list, "user", text) &&
        !js_add(body, "messages", json_object_get(list))) {
        json_object_put(list);
        return body;
    }
    json_object_put(list);
    json_object_put(body);
    return NULL;
}

static int print(struct cli *cli, struct op_ask *o)
{
    struct json_object *item = json_object_array_get_idx(o->items, 0);
    int64_t n = js_int(item, "input_tokens", -1);
    bool guess = js_bool(item, "estimated", false);

    if (n < 0)
        return cli_error(cli, EXIT_PROVIDER, "the provider counted nothing");
    if (cli->json) {
        if (js_add(item, "report", json_object_get(o->report)))
            return cli_error(cli, EXIT_FAILED, "out of memory");
        cli_print_json(cli, item);
    } else {
        out_f(&cli->out, "%lld%s\n", (long long)n, guess ? " (estimated)" : "");
    }
    return EXIT_OK;
}

static int count(struct cli *cli, const char *model, const char *system,
                 const char *text)
{
    struct op_ask o = {.op = "count"};
    int status = cli_open(cli);

    if (status)
        return status;
    o.body = body_of(model, system, text);
    status =
        o.body ? op_run(cli, &o) : cli_error(cli, EXIT_FAILED, "out of memory");
    if (!status)
        status = print(cli, &o);
    json_object_put(o.body);
    op_done(&o);
    return status;
}

static int run(struct cli *cli, int argc, char **argv)
{
    static const struct option longs[] = {
        {"model", required_argument, NULL, 'm'},
        {"system", required_argument, NULL, 's'},
        {0}};
    const char *model = NULL, *system = NULL;
    int opt, status = EXIT_OK;
    char *text;

    while ((opt = cli_getopt(cli, argc, argv, "m:s:", longs)) >= 0) {
        if (opt == 'm')
            model = optarg;
        else
            system = optarg;
    }
    if (opt != -1)
        return cli_opt_status(opt);
    if ((model && !input_utf8(cli, str_c(model), "--model")) ||
        (system && !input_utf8(cli, str_c(system), "--system")))
        return EXIT_USAGE;
    text = op_text(cli, argc - optind, argv + optind, &status);
    if (text)
        status = count(cli, model, system, text);
    free(text);
    return status;
}

const struct command cmd_count = {.name = "count",
                                  .summary = "count the tokens of a text",
                                  .usage = "[OPTIONS] [TEXT...]",
                                  .help = help,
                                  .common = COMMON_ASK,
                                  .run = run};
